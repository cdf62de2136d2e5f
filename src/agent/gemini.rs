//! Gemini CLI. Reads names and first lines of its chats, and its arguments.

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::recognise::Names;
use super::{Agent, Shelf, Subject, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::Transcript;
use crate::core::observe::identity::Reading;
use crate::host::Environ;

/// The adapter. Measured with 0.61.0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemini;

static NAMES: Names = Names {
    programs: &["gemini"],
    packages: &["@google/gemini-cli"],
    services: &["mcp", "extensions", "hooks"],
    has_node_loader: true,
};

const FLAGS: Flags =
    Flags { exact: &[("--session-id", argv::uuid), ("--resume", argv::uuid), ("-r", argv::uuid)], verb: None, never: &[] };

impl Agent for Gemini {
    fn kind(&self) -> AgentKind {
        AgentKind::Gemini
    }

    fn names(&self) -> &'static Names {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        Some(env.path("HOME")?.join(".gemini"))
    }

    fn ladder(&self, subject: &Subject<'_>) -> Vec<Reading> {
        vec![argv::reading(subject, self, &FLAGS)]
    }

    fn transcript(&self, shelf: &Shelf, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        // The name holds only the first eight characters of the id; the first line holds all of it.
        let Some(short) = id.as_str().get(..8) else { return Fact::Absent };
        match shelf.find(&home.join("tmp"), 2, short, short_id_of) {
            Fact::Seen(paths) => holder(&paths, id),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["--resume".to_owned(), id.as_str().to_owned()])
    }

    fn home_assignment(&self, _: &Path) -> Option<(&'static str, PathBuf)> {
        None
    }
}

/// `session-<time>-<first 8 of the id>.jsonl` in `tmp/<workspace>/chats`.
fn short_id_of(name: &str) -> Option<&str> {
    let stem = name.strip_prefix("session-")?.strip_suffix(".jsonl")?;
    stem.rsplit_once('-').map(|(_, short)| short).filter(|short| short.len() == 8)
}

/// The file among these that holds the conversation; of several (a resume leaves a stub) the one that changed last.
fn holder(paths: &[PathBuf], id: &ConversationId) -> Fact<Transcript> {
    let mut best: Option<Transcript> = None;
    let mut trouble = None;
    for path in paths {
        match (names(path, id), files::transcript(path)) {
            (Ok(true), Fact::Seen(found)) if best.as_ref().is_none_or(|best| best.modified < found.modified) => {
                best = Some(found)
            }
            (Ok(true), Fact::Unknown(why)) => trouble = Some(why),
            (Err(why), _) => trouble = Some(why),
            _ => {}
        }
    }
    match (best, trouble) {
        (Some(found), _) => Fact::Seen(found),
        (None, Some(why)) => Fact::Unknown(why),
        (None, None) => Fact::Absent,
    }
}

fn names(path: &Path, id: &ConversationId) -> Result<bool, String> {
    let edges = files::edges(path).map_err(|error| format!("cannot read {}: {}", path.display(), files::reason(&error)))?;
    let first = edges.lines().next().and_then(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let Some(first) = first else { return Err(format!("{} does not begin as a chat does", path.display())) };
    Ok(first.get("sessionId").and_then(serde_json::Value::as_str) == Some(id.as_str()))
}
