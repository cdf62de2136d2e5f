//! The broker's part in a watch: what comes from it goes into the job registry and wakes the loop; what passes find is
//! published. Decides nothing about a session, and no failure of the broker ever holds up a pass.

mod receiver;
mod reporter;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::WatchOptions;
use crate::bus::{Bus, BusOptions, ConnectionState};
use crate::control::observe::Observer;
use crate::core::events::{BrokerBeat, Event};
use crate::core::fleet::{DriftNote, HOST_SCHEMA, HostCounts, HostState, REFRESH, SessionState};
use crate::core::mqtt::{self, Broker, HostTopics};
use crate::core::report::status::StatusReport;
use crate::store::jobs::Registry;
use receiver::{BrokerReceiver, Heard, Ours};
use reporter::BrokerReporter;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// The broker a watch listens and speaks to.
#[derive(Debug, Clone)]
pub struct Mqtt {
    /// The broker.
    pub broker: Broker,
    /// Whether to listen to the events of jobs.
    pub subscribe: bool,
    /// Whether to publish what is found.
    pub publish: bool,
    /// Who the watch is for: one client for each.
    pub consumer: String,
}

/// What the link has to know of the watch.
pub(super) struct Watching {
    pub(super) host: String,
    pub(super) boot_id: String,
    pub(super) manifest: String,
    pub(super) interval: Duration,
    pub(super) registry: Option<Registry>,
}

impl Watching {
    pub(super) fn of(world: &Observer, options: &WatchOptions) -> Self {
        Self {
            host: world.host.name().to_owned(),
            boot_id: world.host.boot().seen().map(|boot| boot.id.clone()).unwrap_or_default(),
            manifest: options.manifest_path(),
            interval: options.interval,
            registry: options.pass.jobs.clone(),
        }
    }
}

/// What happened at the broker.
pub(super) enum BrokerHappening {
    State(ConnectionState),
    Heard(Heard),
}

/// What the loop makes of a happening.
#[derive(Default)]
pub(super) struct BrokerAnswer {
    /// What is to be said.
    pub(super) events: Vec<Event>,
    /// Whether jobs may have changed.
    pub(super) jobs: bool,
    /// Whether everything has to be looked at.
    pub(super) all: bool,
}

/// The link to the broker.
pub(super) struct BrokerLink {
    bus: Bus,
    states: mpsc::UnboundedReceiver<ConnectionState>,
    heard: mpsc::Receiver<Heard>,
    intake: BrokerReceiver,
    teller: BrokerReporter,
    topics: HostTopics,
    publishes: bool,
    /// Topics of sessions that have a value on the broker, as far as we know.
    sessions: BTreeSet<String>,
    /// Topics another run has left behind for this manifest.
    left: BTreeSet<String>,
    has_passed: bool,
}

impl BrokerLink {
    /// Starts to connect.
    pub(super) fn start(mqtt: Mqtt, watching: Watching) -> Self {
        let Mqtt { broker, subscribe, publish, consumer } = mqtt;
        let Watching { host, boot_id, manifest, interval, registry } = watching;
        let topics = HostTopics::new(&host);
        let root = broker.root.clone();
        let mut filters = Vec::new();
        if subscribe {
            filters.push(mqtt::events_filter(&root));
        }
        if publish {
            // What an earlier run said of sessions that are no more would stay for ever.
            filters.push(topics.sessions());
            // A late Last Will would hide this host from everyone who looks after it.
            filters.push(topics.state());
        }
        let teller = BrokerReporter::new(broker.address(), subscribe);
        let client_id = mqtt::client_id(&broker.client_id_prefix, &host, &manifest, &consumer);
        let presence = publish.then(|| HostState {
            schema: HOST_SCHEMA.to_owned(),
            host,
            online: true,
            lost: false,
            boot_id,
            seq: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: DateTime::UNIX_EPOCH,
            manifest: manifest.clone(),
            interval: interval.as_secs_f64(),
            observed_at: None,
            counts: None,
        });
        let options = BusOptions { subscribe: filters, presence, ..BusOptions::new(broker, client_id) };
        let (bus, inbox) = Bus::start(options);
        let ours = publish.then(|| Ours {
            state: topics.state(),
            sessions: topics.sessions().trim_end_matches('+').to_owned(),
            manifest,
        });
        let (intake, heard) = BrokerReceiver::start(inbox.messages, bus.publisher(), registry, root, ours);
        Self {
            bus,
            states: inbox.states,
            heard,
            intake,
            teller,
            topics,
            publishes: publish,
            sessions: BTreeSet::new(),
            left: BTreeSet::new(),
            has_passed: false,
        }
    }

    /// Waits for the next happening. May be dropped and called again at any time.
    pub(super) async fn next(&mut self) -> BrokerHappening {
        tokio::select! {
            biased;
            Some(state) = self.states.recv() => BrokerHappening::State(state),
            Some(heard) = self.heard.recv() => BrokerHappening::Heard(heard),
            else => std::future::pending().await,
        }
    }

    /// What is to be made of a happening.
    pub(super) fn answer(&mut self, happening: BrokerHappening, at: DateTime<Utc>) -> BrokerAnswer {
        match happening {
            BrokerHappening::State(state) => {
                let all = matches!(state, ConnectionState::Connected { .. } | ConnectionState::Discarded { .. });
                BrokerAnswer { events: self.teller.state(&state, at), all, jobs: false }
            }
            BrokerHappening::Heard(heard) => {
                self.left.extend(heard.left.iter().cloned());
                if self.has_passed {
                    self.clear_left();
                }
                BrokerAnswer { jobs: heard.written > 0, events: self.teller.heard(&heard, at), all: false }
            }
        }
    }

    /// Publishes an event of the watch, if it is about a drift.
    pub(super) fn tell(&self, event: &Event) {
        if !self.publishes {
            return;
        }
        if let Some(note) = DriftNote::of(event)
            && let Ok(payload) = serde_json::to_vec(&note)
        {
            self.bus.publisher().event(&self.topics.drift(), payload);
        }
    }

    /// Publishes what a pass found.
    pub(super) fn publish(&mut self, status: &StatusReport) {
        if !self.publishes {
            return;
        }
        let publisher = self.bus.publisher();
        let mut sessions = BTreeSet::new();
        for state in status.sessions.iter().filter_map(|row| SessionState::of(status, row)) {
            let topic = self.topics.session(&state.session);
            if let Ok(payload) = serde_json::to_vec(&state) {
                publisher.set(&topic, payload);
                sessions.insert(topic);
            }
        }
        for gone in self.sessions.difference(&sessions) {
            publisher.set(gone, Vec::new());
        }
        self.sessions = sessions;
        self.has_passed = true;
        self.clear_left();
        let counts = HostCounts::from(status.counts);
        publisher.host(|host| {
            let is_due = |at: DateTime<Utc>| status.observed_at - at >= TimeDelta::seconds(REFRESH);
            // A pass that found nothing else is not worth a message, unless nobody could tell any more that there are passes.
            if host.counts != Some(counts) || host.observed_at.is_none_or(is_due) {
                (host.counts, host.observed_at) = (Some(counts), Some(status.observed_at));
            }
        });
    }

    /// What the heartbeat says of it.
    pub(super) fn beat(&self) -> BrokerBeat {
        BrokerBeat { left_out: self.bus.publisher().left_out(), ..self.teller.beat() }
    }

    /// Takes back what was said, and goes.
    pub(super) async fn stop(self) {
        let Self { bus, intake, heard, .. } = self;
        // Nobody hears of it any more; without this, a batch would wait to be told of.
        drop(heard);
        if tokio::time::timeout(FAREWELL, intake.stop()).await.is_err() {
            tracing::debug!("events are still being written; the broker will deliver the rest again");
        }
        bus.stop(FAREWELL).await;
    }

    fn clear_left(&mut self) {
        for topic in std::mem::take(&mut self.left) {
            if !self.sessions.contains(&topic) {
                self.bus.publisher().set(&topic, Vec::new());
            }
        }
    }
}
