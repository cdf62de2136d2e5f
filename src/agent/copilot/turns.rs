//! The turns in Copilot's event log. A prompt has one `turn` of Copilot's own for each call of the model; the last one, whose message
//! asks for no tools, ends it. Measured with 1.0.102: what is typed meanwhile is queued, or steers the turn that goes on; an abort and
//! an error follow the `turn_end` of the call that they ended.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::event::CopilotEvent;
use crate::agent::turns::{LineRead, Lines, Parsed, arguments, text_of};
use crate::core::lead::send::{Said, SaidAs};
use crate::core::lead::turns::{Turn, TurnDraft, TurnEnd, TurnErrorKind};

/// What lines come to.
pub(super) fn parse(lines: &Lines<'_>) -> Parsed {
    let mut drafts: Vec<TurnDraft> = (!lines.is_all).then(TurnDraft::cut).into_iter().collect();
    let mut has_answered = false;
    for line in lines.each() {
        match line {
            LineRead::Whole(place, text) => {
                if let Ok(event) = serde_json::from_slice::<CopilotEvent>(text)
                    && !event.is_of_a_helper()
                {
                    add(&mut drafts, &event, place, &mut has_answered);
                }
            }
            LineRead::TooLong(_) => {
                if let Some(last) = drafts.last_mut() {
                    last.lacks_a_line();
                }
            }
        }
    }
    drafts.retain(|draft| !draft.is_empty());
    drafts.iter_mut().rev().skip(1).for_each(TurnDraft::is_followed);
    let turns: Vec<Turn> = drafts.into_iter().map(TurnDraft::finish).collect();
    Parsed { turns, ..Parsed::default() }
}

/// The text of a prompt, by its line.
pub(super) fn said(line: &[u8]) -> Option<Said> {
    let event = serde_json::from_slice::<CopilotEvent>(line).ok()?;
    let is_prompt = event.kind == "user.message" && !event.is_of_a_helper();
    is_prompt.then(|| Said { held_as: SaidAs::Prompt, text: text_of(event.data.get("content").unwrap_or(&Value::Null)) })
}

fn add(drafts: &mut Vec<TurnDraft>, event: &CopilotEvent, place: u64, has_answered: &mut bool) {
    let at = Some(event.timestamp);
    let word = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    if event.kind == "user.message" {
        let text = text_of(event.data.get("content").unwrap_or(&Value::Null));
        match drafts.last_mut().filter(|last| word("delivery") == "steering" && !last.has_ended()) {
            Some(last) => last.ask(text, at, place),
            None => {
                let mut draft = TurnDraft::begun(at);
                draft.ask(text, at, place);
                drafts.push(draft);
            }
        }
        *has_answered = false;
        return;
    }
    let Some(draft) = drafts.last_mut() else { return };
    match event.kind.as_str() {
        "assistant.turn_start" => {
            *has_answered = false;
            // A command that ran on in the background has ended, and the agent goes on.
            draft.goes_on();
        }
        "assistant.message" => *has_answered = answer(draft, event, at),
        "tool.execution_complete" => {
            let exit = event.data.get("shellExecution").and_then(|shell| shell.get("exitCode")).and_then(Value::as_i64);
            let failed =
                !event.data.get("success").and_then(Value::as_bool).unwrap_or(false) || exit.is_some_and(|exit| exit != 0);
            let result = event.data.get("result").or_else(|| event.data.get("error")).unwrap_or(&Value::Null);
            let text = result.get("content").or_else(|| result.get("message")).unwrap_or(result);
            draft.give(word("toolCallId"), text_of(text), failed, at);
        }
        "assistant.turn_end" if *has_answered => draft.end(TurnEnd::Done, Some("assistant.turn_end"), at),
        "abort" => draft.end(TurnEnd::Interrupted, Some("abort"), at),
        "session.error" => {
            let status = event.data.get("statusCode").and_then(Value::as_u64);
            let kind = match word("errorType") {
                "authentication" | "authorization" => TurnErrorKind::AuthFailed,
                "rate_limit" | "quota" => TurnErrorKind::RateLimited,
                _ => status.map_or(TurnErrorKind::Error, TurnErrorKind::of_status),
            };
            draft.fail(kind, word("message").to_owned(), Some("session.error"), at);
        }
        "session.shutdown" => draft.is_followed(),
        _ => {}
    }
}

/// Adds an answer; whether it asks for no tools.
fn answer(draft: &mut TurnDraft, event: &CopilotEvent, at: Option<DateTime<Utc>>) -> bool {
    let text = |key: &str| text_of(event.data.get(key).unwrap_or(&Value::Null));
    draft.think(text("reasoningText"), at);
    draft.write(text("content"), at);
    let requests = event.data.get("toolRequests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for request in requests {
        let word = |key: &str| request.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let input = request.get("arguments").unwrap_or(&Value::Null);
        draft.call(&word("toolCallId"), word("name"), arguments(input), at);
    }
    requests.is_empty()
}
