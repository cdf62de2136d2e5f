//! Class D: the transcript of a recorded id is gone. Only flagged: an id is never deleted.

use super::{Class, Disposition, Drift, Evidence, Inputs, Remedy};
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, SessionKey};
use crate::core::manifest::{Manifest, Session, Status, TopLevelIdentity};
use crate::core::observe::{Transcript, TranscriptKey};

/// The drift of an entry whose recorded conversation has no transcript. `vouched` tells whether a live process proves
/// the id: then the transcript may simply not have been written yet, unless it was there before.
pub(super) fn judge(world: &Inputs<'_>, entry: &Session, transcript: &Fact<Transcript>, vouched: bool) -> Option<Drift> {
    let id = entry.recorded.session_id.as_ref()?;
    if !transcript.is_absent() || entry.recorded.status == Some(Status::Archived) || entry.recorded.id_is_lent {
        return None;
    }
    let memory = world.remembered(entry);
    let seen_before = memory.is_some_and(|memory| memory.transcript_seen && memory.recorded_id.as_ref() == Some(id));
    if vouched && !seen_before {
        return None;
    }
    let mut drift = stale(entry.key.clone(), entry.agent, id);
    if seen_before {
        drift.matter = format!("transcript of conversation {id} is gone");
        drift.evidence.push(Evidence::new("memory", "it was there on an earlier pass"));
    }
    drift.disposition = world.disposition(entry, Class::StaleId, Disposition::Flag, true, None);
    Some(drift)
}

/// The drift of a top-level identity whose conversation has no transcript. It is shown once, under its own path.
pub(super) fn judge_identity(world: &Inputs<'_>, identity: &TopLevelIdentity, vouched: bool) -> Option<Drift> {
    let home = world.observation.own_homes.get(&identity.agent)?.seen()?;
    let key = TranscriptKey { kind: identity.agent, home: home.clone(), id: identity.id.clone() };
    if vouched || !world.observation.transcripts.get(&key)?.is_absent() {
        return None;
    }
    let session = SessionKey {
        name: identity.path.to_string(),
        mux: crate::core::ids::MuxKind::default(),
        server: crate::core::ids::ServerKey::DEFAULT.to_owned(),
        host: world.observation.host.clone(),
    };
    Some(stale(session, identity.agent, &identity.id))
}

fn stale(session: SessionKey, agent: crate::core::ids::AgentKind, id: &ConversationId) -> Drift {
    Drift {
        class: Class::StaleId,
        session,
        agent,
        // Whether it ever was there is not known: an agent that was never prompted may not have written one.
        matter: format!("transcript of conversation {id} is nowhere on disk"),
        remedy: Remedy::Flag,
        detail: id.as_str().to_owned(),
        evidence: vec![Evidence::new("transcript", format!("none with id {id} in any project directory of {agent}"))],
        disposition: Disposition::Flag,
    }
}

/// Whether any entry of the manifest reads its id from this identity and is vouched for.
pub(super) fn is_proven_live(manifest: &Manifest, identity: &TopLevelIdentity, vouched: impl Fn(&Session) -> bool) -> bool {
    manifest.sessions.iter().any(|entry| {
        entry.agent == identity.agent && entry.recorded.session_id.as_ref() == Some(&identity.id) && vouched(entry)
    })
}
