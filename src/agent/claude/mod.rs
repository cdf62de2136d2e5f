//! Claude Code. Reads its live registry, its arguments and the edges of its transcripts; never the keys beside them.

mod encode;
mod entries;
mod jobs;
mod registry;
mod transcripts;

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::recognise::{Invocation, Names, Words, has_flag};
use super::subject::proves;
use super::{Agent, Places, Scene, Shelf, Subject, Where, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::identity::Reading;
use crate::core::observe::{Transcript, Turn};
use crate::host::{Environ, ProcessInfo};

/// The adapter. Measured with 2.1.197 and 2.1.329.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claude;

static NAMES: Names = Names {
    programs: Words::Own(&["claude"]),
    packages: Words::Own(&["@anthropic-ai/claude-code", "claude/versions"]),
    // Its daemon, what holds the terminals of its background jobs, and those that wait to become one; then its tools.
    services: &["daemon", "bg-pty-host", "bg-spare", "mcp", "plugin", "update", "install", "doctor", "setup-token"],
    // Installed by npm before it was native, it ran in node itself.
    has_node_loader: false,
};

const FLAGS: Flags = Flags {
    exact: &[("--session-id", argv::uuid), ("--resume", argv::uuid), ("-r", argv::uuid)],
    verb: None,
    never: &["--fork-session", "--continue", "-c"],
};

impl Agent for Claude {
    fn kind(&self) -> AgentKind {
        AgentKind::Claude
    }

    fn names(&self) -> &'static Names {
        &NAMES
    }

    fn is_led(&self, invocation: &Invocation<'_>) -> bool {
        ["--parent-session-id", "--agent-id"].iter().any(|flag| has_flag(invocation.args, flag))
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        env.path("CLAUDE_CONFIG_DIR").or_else(|| Some(env.path("HOME")?.join(".claude")))
    }

    fn ladder(&self, subject: &Subject<'_>) -> Vec<Reading> {
        let mut readings = vec![registry::reading(subject)];
        if subject.every_rung || !proves(&readings) {
            readings.push(argv::reading(subject, self, &FLAGS));
        }
        if subject.every_rung || !proves(&readings) {
            readings.push(transcripts::reading(subject));
        }
        readings
    }

    fn vouched(&self, process: &ProcessInfo, home: &Path) -> Option<Reading> {
        registry::of(process, home)
    }

    fn transcript(&self, shelf: &Shelf, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
        transcripts::find(shelf, home, id, cwds)
    }

    fn continued_in(&self, shelf: &Shelf, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<ConversationId> {
        transcripts::continued_in(shelf, home, id, cwds)
    }

    fn phase(&self, process: &ProcessInfo, home: &Path) -> Fact<Turn> {
        registry::phase(process, home)
    }

    fn turn(&self, scene: &Scene<'_>) -> Fact<Turn> {
        registry::turn(scene)
    }

    fn awaited(&self, scene: &Scene<'_>) -> Option<String> {
        registry::awaited(scene)
    }

    fn places(&self, place: Where<'_>) -> Places {
        let projects = place.home.join("projects");
        let transcripts = place.cwd.map(encode::directories).unwrap_or_default();
        Places {
            registries: vec![place.home.join("sessions")],
            transcripts: transcripts.iter().map(|name| projects.join(name)).collect(),
        }
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["--resume".to_owned(), id.as_str().to_owned()])
    }

    fn lived_in(&self, transcript: &Transcript, _: &Path, _: &ConversationId, cwds: &[&Path]) -> Fact<PathBuf> {
        transcripts::lived_in(transcript, cwds)
    }

    fn home_variables(&self) -> Vec<&'static str> {
        vec!["CLAUDE_CONFIG_DIR"]
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        Some(("CLAUDE_CONFIG_DIR", home.to_path_buf()))
    }
}
