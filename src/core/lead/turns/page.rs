//! The newest turns of a conversation, as far as they were read, and where in its transcript that was.

use chrono::{DateTime, Utc};

use super::{PromptLine, Turn};

/// A place in a transcript: what was written before it is older than what is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranscriptPosition {
    /// Which file it is of. Another number there: the transcript was written anew. 0 for a database.
    pub file: u64,
    /// What stands below this number came before it: bytes of a file, or the newest time (in milliseconds) in a database.
    pub end: u64,
    /// When it was taken, for a transcript that was written anew.
    pub at: DateTime<Utc>,
}

impl TranscriptPosition {
    /// Whether a line was written after this position was taken. `now` is the position of the look that saw the line.
    pub fn is_before(&self, line: &PromptLine, now: &Self) -> bool {
        if self.file == now.file && now.end >= self.end {
            return line.place >= self.end;
        }
        line.at.is_some_and(|at| at >= self.at)
    }
}

/// What a look at a transcript gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnPage {
    /// The turns that the conversation consists of now, oldest first.
    pub turns: Vec<Turn>,
    /// Turns that were taken back: they stand in the transcript, and the conversation went on without them.
    pub aside: Vec<Turn>,
    /// What was typed while the agent worked, and waits for its turn.
    pub queued: Vec<PromptLine>,
    /// Where the transcript ended.
    pub position: TranscriptPosition,
    /// Whether all of the transcript was read.
    pub is_all: bool,
}

impl TurnPage {
    /// The last turns, at most so many.
    pub fn last(&self, count: usize) -> &[Turn] {
        self.turns.get(self.turns.len().saturating_sub(count)..).unwrap_or_default()
    }
}
