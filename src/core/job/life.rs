//! What becomes of a job: by an event, by being called off, by time going on. Never decides whether an event is believed.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventKind, Job, JobEvent, JobStatus};

/// How a job has run out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeOut {
    /// It has run longer than its timeout.
    Total,
    /// It has been silent longer than its idle timeout.
    Idle,
}

impl TimeOut {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "timed out",
            Self::Idle => "idle",
        }
    }
}

impl fmt::Display for TimeOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The job after an event that was believed. An end is final: a later event is counted, and changes no status.
#[must_use]
pub fn apply(job: &Job, event: &JobEvent, received_at: DateTime<Utc>) -> Job {
    let status = match (job.status, event.event) {
        (ended, _) if ended.is_final() => ended,
        (_, EventKind::Started | EventKind::PermissionRequired | EventKind::Progress) => JobStatus::Running,
        (_, EventKind::Completed) => JobStatus::Completed,
        (_, EventKind::Error) => JobStatus::Error,
    };
    let mut job = job.clone();
    (job.status, job.last_seq, job.last_event) = (status, event.seq, Some(event.event));
    job.updated_at = Some(received_at);
    job
}

/// The job after being called off; `None` if it has ended already.
pub fn cancel(job: &Job, at: DateTime<Utc>) -> Option<Job> {
    (!job.status.is_final()).then(|| {
        let mut job = job.clone();
        (job.status, job.updated_at) = (JobStatus::Cancelled, Some(at));
        job
    })
}

/// Whether a job has run out of time, by the receiver's clock alone: when it was submitted, and when its last event was
/// received. A job that has ended never has; nor has one whose record does not say when it began.
pub fn timed_out(job: &Job, now: DateTime<Utc>) -> Option<TimeOut> {
    let Limits { total, idle } = Limits::of(job);
    let is_past = |limit: Option<DateTime<Utc>>| limit.is_some_and(|limit| limit <= now);
    if is_past(total) {
        return Some(TimeOut::Total);
    }
    is_past(idle).then_some(TimeOut::Idle)
}

/// When [`timed_out`] next answers otherwise if nothing is heard of the job until then; `None` if it never does.
pub fn times_out_at(job: &Job, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let Limits { total, idle } = Limits::of(job);
    // Whoever has taken too long in all has nothing left to run out of.
    if total.is_some_and(|total| total <= now) {
        return None;
    }
    [total, idle].into_iter().flatten().filter(|limit| *limit > now).min()
}

/// The moments at which a job runs out of time; none once it has ended, and none that no calendar holds.
struct Limits {
    total: Option<DateTime<Utc>>,
    idle: Option<DateTime<Utc>>,
}

impl Limits {
    fn of(job: &Job) -> Self {
        if job.status.is_final() {
            return Self { total: None, idle: None };
        }
        let after = |since: Option<DateTime<Utc>>, limit: Option<Duration>| {
            since?.checked_add_signed(TimeDelta::from_std(limit?).ok()?)
        };
        Self { total: after(job.created_at, job.timeout), idle: after(job.updated_at.max(job.created_at), job.idle_timeout) }
    }
}
