//! What is said about a job: one event. Owns its form; never decides whether it is believed.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::verify::sign;
use super::{Job, JobId, JobToken, MAX_SEQ, SCHEMA_VERSION};
use crate::core::ids::UnknownName;
use crate::core::text::seconds;

/// The name of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The agent has begun.
    Started,
    /// The agent waits for a permission.
    PermissionRequired,
    /// The agent got on.
    Progress,
    /// The job is done.
    Completed,
    /// The job failed.
    Error,
}

impl EventKind {
    /// Every event.
    pub const ALL: [Self; 5] = [Self::Started, Self::PermissionRequired, Self::Progress, Self::Completed, Self::Error];

    /// The word used in payloads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::PermissionRequired => "permission_required",
            Self::Progress => "progress",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == s).ok_or_else(|| UnknownName(s.to_owned()))
    }
}

/// An event of a job, as it is published to `<topic_prefix>/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "headcount job event", description = "What is published to <topic_prefix>/events of a job.")]
pub struct JobEvent {
    /// The version of the format: 1.
    pub schema_version: u32,
    /// Its number: 1 for the first event of a job, and greater than the last one's.
    #[schemars(range(min = 1))]
    pub seq: u64,
    /// The job.
    pub job_id: JobId,
    /// Its name.
    pub event: EventKind,
    /// When it was sent by the sender's clock, RFC 3339 and as it was written. Decides nothing.
    #[schemars(with = "DateTime<Utc>")]
    pub timestamp: String,
    /// One line about it: no paths, keys or tokens.
    #[serde(default)]
    pub detail: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// HMAC-SHA256 with the job's token, in lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<String>,
}

/// An event as the registry's log holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// The event.
    #[serde(flatten)]
    pub event: JobEvent,
    /// When it was received, by the receiver's clock; other programs' logs do not say.
    #[serde(
        serialize_with = "seconds::option::serialize",
        deserialize_with = "lenient",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub received_at: Option<DateTime<Utc>>,
}

/// Another program's log may say it in another way, which is no reason not to read the event.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    Ok(time.map(|at| at.with_timezone(&Utc)))
}

/// A job's events have used up the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the last event has the greatest possible number, {MAX_SEQ}")]
pub struct NoMoreNumbers;

impl JobEvent {
    /// The next event of a job, signed if the job has a token.
    ///
    /// # Errors
    /// [`NoMoreNumbers`].
    pub fn next(
        job: &Job,
        event: EventKind,
        detail: String,
        data: Option<Map<String, Value>>,
        at: DateTime<Utc>,
    ) -> Result<Self, NoMoreNumbers> {
        let seq = job.last_seq.checked_add(1).filter(|seq| *seq <= MAX_SEQ).ok_or(NoMoreNumbers)?;
        Ok(Self::numbered(seq, &job.id, job.auth_token.as_ref(), (event, detail, data), at))
    }

    /// An event of a job whose record is on another machine, signed if there is a token. Nobody here knows the last number, so
    /// it is the microseconds since 1970: greater than any before as long as the clock does not go back.
    pub fn from_afar(
        id: &JobId,
        token: Option<&JobToken>,
        event: EventKind,
        detail: String,
        data: Option<Map<String, Value>>,
        at: DateTime<Utc>,
    ) -> Self {
        let seq = u64::try_from(at.timestamp_micros()).unwrap_or_default().clamp(1, MAX_SEQ);
        Self::numbered(seq, id, token, (event, detail, data), at)
    }

    fn numbered(
        seq: u64,
        id: &JobId,
        token: Option<&JobToken>,
        (event, detail, data): (EventKind, String, Option<Map<String, Value>>),
        at: DateTime<Utc>,
    ) -> Self {
        let mut numbered = Self {
            schema_version: SCHEMA_VERSION,
            seq,
            job_id: id.clone(),
            event,
            timestamp: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            detail,
            data,
            hmac: None,
        };
        numbered.hmac = token.map(|token| sign(&numbered, token));
        numbered
    }
}
