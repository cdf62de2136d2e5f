//! What `history` says of each recorded change, as values. Pure; the journal is read elsewhere.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EditReport;
use crate::core::drift::{Class, Evidence};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::{ActionKind, OperationId, Outcome};
use crate::core::text::seconds;

/// The value of a history document's `schema` field. Within `v1` fields are only ever added.
pub const SCHEMA: &str = "headcount/history/v1";

/// What was recorded in one manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryReport {
    /// Always `headcount/history/v1`.
    pub schema: String,
    /// The absolute path of the manifest.
    pub manifest: String,
    /// The recorded changes, newest first.
    pub entries: Vec<HistoryEntry>,
    /// The entries of the journal that are no change of the manifest, newest first. Numbers say where they belong among the
    /// others.
    #[serde(default)]
    pub notes: Vec<HistoryNote>,
    /// What was done to its sessions, newest first.
    #[serde(default)]
    pub operations: Vec<HistoryOperation>,
}

/// Something that was done to a session: a start, a resume, a stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryOperation {
    /// Its name.
    pub id: OperationId,
    /// When it began, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: ActionKind,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// Who asked for it.
    pub by: String,
    /// How it ended; none as long as it has not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// Why it was not done, or what was seen that proves it.
    pub message: String,
}

/// Something in the journal that is no recorded change: `headcount undo` does not take it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryNote {
    /// Its number.
    pub id: String,
    /// When it was noted, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// What kind of entry it is, such as `kept`: a version of the manifest that another program saved was kept. A newer headcount
    /// may have written other kinds.
    pub kind: String,
    /// The session it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionKey>,
    /// One line about it; empty if this version of headcount cannot say more.
    pub message: String,
}

/// One recorded change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Its number, as `headcount undo` takes it.
    pub id: String,
    /// When it was recorded, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The class of the drift it answered.
    pub class: Class,
    /// The letter of the class, A to I.
    pub code: char,
    /// The session.
    pub session: SessionKey,
    /// Its agent, by its canonical name.
    pub agent: AgentKind,
    /// One line about it.
    pub message: String,
    /// What it rested on.
    pub evidence: Vec<Evidence>,
    /// The edits, in the order they were made.
    pub edits: Vec<EditReport>,
    /// The number of the entry it took back, if it is an `undo`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undoes: Option<String>,
}
