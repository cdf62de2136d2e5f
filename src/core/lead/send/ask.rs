//! What became of a question. A value only.

use schemars::JsonSchema;
use serde::Serialize;

use super::receipt::SendReceipt;
use crate::core::lead::turns::Turn;

/// The schema of what `ask --json` prints.
pub const ASK_SCHEMA: &str = "headcount/ask/v1";

/// How waiting for an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AskEnd {
    /// The turn that took it in has ended, and this is the answer.
    Answered,
    /// It was not delivered.
    NotDelivered,
    /// The agent waits for an answer itself.
    NeedsInput,
    /// The turn failed.
    Failed,
    /// The turn was interrupted, or its agent has left.
    Interrupted,
    /// The turn goes on.
    TimedOut,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AskReport {
    /// `headcount/ask/v1`.
    pub schema: String,
    /// How waiting for the answer ended.
    pub end: AskEnd,
    /// One line: what is so.
    pub message: String,
    /// What the agent wrote since it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// What became of the text.
    pub receipt: SendReceipt,
}
