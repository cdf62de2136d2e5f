//! The jobs whose events follow from turns, one private file each. Never decides what is told of one.

use std::path::Path;

use super::operations::OperationError;
use super::paths::StateHome;
use super::records::Records;
use crate::core::job::{FollowedJob, JobId};

/// Those of one user on this host.
#[derive(Debug, Clone)]
pub struct FollowedJobs {
    records: Records,
}

impl FollowedJobs {
    /// Those in this state directory.
    pub fn new(home: &StateHome) -> Self {
        Self { records: Records::new(home.path().join("followed")) }
    }

    /// The directory they are in.
    pub fn path(&self) -> &Path {
        self.records.path()
    }

    /// Makes that directory, for whoever waits for something in it.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn create(&self) -> Result<(), OperationError> {
        self.records.create()
    }

    /// Keeps a job. It is on disk, or not there.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn put(&self, followed: &FollowedJob) -> Result<(), OperationError> {
        self.records.put(followed.job.as_str(), followed)
    }

    /// The jobs, the earliest first. What cannot be read, or was written by a newer headcount, is left alone.
    pub fn all(&self) -> Vec<FollowedJob> {
        let mut all: Vec<FollowedJob> = self.records.all();
        all.retain(|followed| followed.version <= FollowedJob::VERSION);
        all.sort_by(|one, other| (one.since, &one.job).cmp(&(other.since, &other.job)));
        all
    }

    /// Whether this one is followed.
    pub fn holds(&self, job: &JobId) -> bool {
        self.records.place(job.as_str()).exists()
    }

    /// Writes one anew, if it is still there.
    pub fn note(&self, followed: &FollowedJob) {
        self.records.note(followed.job.as_str(), followed);
    }

    /// Takes a job out; `false`: it was not there.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn take(&self, job: &JobId) -> Result<bool, OperationError> {
        self.records.take(job.as_str())
    }
}
