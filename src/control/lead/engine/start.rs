//! A start or a resume: the pane is made, and what shows that the agent is ready is waited for.

use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::dialogs::StartDialogs;
use super::report::OperationDraft;
use super::{Engine, LOOKS, Progress, WaitClock, entry_of, line};
use crate::agent::Agents;
use crate::agent::drive::{LaunchTable, ReadySign};
use crate::control::lead::effects::Ending;
use crate::control::lead::rivals::Rivals;
use crate::control::lead::{HeardCheck, about, effects, facts, hooking, launch, plan};
use crate::control::pass::Pass;
use crate::core::drift::Presence;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::{
    ActedOn, Action, ActionKind, AliveIn, BlockCode, DialogSubject, FailureCause, LastStart, LeadRule, OperationReport,
    Outcome, Permit, Placed, Standing, StartEvidence, StartNext, Wish, lead_fields, next_start, wanted,
};
use crate::core::manifest::Session;
use crate::core::observe::Activity;
use crate::core::observe::identity::Rung;
use crate::core::task::TaskReference;
use crate::core::text::printable;
use crate::store::operations::{ConversationLock, EndedRecord, LaunchSpec, OperationFiles, SessionLock};

impl Engine<'_> {
    pub(super) fn start(
        &self,
        mut report: OperationDraft,
        pass: &Pass,
        session: &Session,
        mut action: Action,
        lock: SessionLock,
    ) -> OperationReport {
        let agents = Agents::with(&pass.manifest().agents);
        let Some((adapter, table)) = agents.of(session.agent).and_then(|adapter| Some((adapter, adapter.drive()?))) else {
            return report.failed(Outcome::Failed, "how its agent is started is not known".to_owned());
        };
        if action.kind == ActionKind::Start && action.conversation.is_none() && table.id_flag.is_some() {
            action.conversation = self.request.front.conversation.clone().or_else(launch::new_id);
        }
        self.space();
        let operation = self.operation(session, &action);
        report.report.action = action.kind;
        report.report.conversation = action.conversation.clone();
        let Some(permit) = Permit::new(&operation, &Standing::Planned(action.clone())) else {
            return report.failed(Outcome::Failed, "internal error: nothing was permitted".to_owned());
        };
        let server = facts::serving(pass, &session.key);
        let inherited = |name: &str| effects::variable(self.world, (&session.key, server?), name)?.into_string().ok();
        let own = |name: &str| self.world.env.get(name)?.to_str().map(ToOwned::to_owned);
        let place = (self.request.launcher.as_path(), &self.request.pass.state_home, self.request.front.told.as_deref());
        // An agent that tells less is started all the same.
        let hooking = hooking::hooking(adapter, session, place, inherited, own).unwrap_or_else(|why| {
            (self.tell)(Progress::Note(&format!("{}: it is started without hooks: {why}", session.key)));
            hooking::Hooking::default()
        });
        let spec = match launch::spec(&agents, pass, session, &action, operation.id.as_str(), self.request, &hooking) {
            Ok(spec) => spec,
            Err(why) => return report.failed(Outcome::Failed, why),
        };
        let files = match self.operations.begin(&operation) {
            Ok(files) => files,
            Err(error) => return report.failed(Outcome::Failed, line(&error)),
        };
        report.report.id = Some(operation.id.clone());
        let launch = match files.write_launch(&spec) {
            Ok(launch) => launch,
            Err(error) => {
                report.report.failure = full_disk(&line(&error));
                return self.end(&files, report.failed(Outcome::Failed, line(&error)));
            }
        };
        let noted = self.ledger.change(|ledger| {
            let acted = ledger.entry(&session.key);
            acted.led_by = Some(self.manifest.clone());
            if action.kind == ActionKind::Start {
                acted.assigned = action.conversation.clone();
            }
        });
        if let Err(error) = noted {
            report.report.failure = full_disk(&line(&error));
            return self.end(&files, report.failed(Outcome::Failed, line(&error)));
        }
        let withheld = launch::withheld(self.world, table, &self.request.front.clears);
        let before = self.ledger.read().ok().and_then(|ledger| ledger.of(&session.key).cloned()).unwrap_or_default();
        if let Some(id) = &action.conversation {
            let set = spec.set.iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.clone());
            let home = set.or_else(|| inherited("HOME")).or_else(|| own("HOME"));
            self.free(&agents, session.agent, id, (&spec, home.as_deref()));
        }
        let request = effects::PaneRequest {
            launcher: &self.request.launcher,
            launch: &launch,
            cwd: &spec.cwd,
            withheld: &withheld,
            last: before.started.as_ref().map(|started| &started.placed),
        };
        let placed = match effects::place(self.world, &permit, &request) {
            Ok(placed) => Some(placed),
            // It may have come about all the same; from here on it cannot, unless it has.
            Err(why) => match files.close() {
                Ok(true) if why.contains("duplicate session") => {
                    // Nothing was made.
                    let why = "a session of its name was made at the same moment; run it again".to_owned();
                    return self.end(&files, report.refused(BlockCode::Busy, why));
                }
                Ok(true) => {
                    self.tell_of(effects::abandon(self.world, &permit));
                    return self.end(&files, report.failed(Outcome::Failed, why));
                }
                Ok(false) | Err(_) => None,
            },
        };
        if let Some(placed) = &placed {
            let started = LastStart {
                operation: operation.id.clone(),
                at: operation.begun,
                boot: operation.boot.clone(),
                placed: placed.clone(),
                fields: lead_fields(session),
                is_asking: false,
            };
            let alive = AliveIn {
                at: operation.begun,
                boot: operation.boot.clone(),
                server: Some(placed.server),
                pane: Some(placed.pid),
                is_over: false,
            };
            self.note(self.ledger.change(|ledger| {
                let acted = ledger.entry(&session.key);
                acted.started = Some(started);
                (acted.alive, acted.gone, acted.met) = (Some(alive), None, Some(wanted(session)));
            }));
        }
        drop(lock);
        let mut dialogs = StartDialogs::new(table, &pass.manifest().agents, session, &spec.cwd);
        let waited = self.await_ready(&permit, session, (table, &mut dialogs), placed.as_ref(), &files);
        if matches!(waited, Waited::Ready(..) | Waited::Asks(..)) {
            self.name_tab(&permit, session, placed.as_ref());
        }
        let report = match waited {
            Waited::Ready(proof, agent) => match self.beside(&agents, session, &action, placed.as_ref()) {
                // It has said nothing yet, and the other may have.
                Some(who) => {
                    if let Some(process) = self.world.host.stat(agent).seen()
                        && let Err(why) =
                            effects::end(self.world, &permit, (process.into(), table.is_group), Ending::Asked(Signal::TERM))
                    {
                        (self.tell)(Progress::Note(&why));
                    }
                    self.tidy(&permit, placed.as_ref());
                    report.refused(BlockCode::Claimed, who)
                }
                None => {
                    report.report.verified_by = proof;
                    report.end(Outcome::Done)
                }
            },
            Waited::Asks(subject, screen) => {
                report.report.screen_tail = screen;
                report.report.code = Some(subject.code());
                report.report.failure = (subject == DialogSubject::Login).then_some(FailureCause::Login);
                self.note(self.ledger.change(|ledger| {
                    if let Some(started) = &mut ledger.entry(&session.key).started {
                        started.is_asking = true;
                    }
                }));
                let hint = if dialogs.was_answered() { Some("an answer has not helped") } else { subject.hint() };
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                report.failed(Outcome::Unverified, format!("{}{hint}; it was left running", subject.asks()))
            }
            Waited::Not(outcome, why, screen) => {
                let shown = screen.as_deref().and_then(|screen| table.dialog(screen)).map(|dialog| dialog.subject);
                let is_login = outcome == Outcome::Failed && shown == Some(DialogSubject::Login);
                report.report.failure = is_login.then_some(FailureCause::Login).or_else(|| full_disk(&why));
                report.report.screen_tail = screen;
                // What nobody has begun by now, nobody begins later.
                let is_closed = files.launched().is_some() || files.close().unwrap_or(false);
                if files.ended().is_some() || files.launched().is_some_and(|record| record.pid.is_none()) {
                    self.tidy(&permit, placed.as_ref());
                }
                match files.ended().and_then(|end| end.not_begun) {
                    Some(cause) if cause == EndedRecord::CLAIMED => report.refused(BlockCode::Claimed, why),
                    _ => report.failed(if is_closed { outcome } else { Outcome::Unverified }, why),
                }
            }
        };
        if report.outcome == Outcome::Refused {
            // It is as it was before.
            self.note(self.ledger.change(|ledger| {
                let acted = ledger.entry(&session.key);
                let ActedOn { started, alive, gone, met, .. } = before.clone();
                (acted.started, acted.alive, acted.gone, acted.met) = (started, alive, gone, met);
            }));
        }
        let report = self.end(&files, report);
        self.record(&session.key);
        report
    }

    /// Frees a conversation that is locked for an agent which has left it: that is in another one, and its launcher cannot know.
    fn free(&self, agents: &Agents, kind: AgentKind, id: &ConversationId, (spec, home): (&LaunchSpec, Option<&str>)) {
        let Some((name, home)) = spec.conversation.as_deref().zip(home.map(Path::new)) else { return };
        let path = ConversationLock::path(home, name);
        let holder = || match self.world.host.lockers(&path).into_seen()?.as_slice() {
            [pid] => Some(*pid),
            _ => None,
        };
        let Some(held) = holder() else { return };
        if Rivals::of(self.world, agents).have_left(self.world, kind, id, held) {
            self.note(ConversationLock::let_go(home, name, || holder() == Some(held)));
        }
    }

    /// Names the tab of a new session after the work that it is about. A name that it does not get is no failure.
    fn name_tab(&self, permit: &Permit, session: &Session, placed: Option<&Placed>) {
        let task = session.lead.task.as_deref().and_then(|task| TaskReference::parse(task).ok());
        let name = self.request.front.tab.clone().or_else(|| Some(task?.tab_name(&session.key.name)));
        if let Some((name, placed)) = name.zip(placed.filter(|placed| placed.is_new_session))
            && let Err(why) = effects::name_tab(self.world, permit, placed, &name)
        {
            (self.tell)(Progress::Note(&format!("{}: its tab is not called {}: {why}", session.key, printable(&name))));
        }
    }

    /// Takes away the pane of a start that came to nothing, and its session if that was made for it and nobody looks at it.
    fn tidy(&self, permit: &Permit, placed: Option<&Placed>) {
        if let Some(placed) = placed {
            self.tell_of(effects::tidy(self.world, permit, placed, true));
        }
    }

    /// Who else is in the conversation that was just gone on in: somebody may have begun at the same moment.
    fn beside(&self, agents: &Agents, session: &Session, action: &Action, placed: Option<&Placed>) -> Option<String> {
        let (id, placed) = action.conversation.as_ref().zip(placed)?;
        Rivals::of(self.world, agents).beside(self.world, session.agent, id, placed.pid)
    }

    /// Waits until the time between two starts is over.
    fn space(&self) {
        let mut last = self.last_start.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = last.and_then(|last| (last + self.spacing).checked_duration_since(Instant::now())) {
            std::thread::sleep(wait);
        }
        *last = Some(Instant::now());
    }

    fn await_ready(
        &self,
        permit: &Permit,
        session: &Session,
        (table, dialogs): (&LaunchTable, &mut StartDialogs<'_>),
        placed: Option<&Placed>,
        files: &OperationFiles,
    ) -> Waited {
        let host = self.world.host.as_ref();
        let operation = permit.operation();
        let ready = chrono::TimeDelta::from_std(self.ready).unwrap_or(chrono::TimeDelta::MAX);
        let (mut pause, mut screen, mut framed) = (LOOKS[0], None, Instant::now());
        let (mut shown, settle) = (None::<Instant>, Duration::from_millis(table.settle));
        let mut clock = WaitClock::begin(operation.begun);
        loop {
            let is_unsaid = matches!(table.ready, ReadySign::Unsaid);
            let mut seen = StartEvidence { is_placed: true, is_unsaid, ..StartEvidence::default() };
            seen.is_launched = files.launched().is_some();
            seen.ended = files.ended().map(|end| end.end());
            if seen.is_launched && seen.ended.is_none() {
                self.look(session, &table.ready, placed, &mut seen);
                if let (Some(placed), Some(agent), false) = (placed, seen.agent, seen.is_ready) {
                    let view = effects::view(self.world, &operation.session.server_key(), placed);
                    if let Some(view) = view {
                        let is_shown = table.ready.is_of_screen() && table.is_ready_on(&view.screen);
                        shown = shown.filter(|_| is_shown).or_else(|| is_shown.then(Instant::now));
                        seen.is_ready = shown.is_some_and(|since| since.elapsed() >= settle);
                        seen.dialog = dialogs.attend(self, (permit, placed, agent), &view, host.now());
                        (screen, framed) = (Some(view.screen), Instant::now());
                    }
                }
                // A tool that has heard from it need not know its program.
                if let (None, Some(launcher), true) = (seen.agent, files.launched().and_then(|it| it.pid), self.is_heard()) {
                    (seen.agent, seen.is_ready) = (Some(launcher), true);
                }
                // It may have ended while it was looked at.
                seen.ended = files.ended().map(|end| end.end());
            }
            let is_over = |placed: &Placed| host.stat(placed.pid).is_absent();
            if !seen.is_launched && placed.is_some_and(is_over) && files.close().unwrap_or(false) {
                return Waited::Not(Outcome::Failed, "its pane ended before anything was begun".to_owned(), None);
            }
            let wanted = operation.conversation.as_ref();
            // It cannot say any more how it ended; whether its agent did is for the next look to find.
            if seen.is_launched && seen.ended.is_none() && placed.is_some_and(is_over) && files.ended().is_none() {
                let why = "its launcher ended without a word; what it began may still run".to_owned();
                return Waited::Not(Outcome::Unverified, why, screen);
            }
            let next = next_start(operation.begun, ready, wanted, &seen, clock.now());
            if let Some(placed) = placed.filter(|_| framed.elapsed() > Duration::from_millis(100)) {
                screen = effects::view(self.world, &operation.session.server_key(), placed).map(|view| view.screen).or(screen);
                framed = Instant::now();
            }
            let screen = || screen.as_deref().map(tail);
            match next {
                StartNext::Done(proof) => return Waited::Ready(proof, seen.agent.unwrap_or_default()),
                StartNext::Failed(why) => {
                    let cause = files.ended().and_then(|end| end.not_begun).filter(|why| why != EndedRecord::CLAIMED);
                    return Waited::Not(Outcome::Failed, cause.unwrap_or(why), screen());
                }
                StartNext::NeedsInput(subject) => return Waited::Asks(subject, screen()),
                StartNext::Unverified(why) => return Waited::Not(Outcome::Unverified, why, screen()),
                StartNext::Place | StartNext::Await(_) => {}
            }
            std::thread::sleep(pause);
            pause = (pause * 5 / 4).min(LOOKS[1]);
        }
    }

    fn is_heard(&self) -> bool {
        let front = &self.request.front;
        front.profile.relaxes(LeadRule::ReadyByItself) && front.heard.as_ref().is_some_and(HeardCheck::is_so)
    }

    /// What is to be seen of an agent that was begun.
    fn look(&self, session: &Session, sign: &ReadySign, placed: Option<&Placed>, seen: &mut StartEvidence) {
        let Ok(planned) = plan(self.world, &about(self.request, &session.key, Wish::Start { fresh: false })) else { return };
        let Some((_, verdict)) = entry_of(&planned.pass, &session.key) else { return };
        let Presence::Alive(live) = &verdict.presence else { return };
        if placed.is_some_and(|placed| live.pane.id != placed.pane || live.pane.pid != Some(placed.pid)) {
            return;
        }
        seen.agent = Some(live.agent.process.pid);
        seen.proven = verdict.proven.as_ref().map(|(id, _)| id.clone());
        let observation = planned.pass.observation();
        let phase = observation.phases.get(&live.agent.process);
        let place = verdict.proven.as_ref().map(|(id, _)| (live.agent.process, id.clone()));
        let turn = place.as_ref().and_then(|place| observation.turns.get(place)?.seen());
        seen.is_ready = match sign {
            ReadySign::Idle => phase.is_none() && turn.is_some(),
            ReadySign::Screen(..) | ReadySign::LastLine(_) | ReadySign::Unsaid => false,
            ReadySign::Held => phase.is_none() && verdict.proven.as_ref().is_some_and(|(_, rung)| *rung <= Rung::Held),
        };
        if turn == Some(&Activity::Waiting) {
            let what = place.as_ref().and_then(|place| observation.awaited.get(place));
            seen.asks = Some(what.map_or("it waits".to_owned(), |what| printable(what).into_owned()));
        }
    }
}

/// Whether an error says that a disk is full, or what a user may have of it. How Rust says which error of the system it was is part of
/// each; what a launcher wrote is known as a text only.
fn full_disk(why: &str) -> Option<FailureCause> {
    ["(os error 28)", "(os error 122)"].iter().any(|error| why.contains(error)).then_some(FailureCause::DiskFull)
}

/// How waiting for a start ended.
enum Waited {
    Ready(Vec<String>, u32),
    Asks(DialogSubject, Option<String>),
    Not(Outcome, String, Option<String>),
}

/// The last lines of a screen, safe to show.
fn tail(screen: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = screen.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(LINES));
    shown.map(|line| printable(line).into_owned()).collect::<Vec<_>>().join("\n")
}
