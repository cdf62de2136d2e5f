//! What `screen` prints for programs. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::ids::{AgentKind, SessionKey};

/// The value of a screen document's `schema` field. Within `v1` fields are only ever added.
pub const SCREEN_SCHEMA: &str = "headcount/screen/v1";

/// What a pane shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScreenReport {
    /// Always `headcount/screen/v1`.
    pub schema: String,
    /// The session.
    pub session: Option<SessionKey>,
    /// The agent that runs in the pane.
    pub agent: Option<AgentKind>,
    /// The pane, as MUX:SERVER:PANE. `null`: there is none that could be shown.
    pub pane: Option<String>,
    /// The visible lines; those at the end that are empty are left out.
    pub text: Option<String>,
    /// Why there is no text.
    pub why: Option<String>,
}
