//! Jobs that are being made: whoever is killed at it leaves a whole one, or none. Begins and ends no agent.

use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::core::ids::SessionKey;
use crate::core::job::JobId;
use crate::host::Host;
use crate::store::followed_jobs::FollowedJobs;
use crate::store::job_files::JobFiles;
use crate::store::job_intents::{JobIntent, JobIntents};
use crate::store::jobs::{JobsError, Registry};
use crate::store::operations::{LaunchedRecord, OperationError};
use crate::store::paths::StateHome;

/// Writes down that this process makes a job, before that has a record.
///
/// # Errors
/// [`OperationError`].
pub fn intend(
    state: &StateHome,
    host: &dyn Host,
    (job, session): (&JobId, &SessionKey),
    registry: &Path,
) -> Result<(), OperationError> {
    let registry = std::path::absolute(registry).unwrap_or_else(|_| PathBuf::from(registry));
    let by = LaunchedRecord::of(host.own_process());
    JobIntents::new(state).put(&JobIntent { job: job.clone(), registry, session: session.clone(), by })
}

/// The job is whole, or was called off.
pub fn made(state: &StateHome, job: &JobId) {
    // What is left over is looked at once this process has ended.
    if let Err(error) = JobIntents::new(state).take(job) {
        tracing::warn!(why = error.to_string(), "that a job was being made is still written down");
    }
}

/// The sessions of the jobs whose maker was killed.
pub fn unmade(state: &StateHome, host: &dyn Host) -> Vec<SessionKey> {
    left(state, host).map(|intent| intent.session).collect()
}

/// Calls off the jobs whose maker was killed before they were whole: nobody was told of them, and nobody does them.
pub fn call_off_unmade(state: &StateHome, host: &dyn Host) {
    for intent in left(state, host) {
        let files = JobFiles::of(state, &intent.job);
        let is_whole = files.spec().is_some() || FollowedJobs::new(state).holds(&intent.job);
        let called_off = if is_whole { Ok(()) } else { call_off(&intent, &files) };
        match called_off {
            Ok(()) => made(state, &intent.job),
            Err(why) => tracing::warn!(job = intent.job.as_str(), why, "a job that nobody does is still in its registry"),
        }
    }
}

fn call_off(intent: &JobIntent, files: &JobFiles) -> Result<(), String> {
    match Registry::at(&intent.registry).cancel(&intent.job, Utc::now()) {
        Ok(_) | Err(JobsError::Ended { .. } | JobsError::NoSuchJob { .. }) => {}
        Err(error) => return Err(error.to_string()),
    }
    files.remove().map_err(|error| error.to_string())
}

/// Those whose maker has ended. Whether they are whole is asked after that.
fn left(state: &StateHome, host: &dyn Host) -> impl Iterator<Item = JobIntent> {
    let has_ended = |by: &LaunchedRecord| by.process().is_none_or(|process| host.has_ended(process));
    JobIntents::new(state).all().into_iter().filter(move |intent| has_ended(&intent.by))
}
