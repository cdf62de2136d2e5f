//! What a crew needs of its workers: how each stands, a text to one, and what became of it. `core::crew` decides what follows.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::conditions_of;
use super::{
    LeadError, LeadRequest, Queueing, SendRequest, SentText, UnlistedManifest, drop_waiting, reading, recover, send,
    waiting_text,
};
use crate::agent::TurnQuery;
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, Pass, PassOptions};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::OperationId;
use crate::core::lead::conditions::Condition;
use crate::core::lead::send::{SendOutcome, SendReceipt, TextOptions};
use crate::core::manifest::Session;
use crate::core::manifest::select::Selection;
use crate::core::observe::Process;
use crate::store::operations::Operations;

/// How a worker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerStanding {
    /// Its agent runs, as this process.
    Alive {
        /// The process.
        process: Process,
        /// Whether it is seen to wait for a prompt.
        is_idle: bool,
    },
    /// It is seen not to run, and what shows it.
    Over(String),
    /// It cannot be told, or is just being started.
    Unknown(String),
}

impl WorkerStanding {
    /// The process of its agent.
    pub const fn process(&self) -> Option<Process> {
        match self {
            Self::Alive { process, .. } => Some(*process),
            Self::Over(_) | Self::Unknown(_) => None,
        }
    }
}

/// A worker as it is reached.
#[derive(Debug)]
pub struct WorkerReach {
    /// What is asked of it.
    pub request: LeadRequest,
    /// Its session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The manifest that was made for it, where no entry declares it.
    pub undeclared: Option<UnlistedManifest>,
}

impl WorkerReach {
    /// The worker of an entry. Nobody answers for a crew, so that whoever is at a terminal there comes first.
    pub fn of(request: &LeadRequest, entry: &Session) -> Self {
        let request = LeadRequest { only: Some(BTreeSet::from([entry.key.clone()])), is_automatic: true, ..request.clone() };
        Self { request, session: entry.key.clone(), agent: entry.agent, undeclared: None }
    }

    /// Sends a text, or lets it wait for the end of the worker's turn. Under a key one text is typed at most once; the receipt of one
    /// that was says what became of it then.
    ///
    /// # Errors
    /// The manifest or the world cannot be looked at.
    pub fn send(&self, world: &Observer, text: String, key: String) -> Result<SendReceipt, LeadError> {
        let letter = SendRequest {
            session: self.session.clone(),
            agent: self.agent,
            what: SentText::New(text, TextOptions { strip: false, command: false }),
            key: Some(key),
            is_preview: false,
            submits: true,
            interrupts: false,
            mid_turn: false,
            // What no entry declares, no watch delivers to.
            queueing: if self.undeclared.is_some() { Queueing::Never } else { Queueing::Waits { keeps: false } },
        };
        let mut receipt = send(world, &self.request, &letter)?;
        if receipt.outcome == SendOutcome::Duplicate {
            receipt.outcome = receipt.first_outcome.unwrap_or(SendOutcome::Unverified);
        }
        Ok(receipt)
    }

    /// Takes a text back that waits for it. One that is just being delivered is not: its lease is void all the same.
    ///
    /// # Errors
    /// One line: it was not taken back.
    pub fn take_back(&self, world: &Observer, receipt: &str) -> Result<(), String> {
        let text = OperationId::parse(receipt).and_then(|id| waiting_text(&self.request, &id));
        match text.map(|text| drop_waiting(world, &self.request, &text)) {
            Some(Err(blocked)) => Err(blocked.message),
            _ => Ok(()),
        }
    }

    /// What became of a text.
    pub(super) fn fate(&self, world: &Observer, receipt: &str) -> TextFate {
        let Some(id) = OperationId::parse(receipt) else { return TextFate::Unknown };
        if waiting_text(&self.request, &id).is_some() {
            return TextFate::Waits;
        }
        let Some(past) = Operations::new(&self.request.pass.state_home).of(&id) else { return TextFate::TakenBack };
        match past.files.send_receipt().map(|receipt| receipt.outcome) {
            // Whoever typed it was killed meanwhile, or is still at it.
            None if recover::is_alive(world, past.operation.engine) => return TextFate::Unknown,
            None | Some(SendOutcome::Unverified | SendOutcome::Rejected) => {}
            // So it was while it still waited.
            Some(SendOutcome::Held | SendOutcome::Refused) => return TextFate::TakenBack,
            Some(outcome) => return TextFate::Is(outcome),
        }
        let Some(note) = past.files.text_note() else { return TextFate::NotThere };
        match self.has_said(world, |text| note.is_of(text)) {
            Some(true) => TextFate::Is(SendOutcome::Delivered),
            Some(false) => TextFate::NotThere,
            None => TextFate::Unknown,
        }
    }

    /// Whether the end of its conversation holds such a line; `None`: that cannot be told.
    fn has_said(&self, world: &Observer, is_it: impl Fn(&str) -> bool) -> Option<bool> {
        let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..self.request.pass.clone() };
        let pass = pass::run(world, &options).ok()?;
        let subject = reading::of_entry(&pass, &self.session)?;
        let query = TurnQuery { last: TURNS, after: None, now: world.host.now() };
        match reading::turns(&pass.manifest().agents, &subject, &query) {
            Fact::Seen(page) => {
                let mut lines = page.turns.iter().chain(&page.aside).flat_map(|turn| &turn.lines);
                Some(lines.any(|line| is_it(&line.text)))
            }
            Fact::Absent => Some(false),
            Fact::Unknown(_) => None,
        }
    }
}

/// So much of the end of a conversation is looked at for a text.
const TURNS: usize = 20;

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFate {
    /// It still waits.
    Waits,
    /// It was sent, with this outcome.
    Is(SendOutcome),
    /// It was typed, and its conversation does not hold it.
    NotThere,
    /// It does not wait any more, and was never typed.
    TakenBack,
    /// It cannot be told.
    Unknown,
}

/// How the workers in these sessions stand, by one look at all of them. The world must ask agents what they are doing.
///
/// # Errors
/// The manifest or the world cannot be looked at.
pub fn worker_standings(
    world: &Observer,
    request: &LeadRequest,
    keys: &BTreeSet<SessionKey>,
) -> Result<BTreeMap<SessionKey, WorkerStanding>, LeadError> {
    let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..request.pass.clone() };
    Ok(standings_in(world, request, &pass::run(world, &options)?, keys))
}

/// The same of a look that was made.
pub(super) fn standings_in(
    world: &Observer,
    request: &LeadRequest,
    pass: &Pass,
    keys: &BTreeSet<SessionKey>,
) -> BTreeMap<SessionKey, WorkerStanding> {
    let seen = conditions_of(world, &request.pass.state_home, pass, &|key| keys.contains(key));
    let standing = |key: &SessionKey| {
        let entry = pass.manifest().find(key);
        let Some(verdict) = entry.and_then(|session| pass.verdict().entries.get(session.index)) else {
            return WorkerStanding::Unknown("its entry is gone".to_owned());
        };
        let seen = seen.get(key);
        if let Some(live) = verdict.presence.live() {
            let is_over = |it: Condition| matches!(it, Condition::Idle | Condition::TurnEnded | Condition::Ready);
            let is_idle = seen.is_some_and(|seen| seen.conditions.iter().any(|it| is_over(it.condition)));
            return WorkerStanding::Alive { process: live.agent.process, is_idle };
        }
        let Some(seen) = seen.filter(|seen| !seen.is_being_started) else {
            return WorkerStanding::Unknown("it is just being started".to_owned());
        };
        let over = seen.conditions.iter().find(|it| it.condition.is_over());
        match (over, seen.conditions.first()) {
            (Some(over), _) => WorkerStanding::Over(format!("{}: {}", over.condition, over.evidence)),
            (None, Some(first)) if first.condition == Condition::Unknown => WorkerStanding::Unknown(first.evidence.clone()),
            (None, _) => WorkerStanding::Unknown("it is not known how it stands".to_owned()),
        }
    };
    keys.iter().map(|key| (key.clone(), standing(key))).collect()
}
