//! Where Pi keeps its session files and what their names and first lines say. Reads small files whole and others by their edges.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::files;
use crate::agent::TranscriptIndex;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;

/// Where the directories of the workspaces are, below Pi's own.
pub(super) const SESSIONS: &str = "sessions";
/// The most that settings may hold.
const MOST_SETTINGS: u64 = 1 << 20;

/// The name of a session file, `<time>_<id>.jsonl`; the time holds no underscore, the id may.
pub(super) struct Name<'a> {
    /// When the conversation was begun: long before the file is written, which needs a first answer.
    pub(super) begun: DateTime<Utc>,
    pub(super) id: &'a str,
}

impl<'a> Name<'a> {
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let (time, id) = name.strip_suffix(".jsonl")?.split_once('_')?;
        let begun = NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H-%M-%S-%3fZ").ok()?.and_utc();
        is_id(id).then_some(Self { begun, id })
    }
}

fn id_of(name: &str) -> Option<&str> {
    Name::of(name).map(|name| name.id)
}

/// Pi's own rule for ids that people give. None of them leads out of a directory.
pub(super) fn is_id(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// The first line of a session file.
pub(super) struct Header {
    pub(super) id: String,
    pub(super) cwd: PathBuf,
    pub(super) begun: DateTime<Utc>,
}

#[derive(Deserialize)]
struct FirstLine<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    cwd: Cow<'a, str>,
    timestamp: DateTime<Utc>,
}

/// What a session file's first line says. A line that cannot be understood may be only half written.
pub(super) fn header(path: &Path) -> Result<Header, String> {
    let edges = files::edges(path).map_err(|error| files::unreadable(path, &error))?;
    let first = edges.lines().next().and_then(|line| serde_json::from_slice::<FirstLine<'_>>(line).ok());
    match first.filter(|first| first.kind == "session") {
        Some(first) => Ok(Header { id: first.id.into_owned(), cwd: PathBuf::from(first.cwd.as_ref()), begun: first.timestamp }),
        None => Err(format!("{} does not name its workspace", path.display())),
    }
}

/// When the first prompt of a session file was given; `None` if its beginning does not tell.
pub(super) fn first_prompt(path: &Path) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Line {
        timestamp: DateTime<Utc>,
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        role: String,
    }
    let edges = files::edges(path).ok()?;
    let mut messages = edges.lines().filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    messages.find(|line| line.message.role == "user").map(|line| line.timestamp)
}

/// The directories in which session files of a workspace may be: its own, which other workspaces may share (the name tells
/// neither `a-b` from `a/b`), the home itself where that is a directory of session files, and one that settings name.
pub(super) fn directories(home: &Path, cwd: &Path) -> Result<Vec<PathBuf>, String> {
    let path = cwd.to_string_lossy();
    let name = path.strip_prefix('/').unwrap_or(&path).replace(['/', '\\', ':'], "-");
    let mut all = vec![home.join(SESSIONS).join(format!("--{name}--")), home.to_path_buf()];
    all.extend(elsewhere(home, &[cwd])?);
    Ok(all)
}

/// The directories that Pi's settings, its own and those of the workspaces, name for session files.
fn elsewhere(home: &Path, cwds: &[&Path]) -> Result<Vec<PathBuf>, String> {
    #[derive(Deserialize)]
    struct Settings {
        #[serde(rename = "sessionDir", default)]
        session_dir: Option<String>,
    }
    let of_workspaces = cwds.iter().map(|cwd| cwd.join(".pi"));
    let mut all = Vec::new();
    for file in std::iter::once(home.to_path_buf()).chain(of_workspaces).map(|dir| dir.join("settings.json")) {
        let text = match files::small(&file, MOST_SETTINGS) {
            Fact::Seen(text) => text,
            Fact::Absent => continue,
            Fact::Unknown(why) => return Err(why),
        };
        let settings: Settings =
            serde_json::from_slice(&text).map_err(|error| format!("cannot parse {}: {error}", file.display()))?;
        let Some(dir) = settings.session_dir.filter(|dir| !dir.is_empty()) else { continue };
        match (dir.strip_prefix('~'), home.to_str().and_then(|home| home.strip_suffix("/.pi/agent"))) {
            (None, _) if Path::new(&dir).is_absolute() => all.push(PathBuf::from(dir)),
            (None, _) => all.extend(cwds.iter().map(|cwd| cwd.join(&dir))),
            (Some(rest), Some(of_person)) => all.push(PathBuf::from(format!("{of_person}{rest}"))),
            (Some(_), None) => {
                return Err(format!("{} keeps session files in {dir}, and the home directory is unknown", file.display()));
            }
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// Where a conversation is kept: in the directory of one of the workspaces, else anywhere in the home.
pub(super) fn find(shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
    let others = match elsewhere(home, cwds) {
        Ok(others) => others,
        Err(why) => return Fact::Unknown(why),
    };
    let own: Vec<PathBuf> = cwds.iter().filter_map(|cwd| directories(home, cwd).ok()?.into_iter().next()).collect();
    let mut paths = Vec::new();
    let mut verdict = Fact::Absent;
    let roots = [(home.join(SESSIONS), 1), (home.to_path_buf(), 0)].into_iter().chain(others.into_iter().map(|dir| (dir, 0)));
    for (root, depth) in roots {
        match shelf.find(&root, depth, id.as_str(), id_of) {
            Fact::Seen(found) => paths.extend(found),
            Fact::Unknown(why) if verdict.is_absent() => verdict = Fact::Unknown(why),
            Fact::Unknown(_) | Fact::Absent => {}
        }
    }
    // Ids that people give may be in several workspaces.
    paths.sort_by_key(|path| !path.parent().is_some_and(|dir| own.iter().any(|own| own == dir)));
    match files::first_transcript(paths) {
        Fact::Absent => verdict,
        found => found,
    }
}

/// The conversation of this workspace that a text names as Pi's `--session` does: by its file or by its whole id. The beginning
/// of an id names another one tomorrow.
pub(super) fn named(home: &Path, cwd: &Path, text: &str) -> Option<ConversationId> {
    let is_path = text.contains(['/', '\\']) || text.ends_with(".jsonl");
    if is_path {
        // Only of a file in the home: another cannot be found again by its id.
        let path = cwd.join(text).canonicalize().ok()?;
        return path
            .starts_with(home.canonicalize().ok()?)
            .then(|| header(&path).ok())
            .flatten()
            .map(|it| ConversationId(it.id));
    }
    let holds = |dir: &PathBuf| {
        let mut names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.any(|name| name.to_str().and_then(id_of) == Some(text))
    };
    directories(home, cwd).ok()?.iter().any(holds).then(|| ConversationId(text.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use super::*;

    const UUID: &str = "01a1fc21-9bf4-7601-bb55-70acf8452c25";

    /// A session file in a directory; gives its path.
    fn file(dir: &Path, id: &str, cwd: &str) -> PathBuf {
        fs::create_dir_all(dir).unwrap();
        let path = dir.join(format!("2026-11-21T03-23-43-477Z_{id}.jsonl"));
        let line = serde_json::json!({ "type": "session", "id": id, "cwd": cwd, "timestamp": "2026-11-21T03:23:43.477Z" });
        fs::write(&path, format!("{line}\n")).unwrap();
        path
    }

    fn found(home: &Path, id: &str, cwds: &[&str]) -> Fact<PathBuf> {
        let cwds: Vec<&Path> = cwds.iter().map(Path::new).collect();
        match find(&TranscriptIndex::new(), home, &ConversationId(id.into()), &cwds) {
            Fact::Seen(transcript) => Fact::Seen(transcript.path),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    #[test]
    fn a_name_is_a_time_and_an_id_that_may_hold_what_the_time_may_not() {
        let id = |name: &str| Name::of(name).map(|name| name.id.to_owned());
        assert_eq!(id("2026-11-21T03-24-48-886Z_my-own.id_1.jsonl").as_deref(), Some("my-own.id_1"));
        let begun = Name::of(&format!("2026-11-21T03-23-43-477Z_{UUID}.jsonl")).unwrap().begun;
        assert_eq!(begun.to_rfc3339(), "2026-11-21T03:23:43.477+00:00");
        for odd in ["notes.jsonl", "a_b.jsonl", "2026-11-21T03-24-48-886Z_.jsonl", "2026-11-21T03-24-48-886Z_a/b.jsonl", "_x"] {
            assert_eq!(id(odd), None, "{odd}");
        }
        assert!(["a", "a.b_c-d", UUID].iter().all(|id| is_id(id)));
        assert!(["", ".", "..", "-a", "a.", "a b", "../x", "\u{e4}"].iter().all(|id| !is_id(id)));
    }

    #[test]
    fn a_conversation_is_found_in_its_own_workspace_first_and_then_in_any() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        assert_eq!(found(home, "x", &["/lab/a"]), Fact::Absent, "no sessions at all");
        let [a, b] = ["--lab-a--", "--lab-b--"].map(|name| file(&home.join("sessions").join(name), "x", "/lab"));
        assert_eq!(found(home, "x", &["/lab/b"]), Fact::Seen(b.clone()));
        assert_eq!(found(home, "x", &["/lab/a"]), Fact::Seen(a.clone()));
        fs::remove_file(&b).unwrap();
        assert_eq!(found(home, "x", &["/lab/b"]), Fact::Seen(a));
        assert_eq!(found(home, "../../x", &[]), Fact::Absent);
    }

    #[test]
    fn session_files_elsewhere_are_found_there_or_not_called_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (person, flat) = (dir.path(), dir.path().join("flat"));
        let home = person.join(".pi/agent");
        fs::create_dir_all(&home).unwrap();
        let path = file(&flat, UUID, "/lab");
        assert_eq!(found(&flat, UUID, &[]), Fact::Seen(path.clone()), "the home is a directory of session files");
        assert_eq!(found(&home, UUID, &[]), Fact::Absent);
        for settings in [format!("{{\"sessionDir\": {flat:?}}}"), "{\"sessionDir\": \"~/flat\"}".to_owned()] {
            fs::write(home.join("settings.json"), settings).unwrap();
            assert_eq!(found(&home, UUID, &[]), Fact::Seen(path.clone()));
        }
        fs::write(home.join("settings.json"), "{\"theme\": \"dark\"}").unwrap();
        assert_eq!(found(&home, UUID, &[]), Fact::Absent);
        fs::write(home.join("settings.json"), "{\"sessionDir").unwrap();
        assert!(found(&home, UUID, &[]).why_unknown().is_some());
        fs::write(flat.join("settings.json"), "{\"sessionDir\": \"~/flat\"}").unwrap();
        assert!(found(&flat, "y", &[]).why_unknown().is_some(), "whose home ~ is cannot be told from here");
    }

    #[test]
    fn what_a_flag_names_counts_only_as_a_conversation_of_this_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("agent");
        let (ours, theirs) = (home.join("sessions/--lab-a--"), home.join("sessions/--lab-b--"));
        let (one, other) = (file(&ours, UUID, "/lab/a"), file(&theirs, "other", "/lab/b"));
        let outside = file(dir.path(), "outside", "/lab/a");
        let id = |text: &str| named(&home, Path::new("/lab/a"), text).map(|id| id.0);
        assert_eq!(id(UUID).as_deref(), Some(UUID));
        assert_eq!(id(one.to_str().unwrap()).as_deref(), Some(UUID), "its file");
        assert_eq!(id(other.to_str().unwrap()).as_deref(), Some("other"), "opened where it is");
        for text in ["01a1", "other", "none", "missing.jsonl", outside.to_str().unwrap()] {
            assert_eq!(id(text), None, "{text}");
        }
    }
}
