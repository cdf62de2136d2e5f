//! What is done to an entry rather than to its agent: it is taken out, or its conversation is. The agent was stopped before, or has to
//! have ended, or goes on as it is.

use std::sync::Arc;

use super::report::OperationDraft;
use super::{Engine, Progress, Tell, carry_out, line};
use crate::control::lead::amend::{self, Amended};
use crate::control::lead::{DeclareError, LeadRequest, Planned};
use crate::control::observe::Observer;
use crate::core::drift::Presence;
use crate::core::fact::Fact;
use crate::core::lead::{ActedOn, Action, ActionKind, BlockCode, LeftRunning, OperationReport, Outcome, Target, Wish};
use crate::core::manifest::Session;

/// Takes the entries that were asked about out of the manifest. Each agent is stopped first, and one that is not stopped keeps its
/// entry; `keep_running` lets them go on.
pub fn remove_all(
    world: &Observer,
    request: &LeadRequest,
    planned: &Planned,
    keep_running: bool,
    tell: Tell<'_>,
) -> Vec<OperationReport> {
    let engine = Engine::new(world, request, planned, tell);
    let sessions = &planned.pass.manifest().sessions;
    let meant = || planned.judged.iter().filter_map(|one| sessions.get(one.index));
    let check = |session: &Session| amend::try_remove(world, &request.pass, &session.key);
    if let Some(refused) = unable(&meant().collect::<Vec<_>>(), ActionKind::Remove, check, tell) {
        return refused;
    }
    let ended: Vec<OperationReport> = if keep_running {
        let before =
            |session: &Session| OperationDraft::of(&session.key, session.agent, ActionKind::Remove).end(Outcome::Skipped);
        meant().map(|session| before(session)).collect()
    } else {
        // How the stop ended is told together with the entry.
        let only_notes = |progress: Progress<'_>| match progress {
            Progress::Ended(_) => {}
            other => tell(other),
        };
        carry_out(world, request, planned, &only_notes)
    };
    let removed = meant().filter_map(|session| {
        let ended = ended.iter().find(|report| report.session == session.key)?.clone();
        let report = match ended.outcome {
            Outcome::Done | Outcome::Skipped => engine.remove(session, planned, keep_running, ended),
            Outcome::Failed | Outcome::Refused | Outcome::Unverified => {
                let kept = "its entry stays, and `--keep-running` takes out only that";
                let why = ended.why.map_or_else(|| kept.to_owned(), |why| format!("{why}; {kept}"));
                OperationReport { action: ActionKind::Remove, why: Some(why), ..ended }
            }
        };
        tell(Progress::Ended(&report));
        Some(report)
    });
    removed.collect()
}

/// Takes the recorded conversations of the sessions that were asked about out of their entries.
pub fn forget_all(world: &Observer, request: &LeadRequest, planned: &Planned, tell: Tell<'_>) -> Vec<OperationReport> {
    let engine = Engine::new(world, request, planned, tell);
    let sessions = &planned.pass.manifest().sessions;
    let forgotten = planned.judged.iter().filter_map(|one| sessions.get(one.index)).map(|session| {
        let report = engine.forget(session);
        tell(Progress::Ended(&report));
        report
    });
    forgotten.collect()
}

/// Stops the sessions that were asked about, and takes the recorded conversation of each that was stopped, or did not run, out of its
/// entry.
pub fn stop_and_forget_all(world: &Observer, request: &LeadRequest, planned: &Planned, tell: Tell<'_>) -> Vec<OperationReport> {
    let sessions = &planned.pass.manifest().sessions;
    let meant: Vec<_> = planned.judged.iter().filter_map(|one| sessions.get(one.index)).collect();
    let check = |session: &Session| amend::try_forget(world, &request.pass, &session.key);
    if let Some(refused) = unable(&meant, ActionKind::Forget, check, tell) {
        return refused;
    }
    let stopped = carry_out(world, request, planned, tell);
    let engine = Engine::new(world, request, planned, tell);
    let manifest = planned.pass.manifest();
    let mut reports = Vec::new();
    for stopped in stopped {
        let session = manifest.find(&stopped.session);
        let is_over = matches!(stopped.outcome, Outcome::Done | Outcome::Skipped);
        reports.push(stopped);
        if let Some(session) = session.filter(|_| is_over) {
            let forgotten = engine.forget(session);
            tell(Progress::Ended(&forgotten));
            reports.push(forgotten);
        }
    }
    reports
}

/// What is told instead of doing anything where one of the entries cannot be changed: nobody's agent is ended for that.
fn unable(
    meant: &[&Arc<Session>],
    kind: ActionKind,
    check: impl Fn(&Session) -> Result<(), DeclareError>,
    tell: Tell<'_>,
) -> Option<Vec<OperationReport>> {
    let checked: Vec<_> = meant.iter().map(|session| (session, check(session).err())).collect();
    checked.iter().any(|(_, error)| error.is_some()).then(|| {
        let refused = checked.iter().map(|(session, error)| {
            let others = || (Outcome::Refused, "nothing was done, because another entry cannot be changed".to_owned());
            let (outcome, why) = error.as_ref().map(Obstacle::of).map_or_else(others, |it| (it.outcome, it.why));
            let report = OperationDraft::of(&session.key, session.agent, kind).failed(outcome, why);
            tell(Progress::Ended(&report));
            report
        });
        refused.collect()
    })
}

impl Engine<'_> {
    fn remove(&self, session: &Session, planned: &Planned, keep_running: bool, ended: OperationReport) -> OperationReport {
        let key = &session.key;
        let mut draft = OperationDraft::of(key, session.agent, ActionKind::Remove);
        draft.report.verified_by = ended.verified_by;
        let server = planned.pass.observation().servers.get(&key.server_key());
        let left = match server.filter(|_| keep_running) {
            Some(Fact::Seen(server)) => LeftRunning::of(key, &self.manifest, server),
            Some(Fact::Unknown(why)) => {
                let why = format!("whether it runs is unknown, so discovery could not leave it alone: {why}");
                return draft.refused(BlockCode::Unknown, why);
            }
            Some(Fact::Absent) | None => None,
        };
        self.on_entry(draft, session, |engine| {
            // Before the entry goes: a watch may look the moment after.
            if let Some(left) = &left {
                let noted = engine.ledger.change(|ledger| ledger.entry(key).left = Some(left.clone()));
                noted.map_err(|error| Obstacle::failed(&error))?;
            }
            let amended = amend::remove(engine.world, &engine.request.pass, key, &engine.request.by).map_err(|error| {
                if left.is_some() {
                    engine.note(engine.ledger.change(|ledger| ledger.entry(key).left = None));
                }
                Obstacle::of(&error)
            })?;
            // If the entry comes back, it comes back as one that was never led.
            engine.note(engine.ledger.change(|ledger| {
                ledger.forget(key);
                if let Some(left) = &left {
                    *ledger.entry(key) = ActedOn { left: Some(left.clone()), ..ActedOn::default() };
                }
            }));
            let goes_on = if left.is_some() { "it runs on, and discovery leaves it alone; " } else { "" };
            Ok(match &amended.entry {
                Some(id) => (Outcome::Done, format!("{goes_on}`headcount undo {id}` brings its entry back"), amended),
                None => (Outcome::Skipped, "it has no entry any more".to_owned(), amended),
            })
        })
    }

    fn forget(&self, session: &Session) -> OperationReport {
        let key = &session.key;
        let mut draft = OperationDraft::of(key, session.agent, ActionKind::Forget);
        draft.report.conversation = session.recorded.session_id.clone();
        self.on_entry(draft, session, |engine| {
            // Looked at under the lock: an agent may have been started in it a moment ago.
            let request = super::about(engine.request, key, Wish::Stop);
            let planned = super::plan_patiently(engine.world, &request).map_err(|error| Obstacle::failed(&error))?;
            let presence = super::entry_of(&planned.pass, key).map(|(_, verdict)| &verdict.presence);
            match presence {
                Some(Presence::Absent { .. } | Presence::NoAgent { .. }) | None => {}
                Some(Presence::Unknown(why)) => {
                    let why = format!("whether its agent lives is unknown: {why}");
                    return Err(Obstacle { outcome: Outcome::Refused, code: Some(BlockCode::Unknown), why });
                }
                Some(Presence::Alive(_) | Presence::Several { .. }) => {
                    let why = format!("its agent lives; `headcount stop {} --purge-conversation` stops it first", key.name);
                    return Err(Obstacle { outcome: Outcome::Refused, code: None, why });
                }
            }
            let amended = amend::forget(engine.world, &engine.request.pass, key, &engine.request.by);
            let amended = amended.map_err(|error| Obstacle::of(&error))?;
            engine.note(engine.ledger.change(|ledger| ledger.entry(key).assigned = None));
            Ok(match &amended.entry {
                Some(id) => {
                    let why = format!("its agent's files are as they were; `headcount undo {id}` brings the id back");
                    (Outcome::Done, why, amended)
                }
                None => (Outcome::Skipped, "no conversation is recorded for it".to_owned(), amended),
            })
        })
    }

    /// One change of an entry, as an operation under the lock of its session. On another host there is nothing to lock.
    fn on_entry(
        &self,
        draft: OperationDraft,
        session: &Session,
        change: impl FnOnce(&Self) -> Result<(Outcome, String, Amended), Obstacle>,
    ) -> OperationReport {
        let (key, kind) = (&session.key, draft.report.action);
        let _lock = if key.host == self.world.host.name() {
            match self.lock(key) {
                Ok(lock) => Some(lock),
                Err((code, why)) => return draft.refused(code, why),
            }
        } else {
            None
        };
        if let Err(blocked) = super::recover::resolve(self.world, &self.operations, key, false) {
            return draft.refused(blocked.code, blocked.message);
        }
        if let Some(blocked) = self.held(key) {
            return draft.refused(blocked.code, blocked.message);
        }
        let conversation = session.recorded.session_id.clone();
        let action = Action { kind, target: Target::InPlace, conversation, rung: None };
        let operation = self.operation(session, &action);
        let files = match self.operations.begin(&operation) {
            Ok(files) => files,
            Err(error) => return draft.failed(Outcome::Failed, line(&error)),
        };
        let mut draft = draft;
        draft.report.id = Some(operation.id.clone());
        let report = match change(self) {
            Ok((outcome, why, amended)) => {
                for path in &amended.saved {
                    let path = path.display();
                    let note = format!("another program saved the manifest meanwhile; its version is kept in {path}");
                    (self.tell)(Progress::Note(&note));
                }
                draft.failed(outcome, why)
            }
            Err(Obstacle { outcome, code, why }) => {
                draft.report.code = code;
                draft.failed(outcome, why)
            }
        };
        self.end(&files, report)
    }
}

/// Why an entry stays as it is.
struct Obstacle {
    outcome: Outcome,
    code: Option<BlockCode>,
    why: String,
}

impl Obstacle {
    fn failed(error: &dyn std::error::Error) -> Self {
        Self { outcome: Outcome::Failed, code: None, why: line(error) }
    }

    fn of(error: &DeclareError) -> Self {
        let outcome = if error.is_refusal() { Outcome::Refused } else { Outcome::Failed };
        Self { outcome, code: None, why: line(error) }
    }
}
