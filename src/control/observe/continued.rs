//! Where recorded conversations went on that nothing live proves: an agent may move one to the background and end. Reads the end
//! of their transcripts only; decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::transcripts::live_agents;
use crate::agent::{Agents, TranscriptIndex};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::manifest::{Session, Status};
use crate::core::memory::Memory;
use crate::core::observe::{Agent, Observation, Transcript, TranscriptKey};
use crate::host::parallel::spread;

/// Conversations by those that went on in them.
type Heirs = BTreeMap<TranscriptKey, Fact<ConversationId>>;

/// The heirs of the recorded conversations of entries without a live agent that proves what it is in, and their transcripts.
pub(super) fn find(
    agents: &Agents,
    shelf: &TranscriptIndex,
    (local, memory): (&[&Session], &Memory),
    seen: &Observation,
) -> (Heirs, BTreeMap<TranscriptKey, Fact<Transcript>>) {
    let mut live: HashMap<(&crate::core::ids::ServerKey, &str), Vec<&Agent>> = HashMap::new();
    for (server, session, agent) in live_agents(seen) {
        live.entry((server, session.name.as_str())).or_default().push(agent);
    }
    let mut requests: Vec<(TranscriptKey, Vec<&Path>)> = Vec::new();
    for session in local.iter().filter(|it| !it.suspend && it.recorded.status != Some(Status::Archived)) {
        let Some(id) = &session.recorded.session_id else { continue };
        let server = session.key.server_key();
        let names: Vec<_> = session.key.names().collect();
        let living = names.iter().find_map(|name| live.get(&(&server, name.as_ref())));
        let living: Vec<&Agent> = living.into_iter().flatten().copied().filter(|agent| agent.kind == session.agent).collect();
        let homes: Vec<&PathBuf> = match living.first() {
            None => memory.homes_at_rest(session, seen).collect(),
            Some(_) if living.iter().any(|agent| !agent.ladder.proof().is_absent()) => continue,
            Some(agent) => agent.home.seen().into_iter().collect(),
        };
        let keys = homes.into_iter().map(|home| TranscriptKey { kind: session.agent, home: home.clone(), id: id.clone() });
        // What has no transcript says nothing.
        for key in keys.filter(|key| seen.transcripts.get(key).is_some_and(|transcript| transcript.seen().is_some())) {
            let cwds = living.iter().filter_map(|agent| agent.cwd.seen()).map(PathBuf::as_path).chain(session.cwd.as_deref());
            requests.push((key, cwds.collect()));
        }
    }
    let found = spread(&requests, |(key, cwds)| {
        let adapter = agents.of(key.kind)?;
        let heir = adapter.continued_in(shelf, &key.home, &key.id, cwds);
        let transcript = heir.seen().map(|heir| {
            let of = TranscriptKey { id: heir.clone(), ..key.clone() };
            let transcript = adapter.transcript(shelf, &of.home, &of.id, cwds);
            (of, transcript)
        });
        (!heir.is_absent()).then(|| ((key.clone(), heir), transcript))
    });
    let (heirs, transcripts): (Heirs, Vec<_>) = found.into_iter().flatten().unzip();
    (heirs, transcripts.into_iter().flatten().collect())
}
