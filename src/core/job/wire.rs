//! How a record stands in the registry. Owns the names of its fields; never decides anything about a job.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{EventKind, JobId, JobStatus};
use crate::core::mqtt;

/// A job as its file in the registry holds it (multi-agent-mux's delegated-job protocol, schema version 1). A file may hold
/// more fields; they are kept.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "headcount job record", description = "The file <job_id>.json of a job registry. Other fields are kept.")]
pub struct Record {
    /// The version of the format: 1.
    pub schema_version: u32,
    /// The id, which is also the name of the file.
    pub job_id: JobId,
    /// How far it is.
    pub status: JobStatus,
    /// When it was submitted, RFC 3339.
    #[serde(serialize_with = "millis")]
    pub created_at: Option<DateTime<Utc>>,
    /// When its last event was received or its status changed, RFC 3339; time-outs run from here.
    #[serde(serialize_with = "millis")]
    pub updated_at: Option<DateTime<Utc>>,
    /// What is to be done.
    pub prompt: Option<String>,
    /// The agent that does it.
    pub agent: Option<String>,
    /// The session that does it: `tmux:NAME`.
    pub agent_session: Option<String>,
    /// The broker its events go through.
    pub broker: Option<JobBroker>,
    /// `<root>/<job_id>`; its events are published below it, at `events`.
    pub topic_prefix: Option<String>,
    /// Seconds until it has taken too long; null or 0 for ever.
    pub timeout_sec: Option<serde_json::Number>,
    /// Seconds without an event until it counts as idle; null or 0 for ever.
    pub idle_timeout_sec: Option<serde_json::Number>,
    /// The files it is to leave behind.
    pub expected_artifacts: Vec<String>,
    /// The number of the last event that was accepted.
    pub last_seq: u64,
    /// The secret its events are signed with; null if they are not.
    pub auth_token: Option<String>,
    /// What the last event was. headcount's own field; believed only while its number is `last_seq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event: Option<LastEvent>,
}

/// The broker of a job. Its password is never shown.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct JobBroker {
    /// Its host.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Whether it is spoken to through TLS.
    pub tls: Option<bool>,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Whatever else stands there.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Where a job's events go, for whoever reads its record. The password is not put there: a record is copied and shown, and
/// whoever may speak to the broker has a password of their own.
impl From<&mqtt::Broker> for JobBroker {
    fn from(broker: &mqtt::Broker) -> Self {
        let mqtt::Broker { host, port, tls, username, .. } = broker;
        Self {
            host: Some(host.clone()),
            port: Some(*port),
            tls: Some(*tls),
            username: username.clone(),
            password: None,
            more: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for JobBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls, username, password: _, more: _ } = self;
        f.debug_struct("Broker")
            .field("host", host)
            .field("port", port)
            .field("tls", tls)
            .field("username", username)
            .finish_non_exhaustive()
    }
}

/// The last event of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LastEvent {
    /// Its number.
    pub seq: u64,
    /// Its name.
    pub event: EventKind,
}

/// Thousandths are kept: time-outs of a few seconds run from these times.
#[allow(clippy::ref_option, reason = "serde gives a reference to the field")]
fn millis<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        None => serializer.serialize_none(),
    }
}
