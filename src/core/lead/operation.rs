//! One operation on one session: its name, its outcome, and how they are reported. Values only.

use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::{ActionKind, BlockCode, Renaming};
use super::cause::{FailureCause, LeadCause};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::text::seconds;

/// The schema of what `apply`, `start`, `stop` and `restart` print.
pub const REPORT_SCHEMA: &str = "headcount/apply/v1";

/// The name of an operation: when it began, in milliseconds since 1970 as 12 hexadecimal digits, and the process that began it.
/// Later ones sort behind earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OperationId(String);

impl OperationId {
    /// The name of the `count`th operation that this process began in this moment.
    pub fn new(at: DateTime<Utc>, pid: u32, count: u32) -> Self {
        Self(format!("{:012x}-{pid:x}-{count:x}", at.timestamp_millis()))
    }

    /// A text as such a name; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = (14..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        is_name.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operation as it was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// What is done.
    pub action: ActionKind,
    /// To which session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The conversation that is resumed, or begun under an id of ours.
    pub conversation: Option<ConversationId>,
    /// When it began.
    pub begun: DateTime<Utc>,
    /// The boot of the host in which it began.
    pub boot: Option<String>,
    /// Milliseconds from that boot to when it began, by the clock that nobody sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_boot: Option<i64>,
    /// Why a watch began it; none where somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<LeadCause>,
    /// Who asked for it.
    pub by: String,
    /// The process that carries it out, and when that started, in clock ticks since boot.
    pub engine: (u32, Option<u64>),
    /// The running session that gets another name by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renaming: Option<Renaming>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done, and that was seen.
    Done,
    /// It was tried and did not come about.
    Failed,
    /// It was not tried: something stood in the way.
    Refused,
    /// It was tried, and whether it came about could not be seen.
    Unverified,
    /// There was nothing to do.
    Skipped,
}

impl Outcome {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unverified => "unverified",
            Self::Skipped => "skipped",
        }
    }
}

/// An operation in a few words, for whoever sees many sessions at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationBrief {
    /// Its name.
    pub id: OperationId,
    /// What was done.
    pub action: ActionKind,
    /// When it began, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// Why a watch began it; none where somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<LeadCause>,
    /// How it ended; none as long as it has not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// What stood in its way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<BlockCode>,
}

impl OperationBrief {
    /// Of an operation and what became of it.
    pub fn of(operation: &Operation, receipt: Option<&OperationReport>) -> Self {
        Self {
            id: operation.id.clone(),
            action: operation.action,
            at: operation.begun,
            cause: operation.cause,
            outcome: receipt.map(|receipt| receipt.outcome),
            code: receipt.and_then(|receipt| receipt.code),
        }
    }
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationReport {
    /// Its name; none if it never began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<OperationId>,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// What was to be done.
    pub action: ActionKind,
    /// How it ended.
    pub outcome: Outcome,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// What was seen that proves it, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub verified_by: Vec<String>,
    /// Why it was not done; what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The reason as a word, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<BlockCode>,
    /// Why it failed, where that is nothing of its session's own: then others may fail for it as well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<FailureCause>,
    /// The last lines that the pane showed, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_tail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What `apply`, `start`, `stop` and `restart` print as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApplyReport {
    /// `headcount/apply/v1`.
    pub schema: String,
    /// The manifest.
    pub manifest: String,
    /// One per session that was asked for or in need of something.
    pub operations: Vec<OperationReport>,
}
