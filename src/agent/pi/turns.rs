//! The turns in a session file of Pi. Its lines are a tree: the last one and what it descends from are the conversation. Measured with
//! 0.87: a message of the assistant that does not ask for tools ends a turn; what is typed while a tool runs is taken in by the turn.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::line::{SessionLine, SessionMessage};
use crate::agent::turns::{LineRead, Lines, Parsed, arguments, text_of};
use crate::core::lead::send::{Said, SaidAs};
use crate::core::lead::turns::{Turn, TurnDraft, TurnEnd, TurnErrorKind, TurnStepKind};

/// What lines come to.
pub(super) fn parse(lines: &Lines<'_>) -> Parsed {
    let (mut read, mut has_gap) = (Vec::new(), false);
    for line in lines.each() {
        match line {
            LineRead::Whole(place, text) => {
                read.extend(serde_json::from_slice::<SessionLine<'_>>(text).ok().map(|line| (place, line)));
            }
            LineRead::TooLong(_) => has_gap = true,
        }
    }
    let path = path(&read);
    let (on, off): (Vec<_>, Vec<_>) = read.iter().partition(|(_, line)| line.id.as_deref().is_some_and(|id| path.contains(id)));
    let mut turns = told(on, !lines.is_all, has_gap);
    let mut aside = told(off, false, has_gap);
    // What is not gone on with has no end to come.
    turns.iter_mut().rev().skip(1).for_each(TurnDraft::is_followed);
    aside.iter_mut().for_each(TurnDraft::is_followed);
    let finish = |drafts: Vec<TurnDraft>| -> Vec<Turn> { drafts.into_iter().map(TurnDraft::finish).collect() };
    Parsed { turns: finish(turns), aside: finish(aside), queued: Vec::new() }
}

/// The text of a prompt, by its line.
pub(super) fn said(line: &[u8]) -> Option<Said> {
    let message = serde_json::from_slice::<SessionLine<'_>>(line).ok()?.message.filter(|message| message.role == "user")?;
    Some(Said { held_as: SaidAs::Prompt, text: text_of(&message.content) })
}

/// The ids of the last line and of all that it descends from.
fn path(read: &[(u64, SessionLine<'_>)]) -> HashSet<String> {
    let parents: HashMap<&str, Option<&str>> =
        read.iter().filter_map(|(_, line)| Some((line.id.as_deref()?, line.parent.as_deref()))).collect();
    let mut path = HashSet::new();
    let mut next = read.iter().rev().find_map(|(_, line)| line.id.as_deref().filter(|_| line.kind != "session"));
    while let Some(id) = next.filter(|id| !path.contains(*id)) {
        path.insert(id.to_owned());
        next = parents.get(id).copied().flatten();
    }
    path
}

fn told(lines: Vec<&(u64, SessionLine<'_>)>, is_cut: bool, has_gap: bool) -> Vec<TurnDraft> {
    let mut drafts: Vec<TurnDraft> = is_cut.then(TurnDraft::cut).into_iter().collect();
    let mut failed: Option<String> = None;
    for (place, line) in lines {
        let at = Some(line.timestamp);
        if line.kind == "context_edit" {
            // An answer that failed is taken out, and asked for again.
            if let Some(last) = drafts.last_mut().filter(|_| failed.is_some() && failed.as_deref() == line.target.as_deref()) {
                last.goes_on();
            }
            continue;
        }
        let Some(message) = &line.message else { continue };
        match message.role.as_ref() {
            "user" => {
                let text = text_of(&message.content);
                // After anything but what a tool gave, its agent had ended, and another one goes on.
                let takes_in = |last: &TurnDraft| matches!(last.last(), Some(TurnStepKind::Result | TurnStepKind::Prompt));
                match drafts.last_mut().filter(|last| !last.has_ended() && takes_in(last)) {
                    Some(last) => last.ask(text, at, *place),
                    None => {
                        let mut draft = TurnDraft::begun(at);
                        draft.ask(text, at, *place);
                        drafts.push(draft);
                    }
                }
            }
            "assistant" => {
                if drafts.is_empty() {
                    drafts.push(TurnDraft::begun(at));
                }
                let Some(last) = drafts.last_mut() else { continue };
                answer(last, message, at);
                failed = message.error.as_ref().and(line.id.as_deref()).map(str::to_owned);
            }
            "toolResult" => {
                if let Some(last) = drafts.last_mut() {
                    let call = message.call.as_deref().unwrap_or_default();
                    last.give(call, text_of(&message.content), message.is_error, at);
                }
            }
            _ => {}
        }
    }
    drafts.retain(|draft| !draft.is_empty());
    if has_gap {
        drafts.iter_mut().for_each(TurnDraft::lacks_a_line);
    }
    drafts
}

fn answer(draft: &mut TurnDraft, message: &SessionMessage<'_>, at: Option<DateTime<Utc>>) {
    for part in message.content.as_array().map(Vec::as_slice).unwrap_or_default() {
        let word = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match part.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => draft.write(word("text"), at),
            "thinking" => draft.think(word("thinking"), at),
            "toolCall" => draft.call(&word("id"), word("name"), arguments(part.get("arguments").unwrap_or(&Value::Null)), at),
            _ => {}
        }
    }
    let error = message.error.as_deref().unwrap_or_default();
    match message.stop_reason.as_deref() {
        Some("toolUse") | None => draft.goes_on(),
        Some("aborted") => draft.end(TurnEnd::Interrupted, Some("stopReason aborted"), at),
        // So it calls what a tool was interrupted in.
        Some("error") if error.contains("aborted") => draft.end(TurnEnd::Interrupted, Some("stopReason error"), at),
        Some("error") => {
            let status = error.split(':').next().and_then(|status| status.trim().parse().ok());
            let kind = status.map_or(TurnErrorKind::Error, TurnErrorKind::of_status);
            // It may be tried again, and then it is taken out by the line that follows.
            draft.fail(kind, error.to_owned(), None, at);
        }
        Some(_) => draft.end(TurnEnd::Done, Some("stopReason"), at),
    }
}
