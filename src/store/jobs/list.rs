//! Reading the records of a registry. Never writes; what is no job is reported and left as it is.

use std::io;
use std::path::{Path, PathBuf};

use super::error::io_error;
use super::{JobsError, Registry, files};
use crate::core::job::{Job, JobId};

/// The longest record that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What a registry holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// The jobs, the oldest first; those that do not say how old they are before all others.
    pub jobs: Vec<Job>,
    /// Records that are none this headcount can work with.
    pub problems: Vec<Problem>,
}

/// Something in a registry that looks like a record and is none.
#[derive(Debug)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub why: JobsError,
}

pub(super) fn list(registry: &Registry) -> Result<Listing, JobsError> {
    let directory = registry.path();
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
        Err(error) => return Err(io_error("read the job registry", directory)(error)),
    };
    let mut listing = Listing::default();
    for entry in entries {
        let path = entry.map_err(io_error("read the job registry", directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // Files of other names, other programs' notes among them, are nobody's business here.
        let Some(Ok(id)) = name.and_then(|name| name.strip_suffix(".json")).map(str::parse::<JobId>) else { continue };
        match read(&path, &id) {
            Ok(Some(job)) => listing.jobs.push(job),
            // It was removed just now.
            Ok(None) => {}
            Err(why) => listing.problems.push(Problem { path, why }),
        }
    }
    listing.jobs.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    listing.problems.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

pub(super) fn find(registry: &Registry, id: &JobId) -> Result<Option<Job>, JobsError> {
    read(&registry.record(id), id)
}

fn read(path: &Path, id: &JobId) -> Result<Option<Job>, JobsError> {
    let text = match files::read(path, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let job = Job::from_json(&text).map_err(|source| JobsError::Broken { path: path.to_owned(), source })?;
    if job.id != *id {
        return Err(JobsError::Misnamed { path: path.to_owned(), id: job.id });
    }
    Ok(Some(job))
}
