//! Codex CLI. Reads the locks its own process holds, its arguments and the first and last lines of its rollout files.

mod composer;
mod drive;
mod headless;
mod held;
mod hooks;
mod line;
mod rollouts;
mod turn;
mod turns;

use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::drive::{Holder, LaunchTable};
use super::hooks::{HookCarrier, HookCommand, HookConsent, HookInstall};
use super::live_process::proves;
use super::recognise::{ProgramNames, Words};
use super::turns::{TurnQuery, of_lines};
use super::{Adapter, LiveConversation, LiveProcess, TitleReader, TranscriptIndex, WatchDirs, WatchQuery, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::{ComposerTable, Said};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::{LastMessage, RungReading};
use crate::core::observe::{Activity, Transcript};
use crate::host::{Environ, Host};

/// The adapter. Measured with 0.169.0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codex;

static NAMES: ProgramNames = ProgramNames {
    programs: Words::Own(&["codex"]),
    packages: Words::Own(&["@openai/codex"]),
    // The background daemon, its updater and other servers: they outlive the pane or serve another agent.
    services: &[
        "app-server",
        "pid-update-loop",
        "mcp-server",
        "mcp",
        "exec-server",
        "responses-api-proxy",
        "stdio-to-uds",
        "sandbox",
        "login",
    ],
    has_node_loader: true,
};

const FLAGS: Flags = Flags { exact: &[], verb: Some("resume"), never: &["--last", "fork"] };

impl Adapter for Codex {
    fn kind(&self) -> AgentKind {
        AgentKind::Codex
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        env.path("CODEX_HOME").or_else(|| Some(env.path("HOME")?.join(".codex")))
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = vec![held::reading(subject)];
        if subject.every_rung || !proves(&readings) {
            let start = argv::reading(subject, self, &FLAGS);
            let is_told = proves(&readings);
            readings.push(if is_told { start } else { held::while_open(subject, start) });
        }
        if subject.every_rung || !proves(&readings) {
            readings.push(rollouts::reading(subject, subject.now()));
        }
        readings
    }

    fn recent_messages(&self, subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
        rollouts::said(subject)
    }

    fn transcript(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        let sessions = home.join("sessions");
        // Most are where their id says, which spares a look at years of other threads. What is not there may be anywhere.
        let near = rollouts::days_of(id)
            .into_iter()
            .find_map(|day| plainest(shelf.find(&sessions.join(day), 0, id.as_str(), id_of).into_seen()?).into_seen());
        if let Some(found) = near {
            return Fact::Seen(found);
        }
        let below = |root: &Path, depth: usize| match shelf.find(root, depth, id.as_str(), id_of) {
            Fact::Seen(paths) => plainest(paths),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        };
        match (below(&sessions, 3), below(&home.join(ARCHIVE), 0)) {
            (Fact::Seen(found), _) => Fact::Seen(found),
            (_, Fact::Seen(found)) => Fact::Seen(Transcript { is_archived: true, ..found }),
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
            (Fact::Absent, Fact::Absent) => Fact::Absent,
        }
    }

    fn activity(&self, scene: &LiveConversation<'_>) -> Fact<Activity> {
        turn::of(scene)
    }

    fn turns(&self, transcript: &Transcript, _: &ConversationId, query: &TurnQuery<'_>) -> Fact<TurnPage> {
        let path = &transcript.path;
        if path.extension().is_some_and(|it| it == "zst") {
            return Fact::Unknown(format!("{} is compressed; resuming the conversation unpacks it", path.display()));
        }
        of_lines(path, query, turns::parse)
    }

    fn title_reader(&self) -> Option<TitleReader> {
        Some(turn::of_title)
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        let sessions = place.home.join("sessions");
        WatchDirs {
            registries: vec![place.home.join(held::LOCKS)],
            transcripts: place.days().map(|day| sessions.join(rollouts::directory(day))).collect(),
        }
    }

    fn hooks(&self, command: &HookCommand, consent: HookConsent) -> Option<HookCarrier> {
        hooks::carrier(command, consent)
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
        Some(vec!["resume".to_owned(), id.as_str().to_owned()])
    }

    fn lived_in(&self, transcript: &Transcript, _: &Path, _: &ConversationId, _: &[&Path]) -> Fact<PathBuf> {
        rollouts::lived_in(transcript)
    }

    fn home_variables(&self) -> Vec<&'static str> {
        vec!["CODEX_HOME"]
    }

    fn home_assignment(&self, home: &Path) -> Option<(&'static str, PathBuf)> {
        Some(("CODEX_HOME", home.to_path_buf()))
    }
}

/// The rollout among those of one thread; before a compressed one the file it was made of.
fn plainest(mut paths: Vec<PathBuf>) -> Fact<Transcript> {
    paths.sort();
    files::first_transcript(paths)
}

/// Where `codex archive` puts rollouts, all in one directory.
const ARCHIVE: &str = "archived_sessions";

/// `rollout-<launch time>-<uuid>.jsonl`, three directories (year, month, day) down; with `.zst` behind it where it was compressed,
/// which Codex undoes to resume it.
fn id_of(name: &str) -> Option<&str> {
    plain_id_of(name.strip_suffix(".zst").unwrap_or(name))
}

/// The same of one that can be read here. A compressed one says neither what it is of nor when it began.
fn plain_id_of(name: &str) -> Option<&str> {
    let stem = name.strip_prefix("rollout-")?.strip_suffix(".jsonl")?;
    stem.get(stem.len().checked_sub(36)?..).filter(|id| files::is_uuid(id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_there_where_it_was_archived_or_compressed() {
        let home = tempfile::tempdir().unwrap();
        let id = ConversationId("01a224db-9dc7-7001-8002-6f92d4bc3cdb".into());
        let find = || Codex.transcript(&TranscriptIndex::new(), home.path(), &id, &[]);
        let (day, archive) = (home.path().join("sessions/2026/11/29"), home.path().join(ARCHIVE));
        for dir in [&day, &archive] {
            std::fs::create_dir_all(dir).unwrap();
        }
        assert!(find().is_absent());
        let name = format!("rollout-2026-11-29T01-11-43-{id}.jsonl");
        for (dir, suffix, is_archived) in
            [(&archive, "", true), (&archive, ".zst", true), (&day, ".zst", false), (&day, "", false)]
        {
            let path = dir.join(format!("{name}{suffix}"));
            std::fs::write(&path, "").unwrap();
            let found = find().into_seen().unwrap();
            assert_eq!((found.path, found.is_archived), (path.clone(), is_archived));
            if *dir == archive {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::write(archive.join(&name), "").unwrap();
        assert!(!find().into_seen().unwrap().is_archived, "it was brought back, or copied");
        for odd in ["rollout-x.jsonl.zst", "x.zst", "rollout-2026-11-29T01-11-43-01a224db-9dc7-7001-8002-6f92d4bc3cdb.jsonl.gz"]
        {
            assert_eq!(id_of(odd), None, "{odd}");
        }
    }
}
