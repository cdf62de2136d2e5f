//! Claude Code. Reads its live registry, its arguments and the edges of its transcripts; never the keys beside them.

mod composer;
mod drive;
mod encode;
mod entries;
mod headless;
mod hooks;
mod jobs;
mod registry;
mod transcripts;
mod turns;

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::drive::{Holder, LaunchTable};
use super::hooks::{HookCarrier, HookCommand, HookConsent, HookInstall};
use super::live_process::proves;
use super::recognise::{Invocation, ProgramNames, Words, has_flag};
use super::turns::{TurnQuery, of_lines};
use super::{Adapter, LiveConversation, LiveProcess, TranscriptIndex, WatchDirs, WatchQuery, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::{ComposerTable, Said};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::RungReading;
use crate::core::observe::{Activity, Transcript};
use crate::host::{Environ, Host, ProcessInfo};

/// The adapter. Measured with 2.1.197 and 2.1.329.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claude;

static NAMES: ProgramNames = ProgramNames {
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

impl Adapter for Claude {
    fn kind(&self) -> AgentKind {
        AgentKind::Claude
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    fn is_led(&self, invocation: &Invocation<'_>) -> bool {
        ["--parent-session-id", "--agent-id"].iter().any(|flag| has_flag(invocation.args, flag))
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        env.path("CLAUDE_CONFIG_DIR").or_else(|| Some(env.path("HOME")?.join(".claude")))
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = vec![registry::reading(subject)];
        if subject.every_rung || !proves(&readings) {
            readings.push(argv::reading(subject, self, &FLAGS));
        }
        if subject.every_rung || !proves(&readings) {
            readings.push(transcripts::reading(subject));
        }
        readings
    }

    fn quick_identity(&self, process: &ProcessInfo, home: &Path) -> Option<RungReading> {
        registry::of(process, home)
    }

    fn transcript(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
        transcripts::find(shelf, home, id, cwds)
    }

    fn continued_in(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<ConversationId> {
        transcripts::continued_in(shelf, home, id, cwds)
    }

    fn phase(&self, process: &ProcessInfo, home: &Path) -> Fact<Activity> {
        registry::phase(process, home)
    }

    fn activity(&self, scene: &LiveConversation<'_>) -> Fact<Activity> {
        registry::turn(scene)
    }

    fn turns(&self, transcript: &Transcript, _: &ConversationId, query: &TurnQuery<'_>) -> Fact<TurnPage> {
        of_lines(&transcript.path, query, turns::parse)
    }

    fn waiting_for(&self, scene: &LiveConversation<'_>) -> Option<String> {
        registry::awaited(scene)
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        let projects = place.home.join("projects");
        let transcripts = place.cwd.map(encode::directories).unwrap_or_default();
        WatchDirs {
            registries: vec![place.home.join("sessions")],
            transcripts: transcripts.iter().map(|name| projects.join(name)).collect(),
        }
    }

    fn hooks(&self, command: &HookCommand, _consent: HookConsent) -> Option<HookCarrier> {
        Some(hooks::carrier(command))
    }

    fn hook_settings(&self, command: &HookCommand) -> Option<HookInstall> {
        Some(hooks::settings(command))
    }

    fn drive(&self) -> Option<&LaunchTable> {
        Some(&drive::TABLE)
    }

    fn headless(&self) -> Option<&'static crate::agent::headless::HeadlessTable> {
        Some(&headless::HEADLESS)
    }

    fn composer(&self) -> Option<&'static ComposerTable> {
        Some(&composer::COMPOSER)
    }

    fn said(&self, line: &[u8]) -> Option<Said> {
        turns::said(line)
    }

    fn holder(&self, host: &dyn Host, home: &Path, id: &ConversationId) -> Holder {
        drive::holder(host, home, id)
    }

    fn named_in(&self, args: &[String]) -> Option<ConversationId> {
        argv::named(args, &FLAGS)
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["--resume".to_owned(), id.as_str().to_owned()])
    }

    fn fork_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["--resume".to_owned(), id.as_str().to_owned(), "--fork-session".to_owned()])
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
