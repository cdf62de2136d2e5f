//! The turns in a chat of Gemini. A message is written again under the same id as it grows: the last one counts. Measured with 0.61:
//! nothing says that a turn has ended, so an answer without tools is only likely to be the end of one; tools that it asks for are
//! written when they have run. What was cancelled, and what failed, is said.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::chat::ChatMessage;
use crate::agent::turns::{LineRead, Lines, Parsed, arguments, text_of};
use crate::core::lead::send::{Said, SaidAs};
use crate::core::lead::turns::{Turn, TurnDraft, TurnEnd, TurnErrorKind};

/// What lines come to.
pub(super) fn parse(lines: &Lines<'_>) -> Parsed {
    let (mut messages, mut known, mut has_gap) = (Vec::<(u64, ChatMessage)>::new(), HashMap::new(), false);
    for line in lines.each() {
        match line {
            LineRead::Whole(place, text) => {
                let Ok(message) = serde_json::from_slice::<ChatMessage>(text) else { continue };
                match known.get(&message.id).and_then(|at: &usize| messages.get_mut(*at)) {
                    Some((_, earlier)) => *earlier = message,
                    None => {
                        known.insert(message.id.clone(), messages.len());
                        messages.push((place, message));
                    }
                }
            }
            // A summary of all that was said is as long as that.
            LineRead::TooLong(beginning) => has_gap |= !beginning.starts_with(b"{\"$set\""),
        }
    }
    let mut drafts: Vec<TurnDraft> = (!lines.is_all).then(TurnDraft::cut).into_iter().collect();
    for (place, message) in &messages {
        add(&mut drafts, message, *place);
    }
    drafts.retain(|draft| !draft.is_empty());
    drafts.iter_mut().rev().skip(1).for_each(TurnDraft::is_followed);
    if has_gap {
        drafts.iter_mut().for_each(TurnDraft::lacks_a_line);
    }
    let turns: Vec<Turn> = drafts.into_iter().map(TurnDraft::finish).collect();
    Parsed { turns, ..Parsed::default() }
}

/// The text of a prompt, by its line.
pub(super) fn said(line: &[u8]) -> Option<Said> {
    let message = serde_json::from_slice::<ChatMessage>(line).ok()?;
    is_prompt(&message).then(|| Said { held_as: SaidAs::Prompt, text: text_of(&message.content) })
}

/// Whether somebody said it. What tools gave stands with their calls too.
fn is_prompt(message: &ChatMessage) -> bool {
    let parts = message.content.as_array().map(Vec::as_slice).unwrap_or_default();
    message.kind == "user" && !parts.iter().any(|part| part.get("functionResponse").is_some())
}

fn add(drafts: &mut Vec<TurnDraft>, message: &ChatMessage, place: u64) {
    let at = Some(message.timestamp);
    let text = text_of(&message.content);
    if message.kind == "user" {
        if is_prompt(message) {
            let mut draft = TurnDraft::begun(at);
            draft.ask(text, at, place);
            drafts.push(draft);
        }
        return;
    }
    let Some(draft) = drafts.last_mut() else { return };
    match message.kind.as_str() {
        "gemini" => answer(draft, message, text, at),
        "error" => draft.fail(kind_of(&text), text, Some("error"), at),
        "info" if text == "Request cancelled." => draft.end(TurnEnd::Interrupted, Some("Request cancelled."), at),
        _ => {}
    }
}

fn answer(draft: &mut TurnDraft, message: &ChatMessage, text: String, at: Option<DateTime<Utc>>) {
    // Tools that were cancelled are written after the word that says so.
    let was_cut = draft.has_failed_end();
    let end = was_cut.then(|| draft.clone());
    for thought in &message.thoughts {
        let word = |key: &str| thought.get(key).and_then(Value::as_str).unwrap_or_default();
        let thought = [word("subject"), word("description")].join("\n");
        draft.think(thought.trim().to_owned(), at);
    }
    let is_answer = !text.trim().is_empty() && message.calls.is_empty();
    draft.write(text, at);
    for call in &message.calls {
        let word = |key: &str| call.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = word("id");
        draft.call(&id, word("name"), arguments(call.get("args").unwrap_or(&Value::Null)), at);
        let status = word("status");
        if !matches!(status.as_str(), "" | "pending" | "executing" | "awaiting_approval" | "scheduled" | "validating") {
            draft.give(&id, given(call), status != "success", at);
        }
    }
    match end {
        Some(cut) => draft.ends_as(&cut),
        None if is_answer => draft.end(TurnEnd::Done, None, at),
        None => {}
    }
}

/// What a tool gave, or why not.
fn given(call: &Value) -> String {
    let responses = call.get("result").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |part: &Value| {
        let response = part.get("functionResponse")?.get("response")?;
        Some(text_of(response.get("output").or_else(|| response.get("error")).unwrap_or(response)))
    };
    responses.iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

fn kind_of(text: &str) -> TurnErrorKind {
    let number = text
        .split("\"code\":")
        .nth(1)
        .map(|rest| rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>());
    number.and_then(|number| number.parse().ok()).map_or(TurnErrorKind::Error, TurnErrorKind::of_status)
}
