//! Gemini CLI. Reads its map of workspaces, the edges of its chats and its arguments. Nothing it leaves names its process.

mod chat;
mod chats;
mod composer;
mod drive;
mod headless;
mod hooks;
mod said;
mod turn;
mod turns;
mod workspace;

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::drive::LaunchTable;
use super::hooks::{HookCommand, HookInstall};
use super::live_process::proves;
use super::recognise::{ProgramNames, Words};
use super::turns::{TurnQuery, of_lines};
use super::{Adapter, LiveConversation, LiveProcess, TitleReader, TranscriptIndex, WatchDirs, WatchQuery, files, tail};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::{ComposerTable, Said};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::{LastMessage, RungReading, RungValue};
use crate::core::observe::{Activity, Transcript};
use crate::host::Environ;

/// The adapter. Measured with 0.61.0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemini;

static NAMES: ProgramNames = ProgramNames {
    programs: Words::Own(&["gemini"]),
    packages: Words::Own(&["@google/gemini-cli"]),
    services: &["mcp", "extensions", "extension", "skills", "skill", "hooks", "hook", "gemma"],
    has_node_loader: true,
};

const FLAGS: Flags = Flags {
    exact: &[("--session-id", argv::uuid), ("--resume", argv::uuid), ("-r", argv::uuid)],
    verb: None,
    never: &["--session-file"],
};

/// The directory below HOME, or below what stands in for it.
const DIRECTORY: &str = ".gemini";

impl Adapter for Gemini {
    fn kind(&self) -> AgentKind {
        AgentKind::Gemini
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        Some(env.path("GEMINI_CLI_HOME").or_else(|| env.path("HOME"))?.join(DIRECTORY))
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = vec![argv::reading(subject, self, &FLAGS)];
        if subject.every_rung || !proves(&readings) {
            readings.push(chats::reading(subject));
        }
        readings
    }

    fn recent_messages(&self, subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
        let given = argv::reading(subject, self, &FLAGS).fact.into_seen();
        let given = given.and_then(|found| if let RungValue::Id(id) = found { Some(id) } else { None });
        said::of(subject, given.as_ref())
    }

    fn transcript(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        chats::find(shelf, home, id)
    }

    fn activity(&self, scene: &LiveConversation<'_>) -> Fact<Activity> {
        turn::of(scene)
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

    fn title_reader(&self) -> Option<TitleReader> {
        Some(turn::of_title)
    }

    fn is_latest(&self, transcript: &Transcript, _: &ConversationId, _: &Path) -> bool {
        files::is_latest(&transcript.path)
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        let chats = place.cwd.and_then(|cwd| workspace::chats(place.home, cwd).ok()).unwrap_or_default();
        WatchDirs { registries: vec![place.home.join(workspace::MAP)], transcripts: chats }
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
        Some(vec!["--resume".to_owned(), id.as_str().to_owned()])
    }

    fn lived_in(&self, transcript: &Transcript, _: &Path, _: &ConversationId, _: &[&Path]) -> Fact<PathBuf> {
        workspace::lived_in(transcript)
    }

    fn home_variables(&self) -> Vec<&'static str> {
        vec!["GEMINI_CLI_HOME"]
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        let above = home.parent().filter(|_| home.ends_with(DIRECTORY))?;
        Some(("GEMINI_CLI_HOME", above.to_path_buf()))
    }
}
