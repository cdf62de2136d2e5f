//! The registry of delegated jobs: a directory of records and event logs, shared with whoever else keeps to its lock. Never
//! decides whether an event is believed, and never touches a file in it that is not the record, log or audit of a job.
//!
//! ```text
//! <registry>/.lock                 flock around every read-modify-write
//! <registry>/<job_id>.json         the record, 0600, replaced whole
//! <registry>/<job_id>.events.log   its events, a line of JSON each
//! <registry>/<job_id>/             the audit: meta.json, events.ndjson, status.json
//! ```
//!
//! An event goes into the log, then into the record. Whoever is killed in between leaves a log that is ahead; the next writer
//! of that job takes the record along, by the same rules the event was believed by the first time.

mod error;
mod files;
mod list;
mod lock;
mod log;
mod prune;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::paths::StateHome;
use crate::core::job::{EventKind, Job, JobEvent, JobId, JobToken};
pub use error::JobsError;
pub use list::{BadRecord, Listing};
pub use log::{EventLog, EventReader};
pub use prune::Pruned;
pub use write::{EventMessage, EventOutcome};

/// How long to wait for a lock by default.
const WAIT: Duration = Duration::from_secs(10);

/// One registry. Clones share what they remember of the records they read.
#[derive(Debug, Clone)]
pub struct Registry {
    directory: PathBuf,
    wait: Duration,
    known: Arc<Mutex<list::RecordCache>>,
}

impl Registry {
    /// The registry in this directory, whether or not it is there.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), wait: WAIT, known: Arc::default() }
    }

    /// The registry used where there is no other.
    pub fn of_state(home: &StateHome) -> Self {
        Self::at(home.path().join("jobs"))
    }

    /// The same, waiting so long for the lock.
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// Every job, the oldest first, and what is there that is none. Creates nothing and needs no lock: records are replaced
    /// whole. A registry that is not there is empty.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Listing, JobsError> {
        list::list(self)
    }

    /// One job; `None` if there is no record of it.
    ///
    /// # Errors
    /// The record cannot be read, or is not one.
    pub fn find(&self, id: &JobId) -> Result<Option<Job>, JobsError> {
        list::find(self, id)
    }

    /// A reader of a job's events, in the order they were written. A log that is not there is empty.
    pub fn events(&self, id: &JobId) -> EventReader {
        EventReader::new(self.log(id))
    }

    /// Adds a job under a fresh id, and makes the registry if it is not there. `make` is given the id and, if `authenticated`,
    /// a fresh token.
    ///
    /// # Errors
    /// The lock, the directory or a file.
    pub fn add(&self, authenticated: bool, make: impl FnOnce(JobId, Option<JobToken>) -> Job) -> Result<Job, JobsError> {
        write::add(self, authenticated, make)
    }

    /// Verifies what came in and writes what is believed, each job's record and log once for all of its messages. When this
    /// returns it is on disk. The answers are in the order of the messages: the job as that event left it, or why the event was
    /// dropped. A job whose record is broken has its events dropped as those of no job.
    ///
    /// # Errors
    /// The lock or a file; then some of the messages may have been written, and receiving them again does no harm.
    pub fn receive(
        &self,
        messages: &[EventMessage<'_>],
        root: &str,
        received_at: DateTime<Utc>,
    ) -> Result<Vec<EventOutcome>, JobsError> {
        write::receive(self, messages, root, received_at)
    }

    /// Writes the next event of a job, signed if it has a token.
    ///
    /// # Errors
    /// There is no such job, the lock, or a file.
    pub fn publish(&self, id: &JobId, event: NewEvent, at: DateTime<Utc>) -> Result<(Job, JobEvent), JobsError> {
        write::publish(self, id, event, at)
    }

    /// Calls a job off.
    ///
    /// # Errors
    /// There is no such job, it has ended already, the lock, or a file.
    pub fn cancel(&self, id: &JobId, at: DateTime<Utc>) -> Result<Job, JobsError> {
        write::cancel(self, id, at)
    }

    /// Removes the jobs that ended before `before`, with their logs and audits; with `dry_run` only says which. A record that
    /// does not say when it ended stays, and so does whatever is not a job.
    ///
    /// # Errors
    /// The lock or a file; what was removed until then stays removed.
    pub fn prune(&self, before: DateTime<Utc>, dry_run: bool) -> Result<Pruned, JobsError> {
        prune::prune(self, before, dry_run)
    }

    fn record(&self, id: &JobId) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }

    fn log(&self, id: &JobId) -> PathBuf {
        self.directory.join(format!("{id}.events.log"))
    }

    fn audit(&self, id: &JobId) -> PathBuf {
        self.directory.join(id.as_str())
    }
}

/// An event somebody here wants to write.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its name.
    pub kind: EventKind,
    /// One line about it.
    pub detail: String,
    /// More about it.
    pub data: Option<serde_json::Map<String, serde_json::Value>>,
}
