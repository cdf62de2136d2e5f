//! Pi. Reads names of its session files and its arguments.

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::recognise::Names;
use super::{Agent, Shelf, Subject, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::Transcript;
use crate::core::observe::identity::Reading;
use crate::host::Environ;

/// The adapter. Measured with 0.87.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pi;

static NAMES: Names = Names {
    programs: &["pi"],
    packages: &["@earendil-works/pi-coding-agent", "@mariozechner/pi-coding-agent"],
    services: &[],
    has_node_loader: false,
};

const FLAGS: Flags =
    // `--session` also takes a path or the beginning of an id; `--session-id` takes any text as it is.
    Flags {
        exact: &[("--session-id", argv::any), ("--session", argv::uuid)],
        verb: None,
        never: &["--fork", "--continue", "-c"],
    };

impl Agent for Pi {
    fn kind(&self) -> AgentKind {
        AgentKind::Pi
    }

    fn names(&self) -> &'static Names {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        Some(env.path("HOME")?.join(".pi/agent"))
    }

    fn ladder(&self, subject: &Subject<'_>) -> Vec<Reading> {
        vec![argv::reading(subject, self, &FLAGS)]
    }

    fn transcript(&self, shelf: &Shelf, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        match shelf.find(&home.join("sessions"), 1, id.as_str(), id_of) {
            Fact::Seen(paths) => files::first_transcript(paths),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["--session".to_owned(), id.as_str().to_owned()])
    }

    fn home_assignment(&self, _: &Path) -> Option<(&'static str, PathBuf)> {
        None
    }
}

/// `<time>_<id>.jsonl`; the time holds no underscore, the id may.
fn id_of(name: &str) -> Option<&str> {
    name.strip_suffix(".jsonl")?.split_once('_').map(|(_, id)| id)
}
