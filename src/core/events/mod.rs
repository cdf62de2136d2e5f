//! What `watch` says, as values: one event a line. Pure; never decides when to look and never prints.

mod announcer;
mod conditions;
mod crew;
mod jobs;
mod lead;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drift::Class;
use super::ids::{AgentKind, SessionKey};
use super::job::{EventKind, JobId, JobStatus, TimeOut};
use super::lead::conditions::Condition;
use super::report::DriftReport;
use super::text::seconds;
pub use announcer::{Announcer, EventBudget, EventLimit};
pub use conditions::{ConditionBegun, ConditionTeller};
pub use crew::TaskChange;
pub use jobs::JobTeller;
pub use lead::{BackEvent, BlockedEvent, OperationEvent, PlannedEvent, SentEvent};

/// One thing `watch` says. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// The watch began.
    Started(Started),
    /// A drift that was not told before, or that came back.
    Drift(DriftEvent),
    /// A reported drift has ended.
    Resolved(DriftResolved),
    /// A delegated job is new, has another status, asks for permission or ran out of time.
    Job(JobChange),
    /// A condition of a session has begun to hold.
    Condition(ConditionBegun),
    /// An enforcing watch is about to act on a session.
    Planned(PlannedEvent),
    /// What an enforcing watch did to a session has ended.
    Operation(OperationEvent),
    /// Something is wanted of a session, and may not be done, or not yet.
    Blocked(BlockedEvent),
    /// A session failed so often, or for so long, that it is not started any more.
    #[serde(rename = "gave-up")]
    GaveUp(BlockedEvent),
    /// A session that was lost, or had failed, runs again.
    Back(BackEvent),
    /// A text that waited for its agent does not any more.
    Sent(SentEvent),
    /// Something has happened to a task of a crew.
    Task(TaskChange),
    /// The MQTT broker was reached, at first or again; what goes wrong with it is an error.
    Broker(BrokerUp),
    /// The watch is alive.
    Heartbeat(Heartbeat),
    /// Something went wrong; the watch goes on.
    Error(WatchFailure),
    /// The watch ended in order; the last line.
    Stopped(Stopped),
}

impl Event {
    /// When it happened, UTC.
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Started(event) => event.at,
            Self::Drift(event) => event.at,
            Self::Resolved(event) => event.at,
            Self::Job(event) => event.at,
            Self::Condition(event) => event.at,
            Self::Planned(event) => event.at,
            Self::Operation(event) => event.at,
            Self::Blocked(event) | Self::GaveUp(event) => event.at,
            Self::Back(event) => event.at,
            Self::Sent(event) => event.at,
            Self::Task(event) => event.at,
            Self::Broker(event) => event.at,
            Self::Heartbeat(event) => event.at,
            Self::Error(event) => event.at,
            Self::Stopped(event) => event.at,
        }
    }

    /// The session it is about, if it is about one.
    pub const fn session(&self) -> Option<&SessionKey> {
        match self {
            Self::Drift(event) => Some(&event.drift.session),
            Self::Resolved(event) => Some(&event.session),
            Self::Condition(event) => Some(&event.session),
            Self::Planned(event) => Some(&event.session),
            Self::Operation(event) => Some(&event.report.session),
            Self::Blocked(event) | Self::GaveUp(event) => Some(&event.session),
            Self::Back(event) => Some(&event.session),
            Self::Sent(event) => Some(&event.session),
            Self::Started(_)
            | Self::Job(_)
            | Self::Task(_)
            | Self::Broker(_)
            | Self::Heartbeat(_)
            | Self::Error(_)
            | Self::Stopped(_) => None,
        }
    }

    /// The words of what happens to sessions and jobs, for which a command can be run.
    pub const HAPPENINGS: [&'static str; 12] = [
        "drift",
        "resolved",
        "job",
        "condition",
        "planned",
        "operation",
        "blocked",
        "gave-up",
        "back",
        "sent",
        "task",
        "error",
    ];

    /// Whether a command for this word is run for it: its `type`, or the condition that has begun. An `error` is one of the watch.
    pub fn is_called(&self, word: &str) -> bool {
        let begun = match self {
            Self::Condition(event) if event.report.condition != Condition::Error => Some(event.report.condition.as_str()),
            _ => None,
        };
        self.word() == word || begun == Some(word)
    }

    /// Its `type`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Drift(_) => "drift",
            Self::Resolved(_) => "resolved",
            Self::Job(_) => "job",
            Self::Condition(_) => "condition",
            Self::Planned(_) => "planned",
            Self::Operation(_) => "operation",
            Self::Blocked(_) => "blocked",
            Self::GaveUp(_) => "gave-up",
            Self::Back(_) => "back",
            Self::Sent(_) => "sent",
            Self::Task(_) => "task",
            Self::Broker(_) => "broker",
            Self::Heartbeat(_) => "heartbeat",
            Self::Error(_) => "error",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// The watch began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The absolute path of the manifest.
    pub manifest: String,
    /// The host that is watched.
    pub host: String,
    /// The process id of the watch.
    pub pid: u32,
    /// Whether it records nothing.
    pub dry_run: bool,
    /// The longest time between two looks, in seconds.
    pub interval: f64,
}

/// A drift that was not told before, or that came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftEvent {
    /// When headcount reported it, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// What woke the pass that found it.
    pub reasons: Vec<String>,
    /// The drift, as in a report.
    #[serde(flatten)]
    pub drift: DriftReport,
    /// How many events of this session were left out before this one because there were too many.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub left_out: usize,
    /// Until when this session's further events are held back because there were too many.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub muted_until: Option<DateTime<Utc>>,
}

/// A reported drift has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftResolved {
    /// When headcount reported it, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// What woke the pass that missed it.
    pub reasons: Vec<String>,
    /// The fingerprint of the drift.
    pub id: String,
    /// Its class.
    pub class: Class,
    /// The letter of the class.
    pub code: char,
    /// The session it was about.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// How it ended.
    pub how: Resolution,
    /// One line, ready to post as a comment.
    pub message: String,
    /// How many events of this session were left out before this one because there were too many.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub left_out: usize,
    /// Until when this session's further events are held back because there were too many.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub muted_until: Option<DateTime<Utc>>,
}

/// How a drift ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// It was recorded after all.
    Recorded,
    /// Manifest and world agree again.
    Gone,
}

/// A delegated job is new, has another status, asks for permission or ran out of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobChange {
    /// When headcount reported it, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// What woke the pass that found it.
    pub reasons: Vec<String>,
    /// The job.
    pub job: JobId,
    /// The status it had; absent for a job that is new.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<JobStatus>,
    /// The status it has.
    pub status: JobStatus,
    /// Its last event, if it is known which it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<EventKind>,
    /// Whether it has run out of time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timed_out: Option<TimeOut>,
    /// The session that does it, as its record says: `tmux:NAME`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent_session: Option<String>,
    /// One line, ready to post as a comment.
    pub message: String,
}

/// The watch is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeat {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// Passes made so far.
    pub passes: u64,
    /// Drifts told so far.
    pub drifts: u64,
    /// Drifts that stand now.
    pub open: usize,
    /// When the last pass looked, UTC.
    #[serde(with = "seconds::option", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub last_pass: Option<DateTime<Utc>>,
    /// What is only polled, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub degraded: Vec<String>,
    /// What came from the broker, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mqtt: Option<BrokerBeat>,
}

/// The broker, as the heartbeat tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerBeat {
    /// Its address, `host:port`.
    pub broker: String,
    /// Whether it is connected and delivers what was asked for.
    pub connected: bool,
    /// Events of jobs that were written into the registry.
    pub events: u64,
    /// Events that were dropped; those that came twice included.
    pub dropped: u64,
    /// Statements that were not published because there were too many while the broker was away.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub left_out: u64,
}

/// The broker was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerUp {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// Its address, `host:port`.
    pub broker: String,
    /// One line.
    pub message: String,
}

/// Something went wrong; the watch goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchFailure {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// Where: `pass`, `note`, `saved`, `panic`, `on-drift`, `source`, `mqtt`, `output`, `lead`, `crew`.
    pub source: String,
    /// What, one line.
    pub message: String,
}

/// The watch ended in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// Why: `SIGTERM`, `SIGINT`, `until-file`, `max-runtime`.
    pub reason: String,
    /// Passes made.
    pub passes: u64,
    /// Drifts told.
    pub drifts: u64,
}

const fn is_nothing(number: &u64) -> bool {
    *number == 0
}

const fn is_zero(number: &usize) -> bool {
    *number == 0
}
