//! Why headcount acts on a session by itself, and why what it did failed. Values only.

use std::fmt;

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

/// Why a start or its agent failed, where that is nothing of its session's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCause {
    /// Nobody is signed in.
    Login,
    /// A limit of use was reached.
    Limit,
    /// The disk is full.
    DiskFull,
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login => "nobody is signed in",
            Self::Limit => "a limit of use was reached",
            Self::DiskFull => "the disk is full",
        })
    }
}
