//! What is written down of an agent that does a job at a terminal, line by line, as an agent without one says it itself. Reads and writes
//! nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{StreamEnd, StreamNews};
use crate::core::lead::turns::{TurnStep, TurnStepKind};

/// One thing that was seen of such an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttendedLine {
    /// Its conversation took the prompt in; which it is.
    Conversation(String),
    /// What it said.
    Text(String),
    /// What it did, one line.
    Deed(String),
    /// Its turn is over.
    Done {},
    /// Its turn failed, or the prompt could not be given to it; why.
    Failed(String),
}

/// The longest deed, in characters.
const LONGEST: usize = 160;

impl AttendedLine {
    /// What a step of its turn comes to; `None`: what a tool gave is the tool's.
    pub fn of_step(step: &TurnStep) -> Option<Self> {
        match step.kind {
            TurnStepKind::Text => Some(Self::Text(step.text.clone())),
            TurnStepKind::Tool => {
                let about = step.text.lines().next().unwrap_or_default();
                let deed = format!("{} {about}", step.tool.as_deref().unwrap_or("tool"));
                Some(Self::Deed(deed.trim_end().chars().take(LONGEST).collect()))
            }
            TurnStepKind::Thinking | TurnStepKind::Result | TurnStepKind::Prompt => None,
        }
    }

    /// Whether this is of a step.
    pub const fn is_step(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Deed(_))
    }
}

/// Reads such a line.
pub fn read_attended(value: &Value) -> StreamNews {
    let none = StreamNews::default();
    match AttendedLine::deserialize(value) {
        Ok(AttendedLine::Conversation(id)) => StreamNews { id: Some(id), deed: Some("took the prompt".to_owned()), ..none },
        Ok(AttendedLine::Text(text)) => StreamNews { text: Some(text), ..none },
        Ok(AttendedLine::Deed(deed)) => StreamNews { deed: Some(deed), ..none },
        Ok(AttendedLine::Done {}) => StreamNews { end: Some(StreamEnd::Done), ..none },
        Ok(AttendedLine::Failed(why)) => StreamNews { end: Some(StreamEnd::Failed(why)), ..none },
        Err(_) => none,
    }
}
