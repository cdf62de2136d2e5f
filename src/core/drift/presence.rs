//! Where an entry's session and its agent are, as a verdict keeps it. Shares what was observed; decides nothing.

use std::sync::Arc;

use crate::core::observe::{Agent, MuxSession, Pane};

/// An agent that is alive in a pane.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveAgent {
    /// The session it is in.
    pub session: Arc<MuxSession>,
    /// Its pane.
    pub pane: Arc<Pane>,
    /// The agent.
    pub agent: Arc<Agent>,
}

/// How an entry's session stands in the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence {
    /// It is not known, and why, one line: nothing follows from it.
    Unknown(String),
    /// Its server is not there, or answered without it.
    Absent {
        /// What was seen, one line.
        how: String,
    },
    /// The session is alive, its agent is not in it.
    NoAgent {
        /// The session.
        session: Arc<MuxSession>,
        /// What is there instead, one line.
        instead: String,
    },
    /// Several processes could be its agent.
    Several {
        /// The session.
        session: Arc<MuxSession>,
        /// The agents.
        candidates: Vec<LiveAgent>,
    },
    /// The session is alive with its agent.
    Alive(LiveAgent),
}

impl Presence {
    /// The agent, or those that could be it.
    pub fn agents(&self) -> &[LiveAgent] {
        match self {
            Self::Alive(live) => std::slice::from_ref(live),
            Self::Several { candidates, .. } => candidates,
            Self::Unknown(_) | Self::Absent { .. } | Self::NoAgent { .. } => &[],
        }
    }

    /// Whether the session is alive with its agent, be it one or several.
    pub fn has_agent(&self) -> bool {
        matches!(self, Self::Alive(_) | Self::Several { .. })
    }

    /// The agent, if it is exactly one.
    pub fn live(&self) -> Option<&LiveAgent> {
        match self {
            Self::Alive(live) => Some(live),
            _ => None,
        }
    }
}
