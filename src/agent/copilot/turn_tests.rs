//! Turn states, on event logs as Copilot 1.0.102 leaves them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::core::observe::Transcript;
use crate::host::ProcessInfo;

const ID: &str = "43d46416-ca36-4f89-962d-0ed53462d0c5";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ask(log: &Path, list: &Path, started: &str) -> Fact<Activity> {
    let process = ProcessInfo {
        pid: 1,
        parent: 1,
        started: at(started),
        start_ticks: None,
        has_terminal: true,
        foreground: None,
        name: "node".into(),
        argv: Vec::new(),
    };
    let transcript = Transcript { path: log.to_path_buf(), modified: process.started, is_archived: false };
    let (home, id) = (PathBuf::new(), ConversationId(ID.into()));
    let host = crate::host::LocalHost::new(crate::host::Environ::default());
    of(&LiveConversation { host: &host, process: &process, home: &home, id: &id, transcript: Some(&transcript) }, list)
}

fn recorded(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts").join(name);
    data.join(".copilot/session-state").join(ID).join("events.jsonl")
}

/// The first lines of a recorded log, as they were up to then.
fn cut(name: &str, lines: usize) -> tempfile::NamedTempFile {
    let text = std::fs::read_to_string(recorded(name)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let text: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_recorded_conversation_is_told_line_by_line() {
    let none = Path::new("/nonexistent");
    let all = [
        (2, Fact::Absent),
        (3, Fact::Seen(Activity::Working)),
        (8, Fact::Seen(Activity::Working)),
        (9, Fact::Seen(Activity::Waiting)),
        (10, Fact::Seen(Activity::Working)),
        (12, Fact::Seen(Activity::Working)),
        (15, Fact::Seen(Activity::Working)),
        (16, Fact::Seen(Activity::Idle)),
        (18, Fact::Seen(Activity::Working)),
    ];
    for (lines, expected) in all {
        let log = cut("copilot", lines);
        assert_eq!(ask(log.path(), none, "2026-11-21T03:28:07Z"), expected, "{lines} lines");
    }
    let log = cut("copilot-after-resume", 99);
    assert_eq!(ask(log.path(), none, "2026-11-21T03:31:50Z"), Fact::Seen(Activity::Idle));
}

#[test]
fn what_an_earlier_process_was_doing_says_nothing() {
    // Killed in the middle of a turn, then resumed and not prompted yet: a dialog may be up.
    let list = recorded("copilot").ancestors().nth(3).unwrap().join(OPEN);
    for lines in [18, 19, 20] {
        let log = cut("copilot-after-resume", lines);
        assert_eq!(ask(log.path(), &list, "2026-11-21T03:31:50Z"), Fact::Absent, "{lines} lines");
    }
}

fn told_of(events: &[serde_json::Value]) -> Option<Activity> {
    let event = |(n, value): (usize, &Value)| {
        let mut value = value.clone();
        value["timestamp"] = json!(format!("2026-11-21T03:00:{n:02}Z"));
        serde_json::from_value::<CopilotEvent>(value).unwrap()
    };
    let events: Vec<CopilotEvent> = events.iter().enumerate().map(event).collect();
    told(events.iter())
}

#[test]
fn a_refused_permission_ends_in_an_abort_and_an_error_ends_a_turn() {
    let asks = json!({"type": "assistant.message", "data": {"toolRequests": [{"toolCallId": "c"}]}});
    let start = json!({"type": "assistant.turn_start", "data": {}});
    let end = json!({"type": "assistant.turn_end", "data": {}});
    let run = json!({"type": "tool.execution_start", "data": {"toolCallId": "c"}});
    let may = json!({"type": "permission.requested", "data": {"requestId": "r"}});
    let done = json!({"type": "permission.completed", "data": {"requestId": "r"}});
    let abort = json!({"type": "abort", "data": {"reason": "user_initiated"}});
    let error = json!({"type": "session.error", "data": {}});
    let asked = vec![start.clone(), asks, run.clone(), may];
    assert_eq!(told_of(&asked), Some(Activity::Waiting));
    assert_eq!(told_of(&[asked.clone(), vec![end.clone(), done]].concat()), Some(Activity::Working));
    assert_eq!(told_of(&[asked, vec![end.clone(), abort]].concat()), Some(Activity::Idle));
    assert_eq!(told_of(&[start.clone(), end.clone(), error]), Some(Activity::Idle));
    // The window begins within the turn: whether it goes on cannot be told.
    assert_eq!(told_of(std::slice::from_ref(&end)), None);
    // A helper's turn ends within a tool of the agent's own.
    let helped = json!({"type": "assistant.turn_end", "agentId": "a", "data": {}});
    assert_eq!(told_of(&[start.clone(), run.clone(), helped]), Some(Activity::Working));
    assert_eq!(told_of(&[run, start.clone(), end]), Some(Activity::Working), "a tool still runs");
    let question = json!({"type": "user_input.requested", "data": {"requestId": "q"}});
    assert_eq!(told_of(&[start, question]), None, "a question nobody measured");
}

#[test]
fn the_list_of_open_conversations_can_only_make_idle_into_working() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join(OPEN);
    let log = cut("copilot", 16);
    let ask = |refreshed: &str, working: bool| {
        let text = json!({ID: {"schemaVersion": 1, "refreshedAt": refreshed, "working": working}, "odd": 1});
        std::fs::write(&list, text.to_string()).unwrap();
        ask(log.path(), &list, "2026-11-21T03:28:07Z")
    };
    assert_eq!(ask("2026-11-21T03:30:00Z", true), Fact::Seen(Activity::Working));
    assert_eq!(ask("2026-11-21T03:30:00Z", false), Fact::Seen(Activity::Idle));
    assert_eq!(ask("2026-11-21T03:00:00Z", true), Fact::Seen(Activity::Idle), "left behind by an earlier process");
}
