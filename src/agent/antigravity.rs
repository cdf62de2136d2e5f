//! Antigravity (`agy`). Reads its map of workspaces and the times of its conversation stores; never opens a store.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::recognise::{ProgramNames, Words};
use super::{Adapter, LiveProcess, TranscriptIndex, WatchDirs, WatchQuery, files};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Rung, RungReading, RungValue};
use crate::host::Environ;

/// The adapter. Paths after older descriptions of the program; no version of it was at hand to measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Antigravity;

/// The most a map of workspaces may hold.
const MOST: u64 = 1 << 20;

static NAMES: ProgramNames =
    ProgramNames { programs: Words::Own(&["agy"]), packages: Words::Own(&[]), services: &[], has_node_loader: true };

impl Adapter for Antigravity {
    fn kind(&self) -> AgentKind {
        AgentKind::Antigravity
    }

    fn names(&self) -> &'static ProgramNames {
        &NAMES
    }

    fn has_readable_turns(&self) -> bool {
        false
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        Some(env.path("HOME")?.join(".gemini/antigravity-cli"))
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let file = subject.home.join("cache/last_conversations.json");
        let fact = match subject.cwd {
            Fact::Seen(cwd) => mapped(&file, subject.home, cwd),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        };
        vec![RungReading { rung: Rung::WorkspaceMap, looked_at: file.display().to_string(), fact }]
    }

    fn transcript(&self, _: &TranscriptIndex, home: &Path, id: &ConversationId, _: &[&Path]) -> Fact<Transcript> {
        if !files::is_file_name(id.as_str()) {
            return Fact::Absent;
        }
        let found = files::transcript(&store(home, id, "db"));
        found.map(|transcript| Transcript { modified: newest(home, id).unwrap_or(transcript.modified), ..transcript })
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        // The map and the stores are of every workspace.
        WatchDirs { registries: vec![place.home.join("cache"), place.home.join("conversations")], transcripts: Vec::new() }
    }

    fn resume_args(&self, _: &ConversationId) -> Option<Vec<String>> {
        None
    }

    fn home_variables(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn home_assignment(&self, _: &Path) -> Option<(&'static str, PathBuf)> {
        None
    }
}

fn store(home: &Path, id: &ConversationId, extension: &str) -> PathBuf {
    home.join("conversations").join(format!("{}.{extension}", id.as_str()))
}

/// When a conversation's store last changed; SQLite writes into the log beside it first.
fn newest(home: &Path, id: &ConversationId) -> Option<DateTime<Utc>> {
    let modified = |extension| Some(files::transcript(&store(home, id, extension)).seen()?.modified);
    modified("db").into_iter().chain(modified("db-wal")).max()
}

/// What the map says about a workspace, symlinks in its keys resolved.
fn mapped(file: &Path, home: &Path, cwd: &Path) -> Fact<RungValue> {
    let text = match files::small(file, MOST) {
        Fact::Seen(text) => text,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let map: serde_json::Map<String, serde_json::Value> = match serde_json::from_slice(&text) {
        Ok(map) => map,
        Err(error) => return Fact::Unknown(format!("{} is not a map of workspaces: {error}", file.display())),
    };
    let is_here = |workspace: &str| files::leads_to(Path::new(workspace), cwd);
    let mut ids: Vec<&str> = map.iter().filter(|(key, _)| is_here(key)).filter_map(|(_, value)| value.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [] => Fact::Absent,
        [id] if files::is_file_name(id) => {
            let id = ConversationId((*id).to_owned());
            let changed = newest(home, &id);
            Fact::Seen(RungValue::Mapped { id, changed })
        }
        [id] => Fact::Unknown(format!("{} names {id:?}, which is not a conversation", file.display())),
        several => Fact::Unknown(format!("{} names {} conversations for this workspace", file.display(), several.len())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_found_by_its_real_path_and_dated_by_its_store() {
        let dir = tempfile::tempdir().unwrap();
        let (home, lab) = (dir.path().join("home"), dir.path().canonicalize().unwrap().join("lab"));
        std::fs::create_dir_all(home.join("conversations")).unwrap();
        std::fs::create_dir_all(&lab).unwrap();
        std::os::unix::fs::symlink(&lab, dir.path().join("link")).unwrap();
        let file = home.join("map.json");
        assert_eq!(mapped(&file, &home, &lab), Fact::Absent);
        std::fs::write(&file, format!("{{{:?}: \"c-1\", \"/elsewhere\": \"c-2\"}}", dir.path().join("link"))).unwrap();
        let id = ConversationId("c-1".into());
        assert_eq!(mapped(&file, &home, &lab), Fact::Seen(RungValue::Mapped { id: id.clone(), changed: None }));
        for (extension, seconds) in [("db", 1000), ("db-wal", 2000)] {
            let file = std::fs::File::create(store(&home, &id, extension)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
            let changed = DateTime::from_timestamp(i64::try_from(seconds).unwrap(), 0);
            assert_eq!(mapped(&file_path(&home), &home, &lab), Fact::Seen(RungValue::Mapped { id: id.clone(), changed }));
            let transcript = Antigravity.transcript(&TranscriptIndex::new(), &home, &id, &[]);
            assert_eq!(Some(transcript.seen().unwrap().modified), changed);
        }
        std::fs::write(&file, format!("{{{:?}: \"c-1\", {lab:?}: \"c-2\"}}", dir.path().join("link"))).unwrap();
        assert!(mapped(&file, &home, &lab).why_unknown().is_some(), "two spellings, two conversations");
        std::fs::write(&file, "{\"half").unwrap();
        assert!(mapped(&file, &home, &lab).why_unknown().is_some());
        std::fs::write(&file, format!("{{{lab:?}: \"../x\"}}")).unwrap();
        assert!(mapped(&file, &home, &lab).why_unknown().is_some());
    }

    fn file_path(home: &Path) -> PathBuf {
        home.join("map.json")
    }
}
