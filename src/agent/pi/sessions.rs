//! Which of Pi's conversations appeared in a workspace since a process started. Reads names and first lines of session files.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::{files, store};
use crate::agent::LiveProcess;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Appearance, LastMessage, Rung, RungReading, RungValue};

/// How much earlier than the process a conversation may seem to have begun and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);
/// A process begins its conversation when it starts. One begun later than this is another process's, or came after a `/new`.
const LAUNCH: TimeDelta = TimeDelta::seconds(30);

/// How soon a process begins its conversation, and how soon a prompt follows that was among the arguments: 0.6 s and 0.2 s were
/// measured. What was begun later and prompted at once is of `pi -p`, run beside this process.
const HEADLESS: (TimeDelta, TimeDelta) = (TimeDelta::seconds(3), TimeDelta::seconds(2));

/// Rung 6: what appeared in the process's workspace since it started.
pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let sessions = subject.home.join(store::SESSIONS);
    let (looked_at, fact) = match subject.cwd {
        Fact::Seen(cwd) => match store::directories(subject.home, cwd) {
            Ok(dirs) => (dirs.first().unwrap_or(&sessions).clone(), appeared(&dirs, cwd, subject.topmost().started)),
            Err(why) => (sessions, Fact::Unknown(why)),
        },
        Fact::Absent => (sessions, Fact::Absent),
        Fact::Unknown(why) => (sessions, Fact::Unknown(why.clone())),
    };
    RungReading { rung: Rung::Appeared, looked_at: looked_at.display().to_string(), fact }
}

fn appeared(dirs: &[PathBuf], cwd: &Path, started: DateTime<Utc>) -> Fact<RungValue> {
    let mut found = Vec::new();
    for dir in dirs {
        match in_directory(dir, cwd, started) {
            Ok(appearances) => found.extend(appearances),
            Err(why) => return Fact::Unknown(why),
        }
    }
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    if found.is_empty() { Fact::Absent } else { Fact::Seen(RungValue::Appeared(found)) }
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

/// The conversations of the process's workspace in which something was said since it started. A session file changes with every
/// message and hardly otherwise.
pub(super) fn said(subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
    let cwd = match subject.cwd {
        Fact::Seen(cwd) => cwd,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let all = store::directories(subject.home, cwd).and_then(|dirs| said_in(&dirs, cwd, subject.started()));
    all.map_or_else(Fact::Unknown, Fact::Seen)
}

fn said_in(dirs: &[PathBuf], cwd: &Path, started: DateTime<Utc>) -> Result<Vec<LastMessage>, String> {
    let mut found = Vec::new();
    for entry in dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(store::Name::of).map(|name| name.id) else { continue };
        let changed = entry.path().metadata().ok().filter(std::fs::Metadata::is_file).map(|file| files::times(&file).1);
        let Some(at) = changed.filter(|at| *at >= started) else { continue };
        let header = store::header(&entry.path())?;
        if header.id == id && files::leads_to(&header.cwd, cwd) {
            found.push(LastMessage { id: ConversationId(id.to_owned()), at });
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
    let is_prompted_at_once = || store::first_prompt(path).is_some_and(|at| at <= header.begun + HEADLESS.1);
    if header.begun > started + HEADLESS.0 && is_prompted_at_once() {
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
    fn begun(after_start: TimeDelta, cwd: &str) -> Fact<RungValue> {
        let dir = tempfile::tempdir().unwrap();
        let started = Utc::now() - TimeDelta::minutes(1);
        let begun = started + after_start;
        let path = dir.path().join(format!("{}_my-own.id_1.jsonl", begun.format("%Y-%m-%dT%H-%M-%S-%3fZ")));
        let line = serde_json::json!({ "type": "session", "id": "my-own.id_1", "cwd": cwd, "timestamp": begun });
        fs::write(path, format!("{line}\n")).unwrap();
        appeared(&[dir.path().to_path_buf(), dir.path().join("none")], Path::new("/lab/a"), started)
    }

    fn at(fact: &Fact<RungValue>) -> Option<DateTime<Utc>> {
        match fact {
            Fact::Seen(RungValue::Appeared(all)) => Some(all[0].at),
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
    fn what_pi_p_leaves_is_not_taken_for_the_conversation_of_one_that_idles_beside_it() {
        let ask = |begun_after: i64, prompted_after: i64| {
            let dir = tempfile::tempdir().unwrap();
            let started = Utc::now() - TimeDelta::minutes(1);
            let begun = started + TimeDelta::milliseconds(begun_after);
            let path = dir.path().join(format!("{}_x.jsonl", begun.format("%Y-%m-%dT%H-%M-%S-%3fZ")));
            let first = serde_json::json!({ "type": "session", "id": "x", "cwd": "/lab/a", "timestamp": begun });
            let message = |role: &str, after: i64| {
                let at = begun + TimeDelta::milliseconds(after);
                serde_json::json!({ "type": "message", "timestamp": at, "message": { "role": role, "content": [] } })
            };
            let (system, prompt) = (message("system", 100), message("user", prompted_after));
            fs::write(path, format!("{first}\n{system}\n{prompt}\n")).unwrap();
            at(&appeared(&[dir.path().to_path_buf()], Path::new("/lab/a"), started)).is_some()
        };
        assert!(!ask(4_000, 180), "begun later than the launch, and prompted at once");
        assert!(ask(600, 180), "a prompt among its own arguments");
        assert!(ask(4_000, 3_000), "a slow launch, prompted by hand");
    }

    #[test]
    fn what_was_said_since_the_start_is_told_by_the_files_that_changed() {
        let (dir, now) = (tempfile::tempdir().unwrap(), Utc::now());
        let write = |id: &str, begun: DateTime<Utc>, cwd: &str| {
            let line = serde_json::json!({ "type": "session", "id": id, "cwd": cwd, "timestamp": begun });
            let path = dir.path().join(format!("{}_{id}.jsonl", begun.format("%Y-%m-%dT%H-%M-%S-%3fZ")));
            fs::write(&path, format!("{line}\n")).unwrap();
            path
        };
        let said = |started| {
            let dirs = [dir.path().to_path_buf(), dir.path().join("none")];
            let mut ids: Vec<_> = said_in(&dirs, Path::new("/lab/a"), started).unwrap().into_iter().map(|it| it.id.0).collect();
            ids.sort();
            ids
        };
        let old = write("old", now - TimeDelta::days(1), "/lab/a");
        write("new", now, "/lab/a");
        write("elsewhere", now, "/lab-a");
        assert_eq!(said(now - TimeDelta::minutes(1)), ["new", "old"], "an old one that changed counts as well");
        let file = fs::File::options().write(true).open(old).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).unwrap();
        assert_eq!(said(now - TimeDelta::minutes(1)), ["new"]);
        fs::write(write("torn", now, "/lab/a"), "{\"half").unwrap();
        assert!(said_in(&[dir.path().to_path_buf()], Path::new("/lab/a"), now - TimeDelta::minutes(1)).is_err());
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
