//! Pi. Reads names, first and last lines of its session files, its settings, and its arguments where they are left to be read.

mod composer;
mod drive;
mod headless;
mod hooks;
mod line;
mod sessions;
mod store;
mod turn;
mod turns;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::drive::LaunchTable;
use super::hooks::{HookCarrier, HookCommand, HookConsent, HookInstall};
use super::live_process::proves;
use super::recognise::{ProgramNames, Words};
use super::turns::{TurnQuery, of_lines};
use super::{Adapter, LiveConversation, LiveProcess, TranscriptIndex, WatchDirs, WatchQuery, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::{ComposerTable, Said};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::{LastMessage, RungReading, RungValue};
use crate::core::observe::{Activity, Transcript};
use crate::host::Environ;

/// The adapter. Measured with 0.87.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pi;

static NAMES: ProgramNames = ProgramNames {
    programs: Words::Own(&["pi"]),
    packages: Words::Own(&["@earendil-works/pi-coding-agent", "@mariozechner/pi-coding-agent"]),
    services: &[],
    has_node_loader: false,
};

/// With these the conversation is another one than named, is chosen later, or is kept nowhere.
const NEVER: &[&str] = &["--fork", "--continue", "-c", "--resume", "-r", "--no-session"];
/// An id that the conversation has or is given. Only wrappers can be asked for it: Pi names its process `pi`, and that takes the
/// place of the arguments.
const ASSIGNED: Flags = Flags { exact: &[("--session-id", store::is_id)], verb: None, never: NEVER };
/// A path, an id or the beginning of one.
const OPENED: Flags = Flags { exact: &[("--session", argv::any)], verb: None, never: NEVER };

impl Adapter for Pi {
    fn kind(&self) -> AgentKind {
        AgentKind::Pi
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    /// Its own directory, or that of its session files where a variable names one.
    fn home(&self, env: &Environ) -> Option<PathBuf> {
        let named = |name| env.path(name).and_then(|path| expanded(path, env));
        named("PI_CODING_AGENT_SESSION_DIR")
            .or_else(|| named("PI_CODING_AGENT_DIR"))
            .or_else(|| Some(env.path("HOME")?.join(".pi/agent")))
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = vec![self.start(subject)];
        if subject.every_rung || !proves(&readings) {
            readings.push(sessions::reading(subject));
        }
        readings
    }

    fn recent_messages(&self, subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
        sessions::said(subject)
    }

    fn transcript(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
        store::find(shelf, home, id, cwds)
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

    fn is_latest(&self, transcript: &Transcript, _: &ConversationId, _: &Path) -> bool {
        files::is_latest(&transcript.path)
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        let transcripts = place.cwd.map(|cwd| store::directories(place.home, cwd).unwrap_or_default());
        WatchDirs { registries: Vec::new(), transcripts: transcripts.unwrap_or_default() }
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
        argv::named(args, &ASSIGNED)
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        Some(vec!["--session".to_owned(), id.as_str().to_owned()])
    }

    fn lived_in(&self, transcript: &Transcript, _: &Path, _: &ConversationId, _: &[&Path]) -> Fact<PathBuf> {
        store::header(&transcript.path).map_or_else(Fact::Unknown, |header| Fact::Seen(header.cwd))
    }

    fn home_variables(&self) -> Vec<&'static str> {
        vec!["PI_CODING_AGENT_SESSION_DIR", "PI_CODING_AGENT_DIR"]
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        let is_all = home.join(store::SESSIONS).is_dir() || home.file_name() == Some(OsStr::new("agent"));
        Some((if is_all { "PI_CODING_AGENT_DIR" } else { "PI_CODING_AGENT_SESSION_DIR" }, home.to_path_buf()))
    }
}

impl Pi {
    /// Rung 4. What `--session` names is only in use if it is a conversation of this workspace; one of another workspace is
    /// forked, and an unknown path begins a new one.
    fn start(&self, subject: &LiveProcess<'_>) -> RungReading {
        let mut opened = argv::reading(subject, self, &OPENED);
        let assigned = argv::reading(subject, self, &ASSIGNED);
        // What our launcher gave stands in for either flag, unless a wrapper gave it the other one.
        let is_overruled = assigned.looked_at != argv::ARGUMENTS && opened.looked_at == argv::ARGUMENTS;
        if !assigned.fact.is_absent() && !is_overruled {
            return assigned;
        }
        if let Fact::Seen(RungValue::Id(named)) = &opened.fact {
            let id = subject.cwd.seen().and_then(|cwd| store::named(subject.home, cwd, named.as_str()));
            opened.fact = id.map_or(Fact::Absent, |id| Fact::Seen(RungValue::Id(id)));
        }
        opened
    }
}

/// Pi itself takes a `~` for the home.
fn expanded(path: PathBuf, env: &Environ) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => Some(env.path("HOME")?.join(rest)),
        Err(_) => Some(path),
    }
}
