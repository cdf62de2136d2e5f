//! A line of a Codex rollout, and the marks of turns among them (0.169). Says nothing of what is made of them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A line of a rollout.
#[derive(Deserialize)]
pub(super) struct RolloutLine<'a> {
    pub(super) timestamp: DateTime<Utc>,
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) payload: Option<RolloutPayload<'a>>,
}

/// What it says, as far as it is read.
#[derive(Deserialize)]
pub(super) struct RolloutPayload<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) turn_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) role: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) content: Value,
    #[serde(borrow, default)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) call_id: Option<Cow<'a, str>>,
    /// Of a call of a function.
    #[serde(borrow, default)]
    pub(super) arguments: Option<Cow<'a, str>>,
    /// Of a call of a tool that takes text, and of what it gave.
    #[serde(default)]
    pub(super) input: Value,
    #[serde(default)]
    pub(super) output: Value,
    /// Of a call of the shell, or of a search.
    #[serde(default)]
    pub(super) action: Value,
    #[serde(default)]
    pub(super) summary: Value,
    #[serde(default)]
    pub(super) error: Value,
    /// How much of what may be used was used, window by window.
    #[serde(default)]
    pub(super) rate_limits: Value,
    #[serde(rename = "internal_chat_message_metadata_passthrough", default)]
    pub(super) passed: Passed,
}

/// What Codex notes beside a message.
#[derive(Deserialize, Default)]
pub(super) struct Passed {
    #[serde(default)]
    pub(super) turn_id: Option<String>,
    #[serde(default)]
    pub(super) content_item_kinds: Option<Vec<String>>,
}

/// A mark of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Began,
    Completed,
    Aborted,
}

impl RolloutLine<'_> {
    /// The mark that this line is, if it is one.
    pub(super) fn mark(&self) -> Option<Mark> {
        if self.kind != "event_msg" {
            return None;
        }
        match self.payload.as_ref()?.kind.as_deref()? {
            "task_started" => Some(Mark::Began),
            "task_complete" => Some(Mark::Completed),
            "turn_aborted" => Some(Mark::Aborted),
            _ => None,
        }
    }
}
