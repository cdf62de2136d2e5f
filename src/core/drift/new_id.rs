//! Class C: the live conversation is another than the recorded one, or none is recorded.

use serde_json::json;

use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Inputs, Recording, Remedy};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::manifest::Session;
use crate::core::manifest::names::Field;
use crate::core::observe::identity::Rung;
use crate::core::observe::{Agent, TranscriptKey};

/// Why an id is not recorded over another.
const KEPT: &str = "; it has no message yet, so the recorded one is kept";

/// The drift of an entry whose live agent is proven to be in conversation `id`. `formerly` names an ended entry that keeps a
/// copy of the id as history.
pub(super) fn judge(
    world: &Inputs<'_>,
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
    let wish = if is_unspoken(world, entry, agent, id, rung) { Disposition::Flag } else { Disposition::Record };
    let kept = if wish == Disposition::Flag { KEPT } else { "" };
    let disposition = world.disposition(entry, Class::NewId, wish, contradict(&edits), None);
    Drift {
        class: Class::NewId,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: format!("conversation is {id}{was} ({}){formerly}{kept}", rung.as_str()),
        remedy: if wish == Disposition::Flag { Remedy::Flag } else { Remedy::Record { edits, how: Recording::Id } },
        detail: id.as_str().to_owned(),
        evidence: evidence(agent, rung, id),
        disposition,
    }
}

/// The drift of an entry without a live agent that proves what it is in, whose recorded conversation went on in `id`.
/// `is_spoken`: whether the heir has a transcript. Without one the recorded one is kept, which has.
pub(super) fn judge_continued(
    world: &Inputs<'_>,
    entry: &Session,
    old: &ConversationId,
    id: &ConversationId,
    is_spoken: bool,
) -> Drift {
    let edits: Vec<_> = entry.entry.set(Field::SessionId, entry.agent, json!(id.as_str())).into_iter().collect();
    let (wish, kept) = if is_spoken { (Disposition::Record, "") } else { (Disposition::Flag, KEPT) };
    let disposition = world.disposition(entry, Class::NewId, wish, contradict(&edits), None);
    Drift {
        class: Class::NewId,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: format!("conversation continued in {id} (was {old}){kept}"),
        remedy: if is_spoken { Remedy::Record { edits, how: Recording::Id } } else { Remedy::Flag },
        detail: id.as_str().to_owned(),
        evidence: vec![Evidence::new("transcript", format!("the transcript of {old} ends with continued-in {id}"))],
        disposition,
    }
}

/// Whether a registry names a conversation in which nothing was said yet, in place of one that has a transcript: a picker or a
/// dialog may be open, and nothing of the new one would be lost. Not if another agent proves to be in the recorded one.
fn is_unspoken(world: &Inputs<'_>, entry: &Session, agent: &Agent, id: &ConversationId, rung: Rung) -> bool {
    let Some((home, old)) = agent.home.seen().zip(entry.recorded.session_id.as_ref()) else { return false };
    let transcript = |id: &ConversationId| {
        let key = TranscriptKey { kind: entry.agent, home: home.clone(), id: id.clone() };
        world.observation.transcripts.get(&key)
    };
    let is_proven = |other: &Agent| {
        other.process != agent.process && other.ladder.proof().into_seen().is_some_and(|(proven, _)| proven == old)
    };
    rung == Rung::Registry
        && transcript(id).is_some_and(Fact::is_absent)
        && transcript(old).is_some_and(|transcript| transcript.seen().is_some())
        && !agents(world).any(is_proven)
}

/// Every agent that was seen.
fn agents<'a>(world: &Inputs<'a>) -> impl Iterator<Item = &'a Agent> {
    let servers = world.observation.servers.values().filter_map(Fact::seen);
    let panes = servers.flat_map(|server| &server.sessions).flat_map(|session| &session.panes);
    panes.filter_map(|pane| pane.agents.seen()).flatten().map(AsRef::as_ref)
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
