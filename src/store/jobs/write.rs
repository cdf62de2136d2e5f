//! Changing a registry: under its lock, log first, then record, then audit. Never decides what a job becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::error::io_error;
use super::files::{self, Durable};
use super::{JobsError, NewEvent, Registry, list, log};
use crate::core::job::{self, DropReason, Job, JobEvent, JobId, JobToken, LoggedEvent, MAX_PAYLOAD};

/// Something that came in.
#[derive(Debug, Clone, Copy)]
pub struct EventMessage<'a> {
    /// The topic it came by.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
}

/// The job as an event left it, or why the event was dropped.
pub type EventOutcome = Result<Box<Job>, DropReason>;

pub(super) fn add(
    registry: &Registry,
    authenticated: bool,
    make: impl FnOnce(JobId, Option<JobToken>) -> Job,
) -> Result<Job, JobsError> {
    registry.create()?;
    let _lock = registry.lock()?;
    let directory = registry.path();
    files::sweep(directory).map_err(io_error("sweep", directory))?;
    let random = |source| io_error("read", Path::new("/dev/urandom"))(source);
    let id = loop {
        let bytes = files::random::<64>().map_err(random)?;
        // An id whose log or audit outlived its record is not given again.
        let free = |id: &JobId| {
            [registry.record(id), registry.log(id), registry.audit(id)].iter().all(|path| path.symlink_metadata().is_err())
        };
        if let Some(id) = JobId::minted(&bytes).filter(free) {
            break id;
        }
    };
    let token = if authenticated { Some(JobToken::minted(&files::random().map_err(random)?)) } else { None };
    let job = make(id, token);
    save(registry, &job)?;
    files::sync(directory).map_err(io_error("sync", directory))?;
    audit(registry, &job, &[])?;
    Ok(job)
}

pub(super) fn receive(
    registry: &Registry,
    messages: &[EventMessage<'_>],
    root: &str,
    at: DateTime<Utc>,
) -> Result<Vec<EventOutcome>, JobsError> {
    let named: Vec<Result<JobId, DropReason>> = messages.iter().map(|message| job::job_of_topic(message.topic, root)).collect();
    // A stranger's topics make neither a directory nor a lock.
    let known: BTreeSet<&JobId> = named.iter().flatten().filter(|id| registry.record(id).symlink_metadata().is_ok()).collect();
    let mut jobs: BTreeMap<&JobId, (Option<Job>, Vec<JobEvent>)> = BTreeMap::new();
    let _lock = if known.is_empty() { None } else { Some(registry.lock()?) };
    for id in known {
        let job = match list::find(registry, id) {
            Ok(Some(job)) => Some(caught_up(registry, job, at)?),
            Ok(None) | Err(JobsError::Broken { .. } | JobsError::Misnamed { .. }) => None,
            Err(error) => return Err(error),
        };
        jobs.insert(id, (job, Vec::new()));
    }
    let mut answers = Vec::with_capacity(messages.len());
    for (message, id) in messages.iter().zip(&named) {
        let answer = match id {
            Err(dropped) => Err(*dropped),
            Ok(id) => match jobs.get_mut(id) {
                Some((Some(job), events)) => job::verify(job, message.payload, message.topic).map(|event| {
                    *job = job::apply(job, &event, at);
                    events.push(event);
                    Box::new(job.clone())
                }),
                _ => Err(DropReason::NoSuchJob),
            },
        };
        answers.push(answer);
    }
    for (job, events) in jobs.into_values() {
        if let (Some(job), false) = (job, events.is_empty()) {
            write(registry, &job, events, at)?;
        }
    }
    Ok(answers)
}

pub(super) fn publish(
    registry: &Registry,
    id: &JobId,
    event: NewEvent,
    at: DateTime<Utc>,
) -> Result<(Job, JobEvent), JobsError> {
    let _lock = locked(registry, id)?;
    let job = caught_up(registry, existing(registry, id)?, at)?;
    if job.status.is_final() {
        return Err(JobsError::Ended { id: id.clone(), status: job.status });
    }
    let event = JobEvent::next(&job, event.kind, event.detail, event.data, at)
        .map_err(|source| JobsError::Numbers { id: id.clone(), source })?;
    let payload = serde_json::to_vec(&event).map_err(|source| JobsError::Encode { id: id.clone(), source })?;
    if payload.len() > MAX_PAYLOAD {
        return Err(JobsError::TooLong { id: id.clone(), limit: MAX_PAYLOAD });
    }
    let job = job::apply(&job, &event, at);
    write(registry, &job, vec![event.clone()], at)?;
    Ok((job, event))
}

pub(super) fn cancel(registry: &Registry, id: &JobId, at: DateTime<Utc>) -> Result<Job, JobsError> {
    let _lock = locked(registry, id)?;
    let job = caught_up(registry, existing(registry, id)?, at)?;
    let cancelled = job::cancel(&job, at).ok_or(JobsError::Ended { id: id.clone(), status: job.status })?;
    save(registry, &cancelled)?;
    // Unlike an event, it stands nowhere but in the record.
    files::sync(registry.path()).map_err(io_error("sync", registry.path()))?;
    audit(registry, &cancelled, &[])?;
    Ok(cancelled)
}

/// The lock, unless there is nothing to lock it for: asking for a job that is not there creates nothing.
fn locked(registry: &Registry, id: &JobId) -> Result<super::lock::RegistryLock, JobsError> {
    existing(registry, id)?;
    registry.lock()
}

fn existing(registry: &Registry, id: &JobId) -> Result<Job, JobsError> {
    list::find(registry, id)?.ok_or_else(|| JobsError::NoSuchJob { id: id.clone(), registry: registry.path().to_owned() })
}

/// The job with the events its log has and its record does not, because somebody was killed in between. They are believed by
/// the rules of [`job::verify`], whoever wrote them.
fn caught_up(registry: &Registry, mut job: Job, at: DateTime<Utc>) -> Result<Job, JobsError> {
    let tail = log::tail(&registry.log(&job.id), job.last_seq)?;
    let topic = job.topic();
    for LoggedEvent { event, received_at } in tail.events {
        let Ok(payload) = serde_json::to_vec(&event) else { continue };
        if let Ok(event) = job::verify(&job, &payload, &topic) {
            job = job::apply(&job, &event, received_at.unwrap_or(at));
        }
    }
    Ok(job)
}

/// Writes events and the job they left.
fn write(registry: &Registry, job: &Job, events: Vec<JobEvent>, at: DateTime<Utc>) -> Result<(), JobsError> {
    let encode = |source| JobsError::Encode { id: job.id.clone(), source };
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, &LoggedEvent { event, received_at: Some(at) }).map_err(encode)?;
        lines.push(b'\n');
    }
    log::append(&registry.log(&job.id), &lines, Durable::Yes)?;
    save(registry, job)?;
    audit(registry, job, &lines)
}

fn save(registry: &Registry, job: &Job) -> Result<(), JobsError> {
    let path = registry.record(&job.id);
    let text = job.to_json().map_err(|source| JobsError::Encode { id: job.id.clone(), source })?;
    files::replace(&path, &text, Durable::Yes).map_err(io_error("write", &path))
}

/// Keeps the audit, which holds no secret. It follows the record and is not synced: a kill may leave it an event short, never
/// ahead.
fn audit(registry: &Registry, job: &Job, lines: &[u8]) -> Result<(), JobsError> {
    let directory = registry.audit(&job.id);
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error("create", &directory)(error)),
        _ => {}
    }
    let put = |name: &str, value: &serde_json::Value| {
        let path = directory.join(name);
        let mut text = value.to_string().into_bytes();
        text.push(b'\n');
        files::replace(&path, &text, Durable::FromUs).map_err(io_error("write", &path))
    };
    let shown = job.shown().map_err(|source| JobsError::Encode { id: job.id.clone(), source })?;
    let field = |name: &str| shown.get(name).cloned().unwrap_or_default();
    if directory.join("meta.json").symlink_metadata().is_err() {
        let mut meta = shown.clone();
        for moving in ["status", "updated_at", "last_seq", "last_event"] {
            meta.shift_remove(moving);
        }
        put("meta.json", &serde_json::Value::Object(meta))?;
    }
    if !lines.is_empty() {
        log::append(&directory.join("events.ndjson"), lines, Durable::FromUs)?;
    }
    put(
        "status.json",
        &json!({
            "job_id": job.id, "status": job.status, "updated_at": field("updated_at"), "last_seq": job.last_seq,
        }),
    )
}
