//! What became of a text that was sent: only what was seen. Values only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::{BlockCode, OperationId};

/// The schema of a receipt.
pub const RECEIPT_SCHEMA: &str = "headcount/receipt/v1";

/// A text that a transcript holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How.
    pub held_as: SaidAs,
    /// It, as it was typed.
    pub text: String,
}

/// How a transcript holds a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidAs {
    /// As a prompt.
    Prompt,
    /// As one that waits for the turn to end.
    Queued,
}

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendOutcome {
    /// The transcript holds the text as a prompt.
    Delivered,
    /// The agent has queued it, and says it itself at its turn's end.
    Queued,
    /// headcount keeps it until the turn's end.
    Waiting,
    /// It stands in the composer, and Enter was not pressed.
    Staged,
    /// Something stood in the way, and nothing was typed.
    Held,
    /// It may not be sent at all.
    Refused,
    /// Something was typed, and what became of it could not be seen.
    Unverified,
    /// The transcript holds the text as a prompt, and the service of the agent's model refused it: a limit, or a login.
    Rejected,
    /// Nothing was done; this is what would have been.
    Preview,
    /// It was sent before under this key.
    Duplicate,
}

impl SendOutcome {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Staged => "staged",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Unverified => "unverified",
            Self::Rejected => "rejected",
            Self::Preview => "preview",
            Self::Duplicate => "duplicate",
        }
    }

    /// Whether the transcript holds the text as a prompt.
    pub const fn is_said(self) -> bool {
        matches!(self, Self::Delivered | Self::Rejected)
    }
}

/// When each phase was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SendPhases {
    /// What the REF means was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolved: Option<DateTime<Utc>>,
    /// Its agent is alive there, and takes prompts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<DateTime<Utc>>,
    /// Its composer was seen empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub composer: Option<DateTime<Utc>>,
    /// The text was seen in it, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub staged: Option<DateTime<Utc>>,
    /// Enter was pressed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub submitted: Option<DateTime<Utc>>,
    /// The transcript was seen to hold it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivered: Option<DateTime<Utc>>,
}

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendReceipt {
    /// `headcount/receipt/v1`.
    pub schema: String,
    /// Its name; none if nothing was begun.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<OperationId>,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// How far it came, UTC.
    pub phases: SendPhases,
    /// How it ended.
    pub outcome: SendOutcome,
    /// The reason as a word, where it was held.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<BlockCode>,
    /// One line: what is so, and what to do.
    pub message: String,
    /// What was seen that proves it, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evidence: Vec<String>,
    /// Whether a turn that went on took it up: the running answer was cut.
    #[serde(default)]
    pub steered: bool,
    /// How many control characters were taken out of it.
    #[serde(default)]
    pub stripped: usize,
    /// The receipt of the same text under the same key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duplicate_of: Option<OperationId>,
    /// How that one ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_outcome: Option<SendOutcome>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}
