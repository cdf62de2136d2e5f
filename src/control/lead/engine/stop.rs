//! A stop: the agent is asked to end, at its turn's end if it works, and its end is waited for.

use super::report::OperationDraft;
use super::{Engine, LOOKS, entry_of, line};
use crate::agent::Agents;
use crate::control::lead::{about, effects, facts, plan};
use crate::control::pass::Pass;
use crate::core::drift::Presence;
use crate::core::ids::SessionKey;
use crate::core::lead::{
    Action, BlockCode, LastStop, OperationReport, Outcome, Permit, Standing, StopEvidence, StopNext, StopOptions, Wish,
    next_stop, wanted,
};
use crate::core::manifest::Session;
use crate::core::observe::Process;
use crate::store::operations::SessionLock;

impl Engine<'_> {
    pub(super) fn stop(
        &self,
        mut report: OperationDraft,
        pass: &Pass,
        session: &Session,
        action: Action,
        lock: SessionLock,
    ) -> OperationReport {
        let agents = Agents::with(&pass.manifest().agents);
        let Some(table) = agents.of(session.agent).and_then(|adapter| adapter.drive()) else {
            return report.failed(Outcome::Failed, "how its agent is stopped is not known".to_owned());
        };
        let Some((_, verdict)) = entry_of(pass, &session.key) else {
            return report.failed(Outcome::Failed, "its entry is gone".to_owned());
        };
        let Presence::Alive(live) = &verdict.presence else { return report.skipped("not running") };
        let process = live.agent.process;
        let operation = self.operation(session, &action);
        report.report.conversation = action.conversation.clone();
        let Some(permit) = Permit::new(&operation, &Standing::Planned(action)) else {
            return report.failed(Outcome::Failed, "internal error: nothing was permitted".to_owned());
        };
        let files = match self.operations.begin(&operation) {
            Ok(files) => files,
            Err(error) => return report.failed(Outcome::Failed, line(&error)),
        };
        report.report.id = Some(operation.id.clone());
        let options = StopOptions {
            timeout: chrono::TimeDelta::from_std(self.request.timeout).unwrap_or(chrono::TimeDelta::MAX),
            now: self.request.now,
            kill: self.request.kill,
            grace: chrono::TimeDelta::seconds(i64::from(table.grace)),
        };
        let is_idle = facts::is_idle(pass, live, verdict);
        let ended = self.await_end(&permit, &options, (process, table.is_group), is_idle, lock);
        let report = match ended {
            Ended::Gone => {
                report.report.verified_by = vec![format!("process {} is gone", process.pid)];
                let stopped = LastStop { operation: operation.id.clone(), at: self.world.host.now(), is_asked: false };
                self.note(self.ledger.change(|ledger| {
                    let acted = ledger.entry(&session.key);
                    acted.led_by = Some(self.manifest.clone());
                    acted.stopped = Some(stopped);
                    acted.met = Some(wanted(session));
                }));
                report.end(Outcome::Done)
            }
            Ended::Refused(code, why) => report.refused(code, why),
            Ended::Failed(why) => report.failed(Outcome::Failed, why),
        };
        let report = self.end(&files, report);
        self.record(&session.key);
        report
    }

    /// Asks an agent to end, at its turn's end if it works, and waits until it has.
    fn await_end(
        &self,
        permit: &Permit,
        options: &StopOptions,
        (process, is_group): (Process, bool),
        is_idle: bool,
        lock: SessionLock,
    ) -> Ended {
        let host = self.world.host.as_ref();
        let key = &permit.operation().session;
        let mut seen = StopEvidence { is_idle, ..StopEvidence::default() };
        let (mut pause, mut lock) = (LOOKS[0], Some(lock));
        loop {
            seen.is_gone = effects::is_gone(self.world, (process, is_group));
            let now = host.now();
            let next = next_stop(permit.operation().begun, options, seen, now);
            let how = match next {
                StopNext::Done => return Ended::Gone,
                StopNext::Failed(why) => return Ended::Failed(why),
                StopNext::StillWorking => {
                    let why = "it is still working; `--now` interrupts it".to_owned();
                    return Ended::Refused(BlockCode::Working, why);
                }
                StopNext::Ask => effects::Ending::Asked,
                StopNext::Kill => effects::Ending::Killed,
                StopNext::Await(_) => {
                    lock = lock.filter(|_| seen.asked.is_some());
                    std::thread::sleep(pause);
                    pause = (pause * 5 / 4).min(LOOKS[1]);
                    if seen.asked.is_none() {
                        seen.is_idle = self.is_idle_now(key, process);
                    }
                    continue;
                }
            };
            if lock.is_none() {
                match self.lock(key) {
                    Ok(taken) => lock = Some(taken),
                    Err((code, why)) => return Ended::Refused(code, why),
                }
                // Whatever happened while nobody held the lock: it is looked at once more.
                seen.is_idle = self.is_idle_now(key, process);
                continue;
            }
            // Before it is asked: whoever sees it end has to know why.
            let stopped = LastStop { operation: permit.operation().id.clone(), at: host.now(), is_asked: true };
            if let Err(error) = self.ledger.change(|ledger| ledger.entry(key).stopped = Some(stopped)) {
                return Ended::Failed(line(&error));
            }
            match effects::end(self.world, permit, (process, is_group), how) {
                Ok(_) if how == effects::Ending::Asked => seen.asked = Some(host.now()),
                Ok(_) => seen.killed = Some(host.now()),
                Err(why) => return Ended::Failed(why),
            }
            pause = LOOKS[0];
        }
    }

    /// Whether the agent of a session is this process, and idle.
    fn is_idle_now(&self, key: &SessionKey, process: Process) -> bool {
        let Ok(planned) = plan(self.world, &about(self.request, key, Wish::Stop)) else { return false };
        let Some((_, verdict)) = entry_of(&planned.pass, key) else { return false };
        match &verdict.presence {
            Presence::Alive(live) if live.agent.process == process => facts::is_idle(&planned.pass, live, verdict),
            _ => false,
        }
    }
}

/// How a stop ended.
enum Ended {
    Gone,
    Refused(BlockCode, String),
    Failed(String),
}
