//! What a Codex thread is doing, by the last mark of a turn in its rollout. Reads the end of that file only. That an approval is
//! waited for is not written there, and read off the title of its pane.

use chrono::{DateTime, Utc};

use super::files;
use super::held::lock;
use super::line::{Mark, RolloutLine};
use crate::agent::LiveConversation;
use crate::core::fact::Fact;
use crate::core::observe::{Activity, Transcript};

/// How much of the end is read: of most rollouts the first is enough, and a turn that writes more than the last says nothing.
const WINDOWS: [u64; 2] = [64 << 10, 1 << 20];

/// The last mark of a turn.
enum LastMark {
    Began(DateTime<Utc>),
    Ended,
}

/// What the thread is doing.
pub(super) fn of(scene: &LiveConversation<'_>) -> Fact<Activity> {
    // Without a file there was no prompt yet, or it could not be told where it is.
    let Some(transcript) = scene.transcript else { return Fact::Absent };
    match last_mark(transcript) {
        Ok(Some(LastMark::Ended)) => Fact::Seen(Activity::Idle),
        Ok(Some(LastMark::Began(at))) if at >= scene.process.started => Fact::Seen(Activity::Working),
        // A turn that began before this process did: killed with the one before, or still run by the background daemon.
        Ok(Some(LastMark::Began(at))) if is_cut_off(scene, at) => Fact::Seen(Activity::Idle),
        Ok(Some(LastMark::Began(_)) | None) => Fact::Absent,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fact::Absent,
        Err(error) => Fact::Unknown(files::unreadable(&transcript.path, &error)),
    }
}

/// Whether whoever has the thread open began after a turn did: nobody runs that turn any more.
fn is_cut_off(scene: &LiveConversation<'_>, began: DateTime<Utc>) -> bool {
    let is_later = |pid: &u32| scene.host.stat(*pid).seen().is_some_and(|process| process.started > began);
    scene.host.lockers(&lock(scene.home, scene.id)).seen().is_some_and(|pids| !pids.is_empty() && pids.iter().all(is_later))
}

/// What the title says: `[ ! ] Action Required | <directory>`, the mark blinking, while an approval is waited for (0.169).
pub(super) fn of_title(title: &str) -> Option<Activity> {
    let mark = title.strip_prefix('[')?.split_once(']')?.1;
    (mark.split('|').next()?.trim() == "Action Required").then_some(Activity::Waiting)
}

fn last_mark(transcript: &Transcript) -> std::io::Result<Option<LastMark>> {
    for window in WINDOWS {
        let (text, is_all) = files::tail(&transcript.path, window)?;
        let found = text.rsplit(|byte| *byte == b'\n').find_map(mark);
        if found.is_some() || is_all {
            return Ok(found);
        }
    }
    Ok(None)
}

fn mark(line: &[u8]) -> Option<LastMark> {
    let line: RolloutLine<'_> = serde_json::from_slice(line).ok()?;
    match line.mark()? {
        Mark::Began => Some(LastMark::Began(line.timestamp)),
        Mark::Completed | Mark::Aborted => Some(LastMark::Ended),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::core::ids::ConversationId;
    use crate::host::ProcessInfo;

    fn ask(path: &Path, started: &str) -> Fact<Activity> {
        ask_in(Path::new("/nowhere"), path, started)
    }

    fn ask_in(home: &Path, path: &Path, started: &str) -> Fact<Activity> {
        let process = ProcessInfo {
            pid: 7,
            parent: 1,
            started: started.parse().unwrap(),
            start_ticks: Some(1),
            has_terminal: true,
            foreground: None,
            name: "codex".into(),
            argv: vec!["codex".into()],
        };
        let host = crate::host::LocalHost::new(crate::host::Environ::default());
        let transcript = Transcript { path: path.to_path_buf(), modified: DateTime::UNIX_EPOCH, is_archived: false };
        let id = ConversationId("01a1fc1b-b7b6-7361-96bb-4283a7de4ab6".into());
        of(&LiveConversation { host: &host, process: &process, home, id: &id, transcript: Some(&transcript) })
    }

    fn recorded(name: &str) -> PathBuf {
        let below = format!("tests/data/transcripts/codex/.codex/sessions/2026/11/21/rollout-2026-11-21T{name}.jsonl");
        Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
    }

    #[test]
    fn only_a_title_that_asks_for_a_person_says_something() {
        for (title, expected) in [
            ("[ . ] Action Required | landing_page", Some(Activity::Waiting)),
            ("[ ! ] Action Required | landing_page", Some(Activity::Waiting)),
            ("[ ! ] Action Required", Some(Activity::Waiting)),
            ("landing_page", None),
            ("\u{283c} landing_page", None),
            ("Action Required", None),
            ("\u{283c} [x] Action Required | y", None),
            ("[ ! ] Action Required here", None),
            ("", None),
        ] {
            assert_eq!(of_title(title), expected, "{title}");
        }
    }

    #[test]
    fn the_last_mark_of_a_turn_says_what_the_thread_is_doing() {
        let launch = "2026-11-21T03:14:00Z";
        for (name, expected) in [
            ("03-14-10-01a1fc18-dd1c-78e3-a69d-bea89863b6d3", Activity::Idle),
            ("03-17-17-01a1fc1b-b7b6-7361-96bb-4283a7de4ab6", Activity::Working),
            ("03-18-18-01a1fc1c-a7a8-7250-96eb-9fac0638249e", Activity::Idle),
            ("03-18-31-01a1fc1c-da9e-7080-807a-bff2d093369e", Activity::Idle),
            ("03-19-06-01a1fc1d-6298-7bd0-8509-01c8f09c524a", Activity::Idle),
        ] {
            assert_eq!(ask(&recorded(name), launch), Fact::Seen(expected), "{name}");
        }
    }

    #[test]
    fn an_open_turn_older_than_the_process_is_not_its_work() {
        let killed = recorded("03-17-17-01a1fc1b-b7b6-7361-96bb-4283a7de4ab6");
        assert_eq!(ask(&killed, "2026-11-21T03:17:22Z"), Fact::Seen(Activity::Working), "the turn began at 03:17:22.663");
        assert_eq!(ask(&killed, "2026-11-21T03:17:23Z"), Fact::Absent);
        // Whoever has it open, as this process does, began after it.
        let home = tempfile::tempdir().unwrap();
        let path = lock(home.path(), &ConversationId("01a1fc1b-b7b6-7361-96bb-4283a7de4ab6".into()));
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let held = std::fs::File::create(&path).unwrap();
        assert_eq!(ask_in(home.path(), &killed, "2026-11-21T03:17:23Z"), Fact::Absent);
        held.lock().unwrap();
        assert_eq!(ask_in(home.path(), &killed, "2026-11-21T03:17:23Z"), Fact::Seen(Activity::Idle));
        let text = std::fs::read_to_string(&killed).unwrap().replace("2026-11-21T03:17:22", "2999-11-21T03:17:22");
        std::fs::write(&path, text).unwrap();
        assert_eq!(
            ask_in(home.path(), &path, "3000-11-21T03:17:23Z"),
            Fact::Absent,
            "it may be the work of the one that has it"
        );
    }

    #[test]
    fn only_whole_lines_at_the_end_of_the_file_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rollout.jsonl");
        let line = |kind: &str| {
            format!(
                "{{\"timestamp\":\"2026-11-21T03:17:22.663Z\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"{kind}\"}}}}\n"
            )
        };
        let says = |text: String| {
            std::fs::write(&path, text).unwrap();
            ask(&path, "2026-11-21T03:00:00Z")
        };
        let (began, ended) = (line("task_started"), line("task_complete"));
        assert_eq!(
            says(format!("{began}{}", ended.trim_end())),
            Fact::Seen(Activity::Working),
            "the last line is being written"
        );
        assert_eq!(says(format!("{began}not json\n{ended}\u{0}\n")), Fact::Seen(Activity::Idle));
        let other = format!("{{\"type\":\"response_item\",\"payload\":{{\"text\":\"{}\"}}}}\n", "x".repeat(50_000));
        assert_eq!(
            says(format!("{ended}{began}{}", other.repeat(10))),
            Fact::Seen(Activity::Working),
            "half a megabyte of work"
        );
        assert_eq!(says(format!("{ended}{began}{}", other.repeat(40))), Fact::Absent, "two megabytes: nobody knows");
        assert_eq!(says(String::new()), Fact::Absent);
        // What a tool printed is no mark, whatever it looks like.
        let quoted = format!("{{\"type\":\"response_item\",\"payload\":{{\"text\":{:?}}}}}\n", ended.trim_end());
        assert_eq!(says(format!("{began}{quoted}")), Fact::Seen(Activity::Working));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ask(&path, "2026-11-21T03:00:00Z"), Fact::Absent);
        std::fs::create_dir(&path).unwrap();
        assert!(ask(&path, "2026-11-21T03:00:00Z").why_unknown().is_some());
    }
}
