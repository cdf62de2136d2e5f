//! What a manager and its workers tell each other, and what is kept of it: no text ends the line, the head or the field that it stands in,
//! and no order of records gives one task to two, or ends one twice.

use headcount::core::crew::{ContextEntry, ContextKind, CrewRecord, CrewTasks, CrewVerb, Envelope, TaskState, sanitise};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.split('\n') {
        envelope(line);
        if let Ok(entry) = serde_json::from_str::<ContextEntry>(line) {
            let written = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<ContextEntry>(&written).unwrap(), entry);
        }
    }
    written(&text);
    context(&text);
    log(&text);
}

/// One that is read stands for itself.
fn envelope(line: &str) {
    let Ok(envelope) = Envelope::parse(line) else { return };
    let again = envelope.line().unwrap();
    assert_eq!(Envelope::parse(&again).unwrap(), envelope, "{line:?}");
    is_one_line(&again);
}

fn is_one_line(line: &str) {
    assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{line:?}");
    assert_eq!(line.matches(['[', ']']).count(), 2, "only the head has brackets: {line:?}");
}

/// Any text may be the goal of a task, or a reply.
fn written(text: &str) {
    for (verb, name) in [(CrewVerb::TaskAssign, "goal"), (CrewVerb::Result, "note")] {
        let envelope = Envelope {
            verb,
            task: "t1".to_owned(),
            worker: "w1".to_owned(),
            seq: 1,
            reply: None,
            context_seq: 0,
            lease: "abc".to_owned(),
            texts: vec![(name.to_owned(), text.to_owned())],
        };
        let line = envelope.line().unwrap();
        is_one_line(&line);
        assert_eq!(Envelope::parse(&line).unwrap(), envelope);
    }
    // A name that cannot stand in a head is refused.
    let named = Envelope::parse("[wrk type:RESULT task:t worker:w seq:1 context_seq:0 lease_token:a] note=\"\"").unwrap();
    if let Ok(line) = (Envelope { task: text.to_owned(), ..named }).line() {
        assert_eq!(Envelope::parse(&line).unwrap().task, text);
    }
}

/// What is shared is one line, without what a terminal obeys and without the home of whoever says it.
fn context(text: &str) {
    let summary = sanitise(text, Some("/srv/people/me"));
    assert!(!summary.contains(|c: char| c.is_control()), "{summary:?}");
    assert!(!summary.contains("/srv/people/me"), "{summary:?}");
    let (task_id, from, to) = ("t".to_owned(), "w".to_owned(), "manager".to_owned());
    let (ts, kind) = ("1970-01-01T00:00:00Z".to_owned(), ContextKind::NOTE);
    let entry = ContextEntry { seq: 1, ts, task_id, from, to, kind, summary, artifact_path: None };
    for line in [entry.in_markdown(), entry.in_log(), serde_json::to_string(&entry).unwrap()] {
        assert!(!line.contains('\n'), "{line:?}");
    }
}

fn log(text: &str) {
    let records: Vec<CrewRecord> = text.split('\n').filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut tasks = CrewTasks::default();
    for record in &records {
        let before = tasks.tasks.get(&record.task).map(|task| task.state);
        tasks.apply(record);
        let Some(task) = tasks.tasks.get(&record.task) else { continue };
        assert_eq!(task.lease.is_some(), task.state.is_leased());
        assert!(before != Some(TaskState::Done) || task.state == TaskState::Done, "what is done stays done");
    }
    assert_eq!(CrewTasks::of(&records), tasks);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let line =
        |n: u64, event: &str| format!("{{\"n\":{n},\"at\":\"2026-11-30T06:12:09Z\",\"by\":\"me\",\"task\":\"t1\",{event}}}");
    let log = [
        r#""event":"queued","goal":"g","input":"","worker":"w","attempts":2"#,
        r#""event":"assigned","lease":"a","context_seq":0,"agent":"1@2""#,
        r#""event":"sent","lease":"a","outcome":"delivered","receipt":null,"why":null"#,
        r#""event":"reply","lease":"a","seq":1,"verb":"ASK","note":"which?","artifact":null"#,
        r#""event":"answered","lease":"a""#,
        r#""event":"freed","lease":"a","why":"gone""#,
        r#""event":"assigned","lease":"b","context_seq":1"#,
        r#""event":"reply","lease":"a","seq":2,"verb":"RESULT","note":"late","artifact":null"#,
        r#""event":"reply","lease":"b","seq":1,"verb":"RESULT","note":"ok","artifact":"/x"#,
        r#""event":"requeued","worker":"v""#,
        r#""event":"cancelled","why":"no""#,
    ];
    let log: Vec<String> = (1..).zip(log).map(|(n, event)| line(n, event)).collect();
    let all = [
        r#"[mgr type:TASK_ASSIGN task:t1 worker:w1 seq:1 context_seq:0 lease_token:9c1e] goal="fix \u005bit\u005d\nnow" input="a \"b\"" artifact_dir="/a""#,
        r#"[wrk type:ASK task:t1 worker:w1 seq:2 reply:%7 context_seq:3 lease_token:9c1e] question="which?" artifact="/a/b""#,
        r#"[wrk type:HELLO task:none worker:w1 seq:1 context_seq:0 lease_token:none] caps="rust""#,
        r#"{"seq":4,"ts":"1970-01-01T00:00:00Z","task_id":"T","from":"manager","to":"w1","type":"TASK_ASSIGN","summary":"s","artifact_path":null}"#,
        "token=hunter2 in /srv/people/me/x \u{1b}[31mred\u{1b}[0m sk-ant-api03-abcdefghijklmnop\r\nBearer abcdefghijkl",
        &log.join("\n"),
    ];
    all.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}
