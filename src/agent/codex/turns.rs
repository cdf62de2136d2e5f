//! The turns in a rollout of Codex. Every line of a turn carries the turn's id, and what is typed while one goes on is taken in by
//! it. Measured with 0.169: the end of a turn is `task_complete` or `turn_aborted`, with the error of a turn that failed.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::line::{Mark, RolloutLine, RolloutPayload};
use crate::agent::turns::{LineRead, Lines, Parsed, arguments, text_of};
use crate::core::lead::send::{Said, SaidAs};
use crate::core::lead::turns::{TurnDraft, TurnEnd, TurnErrorKind};

/// What Codex itself says in the name of the user begins like this; newer ones say of each part what it is.
const CONTEXT: [&str; 6] = [
    "<environment_context>",
    "<user_instructions>",
    "<turn_aborted>",
    "<user_shell_command>",
    "<subagent_notification>",
    "# AGENTS.md instructions",
];

/// A turn and its id.
struct Numbered {
    id: Option<String>,
    draft: TurnDraft,
    /// Whether the conversation was put in other words in it.
    has_compacted: bool,
    /// When all that is used up may be used again, in seconds since 1970.
    resets: Option<i64>,
}

impl Numbered {
    fn new(id: Option<String>, draft: TurnDraft) -> Self {
        Self { id, draft, has_compacted: false, resets: None }
    }
}

/// What lines come to.
pub(super) fn parse(lines: &Lines<'_>) -> Parsed {
    let mut turns = Vec::new();
    if !lines.is_all {
        turns.push(Numbered::new(None, TurnDraft::cut()));
    }
    for line in lines.each() {
        match line {
            LineRead::Whole(place, text) => {
                if let Ok(line) = serde_json::from_slice::<RolloutLine<'_>>(text) {
                    add(&mut turns, &line, place);
                }
            }
            LineRead::TooLong(beginning) => {
                let is_item = beginning.windows(15).any(|part| part == b"\"response_item\"");
                if let Some(last) = turns.last_mut().filter(|_| is_item) {
                    last.draft.lacks_a_line();
                }
            }
        }
    }
    // A compaction, or a command of the shell, is a task that nobody asked anything in.
    turns.retain(|turn| !(turn.draft.is_empty() || turn.has_compacted && turn.draft.is_unasked()));
    let count = turns.len();
    for (at, turn) in turns.iter_mut().enumerate() {
        if at + 1 < count {
            turn.draft.is_followed();
        }
    }
    Parsed { turns: turns.into_iter().map(|turn| turn.draft.finish()).collect(), ..Parsed::default() }
}

fn add(turns: &mut Vec<Numbered>, line: &RolloutLine<'_>, place: u64) {
    let Some(payload) = &line.payload else { return };
    let at = Some(line.timestamp);
    let id = payload.turn_id.as_deref().or(payload.passed.turn_id.as_deref());
    match line.mark() {
        Some(Mark::Began) => {
            turns.push(Numbered::new(id.map(str::to_owned), TurnDraft::begun(at)));
        }
        Some(Mark::Completed) => {
            if let Some(turn) = of_id(turns, id) {
                complete(&mut turn.draft, payload, at);
                turn.draft.limit_resets(turn.resets);
            }
        }
        Some(Mark::Aborted) => {
            if let Some(Numbered { draft, .. }) = of_id(turns, id) {
                draft.end(TurnEnd::Interrupted, Some("turn_aborted"), at);
            }
        }
        None if line.kind == "response_item" => {
            if let Some(Numbered { draft, .. }) = of_id(turns, id) {
                item(draft, payload, at, place);
            }
        }
        None if payload.kind.as_deref() == Some("token_count") => {
            if let Some(last) = turns.last_mut() {
                last.resets = used_up(&payload.rate_limits);
            }
        }
        None if line.kind == "compacted" => {
            if let Some(last) = turns.last_mut() {
                last.has_compacted = true;
            }
        }
        None => {}
    }
}

/// The turn of an id. A line without one is of the turn that goes on; one of an unknown id is of what began before what is read.
fn of_id<'t>(turns: &'t mut [Numbered], id: Option<&str>) -> Option<&'t mut Numbered> {
    let known = id.and_then(|id| turns.iter().rposition(|turn| turn.id.as_deref() == Some(id)));
    let at = match (known, id) {
        (Some(at), _) => at,
        (None, None) => turns.len().checked_sub(1)?,
        (None, Some(_)) => turns.iter().position(|turn| turn.id.is_none())?,
    };
    turns.get_mut(at)
}

/// When every window of which nothing is left begins anew; `None`: something is left of each, or nobody knows. Measured with 0.169.0.
fn used_up(limits: &Value) -> Option<i64> {
    let windows = ["primary", "secondary"].into_iter().filter_map(|window| limits.get(window));
    let used_up = windows.filter(|it| it.get("used_percent").and_then(Value::as_f64).is_some_and(|used| used >= 100.0));
    used_up.filter_map(|it| it.get("resets_at")?.as_i64()).max()
}

fn complete(draft: &mut TurnDraft, payload: &RolloutPayload<'_>, at: Option<DateTime<Utc>>) {
    let message = payload.error.get("message").and_then(Value::as_str);
    let Some(message) = message else { return draft.end(TurnEnd::Done, Some("task_complete"), at) };
    let info = payload.error.get("codex_error_info").unwrap_or(&Value::Null);
    let status = info.as_object().and_then(|info| info.values().next()).and_then(|it| it.get("http_status_code"));
    let kind = match (info.as_str(), status.and_then(Value::as_u64)) {
        (Some("usage_limit_exceeded" | "rate_limit_exceeded"), _) => TurnErrorKind::RateLimited,
        (Some("unauthorized"), _) => TurnErrorKind::AuthFailed,
        (_, Some(status)) => TurnErrorKind::of_status(status),
        (_, None) => TurnErrorKind::Error,
    };
    draft.fail(kind, message.to_owned(), Some("task_complete"), at);
}

fn item(draft: &mut TurnDraft, payload: &RolloutPayload<'_>, at: Option<DateTime<Utc>>, place: u64) {
    let word = |word: &Option<std::borrow::Cow<'_, str>>| word.as_deref().unwrap_or_default().to_owned();
    let id = payload.call_id.as_deref().unwrap_or_default();
    match (payload.kind.as_deref().unwrap_or_default(), payload.role.as_deref().unwrap_or_default()) {
        ("message", "user") => {
            let text = text_of(&payload.content);
            if is_persons(payload, &text) {
                draft.ask(text, at, place);
            }
        }
        ("message", "assistant") => draft.write(text_of(&payload.content), at),
        ("reasoning", _) => draft.think(text_of(&payload.summary), at),
        ("function_call", _) => {
            let input = serde_json::from_str(payload.arguments.as_deref().unwrap_or_default()).unwrap_or(Value::Null);
            draft.call(id, word(&payload.name), arguments(&input), at);
        }
        ("custom_tool_call", _) => draft.call(id, word(&payload.name), arguments(&payload.input), at),
        // These are written once they are done.
        ("web_search_call", _) => {
            draft.call(id, "web_search".to_owned(), arguments(&payload.action), at);
            draft.give(id, String::new(), false, at);
        }
        ("local_shell_call", _) => draft.call(id, "local_shell".to_owned(), arguments(&payload.action), at),
        (kind, _) if kind.ends_with("_call_output") => draft.give(id, given(&payload.output), false, at),
        _ => {}
    }
}

/// What somebody said by a line.
pub(super) fn said(text: &[u8]) -> Option<Said> {
    let line: RolloutLine<'_> = serde_json::from_slice(text).ok()?;
    let payload = line.payload.filter(|_| line.kind == "response_item")?;
    let is_user = payload.kind.as_deref() == Some("message") && payload.role.as_deref() == Some("user");
    let text = text_of(&payload.content);
    (is_user && is_persons(&payload, &text)).then_some(Said { held_as: SaidAs::Prompt, text })
}

/// Whether a person typed a message of the role `user`.
fn is_persons(payload: &RolloutPayload<'_>, text: &str) -> bool {
    match &payload.passed.content_item_kinds {
        Some(kinds) => kinds.iter().any(|kind| kind.starts_with("user.")),
        None => !CONTEXT.iter().any(|beginning| text.trim_start().starts_with(beginning)),
    }
}

fn given(output: &Value) -> String {
    match output {
        Value::Object(map) => text_of(map.get("content").or_else(|| map.get("body")).unwrap_or(output)),
        other => text_of(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_user_said_counts() {
        let item = |role: &str, text: &str| {
            json!({"timestamp": "2026-11-29T12:00:00Z", "type": "response_item", "payload": {"type": "message", "role": role,
                "content": [{"type": "input_text", "text": text}]}})
        };
        let of = |line: &Value| said(&serde_json::to_vec(line).unwrap());
        assert_eq!(of(&item("user", "a b")), Some(Said { held_as: SaidAs::Prompt, text: "a b".to_owned() }));
        for other in [item("developer", "a b"), json!({"type": "event_msg"}), json!(null)] {
            assert_eq!(of(&other), None, "{other}");
        }
    }
}
