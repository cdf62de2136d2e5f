//! A stop: the agent is asked to end, at its turn's end if it works, and its end is waited for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::quit::{NOT_OPEN, QuitTarget};
use super::report::OperationDraft;
use super::{Engine, LOOKS, SETTLES, WaitClock, entry_of, line};
use crate::agent::Agents;
use crate::control::lead::{about, effects, facts, plan_patiently};
use crate::control::pass::Pass;
use crate::core::drift::{LiveAgent, Presence};
use crate::core::ids::SessionKey;
use crate::core::lead::{
    Action, ActionKind, BlockCode, Blocked, LastStop, Ledger, OperationReport, Outcome, Permit, Placed, Standing, StopEvidence,
    StopNext, StopOptions, Target, Wish, lead_fields, next_stop, wanted,
};
use crate::core::manifest::Session;
use crate::core::manifest::lead::Desired;
use crate::store::claim::{Claim, of_enforcer};
use crate::store::operations::{SessionLock, launched_by};

/// How long what is waited for may be refused: a manifest is no manifest while it is being saved.
const PATIENCE: Duration = Duration::from_secs(3);

impl Engine<'_> {
    pub(super) fn stop(
        &self,
        mut report: OperationDraft,
        pass: &Pass,
        session: &Session,
        (action, wish): (Action, Wish),
        lock: SessionLock,
    ) -> OperationReport {
        let action = Action { kind: ActionKind::Stop, target: Target::InPlace, ..action };
        let agents = Agents::with(&pass.manifest().agents);
        let Some(table) = agents.of(session.agent).and_then(|adapter| adapter.drive()) else {
            return report.failed(Outcome::Failed, "how its agent is stopped is not known".to_owned());
        };
        let Some((_, verdict)) = entry_of(pass, &session.key) else {
            return report.failed(Outcome::Failed, "its entry is gone".to_owned());
        };
        let Presence::Alive(live) = &verdict.presence else { return report.skipped("not running") };
        let process = live.agent.process;
        let pane = self.launchers_pane(live);
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
        let (desired, fields) = (session.lead.desired, lead_fields(session));
        let exit = QuitTarget::of(self.world.host.as_ref(), (&agents, table), pass, (&session.key, live));
        // Keys are typed into an empty composer, and nowhere else.
        let is_idle = !exit.is_by_keys() && facts::is_idle(pass, live, verdict);
        let is_idle = is_idle || self.is_open(&session.key, &exit);
        let asked = StopAsked { exit, wish, desired, fields };
        let ended = self.await_end(&permit, &options, &asked, is_idle, lock);
        let report = match ended {
            Ended::Gone => {
                self.await_launcher(&session.key, live.pane.pid);
                if let Some(pane) = &pane {
                    self.tell_of(effects::tidy(self.world, &permit, pane, false));
                }
                report.report.verified_by = vec![format!("process {} is gone", process.pid)];
                let is_restart = wish == Wish::Restart;
                let at = self.world.host.now();
                let stopped = LastStop { operation: operation.id.clone(), at, is_asked: false, is_restart };
                self.note(self.ledger.change(|ledger| {
                    let acted = ledger.entry(&session.key);
                    acted.led_by = Some(self.manifest.clone());
                    acted.stopped = Some(stopped);
                    // One that is to go on is not wanted stopped, whatever becomes of us in between.
                    if !is_restart {
                        acted.met = Some(wanted(session));
                    }
                }));
                report.end(Outcome::Done)
            }
            Ended::Refused(code, why) => report.refused(code, why),
            Ended::Failed(why) => report.failed(Outcome::Failed, why),
        };
        let report = self.end(&files, report);
        if wish != Wish::Restart || report.outcome != Outcome::Done {
            self.record(&session.key);
        }
        report
    }

    /// The pane of an agent, where our launcher is in it and its multiplexer keeps it when that has ended.
    fn launchers_pane(&self, live: &LiveAgent) -> Option<Placed> {
        let host = self.world.host.as_ref();
        let server = live.session.process?;
        let launcher = host.process(live.pane.pid?).into_seen()?;
        launched_by(&launcher.argv, launcher.pid, launcher.start_ticks)?;
        Some(Placed {
            server,
            server_start: host.stat(server).into_seen()?.start_ticks,
            session: live.session.id.clone(),
            pane: live.pane.id.clone(),
            pid: launcher.pid,
            is_new_session: false,
        })
    }

    /// Asks an agent to end, at its turn's end if it works, and waits until it has.
    fn await_end(
        &self,
        permit: &Permit,
        options: &StopOptions,
        asked: &StopAsked<'_>,
        is_idle: bool,
        lock: SessionLock,
    ) -> Ended {
        let mut clock = WaitClock::begin(permit.operation().begun);
        let key = &permit.operation().session;
        // Since when it has been refused, while its turn is waited for.
        let mut refused: Option<Instant> = None;
        let mut seen = StopEvidence { is_idle, ..StopEvidence::default() };
        let (mut pause, mut lock) = (LOOKS[0], Some(lock));
        loop {
            let left = asked.exit.left(self.world);
            seen.is_gone = left.is_empty();
            let now = clock.now();
            let next = next_stop(permit.operation().begun, options, seen, now);
            let is_kill = match next {
                StopNext::Done => return Ended::Gone,
                StopNext::Failed(why) => {
                    let left: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
                    return Ended::Failed(format!("{why} (still there: process {})", left.join(", ")));
                }
                StopNext::StillWorking => {
                    let why = if asked.exit.is_by_keys() { NOT_OPEN } else { "it is still working; `--now` interrupts it" };
                    return Ended::Refused(BlockCode::Working, format!("{why}{}", self.who_goes_on(asked)));
                }
                StopNext::Ask => false,
                StopNext::Kill => true,
                StopNext::Await(_) => {
                    lock = lock.filter(|_| seen.asked.is_some());
                    std::thread::sleep(pause);
                    pause = (pause * 5 / 4).min(LOOKS[1]);
                    if seen.asked.is_some() {
                        continue;
                    }
                    let is_idle = self.is_idle_now(key, asked);
                    seen.is_idle = matches!(is_idle, Ok(true));
                    let since = is_idle.is_err().then(|| refused.unwrap_or_else(Instant::now));
                    refused = since;
                    match is_idle {
                        Err((code, why)) if since.is_some_and(|since| since.elapsed() >= PATIENCE) => {
                            return Ended::Refused(code, why);
                        }
                        _ => continue,
                    }
                }
            };
            if lock.is_none() {
                match self.lock(key) {
                    Ok(taken) => lock = Some(taken),
                    Err((code, why)) => return Ended::Refused(code, why),
                }
                // Whatever happened while nobody held the lock: it is looked at once more.
                seen.is_idle = matches!(self.is_idle_now(key, asked), Ok(true));
                continue;
            }
            // Somebody may have taken it in hand while its turn went on.
            if let Some(Blocked { code, message, .. }) = self.held(key) {
                return Ended::Refused(code, message);
            }
            if !is_kill && asked.exit.is_by_keys() && !options.kill && !self.is_open(key, &asked.exit) {
                if options.now {
                    return Ended::Refused(BlockCode::Working, NOT_OPEN.to_owned());
                }
                seen.is_idle = false;
                continue;
            }
            // Before it is asked: whoever sees it end has to know why.
            let at = self.world.host.now();
            let is_restart = asked.wish == Wish::Restart;
            let stopped = LastStop { operation: permit.operation().id.clone(), at, is_asked: true, is_restart };
            let mark = |ledger: &mut Ledger| ledger.entry(key).stopped = Some(stopped);
            if let Err(error) = self.ledger.change(mark) {
                return Ended::Failed(line(&error));
            }
            let done = match is_kill {
                true => asked.exit.kill(self.world, permit),
                false => self.ask_to_quit(permit, &asked.exit),
            };
            match done {
                Ok(_) if is_kill => seen.killed = Some(now),
                // Something has come between the look and the keys, which were held back.
                Ok(false) if asked.exit.is_by_keys() && !options.kill => seen.is_idle = false,
                Ok(_) => seen.asked = Some(now),
                Err(why) => return Ended::Failed(why),
            }
            pause = LOOKS[0];
        }
    }

    /// Who ends it later, where its entry says from now on that it is to be stopped.
    fn who_goes_on(&self, asked: &StopAsked<'_>) -> &'static str {
        let is_wanted = asked.wish != Wish::Restart && asked.desired == Some(Desired::Stopped);
        let claim = of_enforcer(Path::new(&self.manifest));
        match is_wanted && self.request.cause.is_none() {
            true if Claim::is_taken(&self.request.pass.state_home, &claim) => {
                "; the watch that enforces its manifest stops it later"
            }
            true => "; its entry says `desired: stopped`, and no watch enforces that now",
            false => "",
        }
    }

    /// Waits a moment for our launcher, which holds the conversation until it has written how its agent ended.
    fn await_launcher(&self, key: &SessionKey, pane: Option<u32>) {
        let ledger = self.ledger.read().unwrap_or_default();
        let started = ledger.of(key).and_then(|acted| acted.started.as_ref());
        let Some(launcher) = started.map(|started| started.placed.pid).filter(|pid| Some(*pid) == pane) else { return };
        let until = Instant::now() + SETTLES;
        while !self.world.host.stat(launcher).is_absent() && Instant::now() < until {
            std::thread::sleep(LOOKS[0]);
        }
    }

    /// Whether the agent of a session is this process, and idle.
    ///
    /// # Errors
    /// What was asked for is no longer to be done.
    fn is_idle_now(&self, key: &SessionKey, asked: &StopAsked<'_>) -> Result<bool, (BlockCode, String)> {
        let planned = plan_patiently(self.world, &about(self.request, key, asked.wish));
        let planned = planned.map_err(|error| (BlockCode::Unknown, line(&error)))?;
        let gone = || (BlockCode::Unknown, "its entry is gone".to_owned());
        let (session, verdict) = entry_of(&planned.pass, key).ok_or_else(gone)?;
        let standing = planned.judged.iter().find(|one| one.index == session.index).map(|one| &one.standing);
        if let Some(Standing::Blocked(blocked)) = standing {
            return Err((blocked.code, blocked.message.clone()));
        }
        let is_same = asked.wish != Wish::Restart || lead_fields(session) == asked.fields;
        if !is_same || session.lead.desired != asked.desired {
            let why = "its entry has changed since this began; run it again".to_owned();
            return Err((BlockCode::Busy, why));
        }
        Ok(match &verdict.presence {
            Presence::Alive(live) if live.agent.process == asked.exit.process => {
                let is_told = !asked.exit.is_by_keys() && facts::is_idle(&planned.pass, live, verdict);
                is_told || self.is_open(key, &asked.exit)
            }
            _ => false,
        })
    }
}

/// What was asked for: whom it is to end, and with which entry.
struct StopAsked<'a> {
    exit: QuitTarget<'a>,
    wish: Wish,
    desired: Option<Desired>,
    fields: BTreeMap<String, String>,
}

/// How a stop ended.
enum Ended {
    Gone,
    Refused(BlockCode, String),
    Failed(String),
}
