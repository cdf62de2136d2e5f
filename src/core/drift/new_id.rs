//! Class C: the live conversation is another than the recorded one, or none is recorded.

use serde_json::json;

use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Remedy, World};
use crate::core::ids::ConversationId;
use crate::core::manifest::Session;
use crate::core::manifest::names::Field;
use crate::core::observe::Agent;
use crate::core::observe::identity::Rung;

/// The drift of an entry whose live agent is proven to be in conversation `id`. `formerly` names an ended entry that keeps a
/// copy of the id as history.
pub(super) fn judge(
    world: &World<'_>,
    entry: &Session,
    agent: &Agent,
    id: &ConversationId,
    rung: Rung,
    formerly: Option<&str>,
) -> Drift {
    let was = match &entry.recorded.session_id {
        Some(old) => format!(", was {old}"),
        None => String::new(),
    };
    let formerly = formerly.map(as_history).unwrap_or_default();
    let edits: Vec<_> = entry.entry.set(Field::SessionId, entry.agent, json!(id.as_str())).into_iter().collect();
    let disposition = world.disposition(entry, Class::NewId, Disposition::Record, contradict(&edits), None);
    Drift {
        class: Class::NewId,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: format!("conversation is {id}{was} ({}){formerly}", rung.as_str()),
        remedy: Some(Remedy::RecordId),
        detail: id.as_str().to_owned(),
        evidence: evidence(agent, rung, id),
        edits,
        disposition,
    }
}

/// Says that an ended entry keeps a copy of the id.
pub(super) fn as_history(name: &str) -> String {
    format!("; {name}, which has ended, keeps its conversation as history")
}

/// What a proven id rests on.
pub(super) fn evidence(agent: &Agent, rung: Rung, id: &ConversationId) -> Vec<Evidence> {
    let looked_at = agent.ladder.readings.iter().find(|reading| reading.rung == rung).map(|reading| reading.looked_at.as_str());
    let process = agent.process;
    vec![
        Evidence::new(rung.as_str(), format!("{}: {id}", looked_at.unwrap_or_default())),
        Evidence::new("process", format!("pid {}, started {}", process.pid, crate::core::text::stamp(process.started))),
    ]
}
