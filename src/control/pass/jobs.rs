//! The delegated jobs a pass judges by. Never stops a pass: jobs that cannot be read link nothing.

use super::PassError;
use crate::core::job::Job;
use crate::store::jobs::Registry;

/// The jobs of a registry; `None` if there is none or it cannot be read, which is noted, as is what in it is no job.
pub(super) fn read(registry: Option<&Registry>, notes: &mut Vec<String>) -> Option<Vec<Job>> {
    match registry?.list() {
        Ok(listing) => {
            notes.extend(listing.problems.iter().map(|problem| PassError::line(&problem.why)));
            Some(listing.jobs)
        }
        Err(error) => {
            notes.push(PassError::line(&error));
            None
        }
    }
}
