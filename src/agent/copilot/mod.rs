//! GitHub Copilot CLI. Reads the locks its own process holds, its arguments and the tail of its event log; never its database.

mod composer;
mod drive;
mod event;
mod headless;
mod hooks;
mod locks;
mod opened;
mod turn;
mod turns;

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::drive::LaunchTable;
use super::hooks::{HookCarrier, HookCommand, HookConsent, HookInstall};
use super::live_process::proves;
use super::recognise::{ProgramNames, Words};
use super::turns::{TurnQuery, of_lines};
use super::{Adapter, LiveConversation, LiveProcess, TranscriptIndex, WatchDirs, WatchQuery, files, tail};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::{ComposerTable, Said};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::{LastMessage, RungReading};
use crate::core::observe::{Activity, Transcript};
use crate::host::Environ;

/// The adapter. Measured with 1.0.102.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copilot;

static NAMES: ProgramNames = ProgramNames {
    programs: Words::Own(&["copilot"]),
    packages: Words::Own(&["@github/copilot"]),
    services: &["mcp"],
    has_node_loader: true,
};

const FLAGS: Flags = Flags {
    exact: &[("--session-id", argv::uuid), ("--resume", argv::uuid), ("-r", argv::uuid)],
    verb: None,
    never: &["--continue"],
};

impl Adapter for Copilot {
    fn kind(&self) -> AgentKind {
        AgentKind::Copilot
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        env.path("COPILOT_HOME").or_else(|| Some(env.path("HOME")?.join(".copilot")))
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = vec![locks::reading(subject)];
        // A resumed conversation is not locked before its first prompt.
        if subject.every_rung || !proves(&readings) {
            readings.push(argv::reading(subject, self, &FLAGS));
        }
        readings
    }

    fn recent_messages(&self, subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
        opened::of(subject)
    }

    fn transcript(&self, _: &TranscriptIndex, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        if !files::is_file_name(id.as_str()) {
            return Fact::Absent;
        }
        // From the first prompt on; the directory is there from the launch.
        files::transcript(&home.join(locks::SESSIONS).join(id.as_str()).join("events.jsonl"))
    }

    fn activity(&self, scene: &LiveConversation<'_>) -> Fact<Activity> {
        turn::of(scene, &scene.home.join(turn::OPEN))
    }

    fn composer(&self) -> Option<&'static ComposerTable> {
        Some(&composer::COMPOSER)
    }

    fn said(&self, line: &[u8]) -> Option<Said> {
        turns::said(line)
    }

    fn turns(&self, transcript: &Transcript, _: &ConversationId, query: &TurnQuery<'_>) -> Fact<TurnPage> {
        of_lines(&transcript.path, query, turns::parse)
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        // A new conversation is a new directory. The lock of a resumed one is made in an old directory, but with its first
        // prompt, and that is told by the list of open ones.
        WatchDirs { registries: vec![place.home.join(locks::SESSIONS), place.home.join(turn::OPEN)], transcripts: Vec::new() }
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

    fn named_in(&self, args: &[String]) -> Option<ConversationId> {
        argv::named(args, &FLAGS)
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec![format!("--resume={}", id.as_str())])
    }

    fn lived_in(&self, transcript: &Transcript, _: &Path, _: &ConversationId, _: &[&Path]) -> Fact<PathBuf> {
        opened::lived_in(transcript)
    }

    fn home_variables(&self) -> Vec<&'static str> {
        vec!["COPILOT_HOME"]
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        Some(("COPILOT_HOME", home.to_path_buf()))
    }
}
