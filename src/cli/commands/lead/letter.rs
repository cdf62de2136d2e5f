//! How a crew reaches its workers, and looks at several of them at once. What may be done is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{Lead, begin_any, failed};
use crate::cli::Context;
use crate::cli::args::JudgeArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::lead::{self, WorkerLook, WorkerReach, WorkerStanding};
use crate::control::observe::Observer;
use crate::core::ids::SessionKey;
use crate::core::lead::send::SendReceipt;
use crate::core::text::printable;

/// How the worker that a REF means is reached. `is_found`: whether its manifest acts only as it was allowed, where that is known already.
pub(in crate::cli::commands) fn reach(
    reference: &str,
    is_found: Option<bool>,
    context: &Context,
) -> Result<WorkerReach, CliError> {
    let (lead, key) = begin_any(reference, &JudgeArgs::default(), context)?;
    let Lead { mut request, manifest, undeclared, .. } = lead;
    request.is_found = is_found.unwrap_or(request.is_found);
    let gone = || CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&key.name)));
    let entry = manifest.find(&key).ok_or_else(gone)?;
    Ok(WorkerReach { undeclared, ..WorkerReach::of(&request, entry) })
}

/// Looks at workers: once for all that one manifest declares. Gives also what is wrong with the others.
pub(in crate::cli::commands) fn look(
    world: &Observer,
    workers: &BTreeSet<String>,
    is_found: Option<bool>,
    context: &Context,
) -> (BTreeMap<String, WorkerLook>, Vec<String>) {
    let mut missed = Vec::new();
    let mut groups: BTreeMap<PathBuf, BTreeMap<String, WorkerReach>> = BTreeMap::new();
    for worker in workers {
        match reach(worker, is_found, context) {
            Ok(reach) => {
                let group = groups.entry(reach.request.pass.manifest.clone()).or_default();
                group.insert(worker.clone(), reach);
            }
            Err(error) => missed.push(error.message()),
        }
    }
    let mut looks = BTreeMap::new();
    for group in groups.into_values() {
        let keys: BTreeSet<SessionKey> = group.values().map(|reach| reach.session.clone()).collect();
        let standings = group.values().next().map(|first| lead::worker_standings(world, &first.request, &keys));
        match standings {
            Some(Ok(standings)) => {
                for (worker, reach) in group {
                    let unknown = || WorkerStanding::Unknown("nothing is known of it".to_owned());
                    let standing = standings.get(&reach.session).cloned().unwrap_or_else(unknown);
                    looks.insert(worker, WorkerLook { reach, standing });
                }
            }
            Some(Err(error)) => missed.push(failed(error, context).message()),
            None => {}
        }
    }
    (looks, missed)
}

/// How one worker stands.
pub(in crate::cli::commands) fn standing(
    world: &Observer,
    reach: &WorkerReach,
    context: &Context,
) -> Result<WorkerStanding, CliError> {
    let keys = BTreeSet::from([reach.session.clone()]);
    let standings = lead::worker_standings(world, &reach.request, &keys).map_err(|error| failed(error, context))?;
    let unknown = || WorkerStanding::Unknown("nothing is known of it".to_owned());
    Ok(standings.into_values().next().unwrap_or_else(unknown))
}

/// Sends a text to a worker.
pub(in crate::cli::commands) fn send(
    world: &Observer,
    reach: &WorkerReach,
    (text, key): (String, String),
    context: &Context,
) -> Result<SendReceipt, CliError> {
    reach.send(world, text, key).map_err(|error| failed(error, context))
}
