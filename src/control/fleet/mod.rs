//! Reads a fleet from the broker: asks, tells when everything has come, and goes on listening. Decides nothing about a host.

mod asking;
mod lacking;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::asking::{HostQueries, Hosts, sessions};
use super::watch::ends::{closed, watch_reader};
use crate::bus::{BusReader, Down, News, Payload};
use crate::core::fleet::fold::{Bounds, FleetChange, FleetMessage, Fold};
use crate::core::fleet::report::{FleetEvent, FleetReport, HostStatus};
use crate::core::mqtt::Broker;

/// What hosts say of themselves.
const STATES: &str = "headcount/+/state";

/// What hosts say of drifts.
const DRIFTS: &str = "headcount/+/drift";

/// The wait before what has not come is asked for again.
const AGAIN: Duration = Duration::from_millis(250);

/// How long nothing may come of what was asked for before it is taken to be lost.
const STALLED: Duration = Duration::from_secs(1);

/// The same, at most: it is doubled each time.
const LONGEST: Duration = Duration::from_secs(8);

/// The least time between two pictures.
const FRAME: Duration = Duration::from_millis(200);

/// How often it is looked at what only the time changes.
const TICK: Duration = Duration::from_secs(5);

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// What a fleet is read with.
#[derive(Debug)]
pub struct FleetOptions {
    /// The broker.
    pub broker: Broker,
    /// What this client is called there.
    pub client_id: String,
    /// Globs of the hosts that are asked about; all, without any.
    pub hosts: Vec<String>,
    /// How long to wait for everything to arrive.
    pub timeout: Duration,
    /// Whether pictures are wanted of a fleet that is watched, or events.
    pub pictures: bool,
    /// Where it is told, to notice that nobody reads any more.
    pub output: Option<OwnedFd>,
}

/// Why a fleet cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is no connection.
    #[error("cannot read the fleet from the broker {broker}: {why}")]
    Down {
        /// The broker.
        broker: String,
        /// Why.
        why: String,
    },
    /// The runtime or a signal could not be set up.
    #[error("cannot start to read the fleet: {0}")]
    Setup(#[from] std::io::Error),
}

/// What ended a watch of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetEnded {
    /// By SIGTERM.
    Terminated,
    /// By SIGINT.
    Interrupted,
    /// Nobody reads any more.
    OutputClosed,
}

/// Reads the fleet once.
///
/// # Errors
/// [`FleetError`]; a view that is not complete is none.
pub fn read(options: FleetOptions) -> Result<FleetReport, FleetError> {
    runtime()?.block_on(async {
        let mut reading = Reading::start(options);
        let deadline = Instant::now() + reading.options.timeout;
        let incomplete = reading.collect(deadline, true).await?;
        let Reading { options, reader, fold, .. } = reading;
        reader.stop(FAREWELL).await;
        Ok(fold.into_report(&options.broker.address(), &options.hosts, incomplete, Utc::now()))
    })
}

/// Reads the fleet, tells it, and tells what changes until something ends it.
///
/// # Errors
/// [`FleetError`], if the first connection cannot be made.
pub fn watch(mut options: FleetOptions, mut tell: impl FnMut(FleetEvent) -> ControlFlow<()>) -> Result<FleetEnded, FleetError> {
    let mut output = options.output.take().and_then(watch_reader);
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut reading = Reading::start(options);
        reading.listens = true;
        let ended = tokio::select! {
            biased;
            _ = terminate.recv() => Ok(FleetEnded::Terminated),
            _ = interrupt.recv() => Ok(FleetEnded::Interrupted),
            () = closed(&mut output) => Ok(FleetEnded::OutputClosed),
            ended = reading.follow(&mut tell) => ended,
        };
        reading.reader.stop(FAREWELL).await;
        ended
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

struct Reading {
    options: FleetOptions,
    reader: BusReader,
    news: mpsc::Receiver<News>,
    fold: Fold,
    listens: bool,
    is_connected: bool,
    asking: HostQueries,
    /// When something last came of what was asked for.
    came_at: Instant,
    hosts: Hosts,
    denied: BTreeSet<String>,
    mark: u64,
    /// The newest mark that was answered.
    answered: u64,
    /// Whether the broker has sent something it had kept since the last mark.
    has_come: bool,
    /// How hosts were told to be, where events are told.
    told: BTreeMap<String, HostStatus>,
    is_down: Option<Down>,
}

/// What one piece of news comes to.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Step {
    Nothing,
    /// The newest mark was answered.
    Marked,
    /// Something that was asked for has come, or the mark after it.
    Came,
    Changed(FleetChange),
    Connected,
    Down,
}

impl Reading {
    fn start(options: FleetOptions) -> Self {
        let (reader, news) = BusReader::start(options.broker.clone(), options.client_id.clone());
        Self {
            options,
            reader,
            news,
            fold: Fold::new(Bounds::default()),
            listens: false,
            is_connected: false,
            asking: HostQueries::default(),
            came_at: Instant::now(),
            hosts: Hosts::default(),
            denied: BTreeSet::new(),
            mark: 0,
            answered: 0,
            has_come: false,
            told: BTreeMap::new(),
            is_down: None,
        }
    }

    fn report(&self, incomplete: Vec<String>) -> FleetReport {
        self.fold.report(&self.options.broker.address(), &self.options.hosts, incomplete, Utc::now())
    }

    fn down(&self, why: &str) -> FleetError {
        FleetError::Down { broker: self.options.broker.address(), why: why.to_owned() }
    }

    /// Takes the next news in.
    async fn step(&mut self) -> Step {
        let Some(news) = self.news.recv().await else { return std::future::pending().await };
        match news {
            News::Connected => {
                // What was taken back meanwhile nobody says: everything is read anew.
                self.fold.begin_anew();
                self.asking = HostQueries::default();
                self.denied.clear();
                (self.is_connected, self.is_down) = (true, None);
                self.hosts = Hosts::default();
                self.ask_for_hosts();
                Step::Connected
            }
            News::Message { topic, payload, retained } => {
                if retained {
                    (self.has_come, self.came_at) = (true, Instant::now());
                }
                let payload = match &payload {
                    Payload::Whole(payload) => Some(payload.as_slice()),
                    Payload::TooLong(_) => None,
                };
                Step::Changed(self.fold.hear(FleetMessage { topic: &topic, payload, retained, at: Utc::now() }))
            }
            News::Marked(number) => {
                self.asking.marked(number);
                self.hosts.marked(number);
                (self.came_at, self.answered) = (Instant::now(), number);
                if number == self.mark { Step::Marked } else { Step::Came }
            }
            News::Denied(filters) => {
                self.denied.extend(filters);
                Step::Nothing
            }
            News::Down(down) => {
                (self.is_connected, self.is_down) = (false, Some(down));
                Step::Down
            }
        }
    }

    fn ask_for_hosts(&mut self) {
        let drifts = self.listens.then(|| DRIFTS.to_owned());
        self.reader.subscribe(std::iter::once(STATES.to_owned()).chain(drifts).collect());
        self.set_mark();
        self.hosts.asked(self.mark);
    }

    fn set_mark(&mut self) {
        self.mark += 1;
        self.has_come = false;
        self.reader.mark(self.mark);
    }

    /// Asks for the sessions of hosts that were not asked about, as many as may be on their way; whether there were any.
    fn ask(&mut self) -> bool {
        if self.asking.is_exhausted() {
            self.asking.queue(self.fold.levels(&self.options.hosts));
        }
        let mut is_any = false;
        while let Some(batch) = self.asking.next(|level| self.fold.declared(level)) {
            if !self.reader.subscribe(batch.levels.iter().map(|level| sessions(level)).collect()) {
                self.asking.put_back(batch);
                break;
            }
            self.mark += 1;
            self.reader.mark(self.mark);
            self.asking.sent(batch, self.mark);
            is_any = true;
        }
        is_any
    }

    /// The hosts that say they have more sessions than came.
    fn short(&self) -> Vec<String> {
        let levels = self.fold.levels(&self.options.hosts);
        levels.filter(|level| self.fold.missing(level) > 0).map(str::to_owned).collect()
    }

    /// Reads until everything has come, or the time is up: then why it is not complete. `is_once`: gives up what another
    /// attempt will not better.
    ///
    /// Everything has come once a mark was answered and nothing that the broker had kept came since the mark before it, no host
    /// is left to be asked about, and as many sessions came as each host says it has.
    async fn collect(&mut self, deadline: Instant, is_once: bool) -> Result<Vec<String>, FleetError> {
        let mut again: Option<Instant> = None;
        let mut patience = STALLED;
        loop {
            let wake = again.map_or(deadline, |again| again.min(deadline));
            let step = tokio::select! {
                biased;
                step = self.step() => step,
                () = sleep_until(wake) => {
                    if Instant::now() >= deadline {
                        return self.incomplete(is_once);
                    }
                    // What a broker drops, it also drops the answer to a mark: each is tried again. It may just be far away, too.
                    if self.answered < self.mark {
                        patience = (patience * 2).min(LONGEST);
                    }
                    self.asking.give_up();
                    if !self.hosts.are_whole && !self.hosts.are_dropped() {
                        self.ask_for_hosts();
                        again = Some(Instant::now() + patience);
                        continue;
                    }
                    if self.asking.is_exhausted() {
                        self.asking.again(self.short());
                    }
                    self.ask();
                    self.set_mark();
                    again = Some(Instant::now() + if self.asking.is_over() { AGAIN } else { patience });
                    continue;
                }
            };
            match step {
                Step::Marked => {
                    let has_come = self.has_come;
                    if self.ask() {
                        again = Some(Instant::now() + patience);
                    } else if has_come {
                        self.set_mark();
                        again = Some(Instant::now() + patience);
                    } else if self.denied.is_empty() && self.hosts.are_whole && self.short().is_empty() {
                        self.fold.settled();
                        return Ok(self.lacking());
                    } else if (is_once && !self.denied.is_empty()) || (self.hosts.are_dropped() && self.short().is_empty()) {
                        return self.incomplete(is_once);
                    } else {
                        again = Some(Instant::now() + AGAIN);
                    }
                }
                Step::Came => {
                    self.ask();
                    again = Some(Instant::now() + patience);
                }
                Step::Connected => again = Some(Instant::now() + patience),
                Step::Down => {
                    again = None;
                    let is_final = !matches!(self.is_down, Some(Down::Lost(_))) || self.mark == 0;
                    if is_once && is_final {
                        return self.incomplete(is_once);
                    }
                }
                // Slow is not lost.
                Step::Changed(_) if self.has_come => again = again.max(Some(self.came_at + patience)),
                Step::Changed(_) | Step::Nothing => {}
            }
        }
    }

    /// Reads, tells, goes on; again from the beginning after each loss.
    async fn follow(&mut self, tell: &mut impl FnMut(FleetEvent) -> ControlFlow<()>) -> Result<FleetEnded, FleetError> {
        let mut is_first = true;
        loop {
            let deadline = Instant::now() + self.options.timeout;
            let incomplete = match self.collect(deadline, is_first).await {
                Ok(incomplete) => incomplete,
                Err(error) if is_first => return Err(error),
                // It is lost again, or still; that was told.
                Err(_) => continue,
            };
            is_first = false;
            // What could not be read in time may still come, and be told as it does.
            self.fold.settled();
            let report = self.report(incomplete);
            self.restate();
            if tell(FleetEvent::View(report)).is_break() || self.listen(tell).await.is_break() {
                return Ok(FleetEnded::OutputClosed);
            }
        }
    }

    fn restate(&mut self) {
        let now = Utc::now();
        let all: Vec<String> = self.fold.levels(&self.options.hosts).map(str::to_owned).collect();
        self.told = all.into_iter().filter_map(|level| Some((level.clone(), self.fold.status(&level, now)?))).collect();
    }

    /// Tells what changes until the connection is lost.
    async fn listen(&mut self, tell: &mut impl FnMut(FleetEvent) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut tick = tokio::time::interval(TICK);
        let mut frame: Option<Instant> = None;
        let mut last = Instant::now();
        loop {
            let due = frame.unwrap_or_else(|| last + TICK);
            let step = tokio::select! {
                biased;
                () = sleep_until(due), if self.options.pictures => {
                    (frame, last) = (None, Instant::now());
                    tell(FleetEvent::View(self.report(self.lacking())))?;
                    continue;
                }
                step = self.step() => step,
                _ = tick.tick(), if !self.options.pictures => {
                    for event in self.aged(Utc::now()) {
                        tell(event)?;
                    }
                    continue;
                }
            };
            match step {
                Step::Down => {
                    let why = self.is_down.as_ref().map_or_else(String::new, |down| down.why().to_owned());
                    tell(FleetEvent::Broker { at: Utc::now(), why })?;
                    return ControlFlow::Continue(());
                }
                Step::Changed(change) => {
                    // A host that is new is asked about as it comes.
                    if matches!(change, FleetChange::Host(_)) {
                        if self.came_at.elapsed() > STALLED {
                            self.asking.give_up();
                        }
                        self.ask();
                    }
                    if self.options.pictures {
                        if change != FleetChange::None {
                            frame.get_or_insert(last + FRAME);
                        }
                    } else if let Some(event) = self.event(change, Utc::now()) {
                        tell(event)?;
                    }
                }
                Step::Marked | Step::Came => {
                    self.ask();
                }
                Step::Connected | Step::Nothing => {}
            }
        }
    }

    fn event(&mut self, change: FleetChange, at: DateTime<Utc>) -> Option<FleetEvent> {
        let wanted = |host: &str| {
            let hosts = &self.options.hosts;
            hosts.is_empty() || hosts.iter().any(|pattern| crate::core::manifest::pattern::glob(pattern, host))
        };
        match change {
            FleetChange::None => None,
            FleetChange::Host(level) => {
                let host = self.fold.host(&level, false, at).filter(|view| wanted(&view.host))?;
                self.told.insert(level, host.status);
                Some(FleetEvent::Host { at, host })
            }
            FleetChange::Forgotten(host) => wanted(&host).then_some(FleetEvent::Forgotten { at, host }),
            FleetChange::Session(host, session) => wanted(&host).then_some(FleetEvent::Session { at, host, session }),
            FleetChange::Gone(host, session) => wanted(&host).then_some(FleetEvent::Gone { at, host, session }),
            FleetChange::Drift(host, drift) => wanted(&host).then_some(FleetEvent::Drift { at, host, drift: *drift }),
        }
    }

    /// The hosts that only the time has changed.
    fn aged(&mut self, at: DateTime<Utc>) -> Vec<FleetEvent> {
        let before = std::mem::take(&mut self.told);
        self.restate();
        let other = self.told.iter().filter(|(level, status)| before.get(*level).is_some_and(|was| was != *status));
        other.filter_map(|(level, _)| Some(FleetEvent::Host { at, host: self.fold.host(level, false, at)? })).collect()
    }
}
