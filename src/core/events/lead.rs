//! What an enforcing watch says of the sessions that it leads. Values only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::ids::{AgentKind, ConversationId, SessionKey};
use super::super::lead::send::{SendOutcome, SendReceipt};
use super::super::lead::{BlockCode, LeadCause, OperationId, OperationReport};
use super::super::text::{printable, seconds};

/// An enforcing watch is about to act on a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedEvent {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The session.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// What is wanted of it: `running` or `stopped`.
    pub desired: String,
    /// Why now.
    pub cause: LeadCause,
    /// One line, ready to post as a comment.
    pub message: String,
}

/// What an enforcing watch did to a session has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationEvent {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// Why it was begun.
    pub cause: LeadCause,
    /// What became of it.
    #[serde(flatten)]
    pub report: OperationReport,
    /// One line, ready to post as a comment.
    pub message: String,
}

/// Something is wanted of a session, and may not be done, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockedEvent {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The session.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// The reason as a word.
    pub code: BlockCode,
    /// Until when, where time alone ends it, UTC.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub until: Option<DateTime<Utc>>,
    /// One line, ready to post as a comment: what is so, and what a person can do.
    pub message: String,
}

/// What became of a text that waited for its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentEvent {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The session.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// The conversation it was for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// The name of its receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<OperationId>,
    /// What became of it.
    pub outcome: SendOutcome,
    /// One line, ready to post as a comment.
    pub message: String,
}

impl SentEvent {
    /// Of this receipt.
    pub fn of(receipt: SendReceipt, at: DateTime<Utc>) -> Self {
        let SendReceipt { session, agent, conversation, id, outcome, message, .. } = receipt;
        let message = format!("{}: a text that waited is {}: {message}.", printable(&session.name), outcome.as_str());
        Self { at, session, agent, conversation, receipt: id, outcome, message }
    }
}

/// A session that was lost, or had failed, runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackEvent {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The session.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// What had ended it.
    pub cause: LeadCause,
    /// The conversation it is in, if that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// One line, ready to post as a comment.
    pub message: String,
}
