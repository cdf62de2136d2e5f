//! The turns that headcount reads in what real agents wrote, against golden files; and what holds for every transcript, whole or cut.
//!
//! `tests/data/turns/<agent>/NAME.jsonl` is a recording, `NAME.json` what headcount makes of it. To write those anew, look at the
//! difference and keep it: `UPDATE=1 cargo test --test turns`.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod support;

use std::path::Path;

use chrono::DateTime;
use headcount::agent::TurnQuery;
use headcount::core::fact::Fact;
use headcount::core::ids::AgentKind;
use headcount::core::lead::turns::{TranscriptPosition, TurnEnd, TurnPage, TurnReply, answer_to};
use support::{Recording, read, recordings};

/// Everything that a page says, for a golden file.
fn golden(page: &TurnPage) -> serde_json::Value {
    let queued: Vec<&str> = page.queued.iter().map(|line| line.text.as_str()).collect();
    let marks: Vec<_> = page.turns.iter().map(|turn| turn.mark).collect();
    serde_json::json!({ "turns": page.turns, "marks": marks, "aside": page.aside, "queued": queued })
}

#[test]
fn every_recording_comes_to_the_turns_of_its_golden_file() {
    let mut wrong = Vec::new();
    for recording in recordings() {
        let text = serde_json::to_string_pretty(&golden(&recording.page(usize::MAX))).unwrap() + "\n";
        let path = recording.path.with_extension("json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            wrong.push(path);
        }
    }
    assert_eq!(wrong, [] as [std::path::PathBuf; 0]);
}

#[test]
fn recordings_name_no_place_of_the_machine_they_were_made_on() {
    for recording in recordings() {
        let text = std::fs::read_to_string(&recording.path).unwrap();
        for odd in ["/tmp/headcount", "/root/", "/work/"] {
            assert!(!text.contains(odd), "{odd} in {}", recording.path.display());
        }
    }
}

/// Wherever a file ends, what is read is what the whole says of its whole lines: a torn last line changes nothing.
#[test]
fn a_torn_last_line_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for recording in recordings().into_iter().filter(|it| !it.is_database()) {
        let text = std::fs::read(&recording.path).unwrap();
        let ends: Vec<usize> = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        for (at, pair) in ends.windows(2).enumerate().filter(|(at, _)| at % 7 == 0) {
            let path = dir.path().join(format!("{at}.jsonl"));
            let page = |length: usize| {
                std::fs::write(&path, &text[..length]).unwrap();
                read(recording.kind, &path, &query(usize::MAX, None)).into_seen().unwrap()
            };
            let (whole, torn) = (page(pair[0]), page((pair[0] + pair[1]) / 2));
            assert_eq!(golden(&whole), golden(&torn), "{} after line {at}", recording.path.display());
            assert_eq!(whole.position.end, torn.position.end);
            let open = whole.turns.iter().rev().skip(1).filter(|turn| turn.end == TurnEnd::Open).count();
            assert_eq!(open, 0, "only the last turn goes on: {} after line {at}", recording.path.display());
        }
    }
}

fn query(last: usize, after: Option<&TranscriptPosition>) -> TurnQuery<'_> {
    TurnQuery { last, after, now: DateTime::UNIX_EPOCH }
}

/// What stands far before the end is not read, and the last turns are the same as of the whole.
#[test]
fn the_last_turns_are_the_same_wherever_reading_begins() {
    let dir = tempfile::tempdir().unwrap();
    for recording in recordings().into_iter().filter(|it| !it.is_database()) {
        let text = std::fs::read_to_string(&recording.path).unwrap();
        let whole = recording.page(usize::MAX);
        // Lines of no meaning that push the beginning out of the first window; the second one reaches it.
        let filler = format!("{}\n", serde_json::json!({ "type": "filler", "text": "x".repeat(1000) }));
        for cut in [1, text.lines().count() / 3, text.lines().count() / 2, text.lines().count() - 2] {
            let (head, tail): (Vec<_>, Vec<_>) = text.lines().enumerate().partition(|(at, _)| *at < cut);
            let join = |part: Vec<(usize, &str)>| part.into_iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
            let path = dir.path().join("x.jsonl");
            std::fs::write(&path, join(head) + &filler.repeat(400) + &join(tail)).unwrap();
            for last in [1, 2, 100] {
                let page = read(recording.kind, &path, &query(last, None)).into_seen().unwrap();
                let shown = |page: &TurnPage| serde_json::to_value(page.last(last)).unwrap();
                assert_eq!(shown(&page), shown(&whole), "{} filled at {cut}, last {last}", recording.path.display());
            }
        }
    }
}

/// Each prompt is found by its text, at the turn that holds it, and not before the place at which it stands.
#[test]
fn every_prompt_finds_its_own_turn() {
    for recording in recordings() {
        let page = recording.page(usize::MAX);
        for turn in page.turns.iter().chain(&page.aside) {
            for line in &turn.lines {
                let before = TranscriptPosition { end: line.place, ..page.position };
                match answer_to(&page, &line.text, Some(&before)) {
                    TurnReply::InTurn(answer) => {
                        assert_eq!(answer.line, line, "{}", recording.path.display());
                        assert!(answer.is_exact && answer.turn == turn);
                    }
                    other => panic!("{}: {:?} gives {other:?}", recording.path.display(), line.text),
                }
                let after = TranscriptPosition { end: page.position.end, ..page.position };
                assert_eq!(answer_to(&page, &line.text, Some(&after)), TurnReply::Missing);
            }
        }
    }
}

/// The page of a recording up to the first line that holds these words, and the next `more` lines.
fn upto(kind: AgentKind, name: &str, words: &str, more: usize) -> TurnPage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/turns/{kind}/{name}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    let at = text.lines().position(|line| line.contains(words)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let part: String = text.lines().take(at + 1 + more).map(|line| format!("{line}\n")).collect();
    std::fs::write(file.path(), part).unwrap();
    read(kind, file.path(), &query(usize::MAX, None)).into_seen().unwrap()
}

#[test]
fn a_prompt_that_waits_in_claudes_queue_is_no_turn_until_its_own_begins() {
    let text = "queued one @@say answer of the queued";
    let page = upto(AgentKind::Claude, "talk", "\"enqueue\"", 0);
    let TurnReply::Queued(line) = answer_to(&page, text, None) else { panic!("{page:#?}") };
    assert_eq!(line.text, text);
    assert_eq!(page.turns.last().unwrap().end, TurnEnd::Open);
    let page = upto(AgentKind::Claude, "talk", "\"dequeue\"", 0);
    assert_eq!(answer_to(&page, text, None), TurnReply::Missing, "taken from the queue, and not yet begun");
    let page = upto(AgentKind::Claude, "talk", "\"promptSource\":\"queued\"", 0);
    let TurnReply::InTurn(answer) = answer_to(&page, text, None) else { panic!("{page:#?}") };
    assert_eq!((answer.turn.end, answer.text.as_str()), (TurnEnd::Open, ""));
}

#[test]
fn what_claude_takes_in_while_a_tool_runs_is_answered_by_the_turn_that_goes_on() {
    let text = "queued in tool @@say answer of the second queued";
    let page = upto(AgentKind::Claude, "talk", text, 0);
    assert!(matches!(answer_to(&page, text, None), TurnReply::Queued(_)));
    let page = upto(AgentKind::Claude, "talk", "after sleep\"}]", 1);
    let TurnReply::InTurn(answer) = answer_to(&page, text, None) else { panic!("{page:#?}") };
    assert_eq!((answer.turn.end, answer.text.as_str(), answer.line.step), (TurnEnd::Done, "after sleep", 2));
}

/// A hook sends the agent on: its first answer says `end_turn`, and is none. No reader may take that for the agent's own mark.
#[test]
fn an_answer_that_a_hook_does_not_accept_is_no_proven_end() {
    let first = upto(AgentKind::Claude, "stop-hook", "first answer\"}]", 0);
    assert_eq!((first.turns[0].end, first.turns[0].mark), (TurnEnd::Done, None));
    let sent_on = upto(AgentKind::Claude, "stop-hook", "Stop hook feedback", 0);
    assert_eq!(sent_on.turns[0].end, TurnEnd::Open);
    let second = upto(AgentKind::Claude, "stop-hook", "turn_duration", 0);
    assert_eq!((second.turns[0].mark, second.turns[0].text.as_str()), (Some("turn_duration"), "second answer"));
}

#[test]
fn a_turn_of_claude_goes_on_while_its_sub_agents_do() {
    let page = upto(AgentKind::Claude, "background-compact-interrupted", "\"pendingBackgroundAgentCount\":1", 0);
    let turn = page.turns.last().unwrap();
    assert_eq!((turn.end, turn.text.as_str(), turn.partial), (TurnEnd::Open, "agent used", true));
}

/// A prompt that was put back into the composer is written down only later, beside the one that took its place.
#[test]
fn a_prompt_that_was_taken_back_is_found_and_is_no_part_of_the_conversation() {
    let page = upto(AgentKind::Claude, "background-compact-interrupted", "turn_duration", 0);
    let TurnReply::InTurn(answer) = answer_to(&page, "int hang @@hang", None) else { panic!("{page:#?}") };
    assert!(answer.is_aside && answer.turn.end == TurnEnd::Interrupted);
    assert!(page.turns.iter().all(|turn| turn.prompt.as_deref() != Some("int hang @@hang")));
}

#[test]
fn what_codex_is_steered_to_is_answered_by_the_same_turn() {
    let page = upto(AgentKind::Codex, "talk", "answer of the steered\",\"started_at", 0);
    let TurnReply::InTurn(first) = answer_to(&page, "slow one\n@@slow 4\n@@say slow words come here at last", None) else {
        panic!()
    };
    let TurnReply::InTurn(second) = answer_to(&page, "steered one @@say answer of the steered", None) else { panic!() };
    assert_eq!(first.turn, second.turn);
    assert!(first.is_shared && !second.is_shared);
    assert_eq!((first.turn.mark, second.text.as_str()), (Some("task_complete"), "answer of the steered"));
}

/// OpenCode's rows, up to the message that was begun then, with another one left as it is while it is written.
fn opencode(upto: i64, incomplete: bool) -> TurnPage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/turns/opencode/talk.rows");
    let mut rows: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let messages = rows["message"].as_array_mut().unwrap();
    messages.sort_by_key(|row| row["time_created"].as_i64());
    messages.retain(|row| row["time_created"].as_i64().unwrap() <= upto);
    if incomplete {
        let answer = messages.iter_mut().rev().find(|row| row["data"].as_str().unwrap().contains("assistant")).unwrap();
        let mut data: serde_json::Value = serde_json::from_str(answer["data"].as_str().unwrap()).unwrap();
        data["time"].as_object_mut().unwrap().remove("completed");
        data.as_object_mut().unwrap().remove("finish");
        answer["data"] = data.to_string().into();
    }
    let file = tempfile::Builder::new().suffix(".rows").tempfile().unwrap();
    std::fs::write(file.path(), rows.to_string()).unwrap();
    read(AgentKind::Opencode, file.path(), &query(usize::MAX, None)).into_seen().unwrap()
}

#[test]
fn a_prompt_that_opencode_has_not_begun_to_answer_waits_while_a_turn_goes_on() {
    // The second prompt came while the first one was answered.
    let (first, second, answered) = (1_795_980_247_172, 1_795_980_251_710, 1_795_980_252_734);
    let page = opencode(second, true);
    assert!(matches!(answer_to(&page, "queued one @@say answer of the queued-5", None), TurnReply::Queued(_)), "{page:#?}");
    assert_eq!(page.turns.last().unwrap().end, TurnEnd::Open);
    let page = opencode(second, false);
    assert!(matches!(answer_to(&page, "queued one @@say answer of the queued-5", None), TurnReply::InTurn(_)), "{page:#?}");
    // Without a completion the first one was left by an agent that had ended: it does not take the second one in.
    assert_eq!(opencode(first, true).turns.last().unwrap().end, TurnEnd::Open);
    let page = opencode(answered, false);
    assert_eq!(page.turns.last().unwrap().text, "answer of the queued-5");
}

#[test]
fn a_tool_that_a_person_said_no_to_ends_the_turn_of_opencode() {
    let end = |error: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/turns/opencode/talk.rows");
        let mut rows: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        rows["message"].as_array_mut().unwrap().retain(|row| row["time_created"].as_i64().unwrap() <= 1_795_980_220_388);
        for row in rows["part"].as_array_mut().unwrap() {
            let mut data: serde_json::Value = serde_json::from_str(row["data"].as_str().unwrap()).unwrap();
            if data["type"] == "tool" {
                data["state"] = serde_json::json!({ "status": "error", "input": {}, "error": error });
                row["data"] = data.to_string().into();
            }
        }
        let file = tempfile::Builder::new().suffix(".rows").tempfile().unwrap();
        std::fs::write(file.path(), rows.to_string()).unwrap();
        let page = read(AgentKind::Opencode, file.path(), &query(usize::MAX, None)).into_seen().unwrap();
        let turn = page.turns.last().unwrap();
        (turn.end, turn.mark)
    };
    assert_eq!(end("The user rejected permission to use this specific tool call."), (TurnEnd::Interrupted, Some("refused")));
    let other = "The user rejected permission to use this specific tool call with the following feedback: use ls";
    assert_eq!(end(other), (TurnEnd::Open, None), "it goes on with what the person said");
}

/// Pi takes out an answer that failed, and asks again: until it has given up that is no end.
#[test]
fn an_error_that_pi_tries_again_after_is_no_end() {
    let failed = upto(AgentKind::Pi, "talk", "429: ", 0);
    assert_eq!((failed.turns.last().unwrap().end, failed.turns.last().unwrap().mark), (TurnEnd::Error, None));
    let again = upto(AgentKind::Pi, "talk", "context_edit", 0);
    assert_eq!(again.turns.last().unwrap().end, TurnEnd::Open);
}

#[test]
fn an_answer_of_gemini_is_a_likely_end_and_never_a_proven_one() {
    let page = upto(AgentKind::Gemini, "talk", "\"all-done-1\"", 0);
    let turn = page.turns.last().unwrap();
    assert_eq!((turn.end, turn.mark, turn.text.as_str()), (TurnEnd::Done, None, "all-done-1"));
    let page = upto(AgentKind::Gemini, "talk", "\"gemini\"", 0);
    assert_eq!(page.turns.last().unwrap().end, TurnEnd::Open, "its tools are written down when they have run");
}

#[test]
fn what_copilot_is_steered_to_is_answered_by_the_same_turn_and_what_it_queues_by_the_next() {
    let page = upto(AgentKind::Copilot, "queue-steer", "\"int text", 0);
    let TurnReply::InTurn(queued) = answer_to(&page, "queued one @@say answer of the queued-5", None) else { panic!() };
    assert_eq!((queued.line.step, queued.text.as_str()), (0, "answer of the queued-5"));
    let TurnReply::InTurn(steered) = answer_to(&page, "queued in tool @@say answer of the second-7", None) else { panic!() };
    assert_eq!(steered.turn.prompt.as_deref().map(|prompt| prompt.starts_with("toolslow")), Some(true));
}

#[test]
fn what_is_no_regular_file_of_its_own_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    for Recording { kind, path, .. } in recordings().into_iter().filter(|it| !it.is_database()) {
        let link = dir.path().join(format!("{kind}-link.jsonl"));
        if link.symlink_metadata().is_ok() {
            continue;
        }
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let pipe = dir.path().join(format!("{kind}-pipe.jsonl"));
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        for odd in [&link, &pipe, &dir.path().to_path_buf()] {
            let fact = read(kind, odd, &query(1, None));
            assert!(fact.why_unknown().is_some(), "{kind}: {} gives {fact:?}", odd.display());
        }
        assert_eq!(read(kind, &dir.path().join("none"), &query(1, None)), Fact::Absent);
    }
}
