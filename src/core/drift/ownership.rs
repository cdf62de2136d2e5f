//! Who claims which conversation: one conversation, one owner. Pure.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::{Candidate, Identity, guess, later, proof_of};
use super::locate::{LiveAgentRef, PresenceRef, SessionIndex, agents_of};
use super::remember::other_pane;
use super::{Disposition, Inputs, new_id};
use crate::core::ids::{ConversationId, ServerKey, SessionKey};
use crate::core::manifest::{Session, Status};
use crate::core::memory::{KnownIn, since_boot};
use crate::core::observe::identity::{LastMessage, Rung};
use crate::core::observe::{MuxSession, Process};

/// How a conversation is known that only the start of a process names.
const NAMED: &str = "named when the process was started";

/// What a live agent's conversation is, all claims considered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ConversationVerdict {
    /// It is this one, and the entry may say so.
    Proven {
        /// The conversation.
        id: ConversationId,
        /// What proves it.
        rung: Rung,
        /// An ended entry that keeps a copy of the id as history.
        formerly: Option<String>,
    },
    /// It may be one of these; nothing is recorded.
    Ambiguous(Vec<Candidate>),
    /// Nothing is known beyond what is recorded.
    Nothing,
    /// It is unknown.
    Unknown(String),
}

/// A session and the server it is on: the same name on two servers is two sessions.
type Place<'a> = (&'a ServerKey, &'a Arc<MuxSession>);

/// Every claim to a conversation: by record and by live proof.
pub(super) struct Ownership<'w, 'a> {
    world: &'w Inputs<'a>,
    standings: &'w [PresenceRef<'a>],
    /// Which entries record an id.
    recorded: HashMap<&'w ConversationId, Vec<usize>>,
    /// Which live processes prove an id, and the sessions that show each.
    proven: HashMap<ConversationId, BTreeMap<Process, Vec<Place<'a>>>>,
    /// Which entries' live agent a process is.
    entry_of: HashMap<Process, Vec<usize>>,
    /// Which processes rungs 5 and 6 guess to be in a conversation.
    guessed: HashMap<ConversationId, BTreeSet<Process>>,
    /// Which sessions are, or once were, in a conversation, as far as earlier passes know.
    held: OnceCell<HashMap<&'a ConversationId, Vec<&'a SessionKey>>>,
    /// Entries whose record of an id is replaced in this very pass, so that they hold it no longer.
    releasing: BTreeSet<usize>,
}

impl<'w, 'a> Ownership<'w, 'a> {
    /// Collects the claims of all entries and all observed agents.
    pub(super) fn new(world: &'w Inputs<'a>, standings: &'w [PresenceRef<'a>]) -> Self {
        let mut recorded: HashMap<&ConversationId, Vec<usize>> = HashMap::new();
        for entry in &world.manifest.sessions {
            if let Some(id) = &entry.recorded.session_id {
                recorded.entry(id).or_default().push(entry.index);
            }
        }
        let mut proven: HashMap<ConversationId, BTreeMap<Process, Vec<Place<'a>>>> = HashMap::new();
        for place in every_session(world) {
            for live in agents_of(place.1) {
                if let Identity::Proven { id, .. } = proof_of(live.agent) {
                    proven.entry(id).or_default().entry(live.agent.process).or_default().push(place);
                }
            }
        }
        let mut entry_of: HashMap<Process, Vec<usize>> = HashMap::new();
        for (index, standing) in standings.iter().enumerate() {
            if let Some(live) = standing.live() {
                entry_of.entry(live.agent.process).or_default().push(index);
            }
        }
        let (guessed, held, releasing) = (HashMap::new(), OnceCell::new(), BTreeSet::new());
        let mut claims = Self { world, standings, recorded, proven, entry_of, guessed, held, releasing };
        claims.collect_guesses();
        claims.settle_releases();
        claims
    }

    /// Notes what every live agent without a proven or recorded id is guessed to be in, so that no conversation is guessed twice.
    fn collect_guesses(&mut self) {
        let mut guessed: HashMap<ConversationId, BTreeSet<Process>> = HashMap::new();
        for live in every_session(self.world).flat_map(|(_, session)| agents_of(session)) {
            let index = self.entry_of.get(&live.agent.process).and_then(|entries| entries.first().copied());
            if proof_of(live.agent) == Identity::Nothing
                && let Identity::Proven { id, .. } = self.guess(live, index)
            {
                guessed.entry(id).or_default().insert(live.agent.process);
            }
        }
        self.guessed = guessed;
    }

    /// Finds the entries whose id is replaced in this pass: all that could be, less those that would take an id which another
    /// live entry keeps, until nothing changes. So a chain or an exchange of ids is recorded whole or not at all.
    fn settle_releases(&mut self) {
        let entries = || self.world.manifest.entries();
        let will_replace = |claims: &Self, entry: &&Session| {
            let Some(live) = claims.standings.get(entry.index).and_then(PresenceRef::live) else { return false };
            if !claims.world.is_judged(entry) {
                return false;
            }
            match claims.ruling(entry, live) {
                ConversationVerdict::Proven { id, rung, .. } if entry.recorded.session_id.as_ref() != Some(&id) => {
                    let drift = new_id::judge(claims.world, entry, live.agent, &id, rung, None);
                    drift.disposition == Disposition::Record
                }
                _ => false,
            }
        };
        // Optimistic start: every entry whose live agent proves another id than the recorded one may release that.
        let may_release = |entry: &&Session| {
            let live = self.standings.get(entry.index).and_then(PresenceRef::live);
            let proof = live.and_then(|live| live.agent.ladder.proof().into_seen());
            proof.zip(entry.recorded.session_id.as_ref()).is_some_and(|((proven, _), recorded)| proven != recorded)
        };
        self.releasing = entries().filter(may_release).map(|entry| entry.index).collect();
        loop {
            let next: BTreeSet<usize> = entries()
                .filter(|entry| self.releasing.contains(&entry.index))
                .filter(|entry| will_replace(self, entry))
                .map(|entry| entry.index)
                .collect();
            if next == self.releasing {
                return;
            }
            self.releasing = next;
        }
    }

    /// What the conversation of an entry's live agent is.
    pub(super) fn ruling(&self, entry: &Session, live: LiveAgentRef<'a>) -> ConversationVerdict {
        let recorded = entry.recorded.session_id.as_ref();
        match proof_of(live.agent) {
            Identity::Proven { id, rung } => {
                if let Some(why) = self.also_proven(&id, live, Some(entry.index)) {
                    return ConversationVerdict::Ambiguous(vec![Candidate::new(&id, why)]);
                }
                if rung == Rung::Start
                    && let Some(doubt) = self.doubt(&id, NAMED, live, Some(entry.index))
                {
                    return if self.is_settled(entry, &doubt, live) { ConversationVerdict::Nothing } else { doubt };
                }
                if recorded == Some(&id) {
                    return ConversationVerdict::Proven { id, rung, formerly: None };
                }
                if let (Rung::Start, Some(old)) = (rung, recorded)
                    && !self.started_after_record(entry, live)
                {
                    return ConversationVerdict::Ambiguous(vec![
                        Candidate::new(old, "recorded, perhaps after the process started"),
                        Candidate::new(&id, NAMED),
                    ]);
                }
                self.holders(&id, Some(entry.index), rung)
            }
            Identity::Unknown(why) => ConversationVerdict::Unknown(why),
            Identity::Nothing | Identity::Ambiguous(_) => match recorded {
                Some(id) => match self.contradiction(entry, id, live) {
                    Some(why) => ConversationVerdict::Ambiguous(vec![Candidate::new(id, why)]),
                    None => self.doubt(id, "recorded", live, Some(entry.index)).unwrap_or(ConversationVerdict::Nothing),
                },
                None => self.weak(live, Some(entry.index)),
            },
        }
    }

    /// Why an id that only the record names may not be the live agent's: another agent proves it, another live entry records it
    /// too, or it was recorded for another process.
    fn contradiction(&self, entry: &Session, id: &ConversationId, live: LiveAgentRef<'a>) -> Option<String> {
        let mut provers = self.proven.get(id).into_iter().flatten().filter(|(process, _)| **process != live.agent.process);
        if let Some((process, places)) = provers.next() {
            let name = places.first().map_or("another", |(_, session)| session.name.as_str());
            let pid = process.pid;
            return Some(format!("recorded, but the agent of session {name}, pid {pid}, proves to be in it; remove it here"));
        }
        if let Some(other) = self.live_holder(entry, id) {
            return Some(format!("recorded on {} too, which is alive; remove it where it is wrong", other.key.name));
        }
        self.other_process(entry, id, live)
    }

    /// Why an entry's agent is another process than the one its conversation was recorded for.
    fn other_process(&self, entry: &Session, id: &ConversationId, live: LiveAgentRef<'a>) -> Option<String> {
        let (memory, seen) = (self.world.remembered(entry), self.world.observation);
        let is_unchanged = memory.is_none_or(|memory| memory.recorded_id.as_ref() == Some(id));
        let now = live.agent.process.pid;
        let settle = "remove it, or, if it is right, remove it for one pass and write it again";
        match memory.and_then(|memory| memory.known_in.as_ref()).filter(|known| is_unchanged || known.id == *id) {
            Some(known) if known.is(live.agent.process, seen.boot.seen(), seen.vantage.pids.as_deref()) => (known.id != *id)
                .then(|| format!("recorded, but its agent, pid {now}, was in {} when headcount last knew; {settle}", known.id)),
            Some(KnownIn { pid, .. }) => {
                Some(format!("recorded for pid {pid}, and its agent is now pid {now}, started without it; {settle}"))
            }
            // Of what nobody here has seen before, the recorded pane tells, where ids of processes are what they were there. So it
            // does of an entry that has brought another's conversation along with its pane.
            None => {
                let is_told = || is_unchanged || self.was_held_by_another(id, Some(&entry.key));
                let then = other_pane(entry, live.pane).filter(|_| !seen.vantage.is_partial() && is_told())?;
                let pane = live.pane.pid.unwrap_or(now);
                Some(format!("recorded for a pane of pid {then}, and it is now pid {pane}, started without it; {settle}"))
            }
        }
    }

    /// Another entry that is alive and keeps a record of an id.
    fn live_holder(&self, entry: &Session, id: &ConversationId) -> Option<&'w Session> {
        let others = self.recorded.get(id).into_iter().flatten().filter(|holder| **holder != entry.index);
        let mut alive = others.filter(|holder| {
            !self.releasing.contains(holder) && self.standings.get(**holder).is_some_and(PresenceRef::has_agent)
        });
        self.world.manifest.sessions.get(*alive.next()?).map(Arc::as_ref)
    }

    /// The live entry that also records the conversation an entry records and its agent proves.
    pub(super) fn also_held(&self, entry: &Session, id: &ConversationId) -> Option<&'w Session> {
        entry.recorded.session_id.as_ref().filter(|recorded| *recorded == id)?;
        self.live_holder(entry, id)
    }

    /// What speaks against a live agent still being in the conversation it is said to be in, which nothing of the process itself
    /// tells: something was said later in another one of its workspace that is nobody else's.
    fn doubt(
        &self,
        id: &ConversationId,
        as_what: &str,
        live: LiveAgentRef<'a>,
        index: Option<usize>,
    ) -> Option<ConversationVerdict> {
        let is_anothers = |said: &LastMessage| {
            let by_proof = self.proven.get(&said.id).is_some_and(|by| by.keys().any(|process| *process != live.agent.process));
            let others = self.recorded.get(&said.id).into_iter().flatten().filter(|holder| Some(**holder) != index);
            by_proof || others.into_iter().any(|holder| self.was_in(*holder, said.at))
        };
        match later(live.agent, id, &is_anothers) {
            Ok(later) if later.is_empty() => None,
            Ok(later) => {
                let why = format!("used later than {id}, by this agent or another");
                let own = Candidate::new(id, format!("{as_what}, but another conversation of the workspace was used later"));
                Some(ConversationVerdict::Ambiguous(
                    [own].into_iter().chain(later.iter().map(|id| Candidate::new(id, why.clone()))).collect(),
                ))
            }
            Err(why) => Some(ConversationVerdict::Unknown(why)),
        }
    }

    /// Which live agent has a conversation that is not this entry's, by proof or by record.
    pub(super) fn live_owner(&self, id: &ConversationId, entry: &Session) -> Option<String> {
        let others = self.recorded.get(id).into_iter().flatten().filter(|holder| **holder != entry.index);
        let mut alive = others.filter(|holder| self.standings.get(**holder).is_some_and(PresenceRef::has_agent));
        let by_record = alive.next().and_then(|holder| Some(self.world.manifest.sessions.get(*holder)?.key.name.clone()));
        let by_proof = || self.proven.get(id)?.values().flatten().next().map(|(_, session)| session.name.clone());
        by_record.or_else(by_proof)
    }

    /// The recorded conversation of an entry if its live agent began it, as far as anybody can tell: weak rungs would have it
    /// recorded were it not.
    pub(super) fn in_recorded(&self, entry: &Session, live: LiveAgentRef<'a>) -> Option<ConversationId> {
        let recorded = entry.recorded.session_id.as_ref()?;
        let is_untold = proof_of(live.agent) == Identity::Nothing;
        match is_untold.then(|| self.weak(live, Some(entry.index)))? {
            ConversationVerdict::Proven { id, .. } => (id == *recorded).then_some(id),
            ConversationVerdict::Ambiguous(_) | ConversationVerdict::Nothing | ConversationVerdict::Unknown(_) => None,
        }
    }

    /// What the conversation of an agent without an entry is.
    pub(super) fn ruling_undeclared(&self, live: LiveAgentRef<'a>) -> ConversationVerdict {
        match proof_of(live.agent) {
            Identity::Proven { id, rung } => match self.also_proven(&id, live, None) {
                Some(why) => ConversationVerdict::Ambiguous(vec![Candidate::new(&id, why)]),
                None if rung == Rung::Start => {
                    let doubt = self.doubt(&id, NAMED, live, None);
                    doubt.unwrap_or_else(|| self.holders(&id, None, rung))
                }
                None => self.holders(&id, None, rung),
            },
            Identity::Unknown(why) => ConversationVerdict::Unknown(why),
            Identity::Nothing | Identity::Ambiguous(_) => self.weak(live, None),
        }
    }

    /// Rungs 5 and 6: only for an id nobody else has.
    fn weak(&self, live: LiveAgentRef<'a>, index: Option<usize>) -> ConversationVerdict {
        match self.guess(live, index) {
            Identity::Proven { id, rung } => {
                let rivals = self.guessed.get(&id).is_some_and(|guessed| guessed.iter().any(|it| *it != live.agent.process));
                let rival = rivals.then(|| "another session's agent could also be in it".to_owned());
                match rival.or_else(|| self.shared_process(live, index)) {
                    Some(why) => ConversationVerdict::Ambiguous(vec![Candidate::new(&id, why)]),
                    None => {
                        let doubt = self.doubt(&id, "appeared since the process started", live, index);
                        doubt.unwrap_or(ConversationVerdict::Proven { id, rung, formerly: None })
                    }
                }
            }
            Identity::Ambiguous(candidates) => ConversationVerdict::Ambiguous(candidates),
            Identity::Nothing => ConversationVerdict::Nothing,
            Identity::Unknown(why) => ConversationVerdict::Unknown(why),
        }
    }

    /// What rungs 5 and 6 say, the ids others have or had left out.
    fn guess(&self, live: LiveAgentRef<'a>, index: Option<usize>) -> Identity {
        let claimed = |id: &ConversationId| {
            let by_record = self.recorded.get(id).is_some_and(|holders| holders.iter().any(|holder| Some(*holder) != index));
            let by_proof = self.proven.get(id).is_some_and(|by| by.keys().any(|process| *process != live.agent.process));
            let key = index.and_then(|index| Some(&self.world.manifest.sessions.get(index)?.key));
            by_record || by_proof || self.was_held_by_another(id, key)
        };
        match (guess(live.agent, self.world.observation.at, &claimed), self.out_of_sight_beside(live, index)) {
            (Identity::Proven { id, .. }, Some(other)) => {
                let why =
                    format!("{} may be in it, of which nothing can be seen from this container or sandbox", other.key.name);
                Identity::Ambiguous(vec![Candidate::new(&id, why)])
            }
            (told, _) => told,
        }
    }

    /// Whether another session than this one was ever in a conversation.
    fn was_held_by_another(&self, id: &ConversationId, than: Option<&SessionKey>) -> bool {
        // Most passes guess nothing.
        let holders = self.held.get_or_init(|| self.world.memory.holders()).get(id);
        holders.is_some_and(|holders| holders.iter().any(|holder| Some(*holder) != than))
    }

    /// A session whose agent may have begun what appeared beside this one, and cannot be counted among its peers: it is declared
    /// for the same workspace, and where it runs is not seen.
    fn out_of_sight_beside(&self, live: LiveAgentRef<'a>, index: Option<usize>) -> Option<&'w Session> {
        let seen = self.world.observation;
        if !seen.vantage.is_partial() {
            return None;
        }
        let shares_workspace = |entry: &&Session| match (&entry.cwd, live.agent.cwd.seen()) {
            (Some(cwd), Some(works_in)) => seen.real_path(cwd) == works_in,
            _ => true,
        };
        let is_unseen = |entry: &&Session| matches!(self.standings.get(entry.index), Some(PresenceRef::Unknown(_)));
        let others = self.world.manifest.entries().filter(|entry| Some(entry.index) != index);
        let alike = others.filter(|entry| entry.agent == live.agent.kind && entry.key.host == seen.host);
        alike.filter(is_unseen).filter(|entry| entry.recorded.status == Some(Status::Running)).find(shares_workspace)
    }

    /// Why an id cannot be this agent's alone: another live session proves it too.
    fn also_proven(&self, id: &ConversationId, live: LiveAgentRef<'a>, index: Option<usize>) -> Option<String> {
        let others = self.proven.get(id).into_iter().flatten().filter(|(process, _)| **process != live.agent.process);
        for (process, places) in others {
            if let Some((server, session)) = places.iter().find(|(_, session)| !Arc::ptr_eq(session, live.session)) {
                let place = if session.name == live.session.name { format!(" on {server}") } else { String::new() };
                return Some(format!("also live in session {}{place}, pid {}", session.name, process.pid));
            }
        }
        self.shared_process(live, index)
    }

    /// Why a process is not one entry's alone: two entries show it (grouped sessions, linked windows).
    fn shared_process(&self, live: LiveAgentRef<'a>, index: Option<usize>) -> Option<String> {
        let entries = self.entry_of.get(&live.agent.process)?;
        let other = entries.iter().find(|other| Some(**other) != index)?;
        let name = &self.world.manifest.sessions.get(*other)?.key.name;
        Some(format!("session {name} shows the same process, pid {}", live.agent.process.pid))
    }

    /// Whether the record says which of several conversations it is: it was made after the process started, and nothing was said
    /// later than there.
    fn is_settled(&self, entry: &Session, doubt: &ConversationVerdict, live: LiveAgentRef<'a>) -> bool {
        let (Some(recorded), ConversationVerdict::Ambiguous(candidates)) = (&entry.recorded.session_id, doubt) else {
            return false;
        };
        candidates.iter().skip(1).any(|candidate| candidate.id == *recorded)
            && !self.started_after_record(entry, live)
            && self.doubt(recorded, "recorded", live, Some(entry.index)).is_none()
    }

    /// Whether an entry's agent was still in the conversation the entry records when something was said there.
    fn was_in(&self, holder: usize, at: DateTime<Utc>) -> bool {
        let recorded = self.world.manifest.sessions.get(holder).map(|entry| &entry.recorded);
        let ended = recorded.and_then(|recorded| recorded.terminated_at);
        // An end is recorded in whole seconds, and in the pass after it.
        self.standings.get(holder).is_some_and(PresenceRef::has_agent)
            || recorded.is_some_and(|recorded| recorded.status == Some(Status::Running))
            || ended.is_some_and(|ended| at < ended + TimeDelta::seconds(1))
    }

    /// What other entries' records of a proven id mean for recording it.
    fn holders(&self, id: &ConversationId, index: Option<usize>, rung: Rung) -> ConversationVerdict {
        let mut formerly = None;
        for holder in self.recorded.get(id).into_iter().flatten().filter(|holder| Some(**holder) != index) {
            let Some(entry) = self.world.manifest.sessions.get(*holder) else { continue };
            if self.releasing.contains(holder) {
                continue;
            }
            let name = &entry.key.name;
            let blocked = if entry.key.host != self.world.observation.host {
                (entry.recorded.status == Some(Status::Running))
                    .then(|| format!("recorded on {name}, running on {}", entry.key.host))
            } else {
                match self.standings.get(*holder) {
                    Some(standing) if standing.has_agent() => {
                        Some(format!("recorded on {name}, which is alive; remove it there, and it is recorded here"))
                    }
                    Some(PresenceRef::Unknown(why)) => Some(format!("recorded on {name}, which could not be seen: {why}")),
                    _ => None,
                }
            };
            if let Some(why) = blocked {
                return ConversationVerdict::Ambiguous(vec![Candidate::new(id, why)]);
            }
            formerly = Some(name.clone());
        }
        ConversationVerdict::Proven { id: id.clone(), rung, formerly }
    }

    /// Whether the process is younger than the recorded id: the id was written at the latest when the file was last changed,
    /// and when headcount first saw it. The clock of the boot tells that even if somebody sets the other one.
    fn started_after_record(&self, entry: &Session, live: LiveAgentRef<'a>) -> bool {
        let (memory, started) = (self.world.remembered(entry), live.agent.process.started);
        let is_after = |at: Option<DateTime<Utc>>| at.is_some_and(|at| started > at);
        let Some((memory, boot)) = memory.zip(self.world.observation.boot.seen()) else {
            return is_after(self.world.manifest_modified);
        };
        let noted = memory.id_since.zip(memory.id_since_boot.as_ref());
        let is_same_clock =
            noted.is_none_or(|(at, (id, noted))| *id != boot.id || (since_boot(at, boot).1 - noted).abs() <= 2000);
        let is_after_file = is_same_clock && is_after(self.world.manifest_modified);
        if memory.recorded_id != entry.recorded.session_id {
            return is_after_file;
        }
        match noted {
            Some((_, (id, noted))) => *id != boot.id || since_boot(started, boot).1 > *noted || is_after_file,
            None => is_after(memory.id_since) || is_after_file,
        }
    }
}

/// Every session of every server that answered.
fn every_session<'a>(world: &Inputs<'a>) -> impl Iterator<Item = Place<'a>> {
    let servers = world.observation.servers.iter().filter_map(|(key, server)| Some((key, server.seen()?)));
    servers.flat_map(|(key, server)| server.sessions.iter().map(move |session| (key, session)))
}

/// The standings of all entries of this host, suspended ones included: they hold their ids too.
pub(super) fn standings<'a>(world: &Inputs<'a>, atlas: &SessionIndex<'a>) -> Vec<PresenceRef<'a>> {
    let here = |entry: &Session| entry.key.host == world.observation.host;
    let locate = |entry: &Session| match &entry.doubt {
        _ if !here(entry) => PresenceRef::Unknown(format!("it belongs to host {}", entry.key.host)),
        // What is at its place, or is not, may be about another session than the one that was meant.
        Some(doubt) => PresenceRef::Unknown(doubt.why.clone()),
        None => atlas.locate(entry),
    };
    world.manifest.entries().map(locate).collect()
}
