//! Class G: the pane is another than the recorded one, or the session was renamed.

use serde_json::{Map, Value, json};

use super::locate::{Live, Undeclared, agents_of, is_recorded_pane};
use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Identity, Remedy, World};
use crate::core::fact::Fact;
use crate::core::manifest::Session;
use crate::core::manifest::names::Field;

/// The drift of an entry whose agent is in another pane than the recorded one, or whose pane is not recorded.
pub(super) fn judge(world: &World<'_>, entry: &Session, live: Live<'_>) -> Option<Drift> {
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
        remedy: Some(Remedy::RecordPane),
        detail: now.clone(),
        evidence: vec![
            Evidence::new(entry.key.mux.as_str(), format!("pane {now} in session {}", live.session.id)),
            Evidence::new("process", format!("{} is pid {}", entry.agent, live.agent.process.pid)),
        ],
        edits,
        disposition,
    })
}

/// What is recorded of a pane: the four fields headcount keeps, over whatever else stands there.
fn pane_value(entry: &Session, live: Live<'_>) -> Value {
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
pub(super) fn recorded_fields(live: Live<'_>) -> [(&'static str, Value); 4] {
    let cwd = match &live.agent.cwd {
        Fact::Seen(cwd) => cwd.to_str().map_or(Value::Null, |text| json!(text)),
        Fact::Absent | Fact::Unknown(_) => Value::Null,
    };
    [("id", json!(live.pane.id)), ("pid", json!(live.pane.pid)), ("cmd", json!(live.agent.kind.as_str())), ("cwd", cwd)]
}

/// The session an absent entry was renamed to: the only undeclared one that holds the recorded pane, id and pid, else the only
/// one whose agent is proven to be in the recorded conversation.
pub(super) fn renamed_to<'w, 'a>(entry: &Session, undeclared: &'w [Undeclared<'a>]) -> Option<(&'w Undeclared<'a>, Evidence)> {
    let same_mux = || undeclared.iter().filter(|other| other.key.mux == entry.key.mux);
    let holds_pane = |other: &&Undeclared<'_>| {
        other.key.server == entry.key.server && other.session.panes.iter().any(|pane| is_recorded_pane(entry, pane))
    };
    let proves_id = |other: &&Undeclared<'_>| {
        agents_of(other.session).any(|live| {
            live.agent.kind == entry.agent
                && matches!(super::identity::proof_of(live.agent), Identity::Proven { id, .. } if Some(&id) == entry.recorded.session_id.as_ref())
        })
    };
    if let Some(other) = only(same_mux().filter(holds_pane)) {
        return Some((other, Evidence::new(entry.key.mux.as_str(), "it holds the recorded pane, id and pid")));
    }
    let other = only(same_mux().filter(proves_id))?;
    Some((other, Evidence::new("conversation", "its agent is in the recorded conversation")))
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// The drift of an entry whose session goes by another name now: shown with the name, never written.
pub(super) fn judge_renamed(world: &World<'_>, entry: &Session, other: &Undeclared<'_>, evidence: Evidence) -> Drift {
    let place = if other.key.server == entry.key.server { String::new() } else { format!(" on server {}", other.key.server) };
    Drift {
        class: Class::Moved,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: format!("renamed to {:?}{place}; change its name in the manifest to follow", other.key.name),
        remedy: None,
        detail: format!("renamed {}", other.key),
        evidence: vec![
            Evidence::new(entry.key.mux.as_str(), format!("session {} is {:?}", other.session.id, other.key.name)),
            evidence,
        ],
        edits: Vec::new(),
        disposition: world.disposition(entry, Class::Moved, Disposition::Flag, true, None),
    }
}
