//! Which transcripts are looked for, and where: recorded and live ids, in the homes they may be in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::agent::{Agents, TranscriptIndex};
use crate::control::cache::LastLook;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, ServerKey};
use crate::core::manifest::{Manifest, Session};
use crate::core::memory::Memory;
use crate::core::observe::identity::RungValue;
use crate::core::observe::{Agent, MuxSession, Observation, Pane, Transcript, TranscriptKey};
use crate::host::parallel::spread;

/// What is looked for: whose, in which home, which conversation; and the workspaces it is probably in. Everything is borrowed,
/// because most of it is asked for several times.
#[derive(Default)]
struct Requests<'a>(HashMap<(AgentKind, &'a OsStr, &'a str), Vec<&'a Path>>);

impl<'a> Requests<'a> {
    fn add(&mut self, kind: AgentKind, home: Option<&'a PathBuf>, id: &'a ConversationId, cwd: Option<&'a Path>) {
        let Some(home) = home else { return };
        let hints = self.0.entry((kind, home.as_os_str(), id.as_str())).or_default();
        hints.extend(cwd.filter(|cwd| !hints.iter().any(|hint| hint.as_os_str() == cwd.as_os_str())));
    }
}

/// The transcripts of every id the manifest records or a live agent proves. What was there before and is nobody's in question
/// is not looked for again.
pub(super) fn find(
    agents: &Agents,
    shelf: &TranscriptIndex,
    manifest: &Manifest,
    (local, memory): (&[&Session], &Memory),
    seen: &Observation,
    past: Option<&LastLook>,
) -> BTreeMap<TranscriptKey, Fact<Transcript>> {
    let mut requests = Requests::default();
    let live: Vec<(&ServerKey, &Arc<MuxSession>, &Arc<Agent>)> = live_agents(seen).collect();
    for (_, _, agent) in &live {
        let cwd = agent.cwd.seen().map(PathBuf::as_path);
        for id in ids(agent) {
            requests.add(agent.kind, agent.home.seen(), id, cwd);
        }
    }
    let mut by_session: HashMap<(&ServerKey, &str), Vec<&Agent>> = HashMap::new();
    for (server, session, agent) in &live {
        by_session.entry((server, &session.name)).or_default().push(agent);
    }
    for session in local.iter().filter(|session| !session.suspend) {
        let Some(id) = &session.recorded.session_id else { continue };
        let cwd = session.cwd.as_deref();
        for home in memory.homes_at_rest(session, seen) {
            requests.add(session.agent, Some(home), id, cwd);
        }
        let server = session.key.server_key();
        let names: Vec<_> = session.key.names().collect();
        let living = names.iter().find_map(|name| by_session.get(&(&server, name.as_ref()))).into_iter().flatten();
        for agent in living.filter(|agent| agent.kind == session.agent) {
            let theirs = agent.cwd.seen().map(PathBuf::as_path);
            requests.add(session.agent, agent.home.seen(), id, theirs.or(cwd));
        }
    }
    for identity in &manifest.identities {
        let cwd = Some(identity.project_cwd.as_path());
        let homes =
            live.iter().filter(|(_, _, agent)| agent.kind == identity.agent && agent.cwd.seen().map(PathBuf::as_path) == cwd);
        for home in
            homes.map(|(_, _, agent)| agent.home.seen()).chain([seen.own_homes.get(&identity.agent).and_then(Fact::seen)])
        {
            requests.add(identity.agent, home, &identity.id, cwd);
        }
    }
    let in_question = past.map(|past| in_question(past, local, &live, &seen.host)).unwrap_or_default();
    let readable = |kind: AgentKind| agents.of(kind).filter(|adapter| adapter.has_readable_transcripts());
    let requests = requests.0.into_iter().filter_map(|(of, cwds)| Some((readable(of.0)?, of, cwds)));
    let (mut found, mut unknown) = (BTreeMap::new(), Vec::new());
    for (adapter, (kind, home, id), cwds) in requests {
        let key = TranscriptKey { kind, home: PathBuf::from(home), id: ConversationId(id.to_owned()) };
        match past.filter(|_| !in_question.contains(id)).and_then(|past| past.transcript(&key)) {
            Some(transcript) => drop(found.insert(key, Fact::Seen(transcript.clone()))),
            None => unknown.push((adapter, key, cwds)),
        }
    }
    let looked_for = spread(&unknown, |(adapter, key, cwds)| adapter.transcript(shelf, &key.home, &key.id, cwds));
    found.extend(unknown.into_iter().map(|(_, key, _)| key).zip(looked_for));
    found
}

/// The ids that the sessions in question record or are in.
fn in_question<'a>(
    past: &LastLook,
    local: &[&'a Session],
    live: &[(&'a ServerKey, &'a Arc<MuxSession>, &'a Arc<Agent>)],
    host: &str,
) -> HashSet<&'a str> {
    let recorded = local.iter().filter(|session| past.is_in_scope(&session.key));
    let recorded = recorded.filter_map(|session| session.recorded.session_id.as_ref());
    let is_asked = |server: &ServerKey, session: &MuxSession| past.is_in_scope(&server.session_key(&session.name, host));
    let asked = live.iter().filter(|(server, session, _)| is_asked(server, session));
    recorded.chain(asked.flat_map(|(_, _, agent)| ids(agent))).map(ConversationId::as_str).collect()
}

/// Every agent that was seen, with its session and server.
pub(super) fn live_agents(seen: &Observation) -> impl Iterator<Item = (&ServerKey, &Arc<MuxSession>, &Arc<Agent>)> {
    live_panes(seen).map(|(key, session, _, agent)| (key, session, agent))
}

/// The same, each with its pane.
pub(super) fn live_panes(seen: &Observation) -> impl Iterator<Item = (&ServerKey, &Arc<MuxSession>, &Arc<Pane>, &Arc<Agent>)> {
    let servers = seen.servers.iter().filter_map(|(key, server)| Some((key, server.seen()?)));
    let sessions = servers.flat_map(|(key, server)| server.sessions.iter().map(move |session| (key, session)));
    let panes = sessions.flat_map(|(key, session)| session.panes.iter().map(move |pane| (key, session, pane)));
    panes
        .flat_map(|(key, session, pane)| pane.agents.seen().into_iter().flatten().map(move |agent| (key, session, pane, agent)))
}

/// The ids a live agent's ladder names.
pub(super) fn ids(agent: &Agent) -> impl Iterator<Item = &ConversationId> {
    agent.ladder.readings.iter().filter_map(|reading| reading.fact.seen()).flat_map(|found| match found {
        RungValue::Id(id) | RungValue::Mapped { id, .. } => vec![id],
        RungValue::Appeared(appearances) => appearances.iter().map(|appearance| &appearance.id).collect(),
    })
}
