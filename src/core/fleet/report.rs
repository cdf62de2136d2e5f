//! What is known of every host, as a document: its formats and its words. Decides nothing and reads nothing.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DriftNote, HostCounts};
use crate::core::drift::Class;
use crate::core::ids::{AgentKind, ConversationId, MuxKind};
use crate::core::lead::OperationBrief;
use crate::core::manifest::lead::Desired;
use crate::core::report::status::{CrewRow, Observed};
use crate::core::text::seconds;

/// The `schema` of a [`FleetReport`].
pub const FLEET_SCHEMA: &str = "headcount/fleet/v1";

/// Every host and its sessions, as the broker has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FleetReport {
    /// Always `headcount/fleet/v1`.
    pub schema: String,
    /// The broker: `host:port`.
    pub broker: String,
    /// When it was put together, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub observed_at: DateTime<Utc>,
    /// Whether everything the broker keeps has come.
    pub complete: bool,
    /// Why not, one line each.
    pub incomplete: Vec<String>,
    /// What it adds up to.
    pub counts: FleetCounts,
    /// The hosts, by name.
    pub hosts: Vec<HostView>,
}

/// What a fleet adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetCounts {
    /// Hosts shown.
    pub hosts: usize,
    /// Of those, the ones that are online, stale ones left out.
    pub online: usize,
    /// The ones that say they are online and have not looked for long.
    pub stale: usize,
    /// The ones that went without a word.
    pub lost: usize,
    /// The ones that ended their watch.
    pub offline: usize,
    /// The ones whose statement cannot be read.
    pub unreadable: usize,
    /// Sessions shown.
    pub sessions: usize,
    /// Of those, the ones alive with their agent, on hosts that are online.
    pub alive: usize,
    /// Their drifts.
    pub drifts: usize,
    /// Rejected messages: malformed, too long, or about another host.
    pub rejected: u64,
    /// Statements that were left out because there are too many.
    pub left_out: u64,
}

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostStatus {
    /// Its watch is connected.
    Online,
    /// Its watch is said to be connected, and has not said for long that it looks.
    Stale,
    /// Its watch went without a word.
    Lost,
    /// Its watch has ended.
    Offline,
    /// What it says is not understood.
    Unreadable,
}

impl HostStatus {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Stale => "stale",
            Self::Lost => "lost",
            Self::Offline => "offline",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostView {
    /// Its name; of an unreadable one what its topic says.
    pub host: String,
    /// How it is.
    pub status: HostStatus,
    /// The version of headcount there.
    pub version: Option<String>,
    /// When its last connection began, UTC.
    #[serde(with = "seconds::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub since: Option<DateTime<Utc>>,
    /// When it went away, UTC; known only to a program that was connected then.
    #[serde(with = "seconds::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub ended_at: Option<DateTime<Utc>>,
    /// The latest moment it is known to have been there: when it last said that it looked, or when its connection began. One that
    /// was lost left nothing later behind.
    #[serde(with = "seconds::option", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub last_known: Option<DateTime<Utc>>,
    /// The manifest it watches.
    pub manifest: Option<String>,
    /// When it is known to have looked, UTC.
    #[serde(with = "seconds::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub observed_at: Option<DateTime<Utc>>,
    /// What it counted then.
    pub counts: Option<HostCounts>,
    /// How many of the entries it counted have not come as sessions.
    pub missing: usize,
    /// What else there is to say, one line.
    pub note: Option<String>,
    /// Its sessions, as it last said.
    pub sessions: Vec<SessionView>,
}

/// One session, as its host last said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// Its name.
    pub name: String,
    /// Its multiplexer.
    pub mux: MuxKind,
    /// The multiplexer's server.
    pub server: String,
    /// The manifest that declares it, if it is not the one its host names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manifest: Option<String>,
    /// Its agent.
    pub agent: AgentKind,
    /// What the manifest says.
    pub declared: String,
    /// What its entry wants of it, if it says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub desired: Option<Desired>,
    /// What headcount did to it last, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operation: Option<OperationBrief>,
    /// What was observed.
    pub observed: Observed,
    /// The conversation it is in, or was in last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_id: Option<ConversationId>,
    /// The job it works on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// The crew that it is in, and what it works on there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crew: Option<CrewRow>,
    /// Its drifts; ignored ones included.
    pub drifts: Vec<Class>,
}

/// A line of `fleet status --watch --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FleetEvent {
    /// Everything, at the start and whenever headcount had to read it again.
    View(FleetReport),
    /// A host is now like this; its sessions are left out.
    Host {
        /// When that was heard, UTC.
        #[serde(with = "seconds")]
        #[schemars(with = "DateTime<Utc>")]
        at: DateTime<Utc>,
        /// The host.
        host: HostView,
    },
    /// A host and all its sessions were taken back.
    Forgotten {
        /// When that was heard, UTC.
        #[serde(with = "seconds")]
        #[schemars(with = "DateTime<Utc>")]
        at: DateTime<Utc>,
        /// The host.
        host: String,
    },
    /// A session is now like this.
    Session {
        /// When that was heard, UTC.
        #[serde(with = "seconds")]
        #[schemars(with = "DateTime<Utc>")]
        at: DateTime<Utc>,
        /// Its host.
        host: String,
        /// The session.
        session: SessionView,
    },
    /// A session was taken back.
    Gone {
        /// When that was heard, UTC.
        #[serde(with = "seconds")]
        #[schemars(with = "DateTime<Utc>")]
        at: DateTime<Utc>,
        /// Its host.
        host: String,
        /// What it last was.
        session: SessionView,
    },
    /// A drift began or ended.
    Drift {
        /// When that was heard, UTC.
        #[serde(with = "seconds")]
        #[schemars(with = "DateTime<Utc>")]
        at: DateTime<Utc>,
        /// Its host.
        host: String,
        /// What its host says.
        drift: DriftNote,
    },
    /// The connection to the broker was lost; it is tried again.
    Broker {
        /// When that was noticed, UTC.
        #[serde(with = "seconds")]
        #[schemars(with = "DateTime<Utc>")]
        at: DateTime<Utc>,
        /// Why, one line.
        why: String,
    },
}
