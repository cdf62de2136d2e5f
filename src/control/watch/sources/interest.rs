//! Which paths matter, to whom, and what an event on a path means. Pure; watches nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use crate::control::watch::wake::{Reason, Scope};
use crate::core::ids::{ServerKey, SessionKey};

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathMeaning {
    /// The manifest, or a link on the way to it.
    Manifest,
    /// A transcript of these sessions, or a directory of such.
    Transcript(BTreeSet<SessionKey>),
    /// A registry of live agents.
    Registry,
    /// What a registry says of the agent in these sessions.
    Registered(BTreeSet<SessionKey>),
    /// The registry of delegated jobs, with the sessions that have one.
    Jobs(BTreeSet<SessionKey>),
    /// A server's socket, or the directory of its sockets.
    Socket(ServerKey),
}

impl PathMeaning {
    /// The wake that something there calls for.
    pub(super) fn wake(&self) -> (Reason, Scope) {
        match self {
            Self::Manifest => (Reason::Manifest, Scope::ALL),
            Self::Transcript(sessions) => (Reason::Transcript, Scope::sessions(sessions.clone())),
            Self::Registry => (Reason::Registry, Scope::ALL),
            Self::Registered(sessions) => (Reason::Registry, Scope::sessions(sessions.clone())),
            // Jobs are read anew by every pass, whatever it is about.
            Self::Jobs(sessions) => (Reason::Job, Scope::sessions(sessions.clone())),
            Self::Socket(server) => (Reason::Server, Scope::server(server.clone())),
        }
    }
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathChange {
    /// It appeared, vanished or was renamed.
    Shape,
    /// It was written to.
    Content,
    /// Its mode, owner or times changed.
    Metadata,
}

/// What an event calls for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PathAnswer {
    /// Whom it concerns, and whether that can wait a moment.
    pub(super) concerns: Vec<(PathMeaning, bool)>,
    /// Whether other directories have to be watched by now.
    pub(super) moves_watches: bool,
}

/// The paths that matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WatchedPaths {
    paths: BTreeMap<PathBuf, Vec<PathMeaning>>,
    /// The sessions of each process that is known.
    processes: BTreeMap<u32, BTreeSet<SessionKey>>,
}

impl WatchedPaths {
    /// Adds what a path means.
    pub(super) fn add(&mut self, path: PathBuf, concern: PathMeaning) {
        let concerns = self.paths.entry(path).or_default();
        if !concerns.contains(&concern) {
            concerns.push(concern);
        }
    }

    /// Adds in which sessions a process is.
    pub(super) fn add_process(&mut self, pid: u32, sessions: &BTreeSet<SessionKey>) {
        self.processes.entry(pid).or_default().extend(sessions.iter().cloned());
    }

    /// Every path that matters, and whether what is directly in it does too.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.paths.iter().map(|(path, concerns)| (path.as_path(), !concerns.iter().all(|it| *it == PathMeaning::Manifest)))
    }

    /// Whom something at or below a path concerns.
    pub(super) fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a PathMeaning> {
        // In the order of paths all that is below one stands right behind it.
        let from = (Bound::Included(path), Bound::Unbounded);
        self.paths.range::<Path, _>(from).take_while(move |(it, _)| it.starts_with(path)).flat_map(|(_, concerns)| concerns)
    }

    /// What an event on a path calls for.
    pub(super) fn answer(&self, path: &Path, happening: PathChange) -> PathAnswer {
        let mut answer = PathAnswer::default();
        let is_content = happening == PathChange::Content;
        let in_place = |concern: &PathMeaning| match concern {
            PathMeaning::Manifest => true,
            // An entry is written under another name first, mostly a hidden one; a transcript may be called so for good.
            PathMeaning::Registry | PathMeaning::Registered(_) => happening != PathChange::Metadata && !is_hidden(path),
            PathMeaning::Transcript(_) => happening != PathChange::Metadata,
            PathMeaning::Jobs(_) => happening != PathChange::Metadata && is_record(path),
            PathMeaning::Socket(_) => happening == PathChange::Shape,
        };
        if happening == PathChange::Shape {
            answer.concerns.extend(self.below(path).map(|concern| (concern.clone(), false)));
            answer.moves_watches = !answer.concerns.is_empty();
        } else {
            let here = self.paths.get(path).into_iter().flatten().filter(|it| in_place(it));
            answer.concerns.extend(here.map(|it| (it.clone(), is_content && matches!(it, PathMeaning::Transcript(_)))));
        }
        if let Some(name) = path.file_name() {
            let around = path.parent().and_then(|dir| self.paths.get(dir)).into_iter().flatten();
            // A registry may be of locks: then each is an entry of it.
            let is_lock = name.to_string_lossy().ends_with(".lock");
            let is_entry = |it: &PathMeaning| !is_scaffold(name) || (*it == PathMeaning::Registry && is_lock);
            let around = around.filter(|it| **it != PathMeaning::Manifest && in_place(it) && is_entry(it));
            let whose = |it: &PathMeaning| match it {
                PathMeaning::Registry => self.registered(path).unwrap_or(PathMeaning::Registry),
                other => other.clone(),
            };
            answer.concerns.extend(around.map(|it| (whose(it), is_content && matches!(it, PathMeaning::Transcript(_)))));
        }
        answer
    }

    /// Whom a file of a registry is about, if it is named after a process that is known: anything else may be an agent that is not.
    fn registered(&self, path: &Path) -> Option<PathMeaning> {
        let pid = path.file_stem()?.to_str()?.parse().ok()?;
        self.processes.get(&pid).map(|sessions| PathMeaning::Registered(sessions.clone()))
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a file of the registry of jobs can be a record; logs and audits follow it or are told by it.
fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// Files that are made only to write another: what is in them comes under another name, or is nobody's business.
fn is_scaffold(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_swap = name.starts_with('.') && name.ends_with(".swap");
    name.ends_with(".lock") || name.ends_with(".tmp") || is_swap || name.contains(".saved-")
}

/// The nearest directory that exists, of a path itself or above it. `itself`: whether the path may be that directory.
pub(super) fn place(path: &Path, itself: bool, is_dir: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    path.ancestors().skip(usize::from(!itself)).find(|dir| is_dir(dir)).map(Path::to_path_buf)
}

/// The manifest, and every link on the way from its name to the file.
pub(super) fn links(manifest: &Path, read_link: impl Fn(&Path) -> Option<PathBuf>) -> Vec<PathBuf> {
    let mut found = vec![manifest.to_path_buf()];
    // As many as the kernel follows.
    for _ in 0..40 {
        let Some(last) = found.last() else { break };
        let Some(target) = read_link(last) else { break };
        let target = last.parent().map_or_else(|| target.clone(), |dir| dir.join(&target));
        if found.contains(&target) {
            break;
        }
        found.push(target);
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::MuxKind;

    fn transcript() -> PathMeaning {
        PathMeaning::Transcript(BTreeSet::new())
    }

    fn jobs() -> PathMeaning {
        PathMeaning::Jobs(BTreeSet::new())
    }

    fn interest() -> WatchedPaths {
        let mut interest = WatchedPaths::default();
        interest.add("/w/agents.yaml".into(), PathMeaning::Manifest);
        interest.add("/h/.claude/projects/-x".into(), transcript());
        interest.add("/h/.claude/sessions".into(), PathMeaning::Registry);
        interest.add_process(8, &BTreeSet::new());
        interest.add("/j/jobs".into(), jobs());
        interest.add("/t/tmux-0/default".into(), PathMeaning::Socket(ServerKey::default_of(MuxKind::Tmux)));
        interest
    }

    #[test]
    fn an_event_concerns_those_whose_path_it_is_on_in_or_above() {
        use PathChange::{Content, Metadata, Shape};
        let socket = || PathMeaning::Socket(ServerKey::default_of(MuxKind::Tmux));
        for (path, happening, concerns, moves) in [
            ("/w/agents.yaml", Shape, vec![(PathMeaning::Manifest, false)], true),
            ("/w/agents.yaml", Content, vec![(PathMeaning::Manifest, false)], false),
            ("/w/agents.yaml", Metadata, vec![(PathMeaning::Manifest, false)], false),
            ("/w/.agents.yaml.1.2.swap", Shape, vec![], false),
            ("/w/agents.yaml.lock", Shape, vec![], false),
            ("/w/other", Content, vec![], false),
            ("/w", Shape, vec![(PathMeaning::Manifest, false)], true),
            ("/h/.claude/projects/-x/1.jsonl", Shape, vec![(transcript(), false)], false),
            ("/h/.claude/projects/-x/1.jsonl", Content, vec![(transcript(), true)], false),
            ("/h/.claude/projects/-x/1.jsonl", Metadata, vec![], false),
            ("/h/.claude/projects/-x/1/2.jsonl", Shape, vec![], false),
            ("/h/.claude/projects/-xy", Shape, vec![], false),
            ("/h/.claude/projects", Shape, vec![(transcript(), false)], true),
            ("/h/.claude", Shape, vec![(transcript(), false), (PathMeaning::Registry, false)], true),
            ("/h/.claude/sessions/7.json", Content, vec![(PathMeaning::Registry, false)], false),
            ("/h/.claude/sessions/8.json", Shape, vec![(PathMeaning::Registered(BTreeSet::new()), false)], false),
            ("/h/.claude/sessions/8.json", Content, vec![(PathMeaning::Registered(BTreeSet::new()), false)], false),
            ("/h/.claude/sessions/8.json", Metadata, vec![], false),
            ("/h/.claude/sessions/.new", Shape, vec![], false),
            ("/h/.claude/sessions/8.json.8.k2j4h.tmp", Shape, vec![], false),
            ("/h/.claude/sessions", Shape, vec![(PathMeaning::Registry, false)], true),
            ("/h/.claude/sessions/.7.tmp", Content, vec![], false),
            ("/h/.claude/sessions/7.lock", Shape, vec![(PathMeaning::Registry, false)], false),
            ("/h/.claude/sessions/.coordination.lock", Shape, vec![], false),
            ("/h/.claude/projects/-x/1.lock", Shape, vec![], false),
            ("/j/jobs/abc12345.json", Shape, vec![(jobs(), false)], false),
            ("/j/jobs/abc12345.json", Content, vec![(jobs(), false)], false),
            ("/j/jobs/abc12345.json", Metadata, vec![], false),
            ("/j/jobs/abc12345.events.log", Content, vec![], false),
            ("/j/jobs/.headcount-x.tmp", Shape, vec![], false),
            ("/j/jobs/.lock", Shape, vec![], false),
            ("/j/jobs/abc12345", Shape, vec![], false),
            ("/j/jobs", Shape, vec![(jobs(), false)], true),
            ("/t/tmux-0/default", Shape, vec![(socket(), false)], true),
            ("/t/tmux-0/default", Metadata, vec![], false),
            ("/t/tmux-0/other", Shape, vec![], false),
        ] {
            let answer = interest().answer(Path::new(path), happening);
            assert_eq!(answer, PathAnswer { concerns, moves_watches: moves }, "{happening:?} of {path}");
        }
    }

    #[test]
    fn what_does_not_exist_is_watched_for_from_the_nearest_directory_that_does() {
        let is_dir = |path: &Path| ["/", "/h", "/h/a"].contains(&path.to_str().unwrap());
        for (path, itself, expected) in
            [("/h/a", true, "/h/a"), ("/h/a", false, "/h"), ("/h/b", true, "/h"), ("/h/b/c/d", true, "/h"), ("/x/y", true, "/")]
        {
            assert_eq!(place(Path::new(path), itself, is_dir), Some(PathBuf::from(expected)), "{path}");
        }
        assert_eq!(place(Path::new("a/b"), true, |_| false), None);
    }

    #[test]
    fn every_link_on_the_way_to_the_manifest_is_known_and_a_circle_ends() {
        let read = |path: &Path| match path.to_str().unwrap() {
            "/a/m" => Some(PathBuf::from("../b/m")),
            "/a/../b/m" => Some(PathBuf::from("/c/m")),
            "/o" => Some(PathBuf::from("/o")),
            _ => None,
        };
        let expected: Vec<PathBuf> = vec!["/a/m".into(), "/a/../b/m".into(), "/c/m".into()];
        assert_eq!(links(Path::new("/a/m"), read), expected);
        assert_eq!(links(Path::new("/o"), read), [PathBuf::from("/o")]);
    }
}
