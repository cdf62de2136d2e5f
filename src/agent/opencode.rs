//! OpenCode. Reads its arguments; its conversations are rows of a database, which is not read yet.

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::recognise::Names;
use super::{Agent, Shelf, Subject};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::Transcript;
use crate::core::observe::identity::Reading;
use crate::host::Environ;

/// The adapter. Measured with 1.18.33.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opencode;

static NAMES: Names = Names {
    programs: &["opencode"],
    packages: &["opencode-ai"],
    services: &["serve", "web", "mcp", "acp"],
    has_node_loader: true,
};

const FLAGS: Flags =
    Flags { exact: &[("-s", is_session), ("--session", is_session)], verb: None, never: &["--fork", "--continue", "-c"] };

impl Agent for Opencode {
    fn kind(&self) -> AgentKind {
        AgentKind::Opencode
    }

    fn names(&self) -> &'static Names {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        let data = env.path("XDG_DATA_HOME").or_else(|| Some(env.path("HOME")?.join(".local/share")))?;
        Some(data.join("opencode"))
    }

    fn ladder(&self, subject: &Subject<'_>) -> Vec<Reading> {
        vec![argv::reading(subject, self, &FLAGS)]
    }

    fn has_readable_transcripts(&self) -> bool {
        false
    }

    fn transcript(&self, _: &Shelf, home: &Path, _: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        Fact::Unknown(format!("what is in {} is not read by this build", home.join("opencode.db").display()))
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["-s".to_owned(), id.as_str().to_owned()])
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        (home.file_name()? == "opencode").then(|| Some(("XDG_DATA_HOME", home.parent()?.to_path_buf()))).flatten()
    }
}

/// Its ids start with `ses_`.
fn is_session(value: &str) -> bool {
    value.strip_prefix("ses_").is_some_and(|rest| !rest.is_empty())
}
