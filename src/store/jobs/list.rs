//! Reading the records of a registry. Never writes; what is no job is reported and left as it is.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use super::error::io_error;
use super::{JobsError, Registry, files};
use crate::core::job::{Job, JobId};

/// Files younger than this are read again: the file system's clock ticks coarsely.
const YOUNG: Duration = Duration::from_millis(100);

/// The longest record that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The records as they were last listed, each with what its file looked like before it was read.
pub(super) type RecordCache = HashMap<JobId, (Stamp, Job)>;

/// Device, inode, length, and when content and attributes last changed (seconds and nanoseconds).
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

/// What a file looks like; `None` if it changed so lately that another change might not show.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = path.symlink_metadata().ok()?;
    let settled = found.modified().ok()?.elapsed().is_ok_and(|age| age >= YOUNG);
    settled.then(|| {
        (found.dev(), found.ino(), found.len(), (found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()))
    })
}

/// What a registry holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// The jobs, the oldest first; those that do not say how old they are before all others.
    pub jobs: Vec<Job>,
    /// Records that are none this headcount can work with.
    pub problems: Vec<BadRecord>,
}

/// Something in a registry that looks like a record and is none.
#[derive(Debug)]
pub struct BadRecord {
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
    // What stands as it stood is not read again: a watch asks often, and most jobs have ended.
    let mut known = registry.known.lock().unwrap_or_else(PoisonError::into_inner);
    let mut still = RecordCache::with_capacity(known.len());
    for entry in entries {
        let path = entry.map_err(io_error("read the job registry", directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // Files of other names, other programs' notes among them, are nobody's business here.
        let Some(Ok(id)) = name.and_then(|name| name.strip_suffix(".json")).map(str::parse::<JobId>) else { continue };
        let stamp = stamp(&path);
        if let Some((as_it_was, job)) = known.remove(&id).filter(|(before, _)| stamp.as_ref() == Some(before)) {
            listing.jobs.push(job.clone());
            still.insert(id, (as_it_was, job));
            continue;
        }
        match read(&path, &id) {
            Ok(Some(job)) => {
                // One that changed while it was read has another stamp next time.
                still.extend(stamp.map(|stamp| (id, (stamp, job.clone()))));
                listing.jobs.push(job);
            }
            // It was removed just now.
            Ok(None) => {}
            Err(why) => listing.problems.push(BadRecord { path, why }),
        }
    }
    *known = still;
    drop(known);
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
