//! Reading what a session's agent wrote, or what its pane shows. Looks only; needs no manifest for a pane or the id of a conversation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effects;
use crate::agent::{Agents, TranscriptIndex, TurnQuery};
use crate::control::observe::{Observer, lookup};
use crate::control::pass::Pass;
use crate::core::agents::Declared;
use crate::core::drift::{LiveAgent, Presence};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::lead::Placed;
use crate::core::lead::send::{Composer, PaneAddress, PaneScreen, composer};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::{Pane, Server, Transcript};
use crate::mux::zellij;

/// What is read: a session, a pane, or a conversation.
#[derive(Debug, Clone)]
pub struct ReadSubject {
    /// The session, where there is one.
    pub session: Option<SessionKey>,
    /// Its agent.
    pub agent: Option<AgentKind>,
    /// The conversation, and its transcript if anything was said in it. `Unknown`: it cannot be told which it is.
    pub conversation: Fact<(ConversationId, Fact<Transcript>)>,
    /// The pane to look at, where something runs.
    pub pane: Option<(ServerKey, Placed)>,
    /// Whether an agent runs there.
    pub is_alive: bool,
    /// Why what runs may be something else: then the conversation is the recorded one.
    pub doubt: Option<String>,
}

/// Several things that one word means.
#[derive(Debug, Clone)]
pub struct SeveralMeant(pub Vec<String>);

/// The session of an entry.
pub fn of_entry(pass: &Pass, key: &SessionKey) -> Option<ReadSubject> {
    let (index, session) = pass.manifest().sessions.iter().enumerate().find(|(_, session)| session.key == *key)?;
    let entry = pass.verdict().entries.get(index)?;
    let agents = Agents::with(&pass.manifest().agents);
    let live = entry.presence.live();
    let kind = session.agent;
    let recorded = session.recorded.session_id.clone();
    let moved = entry.continued.as_ref().map(|continued| continued.id.clone());
    let id = match (&entry.presence, entry.lives_in.clone()) {
        (_, Some(id)) => Fact::Seen(id),
        (Presence::Alive(_) | Presence::Several { .. }, None) => Fact::Unknown(untold(&entry.about_id)),
        (Presence::Unknown(why), None) if recorded.is_none() => Fact::Unknown(why.clone()),
        (_, None) => moved.or(recorded).map_or(Fact::Absent, Fact::Seen),
    };
    let home = live.map(|live| live.agent.home.clone()).or_else(|| entry.home.clone().map(Fact::Seen));
    let home = home.unwrap_or_else(|| pass.observation().fallback_homes.get(index).cloned().unwrap_or(Fact::Absent));
    let mut cwds: Vec<&Path> = live.and_then(|live| live.agent.cwd.seen()).map(PathBuf::as_path).into_iter().collect();
    cwds.extend(session.cwd.as_deref());
    let conversation = id.map(|id| {
        let transcript = transcript(&agents, kind, &home, &id, &cwds);
        (id, transcript)
    });
    let server = session.key.server_key();
    let seen = pass.observation().servers.get(&server).and_then(Fact::seen);
    let pane = placed_in(seen, &entry.presence);
    Some(ReadSubject {
        session: Some(session.key.clone()),
        agent: Some(kind),
        conversation,
        pane: pane.map(|pane| (server, pane)),
        is_alive: entry.presence.has_agent(),
        doubt: match &entry.presence {
            Presence::Unknown(why) => Some(why.clone()),
            _ => None,
        },
    })
}

fn untold(about: &str) -> String {
    if about.is_empty() { "nothing tells which conversation it is in".to_owned() } else { about.to_owned() }
}

/// The pane of an id on a server. `Absent`: there is none.
///
/// # Errors
/// Several panes have this id.
pub fn of_pane(world: &Observer, declared: &Declared, key: &ServerKey, id: &str) -> Result<Fact<ReadSubject>, SeveralMeant> {
    let (server, shown) = match lookup::panes(world, declared, key, id) {
        Fact::Seen(found) => found,
        Fact::Absent => return Ok(Fact::Absent),
        Fact::Unknown(why) => return Ok(Fact::Unknown(why)),
    };
    let Some((session, pane)) = shown.first() else { return Ok(Fact::Absent) };
    if shown.iter().any(|(_, other)| other.pid != pane.pid) {
        return Err(SeveralMeant(shown.iter().map(|(session, _)| format!("{key}:{}", session.name)).collect()));
    }
    let agents = Agents::with(declared);
    let (agent, conversation) = match &pane.agents {
        Fact::Seen(all) => match all.as_slice() {
            [agent] => {
                let id = match agent.ladder.proof() {
                    Fact::Seen((id, _)) => Fact::Seen(id.clone()),
                    Fact::Absent => Fact::Unknown(untold("")),
                    Fact::Unknown(why) => Fact::Unknown(why),
                };
                let cwds: Vec<&Path> = agent.cwd.seen().map(PathBuf::as_path).into_iter().collect();
                let found = id.map(|id| {
                    let transcript = transcript(&agents, agent.kind, &agent.home, &id, &cwds);
                    (id, transcript)
                });
                (Some(agent.kind), found)
            }
            [] => (None, Fact::Absent),
            _ => (None, Fact::Unknown("several agents run in it".to_owned())),
        },
        Fact::Absent => (None, Fact::Absent),
        Fact::Unknown(why) => (None, Fact::Unknown(why.clone())),
    };
    let host = world.host.name().to_owned();
    let key_of = SessionKey { host, mux: key.mux, server: key.server.clone(), name: session.name.clone() };
    Ok(Fact::Seen(ReadSubject {
        session: Some(key_of),
        agent,
        conversation,
        is_alive: agent.is_some(),
        doubt: None,
        pane: placed(Some(&server), &session.id, id, pane.pid).map(|placed| (key.clone(), placed)),
    }))
}

/// The conversation of an id, in the homes that the agents have in this environment. `Absent`: no agent has one of this id.
///
/// # Errors
/// Several agents have.
pub fn of_conversation(world: &Observer, declared: &Declared, id: &str) -> Result<Fact<ReadSubject>, SeveralMeant> {
    let agents = Agents::with(declared);
    let id = ConversationId(id.to_owned());
    let (mut found, mut why_not) = (Vec::new(), None);
    for kind in declared.kinds() {
        let home = agents.of(kind).and_then(|agent| agent.home(&world.env)).map_or(Fact::Absent, Fact::Seen);
        match transcript(&agents, kind, &home, &id, &[]) {
            Fact::Seen(transcript) => found.push((kind, transcript)),
            Fact::Unknown(why) => why_not = why_not.or(Some(why)),
            Fact::Absent => {}
        }
    }
    match found.as_slice() {
        [] => Ok(why_not.map_or(Fact::Absent, Fact::Unknown)),
        [(kind, transcript)] => Ok(Fact::Seen(ReadSubject {
            session: None,
            agent: Some(*kind),
            conversation: Fact::Seen((id, Fact::Seen(transcript.clone()))),
            pane: None,
            is_alive: false,
            doubt: None,
        })),
        several => Err(SeveralMeant(several.iter().map(|(kind, it)| format!("{kind}, in {}", it.path.display())).collect())),
    }
}

fn transcript(agents: &Agents, kind: AgentKind, home: &Fact<PathBuf>, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
    let home = match home {
        Fact::Seen(home) => home,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    match agents.of(kind).filter(|agent| agent.has_readable_transcripts()) {
        Some(agent) => agent.transcript(&TranscriptIndex::new(), home, id, cwds),
        None => Fact::Unknown(format!("headcount does not read the transcripts of {kind}")),
    }
}

/// The one pane to look at: that of its agent, or the only one of a session without.
fn placed_in(server: Option<&Server>, presence: &Presence) -> Option<Placed> {
    match presence {
        Presence::Alive(live) => placed_of(server, live),
        Presence::NoAgent { session, .. } => match session.panes.as_slice() {
            [pane] => placed(server, &session.id, &pane.id, pane.pid),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn placed_of(server: Option<&Server>, live: &LiveAgent) -> Option<Placed> {
    placed(server, &live.session.id, &live.pane.id, live.pane.pid)
}

fn placed(server: Option<&Server>, session: &str, pane: &str, pid: Option<u32>) -> Option<Placed> {
    // A zellij session has a server of its own.
    let server = server?.pid.or_else(|| server?.sessions.iter().find(|it| it.id == session)?.process)?;
    let (session, pane) = (session.to_owned(), pane.to_owned());
    Some(Placed { server, server_start: None, session, pane, pid: pid?, is_new_session: false })
}

/// The newest turns of a conversation. `Absent`: nothing was said in it yet.
pub fn turns(declared: &Declared, subject: &ReadSubject, query: &TurnQuery<'_>) -> Fact<TurnPage> {
    let (id, transcript) = match &subject.conversation {
        Fact::Seen((id, Fact::Seen(transcript))) => (id, transcript),
        Fact::Seen((_, Fact::Unknown(why))) | Fact::Unknown(why) => return Fact::Unknown(why.clone()),
        Fact::Seen((_, Fact::Absent)) | Fact::Absent => return Fact::Absent,
    };
    let agents = Agents::with(declared);
    let Some(adapter) = subject.agent.and_then(|kind| agents.of(kind)) else { return Fact::Absent };
    adapter.turns(transcript, id, query)
}

/// The newest turns of a conversation, as of now.
pub fn last_turns(world: &Observer, declared: &Declared, subject: &ReadSubject, most: usize) -> Fact<TurnPage> {
    turns(declared, subject, &TurnQuery { last: most, after: None, now: world.host.now() })
}

/// The names of the tabs of an entry's zellij session; `None`: it is not there, or does not tell.
pub fn tabs(world: &Observer, pass: &Pass, key: &SessionKey) -> Option<Vec<String>> {
    if key.mux != MuxKind::Zellij {
        return None;
    }
    let server = pass.observation().servers.get(&key.server_key())?.seen()?;
    let session = server.sessions.iter().find(|session| session.name == key.name)?;
    let tabs = zellij::tabs(world.host.as_ref(), &world.env, &key.server, session).ok()?;
    Some(tabs.into_iter().map(|tab| tab.name).collect())
}

/// Whether the only pane of a session in which this agent runs shows its composer, or that it works.
pub fn shows_agent(world: &Observer, key: &SessionKey, kind: AgentKind) -> Fact<bool> {
    let declared = Declared::default();
    let session = match lookup::occupied(world, &declared, key) {
        Fact::Seen(session) => session,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let has_it = |pane: &&Arc<Pane>| pane.agents.seen().is_some_and(|all| all.iter().any(|agent| agent.kind == kind));
    let all: Vec<&Arc<Pane>> = session.panes.iter().filter(has_it).collect();
    let ([pane], Some(server)) = (all.as_slice(), session.process) else {
        return Fact::Unknown(format!("{} of its panes run {kind}", all.len()));
    };
    let Some(pid) = pane.pid else { return Fact::Unknown("the process of its pane cannot be told".to_owned()) };
    let agents = Agents::with(&declared);
    let Some(table) = agents.of(kind).and_then(|agent| agent.composer()) else {
        return Fact::Unknown(format!("what {kind} shows has not been measured"));
    };
    let address = PaneAddress { session: key.clone(), server, id: pane.id.clone(), pid };
    match effects::composer_pane(world, &address) {
        Ok(view) => {
            let is_shown = matches!(composer(&view.screen, table), Composer::Empty | Composer::Holds(_));
            Fact::Seen(is_shown || view.screen.first_of(table.working).is_some())
        }
        Err(why) => Fact::Unknown(why),
    }
}

/// Whether the multiplexer keeps an ended session of this name, which it would begin again.
pub fn is_kept(world: &Observer, key: &SessionKey) -> bool {
    effects::is_kept(world, key)
}

/// The pane of each session that runs in one, and of each that no entry declares.
pub(super) fn panes(pass: &Pass) -> BTreeMap<SessionKey, PaneAddress> {
    let seen = |key: &SessionKey| pass.observation().servers.get(&key.server_key()).and_then(Fact::seen);
    let address = |key: &SessionKey, placed: Placed| {
        let Placed { server, pane: id, pid, .. } = placed;
        Some((key.clone(), PaneAddress { session: key.clone(), server, id, pid }))
    };
    let entries = pass.manifest().sessions.iter().zip(&pass.verdict().entries).filter_map(|(session, entry)| {
        let key = &session.key;
        address(key, placed_in(seen(key), &entry.presence)?)
    });
    let found = pass.verdict().found.iter().filter_map(|found| match found.agents.as_slice() {
        [live] => address(&found.key, placed_of(seen(&found.key), live)?),
        _ => None,
    });
    entries.chain(found).collect()
}

/// What a pane shows now, cell by cell.
///
/// # Errors
/// One line: it cannot be told, or it is another pane by now.
pub fn pane_screen(world: &Observer, pane: &PaneAddress) -> Result<PaneScreen, String> {
    let view = effects::composer_pane(world, pane)?;
    match view.server == pane.server && view.pid == pane.pid {
        true => Ok(view.screen),
        false => Err("it is another pane by now".to_owned()),
    }
}

/// What the pane shows now; `None`: it is not there any more.
pub fn screen(world: &Observer, subject: &ReadSubject) -> Option<String> {
    let (key, placed) = subject.pane.as_ref()?;
    effects::view(world, key, placed).map(|view| view.screen)
}
