//! GitHub Copilot CLI. Reads names of its session directories and its arguments; its locks are not read yet.

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::recognise::Names;
use super::{Agent, Shelf, Subject, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::Transcript;
use crate::core::observe::identity::Reading;
use crate::host::Environ;

/// The adapter. Measured with 1.0.102.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copilot;

static NAMES: Names =
    Names { programs: &["copilot"], packages: &["@github/copilot"], services: &["mcp"], has_node_loader: true };

const FLAGS: Flags =
    Flags { exact: &[("--session-id", argv::uuid), ("--resume", argv::uuid)], verb: None, never: &["--continue"] };

impl Agent for Copilot {
    fn kind(&self) -> AgentKind {
        AgentKind::Copilot
    }

    fn names(&self) -> &'static Names {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        env.path("COPILOT_HOME").or_else(|| Some(env.path("HOME")?.join(".copilot")))
    }

    fn ladder(&self, subject: &Subject<'_>) -> Vec<Reading> {
        vec![argv::reading(subject, self, &FLAGS)]
    }

    fn transcript(&self, _: &Shelf, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        if !files::is_file_name(id.as_str()) {
            return Fact::Absent;
        }
        // From the first prompt on; the directory is there from the launch.
        files::transcript(&home.join("session-state").join(id.as_str()).join("events.jsonl"))
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec![format!("--resume={}", id.as_str())])
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        Some(("COPILOT_HOME", home.to_path_buf()))
    }
}
