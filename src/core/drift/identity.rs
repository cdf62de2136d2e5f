//! Whose conversation is it: weighs the rungs of one agent's ladder against what is recorded and who else claims it. Pure.
//!
//! Rungs 1 to 3 may replace a recorded id; 4 only if the process started after that id was written; 5 and 6 only fill a null
//! and need to be alone in the workspace. Whatever is not proven is `ambiguous`, with candidates; nothing is guessed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{LastMessage, Rung, RungValue};
use crate::core::observe::{Agent, Process};

/// How near to the start of the process an appearance proves nothing either way.
const CANNOT_TELL: TimeDelta = TimeDelta::seconds(1);

/// What is known of the conversation of one live agent, before anybody else's claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Proven by this rung.
    Proven {
        /// The conversation.
        id: ConversationId,
        /// The rung.
        rung: Rung,
    },
    /// More than one answer, or none that proves.
    Ambiguous(Vec<Candidate>),
    /// No rung says anything.
    Nothing,
    /// A rung could not be read, so nothing below it counts.
    Unknown(String),
}

/// A conversation that might be the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The conversation.
    pub id: ConversationId,
    /// Why it is not proven, one line.
    pub why_not: String,
}

impl Candidate {
    pub(super) fn new(id: &ConversationId, why_not: impl Into<String>) -> Self {
        Self { id: id.clone(), why_not: why_not.into() }
    }
}

/// The strongest of rungs 1 to 4 that says anything about this agent.
pub(super) fn proof_of(agent: &Agent) -> Identity {
    match agent.ladder.proof() {
        Fact::Seen((id, rung)) => Identity::Proven { id: id.clone(), rung },
        Fact::Unknown(why) => Identity::Unknown(why),
        Fact::Absent => Identity::Nothing,
    }
}

/// What rungs 5 and 6 say `now` about an agent whose id is not recorded anywhere. `claimed` tells whether somebody else has an id: an
/// entry records it or did, or another live agent proves it.
pub(super) fn guess(agent: &Agent, now: DateTime<Utc>, claimed: &dyn Fn(&ConversationId) -> bool) -> Identity {
    let mut candidates = Vec::new();
    for reading in agent.ladder.readings.iter().filter(|reading| reading.rung > Rung::Start) {
        let found = match &reading.fact {
            Fact::Seen(found) => found,
            Fact::Absent => continue,
            Fact::Unknown(why) => return Identity::Unknown(reading.untold(why)),
        };
        let (mut likely, doubtful) = split(found, agent.process, now, claimed);
        if likely.is_empty() && doubtful.is_empty() {
            continue;
        }
        match &agent.ladder.peers {
            Fact::Unknown(why) => return Identity::Unknown(why.clone()),
            Fact::Seen(peers) if *peers > 1 => {
                let why = format!("{peers} live {} processes share the workspace", agent.kind);
                candidates.extend(likely.iter().map(|id| Candidate::new(id, why.clone())));
                candidates.extend(doubtful);
                continue;
            }
            Fact::Seen(_) | Fact::Absent => {}
        }
        if likely.len() == 1 && doubtful.is_empty() && candidates.is_empty() {
            return Identity::Proven { id: likely.remove(0), rung: reading.rung };
        }
        let why = format!("{} conversations appeared since the process started", likely.len() + doubtful.len());
        candidates.extend(likely.iter().map(|id| Candidate::new(id, why.clone())));
        candidates.extend(doubtful);
    }
    candidates.dedup_by(|a, b| a.id == b.id);
    if candidates.is_empty() { Identity::Nothing } else { Identity::Ambiguous(candidates) }
}

/// The conversations in which something was said after the last word in `id`, and since the agent started: it may have gone on in
/// one of them. `is_anothers` tells the words that somebody else has said.
pub(super) fn later(
    agent: &Agent,
    id: &ConversationId,
    is_anothers: &dyn Fn(&LastMessage) -> bool,
) -> Result<Vec<ConversationId>, String> {
    let said = match &agent.ladder.said {
        Fact::Seen(said) => said,
        Fact::Absent => return Ok(Vec::new()),
        Fact::Unknown(why) => return Err(why.clone()),
    };
    let last = said.iter().filter(|it| it.id == *id).map(|it| it.at).max();
    let is_later = |it: &&LastMessage| it.id != *id && last.is_none_or(|last| it.at > last) && !is_anothers(it);
    Ok(said.iter().filter(is_later).map(|it| it.id.clone()).collect())
}

/// The unclaimed conversations a weak rung speaks for: those that came after the process, and those of which the clock does not
/// tell: too near to its start, or still to come.
fn split(
    found: &RungValue,
    process: Process,
    now: DateTime<Utc>,
    claimed: &dyn Fn(&ConversationId) -> bool,
) -> (Vec<ConversationId>, Vec<Candidate>) {
    let (mut likely, mut doubtful) = (Vec::new(), Vec::new());
    let mut sort = |id: &ConversationId, at: DateTime<Utc>| {
        let after_start = at - process.started;
        if after_start < -CANNOT_TELL || claimed(id) {
            return;
        }
        if after_start <= CANNOT_TELL {
            doubtful.push(Candidate::new(id, "appeared within a second of the start of the process"));
        } else if at > now + CANNOT_TELL {
            doubtful.push(Candidate::new(id, "appeared at a time that is still to come: the clock was set back"));
        } else {
            likely.push(id.clone());
        }
    };
    match found {
        RungValue::Id(_) => {}
        RungValue::Mapped { id, changed } => {
            if let Some(changed) = changed {
                sort(id, *changed);
            }
        }
        RungValue::Appeared(appearances) => {
            for appearance in appearances {
                sort(&appearance.id, appearance.at);
            }
        }
    }
    (likely, doubtful)
}
