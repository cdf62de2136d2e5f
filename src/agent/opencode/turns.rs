//! The turns in OpenCode's database. An answer names the prompt it answers; a prompt that came while a tool ran takes over the turn that
//! goes on. Measured with 1.18.33: the end of a turn is a completed answer whose `finish` is no call of tools, or one with an error.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::Value;

use super::turn::{REFUSALS, StoredMessage};
use super::{database, sessions};
use crate::agent::turns::{Parsed, TurnQuery, arguments, text_of};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::lead::turns::{PromptLine, TranscriptPosition, TurnDraft, TurnEnd, TurnErrorKind, TurnPage};
use crate::core::observe::Transcript;

/// The most messages that are read; each attempt reads four times as many.
const MESSAGES: (usize, usize) = (64, 4096);
/// The most bytes of a message or a part that are read.
const MOST: usize = 1 << 20;

/// A message and its parts, oldest first. What is too long is `None`.
struct TurnRow {
    id: String,
    created: i64,
    data: Option<String>,
    parts: Vec<Option<String>>,
}

/// A part of a message.
#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    text: String,
    /// Written by OpenCode in the name of the person.
    #[serde(default)]
    synthetic: bool,
    #[serde(default)]
    tool: String,
    #[serde(rename = "callID", default)]
    call: String,
    #[serde(default)]
    state: Value,
    #[serde(default)]
    time: Value,
}

/// The newest turns of a conversation.
pub(super) fn of(transcript: &Transcript, id: &ConversationId, query: &TurnQuery<'_>) -> Fact<TurnPage> {
    let mut most = MESSAGES.0;
    loop {
        let look = |connection: &Connection| Ok((rows(connection, id.as_str(), most)?, taken_back(connection, id.as_str())?));
        let (rows, reverted) = match database::look(&transcript.path, look) {
            Fact::Seen((rows, _)) if rows.is_empty() => return Fact::Absent,
            Fact::Seen(read) => read,
            Fact::Absent => return Fact::Absent,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let is_all = rows.len() < most;
        let end = rows.last().map_or(0, |row| place(row.created) + 1);
        let first = rows.first().map_or(0, |row| place(row.created));
        let parsed = parse(&rows, reverted.as_deref(), is_all);
        let begun = parsed.turns.iter().filter(|turn| turn.prompt.is_some()).count();
        let reaches = query.after.is_none_or(|after| first <= after.end);
        if is_all || most >= MESSAGES.1 || (begun >= query.last.max(1) && reaches) {
            let position = TranscriptPosition { file: 0, end, at: query.now };
            let Parsed { turns, aside, queued } = parsed;
            return Fact::Seen(TurnPage { turns, aside, queued, position, is_all });
        }
        most = (most * 4).min(MESSAGES.1);
    }
}

/// OpenCode counts milliseconds, and no two prompts come within one.
fn place(created: i64) -> u64 {
    u64::try_from(created).unwrap_or(0)
}

/// The newest messages of a conversation, oldest first. Only by their indexes: without them all would have to be read.
fn rows(connection: &Connection, id: &str, most: usize) -> rusqlite::Result<Vec<TurnRow>> {
    let sql = format!(
        "SELECT id, time_created, CASE WHEN octet_length(data) <= {MOST} THEN data END FROM message \
         INDEXED BY message_session_time_created_id_idx WHERE session_id = ?1 ORDER BY time_created DESC, id DESC LIMIT {most}"
    );
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let sql = format!(
        "SELECT CASE WHEN octet_length(data) <= {MOST} THEN data END FROM part INDEXED BY part_message_id_id_idx \
         WHERE message_id = ?1 ORDER BY id"
    );
    let mut of_message = connection.prepare(&sql)?;
    let mut rows = Vec::new();
    for row in found {
        let (id, created, data): (String, i64, Option<String>) = row?;
        let parts = of_message.query_map([&id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        rows.push(TurnRow { id, created, data, parts });
    }
    rows.reverse();
    Ok(rows)
}

/// The message from which on everything was taken back with `/undo`.
fn taken_back(connection: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    let has = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('session') WHERE name = 'revert')";
    if !connection.query_row(has, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let revert: Option<Option<String>> =
        connection.query_row("SELECT revert FROM session WHERE id = ?1", [id], |row| row.get(0)).optional()?;
    let value: Option<Value> = revert.flatten().and_then(|text| serde_json::from_str(&text).ok());
    Ok(value.and_then(|value| value.get("messageID")?.as_str().map(str::to_owned)))
}

/// A prompt, and the turn that answers it once there is one.
struct Asked {
    text: String,
    created: i64,
}

fn parse(rows: &[TurnRow], reverted: Option<&str>, is_all: bool) -> Parsed {
    let mut drafts: Vec<(TurnDraft, bool)> = Vec::new();
    let mut waiting: Vec<(&str, Asked)> = Vec::new();
    // Which turn answers a prompt.
    let mut turn_of: HashMap<&str, usize> = HashMap::new();
    let (mut is_aside, mut is_summary, mut takes_in) = (false, false, false);
    if !is_all {
        drafts.push((TurnDraft::cut(), false));
    }
    for row in rows {
        is_aside |= reverted == Some(row.id.as_str());
        let message = row.data.as_deref().and_then(|data| serde_json::from_str::<StoredMessage>(data).ok());
        let Some(message) = message else {
            drafts.iter_mut().for_each(|(draft, _)| draft.lacks_a_line());
            continue;
        };
        let parts: Vec<Part> = row.parts.iter().flatten().filter_map(|part| serde_json::from_str(part).ok()).collect();
        if message.role == "user" {
            is_summary = parts.iter().any(|part| part.kind == "compaction");
            let said: Vec<&str> =
                parts.iter().filter(|part| part.kind == "text" && !part.synthetic).map(|part| part.text.as_str()).collect();
            if !is_summary && !said.is_empty() {
                waiting.push((&row.id, Asked { text: said.join("\n"), created: row.created }));
            }
            continue;
        }
        if message.role != "assistant" || message.is_summary() || (is_summary && message.parent.is_none()) {
            continue;
        }
        let parent = message.parent.as_deref();
        let known = parent.and_then(|parent| turn_of.get(parent).copied());
        let at = known.unwrap_or_else(|| {
            // The prompts up to this one are answered now: by the turn that goes on, if there is one. A message that was never
            // completed is of an agent that has ended.
            let upto = waiting.iter().position(|(id, _)| Some(*id) == parent).map_or(0, |at| at + 1);
            let goes_on = takes_in && drafts.last().is_some_and(|(_, aside)| *aside == is_aside);
            let mut at = drafts.len().saturating_sub(1);
            for (n, (id, asked)) in waiting.drain(..upto).enumerate() {
                if !goes_on && (n == 0 || drafts.is_empty()) {
                    drafts.push((TurnDraft::begun(Some(sessions::time(asked.created))), is_aside));
                    at = drafts.len() - 1;
                }
                if let Some((draft, _)) = drafts.get_mut(at) {
                    draft.ask(asked.text, Some(sessions::time(asked.created)), place(asked.created));
                }
                turn_of.insert(id, at);
            }
            at
        });
        if drafts.is_empty() {
            drafts.push((TurnDraft::begun(Some(sessions::time(row.created))), is_aside));
        }
        if let Some((draft, _)) = drafts.get_mut(at) {
            let has_gap = row.parts.iter().any(Option::is_none);
            answer(draft, &message, &parts, has_gap, row.created);
            takes_in = message.time.completed.is_some() && !draft.has_ended();
        }
    }
    let goes_on = drafts.last().is_some_and(|(draft, _)| !draft.has_ended() && !draft.is_empty());
    let mut queued = Vec::new();
    for (_, Asked { text, created }) in waiting {
        let at = Some(sessions::time(created));
        if goes_on {
            queued.push(PromptLine { text, at, place: place(created), step: 0 });
        } else {
            let mut draft = TurnDraft::begun(at);
            draft.ask(text, at, place(created));
            drafts.push((draft, is_aside));
        }
    }
    drafts.retain(|(draft, _)| !draft.is_empty());
    let count = drafts.len();
    let mut parsed = Parsed { queued, ..Parsed::default() };
    for (n, (mut draft, is_aside)) in drafts.into_iter().enumerate() {
        if n + 1 < count || is_aside {
            draft.is_followed();
        }
        if is_aside { &mut parsed.aside } else { &mut parsed.turns }.push(draft.finish());
    }
    parsed
}

fn answer(draft: &mut TurnDraft, message: &StoredMessage, parts: &[Part], has_gap: bool, created: i64) {
    if has_gap {
        draft.lacks_a_line();
    }
    for part in parts {
        let begun = part.time.get("start").or_else(|| part.state.get("time")?.get("start")).and_then(Value::as_i64);
        let at = Some(sessions::time(begun.unwrap_or(created)));
        let is_whole = part.time.get("end").is_some() || message.time.completed.is_some();
        match part.kind.as_str() {
            // What is still being written would be taken for something else when it is longer.
            "text" if is_whole && !part.synthetic => draft.write(part.text.clone(), at),
            "reasoning" if is_whole => draft.think(part.text.clone(), at),
            "tool" => tool(draft, part, at),
            _ => {}
        }
    }
    let Some(completed) = message.time.completed else { return draft.goes_on() };
    let at = Some(sessions::time(completed));
    match (&message.error, message.finish.as_deref()) {
        (Some(error), _) => fail(draft, error, at),
        (None, Some("tool-calls")) if parts.iter().any(is_refused) => draft.end(TurnEnd::Interrupted, Some("refused"), at),
        // A finish that OpenCode follows with another message of its own.
        (None, Some("tool-calls" | "unknown")) => draft.goes_on(),
        (None, Some(_)) => draft.end(TurnEnd::Done, Some("finish"), at),
        // Its agent ended in order, and left it.
        (None, None) => draft.end(TurnEnd::Interrupted, None, at),
    }
}

/// Whether a person said no to a tool.
fn is_refused(part: &Part) -> bool {
    let is = |key: &str, texts: &[&str]| part.state.get(key).and_then(Value::as_str).is_some_and(|text| texts.contains(&text));
    part.kind == "tool" && is("status", &["error"]) && is("error", &REFUSALS)
}

fn tool(draft: &mut TurnDraft, part: &Part, at: Option<DateTime<Utc>>) {
    draft.call(&part.call, part.tool.clone(), arguments(part.state.get("input").unwrap_or(&Value::Null)), at);
    let ended = part.state.get("time").and_then(|time| time.get("end")).and_then(Value::as_i64).map(sessions::time);
    let text = |key: &str| text_of(part.state.get(key).unwrap_or(&Value::Null));
    match part.state.get("status").and_then(Value::as_str) {
        Some("completed") => draft.give(&part.call, text("output"), false, ended),
        Some("error") => draft.give(&part.call, text("error"), true, ended),
        _ => {}
    }
}

fn fail(draft: &mut TurnDraft, error: &Value, at: Option<DateTime<Utc>>) {
    let name = error.get("name").and_then(Value::as_str).unwrap_or_default();
    if name == "MessageAbortedError" {
        return draft.end(TurnEnd::Interrupted, Some("MessageAbortedError"), at);
    }
    let data = error.get("data").unwrap_or(&Value::Null);
    let message = data.get("message").and_then(Value::as_str).unwrap_or(name).to_owned();
    let kind = match (name, data.get("statusCode").and_then(Value::as_u64)) {
        ("ProviderAuthError", _) => TurnErrorKind::AuthFailed,
        (_, Some(status)) => TurnErrorKind::of_status(status),
        (_, None) => TurnErrorKind::Error,
    };
    draft.fail(kind, message, Some("error"), at);
}
