//! Class I: a job was delegated to the session and its entry does not name it. Needs nothing that was observed.
//!
//! A session's job is the newest one that is open and names the session. It replaces a job that has ended, has run out of time or
//! is older; never one that this registry does not know or that was delegated to something else: whoever wrote that there
//! knows more than we do.

use std::collections::BTreeMap;

use serde_json::json;

use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Inputs, Recording, Remedy};
use crate::core::job::{Job, TimeOut, timed_out};
use crate::core::manifest::names::Field;
use crate::core::manifest::{Session, Status};

/// The job delegated to each entry, by the entry's index. A name that fits two entries, on two servers, delegates to neither.
pub fn delegations<'a>(world: &Inputs<'a>) -> BTreeMap<usize, &'a Job> {
    let mut delegated: BTreeMap<usize, &Job> = BTreeMap::new();
    for job in world.jobs.iter().filter(|job| is_open(world, job)) {
        let mut entries = world.manifest.sessions.iter().filter(|entry| world.is_judged(entry) && names(job, entry));
        let (Some(entry), None) = (entries.next(), entries.next()) else { continue };
        let newest = delegated.entry(entry.index).or_insert(job);
        if (newest.created_at, &newest.id) < (job.created_at, &job.id) {
            *newest = job;
        }
    }
    delegated
}

fn is_open(world: &Inputs<'_>, job: &Job) -> bool {
    !job.status.is_final() && timed_out(job, world.observation.at) != Some(TimeOut::Total)
}

fn names(job: &Job, entry: &Session) -> bool {
    job.session().is_some_and(|(mux, name)| mux == entry.key.mux && entry.key.names().any(|known| known == name))
}

/// The drift of an entry that does not name the job delegated to it.
pub(super) fn judge(world: &Inputs<'_>, entry: &Session, job: &Job) -> Option<Drift> {
    let recorded = entry.recorded.delegate_job_id.as_deref().filter(|id| !id.is_empty());
    if recorded == Some(job.id.as_str()) || entry.recorded.status == Some(Status::Archived) {
        return None;
    }
    let was = match recorded {
        Some(id) => {
            let known = world.jobs.iter().find(|job| job.id.as_str() == id)?;
            if is_open(world, known) && !names(known, entry) {
                return None;
            }
            format!(" (was {id}, {})", known.status)
        }
        None => String::new(),
    };
    let edits: Vec<_> = entry.entry.set(Field::DelegateJobId, entry.agent, json!(job.id)).into_iter().collect();
    let disposition = world.disposition(entry, Class::Delegated, Disposition::Record, contradict(&edits), None);
    let named = job.agent_session.as_deref().unwrap_or_default();
    Some(Drift {
        class: Class::Delegated,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: format!("job {} is delegated to it{was}", job.id),
        remedy: Remedy::Record { edits, how: Recording::Job },
        detail: job.id.to_string(),
        evidence: vec![Evidence::new("job registry", format!("job {} ({}) names {named}", job.id, job.status))],
        disposition,
    })
}
