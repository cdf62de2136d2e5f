//! Which of Pi's conversations appeared in a workspace since a process started. Reads names and first lines of session files.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::{files, store};
use crate::agent::Subject;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Appearance, Found, Reading, Rung};

/// How much earlier than the process a conversation may seem to have begun and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);
/// A process begins its conversation when it starts. One begun later than this is another process's, or came after a `/new`.
const LAUNCH: TimeDelta = TimeDelta::seconds(30);

/// Rung 6: what appeared in the process's workspace since it started.
pub(super) fn reading(subject: &Subject<'_>) -> Reading {
    let sessions = subject.home.join(store::SESSIONS);
    let (looked_at, fact) = match subject.cwd {
        Fact::Seen(cwd) => match store::directories(subject.home, cwd) {
            Ok(dirs) => (dirs.first().unwrap_or(&sessions).clone(), appeared(&dirs, cwd, subject.topmost().started)),
            Err(why) => (sessions, Fact::Unknown(why)),
        },
        Fact::Absent => (sessions, Fact::Absent),
        Fact::Unknown(why) => (sessions, Fact::Unknown(why.clone())),
    };
    Reading { rung: Rung::Appeared, looked_at: looked_at.display().to_string(), fact }
}

fn appeared(dirs: &[PathBuf], cwd: &Path, started: DateTime<Utc>) -> Fact<Found> {
    let mut found = Vec::new();
    for dir in dirs {
        match in_directory(dir, cwd, started) {
            Ok(appearances) => found.extend(appearances),
            Err(why) => return Fact::Unknown(why),
        }
    }
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    if found.is_empty() { Fact::Absent } else { Fact::Seen(Found::Appeared(found)) }
}

fn in_directory(dir: &Path, cwd: &Path, started: DateTime<Utc>) -> Result<Vec<Appearance>, String> {
    let wrong = |error: &io::Error| format!("cannot list {}: {}", dir.display(), files::reason(error));
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(wrong(&error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| wrong(&error))?.file_name();
        let Some(name) = name.to_str() else { continue };
        // Most files are of earlier days, which their names tell without a look into them.
        let Some(parts) = store::Name::of(name).filter(|parts| is_of_launch(parts.begun, started)) else { continue };
        if let Some(at) = appearance(&dir.join(name), parts.id, cwd, started)? {
            found.push(Appearance { id: ConversationId(parts.id.to_owned()), at });
        }
    }
    Ok(found)
}

fn is_of_launch(begun: DateTime<Utc>, started: DateTime<Utc>) -> bool {
    (started - SLACK..=started + LAUNCH).contains(&begun)
}

/// When a session file appeared, if it is of this workspace and begun when the process started. Its birth is that of its first
/// answer; one that seems to have been begun before the process proves nothing and is dated by its beginning.
fn appearance(path: &Path, id: &str, cwd: &Path, started: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
    let born = match std::fs::metadata(path) {
        Ok(metadata) => files::times(&metadata).0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(files::unreadable(path, &error)),
    };
    let header = store::header(path)?;
    let is_here = files::leads_to(&header.cwd, cwd);
    if header.id != id || !is_here || !is_of_launch(header.begun, started) {
        return Ok(None);
    }
    Ok(Some(if header.begun < started { header.begun } else { born.unwrap_or(header.begun) }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use super::*;

    /// What appeared in `/lab/a`, of one session file begun this long after the start of the process.
    fn begun(after_start: TimeDelta, cwd: &str) -> Fact<Found> {
        let dir = tempfile::tempdir().unwrap();
        let started = Utc::now() - TimeDelta::minutes(1);
        let begun = started + after_start;
        let path = dir.path().join(format!("{}_my-own.id_1.jsonl", begun.format("%Y-%m-%dT%H-%M-%S-%3fZ")));
        let line = serde_json::json!({ "type": "session", "id": "my-own.id_1", "cwd": cwd, "timestamp": begun });
        fs::write(path, format!("{line}\n")).unwrap();
        appeared(&[dir.path().to_path_buf(), dir.path().join("none")], Path::new("/lab/a"), started)
    }

    fn at(fact: &Fact<Found>) -> Option<DateTime<Utc>> {
        match fact {
            Fact::Seen(Found::Appeared(all)) => Some(all[0].at),
            Fact::Absent => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_conversation_counts_if_it_was_begun_at_the_launch_in_this_workspace() {
        let seconds = |count: i64| TimeDelta::milliseconds(count * 1000 + 1);
        let found = at(&begun(seconds(1), "/lab/a")).unwrap();
        assert!(Utc::now() - found < TimeDelta::seconds(30), "dated by its birth, at the first answer");
        assert_eq!(at(&begun(seconds(1), "/lab-a")), None, "another workspace with the same directory");
        assert_eq!(at(&begun(seconds(-3), "/lab/a")), None, "of an earlier process, answered only now");
        assert_eq!(at(&begun(seconds(40), "/lab/a")), None, "of another process that came and went, or after /new");
        let doubtful = at(&begun(TimeDelta::milliseconds(-500), "/lab/a")).unwrap();
        assert!(Utc::now() - doubtful > TimeDelta::seconds(50), "dated by its beginning, which proves nothing");
    }

    #[test]
    fn a_file_of_this_launch_that_cannot_be_understood_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let name = |at: DateTime<Utc>| format!("{}_x.jsonl", at.format("%Y-%m-%dT%H-%M-%S-%3fZ"));
        let ask = || appeared(&[dir.path().to_path_buf()], Path::new("/lab/a"), now - TimeDelta::seconds(2));
        fs::write(dir.path().join(name(now - TimeDelta::days(1))), "{\"half").unwrap();
        fs::write(dir.path().join("notes.txt"), "x").unwrap();
        assert!(ask().is_absent(), "an old file is not read");
        fs::write(dir.path().join(name(now)), "{\"half").unwrap();
        assert!(ask().why_unknown().is_some());
        fs::remove_file(dir.path().join(name(now))).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join(name(now)), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(ask().why_unknown().is_some(), "a pipe holds nobody up");
    }
}
