//! The part of a watch that acts: takes what a pass found to do, and carries it out beside the loop, a few sessions at a time and at
//! most one operation a session; and carries texts. Decides neither what is wanted nor what may be done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::LeadOptions;
use super::due::until;
use super::wake::{Reason, Scope, Wake};
use crate::control::lead::{self, Background, BackgroundThread, Gap, Gaps, JobStart, Progress};
use crate::control::pass::PassError;
use crate::core::events::{BackEvent, BlockedEvent, Event, OperationEvent, PlannedEvent, SentEvent, TaskChange, WatchFailure};
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::job::run::JobSpec;
use crate::core::lead::enforce::Decision;
use crate::core::lead::send::SendReceipt;
use crate::core::lead::{BlockCode, Blocked, LeadCause, OperationReport, Outcome};
use crate::core::manifest::lead::{Desired, Policy};
use crate::core::text::printable;

/// How long an operation that was refused is not tried again.
const REFUSED: Duration = Duration::from_secs(30);
/// The same where another headcount was at it.
const BUSY: Duration = Duration::from_secs(2);

/// What is about to be over is not told. It is no more once it has lasted so long.
const MOMENTARY: Duration = Duration::from_secs(60);
/// The same of what cannot be told.
const UNSURE: Duration = Duration::from_secs(3);

/// What an operation has to say.
pub(super) enum Happening {
    /// Something went wrong beside it.
    Note(String),
    /// It has ended.
    Ended(SessionKey, Result<Vec<OperationReport>, String>),
    /// A text that waited does not any more.
    Sent(Box<SendReceipt>),
    /// Something has happened to a task of a crew.
    Task(Box<TaskChange>),
    /// Something went wrong with a crew.
    Crew(String),
    /// Jobs that were cut off were gone on with, or could not be.
    Jobs(Vec<(JobSpec, Result<JobStart, Blocked>)>),
}

/// Operations that wait, run, or were refused.
pub(super) struct Leading {
    options: Arc<LeadOptions>,
    policy: Policy,
    tell: mpsc::UnboundedSender<Happening>,
    heard: mpsc::UnboundedReceiver<Happening>,
    /// What is to be done, in its order.
    waiting: Vec<(Gap, LeadCause)>,
    running: BTreeMap<SessionKey, Flight>,
    /// What was said last of a session that may not be acted on.
    told: BTreeMap<SessionKey, (BlockCode, String)>,
    /// Since when a session has been about to be acted on.
    unsettled: BTreeMap<SessionKey, Instant>,
    /// When one that was refused is tried again.
    refused: BTreeMap<SessionKey, Instant>,
    last_start: Option<Instant>,
    /// What may be looked at again, and when.
    again: Option<(Instant, BTreeSet<SessionKey>)>,
    /// What carries texts, and what hands out the tasks of crews.
    beside: Vec<BackgroundThread>,
    /// Whether jobs that were cut off are just gone on with.
    is_at_jobs: bool,
}

/// An operation that runs.
struct Flight {
    agent: AgentKind,
    cause: LeadCause,
    desired: Desired,
    /// What was said of its session meanwhile.
    held: Vec<Event>,
}

/// Hands out the tasks of crews from now on.
fn dispatching(options: &Arc<LeadOptions>, tell: &mpsc::UnboundedSender<Happening>) -> Option<BackgroundThread> {
    let (ours, told) = (Arc::clone(options), tell.clone());
    // Nobody is told who has gone.
    let say = move |news: Result<TaskChange, String>| {
        let _ = told.send(match news {
            Ok(change) => Happening::Task(Box::new(change)),
            Err(why) => Happening::Crew(why),
        });
    };
    let failed = say.clone();
    let dispatch = move |background: &Background| lead::dispatch_crews(&ours.world, &ours.request, background, &say);
    let thread = BackgroundThread::start("no task of a crew is handed out", dispatch, move |why| failed(Err(why)));
    thread.inspect_err(|error| drop(tell.send(Happening::Crew(format!("no task of a crew is handed out: {error}"))))).ok()
}

impl Leading {
    pub(super) fn new(options: LeadOptions) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let options = Arc::new(options);
        let told = tell.clone();
        // Nobody is told who has gone.
        let say = move |news: Result<_, String>| {
            let _ = told.send(match news {
                Ok(receipt) => Happening::Sent(Box::new(receipt)),
                Err(why) => Happening::Note(why),
            });
        };
        let dispatching = dispatching(&options, &tell);
        let (ours, failed) = (Arc::clone(&options), say.clone());
        let deliver = move |background: &Background| lead::deliver(&ours.world, &ours.request, ours.is_whole, background, &say);
        let delivering = BackgroundThread::start("no waiting text is delivered", deliver, move |why| failed(Err(why)));
        if let Err(error) = &delivering {
            let _ = tell.send(Happening::Note(format!("no waiting text is delivered: {error}")));
        }
        Self {
            beside: delivering.ok().into_iter().chain(dispatching).collect(),
            options,
            policy: Policy::default(),
            tell,
            heard,
            waiting: Vec::new(),
            running: BTreeMap::new(),
            told: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            refused: BTreeMap::new(),
            last_start: None,
            again: None,
            is_at_jobs: false,
        }
    }

    pub(super) async fn next(&mut self) -> Happening {
        match self.heard.recv().await {
            Some(happening) => happening,
            None => std::future::pending().await,
        }
    }

    /// Whether nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && !self.is_at_jobs && self.beside.iter().all(BackgroundThread::is_over)
    }

    /// From now on nothing begins.
    pub(super) fn end(&mut self) {
        (self.waiting, self.again) = (Vec::new(), None);
        self.beside.iter().for_each(BackgroundThread::end);
    }

    /// Keeps an event of a session that is acted on until that has ended: most of them are of our own making.
    pub(super) fn hold(&mut self, event: Event) -> Option<Event> {
        let is_about_drift = matches!(event, Event::Drift(_) | Event::Resolved(_));
        match event.session().filter(|_| is_about_drift).cloned().and_then(|session| self.running.get_mut(&session)) {
            Some(flight) => {
                flight.held.push(event);
                None
            }
            None => Some(event),
        }
    }

    /// Takes what a pass found to do, in place of what an earlier one did.
    pub(super) fn after(&mut self, gaps: Gaps, at: DateTime<Utc>) -> Vec<Event> {
        let now = Instant::now();
        self.policy = gaps.policy;
        let still: BTreeSet<&SessionKey> = gaps.all.iter().map(|gap| &gap.session).collect();
        // What was said of a job is none of these.
        self.told.retain(|session, _| still.contains(session) || gaps.jobs.contains(session));
        self.refused.retain(|session, _| still.contains(session));
        self.unsettled.retain(|session, _| still.contains(session));
        (self.waiting, self.again) = (Vec::new(), None);
        let mut events = Vec::new();
        for gap in gaps.all {
            if self.running.contains_key(&gap.session) {
                continue;
            }
            match &gap.decision {
                Decision::Leave => {}
                Decision::Act(cause) => match self.refused.get(&gap.session).copied().filter(|until| now < *until) {
                    Some(until) => self.look_again(until, gap.session),
                    None => {
                        let cause = *cause;
                        self.waiting.push((gap, cause));
                    }
                },
                Decision::Unsure(blocked) => {
                    let since = *self.unsettled.entry(gap.session.clone()).or_insert(now);
                    match now < since + UNSURE {
                        true => self.look_again(since + UNSURE, gap.session),
                        false => events.extend(self.tell_once((&gap.session, gap.agent), blocked, at)),
                    }
                }
                Decision::Wait(blocked) => {
                    events.extend(self.blocked((&gap.session, gap.agent), blocked, at));
                    let due = blocked.until.and_then(|moment| now.checked_add(until(moment, at)));
                    if let Some(due) = due {
                        self.look_again(due, gap.session);
                    }
                }
            }
        }
        events
    }

    fn look_again(&mut self, due: Instant, session: SessionKey) {
        let (at, sessions) = self.again.get_or_insert_with(|| (due, BTreeSet::new()));
        *at = due.min(*at);
        sessions.insert(session);
    }

    /// When something may begin, or be looked at again.
    pub(super) fn due(&self) -> Option<Instant> {
        let spaced = (!self.waiting.is_empty() && self.has_room()).then(|| self.spaced()).flatten();
        spaced.into_iter().chain(self.again.as_ref().map(|(at, _)| *at)).min()
    }

    /// What is to be looked at again now.
    pub(super) fn wake(&mut self) -> Option<Wake> {
        let (_, sessions) = self.again.take_if(|(at, _)| *at <= Instant::now())?;
        Some(Wake { reason: Reason::Operation, scope: Scope::sessions(sessions) })
    }

    /// Whether one more may run. One that waits for a turn to end takes no place.
    fn has_room(&self) -> bool {
        let parallel = self.policy.parallel.map_or(self.options.request.parallel, |most| most as usize).max(1);
        self.running.values().filter(|flight| flight.desired == Desired::Running).count() < parallel
    }

    /// When the time between two starts is over.
    fn spaced(&self) -> Option<Instant> {
        let spacing = self.policy.spacing.unwrap_or(Duration::from_secs(1));
        Some(self.last_start.map_or_else(Instant::now, |last| last + spacing))
    }

    /// Begins what may begin now.
    pub(super) fn begin(&mut self, at: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        while self.has_room() && self.spaced().is_none_or(|due| due <= Instant::now()) && !self.waiting.is_empty() {
            let (gap, cause) = self.waiting.remove(0);
            let Gap { session, agent, desired, .. } = gap;
            if desired == Desired::Running {
                self.last_start = Some(Instant::now());
            }
            // One that is only tried again was said before.
            if !self.refused.contains_key(&session) {
                let message = format!("{}: {} is wanted ({}).", printable(&session.name), desired.as_str(), cause.as_str());
                let (session, desired) = (session.clone(), desired.as_str().to_owned());
                events.push(Event::Planned(PlannedEvent { at, session, agent, desired, cause, message }));
            }
            self.running.insert(session.clone(), Flight { agent, cause, desired, held: Vec::new() });
            let (options, tell) = (Arc::clone(&self.options), self.tell.clone());
            tokio::task::spawn_blocking(move || {
                let noted = tell.clone();
                let note = move |progress: Progress<'_>| {
                    if let Progress::Note(note) = progress {
                        let _ = noted.send(Happening::Note(note.to_owned()));
                    }
                };
                let act = || lead::enforce(&options.world, &options.request, (&session, cause), &note);
                // Whatever happens in it, its session is free again afterwards.
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
                let ended = match ended {
                    Ok(ended) => ended.map_err(|error| PassError::line(&error)),
                    Err(_) => Err("internal error: the operation panicked".to_owned()),
                };
                // Nobody is told who has gone.
                let _ = tell.send(Happening::Ended(session.clone(), ended));
            });
        }
        events
    }

    /// Goes on with the jobs that were cut off, beside the loop.
    pub(super) fn resume_jobs(&mut self) {
        if std::mem::replace(&mut self.is_at_jobs, true) {
            return;
        }
        let (options, tell) = (Arc::clone(&self.options), self.tell.clone());
        tokio::task::spawn_blocking(move || {
            let act = || lead::resume_jobs(&options.world, &options.request);
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
            let _ = tell.send(Happening::Jobs(ended.unwrap_or_default()));
        });
    }

    /// What became of jobs that were cut off.
    fn resumed(&mut self, jobs: Vec<(JobSpec, Result<JobStart, Blocked>)>, at: DateTime<Utc>) -> Vec<Event> {
        self.is_at_jobs = false;
        let mut events = Vec::new();
        for (spec, outcome) in jobs {
            match outcome {
                Ok(JobStart::Met(_)) => {}
                Ok(JobStart::Begun) => {
                    self.told.remove(&spec.session);
                    let message = format!("{}: job {} goes on.", printable(&spec.session.name), spec.job);
                    let (session, agent) = (spec.session, spec.agent);
                    let cause = LeadCause::ServerLost;
                    events.push(Event::Back(BackEvent { at, session, agent, cause, conversation: None, message }));
                }
                Err(blocked) => events.extend(self.blocked((&spec.session, spec.agent), &blocked, at)),
            }
        }
        events
    }

    /// What an operation says, as events; and what to look at because of it.
    pub(super) fn heard(&mut self, happening: Happening, at: DateTime<Utc>) -> (Vec<Event>, Option<Wake>) {
        let failure = |message| Event::Error(WatchFailure { at, source: "lead".to_owned(), message });
        let (session, ended) = match happening {
            Happening::Jobs(jobs) => return (self.resumed(jobs, at), None),
            Happening::Note(note) => return (vec![failure(note)], None),
            Happening::Sent(receipt) => return (vec![Event::Sent(SentEvent::of(*receipt, at))], None),
            Happening::Task(change) => return (vec![Event::Task(*change)], None),
            Happening::Crew(message) => {
                return (vec![Event::Error(WatchFailure { at, source: "crew".to_owned(), message })], None);
            }
            Happening::Ended(session, ended) => (session, ended),
        };
        let Some(flight) = self.running.remove(&session) else { return (Vec::new(), None) };
        let mut events = Vec::new();
        let reports = match ended {
            Ok(reports) => reports,
            Err(why) => {
                self.refused.insert(session.clone(), Instant::now() + REFUSED);
                events.extend(self.blocked((&session, flight.agent), &Blocked::new(BlockCode::Unknown, why), at));
                Vec::new()
            }
        };
        let is_done = reports.iter().all(|report| matches!(report.outcome, Outcome::Done | Outcome::Skipped));
        if !is_done || reports.is_empty() {
            events.extend(flight.held);
        }
        // What was to begin next may fail for the same reason: that is judged anew first.
        if reports.iter().any(|report| report.failure.is_some()) {
            self.waiting = Vec::new();
        }
        for report in reports {
            events.extend(self.reported(report, flight.cause, at));
        }
        (events, Some(Wake { reason: Reason::Operation, scope: Scope::sessions([session].into()) }))
    }

    fn reported(&mut self, report: OperationReport, cause: LeadCause, at: DateTime<Utc>) -> Vec<Event> {
        let name = printable(&report.session.name).into_owned();
        match (report.outcome, report.code) {
            (Outcome::Skipped, _) => Vec::new(),
            (Outcome::Refused, code) => {
                let code = code.unwrap_or(BlockCode::Unknown);
                let wait = if code == BlockCode::Busy { BUSY } else { REFUSED };
                self.refused.insert(report.session.clone(), Instant::now() + wait);
                let blocked = Blocked::new(code, report.why.clone().unwrap_or_default());
                self.blocked((&report.session, report.agent), &blocked, at).into_iter().collect()
            }
            (outcome, _) => {
                self.told.remove(&report.session);
                self.refused.remove(&report.session);
                self.unsettled.remove(&report.session);
                let why = report.why.as_deref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
                let message = format!("{name}: {} {}{why}.", report.action.as_str(), outcome.as_str());
                let (session, agent, conversation) = (report.session.clone(), report.agent, report.conversation.clone());
                let operation = Event::Operation(OperationEvent { at, cause, report, message });
                let is_back = outcome == Outcome::Done && cause != LeadCause::Edited;
                let message = match &conversation {
                    Some(id) => format!("{name}: back in conversation {id}."),
                    None => format!("{name}: back."),
                };
                let back = is_back.then_some(Event::Back(BackEvent { at, session, agent, cause, conversation, message }));
                [operation].into_iter().chain(back).collect()
            }
        }
    }

    /// Says once that something may not be done.
    fn blocked(&mut self, (session, agent): (&SessionKey, AgentKind), why: &Blocked, at: DateTime<Utc>) -> Option<Event> {
        if !matches!(why.code, BlockCode::Settling | BlockCode::Busy) {
            self.unsettled.remove(session);
        } else if self.unsettled.entry(session.clone()).or_insert_with(Instant::now).elapsed() < MOMENTARY {
            return None;
        }
        self.tell_once((session, agent), why, at)
    }

    fn tell_once(&mut self, (session, agent): (&SessionKey, AgentKind), why: &Blocked, at: DateTime<Utc>) -> Option<Event> {
        let news = (why.code, why.message.clone());
        if self.told.insert(session.clone(), news.clone()).is_some_and(|before| before == news) {
            return None;
        }
        let message = format!("{}: {}.", printable(&session.name), why.message);
        let event = BlockedEvent { at, session: session.clone(), agent, code: why.code, until: why.until, message };
        Some(match why.code {
            BlockCode::GaveUp | BlockCode::Deadline => Event::GaveUp(event),
            _ => Event::Blocked(event),
        })
    }
}
