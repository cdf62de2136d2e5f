//! Class G: the pane is another than the recorded one, or the session was renamed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::locate::{LiveAgentRef, PresenceRef, Undeclared, agents_of, is_recorded_pane};
use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Identity, Inputs, Recording, Remedy};
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::manifest::names::Field;
use crate::core::manifest::{Session, Status};

/// The drift of an entry whose agent is in another pane than the recorded one, or whose pane is not recorded.
pub(super) fn judge(world: &Inputs<'_>, entry: &Session, live: LiveAgentRef<'_>) -> Option<Drift> {
    if is_recorded_pane(entry, live.pane) {
        return None;
    }
    let now = live.pane.pid.map_or_else(|| live.pane.id.clone(), |pid| format!("{} pid {pid}", live.pane.id));
    let matter = match &entry.recorded.pane {
        None => format!("in pane {now}"),
        Some(pane) => {
            let id = pane.id.as_deref().unwrap_or("?");
            let pid = pane.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
            format!("moved to pane {now} (was {id}{pid})")
        }
    };
    let edits: Vec<_> = entry.entry.set(Field::Pane, entry.agent, pane_value(entry, live)).into_iter().collect();
    let disposition = world.disposition(entry, Class::Moved, Disposition::Record, contradict(&edits), None);
    Some(Drift {
        class: Class::Moved,
        session: entry.key.clone(),
        agent: entry.agent,
        matter,
        remedy: Remedy::Record { edits, how: Recording::Pane },
        detail: now.clone(),
        evidence: vec![
            Evidence::new(entry.key.mux.as_str(), format!("pane {now} in session {}", live.session.id)),
            Evidence::new("process", format!("{} is pid {}", entry.agent, live.agent.process.pid)),
        ],
        disposition,
    })
}

/// What is recorded of a pane: the four fields headcount keeps, over whatever else stands there.
fn pane_value(entry: &Session, live: LiveAgentRef<'_>) -> Value {
    let mut fields = match entry.entry.own.get(Field::Pane.name()) {
        Some(Value::Object(fields)) => fields.clone(),
        _ => Map::new(),
    };
    for (key, value) in recorded_fields(live) {
        if !value.is_null() || !fields.contains_key(key) {
            fields.insert(key.to_owned(), value);
        }
    }
    Value::Object(fields)
}

/// The fields of a recorded pane, in the order they are written.
pub(super) fn recorded_fields(live: LiveAgentRef<'_>) -> [(&'static str, Value); 4] {
    let cwd = match &live.agent.cwd {
        Fact::Seen(cwd) => cwd.to_str().map_or(Value::Null, |text| json!(text)),
        Fact::Absent | Fact::Unknown(_) => Value::Null,
    };
    [("id", json!(live.pane.id)), ("pid", json!(live.pane.pid)), ("cmd", json!(live.agent.kind.as_str())), ("cwd", cwd)]
}

/// Where the session of an absent entry went: the undeclared sessions that hold its recorded pane, or the one whose agent is
/// proven to be in its conversation.
#[derive(Debug, Clone)]
pub(super) struct Rename<'w, 'a> {
    /// The sessions it may be, never none: one that is this entry's alone, or several (grouped sessions show one pane) of which
    /// nobody can say which one is meant.
    pub(super) to: Vec<&'w Undeclared<'a>>,
    /// Whether the only session may be proposed as the new name.
    proposed: bool,
    evidence: Evidence,
}

impl<'a> Rename<'_, 'a> {
    /// The agents in those sessions.
    pub(super) fn agents(&self) -> impl Iterator<Item = LiveAgentRef<'a>> {
        self.to.iter().flat_map(|other| agents_of(other.session))
    }

    /// The names, for people.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.to.iter().map(|other| other.key.name.as_str()).collect();
        names.join(" or ")
    }
}

/// The renamed entries, by index. Only entries that should be there are followed: one that has ended keeps its record as history,
/// and a conversation resumed elsewhere is a new session. A session is the new name of one entry at most; a pane counts before
/// a conversation.
pub(super) fn renames<'w, 'a>(
    world: &Inputs<'_>,
    standings: &[PresenceRef<'_>],
    undeclared: &'w [Undeclared<'a>],
) -> BTreeMap<usize, Rename<'w, 'a>> {
    let mut renames = BTreeMap::new();
    if undeclared.is_empty() {
        return renames;
    }
    let absent = || {
        let entries = world.manifest.sessions.iter().zip(standings);
        entries.filter(|(entry, standing)| world.is_judged(entry) && matches!(standing, PresenceRef::Absent { .. }))
    };
    let mut taken: BTreeSet<&SessionKey> = BTreeSet::new();
    for (entry, _) in absent().filter(|(entry, _)| matches!(entry.recorded.status, None | Some(Status::Running))) {
        let to: Vec<&Undeclared<'_>> = undeclared.iter().filter(|other| holds_pane(entry, other)).collect();
        let Some(first) = to.first() else { continue };
        let proposed = to.len() == 1 && !taken.contains(&first.key);
        taken.extend(to.iter().map(|other| &other.key));
        let held = if to.len() == 1 { "it holds" } else { "they hold" };
        let evidence = Evidence::new(entry.key.mux.as_str(), format!("{held} the recorded pane, id and pid"));
        renames.insert(entry.index, Rename { to, proposed, evidence });
    }
    for (entry, _) in absent().filter(|(entry, _)| entry.recorded.status == Some(Status::Running)) {
        if renames.contains_key(&entry.index) {
            continue;
        }
        let Some(other) = only(undeclared.iter().filter(|other| proves_id(entry, other))) else { continue };
        if taken.insert(&other.key) {
            let evidence = Evidence::new("conversation", "its agent is in the recorded conversation");
            renames.insert(entry.index, Rename { to: vec![other], proposed: true, evidence });
        }
    }
    renames
}

fn holds_pane(entry: &Session, other: &Undeclared<'_>) -> bool {
    is_beside(entry, other) && other.session.panes.iter().any(|pane| is_recorded_pane(entry, pane))
}

fn proves_id(entry: &Session, other: &Undeclared<'_>) -> bool {
    let recorded = entry.recorded.session_id.as_ref();
    let is_in_it = |live: LiveAgentRef<'_>| matches!(super::identity::proof_of(live.agent), Identity::Proven { id, .. } if Some(&id) == recorded);
    is_beside(entry, other) && agents_of(other.session).any(|live| live.agent.kind == entry.agent && is_in_it(live))
}

/// Whether another session is on the server of an entry: no session changes its server, so elsewhere its conversation was resumed.
fn is_beside(entry: &Session, other: &Undeclared<'_>) -> bool {
    other.key.server_key() == entry.key.server_key()
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// The drift of an entry whose session goes by another name now: shown with the name, never written.
pub(super) fn judge_renamed(world: &Inputs<'_>, entry: &Session, rename: &Rename<'_, '_>) -> Drift {
    let places: Vec<String> = rename.to.iter().map(|other| format!("{:?}", other.key.name)).collect();
    let matter = match (places.as_slice(), rename.proposed) {
        ([place], true) => format!("renamed to {place}; `headcount rename` gives its entry that name"),
        _ => format!("gone, but its pane is now in {}; headcount cannot tell which is its own", places.join(" and ")),
    };
    let keys: Vec<String> = rename.to.iter().map(|other| other.key.to_string()).collect();
    let seen = rename
        .to
        .iter()
        .map(|other| Evidence::new(entry.key.mux.as_str(), format!("session {} is {:?}", other.session.id, other.key.name)));
    Drift {
        class: Class::Moved,
        session: entry.key.clone(),
        agent: entry.agent,
        matter,
        remedy: Remedy::Flag,
        detail: format!("renamed {}", keys.join(" ")),
        evidence: seen.chain([rename.evidence.clone()]).collect(),
        disposition: world.disposition(entry, Class::Moved, Disposition::Flag, true, None),
    }
}
