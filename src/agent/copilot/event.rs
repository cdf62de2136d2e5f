//! An event of Copilot's log (1.0). Says nothing of what is made of it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A line of the event log.
#[derive(Deserialize)]
pub(super) struct CopilotEvent {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) timestamp: DateTime<Utc>,
    #[serde(default)]
    pub(super) data: Value,
    /// Set where a helper of the agent speaks, not the agent itself.
    #[serde(rename = "agentId", default)]
    helper: Option<Value>,
}

impl CopilotEvent {
    pub(super) fn id(&self, key: &str) -> Option<String> {
        self.data.get(key)?.as_str().map(str::to_owned)
    }

    pub(super) fn is_of_a_helper(&self) -> bool {
        self.helper.is_some() || self.data.get("parentToolCallId").is_some_and(|id| !id.is_null())
    }
}
