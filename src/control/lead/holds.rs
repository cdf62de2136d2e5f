//! Which sessions somebody has taken in hand. What a hold is, is decided elsewhere; only when it may end is looked at here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::effects;
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::drift::Presence;
use crate::core::ids::SessionKey;
use crate::core::lead::{ActedOn, HoldReport};
use crate::store::operations::LedgerFile;
use crate::store::paths::StateHome;

/// The hold of a session, if it is in force.
pub(super) fn of(
    world: &Observer,
    acted: Option<&ActedOn>,
    key: &SessionKey,
    presence: Option<&Presence>,
) -> Option<HoldReport> {
    let hold = acted?.hold.as_ref()?;
    let session = presence.filter(|_| hold.until.is_none()).and_then(session_of);
    let used = session.and_then(|session| effects::used_at(world, key, session));
    hold.report(used.and_then(|at| DateTime::<Utc>::from_timestamp(at, 0)), world.host.now())
}

/// The multiplexer's id of the session that was seen.
fn session_of(presence: &Presence) -> Option<&str> {
    match presence {
        Presence::Alive(live) => Some(&live.session.id),
        Presence::Several { session, .. } | Presence::NoAgent { session, .. } => Some(&session.id),
        Presence::Unknown(_) | Presence::Absent { .. } => None,
    }
}

/// The holds that are in force, of the sessions of a manifest. None if the ledger cannot be read: a pass says so.
pub fn holds(world: &Observer, state: &StateHome, pass: &Pass) -> BTreeMap<SessionKey, HoldReport> {
    let Ok(ledger) = LedgerFile::new(state).read() else { return BTreeMap::new() };
    let sessions = pass.manifest().sessions.iter().map(|session| (session, pass.verdict().entries.get(session.index)));
    let held = sessions.filter_map(|(session, verdict)| {
        let presence = verdict.map(|verdict| &verdict.presence);
        Some((session.key.clone(), of(world, ledger.of(&session.key), &session.key, presence)?))
    });
    held.collect()
}
