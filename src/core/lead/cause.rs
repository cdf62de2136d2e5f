//! Why headcount acts on a session by itself. A value only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a session is acted on although nobody asks for it at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeadCause {
    /// What its entry wants has changed since it was last acted on.
    Edited,
    /// The host was booted since its agent was seen alive.
    Rebooted,
    /// Its server ended, or was replaced, since its agent was seen alive.
    ServerLost,
    /// Its agent failed.
    Failed,
    /// Its agent quit, and `restart: always` has it started again.
    Quit,
}

impl LeadCause {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Rebooted => "rebooted",
            Self::ServerLost => "server-lost",
            Self::Failed => "failed",
            Self::Quit => "quit",
        }
    }
}
