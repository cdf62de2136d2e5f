//! The jobs that are being made, one private file each: written before a job has a record, taken out once it is whole. Never decides what
//! becomes of one whose maker was killed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::operations::{LaunchedRecord, OperationError};
use super::paths::StateHome;
use super::records::Records;
use crate::core::ids::SessionKey;
use crate::core::job::JobId;

/// That somebody makes a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobIntent {
    /// The job.
    pub job: JobId,
    /// The registry that is to have its record.
    pub registry: PathBuf,
    /// The session that is to do it.
    pub session: SessionKey,
    /// Who makes it.
    pub by: LaunchedRecord,
}

/// Those of one user on this host.
#[derive(Debug, Clone)]
pub struct JobIntents {
    records: Records,
}

impl JobIntents {
    /// Those in this state directory.
    pub fn new(home: &StateHome) -> Self {
        Self { records: Records::new(home.path().join("submitting")) }
    }

    /// Keeps one. It is on disk, or not there.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn put(&self, intent: &JobIntent) -> Result<(), OperationError> {
        self.records.put(intent.job.as_str(), intent)
    }

    /// All that can be read.
    pub fn all(&self) -> Vec<JobIntent> {
        self.records.all()
    }

    /// Takes one out.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn take(&self, job: &JobId) -> Result<(), OperationError> {
        self.records.take(job.as_str()).map(drop)
    }
}
