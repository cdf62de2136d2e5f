//! What `events` prints of what an agent said of itself. Pure; the events are read elsewhere.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::hooks::{HookEvent, HookKind, PromptMark};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};

/// The value of the `schema` field. Within `v1` fields are only ever added.
pub const SCHEMA: &str = "headcount/event/v1";

/// One event of a session, as its agent's hook told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookEventReport {
    /// Always `headcount/event/v1`.
    pub schema: String,
    /// When it was written down, UTC.
    pub at: DateTime<Utc>,
    /// What happened. A newer headcount may know other words.
    #[serde(rename = "type")]
    pub kind: HookKind,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The process that told it.
    pub pid: u32,
    /// The conversation that the agent says it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// The transcript it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transcript: Option<String>,
    /// The working directory it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cwd: Option<String>,
    /// Length and hash of the prompt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt: Option<PromptMark>,
    /// A word about it, in the agent's language: how a session began or ended, what a notification is about, the tool that needs a
    /// permission.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The agent's own id of the turn or prompt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn: Option<String>,
    /// How many tasks go on in the background, where the agent says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub background: Option<u32>,
}

impl HookEventReport {
    /// What an event of a session is for a program.
    pub fn new(session: &SessionKey, event: HookEvent) -> Self {
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        Self {
            schema: SCHEMA.to_owned(),
            at: event.at,
            kind: event.kind,
            session: session.clone(),
            agent: event.agent,
            pid: event.process.pid,
            conversation: event.session_id,
            transcript: event.transcript.map(text),
            cwd: event.cwd.map(text),
            prompt: event.prompt,
            detail: event.detail,
            turn: event.turn,
            background: event.background,
        }
    }
}
