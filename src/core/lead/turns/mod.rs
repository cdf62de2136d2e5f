//! A turn of a conversation, in one form for every agent: what was asked, what the agent did and answered, and how it ended. Pure:
//! `agent/*/turns.rs` makes it of what an agent wrote, and nothing here reads.

mod draft;
mod end;
mod find;
mod page;
mod report;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

pub use draft::TurnDraft;
pub use end::{AnswerSeen, EndVerdict, SETTLED_AFTER, judge_end};
pub use find::{TurnAnswer, TurnReply, TurnUptake, answer_to, refusal, uptake};
pub use page::{TranscriptPosition, TurnPage};
pub use report::{LOG_SCHEMA, LogEntry, LogKind, LogLine, TURN_SCHEMA, TurnReport, log_of};

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Turn {
    /// What was asked. `null`: the agent began it by itself, or it began before what was read.
    pub prompt: Option<String>,
    /// When it began, if that is written down.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub end: TurnEnd,
    /// Whether something of it is missing here: it has not ended, or not all of it was read.
    pub partial: bool,
    /// Why it failed, where it did.
    pub error: Option<TurnError>,
    /// What happened in it, in order.
    pub steps: Vec<TurnStep>,
    /// The answer: what the agent wrote last.
    pub text: String,
    /// Every line by which somebody asked something in it: the first is the prompt.
    #[serde(skip)]
    pub lines: Vec<PromptLine>,
    /// The agent's own mark that it has ended. Without one an end is only likely.
    #[serde(skip)]
    pub mark: Option<&'static str>,
    /// How many tools were called and have given nothing yet.
    #[serde(skip)]
    pub pending: usize,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TurnEnd {
    /// The agent has answered.
    Done,
    /// It was interrupted, or its agent ended before it.
    Interrupted,
    /// It failed.
    Error,
    /// It goes on, as far as the transcript tells.
    Open,
}

impl TurnEnd {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
            Self::Open => "open",
        }
    }
}

/// Why a turn failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TurnError {
    /// What kind of failure it is.
    pub kind: TurnErrorKind,
    /// What the agent wrote about it.
    pub message: String,
    /// When the limit that was reached is over, where the agent wrote that down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<DateTime<Utc>>,
}

/// What kind of failure ended a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TurnErrorKind {
    /// A limit of use, or of requests, was reached.
    RateLimited,
    /// The agent is not signed in, or its key was refused.
    AuthFailed,
    /// Any other.
    Error,
}

impl TurnErrorKind {
    /// The kind that a status of HTTP stands for.
    pub fn of_status(status: u64) -> Self {
        match status {
            401 | 403 => Self::AuthFailed,
            429 => Self::RateLimited,
            _ => Self::Error,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::AuthFailed => "auth-failed",
            Self::Error => "error",
        }
    }
}

/// Something that happened in a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TurnStep {
    /// What it is.
    pub kind: TurnStepKind,
    /// When it was written, if that is written down.
    pub at: Option<DateTime<Utc>>,
    /// The tool, where it is the call of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Whether it is the result of a tool that failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What it says: text, the arguments of a tool, what a tool gave.
    pub text: String,
    /// All arguments of a tool, as JSON.
    #[serde(skip)]
    pub input: Option<String>,
}

/// What a tool was called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolInput {
    /// The one argument that tells most, or all of them.
    pub text: String,
    /// All of them, as JSON.
    pub json: Option<String>,
}

impl From<&str> for ToolInput {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), json: None }
    }
}

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TurnStepKind {
    /// What the agent wrote.
    Text,
    /// What the agent thought, as far as it is written down.
    Thinking,
    /// A tool that was called.
    Tool,
    /// What a tool gave.
    Result,
    /// Something more that was asked while the turn went on, and that it took in.
    Prompt,
}

/// A line of a transcript by which somebody asked something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptLine {
    /// What was asked, as it was typed.
    pub text: String,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Where it stands, in the terms of [`TranscriptPosition`].
    pub place: u64,
    /// How many steps of its turn stand before it.
    pub step: usize,
}
