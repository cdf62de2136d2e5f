//! The loop itself: one pass at a time, whatever wakes it, until something ends it. Decides when to look, never what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::broker::{BrokerHappening, BrokerLink, Watching};
use super::cycle::{Cycle, Cycles};
use super::doubts::UnknownTimers;
use super::due::{settled_in, times_out_in, until};
use super::ends::{StopConditions, WatchEnd};
use super::leading::{Happening, Leading};
use super::on_drift::Runners;
use super::pause::{Pause, stop_here};
use super::queue::Queue;
use super::retry::Retry;
use super::sources::{SourceOptions, Sources};
use super::waits::{Running, at, happening, joined, led, next, panic_message};
use super::wake::{Reason, Scope, Wake};
use super::{WatchError, WatchOptions};
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, MuteBudget, Pass, PassError};
use crate::core::events::{Announcer, ConditionTeller, Event, Heartbeat, JobTeller, Started, Stopped, WatchFailure};
use crate::core::ids::SessionKey;
use crate::core::text::printable;

/// How many wakes may wait. Sources drop nothing when it is full: they wait, and what they say then is as good.
const WAKES: usize = 1024;

/// How long operations that run may hold up the end. What has not ended by then is found by the next headcount.
const LANDING: Duration = Duration::from_secs(10);

/// How long noting what was told may hold up the end.
const NOTING: Duration = Duration::from_secs(2);

/// Watches until something ends it. `sink` is given each event as it happens, and breaks if nobody reads them any more.
///
/// # Errors
/// [`WatchError`]; only before the first pass.
pub fn run(world: Observer, options: WatchOptions, sink: impl FnMut(Event) -> ControlFlow<()>) -> Result<WatchEnd, WatchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WatchError::Runtime)?;
    let ended = runtime.block_on(async {
        let mut options = options;
        let ends = StopConditions::new(&mut options)?;
        let pause = Pause::new()?;
        let (wakes, woken) = mpsc::channel(WAKES);
        let how = SourceOptions {
            control_client: options.control_client,
            interval: options.interval,
            env: world.env.clone(),
            ..SourceOptions::default()
        };
        let sources = Sources::start(how, wakes);
        Ok(Loop::new(world, options, sink, sources).go((ends, pause), woken).await)
    });
    // A pass that was given up at a second signal may still hang somewhere; it holds nothing that a kill would not leave whole.
    runtime.shutdown_background();
    ended
}

struct Loop<S> {
    world: Arc<Observer>,
    options: WatchOptions,
    sink: S,
    turns: Arc<Mutex<Cycles>>,
    announcer: Announcer,
    jobs: JobTeller,
    conditions: ConditionTeller,
    hooks: Runners,
    leading: Option<Leading>,
    queue: Queue,
    sources: Sources,
    link: Option<BrokerLink>,
    /// What jobs are done in, as of the last pass.
    job_sessions: BTreeSet<SessionKey>,
    /// What each place complained of last.
    said: BTreeMap<&'static str, BTreeSet<String>>,
    doubts: UnknownTimers,
    passes: u64,
    last_pass: Option<DateTime<Utc>>,
    is_ready: bool,
    is_closed: bool,
    settled: Option<Instant>,
    /// When the next job runs out of time.
    times_out: Option<Instant>,
    /// How much is told, for passes to know what is not.
    held: MuteBudget,
    /// Passes that panicked in a row, what they were made for, and when that is looked at again.
    panics: Retry,
    lost: Vec<Reason>,
    again: Option<Instant>,
}

impl<S: FnMut(Event) -> ControlFlow<()>> Loop<S> {
    fn new(world: Observer, options: WatchOptions, sink: S, sources: Sources) -> Self {
        let world = Arc::new(world);
        let publishes = options.mqtt.as_ref().is_some_and(|mqtt| mqtt.publish);
        let held = MuteBudget::default();
        let passes = pass::PassOptions { held: Some(held.clone()), ..options.pass.clone() };
        Self {
            turns: Arc::new(Mutex::new(Cycles::new(
                Arc::clone(&world),
                passes,
                (publishes, options.lead.as_ref().is_some_and(|lead| lead.enforces), options.conditions),
            ))),
            link: options.mqtt.clone().map(|mqtt| BrokerLink::start(mqtt, Watching::of(&world, &options))),
            job_sessions: BTreeSet::new(),
            announcer: Announcer::new(options.limit),
            jobs: JobTeller::default(),
            conditions: ConditionTeller::default(),
            hooks: Runners::start(&options.on),
            leading: options.lead.clone().map(Leading::new),
            world,
            options,
            sink,
            queue: Queue::new(),
            sources,
            said: BTreeMap::new(),
            doubts: UnknownTimers::default(),
            passes: 0,
            last_pass: None,
            is_ready: false,
            is_closed: false,
            settled: None,
            times_out: None,
            held,
            panics: Retry::default(),
            lost: Vec::new(),
            again: None,
        }
    }

    async fn go(mut self, (mut ends, mut pause): (StopConditions, Pause), mut woken: mpsc::Receiver<Wake>) -> WatchEnd {
        self.started();
        self.queue.push(Wake { reason: Reason::Started, scope: Scope::ALL });
        let mut running: Option<Running> = None;
        let mut ending: Option<WatchEnd> = None;
        let mut landing: Option<Instant> = None;
        let mut heartbeat = next(self.options.heartbeat);
        let mut watchdog = self.options.supervisor.watchdog.and_then(|silence| next(silence / 2));
        let ended = loop {
            if self.is_closed {
                break WatchEnd::OutputClosed;
            }
            if running.is_none() {
                let is_landed =
                    self.leading.as_ref().is_none_or(Leading::is_idle) || landing.is_some_and(|at| at <= Instant::now());
                if let Some(ended) = ending.filter(|_| is_landed) {
                    break ended;
                }
                running = if ending.is_none() { self.begin() } else { None };
            }
            let due = self.announcer.due_at().map(|at| Instant::now() + until(at, self.world.host.now()));
            let is_idle = running.is_none();
            let begins = self.leading.as_ref().and_then(Leading::due).filter(|_| ending.is_none());
            tokio::select! {
                (turn, reasons) = joined(&mut running) => {
                    running = None;
                    self.finished(turn, reasons, ending.is_some()).await;
                }
                ended = ends.next(ending.is_some()) => match ending {
                    // Asked twice: the pass is not waited for.
                    Some(first) => break first,
                    None => {
                        (ending, landing) = (Some(ended), Instant::now().checked_add(LANDING));
                        if let Some(leading) = &mut self.leading {
                            leading.end();
                        }
                    }
                },
                () = at(landing) => {}
                happening = led(&mut self.leading) => self.led(happening),
                () = at(begins) => self.lead(),
                Some(wake) = woken.recv() => self.queue.push(wake),
                () = pause.asked() => self.pause().await,
                happening = happening(&mut self.link) => self.heard(happening),
                () = at(self.settled), if is_idle => {
                    self.settled = None;
                    self.queue.push(Wake { reason: Reason::Settled, scope: Scope::ALL });
                }
                () = at(self.times_out), if is_idle => {
                    self.times_out = None;
                    self.queue.push(self.about_jobs());
                }
                () = at(self.again), if is_idle => self.look_again(),
                () = at(due) => self.release(),
                () = at(heartbeat) => {
                    heartbeat = next(self.options.heartbeat);
                    self.emit_heartbeat();
                }
                () = at(watchdog) => {
                    watchdog = self.options.supervisor.watchdog.and_then(|silence| next(silence / 2));
                    self.bark(running.as_ref());
                }
                outcome = self.hooks.outcome() => self.delivered(&outcome),
            }
        };
        self.stop(ended).await;
        self.sources.stop().await;
        ended
    }

    /// Stops until somebody lets us go on. A tmux server does not end, and lets nobody in, before all its clients are gone, and one
    /// whose relay is stopped never is: so none is kept meanwhile.
    async fn pause(&mut self) {
        self.sources.lose_clients().await;
        stop_here();
        self.sources.find_clients();
        self.queue.push(Wake { reason: Reason::Resync, scope: Scope::ALL });
    }

    /// Starts a pass for what is pending.
    fn begin(&mut self) -> Option<Running> {
        let batch = self.queue.take()?;
        let reasons = batch.reasons.clone();
        tracing::info!(?reasons, "pass");
        self.held.set(self.announcer.room(self.now()));
        let turns = Arc::clone(&self.turns);
        let turn = tokio::task::spawn_blocking(move || turns.lock().unwrap_or_else(PoisonError::into_inner).answer(batch));
        Some(Running { turn, reasons, since: Instant::now() })
    }

    /// Says what a pass found.
    async fn finished(&mut self, turn: Result<Option<Cycle>, JoinError>, reasons: Vec<Reason>, is_ending: bool) {
        let mut turn = match turn {
            // It was only our own write that was heard of.
            Ok(None) => return,
            Ok(Some(turn)) => {
                self.passes += 1;
                self.settled = None;
                turn
            }
            Err(error) => {
                self.passes += 1;
                self.lost.extend(reasons);
                self.again = Instant::now().checked_add(self.panics.after_failure());
                let message = format!("internal error: the pass panicked: {}; retrying", panic_message(error));
                return self.report_once("panic", [message].into());
            }
        };
        self.panics.succeeded();
        self.report_once("panic", BTreeSet::new());
        if let Some(rest) = turn.rest.take() {
            self.queue.put_back(rest);
        }
        let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
        // A manifest that lost most of its entries is only waited for.
        let errors = turn.error.iter().filter(|error| !matches!(error, PassError::Shrunken { .. }));
        let errors = errors.map(PassError::line_with_places).collect();
        self.report_once("pass", errors);
        let notes = turn.pass.as_ref().map_or(&[][..], Pass::notes);
        self.report_once("note", notes.iter().cloned().collect());
        let mut again = turn.again;
        if let Some(pass) = &turn.pass {
            // Whoever watches by name may be ahead of the session: it is said, and waited for.
            let missing = |name| format!("no session named {name} yet; waiting for it");
            self.report_once("name", pass.missing().into_iter().map(missing).collect());
        }
        let kept =
            |path: &PathBuf| format!("another program saved the manifest meanwhile; its version is kept in {}", path.display());
        self.report_once("saved", turn.pass.iter().flat_map(|pass| &pass.saved).map(kept).collect());
        if let Some(report) = turn.report() {
            self.last_pass = Some(report.observed_at);
            let look = self.doubts.after(report, Instant::now());
            self.report_once("unknown", look.stands);
            again = again.into_iter().chain(settled_in(report)).chain(look.again).min();
            let events = self.announcer.after(report, &reasons, self.now());
            self.tell(events);
        }
        if let Some((pass, jobs)) = turn.pass.as_ref().and_then(|pass| Some((pass, pass.jobs()?))) {
            let (now, read_at) = (self.now(), pass.report.observed_at);
            let events = self.jobs.after(jobs, read_at, turn.jobs_told.as_ref(), &reasons, now);
            self.tell(events);
            self.times_out = times_out_in(jobs, read_at).and_then(|wait| Instant::now().checked_add(wait));
        }
        if let Some(seen) = turn.conditions.take() {
            let seen = seen.iter().map(|(key, seen)| (key, seen.agent, seen.conditions.as_slice()));
            let events = self.conditions.after(seen, &reasons, self.now());
            self.tell(events);
        }
        if let (Some(link), Some(status)) = (&mut self.link, &turn.status) {
            link.publish(status);
        }
        match (&mut self.leading, turn.gaps.take()) {
            (Some(leading), Some(Ok(gaps))) if !is_ending => {
                let has_jobs = !gaps.jobs.is_empty();
                let events = leading.after(gaps, self.world.host.now());
                if has_jobs {
                    leading.resume_jobs();
                }
                self.tell(events);
                self.lead();
                self.report_once("lead", BTreeSet::new());
            }
            (_, Some(Err(error))) => self.report_once("lead", [PassError::line(&error)].into()),
            _ => {}
        }
        // Only now: whoever waits for the events need not wait for this.
        self.watch_for(turn.pass).await;
        self.settled = again.and_then(|wait| Instant::now().checked_add(wait));
        self.report_to_supervisor();
    }

    /// Has the sources watch what matters after a pass.
    async fn watch_for(&mut self, pass: Option<Pass>) {
        let turns = Arc::clone(&self.turns);
        let gather = move || turns.lock().unwrap_or_else(PoisonError::into_inner).watched(pass.as_ref());
        match tokio::task::spawn_blocking(gather).await {
            Ok(Some(watched)) => {
                self.sources.watch(&watched).await;
                self.job_sessions = watched.job_sessions;
                self.report_once("source", self.sources.degraded().into_iter().collect());
            }
            Ok(None) => {}
            Err(error) => {
                let message = format!("internal error: what to watch is unknown: {}", panic_message(error));
                self.report_once("panic", [message].into());
            }
        }
    }

    /// Wakes for what passes that panicked were made for. What they knew may be broken, so everything is looked at.
    fn look_again(&mut self) {
        self.again = None;
        for reason in std::mem::take(&mut self.lost).into_iter().chain([Reason::Resync]) {
            self.queue.push(Wake { reason, scope: Scope::ALL });
        }
    }

    /// Tells what was held back long enough. A pass notes that it was told.
    fn release(&mut self) {
        let events = self.announcer.due(self.now());
        let sessions: BTreeSet<_> = events.iter().filter_map(Event::session).cloned().collect();
        self.tell(events);
        if !sessions.is_empty() {
            self.queue.push(Wake { reason: Reason::Settled, scope: Scope::sessions(sessions) });
        }
    }

    /// Notes what was told only because the watch ends. What cannot be noted in time is told again by the next one.
    async fn note_told(&self) {
        let told = self.announcer.standing().map(str::to_owned).collect();
        let (world, options) = (Arc::clone(&self.world), self.options.pass.clone());
        let noting = tokio::task::spawn_blocking(move || pass::note_told(&world, &options, told));
        match tokio::time::timeout(NOTING, noting).await {
            Ok(Ok(Ok(()))) => {}
            missed => tracing::info!(?missed, "cannot save which drifts were reported"),
        }
    }

    /// Says each complaint of a place that it did not have last time.
    fn report_once(&mut self, source: &'static str, messages: BTreeSet<String>) {
        let before = self.said.insert(source, messages.clone()).unwrap_or_default();
        let at = self.now();
        let news = messages.into_iter().filter(|message| !before.contains(message));
        let event = |message: String| {
            Event::Error(WatchFailure { at, source: source.to_owned(), message: printable(&message).into_owned() })
        };
        self.tell(news.map(event).collect());
    }

    /// What came from the broker is in the registry; a pass reads it there.
    fn heard(&mut self, happening: BrokerHappening) {
        let at = self.now();
        let Some(answer) = self.link.as_mut().map(|link| link.answer(happening, at)) else { return };
        if answer.all {
            self.queue.push(Wake { reason: Reason::Broker, scope: Scope::ALL });
        }
        if answer.jobs {
            self.queue.push(self.about_jobs());
        }
        self.tell(answer.events);
    }

    /// Jobs are read anew by every pass, whatever it is about.
    fn about_jobs(&self) -> Wake {
        Wake { reason: Reason::Job, scope: Scope::sessions(self.job_sessions.clone()) }
    }

    /// Begins what may begin now, and looks again at what may be acted on now.
    fn lead(&mut self) {
        let at = self.now();
        let Some(leading) = &mut self.leading else { return };
        let (events, wake) = (leading.begin(at), leading.wake());
        if let Some(wake) = wake {
            self.queue.push(wake);
        }
        self.tell(events);
    }

    /// What an operation has to say.
    fn led(&mut self, happening: Happening) {
        let at = self.now();
        let Some(leading) = &mut self.leading else { return };
        let (events, wake) = leading.heard(happening, at);
        if let Some(wake) = wake {
            self.queue.push(wake);
        }
        self.tell(events);
        self.lead();
    }

    fn delivered(&mut self, outcome: &Result<(), String>) {
        self.report_once("on-drift", outcome.as_ref().err().cloned().into_iter().collect());
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            let event = match &mut self.leading {
                Some(leading) => leading.hold(event),
                None => Some(event),
            };
            let Some(event) = event else { continue };
            self.hooks.queue(&event);
            if let Some(link) = &self.link {
                link.tell(&event);
            }
            self.say(event);
        }
    }

    fn say(&mut self, event: Event) {
        if !self.is_closed && (self.sink)(event).is_break() {
            self.is_closed = true;
        }
    }

    fn started(&mut self) {
        let pass = &self.options.pass;
        let started = Started {
            at: self.now(),
            manifest: self.options.manifest_path(),
            host: self.world.host.name().to_owned(),
            pid: std::process::id(),
            dry_run: pass.mode == Mode::Look,
            interval: self.options.interval.as_secs_f64(),
        };
        self.say(Event::Started(started));
    }

    fn emit_heartbeat(&mut self) {
        let heartbeat = Heartbeat {
            at: self.now(),
            passes: self.passes,
            drifts: self.announcer.told(),
            open: self.announcer.open(),
            last_pass: self.last_pass,
            degraded: self.sources.degraded(),
            mqtt: self.link.as_ref().map(BrokerLink::beat),
        };
        self.say(Event::Heartbeat(heartbeat));
    }

    /// Tells the supervisor that we live, unless a pass has hung for so long that a restart is what is needed.
    fn bark(&self, running: Option<&Running>) {
        let silence = self.options.supervisor.watchdog.unwrap_or(Duration::MAX);
        if running.is_none_or(|running| running.since.elapsed() < silence) {
            self.options.supervisor.say("WATCHDOG=1");
        }
    }

    fn report_to_supervisor(&mut self) {
        let ready = if std::mem::replace(&mut self.is_ready, true) { "" } else { "READY=1\n" };
        let (passes, open) = (self.passes, self.announcer.open());
        self.options.supervisor.say(&format!("{ready}STATUS=passes: {passes}, standing drifts: {open}"));
    }

    async fn stop(&mut self, ended: WatchEnd) {
        self.options.supervisor.say("STOPPING=1");
        let is_full = self.announcer.is_full();
        let held = self.announcer.ending(self.now());
        self.tell(held);
        // What nobody reads was not told.
        if is_full && ended != WatchEnd::OutputClosed && !self.is_closed && self.options.pass.mode == Mode::Record {
            self.note_told().await;
        }
        if let Some(link) = self.link.take() {
            link.stop().await;
        }
        let hooks = std::mem::replace(&mut self.hooks, Runners::start(&[]));
        for outcome in hooks.finish().await {
            self.delivered(&outcome);
        }
        if ended != WatchEnd::OutputClosed {
            let reason = ended.as_str().to_owned();
            self.say(Event::Stopped(Stopped { at: self.now(), reason, passes: self.passes, drifts: self.announcer.told() }));
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.host.now()
    }
}
