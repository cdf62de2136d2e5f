//! What OpenCode is doing in a conversation, by its newest message. That it waits for a permission is not written there: of a tool
//! that may wait for one nothing is said.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::Value;

use super::{database, sessions};
use crate::agent::LiveConversation;
use crate::core::fact::Fact;
use crate::core::observe::Activity;

/// The most bytes of a message that are read; its text and its tools' output are kept elsewhere.
const MOST: usize = 256 << 10;

/// What a tool fails with where a person has said no: then OpenCode ends the turn, although the finish is a call of tools.
pub(super) const REFUSALS: [&str; 2] =
    ["The user rejected permission to use this specific tool call.", "The user dismissed this question"];

/// What is read of a message.
#[derive(Deserialize)]
pub(super) struct StoredMessage {
    pub(super) role: String,
    #[serde(default)]
    pub(super) time: MessageTime,
    #[serde(default)]
    pub(super) finish: Option<String>,
    #[serde(default)]
    pub(super) error: Option<Value>,
    /// The prompt it answers.
    #[serde(rename = "parentID", default)]
    pub(super) parent: Option<String>,
    /// Whether it is what a compaction made of the conversation. Of a prompt it is something else.
    #[serde(default)]
    summary: Value,
}

impl StoredMessage {
    /// Whether it is what a compaction made of the conversation.
    pub(super) fn is_summary(&self) -> bool {
        self.summary == Value::Bool(true)
    }
}

#[derive(Deserialize, Default)]
pub(super) struct MessageTime {
    #[serde(default)]
    pub(super) completed: Option<i64>,
}

/// What the agent is doing.
pub(super) fn of(scene: &LiveConversation<'_>) -> Fact<Activity> {
    // Without a row there was no prompt yet, or it could not be told where it is.
    let Some(transcript) = scene.transcript else { return Fact::Absent };
    let look = |connection: &Connection| {
        let newest = newest(connection, scene.id.as_str())?;
        let of = |ask: fn(&Connection, &str) -> rusqlite::Result<bool>| {
            newest.as_ref().map_or(Ok(false), |(id, ..)| ask(connection, id))
        };
        let (may_wait, is_refused) = (of(may_wait)?, of(is_refused)?);
        Ok(newest.map(|(_, created, data)| (created, data, may_wait, is_refused)))
    };
    match database::look(&transcript.path, look) {
        Fact::Seen(Some((_, None, ..))) => Fact::Unknown(format!("the newest message has more than {MOST} bytes")),
        Fact::Seen(Some((created, Some(data), may_wait, is_refused))) => match serde_json::from_str::<StoredMessage>(&data) {
            Ok(message) if is_refused && message.time.completed.is_some() => Fact::Seen(Activity::Idle),
            Ok(message) => match judge(&message, sessions::time(created), scene.process.started) {
                Fact::Seen(Activity::Working) if may_wait => Fact::Absent,
                turn => turn,
            },
            Err(error) => Fact::Unknown(format!("cannot parse the newest message: {error}")),
        },
        Fact::Seen(None) | Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// The id of the newest message, when it was begun, and what it holds. Only by its index: without one all messages would have to be read.
fn newest(connection: &Connection, id: &str) -> rusqlite::Result<Option<(String, i64, Option<String>)>> {
    let sql = format!(
        "SELECT id, time_created, CASE WHEN octet_length(data) <= {MOST} THEN data END FROM message \
         INDEXED BY message_session_time_created_id_idx WHERE session_id = ?1 ORDER BY time_created DESC, id DESC LIMIT 1"
    );
    connection.query_row(&sql, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
}

/// Whether a message has a tool that may wait for leave to run: it counts as running from its call on, and has no metadata until it
/// does (1.18).
fn may_wait(connection: &Connection, message: &str) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM part INDEXED BY part_message_id_id_idx WHERE message_id = ?1 \
         AND CASE WHEN octet_length(data) <= {MOST} AND json_valid(data) THEN data ->> '$.type' = 'tool' \
         AND data ->> '$.state.status' = 'running' AND data -> '$.state.metadata' IS NULL END)"
    );
    connection.query_row(&sql, [message], |row| row.get(0))
}

/// Whether a message has a tool that a person said no to.
fn is_refused(connection: &Connection, message: &str) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM part INDEXED BY part_message_id_id_idx WHERE message_id = ?1 \
         AND CASE WHEN octet_length(data) <= {MOST} AND json_valid(data) THEN data ->> '$.type' = 'tool' \
         AND data ->> '$.state.status' = 'error' AND data ->> '$.state.error' IN (?2, ?3) END)"
    );
    connection.query_row(&sql, [message, REFUSALS[0], REFUSALS[1]], |row| row.get(0))
}

fn judge(message: &StoredMessage, created: DateTime<Utc>, started: DateTime<Utc>) -> Fact<Activity> {
    let goes_on = match message.role.as_str() {
        "user" => true,
        "assistant" if message.error.is_some() => false,
        // A finish that OpenCode follows with another message of its own.
        "assistant" if message.time.completed.is_some() => {
            matches!(message.finish.as_deref(), Some("tool-calls" | "unknown"))
        }
        "assistant" => true,
        other => return Fact::Unknown(format!("unknown message role {other:?}")),
    };
    // What was begun before this process was left by an earlier one that was killed.
    Fact::Seen(if goes_on && created >= started { Activity::Working } else { Activity::Idle })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn turn(data: &str, begun_after_start: bool) -> Fact<Activity> {
        let started = sessions::time(1_795_231_687_000);
        let created = if begun_after_start { started } else { started - chrono::TimeDelta::milliseconds(1) };
        judge(&serde_json::from_str(data).unwrap(), created, started)
    }

    #[test]
    fn the_newest_message_tells_whether_another_is_to_come() {
        for (data, expected) in [
            (r#"{"role":"user","time":{"created":1}}"#, Activity::Working),
            (r#"{"role":"assistant","time":{"created":1}}"#, Activity::Working),
            (r#"{"role":"assistant","time":{"created":1,"completed":2},"finish":"tool-calls"}"#, Activity::Working),
            (r#"{"role":"assistant","time":{"created":1,"completed":2},"finish":"stop"}"#, Activity::Idle),
            (r#"{"role":"assistant","time":{"created":1,"completed":2},"finish":"length"}"#, Activity::Idle),
            (
                r#"{"role":"assistant","time":{"created":1,"completed":2},"error":{"name":"MessageAbortedError"}}"#,
                Activity::Idle,
            ),
            (r#"{"role":"assistant","time":{"created":1},"error":{"name":"UnknownError"}}"#, Activity::Idle),
        ] {
            assert_eq!(turn(data, true), Fact::Seen(expected), "{data}");
            assert_eq!(turn(data, false), Fact::Seen(Activity::Idle), "left by an earlier process: {data}");
        }
        assert!(turn(r#"{"role":"system"}"#, true).why_unknown().is_some());
    }
}
