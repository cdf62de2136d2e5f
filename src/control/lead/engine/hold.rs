//! Sessions change hands: somebody takes one, or gives it back. Reaches nothing that runs; only the ledger says so.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::report::OperationDraft;
use super::{Engine, LOOKS, Progress, Tell, about, entry_of, line, plan_patiently, recover};
use crate::control::lead::{LeadRequest, Planned, holds};
use crate::control::observe::Observer;
use crate::core::ids::SessionKey;
use crate::core::lead::{
    Action, ActionKind, BlockCode, Blocked, HoldReport, OperationId, OperationReport, Outcome, SessionHold, Target, Wish,
};
use crate::core::manifest::Session;
use crate::core::text::stamp;
use crate::store::operations::SessionLock;

/// How long whoever acts on a session at the moment is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Puts a session into the hands of the one who asks: nothing acts on it by itself until it is released, or until the time is over.
pub fn handoff(
    world: &Observer,
    request: &LeadRequest,
    planned: &Planned,
    (session, length): (&Session, Option<TimeDelta>),
    tell: Tell<'_>,
) -> OperationReport {
    let engine = Engine::new(world, request, planned, tell);
    let now = world.host.now();
    let until = length.map(|length| now.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC));
    let hold = SessionHold { holder: request.holder.clone(), since: now, until, used: None };
    let until = match until {
        Some(until) => format!("until {}", stamp(until)),
        None => "until half an hour after the last use of a terminal that shows it".to_owned(),
    };
    let why = format!("{} has it {until}; `headcount release {}` ends that", hold.holder, session.key.name);
    let report = engine.hand(session, ActionKind::Handoff, |engine, held| {
        match held.filter(|held| held.holder != request.holder && !request.passes_hold) {
            Some(held) => return Err(held.blocked(&session.key)),
            None => engine.keep(&session.key, Some(hold))?,
        }
        Ok((Outcome::Done, why))
    });
    tell(Progress::Ended(&report));
    report
}

/// Gives a session back: what is wanted of it may be done again.
pub fn release(
    world: &Observer,
    request: &LeadRequest,
    planned: &Planned,
    session: &Session,
    tell: Tell<'_>,
) -> OperationReport {
    let engine = Engine::new(world, request, planned, tell);
    let report = engine.hand(session, ActionKind::Release, |engine, held| match held {
        None => {
            engine.keep(&session.key, None)?;
            Ok((Outcome::Skipped, "nobody has it in hand".to_owned()))
        }
        Some(held) if held.holder == request.holder || request.passes_hold => {
            engine.keep(&session.key, None)?;
            Ok((Outcome::Done, format!("{} had it", held.holder)))
        }
        Some(held) => {
            let message = format!("only {} releases it, or a person at a terminal", held.holder);
            Err(Blocked::until(BlockCode::Held, held.until, message))
        }
    });
    tell(Progress::Ended(&report));
    report
}

/// Closes an operation of a session that nobody carries out any more: whatever becomes of it, it keeps nobody from acting.
pub fn release_operation(
    world: &Observer,
    request: &LeadRequest,
    planned: &Planned,
    (session, id): (&Session, &OperationId),
    tell: Tell<'_>,
) -> OperationReport {
    let engine = Engine::new(world, request, planned, tell);
    let draft = OperationDraft::of(&session.key, session.agent, ActionKind::Release);
    let report = match engine.patient_lock(&session.key) {
        Err((code, why)) => draft.refused(code, why),
        Ok(_lock) => match recover::release(world, &engine.operations, &session.key, id) {
            Ok(true) => draft.failed(Outcome::Done, format!("operation {id} is closed")),
            Ok(false) => draft.skipped("no operation of that name is open for it"),
            Err(blocked) => draft.refused(blocked.code, blocked.message),
        },
    };
    tell(Progress::Ended(&report));
    report
}

impl Engine<'_> {
    /// What keeps whoever asks here from acting on a session that another has in hand, as it is now.
    pub(super) fn held(&self, key: &SessionKey) -> Option<Blocked> {
        let ledger = match self.ledger.read() {
            Ok(ledger) => ledger,
            Err(error) => return Some(Blocked::new(BlockCode::Unknown, line(&error))),
        };
        ledger.of(key)?.hold.as_ref().filter(|hold| self.request.is_kept_by(&hold.holder))?;
        self.hold_of(key).map(|held| held.blocked(key))
    }

    fn hold_of(&self, key: &SessionKey) -> Option<HoldReport> {
        let ledger = self.ledger.read().ok()?;
        ledger.of(key)?.hold.as_ref()?;
        let planned = plan_patiently(self.world, &about(self.request, key, Wish::Manifest)).ok();
        let presence = planned.as_ref().and_then(|planned| entry_of(&planned.pass, key)).map(|(_, verdict)| &verdict.presence);
        holds::of(self.world, ledger.of(key), key, presence)
    }

    /// Remembers that somebody was at a terminal that shows a held session: once nobody is, only that tells how long it is held.
    pub(super) fn remember_use(&self, key: &SessionKey, blocked: &Blocked) {
        let Some(until) = blocked.until.filter(|_| blocked.code == BlockCode::Held) else { return };
        let used = until - SessionHold::REST;
        let is_news =
            |hold: &SessionHold| hold.until.is_none() && hold.used.is_none_or(|known| used - known > TimeDelta::minutes(1));
        let known = self.ledger.read().ok().and_then(|ledger| ledger.of(key)?.hold.clone());
        if known.is_some_and(|hold| is_news(&hold) && used > hold.since) {
            self.note(self.ledger.change(|ledger| {
                if let Some(hold) = ledger.entry(key).hold.as_mut().filter(|hold| is_news(hold)) {
                    hold.used = Some(used);
                }
            }));
        }
    }

    /// A change of hands, as an operation under the lock of its session: once it is done, nobody is in the middle of anything.
    fn hand(
        &self,
        session: &Session,
        kind: ActionKind,
        change: impl FnOnce(&Self, Option<HoldReport>) -> Result<(Outcome, String), Blocked>,
    ) -> OperationReport {
        let key = &session.key;
        let mut draft = OperationDraft::of(key, session.agent, kind);
        if key.host != self.world.host.name() {
            return draft.refused(BlockCode::Elsewhere, format!("it is on host {}; ask there", key.host));
        }
        let _lock = match self.patient_lock(key) {
            Ok(lock) => lock,
            Err((code, why)) => return draft.refused(code, why),
        };
        let action = Action { kind, target: Target::InPlace, conversation: None, rung: None };
        let operation = self.operation(session, &action);
        let files = match self.operations.begin(&operation) {
            Ok(files) => files,
            Err(error) => return draft.failed(Outcome::Failed, line(&error)),
        };
        draft.report.id = Some(operation.id.clone());
        let report = match change(self, self.hold_of(key)) {
            Ok((outcome, why)) => draft.failed(outcome, why),
            Err(blocked) => draft.refused(blocked.code, blocked.message),
        };
        self.end(&files, report)
    }

    fn keep(&self, key: &SessionKey, hold: Option<SessionHold>) -> Result<(), Blocked> {
        let kept = self.ledger.change(|ledger| ledger.entry(key).hold = hold);
        kept.map_err(|error| Blocked::new(BlockCode::Unknown, line(&error)))
    }

    fn patient_lock(&self, key: &SessionKey) -> Result<SessionLock, (BlockCode, String)> {
        let begun = Instant::now();
        loop {
            match self.lock(key) {
                Err((BlockCode::Busy, _)) if begun.elapsed() < PATIENCE => std::thread::sleep(LOOKS[0]),
                other => return other,
            }
        }
    }
}
