//! What a pass leaves for the next one to know. Pure: a new memory from the old one and a verdict.

use std::collections::BTreeSet;

use super::{Verdict, World};
use crate::core::fact::Fact;
use crate::core::memory::Memory;
use crate::core::report::Report;

/// The memory after a pass. `report` was given to `consumer`, if to anyone who is told each drift once.
///
/// While something is unknown no drift is forgotten: it may only be out of sight.
pub fn remember(world: &World<'_>, verdict: &Verdict<'_>, report: &Report, consumer: Option<&str>) -> Memory {
    let mut memory = world.memory.clone();
    let now = world.observation.at;
    for (entry, verdict) in world.manifest.sessions.iter().zip(&verdict.entries).filter(|(_, verdict)| verdict.judged) {
        let session = memory.session_mut(&entry.key);
        session.note_recorded_id(entry.recorded.session_id.as_ref(), now);
        if matches!(verdict.transcript, Some(Fact::Seen(_))) {
            session.transcript_seen = true;
        }
        let boot = world.observation.boot.seen().map(|boot| &boot.id);
        if verdict.standing.has_agent() && session.boot_id.as_ref() != boot {
            session.boot_id = boot.cloned();
            session.last_alive = Some(now);
        }
    }
    if verdict.unknown.is_empty() {
        let declared: BTreeSet<String> =
            world.manifest.sessions.iter().map(|entry| crate::core::memory::session_key(&entry.key)).collect();
        memory.sessions.retain(|key, _| declared.contains(key));
    }
    remember_drifts(&mut memory, world, verdict, report, consumer);
    memory
}

fn remember_drifts(memory: &mut Memory, world: &World<'_>, verdict: &Verdict<'_>, report: &Report, consumer: Option<&str>) {
    let standing: BTreeSet<String> = verdict.drifts.iter().map(super::Drift::fingerprint).collect();
    for fingerprint in &standing {
        memory.first_seen.entry(fingerprint.clone()).or_insert(world.observation.at);
    }
    if let Some(consumer) = consumer {
        let told = memory.reported.entry(consumer.to_owned()).or_default();
        told.extend(report.drifts.iter().map(|drift| drift.id.clone()));
    }
    if verdict.unknown.is_empty() {
        memory.first_seen.retain(|fingerprint, _| standing.contains(fingerprint));
        for told in memory.reported.values_mut() {
            told.retain(|fingerprint| standing.contains(fingerprint));
        }
    }
}
