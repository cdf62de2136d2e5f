//! What can go wrong with a registry of jobs. Never decides what it means for the program.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::core::job::{JobId, JobStatus, NoMoreNumbers, NotAJob};

/// A registry of jobs cannot be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// A file or directory of it.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else holds the lock.
    #[error("job registry {} is locked by another program (waited {:.1} s)", registry.display(), waited.as_secs_f64())]
    Locked {
        /// The registry.
        registry: PathBuf,
        /// For how long it was waited.
        waited: Duration,
    },
    /// There is no record of this id.
    #[error("no job {id} in {}", registry.display())]
    NoSuchJob {
        /// The id.
        id: JobId,
        /// The registry.
        registry: PathBuf,
    },
    /// The record is not one this headcount can work with. It stays as it is.
    #[error("job record {} cannot be used", path.display())]
    Broken {
        /// The record.
        path: PathBuf,
        /// Why.
        source: NotAJob,
    },
    /// The record is another job's.
    #[error("job record {} names another job, {id}", path.display())]
    Misnamed {
        /// The record.
        path: PathBuf,
        /// The job it names.
        id: JobId,
    },
    /// It has ended, and an end is final.
    #[error("job {id} has ended: {status}")]
    Ended {
        /// The job.
        id: JobId,
        /// How.
        status: JobStatus,
    },
    /// Its events have used up the numbers.
    #[error("job {id} cannot have more events")]
    Numbers {
        /// The job.
        id: JobId,
        /// Why.
        source: NoMoreNumbers,
    },
    /// An event is longer than anybody would accept.
    #[error("an event of job {id} would be longer than {limit} bytes")]
    TooLong {
        /// The job.
        id: JobId,
        /// The most it may have.
        limit: usize,
    },
    /// A record or event cannot be put into JSON.
    #[error("cannot encode job {id}")]
    Encode {
        /// The job.
        id: JobId,
        /// Why.
        source: serde_json::Error,
    },
}

impl JobsError {
    /// Whether trying again may work.
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }
}

/// An error of the file system.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JobsError + use<> {
    let path = path.to_owned();
    move |source| JobsError::Io { action, path, source }
}
