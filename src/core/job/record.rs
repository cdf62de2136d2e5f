//! A job as a value, read from its record and put back into it. Never loses what it does not know, never shows a secret.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::wire::{JobBroker, LastEvent, Record};
use super::{DEFAULT_ROOT, EventKind, JobId, JobToken, NotAJobId, SCHEMA_VERSION};
use crate::core::ids::MuxKind;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Submitted, nothing heard of it yet.
    Pending,
    /// Begun.
    Running,
    /// Done.
    Completed,
    /// Failed.
    Error,
    /// Called off.
    Cancelled,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Completed, Self::Error, Self::Cancelled];

    /// The word used in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing changes it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Error | Self::Cancelled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A delegated job.
#[derive(Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// How far it is.
    pub status: JobStatus,
    /// When it was submitted; `None` if the record does not say it in RFC 3339.
    pub created_at: Option<DateTime<Utc>>,
    /// When its last event was received, by the receiver's clock, or else its status last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// What is to be done.
    pub prompt: Option<String>,
    /// The agent that does it, as written.
    pub agent: Option<String>,
    /// The session that does it, as written: `tmux:NAME`. See [`Job::session`].
    pub agent_session: Option<String>,
    /// The broker its events go through.
    pub broker: Option<JobBroker>,
    /// `<root>/<job_id>`.
    pub topic_prefix: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long it may be silent.
    pub idle_timeout: Option<Duration>,
    /// The files it is to leave behind.
    pub expected_artifacts: Vec<String>,
    /// The number of the last event that was accepted; 0 before the first.
    pub last_seq: u64,
    /// What that event was, if the record says so.
    pub last_event: Option<EventKind>,
    /// The secret its events are signed with.
    pub auth_token: Option<JobToken>,
    /// The record as it was read, other people's fields included; empty for a new job.
    document: Map<String, Value>,
}

/// What a new job is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// When it is submitted.
    pub at: DateTime<Utc>,
    /// What is to be done.
    pub prompt: Option<String>,
    /// The agent that is to do it.
    pub agent: Option<String>,
    /// The session it is to be done in: `tmux:NAME`.
    pub agent_session: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long it may be silent.
    pub idle_timeout: Option<Duration>,
    /// The files it is to leave behind.
    pub expected_artifacts: Vec<String>,
    /// The secret its events are to be signed with.
    pub auth_token: Option<JobToken>,
    /// Where its topic begins; [`DEFAULT_ROOT`] if that is left open.
    pub root: Option<String>,
    /// The broker its events go through.
    pub broker: Option<JobBroker>,
}

/// Not the record of a job that this headcount can work with.
#[derive(Debug, thiserror::Error)]
pub enum NotAJob {
    /// Not JSON.
    #[error("it is not JSON")]
    Json(#[source] serde_json::Error),
    /// Not an object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A newer format.
    #[error("it has schema version {0}, this headcount knows {SCHEMA_VERSION}")]
    Version(String),
    /// No usable id.
    #[error("it has no usable job_id")]
    Id(#[source] Option<NotAJobId>),
    /// A field that decides something has a value nobody can decide by.
    #[error("its {field} is invalid")]
    Field {
        /// The field.
        field: &'static str,
    },
}

impl Job {
    /// A job that has not started.
    pub fn new(new: NewJob) -> Self {
        Self {
            status: JobStatus::Pending,
            created_at: Some(new.at),
            updated_at: Some(new.at),
            prompt: new.prompt,
            agent: new.agent,
            agent_session: new.agent_session,
            broker: new.broker,
            topic_prefix: Some(topic_prefix(new.root.as_deref().unwrap_or(DEFAULT_ROOT), &new.id)),
            timeout: new.timeout,
            idle_timeout: new.idle_timeout,
            expected_artifacts: new.expected_artifacts,
            last_seq: 0,
            last_event: None,
            auth_token: new.auth_token,
            document: Map::new(),
            id: new.id,
        }
    }

    /// The job of a record. What decides whose events are believed must be beyond doubt; the rest may be missing or odd.
    ///
    /// # Errors
    /// [`NotAJob`].
    pub fn from_json(text: &[u8]) -> Result<Self, NotAJob> {
        match serde_json::from_slice(text).map_err(NotAJob::Json)? {
            Value::Object(document) => Self::read(document),
            _ => Err(NotAJob::NotAnObject),
        }
    }

    fn read(document: Map<String, Value>) -> Result<Self, NotAJob> {
        let present = |key: &str| document.get(key).filter(|value| !value.is_null());
        let text = |key: &str| present(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| present(key).and_then(Value::as_u64);
        // A field that is there but of another type is no field that is not there.
        let sure = |field: &'static str, usable: bool| match present(field) {
            Some(_) if !usable => Err(NotAJob::Field { field }),
            _ => Ok(()),
        };
        match present("schema_version") {
            Some(version) if version.as_u64() != Some(u64::from(SCHEMA_VERSION)) => {
                return Err(NotAJob::Version(version.to_string().chars().take(20).collect()));
            }
            _ => {}
        }
        let id = text("job_id").ok_or(NotAJob::Id(None))?.parse().map_err(|error| NotAJob::Id(Some(error)))?;
        let status = present("status").and_then(|value| JobStatus::deserialize(value).ok());
        let status = status.ok_or(NotAJob::Field { field: "status" })?;
        for field in ["auth_token", "topic_prefix"] {
            sure(field, text(field).is_some())?;
        }
        sure("last_seq", number("last_seq").is_some())?;
        let last_seq = number("last_seq").unwrap_or_default();
        let last_event = present("last_event").filter(|last| last.get("seq").and_then(Value::as_u64) == Some(last_seq));
        Ok(Self {
            id,
            status,
            created_at: text("created_at").and_then(|text| time(&text)),
            updated_at: text("updated_at").and_then(|text| time(&text)),
            prompt: text("prompt"),
            agent: text("agent"),
            agent_session: text("agent_session"),
            broker: present("broker").and_then(Value::as_object).map(JobBroker::read),
            topic_prefix: text("topic_prefix"),
            timeout: present("timeout_sec").and_then(seconds),
            idle_timeout: present("idle_timeout_sec").and_then(seconds),
            expected_artifacts: present("expected_artifacts").map(texts).unwrap_or_default(),
            last_seq,
            last_event: last_event.and_then(|last| EventKind::deserialize(last.get("event")?).ok()),
            auth_token: text("auth_token").and_then(|text| JobToken::recorded(&text)),
            document,
        })
    }

    /// The record to write: the one that was read, in its order and with everything in it, and of the known fields those that
    /// are not as they were. Holds the secrets.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut document = self.document.clone();
        let was = match Self::read(self.document.clone()) {
            Ok(was) if !self.document.is_empty() => fields(&was.record())?,
            _ => Map::new(),
        };
        for (key, value) in fields(&self.record())? {
            if was.get(&key) != Some(&value) {
                document.insert(key, value);
            }
        }
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The record without its secrets: for eyes and for `--json`. `authenticated` tells whether events have to be signed.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn shown(&self) -> Result<Map<String, Value>, serde_json::Error> {
        let mut shown: Map<String, Value> = serde_json::from_slice(&self.to_json()?)?;
        shown.shift_remove("auth_token");
        if let Some(Value::Object(broker)) = shown.get_mut("broker") {
            broker.retain(|key, _| !is_secret(key));
        }
        shown.retain(|key, _| !is_secret(key));
        shown.insert("authenticated".to_owned(), Value::Bool(self.auth_token.is_some()));
        Ok(shown)
    }

    /// The record as a value of known fields. Holds the secrets.
    fn record(&self) -> Record {
        let number = |span: Duration| match span.subsec_nanos() {
            0 => Some(Number::from(span.as_secs())),
            _ => Number::from_f64(span.as_secs_f64()),
        };
        Record {
            schema_version: SCHEMA_VERSION,
            job_id: self.id.clone(),
            status: self.status,
            created_at: self.created_at,
            updated_at: self.updated_at,
            prompt: self.prompt.clone(),
            agent: self.agent.clone(),
            agent_session: self.agent_session.clone(),
            broker: self.broker.clone(),
            topic_prefix: self.topic_prefix.clone(),
            timeout_sec: self.timeout.and_then(number),
            idle_timeout_sec: self.idle_timeout.and_then(number),
            expected_artifacts: self.expected_artifacts.clone(),
            last_seq: self.last_seq,
            auth_token: self.auth_token.as_ref().map(|token| token.expose().to_owned()),
            last_event: self.last_event.map(|event| LastEvent { seq: self.last_seq, event }),
        }
    }

    /// The session the job is done in: its multiplexer and name.
    pub fn session(&self) -> Option<(MuxKind, &str)> {
        let (mux, name) = self.agent_session.as_deref()?.split_once(':')?;
        Some((mux.parse().ok()?, name)).filter(|(_, name)| !name.is_empty())
    }

    /// The topic its events are published to.
    pub fn topic(&self) -> String {
        match &self.topic_prefix {
            Some(prefix) => format!("{prefix}/events"),
            None => events_topic(DEFAULT_ROOT, &self.id),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("updated_at", &self.updated_at)
            .field("agent", &self.agent)
            .field("agent_session", &self.agent_session)
            .field("broker", &self.broker)
            .field("last_seq", &self.last_seq)
            .field("last_event", &self.last_event)
            .field("auth_token", &self.auth_token)
            .finish_non_exhaustive()
    }
}

impl JobBroker {
    fn read(document: &Map<String, Value>) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let known = ["host", "port", "tls", "username", "password"];
        Self {
            host: text("host"),
            port: document.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()),
            tls: document.get("tls").and_then(Value::as_bool),
            username: text("username"),
            password: text("password"),
            more: document
                .iter()
                .filter(|(key, _)| !known.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        }
    }
}

fn fields(record: &Record) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(record)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

fn topic_prefix(root: &str, id: &JobId) -> String {
    format!("{root}/{id}")
}

/// The topic the events of a job are published to, below a root.
pub fn events_topic(root: &str, id: &JobId) -> String {
    format!("{}/events", topic_prefix(root, id))
}

/// Whether a field's name says that its value is nobody's business.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "token", "secret", "credential"].iter().any(|word| key.contains(word))
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

/// A time-out; 0 is none.
fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok().filter(|span| !span.is_zero())
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
