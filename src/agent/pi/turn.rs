//! What Pi is doing in a conversation, by the last message of its session file. Reads the end of that file only. Before the first
//! answer there is no file, and nothing is said.

use chrono::{DateTime, Utc};

use super::files;
use super::line::SessionLine;
use crate::agent::LiveConversation;
use crate::core::fact::Fact;
use crate::core::observe::Activity;

/// How much of the end is read: mostly the first is enough; a tool's output may be longer.
const WINDOWS: [u64; 2] = [64 << 10, 1 << 20];

/// What the agent is doing.
pub(super) fn of(scene: &LiveConversation<'_>) -> Fact<Activity> {
    let Some(transcript) = scene.transcript else { return Fact::Absent };
    for window in WINDOWS {
        let (text, is_all) = match files::tail(&transcript.path, window) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Fact::Absent,
            Err(error) => {
                return Fact::Unknown(files::unreadable(&transcript.path, &error));
            }
        };
        match text.rsplit(|byte| *byte == b'\n').find_map(goes_on) {
            // What was asked before this process started was left by an earlier one that was killed.
            Some((goes_on, at)) if goes_on && at >= scene.process.started => return Fact::Seen(Activity::Working),
            Some(_) => return Fact::Seen(Activity::Idle),
            None if is_all => return Fact::Absent,
            None => {}
        }
    }
    Fact::Unknown(format!("no complete message at the end of {}", transcript.path.display()))
}

/// Whether an answer is still to come after this line, and when it was written; `None` for lines that are no part of a turn.
fn goes_on(line: &[u8]) -> Option<(bool, DateTime<Utc>)> {
    let SessionLine { timestamp, message, .. } = serde_json::from_slice(line).ok()?;
    let message = message?;
    match (message.role.as_ref(), message.stop_reason.as_deref()) {
        ("user" | "toolResult", _) | ("assistant", Some("toolUse")) => Some((true, timestamp)),
        ("assistant", _) => Some((false, timestamp)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::core::ids::ConversationId;
    use crate::core::observe::Transcript;
    use crate::host::ProcessInfo;

    /// The turn of a process that started then, in a session file of this text.
    fn turn(text: &str, started: &str) -> Fact<Activity> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.jsonl");
        fs::write(&path, text).unwrap();
        let process = ProcessInfo {
            pid: 1,
            parent: 0,
            started: started.parse().unwrap(),
            start_ticks: None,
            has_terminal: true,
            foreground: None,
            name: "pi".into(),
            argv: vec!["pi".into()],
        };
        let host = crate::host::LocalHost::new(crate::host::Environ::default());
        let transcript = Transcript { path, modified: DateTime::UNIX_EPOCH, is_archived: false };
        let id = ConversationId("x".into());
        of(&LiveConversation { host: &host, process: &process, home: Path::new("/h"), id: &id, transcript: Some(&transcript) })
    }

    fn recorded() -> Vec<String> {
        let path = "tests/data/transcripts/pi/.pi/agent/sessions/--home-dev-lab-landing_page--/\
                    2026-11-21T03-23-43-477Z_01a1fc21-9bf4-7601-bb55-70acf8452c25.jsonl";
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        text.lines().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_recorded_conversation_is_at_work_from_a_prompt_to_the_answer_that_ends_it() {
        let lines = recorded();
        let upto = |count: usize| turn(&lines[..count].concat(), "2026-11-21T03:23:43Z");
        assert_eq!(upto(3), Fact::Absent, "no message yet");
        assert_eq!(upto(5), Fact::Seen(Activity::Working), "the prompt");
        assert_eq!(upto(6), Fact::Seen(Activity::Working), "a tool is called");
        assert_eq!(upto(7), Fact::Seen(Activity::Working), "its output");
        assert_eq!(upto(8), Fact::Seen(Activity::Idle), "the answer");
        assert_eq!(upto(lines.len()), Fact::Seen(Activity::Idle), "an error ends a turn too");
        let half = lines[..7].concat() + &lines[7][..40];
        assert_eq!(turn(&half, "2026-11-21T03:23:43Z"), Fact::Seen(Activity::Working), "an answer being written");
    }

    #[test]
    fn what_an_earlier_process_left_undone_is_not_work() {
        let lines = recorded();
        assert_eq!(turn(&lines[..9].concat(), "2026-11-21T03:24:00Z"), Fact::Seen(Activity::Working));
        assert_eq!(turn(&lines[..9].concat(), "2026-11-21T03:24:39Z"), Fact::Seen(Activity::Idle), "killed, then opened again");
    }

    #[test]
    fn lines_that_are_no_part_of_a_turn_are_passed_over_and_a_huge_one_is_not_guessed_past() {
        let lines = recorded();
        let aside = "{\"type\":\"message\",\"timestamp\":\"2026-11-21T03:23:49Z\",\"message\":{\"role\":\"bashExecution\"}}\n";
        let label = "{\"type\":\"label\",\"timestamp\":\"2026-11-21T03:23:50Z\"}\n";
        let text = lines[..8].concat() + aside + label;
        assert_eq!(turn(&text, "2026-11-21T03:23:43Z"), Fact::Seen(Activity::Idle));
        let output = |size: usize| format!("{{\"x\":\"{}\"}}\n", "x".repeat(size));
        assert_eq!(turn(&(lines[..8].concat() + &output(200_000)), "2026-11-21T03:23:43Z"), Fact::Seen(Activity::Idle));
        let huge = turn(&(lines[..8].concat() + &output(2_000_000)), "2026-11-21T03:23:43Z");
        assert!(huge.why_unknown().is_some(), "{huge:?}");
    }
}
