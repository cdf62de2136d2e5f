//! What judging asks of files and processes, entry by entry: functions that it is given. Looks at nothing itself.

use super::action::{ActionKind, Blocked};
use crate::core::drift::{LiveAgent, Presence};
use crate::core::fact::Fact;
use crate::core::manifest::Session;
use crate::core::observe::{MuxSession, Transcript};
use crate::core::report::rows::Resumable;

/// What stands in the way of something; `None`: nothing.
type Obstacle = Option<Blocked>;

/// What is asked of files and processes, entry by entry.
pub struct EntryFacts<'a> {
    /// What keeps its agent from being started at all, to begin a conversation or to go on in one: no table for it, no program, no
    /// directory.
    pub start: &'a dyn Fn(&Session, ActionKind) -> Obstacle,
    /// What keeps it from going on in this conversation, which only this live agent may be in.
    pub resume: &'a dyn Fn(&Resumable<'_>, Option<&LiveAgent>) -> Obstacle,
    /// What keeps it from being stopped.
    pub stop: &'a dyn Fn(&Session, &LiveAgent) -> Obstacle,
    /// What a live agent asks of a person before it takes prompts.
    pub asks: &'a dyn Fn(&Session, &LiveAgent) -> Obstacle,
    /// Who else has taken it in hand.
    pub hold: &'a dyn Fn(&Session, &Presence) -> Obstacle,
    /// Whether a session was made by a start of this entry, or holds the pane of one.
    pub is_made: &'a dyn Fn(&Session, &MuxSession) -> bool,
    /// Whether an id of ours can be given to a new conversation of its agent.
    pub takes_id: &'a dyn Fn(&Session) -> bool,
    /// Where a conversation that no pass has recorded yet has its transcript.
    pub transcript: &'a dyn Fn(&Resumable<'_>) -> Fact<Transcript>,
    /// Whether the last start of the session by headcount may have begun a conversation.
    pub may_have_begun: &'a dyn Fn(&Session) -> bool,
}
