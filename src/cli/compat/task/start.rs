//! `start-zellij-session-for-task`: a zellij session for a task, in which Codex begins with it. Here, or on another host by the same tool
//! there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::hosts::{self, NamedHost};
use super::target::NONE;
use crate::cli::args::Globals;
use crate::cli::commands::lead::UnlistedAct;
use crate::cli::commands::reading::world;
use crate::cli::output::Streams;
use crate::control::lead::{self, FrontRequest, LeadRequest, reading};
use crate::control::observe::Observer;
use crate::control::tasks::session::{ZellijState, look};
use crate::control::tasks::{CloneSearch, TaskPlaces};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::send::LONGEST;
use crate::core::lead::{OperationReport, Outcome, Wish};
use crate::core::task::{TaskReference, TrackerIssue};
use crate::core::text::{printable, printable_lines};

/// The name that errors begin with.
const NAME: &str = "start-zellij-session-for-task";
/// What begins Codex with a connection that tells a person when it asks something.
const NOTIFYING: &str = "codex-app-notify-session";
/// How long a pane may take to show its agent once that runs.
const SHOWING: Duration = Duration::from_secs(10);

const USAGE: &str = "\
Usage:
  start-zellij-session-for-task [--target here|ml|arya|agent] [--project-root PATH] [--session-name NAME]
                                [--tab-name NAME] [--no-codex-app-notify] [--dry-run] [--] TASK...

Starts a detached zellij session in which Codex begins with: $start-new-task TASK
TASK is an issue of Linear or GitHub, by its id or address, or words.
";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct StartArgs {
    target: Option<String>,
    project: Option<PathBuf>,
    session: Option<String>,
    tab: Option<String>,
    is_dry: bool,
    is_raw: bool,
    is_help: bool,
    words: Vec<String>,
}

/// What is to be started.
#[derive(Debug)]
struct TaskStart {
    target: String,
    task: TaskReference,
    description: String,
    root: PathBuf,
    session: String,
    tab: String,
    is_raw: bool,
}

/// What came of it.
#[derive(Debug)]
struct TaskAnswer {
    text: String,
    /// What a dry run found missing.
    missing: Vec<String>,
}

/// Runs it; gives its exit code.
pub(super) fn run(rest: &[OsString]) -> u8 {
    let out = Streams::new(&Globals::guess(&[]));
    let failed = |why: &str| {
        out.stderr(&format!("{NAME}: {}\n", printable_lines(why)));
        1
    };
    let args = match parse(rest) {
        Ok(args) if args.is_help => return u8::from(out.answer(USAGE).is_err()),
        Ok(args) => args,
        Err(why) => {
            out.stderr(USAGE);
            return failed(&why);
        }
    };
    let world = world();
    match planned(&args, &world).and_then(|start| start.run(args.is_dry, &world)) {
        Ok(TaskAnswer { text, missing }) => {
            for why in missing {
                let _ = failed(&why);
            }
            u8::from(out.answer(&printable_lines(&text)).is_err())
        }
        Err(why) => failed(&why),
    }
}

fn parse(rest: &[OsString]) -> Result<StartArgs, String> {
    let text = |word: &OsString| word.to_str().map(str::to_owned).ok_or_else(|| "an argument is not UTF-8".to_owned());
    let mut words = rest.iter().map(text).collect::<Result<Vec<_>, _>>()?.into_iter().peekable();
    let mut args = StartArgs::default();
    while let Some(word) = words.next_if(|word| word.starts_with('-')) {
        let mut value = || words.next().filter(|value| !value.is_empty()).ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--target" => args.target = Some(value()?),
            "--project-root" => args.project = Some(value()?.into()),
            "--session-name" => args.session = Some(value()?),
            "--tab-name" => args.tab = Some(value()?),
            "--dry-run" => args.is_dry = true,
            "--no-codex-app-notify" => args.is_raw = true,
            "-h" | "--help" => args.is_help = true,
            "--" => break,
            _ => return Err(format!("unknown argument: {word}")),
        }
    }
    args.words = words.collect();
    if args.is_help || args.words.iter().any(|word| !word.trim().is_empty()) {
        Ok(args)
    } else {
        Err("task description or tracker reference is required".to_owned())
    }
}

/// What the arguments come to, before anything is looked at that may change.
fn planned(args: &StartArgs, world: &Observer) -> Result<TaskStart, String> {
    let description = args.words.join(" ");
    if description.len() > LONGEST {
        return Err(format!(
            "the task has {} bytes, and {LONGEST} are the most; put it into a file and name that",
            description.len()
        ));
    }
    let task = TaskReference::parse(&description).map_err(|why| why.to_string())?;
    let given = args.project.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let given = given
        .canonicalize()
        .ok()
        .filter(|path| path.is_dir())
        .ok_or_else(|| format!("there is no project root {}", given.display()))?;
    let root = match &task.issue {
        Some(TrackerIssue::GitHub { owner, repository, .. }) => {
            let unresolved = "could not resolve a canonical project root for this task";
            match TaskPlaces::around(&given, &world.env).clone_of(owner, repository) {
                CloneSearch::One(root) => root,
                CloneSearch::Nothing => {
                    return Err(format!("{unresolved}: no project here or beside is a clone of {owner}/{repository}"));
                }
                CloneSearch::Several(all) => {
                    let all: Vec<String> = all.iter().map(|it| it.display().to_string()).collect();
                    return Err(format!("{unresolved}: several are clones of {owner}/{repository}: {}", all.join(", ")));
                }
            }
        }
        _ => given,
    };
    let session = args.session.clone().unwrap_or_else(|| task.slug());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if !session.chars().all(is_plain)
        || session.starts_with('-')
        || session.is_empty()
        || [".", ".."].contains(&session.as_str())
    {
        return Err(format!("invalid session name: {session}"));
    }
    let tab = args.tab.clone().unwrap_or_else(|| task.tab_name(&session));
    if tab.chars().any(char::is_control) {
        return Err("the name of the tab holds control characters".to_owned());
    }
    let target = args.target.clone().unwrap_or_else(|| "here".to_owned());
    Ok(TaskStart { target, task, description, root, session, tab, is_raw: args.is_raw })
}

impl TaskStart {
    fn run(&self, is_dry: bool, world: &Observer) -> Result<TaskAnswer, String> {
        if ["here", "local", "current"].contains(&self.target.as_str()) {
            return self.here(is_dry, world);
        }
        let unreachable = |why: &str| format!("unsupported or unreachable target: {}{why}", self.target);
        let named = hosts::find(&self.target).ok_or_else(|| unreachable(""))?;
        let host = hosts::reachable(&named).map_err(|why| unreachable(&format!(" ({why})")))?;
        self.there(&named, &host, is_dry, world)
    }

    fn attach(&self) -> String {
        if ["here", "local", "current"].contains(&self.target.as_str()) {
            format!("zellij attach {}", self.session)
        } else {
            format!("work-{} {}", self.target, self.session)
        }
    }

    fn prompt(&self) -> String {
        format!("$start-new-task {}", self.description)
    }

    fn here(&self, is_dry: bool, world: &Observer) -> Result<TaskAnswer, String> {
        let is_missing = |name: &&str| !has_program(name, world);
        let missing = ["zellij", "codex"].into_iter().filter(is_missing);
        let missing: Vec<String> = missing.map(|name| format!("{name} is required on the current machine")).collect();
        match missing.first() {
            Some(why) if !is_dry => return Err(why.clone()),
            _ => {}
        }
        let notifies = !self.is_raw && has_program(NOTIFYING, world);
        let program = if notifies { NOTIFYING } else { "codex" };
        // No session can be there without it.
        if is_missing(&"zellij") {
            return Ok(TaskAnswer { text: self.dry(program), missing });
        }
        let seen = look(world, &self.session);
        let taken = format!("session already exists: {} (attach with: {})", self.session, self.attach());
        match seen.state {
            ZellijState::Missing => {}
            ZellijState::Current | ZellijState::Active => return Err(taken),
            ZellijState::Exited => {
                return Err(format!(
                    "{taken}\nIt has ended and is left as it is; `zellij delete-session {}` takes it away.",
                    self.session
                ));
            }
            ZellijState::Unknown => {
                let why = seen.warnings.join("; ");
                return Err(format!("whether a session {} exists cannot be told: {why}", self.session));
            }
        }
        if is_dry {
            return Ok(TaskAnswer { text: self.dry(program), missing });
        }
        self.launch(&seen.key, notifies, world)?;
        Ok(TaskAnswer { text: self.started(world, notifies), missing })
    }

    fn dry(&self, program: &str) -> String {
        let (root, prompt) = (self.root.to_string_lossy(), self.prompt());
        let cd = hosts::quoted(&["cd".to_owned(), root.to_string()]);
        let exec =
            hosts::quoted(&[program.to_owned(), "--dangerously-bypass-approvals-and-sandbox".to_owned(), prompt.clone()]);
        let issue = self.task.issue.as_ref();
        format!(
            "Target: {}\nResolved Host: local\nSession Name: {}\nTab Name: {}\nTracker Kind: {}\nTracker URL: {}\n\
            Canonical Project Root: {root}\nPrompt: {prompt}\nCodex App Notify: {}\nAttach Hint: {}\nLaunch Script:\n{cd} && exec {exec}\n",
            self.target,
            self.session,
            self.tab,
            issue.map_or(NONE, TrackerIssue::kind),
            issue.and_then(TrackerIssue::url).unwrap_or_else(|| NONE.to_owned()),
            program == NOTIFYING,
            self.attach(),
        )
    }

    fn started(&self, world: &Observer, notifies: bool) -> String {
        let url = self.task.issue.as_ref().and_then(TrackerIssue::url).unwrap_or_else(|| NONE.to_owned());
        format!(
            "Started detached task session.\nTarget: {}\nSession: {}\nTab: {}\nTracker: {url}\nProject Root: {}\nAttach: {}\n\
            Zellij Link: {}\nCodex App Notify: {notifies}\nPrompt: {}\n",
            self.target,
            self.session,
            self.tab,
            self.root.display(),
            self.attach(),
            link(&self.session, world),
            self.prompt(),
        )
    }

    /// Starts it; returns only once its pane shows the agent.
    fn launch(&self, key: &SessionKey, notifies: bool, world: &Observer) -> Result<(), String> {
        let root = self.root.to_str().ok_or("the path of the project root is not UTF-8")?;
        let mut entry = json!({
            "name": key.name,
            "agent": "codex",
            "mux": "zellij",
            "server": key.server,
            "cwd": root,
            "desired": "running",
            "permissions": "bypass",
            "trust": true,
            "task": self.task.text,
            "prompt": self.prompt(),
        });
        if notifies {
            entry["command"] = json!([NOTIFYING]);
        }
        let act = UnlistedAct::new(&entry, NAME).map_err(|error| error.message())?;
        let is_inherited = |name: &String| name.starts_with("CODEX_") && name != "CODEX_HOME";
        let names = world.env.pairs().map(|(name, _)| name.to_string_lossy().into_owned());
        let front = FrontRequest {
            clears: names.filter(is_inherited).collect(),
            tab: Some(self.tab.clone()),
            ..act.request.front.clone()
        };
        // Its name may have been another session's, whose conversation is not the one of this task.
        let request = LeadRequest { wish: Wish::Start { fresh: true }, front, ..act.request.clone() };
        let planned = lead::plan_to_act(&act.world, &request, &mut |_| ()).map_err(|error| error.to_string())?;
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |progress: lead::Progress<'_>| {
            if let lead::Progress::Note(note) = progress {
                told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(note.to_owned());
            }
        };
        let reports = lead::carry_out(&act.world, &request, &planned, &tell);
        let Some(report) = reports.first() else { return Err("nothing was to be done".to_owned()) };
        for note in told.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            tracing::warn!(note, "beside a start");
        }
        self.proven(&act.world, key, report)
    }

    /// A launch counts only when the pane shows the agent, whatever else is known of it.
    fn proven(&self, world: &Observer, key: &SessionKey, report: &OperationReport) -> Result<(), String> {
        let why = report.why.clone().unwrap_or_default();
        let screen = report.screen_tail.as_ref().map(|tail| format!("\nIts pane showed last:\n{tail}")).unwrap_or_default();
        match report.outcome {
            Outcome::Done | Outcome::Unverified => {}
            Outcome::Refused | Outcome::Skipped => return Err(format!("nothing was started: {why}")),
            Outcome::Failed => return Err(format!("Codex did not start: {why}{screen}")),
        }
        let begun = Instant::now();
        loop {
            let seen = reading::shows_agent(world, key, AgentKind::Codex);
            if seen == Fact::Seen(true) {
                return Ok(());
            }
            if begun.elapsed() > SHOWING {
                let why = seen.why_unknown().map(str::to_owned).unwrap_or(why);
                return Err(format!(
                    "session {} was made and left running, but its pane does not show Codex: {why} (attach with: {}){screen}",
                    self.session,
                    self.attach()
                ));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Lets the same tool do it on another host, where the project lies at the same place below the home directory.
    fn there(&self, named: &NamedHost, host: &str, is_dry: bool, world: &Observer) -> Result<TaskAnswer, String> {
        let home = world.env.path("HOME").and_then(|home| home.canonicalize().ok());
        let below = home.as_deref().and_then(|home| self.root.strip_prefix(home).ok()).and_then(Path::to_str);
        let below = below.ok_or(
            "remote targets require the resolved project root to live under $HOME so the path stays portable across machines",
        )?;
        let program = named.headcount.clone().unwrap_or_else(|| "headcount".to_owned());
        // A path below the home directory is one that the shell there has to find.
        let program = program.strip_prefix("~/").map(str::to_owned).unwrap_or(program);
        let mut words: Vec<String> =
            ["bash", "-c", "exec -a start-zellij-session-for-task \"$0\" \"$@\"", &program].map(str::to_owned).into();
        let root = format!("./{below}");
        for (option, value) in [("--project-root", &root), ("--session-name", &self.session), ("--tab-name", &self.tab)] {
            words.extend([option.to_owned(), value.clone()]);
        }
        words.extend(self.is_raw.then(|| "--no-codex-app-notify".to_owned()));
        words.extend(is_dry.then(|| "--dry-run".to_owned()));
        words.extend(["--".to_owned(), self.description.clone()]);
        let output = hosts::ask(host, 8, &hosts::quoted(&words))
            .map_err(|why| format!("unsupported or unreachable target: {} ({why})", self.target))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        let own = format!("{NAME}: ");
        let here = |why: &str| why.replace("on the current machine", &format!("on {host}"));
        match output.status.code() {
            Some(0) => {
                let missing = complained.lines().filter_map(|line| line.strip_prefix(&own)).map(here).collect();
                Ok(TaskAnswer { text: self.translated(&said, host), missing })
            }
            Some(255) => Err(format!("unsupported or unreachable target: {} ({})", self.target, complained.trim())),
            Some(126 | 127) => Err(format!("{host} has no headcount that could do it: {}", complained.trim())),
            _ => {
                let why = complained.lines().find_map(|line| line.strip_prefix(&own)).unwrap_or(complained.trim());
                let why = here(why).replace("session already exists:", &format!("session already exists on {host}:"));
                Err(why.replace(&format!("zellij attach {}", self.session), &self.attach()))
            }
        }
    }

    /// What the tool said there, as it is for somebody here.
    fn translated(&self, said: &str, host: &str) -> String {
        let line = |line: &str| match line.split_once(": ") {
            Some(("Target", _)) => format!("Target: {}\nResolved Host: {host}\n", self.target),
            Some(("Resolved Host", _)) => String::new(),
            Some((label @ ("Attach" | "Attach Hint"), _)) => format!("{label}: {}\n", self.attach()),
            Some(("Zellij Link", _)) => "Zellij Link: remote-machine-local\n".to_owned(),
            _ => format!("{line}\n"),
        };
        said.lines().map(line).collect()
    }
}

/// Whether a program is there to be run.
pub(super) fn has_program(name: &str, world: &Observer) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let path = world.env.get("PATH").map(OsString::from).unwrap_or_default();
    let is_it = |path: PathBuf| path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    std::env::split_paths(&path).any(|directory| is_it(directory.join(name)))
}

/// Where a browser finds a session, if somebody says that it does.
fn link(session: &str, world: &Observer) -> String {
    let value = |name: &str| world.env.get(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
    let base = value("ZELLIJ_WEB_BASE_URL");
    if value("ZELLIJ_WEB_ENABLE_LINKS") != "true" || base.is_empty() {
        return NONE.to_owned();
    }
    let quoted: String = session
        .bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("{}/{quoted}", printable(base.trim_end_matches('/')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<StartArgs, String> {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_come_first_and_all_else_is_the_task() {
        let args = parsed(&["--target", "ml", "--dry-run", "--no-codex-app-notify", "fix", "--it", "now"]).unwrap();
        assert_eq!((args.target.as_deref(), args.is_dry, args.is_raw), (Some("ml"), true, true));
        assert_eq!(args.words, ["fix", "--it", "now"]);
        assert_eq!(parsed(&["--", "--dry-run"]).unwrap().words, ["--dry-run"]);
        assert!(parsed(&["-h"]).unwrap().is_help);
        for (words, why) in [
            (&["--frobnicate", "x"][..], "unknown argument: --frobnicate"),
            (&[], "task description or tracker reference is required"),
            (&["--", " "], "task description or tracker reference is required"),
            (&["--target"], "--target needs a value"),
        ] {
            assert_eq!(parsed(words).unwrap_err(), why);
        }
    }
}
