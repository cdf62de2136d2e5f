//! Where projects keep the folders of their tasks, and which of them a reference means. Reads files of projects; writes nothing, asks no
//! tracker and runs no git.

mod clones;
mod folders;
pub mod session;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::core::ids::MuxKind;
use crate::core::lead::referred;
use crate::core::manifest::{Manifest, Session};
use crate::core::task::{TaskHome, TaskReference, TrackerIssue, folder_slug};
use crate::host::Environ;
pub use clones::CloneSearch;

/// What makes a directory a project.
const PROJECT_MARKS: [&str; 3] = ["AGENTS.md", "CLAUDE.md", ".botrc"];
/// At most as many projects are looked at.
const MOST: usize = 500;

/// The projects whose tasks are looked for.
#[derive(Debug, Clone, Default)]
pub struct TaskPlaces {
    projects: Vec<PathBuf>,
}

impl TaskPlaces {
    /// The project of a directory, those beside it, and those in `~/pro`.
    pub fn around(directory: &Path, env: &Environ) -> Self {
        let own = project_of(directory);
        let mut places = Self { projects: vec![own.clone()] };
        if let Some(above) = own.parent() {
            places.add_below(above);
        }
        if let Some(home) = env.path("HOME") {
            places.add_below(&home.join("pro"));
        }
        places
    }

    /// The same with the projects that entries of a manifest work in.
    #[must_use]
    pub fn and_of(mut self, manifest: &Manifest) -> Self {
        let cwds: BTreeSet<&Path> = manifest.sessions.iter().filter_map(|session| session.cwd.as_deref()).collect();
        cwds.into_iter().for_each(|cwd| self.add(project_of(cwd)));
        self
    }

    fn add_below(&mut self, directory: &Path) {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let is_project = |path: &PathBuf| is_marked(path) || path.join(".git").exists();
        let mut found: Vec<PathBuf> = entries.take(MOST).map(|entry| entry.path()).filter(is_project).collect();
        found.sort();
        found.into_iter().for_each(|project| self.add(project));
    }

    fn add(&mut self, project: PathBuf) {
        if self.projects.len() < MOST && !self.projects.contains(&project) {
            self.projects.push(project);
        }
    }

    /// The folders whose name holds a word, newest first.
    pub fn named(&self, word: &str) -> Vec<TaskHome> {
        let raw = word.trim().to_lowercase();
        if raw.is_empty() {
            return Vec::new();
        }
        let slug = crate::core::task::slug_of(&raw);
        self.homes(|name| {
            let name = name.to_lowercase();
            name.contains(&raw) || name.contains(&slug)
        })
    }

    /// The newest folder of each project that is about an issue.
    pub fn about(&self, issue: &TrackerIssue) -> Vec<TaskHome> {
        let mut projects = BTreeSet::new();
        let mut homes = self.homes(|_| true);
        homes.retain(|home| is_about(home, issue) && projects.insert(home.project.clone()));
        homes
    }

    /// The folders of the work that a reference means, newest first: by its issue, else by its name.
    pub fn of(&self, reference: &TaskReference) -> Vec<TaskHome> {
        let slug = reference.slug();
        let of_name = || self.homes(|name| folder_slug(name) == slug);
        match &reference.issue {
            None => of_name(),
            Some(issue) => {
                let found = self.about(issue);
                if found.is_empty() { of_name() } else { found }
            }
        }
    }

    /// The folders that name a zellij session, newest first.
    pub fn of_session(&self, session: &str) -> Vec<TaskHome> {
        let mut homes = self.homes(|_| true);
        homes.retain(|home| home.says.get("zellij_session") == Some(session));
        homes
    }

    /// The folders with such a name, newest first. What two projects share is there once.
    fn homes(&self, is_it: impl Fn(&str) -> bool) -> Vec<TaskHome> {
        let mut seen = BTreeSet::new();
        let found = self.projects.iter().flat_map(|project| folders::of(project, &is_it));
        let mut homes: Vec<TaskHome> = found.filter(|home| seen.insert(real(&home.folder))).collect();
        homes.sort_by_key(|home| std::cmp::Reverse(home.rank()));
        homes
    }
}

fn is_about(home: &TaskHome, issue: &TrackerIssue) -> bool {
    let of = |text: Option<&str>| text.and_then(|text| TaskReference::parse(text).ok()?.issue);
    let says = &home.says;
    match of(says.get("tracker_url")) {
        Some(other) => issue.is(&other),
        None => says.get("tracker_human_id").is_some_and(|id| id.eq_ignore_ascii_case(&issue.human_id())),
    }
}

/// The task folder of a status file or of a folder itself.
pub fn home_at(folder: &Path) -> TaskHome {
    let folder = real(folder);
    let project = nearest(&folder).unwrap_or_else(|| folder.clone());
    folders::read(&project, &folders::root(&project), &folder)
}

/// The entries that a REF means; where it is the name of none, those whose session or conversation is named by the folder of a task
/// that it refers to.
pub fn meant<'a>(manifest: &'a Manifest, text: &str, env: &Environ, here: &Path) -> Vec<&'a Session> {
    let found = referred(manifest, text);
    if !found.is_empty() {
        return found;
    }
    let Ok(reference) = TaskReference::parse(text) else { return found };
    let homes = TaskPlaces::around(here, env).and_of(manifest).of(&reference);
    let is_named = |session: &&Session| {
        homes.iter().any(|home| {
            let says = |field, value: &str| home.says.get(field) == Some(value);
            let is_session = session.key.mux == MuxKind::Zellij && says("zellij_session", &session.key.name);
            let id = session.recorded.session_id.as_ref();
            is_session || id.is_some_and(|id| says("agent_session_id", id.as_str()))
        })
    };
    manifest.sessions.iter().map(AsRef::as_ref).filter(is_named).collect()
}

/// The project of a directory: the nearest one above that is marked as such, else itself.
fn project_of(directory: &Path) -> PathBuf {
    let directory = real(directory);
    nearest(&directory).unwrap_or(directory)
}

fn nearest(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|above| is_marked(above)).map(Path::to_path_buf)
}

fn is_marked(directory: &Path) -> bool {
    PROJECT_MARKS.iter().any(|mark| directory.join(mark).is_file())
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
