//! From manifest and observation to drifts: the order in which an entry is judged. Pure.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::locate::{LiveAgentRef, PresenceRef, SessionIndex, Undeclared, remade};
use super::ownership::{ConversationVerdict, Ownership, standings};
use super::presence::{LiveAgent, Presence};
use super::unregistered::Discovered;
use super::{
    Class, Drift, Inputs, agent_gone, ambiguous, dead, delegated, delegations, moved, new_id, revived, stale_id, unregistered,
};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, ServerKey, SessionKey};
use crate::core::manifest::{Session, Status};
use crate::core::memory::homes_at_rest;
use crate::core::observe::identity::Rung;
use crate::core::observe::{Agent, Transcript, TranscriptKey};

/// What a pass concluded. It shares what was observed and borrows nothing, so it can be kept.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// One per entry of the manifest, in its order.
    pub entries: Vec<EntryVerdict>,
    /// Sessions of ours that have no entry.
    pub found: Vec<Unregistered>,
    /// The drifts: those of the entries in their order, then those without an entry.
    pub drifts: Vec<Drift>,
    /// What is unknown.
    pub unknown: Vec<Unknown>,
}

/// What was concluded about one entry.
#[derive(Debug, Clone)]
pub struct EntryVerdict {
    /// Whether it is judged here at all: this host's, and not suspended.
    pub judged: bool,
    /// Where its session is.
    pub presence: Presence,
    /// The session it was renamed to, or the sessions it may be, if it was.
    pub renamed_to: Option<String>,
    /// The conversation its live agent is proven to be in, and the rung.
    pub proven: Option<(ConversationId, Rung)>,
    /// The conversation whose turn is its live agent's: the proven one, or the recorded one if that and no other came into being
    /// beside the agent.
    pub lives_in: Option<ConversationId>,
    /// What was concluded about the conversation, one line.
    pub about_id: String,
    /// Why the recorded conversation may not be that of its live agent, one line.
    pub doubt: Option<String>,
    /// Where the recorded conversation went on, if its transcript says so and nothing live proves what the entry is in.
    pub continued: Option<Continued>,
    /// Where its agent keeps its files if it is not alive: the home with its transcript, else the one it used last.
    pub home: Option<PathBuf>,
    /// Whether the transcript of its conversation is there; `None` if nobody asked or there is no conversation.
    pub transcript: Option<Fact<Transcript>>,
    /// Why a class could not be judged.
    pub unknown: Option<String>,
}

impl EntryVerdict {
    /// The verdict about an entry whose session and agent are there, before anything else is concluded.
    pub(crate) fn at(judged: bool, presence: Presence) -> Self {
        Self {
            judged,
            presence,
            renamed_to: None,
            proven: None,
            lives_in: None,
            about_id: String::new(),
            doubt: None,
            continued: None,
            home: None,
            transcript: None,
            unknown: None,
        }
    }
}

/// The conversation that a recorded one went on in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    /// It.
    pub id: ConversationId,
    /// Another session whose live agent has it: it is that one's.
    pub owner: Option<String>,
}

/// A session of ours without an entry.
#[derive(Debug, Clone)]
pub struct Unregistered {
    /// Its key.
    pub key: SessionKey,
    /// Its agents of the kind its name tells.
    pub agents: Vec<LiveAgent>,
    /// The conversation its only agent is proven to be in.
    pub proven: Option<(ConversationId, Rung)>,
    /// What was concluded about the conversation, one line.
    pub about_id: String,
    /// The session whose agent it shows, if it has none of its own (grouped sessions, linked windows): it is never registered.
    pub view_of: Option<String>,
}

/// An unknown fact. While it stands no drift of what it is about is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What it is about.
    pub about: About,
    /// Why.
    pub why: String,
}

/// What something unknown is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A server, and so every session on it.
    Server(ServerKey),
    /// One session, and the agents it may be running.
    Session(SessionKey, Vec<AgentKind>),
}

impl Unknown {
    /// `tmux:canary`, or a session's name.
    pub fn scope(&self) -> String {
        match &self.about {
            About::Server(server) => server.to_string(),
            About::Session(session, _) => session.name.clone(),
        }
    }

    /// Whether it keeps something about this session from being told.
    pub fn hides(&self, session: &SessionKey) -> bool {
        match &self.about {
            About::Server(server) => *server == session.server_key(),
            About::Session(unknown, _) => unknown == session,
        }
    }
}

/// Compares a manifest with an observation.
pub fn classify(world: &Inputs<'_>) -> Verdict {
    let atlas = SessionIndex::new(world);
    let undeclared = atlas.undeclared(world.manifest);
    let mut standings = standings(world, &atlas);
    let renames = moved::renames(world, &standings, &undeclared);
    for (entry, standing) in
        world.manifest.sessions.iter().zip(&mut standings).filter(|(it, _)| !renames.contains_key(&it.index))
    {
        if let PresenceRef::Absent { how } = &*standing
            && let Some(listed) = atlas.possible_name(entry)
        {
            *standing = PresenceRef::Unknown(format!("{how}, but {}", remade(listed)));
        }
    }
    let claims = Ownership::new(world, &standings);
    let mut verdict =
        Verdict { entries: Vec::with_capacity(standings.len()), found: Vec::new(), drifts: Vec::new(), unknown: Vec::new() };
    let delegated = delegations(world);
    for (entry, standing) in world.manifest.sessions.iter().zip(&standings) {
        let entry_verdict = judge(world, entry, standing, &claims, renames.get(&entry.index), &mut verdict.drifts);
        verdict.entries.push(entry_verdict);
        // Last of an entry's drifts, and beside any other: it rests on nothing that was observed.
        verdict.drifts.extend(delegated.get(&entry.index).and_then(|job| delegated::judge(world, entry, job)));
    }
    for identity in &world.manifest.identities {
        let vouched = stale_id::is_proven_live(world.manifest, identity, |entry| {
            verdict.entries.get(entry.index).is_some_and(|v| v.proven.as_ref().is_some_and(|(id, _)| *id == identity.id))
        });
        verdict.drifts.extend(stale_id::judge_identity(world, identity, vouched));
    }
    let renamed: BTreeSet<&SessionKey> = renames.values().flat_map(|rename| &rename.to).map(|other| &other.key).collect();
    let strangers: Vec<&Undeclared<'_>> = undeclared.iter().filter(|other| !renamed.contains(&other.key)).collect();
    let shown = standings.iter().flat_map(PresenceRef::agents).copied().chain(renames.values().flat_map(moved::Rename::agents));
    for (other, discovered) in unregistered::discover(world, &strangers, shown) {
        let discovered = unregistered::unless_meant(world, other, &standings, discovered);
        judge_undeclared(world, other, discovered, &claims, &mut verdict);
    }
    verdict.unknown.splice(0..0, unknown_of(world, &verdict.entries));
    verdict
}

fn judge<'a>(
    world: &Inputs<'a>,
    entry: &Session,
    standing: &PresenceRef<'a>,
    claims: &Ownership<'_, 'a>,
    rename: Option<&moved::Rename<'_, 'a>>,
    drifts: &mut Vec<Drift>,
) -> EntryVerdict {
    let (home, transcript) = transcript_of(world, entry, standing);
    let mut verdict = EntryVerdict { home, transcript, ..EntryVerdict::at(world.is_judged(entry), standing.keep()) };
    if let Some(rename) = rename {
        verdict.renamed_to = Some(rename.names());
        drifts.push(moved::judge_renamed(world, entry, rename));
        return verdict;
    }
    if !verdict.judged {
        return verdict;
    }
    match standing {
        PresenceRef::Unknown(why) => verdict.unknown = Some(why.clone()),
        PresenceRef::Absent { how } if entry.recorded.status == Some(Status::Running) => {
            drifts.push(dead::judge(world, entry, how))
        }
        PresenceRef::NoAgent { session, instead } if entry.recorded.status == Some(Status::Running) => {
            drifts.push(agent_gone::judge(world, entry, session, instead));
        }
        PresenceRef::Absent { .. } | PresenceRef::NoAgent { .. } => {}
        PresenceRef::Several { session, candidates } => {
            drifts.extend(revived::judge(world, entry, session));
            drifts.push(ambiguous::judge_agents(world, entry, candidates));
        }
        PresenceRef::Alive(live) => {
            drifts.extend(revived::judge(world, entry, live.session));
            let ruling = claims.ruling(entry, *live);
            if let ConversationVerdict::Proven { id, .. } = &ruling {
                let other = claims.also_held(entry, id);
                drifts.extend(other.map(|other| ambiguous::judge_shared(world, entry, id, other)));
            }
            rule_on_id(world, entry, live.agent, ruling, &mut verdict, drifts);
            let proven = verdict.proven.as_ref().map(|(id, _)| id.clone());
            verdict.lives_in = proven.or_else(|| claims.in_recorded(entry, *live));
        }
    }
    follow(world, entry, claims, &mut verdict, drifts);
    let replaced = drifts.last().is_some_and(|drift| drift.class == Class::NewId && drift.session == entry.key);
    match &verdict.transcript {
        Some(Fact::Unknown(why)) if !replaced && verdict.unknown.is_none() => verdict.unknown = Some(why.clone()),
        Some(transcript) if !replaced => {
            let vouched = verdict.proven.as_ref().is_some_and(|(id, _)| Some(id) == entry.recorded.session_id.as_ref());
            let unsure = verdict.unknown.is_some();
            drifts.extend((!unsure).then(|| stale_id::judge(world, entry, transcript, vouched)).flatten());
        }
        _ => {}
    }
    if let PresenceRef::Alive(live) = standing {
        drifts.extend(moved::judge(world, entry, *live));
    }
    verdict
}

/// What it means that the recorded conversation of an entry went on elsewhere, where no live agent proves what it is in.
fn follow(
    world: &Inputs<'_>,
    entry: &Session,
    claims: &Ownership<'_, '_>,
    verdict: &mut EntryVerdict,
    drifts: &mut Vec<Drift>,
) {
    if verdict.doubt.is_some() || verdict.unknown.is_some() {
        return;
    }
    let Some(old) = entry.recorded.session_id.as_ref().filter(|_| verdict.proven.is_none()) else {
        return;
    };
    let home = match &verdict.presence {
        Presence::Alive(live) => live.agent.home.seen(),
        Presence::Absent { .. } | Presence::NoAgent { .. } => verdict.home.as_ref(),
        Presence::Unknown(_) | Presence::Several { .. } => None,
    };
    let Some(home) = home else { return };
    let key = TranscriptKey { kind: entry.agent, home: home.clone(), id: old.clone() };
    match world.observation.continued.get(&key) {
        Some(Fact::Seen(id)) => {
            let owner = claims.live_owner(id, entry);
            // What a top-level identity lends is its to change.
            if owner.is_none() && !entry.recorded.id_is_lent {
                let heir = TranscriptKey { id: id.clone(), ..key.clone() };
                let is_spoken = !world.observation.transcripts.get(&heir).is_some_and(Fact::is_absent);
                drifts.push(new_id::judge_continued(world, entry, old, id, is_spoken));
            }
            verdict.about_id = format!("{old} continued in {id}, as its transcript says");
            verdict.continued = Some(Continued { id: id.clone(), owner });
        }
        Some(Fact::Unknown(why)) => verdict.unknown = Some(why.clone()),
        Some(Fact::Absent) | None => {}
    }
}

/// What a ruling about the conversation means for an entry.
fn rule_on_id(
    world: &Inputs<'_>,
    entry: &Session,
    agent: &Agent,
    ruling: ConversationVerdict,
    verdict: &mut EntryVerdict,
    drifts: &mut Vec<Drift>,
) {
    verdict.about_id = describe(&ruling, entry.recorded.session_id.as_ref());
    match ruling {
        ConversationVerdict::Proven { id, rung, formerly } => {
            if entry.recorded.session_id.as_ref() != Some(&id) {
                drifts.push(new_id::judge(world, entry, agent, &id, rung, formerly.as_deref()));
            }
            verdict.proven = Some((id, rung));
        }
        ConversationVerdict::Ambiguous(candidates) => {
            verdict.doubt = Some(verdict.about_id.clone());
            drifts.push(ambiguous::judge_conversation(world, entry, &candidates));
        }
        ConversationVerdict::Nothing => {}
        ConversationVerdict::Unknown(why) => verdict.unknown = Some(why),
    }
}

/// A ruling in one line for people.
fn describe(ruling: &ConversationVerdict, recorded: Option<&ConversationId>) -> String {
    match (ruling, recorded) {
        (ConversationVerdict::Proven { id, rung, .. }, Some(old)) if old == id => {
            format!("{id} is recorded and proven by rung {} ({})", rung.number(), rung.as_str())
        }
        (ConversationVerdict::Proven { id, rung, .. }, _) => {
            format!("{id} is proven by rung {} ({})", rung.number(), rung.as_str())
        }
        (ConversationVerdict::Ambiguous(candidates), _) => {
            let lines: Vec<String> =
                candidates.iter().map(|candidate| format!("{} ({})", candidate.id, candidate.why_not)).collect();
            format!("not proven; candidates: {}", lines.join("; "))
        }
        (ConversationVerdict::Nothing, Some(old)) => format!("{old} is recorded; nothing live proves or contradicts it"),
        (ConversationVerdict::Nothing, None) => "no conversation is known yet".to_owned(),
        (ConversationVerdict::Unknown(why), _) => format!("cannot tell: {why}"),
    }
}

fn judge_undeclared<'a>(
    world: &Inputs<'a>,
    other: &Undeclared<'a>,
    discovered: Discovered<'a>,
    claims: &Ownership<'_, 'a>,
    verdict: &mut Verdict,
) {
    let mut found = |agents: Vec<LiveAgentRef<'a>>, about_id, proven, view_of| {
        let agents = agents.into_iter().map(LiveAgentRef::keep).collect();
        verdict.found.push(Unregistered { key: other.key.clone(), agents, proven, about_id, view_of });
    };
    match discovered {
        Discovered::NotOurs => {}
        Discovered::Unknown(agents, why) => {
            verdict.unknown.push(Unknown { about: About::Session(other.key.clone(), agents), why });
        }
        Discovered::View(live, of) => found(vec![live], format!("it is the agent of session {of}"), None, Some(of)),
        Discovered::Several(agent, candidates) => {
            verdict.drifts.push(unregistered::judge_several(other, agent, &candidates));
            found(candidates, "more than one agent".to_owned(), None, None);
        }
        Discovered::Ours(live) => {
            let ruling = claims.ruling_undeclared(live);
            let about_id = describe(&ruling, None);
            let (proven, formerly) = match ruling {
                // An entry is made once, and with its id: it waits until that can be told.
                ConversationVerdict::Unknown(why) => {
                    let about = About::Session(other.key.clone(), vec![live.agent.kind]);
                    verdict.unknown.push(Unknown { about, why });
                    return found(vec![live], about_id, None, None);
                }
                ConversationVerdict::Proven { id, rung, formerly } => (Some((id, rung)), formerly),
                ConversationVerdict::Ambiguous(_) | ConversationVerdict::Nothing => (None, None),
            };
            let id = proven.as_ref().map(|(id, rung)| (id, *rung));
            verdict.drifts.push(unregistered::judge(world, other, live, id, formerly.as_deref()));
            found(vec![live], about_id, proven, None);
        }
    }
}

/// The transcript of an entry's recorded conversation, and the home it is in: that of its live agent; without one, the first that
/// has it.
fn transcript_of(
    world: &Inputs<'_>,
    entry: &Session,
    standing: &PresenceRef<'_>,
) -> (Option<PathBuf>, Option<Fact<Transcript>>) {
    let known = |home: &PathBuf| {
        let id = entry.recorded.session_id.clone()?;
        let key = TranscriptKey { kind: entry.agent, home: home.clone(), id };
        world.observation.transcripts.get(&key).cloned()
    };
    let home = match standing.live() {
        Some(live) => &live.agent.home,
        None => {
            // That of an entry whose name a person changed was not looked into.
            let last = world.remembered(entry).and_then(|memory| memory.home.as_ref());
            let mut homes: Vec<_> =
                homes_at_rest(last, entry, world.observation).map(|home| (home.clone(), known(home))).collect();
            // What could not be told in one of them could be there.
            let rank = |transcript: &Option<Fact<Transcript>>| match transcript {
                Some(Fact::Seen(_)) => 0,
                Some(Fact::Unknown(_)) => 1,
                None => 2,
                Some(Fact::Absent) => 3,
            };
            homes.sort_by_key(|(_, transcript)| rank(transcript));
            if let Some((home, transcript)) = homes.into_iter().next() {
                return (Some(home), transcript);
            }
            match world.observation.fallback_homes.get(entry.index) {
                Some(home) => home,
                None => return (None, None),
            }
        }
    };
    let transcript = match (home, &entry.recorded.session_id) {
        (Fact::Seen(home), _) => known(home),
        (Fact::Unknown(why), Some(_)) => Some(Fact::Unknown(why.clone())),
        (Fact::Absent, _) | (_, None) => None,
    };
    (None, transcript)
}

/// What could not be told about entries: one line per server that did not answer and is needed here, one per entry otherwise.
fn unknown_of(world: &Inputs<'_>, entries: &[EntryVerdict]) -> Vec<Unknown> {
    let servers = world.observation.servers.iter().filter_map(|(key, server)| {
        let why = server.why_unknown()?;
        let needed = world.is_searched(key) || world.needs(key).any(|entry| world.is_judged(entry));
        needed.then(|| Unknown { about: About::Server(key.clone()), why: why.to_owned() })
    });
    let own = world.manifest.sessions.iter().zip(entries).filter_map(|(entry, verdict)| {
        let why = verdict.unknown.as_ref()?;
        let server = world.observation.servers.get(&entry.key.server_key());
        let said = server.is_some_and(|server| server.why_unknown() == Some(why.as_str()));
        (!said).then(|| Unknown { about: About::Session(entry.key.clone(), vec![entry.agent]), why: why.clone() })
    });
    servers.chain(own).collect()
}

impl<'a> Inputs<'a> {
    /// Whether discovery needs a server: the one everyone uses who names none, or one looked at for no entry's sake.
    pub(crate) fn is_searched(&self, server: &ServerKey) -> bool {
        server.server == ServerKey::DEFAULT || self.needs(server).next().is_none()
    }

    /// The entries of this host whose session is on a server.
    pub(crate) fn needs(&self, server: &ServerKey) -> impl Iterator<Item = &'a Session> {
        let (host, manifest) = (&self.observation.host, self.manifest);
        manifest.entries().filter(move |entry| entry.key.host == *host && entry.key.server_key() == *server)
    }
}

impl Inputs<'_> {
    /// Whether an entry is judged here: this host's, and not suspended.
    pub(crate) fn is_judged(&self, entry: &Session) -> bool {
        entry.key.host == self.observation.host && !entry.suspend
    }
}
