//! Which task is meant, and which session works on it: by a status file, a folder, a session, an issue or a name, in this order.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::control::observe::Observer;
use crate::control::tasks::session::SessionLook;
use crate::control::tasks::{TaskPlaces, home_at};
use crate::core::task::{TaskHome, TaskMetadata, TaskReference};

/// What stands for a value that is not there.
pub(super) const NONE: &str = "none";

/// What says which task is meant.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// The name of a task or a part of it, the id or address of an issue of Linear, or the address of an issue of GitHub
    target: Option<String>,
    /// The project whose tasks, and those of its neighbours, are looked through
    #[arg(long, value_name = "PATH")]
    project_root: Option<PathBuf>,
    /// The folder of the task
    #[arg(long, value_name = "PATH")]
    task_dir: Option<PathBuf>,
    /// The status file of the task
    #[arg(long, value_name = "PATH")]
    status_file: Option<PathBuf>,
    /// The zellij session; a task need not be known for it
    #[arg(long, value_name = "NAME")]
    pub(super) zellij_session: Option<String>,
    /// The tab of the session; by default that of the issue, else the only one
    #[arg(long, value_name = "NAME")]
    pub(super) tab_name: Option<String>,
}

/// What is known of a task.
#[derive(Debug, Clone)]
pub(super) struct Task {
    project_root: String,
    task_status_root: String,
    pub(super) task_dir: String,
    pub(super) status_file: String,
    pub(super) says: TaskMetadata,
    pub(super) recap: [String; 3],
}

/// What came of looking for it.
#[derive(Debug)]
pub(super) enum TaskFound {
    /// It.
    One(Box<Task>),
    /// Several that it may be, and why.
    Several(Vec<Task>, String),
    /// Nothing, and why.
    Nothing(String),
}

/// A task that was looked for.
#[derive(Debug)]
pub(super) struct Resolved {
    /// By what it was looked for.
    pub(super) source: &'static str,
    /// What was said of it.
    pub(super) query: String,
    /// The name of this machine.
    pub(super) machine: String,
    /// What was found.
    pub(super) found: TaskFound,
}

/// Looks for the task that is meant.
pub(super) fn resolve(args: &TargetArgs, world: &Observer) -> Resolved {
    let machine = world.env.get("SYSTEM_NAME").map(|name| name.to_string_lossy().trim().to_owned());
    let machine = machine.filter(|name| !name.is_empty()).unwrap_or_else(|| world.host.name().to_owned());
    let here = args.project_root.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let places = || TaskPlaces::around(&here, &world.env);
    let (source, query, found) = if let Some(file) = &args.status_file {
        let folder = file.parent().filter(|_| file.is_file());
        ("status_file", shown(file), at(folder, "There is no such status file."))
    } else if let Some(folder) = &args.task_dir {
        ("task_dir", shown(folder), at(Some(folder.as_path()).filter(|it| it.is_dir()), "There is no such task folder."))
    } else if let Some(session) = &args.zellij_session {
        let why = "Multiple tracked task homes reference this zellij session.";
        let found = match several(places().of_session(session), why) {
            TaskFound::Nothing(_) => TaskFound::One(Box::new(Task::untracked(session, &machine))),
            found => found,
        };
        ("zellij_session", session.clone(), found)
    } else if let Some(target) = args.target.as_deref().filter(|target| !target.trim().is_empty()) {
        match TaskReference::parse(target) {
            Err(why) => ("tracker", target.to_owned(), TaskFound::Nothing(format!("No task was looked for: {why}."))),
            Ok(TaskReference { issue: Some(issue), .. }) => {
                let why = "Multiple tracked task homes match this tracker reference.";
                let found = match several(places().about(&issue), why) {
                    TaskFound::Nothing(_) => {
                        TaskFound::Nothing("No tracked task home matched this tracker reference.".to_owned())
                    }
                    found => found,
                };
                ("tracker", target.to_owned(), found)
            }
            Ok(_) => {
                let why = "Multiple tracked task homes matched this task slug.";
                ("task_slug", target.to_owned(), several(places().named(target), why))
            }
        }
    } else {
        let why = "Provide a task slug, tracker reference, or explicit task/session override.";
        ("unspecified", NONE.to_owned(), TaskFound::Nothing(why.to_owned()))
    };
    Resolved { source, query, machine, found }
}

fn at(folder: Option<&Path>, missing: &str) -> TaskFound {
    folder.map_or_else(|| TaskFound::Nothing(missing.to_owned()), |folder| TaskFound::One(Box::new(Task::of(&home_at(folder)))))
}

fn several(homes: Vec<TaskHome>, why: &str) -> TaskFound {
    match homes.as_slice() {
        [] => TaskFound::Nothing("No tracked task home matched this task slug.".to_owned()),
        [home] => TaskFound::One(Box::new(Task::of(home))),
        _ => TaskFound::Several(homes.iter().map(Task::of).collect(), why.to_owned()),
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Task {
    fn of(home: &TaskHome) -> Self {
        Self {
            project_root: shown(&home.project),
            task_status_root: shown(&home.root),
            task_dir: shown(&home.folder),
            status_file: home.status.as_deref().map_or_else(|| NONE.to_owned(), shown),
            says: home.says.clone(),
            recap: home.recap.clone(),
        }
    }

    /// A session that no task names.
    pub(super) fn untracked(session: &str, machine: &str) -> Self {
        let none = || NONE.to_owned();
        Self {
            project_root: none(),
            task_status_root: none(),
            task_dir: none(),
            status_file: none(),
            says: TaskMetadata::default().with("zellij_session", session).with("machine", machine),
            recap: [
                "What this task is about: No tracked task metadata was found for this session name.",
                "Current status: Use the explicit zellij session override for local control only.",
                "Next steps: Add --task-dir or --status-file if you need tracker-backed task context.",
            ]
            .map(str::to_owned),
        }
    }

    /// A value of its metadata.
    pub(super) fn value(&self, name: &str) -> &str {
        self.says.get(name).unwrap_or(NONE)
    }

    fn json(&self) -> Value {
        json!({
            "project_root": self.project_root,
            "task_status_root": self.task_status_root,
            "task_dir": self.task_dir,
            "status_file": self.status_file,
            "metadata": self.says.all(),
            "recap": self.recap,
        })
    }

    pub(super) fn project_root(&self) -> &str {
        &self.project_root
    }
}

impl Resolved {
    pub(super) fn json(&self) -> Value {
        let mut value = json!({
            "resolution_source": self.source,
            "query": self.query,
            "current_machine": self.machine,
        });
        match &self.found {
            TaskFound::One(task) => {
                value["status"] = json!("resolved");
                value["primary"] = task.json();
            }
            TaskFound::Several(tasks, why) => {
                value["status"] = json!("ambiguous");
                value["candidates"] = tasks.iter().map(Task::json).collect();
                value["warning"] = json!(why);
            }
            TaskFound::Nothing(why) => {
                value["status"] = json!("no_match");
                value["warning"] = json!(why);
            }
        }
        value
    }
}

/// A session, and which of its tabs is meant.
#[derive(Debug)]
pub(super) struct SessionTarget {
    /// Its name, or `none`.
    pub(super) name: String,
    /// What was seen of it; `None`: the task names no session.
    pub(super) look: Option<SessionLook>,
    /// The tab, if it can be told.
    pub(super) tab: Option<String>,
    /// How it was chosen.
    pub(super) reason: &'static str,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl SessionTarget {
    /// The session of a task.
    pub(super) fn of(task: &Task, explicit: Option<&str>, world: &Observer) -> Self {
        let name = task.value("zellij_session").to_owned();
        let look = (name != NONE).then(|| crate::control::tasks::session::look(world, &name));
        let tabs: Vec<&str> = look.iter().flat_map(|look| &look.tabs).map(|tab| tab.name.as_str()).collect();
        let (tab, reason) = chosen(&tabs, explicit, task.value("tracker_human_id"));
        let mut warnings = look.as_ref().map(|look| look.warnings.clone()).unwrap_or_default();
        if let (None, Some(explicit)) = (&tab, explicit) {
            warnings.push(format!("Explicit tab `{explicit}` was not present in the live session tab list."));
        } else if tab.is_none() && tabs.len() > 1 {
            warnings.push("Multiple tab names exist for this session; pass --tab-name to avoid guessing.".to_owned());
        }
        Self { name, tab, reason, warnings, look }
    }

    /// The word for what it is.
    pub(super) fn state(&self) -> &'static str {
        self.look.as_ref().map_or("unknown", |look| look.state.as_str())
    }

    pub(super) fn tab_names(&self) -> Vec<&str> {
        self.look.iter().flat_map(|look| &look.tabs).map(|tab| tab.name.as_str()).collect()
    }

    pub(super) fn json(&self) -> Value {
        let clients: Vec<Value> = self
            .look
            .iter()
            .flat_map(|look| &look.clients)
            .map(|it| json!({ "client_id": it.id, "pane_id": it.pane, "running_command": it.command }))
            .collect();
        json!({
            "session_name": self.name,
            "state": self.state(),
            "tab_names": self.tab_names(),
            "selected_tab_name": self.tab.as_deref().unwrap_or_default(),
            "tab_selection_reason": self.reason,
            "clients": clients,
            "warnings": self.warnings,
        })
    }
}

/// The tab that is meant, and how that was told.
fn chosen(tabs: &[&str], explicit: Option<&str>, issue: &str) -> (Option<String>, &'static str) {
    if let Some(name) = explicit {
        if !tabs.is_empty() && !tabs.contains(&name) {
            return (None, "explicit-tab-missing");
        }
        return (Some(name.to_owned()), "explicit");
    }
    if issue != NONE {
        let upper = issue.to_uppercase();
        let names = [format!("[{issue}]"), issue.to_owned(), format!("[{upper}]"), upper];
        if let Some(name) = names.into_iter().find(|name| tabs.contains(&name.as_str())) {
            return (Some(name), "tracker-human-id");
        }
    }
    match tabs {
        [one] => (Some((*one).to_owned()), "single-tab"),
        _ => (None, "ambiguous-or-missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_is_the_one_that_is_named_then_that_of_the_issue_then_the_only_one() {
        let some = |name: &str| Some(name.to_owned());
        for (tabs, explicit, issue, expected) in [
            (&["a", "b"][..], Some("b"), "none", (some("b"), "explicit")),
            (&["a"], Some("b"), "none", (None, "explicit-tab-missing")),
            (&[], Some("b"), "none", (some("b"), "explicit")),
            (&["a", "[eng-1]"], None, "eng-1", (some("[eng-1]"), "tracker-human-id")),
            (&["a", "ENG-1"], None, "eng-1", (some("ENG-1"), "tracker-human-id")),
            (&["a"], None, "eng-1", (some("a"), "single-tab")),
            (&["a", "b"], None, "eng-1", (None, "ambiguous-or-missing")),
            (&[], None, "none", (None, "ambiguous-or-missing")),
        ] {
            assert_eq!(chosen(tabs, explicit, issue), expected, "{tabs:?} {explicit:?} {issue}");
        }
    }
}
