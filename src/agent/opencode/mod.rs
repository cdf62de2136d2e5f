//! OpenCode. Reads its arguments and the database of its conversations, without a trace; never its credentials beside it.

mod composer;
mod drive;
mod headless;
mod hooks;
mod sessions;
mod turn;
mod turns;

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::drive::LaunchTable;
use super::hooks::{HookCarrier, HookCommand, HookConsent};
use super::live_process::proves;
use super::recognise::{ProgramNames, Words};
use super::turns::TurnQuery;
use super::{Adapter, LiveConversation, LiveProcess, TranscriptIndex, WatchDirs, WatchQuery, database, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::ComposerTable;
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::{LastMessage, RungReading};
use crate::core::observe::{Activity, Transcript};
use crate::host::Environ;

/// The adapter. Measured with 1.18.33.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opencode;

static NAMES: ProgramNames = ProgramNames {
    programs: Words::Own(&["opencode"]),
    packages: Words::Own(&["opencode-ai"]),
    // Servers, a client of a server elsewhere, and tools that hold no conversation.
    services: &[
        "serve",
        "web",
        "mcp",
        "acp",
        "attach",
        "session",
        "export",
        "import",
        "db",
        "stats",
        "models",
        "auth",
        "providers",
    ],
    has_node_loader: true,
};

const FLAGS: Flags =
    Flags { exact: &[("-s", is_session), ("--session", is_session)], verb: None, never: &["--fork", "--continue", "-c"] };

impl Adapter for Opencode {
    fn kind(&self) -> AgentKind {
        AgentKind::Opencode
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    fn servers(&self) -> &'static [&'static str] {
        &["serve", "web", "acp"]
    }

    /// The directory of its databases, or the database itself where OPENCODE_DB names one elsewhere.
    fn home(&self, env: &Environ) -> Option<PathBuf> {
        let data = env.path("XDG_DATA_HOME").or_else(|| Some(env.path("HOME")?.join(".local/share")));
        let data = data.map(|data| data.join("opencode"));
        match env.path("OPENCODE_DB") {
            // Nothing of it can be read from outside.
            Some(database) if database == Path::new(":memory:") => None,
            Some(database) if database.is_absolute() => Some(database),
            Some(database) => Some(data?.join(database)),
            None => data,
        }
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = vec![argv::reading(subject, self, &FLAGS)];
        if subject.every_rung || !proves(&readings) {
            readings.push(sessions::reading(subject));
        }
        readings
    }

    fn recent_messages(&self, subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
        sessions::said(subject)
    }

    fn begins_blank(&self, args: &[String]) -> bool {
        let begins_otherwise = |word: &String| word.starts_with("--prompt") || FLAGS.never.contains(&word.as_str());
        self.named_in(args).is_none() && !args.iter().any(begins_otherwise)
    }

    fn shares_its_store(&self) -> bool {
        true
    }

    fn transcript(&self, _: &TranscriptIndex, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        sessions::find(home, id)
    }

    fn activity(&self, scene: &LiveConversation<'_>) -> Fact<Activity> {
        turn::of(scene)
    }

    fn composer(&self) -> Option<&'static ComposerTable> {
        Some(&composer::COMPOSER)
    }

    fn turns(&self, transcript: &Transcript, id: &ConversationId, query: &TurnQuery<'_>) -> Fact<TurnPage> {
        turns::of(transcript, id, query)
    }

    fn is_latest(&self, transcript: &Transcript, id: &ConversationId, cwd: &Path) -> bool {
        sessions::is_latest(&transcript.path, id, cwd)
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        // Every write goes into the log beside the database, wherever links lead to that.
        let databases = sessions::databases(place.home).unwrap_or_default();
        let beside = databases.iter().filter_map(|database| database.parent()).map(Path::to_path_buf);
        let named = if place.home.is_file() { place.home.parent().unwrap_or(place.home) } else { place.home };
        let mut transcripts: Vec<PathBuf> = beside.chain([named.to_path_buf()]).collect();
        transcripts.sort();
        transcripts.dedup();
        WatchDirs { registries: Vec::new(), transcripts }
    }

    fn hooks(&self, command: &HookCommand, _consent: HookConsent) -> Option<HookCarrier> {
        Some(hooks::carrier(command))
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
        Some(vec!["-s".to_owned(), id.as_str().to_owned()])
    }

    fn lived_in(&self, transcript: &Transcript, _: &Path, id: &ConversationId, _: &[&Path]) -> Fact<PathBuf> {
        sessions::lived_in(&transcript.path, id)
    }

    fn home_variables(&self) -> Vec<&'static str> {
        vec!["OPENCODE_DB", "XDG_DATA_HOME"]
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        if home.file_name()? == "opencode" {
            return Some(("XDG_DATA_HOME", home.parent()?.to_path_buf()));
        }
        Some(("OPENCODE_DB", home.to_path_buf()))
    }
}

/// Its ids start with `ses_`.
fn is_session(value: &str) -> bool {
    value.strip_prefix("ses_").is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_database_named_by_the_environment_is_the_home() {
        let home = |database: &str| {
            let pairs = [("HOME", "/home/dev"), ("OPENCODE_DB", database)];
            Opencode.home(&pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect())
        };
        assert_eq!(home("/x/y.db"), Some(PathBuf::from("/x/y.db")));
        assert_eq!(home("other.db"), Some(PathBuf::from("/home/dev/.local/share/opencode/other.db")));
        assert_eq!(home(""), Some(PathBuf::from("/home/dev/.local/share/opencode")));
        assert_eq!(home(":memory:"), None, "it is nowhere");
        let assigned = |home: &str| Opencode.home_assignment(Path::new(home)).unwrap();
        assert_eq!(assigned("/d/opencode"), ("XDG_DATA_HOME", PathBuf::from("/d")));
        assert_eq!(assigned("/x/y.db"), ("OPENCODE_DB", PathBuf::from("/x/y.db")));
    }
}
