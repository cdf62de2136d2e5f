//! Class H: more than one answer. Shown with the candidates; nothing is recorded.

use super::locate::LiveAgentRef;
use super::{Candidate, Class, Disposition, Drift, Evidence, Inputs, Remedy};
use crate::core::ids::ConversationId;
use crate::core::manifest::Session;

/// The drift of an entry whose agent may be in one of several conversations.
pub(super) fn judge_conversation(world: &Inputs<'_>, entry: &Session, candidates: &[Candidate]) -> Drift {
    let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.id.as_str()).collect();
    let evidence = candidates
        .iter()
        .map(|candidate| Evidence::new("candidate", format!("{}: {}", candidate.id, candidate.why_not)))
        .collect();
    let matter = match candidates {
        [one] => format!("conversation {} is uncertain: {}", one.id, one.why_not),
        _ => format!("cannot tell which conversation is its own: {}", ids.join(", ")),
    };
    flag(world, entry, matter, ids.join(" "), evidence)
}

/// The drift of an entry whose agent is in its conversation while another live entry records the same one.
pub(super) fn judge_shared(world: &Inputs<'_>, entry: &Session, id: &ConversationId, other: &Session) -> Drift {
    let other = &other.key;
    let matter = format!("its agent is in conversation {id}, but {} is alive and records it too; remove it there", other.name);
    let evidence = vec![Evidence::new("manifest", format!("{other} records {id}"))];
    flag(world, entry, matter, format!("{id} {other}"), evidence)
}

/// The drift of an entry several of whose processes could be its agent.
pub(super) fn judge_agents(world: &Inputs<'_>, entry: &Session, candidates: &[LiveAgentRef<'_>]) -> Drift {
    let places: Vec<String> =
        candidates.iter().map(|live| format!("{} pid {}", live.pane.id, live.agent.process.pid)).collect();
    let evidence = places.iter().map(|place| Evidence::new("process", format!("{} in {place}", entry.agent))).collect();
    let matter = format!("{} {} processes could be its agent: {}", candidates.len(), entry.agent, places.join(", "));
    flag(world, entry, matter, places.join(" "), evidence)
}

fn flag(world: &Inputs<'_>, entry: &Session, matter: String, detail: String, evidence: Vec<Evidence>) -> Drift {
    Drift {
        class: Class::Ambiguous,
        session: entry.key.clone(),
        agent: entry.agent,
        matter,
        remedy: Remedy::Flag,
        detail,
        evidence,
        disposition: world.disposition(entry, Class::Ambiguous, Disposition::Flag, false, None),
    }
}
