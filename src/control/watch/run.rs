//! The loop itself: one pass at a time, whatever wakes it, until something ends it. Decides when to look, never what is true.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::broker::{Happening, Link, Mqtt, Watching};
use super::doubts::Doubts;
use super::due::{settled_in, times_out_in, until};
use super::ends::Ends;
use super::on_drift::Runner;
use super::pause::{Pause, stop_here};
use super::queue::Queue;
use super::sources::{ControlLists, SourceOptions, Sources};
use super::turn::{Turn, Turns, line};
use super::wake::{Reason, Scope, Wake};
use super::{WatchError, WatchOptions};
use crate::control::observe::{Lister, World};
use crate::control::pass::{Mode, PassError};
use crate::core::events::{Announcer, Event, Failure, Heartbeat, JobTeller, Started, Stopped};
use crate::core::ids::{ServerKey, SessionKey};
use crate::core::observe::Server;
use crate::core::text::printable;

/// Why a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// SIGTERM.
    Terminated,
    /// SIGINT.
    Interrupted,
    /// The file that ends it exists.
    UntilFile,
    /// It has run as long as it was to.
    MaxRuntime,
    /// Nobody reads the events any more.
    OutputClosed,
}

impl Ended {
    /// The word in the `stopped` event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Interrupted => "SIGINT",
            Self::UntilFile => "until-file",
            Self::MaxRuntime => "max-runtime",
            Self::OutputClosed => "output-closed",
        }
    }
}

/// How many wakes may wait. Sources drop nothing when it is full: they wait, and what they say then is as good.
const WAKES: usize = 1024;

/// Watches until something ends it. `sink` is given each event as it happens, and breaks if nobody reads them any more.
///
/// # Errors
/// [`WatchError`]; only before the first pass.
pub fn run(world: World, options: WatchOptions, sink: impl FnMut(Event) -> ControlFlow<()>) -> Result<Ended, WatchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WatchError::Runtime)?;
    let ended = runtime.block_on(async {
        let mut options = options;
        let ends = Ends::new(&mut options)?;
        let pause = Pause::new()?;
        let (wakes, woken) = mpsc::channel(WAKES);
        let how = SourceOptions {
            control_client: options.control_client,
            interval: options.interval,
            env: world.env.clone(),
            ..SourceOptions::default()
        };
        let sources = Sources::start(how, wakes);
        let world = World { lister: Some(Box::new(Lists(sources.lister()))), ..world };
        Ok(Loop::new(world, options, sink, sources).go((ends, pause), woken).await)
    });
    // A pass that was given up at a second signal may still hang somewhere; it holds nothing that a kill would not leave whole.
    runtime.shutdown_background();
    ended
}

/// Lists that cost no fork, where there is a control client that can be asked.
struct Lists(ControlLists);

impl Lister for Lists {
    fn list(&self, server: &ServerKey) -> Option<Server> {
        self.0.list(server)
    }
}

struct Loop<S> {
    world: Arc<World>,
    options: WatchOptions,
    sink: S,
    turns: Arc<Mutex<Turns>>,
    announcer: Announcer,
    jobs: JobTeller,
    hook: Option<Runner>,
    queue: Queue,
    sources: Sources,
    link: Option<Link>,
    /// What jobs are done in, as of the last pass.
    job_sessions: BTreeSet<SessionKey>,
    /// What each place complained of last.
    said: BTreeMap<&'static str, BTreeSet<String>>,
    doubts: Doubts,
    passes: u64,
    last_pass: Option<DateTime<Utc>>,
    is_ready: bool,
    is_closed: bool,
    settled: Option<Instant>,
    /// When the next job runs out of time.
    times_out: Option<Instant>,
}

/// A pass that runs.
struct Running {
    turn: JoinHandle<Option<Turn>>,
    reasons: Vec<String>,
    since: Instant,
}

impl<S: FnMut(Event) -> ControlFlow<()>> Loop<S> {
    fn new(world: World, options: WatchOptions, sink: S, sources: Sources) -> Self {
        let world = Arc::new(world);
        let publishes = options.mqtt.as_ref().is_some_and(|mqtt| mqtt.publish);
        Self {
            turns: Arc::new(Mutex::new(Turns::new(Arc::clone(&world), options.pass.clone(), publishes))),
            link: options.mqtt.clone().map(|mqtt| link(mqtt, &world, &options)),
            job_sessions: BTreeSet::new(),
            announcer: Announcer::new(options.limit),
            jobs: JobTeller::default(),
            hook: options.on_drift.clone().map(Runner::start),
            world,
            options,
            sink,
            queue: Queue::new(),
            sources,
            said: BTreeMap::new(),
            doubts: Doubts::default(),
            passes: 0,
            last_pass: None,
            is_ready: false,
            is_closed: false,
            settled: None,
            times_out: None,
        }
    }

    async fn go(mut self, (mut ends, mut pause): (Ends, Pause), mut woken: mpsc::Receiver<Wake>) -> Ended {
        self.started();
        self.queue.push(Wake { reason: Reason::Started, scope: Scope::All });
        let mut running: Option<Running> = None;
        let mut ending: Option<Ended> = None;
        let mut heartbeat = next(self.options.heartbeat);
        let mut watchdog = self.options.supervisor.watchdog.and_then(|silence| next(silence / 2));
        let ended = loop {
            if self.is_closed {
                break Ended::OutputClosed;
            }
            if running.is_none() {
                if let Some(ended) = ending {
                    break ended;
                }
                running = self.begin();
            }
            let due = self.announcer.due_at().map(|at| Instant::now() + until(at, self.world.host.now()));
            let is_idle = running.is_none();
            tokio::select! {
                (turn, reasons) = joined(&mut running) => {
                    running = None;
                    self.finished(turn, reasons).await;
                }
                ended = ends.next(ending.is_some()) => match ending {
                    // Asked twice: the pass is not waited for.
                    Some(first) => break first,
                    None => ending = Some(ended),
                },
                Some(wake) = woken.recv() => self.queue.push(wake),
                () = pause.asked() => self.pause().await,
                happening = happening(&mut self.link) => self.heard(happening),
                () = at(self.settled), if is_idle => {
                    self.settled = None;
                    self.queue.push(Wake { reason: Reason::Settled, scope: Scope::All });
                }
                () = at(self.times_out), if is_idle => {
                    self.times_out = None;
                    self.queue.push(self.about_jobs());
                }
                () = at(due) => {
                    let events = self.announcer.due(self.world.host.now());
                    self.tell(events);
                }
                () = at(heartbeat) => {
                    heartbeat = next(self.options.heartbeat);
                    self.beat();
                }
                () = at(watchdog) => {
                    watchdog = self.options.supervisor.watchdog.and_then(|silence| next(silence / 2));
                    self.bark(running.as_ref());
                }
                outcome = outcome(&mut self.hook) => self.delivered(&outcome),
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
        self.queue.push(Wake { reason: Reason::Resync, scope: Scope::All });
    }

    /// Starts a pass for what is pending.
    fn begin(&mut self) -> Option<Running> {
        let batch = self.queue.take()?;
        let reasons = batch.reasons.iter().map(Reason::to_string).collect();
        tracing::info!(?reasons, "pass");
        let turns = Arc::clone(&self.turns);
        let turn = tokio::task::spawn_blocking(move || turns.lock().unwrap_or_else(PoisonError::into_inner).answer(batch));
        Some(Running { turn, reasons, since: Instant::now() })
    }

    /// Says what a pass found.
    async fn finished(&mut self, turn: Result<Option<Turn>, JoinError>, reasons: Vec<String>) {
        let turn = match turn {
            // It was only our own write that was heard of.
            Ok(None) => return,
            Ok(Some(turn)) => {
                self.passes += 1;
                self.settled = None;
                turn
            }
            Err(error) => {
                self.passes += 1;
                self.settled = None;
                let message =
                    format!("a defect of headcount ended the pass: {}; the next one begins anew", panic_message(error));
                return self.complain("panic", [message].into());
            }
        };
        self.complain("panic", BTreeSet::new());
        // A manifest that lost most of its entries is only waited for.
        let errors = turn.error.iter().filter(|error| !matches!(error, PassError::Shrunken { .. })).map(line).collect();
        self.complain("pass", errors);
        self.complain("note", turn.notes.into_iter().collect());
        // Whoever watches by name may be ahead of the session: it is said, and waited for.
        let missing = |name| format!("no session is called {name} yet; it is watched for");
        if turn.report.is_some() {
            self.complain("name", turn.missing.into_iter().map(missing).collect());
        }
        let kept = |path| format!("the manifest was saved by someone else meanwhile; that version is kept as {path}");
        self.complain("saved", turn.saved.into_iter().map(kept).collect());
        let mut again = turn.again;
        if let Some(report) = &turn.report {
            self.last_pass = Some(report.observed_at);
            let look = self.doubts.after(report, Instant::now());
            self.complain("unknown", look.stands);
            again = again.into_iter().chain(settled_in(report)).chain(look.again).min();
            let events = self.announcer.after(report, &reasons, self.now());
            self.tell(events);
        }
        if let Some(jobs) = &turn.jobs {
            let now = self.now();
            let read_at = turn.report.as_ref().map_or(now, |report| report.observed_at);
            let events = self.jobs.after(jobs, read_at, turn.jobs_told.as_ref(), &reasons, now);
            self.tell(events);
            self.times_out = times_out_in(jobs, read_at).and_then(|wait| Instant::now().checked_add(wait));
        }
        // Only now: whoever waits for the events need not wait for this.
        if let Some(watched) = &turn.watched {
            self.sources.watch(watched).await;
            self.job_sessions.clone_from(&watched.job_sessions);
            self.complain("source", self.sources.degraded().into_iter().collect());
        }
        if let (Some(link), Some(status)) = (&mut self.link, &turn.status) {
            link.publish(status);
        }
        self.settled = again.and_then(|wait| Instant::now().checked_add(wait));
        self.report_to_supervisor();
    }

    /// Says each complaint of a place that it did not have last time.
    fn complain(&mut self, source: &'static str, messages: BTreeSet<String>) {
        let before = self.said.insert(source, messages.clone()).unwrap_or_default();
        let at = self.now();
        let news = messages.into_iter().filter(|message| !before.contains(message));
        let event = |message: String| {
            Event::Error(Failure { at, source: source.to_owned(), message: printable(&message).into_owned() })
        };
        self.tell(news.map(event).collect());
    }

    /// What came from the broker is in the registry; a pass reads it there.
    fn heard(&mut self, happening: Happening) {
        let at = self.now();
        let Some(answer) = self.link.as_mut().map(|link| link.answer(happening, at)) else { return };
        if answer.all {
            self.queue.push(Wake { reason: Reason::Broker, scope: Scope::All });
        }
        if answer.jobs {
            self.queue.push(self.about_jobs());
        }
        self.tell(answer.events);
    }

    /// Jobs are read anew by every pass, whatever it is about.
    fn about_jobs(&self) -> Wake {
        Wake { reason: Reason::Job, scope: Scope::Sessions(self.job_sessions.clone()) }
    }

    fn delivered(&mut self, outcome: &Result<(), String>) {
        self.complain("on-drift", outcome.as_ref().err().cloned().into_iter().collect());
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            if let (Some(hook), Event::Drift(_)) = (&self.hook, &event) {
                hook.queue(event.clone());
            }
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
            manifest: absolute(&pass.manifest),
            host: self.world.host.name().to_owned(),
            pid: std::process::id(),
            dry_run: pass.mode == Mode::Look,
            interval: self.options.interval.as_secs_f64(),
        };
        self.say(Event::Started(started));
    }

    fn beat(&mut self) {
        let heartbeat = Heartbeat {
            at: self.now(),
            passes: self.passes,
            drifts: self.announcer.told(),
            open: self.announcer.open(),
            last_pass: self.last_pass,
            degraded: self.sources.degraded(),
            mqtt: self.link.as_ref().map(Link::beat),
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

    async fn stop(&mut self, ended: Ended) {
        self.options.supervisor.say("STOPPING=1");
        let held = self.announcer.ending(self.now());
        self.tell(held);
        if let Some(link) = self.link.take() {
            link.stop().await;
        }
        if let Some(hook) = self.hook.take() {
            for outcome in hook.finish().await {
                self.delivered(&outcome);
            }
        }
        if ended != Ended::OutputClosed {
            let reason = ended.as_str().to_owned();
            self.say(Event::Stopped(Stopped { at: self.now(), reason, passes: self.passes, drifts: self.announcer.told() }));
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.host.now()
    }
}

/// The link to the broker of a watch.
fn link(mqtt: Mqtt, world: &World, options: &WatchOptions) -> Link {
    let watching = Watching {
        host: world.host.name().to_owned(),
        boot_id: world.host.boot().seen().map(|boot| boot.id.clone()).unwrap_or_default(),
        manifest: absolute(&options.pass.manifest),
        interval: options.interval,
        registry: options.pass.jobs.clone(),
    };
    Link::start(mqtt, watching)
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// A period from now; never, if it is nothing or too long to count.
fn next(period: Duration) -> Option<Instant> {
    if period.is_zero() { None } else { Instant::now().checked_add(period) }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn joined(running: &mut Option<Running>) -> (Result<Option<Turn>, JoinError>, Vec<String>) {
    match running {
        Some(running) => ((&mut running.turn).await, running.reasons.clone()),
        None => std::future::pending().await,
    }
}

async fn happening(link: &mut Option<Link>) -> Happening {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

async fn outcome(hook: &mut Option<Runner>) -> Result<(), String> {
    match hook {
        Some(hook) => hook.outcome().await,
        None => std::future::pending().await,
    }
}

fn panic_message(error: JoinError) -> String {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "unknown".to_owned(), |text| (*text).to_owned()),
    };
    error.try_into_panic().map_or_else(|error| error.to_string(), text)
}
