//! Removing jobs that have ended. Never removes what is not the record, log or audit of a job that ended.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::error::io_error;
use super::{JobsError, Registry, files, list};
use crate::core::job::Job;

/// The files of an audit.
const AUDIT: [&str; 3] = ["meta.json", "events.ndjson", "status.json"];

/// What was, or would be, removed.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Audit directories that were kept because other programs have files in them.
    pub kept: Vec<PathBuf>,
}

pub(super) fn prune(registry: &Registry, before: DateTime<Utc>, dry_run: bool) -> Result<Pruned, JobsError> {
    let ended = |job: &Job| job.status.is_final() && job.updated_at.is_some_and(|at| at < before);
    let chosen = || list::list(registry).map(|listing| listing.jobs.into_iter().filter(ended).collect::<Vec<_>>());
    let mut pruned = Pruned { jobs: chosen()?, kept: Vec::new() };
    if dry_run || pruned.jobs.is_empty() {
        return Ok(pruned);
    }
    let _lock = registry.lock()?;
    // Somebody may have been at them while the lock was waited for.
    pruned.jobs = chosen()?;
    files::sweep(registry.path()).map_err(io_error("sweep", registry.path()))?;
    for job in &pruned.jobs {
        pruned.kept.extend(remove(registry, job)?);
    }
    files::sync(registry.path()).map_err(io_error("sync", registry.path()))?;
    Ok(pruned)
}

/// The record goes last: until then whoever prunes next finds the rest by it.
fn remove(registry: &Registry, job: &Job) -> Result<Option<PathBuf>, JobsError> {
    let gone = |path: PathBuf| files::remove(&path).map(drop).map_err(io_error("remove", &path));
    let audit = registry.audit(&job.id);
    let mut kept = None;
    if audit.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        for name in AUDIT {
            gone(audit.join(name))?;
        }
        files::sweep(&audit).map_err(io_error("sweep", &audit))?;
        match std::fs::remove_dir(&audit) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => kept = Some(audit),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &audit)(error)),
            _ => {}
        }
    }
    gone(registry.log(&job.id))?;
    gone(registry.record(&job.id))?;
    Ok(kept)
}
