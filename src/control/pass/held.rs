//! What a consumer is not told yet because there was too much of it, so that nobody takes it for told. Never tells anybody anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::{PassError, PassOptions, state_file};
use crate::control::observe::Observer;
use crate::core::events::EventBudget;
use crate::core::ids::SessionKey;
use crate::core::report::DriftReport;
use crate::store::manifest::ManifestFile;

/// How much a consumer is told of each session now. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MuteBudget(Arc<Mutex<EventBudget>>);

impl MuteBudget {
    /// From now on it is so much.
    pub fn set(&self, room: EventBudget) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }

    /// Those of these drifts that the consumer was told or will be told at once. Where not all that is new of a session will be, none
    /// of it is meant: what is told twice is better than what is never told.
    pub(super) fn told<'a>(&self, drifts: Vec<&'a DriftReport>) -> Vec<&'a DriftReport> {
        let room = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news: BTreeMap<&SessionKey, usize> = BTreeMap::new();
        for drift in drifts.iter().filter(|drift| drift.new) {
            *news.entry(&drift.session).or_default() += 1;
        }
        let fits =
            |drift: &&DriftReport| !drift.new || news.get(&drift.session).is_none_or(|count| room.has(&drift.session, *count));
        drifts.into_iter().filter(fits).collect()
    }
}

/// Notes that the consumer was told of these drifts after all, as far as they still stand.
///
/// # Errors
/// The manifest cannot be locked, or the state not be written, on one line.
pub fn note_told(world: &Observer, options: &PassOptions, told: BTreeSet<String>) -> Result<(), String> {
    let Some(consumer) = &options.consumer else { return Ok(()) };
    let file = ManifestFile::open(&options.manifest).map_err(|error| PassError::line(&error))?;
    let locked = file.lock(&options.update).map_err(|error| PassError::line(&error))?;
    let state = state_file(world, &options.state_home.of_manifest(locked.path()));
    let mut memory = state.load().memory;
    let standing = told.into_iter().filter(|fingerprint| memory.first_seen.contains_key(fingerprint));
    memory.reported.entry(consumer.clone()).or_default().extend(standing);
    state.save(&memory, &locked).map_err(|error| PassError::line(&error))
}
