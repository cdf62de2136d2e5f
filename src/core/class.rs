//! The classes of drift: their words and their letters. Decides nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::UnknownName;

/// A class of drift. The letters are the codes of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A: running in the manifest, absent from the multiplexer.
    Dead,
    /// B: alive and ours, without an entry.
    Unregistered,
    /// C: the live conversation is another than the recorded one, or none is recorded.
    NewId,
    /// D: the transcript of the recorded id is gone.
    StaleId,
    /// E: the session lives, its agent does not.
    AgentGone,
    /// F: ended or never seen in the manifest, alive with its agent.
    Revived,
    /// G: the pane is another than the recorded one, or the session was renamed.
    Moved,
    /// H: more than one answer, so none is recorded.
    Ambiguous,
    /// I: a job was delegated to the session, and the entry does not name it.
    Delegated,
}

impl Class {
    /// Every class, by code.
    pub const ALL: [Self; 9] = [
        Self::Dead,
        Self::Unregistered,
        Self::NewId,
        Self::StaleId,
        Self::AgentGone,
        Self::Revived,
        Self::Moved,
        Self::Ambiguous,
        Self::Delegated,
    ];

    /// The word used in manifests, options and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Unregistered => "unregistered",
            Self::NewId => "new-id",
            Self::StaleId => "stale-id",
            Self::AgentGone => "agent-gone",
            Self::Revived => "revived",
            Self::Moved => "moved",
            Self::Ambiguous => "ambiguous",
            Self::Delegated => "delegated",
        }
    }

    /// The letter, never reused.
    pub const fn code(self) -> char {
        match self {
            Self::Dead => 'A',
            Self::Unregistered => 'B',
            Self::NewId => 'C',
            Self::StaleId => 'D',
            Self::AgentGone => 'E',
            Self::Revived => 'F',
            Self::Moved => 'G',
            Self::Ambiguous => 'H',
            Self::Delegated => 'I',
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Class {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|class| class.as_str() == s).ok_or_else(|| UnknownName(s.to_owned()))
    }
}
