//! The one store of what is believed between two looks, each value with how long it holds. Decides nothing, and looks at nothing
//! but whether processes still live.
//!
//! | value | holds |
//! | --- | --- |
//! | what runs in a pane, where agents prove their conversations | while its processes live, of which their handles are the proof |
//! | which agent, if any, a process of the host is | while it executes the same program |
//! | what a server lists | until the server or a session of it is marked |
//! | a transcript that was there | until a session that records it, or is in it, is marked |
//! | that a transcript is nowhere | while the directories that were searched are as they were |
//! | the manifest as it was read | while its text has the same hash |
//! | an entry of it, after an edit of ours | while its own lines are the same and no other entry's change concerns it |
//! | what the state file says | while its bytes are the same |
//!
//! Nothing unknown is kept, and nothing that was not there. Wakes mark keys; they are the scope of a look. A look at everything, as
//! at each interval, believes none of it but the last three.

pub(in crate::control) mod edition;
pub(in crate::control) mod facts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::agent::{MissingCache, TranscriptIndex};
use crate::control::watch::wake::Scope;
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{ServerKey, SessionKey};
use crate::core::observe::{Boot, MuxSession, Observation, OrphanPane, Pane, Server, Transcript, TranscriptKey};
use crate::host::parallel::spread;
use crate::host::{Host, limits};
use crate::store::TextHash;
use crate::store::state::StateCache;
use edition::ParsedManifest;
use facts::{FRESH, PaneFacts, Roles};

/// More sessions than this are not asked about one by one: a list costs less.
const MOST_ASKED: usize = 2;

/// Memory of earlier looks. Empty and unused until [`Cache::focus`] is called, so that a single pass pays nothing for it.
#[derive(Debug, Default)]
pub struct Cache {
    state: Mutex<State>,
    /// Which transcripts were looked for in vain.
    absences: Arc<MissingCache>,
    /// Which panes of before stand now: two ask at the same time, and the second waits for what the first finds.
    standing: Mutex<Option<Arc<StillSame>>>,
}

#[derive(Debug, Default)]
struct State {
    scope: Option<Scope>,
    past: Arc<LastLook>,
    edition: Option<Arc<ParsedManifest>>,
    known: StateCache,
    /// A list that was only compared, and when it was asked for.
    compared: Option<(ServerKey, Server, Instant)>,
}

/// What one look found that a later one may use.
#[derive(Debug, Default)]
pub(in crate::control) struct LastLook {
    scope: Scope,
    /// The boot and its clock.
    boot: Option<Boot>,
    /// The agents the manifest declared when they were looked for.
    declared: Declared,
    panes: HashMap<u32, Arc<PaneFacts>>,
    roles: Arc<Roles>,
    /// The processes of recorded panes that no server showed.
    strays: BTreeSet<u32>,
    servers: BTreeMap<ServerKey, Server>,
    transcripts: BTreeMap<TranscriptKey, Transcript>,
}

/// Panes' processes that were found to be as they were, and since when that is known.
#[derive(Debug, Default)]
pub(in crate::control) struct StillSame(Option<Instant>, HashSet<u32>);

impl StillSame {
    /// What of an earlier look stands now.
    pub(in crate::control) fn of(past: &LastLook, host: &dyn Host) -> Self {
        let begun = Instant::now();
        Self(Some(begun), past.standing(host))
    }

    /// Whether that was seen just now.
    pub(in crate::control) fn is_fresh(&self) -> bool {
        self.0.is_some_and(|begun| begun.elapsed() < FRESH)
    }

    pub(in crate::control) fn contains(&self, pid: u32) -> bool {
        self.is_fresh() && self.1.contains(&pid)
    }
}

impl Cache {
    /// Says what the next looks are about; from now on what they find is kept. [`Scope::ALL`] looks at everything afresh.
    pub fn focus(&self, scope: &Scope) {
        self.state().scope = Some(scope.clone());
    }

    /// How many processes may be held: most files that may be open are for other things.
    pub(in crate::control) fn most_held(&self) -> usize {
        const SHARE: u64 = 4;
        let most = limits::open_files().map_or(usize::MAX, |most| usize::try_from(most / SHARE).unwrap_or(usize::MAX));
        if self.is_kept() { most } else { 0 }
    }

    /// Which panes of an earlier look stand now.
    pub(in crate::control) fn standing(&self, host: &dyn Host, past: &LastLook) -> Arc<StillSame> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        match standing.as_ref().filter(|standing| standing.is_fresh()) {
            Some(standing) => Arc::clone(standing),
            None => Arc::clone(standing.insert(Arc::new(StillSame::of(past, host)))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The manifest of this very text, as it was read before; else `read` now, and kept if looks are.
    ///
    /// # Errors
    /// Those of `read`.
    pub(in crate::control) fn edition<E>(
        &self,
        hash: TextHash,
        read: impl FnOnce() -> Result<ParsedManifest, E>,
    ) -> Result<Arc<ParsedManifest>, E> {
        if let Some(edition) = self.state().edition.as_ref().filter(|edition| edition.hash() == hash) {
            return Ok(Arc::clone(edition));
        }
        let edition = read()?;
        if !self.is_kept() {
            return Ok(Arc::new(edition));
        }
        // Whoever keeps looking will write small changes.
        let edition = Arc::new(edition.indexed());
        self.keep_edition(&edition);
        Ok(edition)
    }

    /// Keeps what was read of a text, if looks are kept.
    pub(in crate::control) fn keep_edition(&self, edition: &Arc<ParsedManifest>) {
        let mut state = self.state();
        if state.scope.is_some() {
            state.edition = Some(Arc::clone(edition));
        }
    }

    /// What the state file said last, if looks are kept.
    pub(in crate::control) fn known_state(&self) -> StateCache {
        let state = self.state();
        if state.scope.is_some() { state.known.clone() } else { StateCache::default() }
    }

    /// What may be used now; nothing where everything is to be looked at, or where the clock was set since: the starts of processes
    /// are by the clock of the look that read them.
    pub(in crate::control) fn past(&self, host: &dyn Host) -> Option<Arc<LastLook>> {
        let mut state = self.state();
        let scope = state.scope.clone().filter(|scope| !scope.is_all())?;
        if state.past.boot.as_ref() != host.boot().seen() {
            return None;
        }
        if state.past.scope != scope {
            // Nobody else holds it between two looks, so this copies nothing.
            let past = Arc::get_mut(&mut state.past)?;
            past.scope = scope;
        }
        Some(Arc::clone(&state.past))
    }

    /// A shelf for one look, which may believe earlier ones of what is missing.
    pub(in crate::control) fn shelf(&self, is_believed: bool) -> TranscriptIndex {
        if self.is_kept() { TranscriptIndex::keeping(&self.absences, is_believed) } else { TranscriptIndex::new() }
    }

    /// Whether looks are kept.
    pub(in crate::control) fn is_kept(&self) -> bool {
        self.state().scope.is_some()
    }

    /// Keeps a list for the look that follows at once.
    pub(in crate::control) fn keep_compared(&self, key: &ServerKey, server: Server, asked: Instant) {
        self.state().compared = Some((key.clone(), server, asked));
    }

    /// A list that was made a moment ago for a comparison; once.
    pub(in crate::control) fn compared(&self, key: &ServerKey) -> Option<Server> {
        let mut state = self.state();
        let (_, server, asked) = state.compared.take_if(|(of, ..)| of == key)?;
        (asked.elapsed() < FRESH).then_some(server)
    }

    /// Whether the last look found neither this process nor these sessions: that it ended says nothing new.
    pub(in crate::control) fn is_known_gone(&self, pid: u32, sessions: &BTreeSet<SessionKey>) -> bool {
        let past = Arc::clone(&self.state().past);
        let is_kept = past.strays.contains(&pid)
            || past.panes.values().flat_map(|facts| &facts.witnesses).any(|witness| witness.pid == pid);
        let is_listed = |key: &SessionKey| {
            past.servers.get(&key.server_key()).is_none_or(|server| sessions_of(server, key).next().is_some())
        };
        !is_kept && !past.servers.is_empty() && !sessions.iter().any(is_listed)
    }

    /// Whether a server lists what the last look saw there, and nothing of it could have become something else without a wake of
    /// its own. Then there is nothing to look at again.
    pub(in crate::control) fn is_as_seen(&self, key: &ServerKey, now: &Server) -> bool {
        let past = Arc::clone(&self.state().past);
        // What was not looked into does not matter as long as manifest and listing are the same.
        let is_steady = |pid| past.panes.get(&pid).is_none_or(|facts| facts.is_steady());
        let mut pids = now.sessions.iter().flat_map(|session| &session.panes).filter_map(|pane| pane.pid);
        past.servers.get(key).is_some_and(|server| server.is_listed_as(now)) && pids.all(is_steady)
    }

    /// The sessions of these servers whose panes' processes have all ended since the last look. What stands is asked now, and the
    /// look that follows at once need not ask again.
    pub(in crate::control) fn ended<'a>(
        &self,
        host: &dyn Host,
        keys: impl Iterator<Item = &'a ServerKey>,
    ) -> BTreeSet<SessionKey> {
        self.forget_standing();
        let past = Arc::clone(&self.state().past);
        // What was gone already is nothing new.
        let was_there = |pid: &u32| past.panes.get(pid).is_some_and(|facts| !facts.witnesses.is_empty());
        let is_over = |pid: u32| was_there(&pid) && !self.standing(host, &past).contains(pid) && host.stat(pid).is_absent();
        let is_ended = |session: &MuxSession| {
            !session.panes.is_empty() && session.panes.iter().all(|pane| pane.dead.is_none() && pane.pid.is_some_and(is_over))
        };
        let servers = keys.filter_map(|key| Some((key, past.servers.get(key)?)));
        let ended = servers.flat_map(|(key, server)| {
            let ended = server.sessions.iter().filter(|session| is_ended(session));
            ended.map(|session| key.session_key(&session.name, host.name()))
        });
        ended.collect()
    }

    fn forget_standing(&self) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps what a look found.
    pub(in crate::control) fn keep(
        &self,
        (panes, roles): (HashMap<u32, Arc<PaneFacts>>, Arc<Roles>),
        seen: &Observation,
        declared: &Declared,
    ) {
        let is_steady = |pid| panes.get(&pid).is_some_and(|facts: &Arc<PaneFacts>| facts.is_steady());
        let servers = seen.servers.iter().filter_map(|(key, server)| Some((key.clone(), listed(server.seen()?, is_steady))));
        let transcripts = seen.transcripts.iter().filter_map(|(key, fact)| Some((key.clone(), fact.seen()?.clone())));
        let (servers, transcripts) = (servers.collect(), transcripts.collect());
        let strays = seen.strays.iter().flat_map(|(pid, stray)| stray_pids(*pid, stray)).collect();
        let (scope, boot) = (Scope::default(), seen.boot.seen().cloned());
        let past = LastLook { scope, boot, declared: declared.clone(), panes, roles, strays, servers, transcripts };
        let mut state = self.state();
        (state.past, state.compared) = (Arc::new(past), None);
        drop(state);
        self.forget_standing();
    }
}

/// The processes of a recorded pane that no server shows whose end says something; none where there is nothing.
pub(in crate::control) fn stray_pids(pid: u32, stray: &Fact<OrphanPane>) -> impl Iterator<Item = u32> {
    let agents = stray.seen().map_or(&[][..], |stray| &stray.agents);
    let itself = (!stray.is_absent()).then_some(pid);
    itself.into_iter().chain(agents.iter().map(|(_, process)| process.pid))
}

/// The sessions of a server that a key may mean.
fn sessions_of<'a>(server: &'a Server, key: &SessionKey) -> impl Iterator<Item = &'a MuxSession> {
    server.sessions.iter().map(Arc::as_ref).filter(move |session| key.names().any(|name| name == session.name.as_str()))
}

/// A server as its multiplexer lists it, but for the panes of these processes, whose agents are as they are for as long as they
/// live. What was found in the others is kept apart.
fn listed(server: &Server, is_steady: impl Fn(u32) -> bool) -> Server {
    let mut server = server.clone();
    // What has no process was told by the multiplexer as it is.
    let is_filled = |pane: &Pane| !pane.agents.is_absent() || pane.unread.is_some() || !pane.runs.is_empty();
    let is_to_clear = |pane: &Pane| pane.pid.is_some_and(|pid| !is_steady(pid)) && is_filled(pane);
    for session in server.sessions.iter_mut().filter(|session| session.panes.iter().any(|pane| is_to_clear(pane))) {
        let panes = &mut Arc::make_mut(session).panes;
        for pane in panes.iter_mut().filter(|pane| is_to_clear(pane)).map(Arc::make_mut) {
            (pane.agents, pane.unread, pane.runs) = (Fact::Absent, None, String::new());
        }
    }
    server
}

impl LastLook {
    /// Whether it was looked for the same declared agents: under another definition the same process may be another agent's.
    pub(in crate::control) fn is_of(&self, declared: &Declared) -> bool {
        self.declared == *declared
    }

    /// Whether a session is to be looked at afresh.
    pub(in crate::control) fn is_in_scope(&self, key: &SessionKey) -> bool {
        let keys = self.scope.keys();
        // Whoever woke us may know the session by the multiplexer's name for it.
        keys.contains(key)
            || key.names().skip(1).any(|name| keys.contains(&SessionKey { name: name.into_owned(), ..key.clone() }))
    }

    /// What a server outside the scope listed, if every process that was looked into there is still the same.
    pub(in crate::control) fn listing(&self, key: &ServerKey, standing: impl Fn() -> Arc<StillSame>) -> Option<Server> {
        let sessions = self.scope.keys();
        let concerned = self.scope.servers().contains(key) || sessions.iter().any(|session| session.server_key() == *key);
        let server = self.servers.get(key).filter(|_| !concerned)?;
        let panes = || server.sessions.iter().flat_map(|session| &session.panes);
        let standing = standing();
        panes().filter_map(|pane| pane.pid).all(|pid| self.is_as_it_was(pid, &standing)).then(|| server.clone())
    }

    /// Whether nothing is known of the processes of a pane, or they are still the same.
    fn is_as_it_was(&self, pid: u32, standing: &StillSame) -> bool {
        !self.panes.contains_key(&pid) || standing.contains(pid)
    }

    /// A server's sessions in scope, where it lists each of them and has at most so many; `None` if there is none.
    fn listed_in_scope<'a>(&self, key: &ServerKey, server: &'a Server, most: usize) -> Option<Vec<&'a MuxSession>> {
        let mut listed = Vec::new();
        for session in self.scope.keys().iter().filter(|session| session.server_key() == *key) {
            let before = listed.len();
            listed.extend(sessions_of(server, session));
            if listed.len() == before || listed.len() > most {
                return None;
            }
        }
        (!listed.is_empty()).then_some(listed)
    }

    /// What a server lists where all that happened is that the sessions in scope ended: their processes are gone, the server holds
    /// them no more, and every other pane's processes are as they were. `None`: only a list can tell.
    pub(in crate::control) fn without_lost(
        &self,
        host: &dyn Host,
        key: &ServerKey,
        is_without: impl Fn(u32, &[&MuxSession]) -> bool,
        standing: impl Fn() -> Arc<StillSame>,
    ) -> Option<Server> {
        let server = self.servers.get(key).filter(|_| !self.scope.servers().contains(key))?;
        // A server that lost all its sessions ends.
        let lost = self.listed_in_scope(key, server, usize::MAX).filter(|lost| lost.len() != server.sessions.len())?;
        let pids = |session: &MuxSession| session.panes.iter().map(|pane| pane.pid).collect::<Option<Vec<u32>>>();
        let is_over = |session: &&MuxSession| {
            pids(session).is_some_and(|pids| !pids.is_empty() && pids.iter().all(|pid| host.stat(*pid).is_absent()))
        };
        if !lost.iter().all(is_over) {
            return None;
        }
        let rest = || server.sessions.iter().filter(|session| lost.iter().all(|it| it.id != session.id));
        let others: HashSet<u32> = rest().flat_map(|session| &session.panes).filter_map(|pane| pane.pid).collect();
        // Grouped sessions show one pane several times.
        let is_shared = |session: &&MuxSession| session.panes.iter().any(|pane| others.contains(&pane.pid.unwrap_or_default()));
        if lost.iter().any(is_shared) {
            return None;
        }
        let is_quiet = || {
            let standing = standing();
            others.iter().all(|pid| self.is_as_it_was(*pid, &standing))
        };
        let is_left = is_without(server.pid?, &lost) && is_quiet();
        is_left.then(|| Server { sessions: rest().cloned().collect(), ..server.clone() })
    }

    /// What a server lists where only the sessions in scope are in question: each is asked about by itself, and every other pane's
    /// processes are as they were. `None`: only a list can tell, as where panes have moved between sessions.
    pub(in crate::control) fn with_asked(
        &self,
        key: &ServerKey,
        now_of: impl Fn(u32, &MuxSession) -> Option<MuxSession>,
        standing: impl Fn() -> Arc<StillSame>,
    ) -> Option<Server> {
        let server = self.servers.get(key).filter(|_| !self.scope.servers().contains(key))?;
        let asked = self.listed_in_scope(key, server, MOST_ASKED)?;
        let is_asked = |session: &MuxSession| asked.iter().any(|it| it.id == session.id);
        let standing = standing();
        let pids = |session: &MuxSession| session.panes.iter().filter_map(|pane| pane.pid).collect::<HashSet<u32>>();
        let others: HashSet<u32> =
            server.sessions.iter().filter(|session| !is_asked(session)).flat_map(|it| pids(it)).collect();
        if !others.iter().all(|pid| self.is_as_it_was(*pid, &standing)) {
            return None;
        }
        let mut now = server.clone();
        for session in now.sessions.iter_mut().filter(|session| is_asked(session)) {
            let found = now_of(server.pid?, session)?;
            let (was, is) = (pids(session), pids(&found));
            // A pane that was elsewhere before, or lives and is here no more, is one that somebody moved.
            if is.difference(&was).any(|pid| others.contains(pid)) || was.difference(&is).any(|pid| standing.contains(*pid)) {
                return None;
            }
            *session = Arc::new(found);
        }
        Some(now)
    }

    /// The roles of the processes of the host.
    pub(in crate::control) fn roles(&self) -> &Arc<Roles> {
        &self.roles
    }

    /// What ran in the pane of a process then.
    pub(in crate::control) fn pane(&self, pid: u32) -> Option<&PaneFacts> {
        self.panes.get(&pid).map(Arc::as_ref)
    }

    /// The same, if it does for as long as the process lives.
    pub(in crate::control) fn steady(&self, pid: u32) -> Option<&Arc<PaneFacts>> {
        self.panes.get(&pid).filter(|facts| facts.is_steady())
    }

    /// The panes whose processes are still the same. All that are held are asked about at once, and the others one by one.
    pub(in crate::control) fn standing(&self, host: &dyn Host) -> HashSet<u32> {
        let (mut holds, mut held, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (pid, facts) in &self.panes {
            match facts.witnesses.iter().map(|witness| witness.hold.as_deref()).collect::<Option<Vec<_>>>() {
                Some(of) if !of.is_empty() => {
                    held.push((*pid, of.len()));
                    holds.extend(of);
                }
                _ => others.push((*pid, facts)),
            }
        }
        let mut live = host.live(&holds).into_iter();
        held.retain(|(_, count)| live.by_ref().take(*count).filter(|lives| *lives).count() == *count);
        let stand = spread(&others, |(_, facts)| facts.still_stands(host));
        let others = others.iter().zip(stand).filter(|(_, stands)| *stands).map(|((pid, _), _)| *pid);
        held.iter().map(|(pid, _)| *pid).chain(others).collect()
    }

    /// How many processes are held.
    pub(in crate::control) fn held(&self) -> usize {
        self.panes.values().flat_map(|facts| &facts.witnesses).filter(|witness| witness.hold.is_some()).count()
    }

    /// A transcript that was there.
    pub(in crate::control) fn transcript(&self, key: &TranscriptKey) -> Option<&Transcript> {
        self.transcripts.get(key)
    }

    /// The processes of the panes of the sessions in scope, under the names they have now and those of the last look: a session
    /// may have been renamed since somebody woke us for it.
    pub(in crate::control) fn pids_in_scope(&self, host: &str, servers: &BTreeMap<ServerKey, Fact<Server>>) -> BTreeSet<u32> {
        let ours = self.scope.keys().iter().filter(|key| key.host == host);
        let names: BTreeSet<_> = ours.flat_map(|key| key.names().map(|name| (name, key.server_key()))).collect();
        let mut pids = BTreeSet::new();
        let now = servers.iter().filter_map(|(key, server)| Some((key, server.seen()?)));
        for (key, server) in now.chain(&self.servers) {
            let here = server.sessions.iter().filter(|session| names.contains(&(session.name.as_str().into(), key.clone())));
            pids.extend(here.flat_map(|session| &session.panes).filter_map(|pane| pane.pid));
        }
        pids
    }
}
