//! A line of a session file of Pi (0.87). Says nothing of what is made of it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A line: an entry of a tree.
#[derive(Deserialize)]
pub(super) struct SessionLine<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(rename = "parentId", borrow, default)]
    pub(super) parent: Option<Cow<'a, str>>,
    pub(super) timestamp: DateTime<Utc>,
    #[serde(borrow, default)]
    pub(super) message: Option<SessionMessage<'a>>,
    /// Which message an edit of the context takes out.
    #[serde(rename = "targetId", borrow, default)]
    pub(super) target: Option<Cow<'a, str>>,
}

/// A message.
#[derive(Deserialize)]
pub(super) struct SessionMessage<'a> {
    #[serde(borrow)]
    pub(super) role: Cow<'a, str>,
    #[serde(rename = "stopReason", borrow, default)]
    pub(super) stop_reason: Option<Cow<'a, str>>,
    #[serde(rename = "errorMessage", borrow, default)]
    pub(super) error: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) content: Value,
    #[serde(rename = "toolCallId", borrow, default)]
    pub(super) call: Option<Cow<'a, str>>,
    #[serde(rename = "isError", default)]
    pub(super) is_error: bool,
}
