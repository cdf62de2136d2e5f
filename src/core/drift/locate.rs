//! Where an entry's session and agent are. Decides from panes and processes alone; never looks at conversations except to
//! recognise a renamed session.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::Inputs;
use super::presence::{LiveAgent, Presence};
use crate::core::fact::Fact;
use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::manifest::{Manifest, Session, Status};
use crate::core::observe::{Agent, MuxSession, Observation, Pane};

/// An agent that is alive in a pane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LiveAgentRef<'a> {
    /// The session it is in.
    pub(super) session: &'a Arc<MuxSession>,
    /// Its pane.
    pub(super) pane: &'a Arc<Pane>,
    /// The agent.
    pub(super) agent: &'a Arc<Agent>,
}

impl LiveAgentRef<'_> {
    /// The same, to keep.
    pub(super) fn keep(self) -> LiveAgent {
        LiveAgent { session: Arc::clone(self.session), pane: Arc::clone(self.pane), agent: Arc::clone(self.agent) }
    }
}

/// How an entry's session stands in the world, while it is judged. A verdict keeps it as a [`Presence`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PresenceRef<'a> {
    /// It is unknown, and why.
    Unknown(String),
    /// Its server is not there, or answered without it.
    Absent {
        /// What was seen, one line.
        how: String,
    },
    /// The session is alive, its agent is not in it.
    NoAgent {
        /// The session.
        session: &'a Arc<MuxSession>,
        /// What is there instead, one line.
        instead: String,
    },
    /// Several processes could be its agent.
    Several {
        /// The session.
        session: &'a Arc<MuxSession>,
        /// The agents.
        candidates: Vec<LiveAgentRef<'a>>,
    },
    /// The session is alive with its agent.
    Alive(LiveAgentRef<'a>),
}

impl<'a> PresenceRef<'a> {
    /// The agent, or those that could be it.
    pub(super) fn agents(&self) -> &[LiveAgentRef<'a>] {
        match self {
            Self::Alive(live) => std::slice::from_ref(live),
            Self::Several { candidates, .. } => candidates,
            Self::Unknown(_) | Self::Absent { .. } | Self::NoAgent { .. } => &[],
        }
    }

    /// Whether the session is alive with its agent, be it one or several.
    pub(super) fn has_agent(&self) -> bool {
        matches!(self, Self::Alive(_) | Self::Several { .. })
    }

    /// The agent, if it is exactly one.
    pub(super) fn live(&self) -> Option<LiveAgentRef<'a>> {
        match self {
            Self::Alive(live) => Some(*live),
            _ => None,
        }
    }

    /// The same, to keep.
    pub(super) fn keep(&self) -> Presence {
        match self {
            Self::Unknown(why) => Presence::Unknown(why.clone()),
            Self::Absent { how } => Presence::Absent { how: how.clone() },
            Self::NoAgent { session, instead } => Presence::NoAgent { session: Arc::clone(session), instead: instead.clone() },
            Self::Several { session, candidates } => Presence::Several {
                session: Arc::clone(session),
                candidates: candidates.iter().map(|live| live.keep()).collect(),
            },
            Self::Alive(live) => Presence::Alive(live.keep()),
        }
    }
}

/// Why a pane's agents are not known: a process could not be read, or nobody looked.
fn unread(pane: &Arc<Pane>) -> Option<String> {
    match &pane.agents {
        Fact::Seen(_) => None,
        Fact::Unknown(why) => Some(why.clone()),
        Fact::Absent => Some(format!("pane {} was not looked at", pane.id)),
    }
}

/// Every agent in a session.
pub(super) fn agents_of(session: &Arc<MuxSession>) -> impl Iterator<Item = LiveAgentRef<'_>> {
    session.panes.iter().flat_map(move |pane| {
        let agents = pane.agents.seen().map_or(&[][..], Vec::as_slice);
        agents.iter().map(move |agent| LiveAgentRef { session, pane, agent })
    })
}

/// Whether a pane is the recorded one, by id and pid.
pub(super) fn is_recorded_pane(entry: &Session, pane: &Pane) -> bool {
    entry.recorded.pane.as_ref().is_some_and(|recorded| {
        recorded.id.as_deref() == Some(pane.id.as_str()) && recorded.pid.is_some() && recorded.pid == pane.pid
    })
}

/// What a session without its agent holds, one line.
fn what_is_there(session: &Arc<MuxSession>) -> String {
    let others = agents_of(session).map(|live| format!("{} runs there", live.agent.kind));
    let panes = session.panes.iter().map(|pane| match &pane.dead {
        Some(how) => format!("pane {} is dead ({how})", pane.id),
        // More than a name: what it is stands in it.
        None if pane.runs.contains(' ') => format!("a {} in pane {}", pane.runs, pane.id),
        None => format!("a bare {} in pane {}", pane.runs, pane.id),
    });
    let mut seen: Vec<String> = others.collect();
    if seen.is_empty() {
        seen = panes.collect();
    }
    seen.dedup();
    match seen.len() {
        0 => "no pane".to_owned(),
        1..=3 => seen.join(", "),
        more => format!("{} and {} more panes", seen[..2].join(", "), more - 2),
    }
}

/// Why nobody can tell whether an entry's session is the one that is listed so.
pub(super) fn remade(listed: &str) -> String {
    format!(
        "tmux puts something into a name with `#{{…}}`, `#(…)` or `#S`, and {listed:?} may be what came of it; give the entry the \
         name that tmux lists"
    )
}

/// A session that nobody declared on a server that answered.
#[derive(Debug, Clone)]
pub(super) struct Undeclared<'a> {
    /// Its key.
    pub(super) key: SessionKey,
    /// The session.
    pub(super) session: &'a Arc<MuxSession>,
}

/// The observed sessions by server and name, so that a thousand entries cost a thousand look-ups.
pub(super) struct SessionIndex<'a> {
    world: Inputs<'a>,
    observation: &'a Observation,
    by_name: HashMap<(&'a ServerKey, &'a str), &'a Arc<MuxSession>>,
}

impl<'a> SessionIndex<'a> {
    /// The index of an observation.
    pub(super) fn new(world: &Inputs<'a>) -> Self {
        let observation = world.observation;
        let mut by_name = HashMap::new();
        for (key, fact) in &observation.servers {
            for session in fact.seen().map_or(&[][..], |server| &server.sessions) {
                by_name.insert((key, session.name.as_str()), session);
            }
        }
        Self { world: *world, observation, by_name }
    }

    /// The session of a key on its server, or on that server under another name of it.
    fn session(&self, server: &ServerKey, key: &SessionKey) -> Option<&'a Arc<MuxSession>> {
        key.names().find_map(|name| self.by_name.get(&(server, name.as_ref())).copied())
    }

    /// Where the session of an entry is.
    pub(super) fn locate(&self, entry: &Session) -> PresenceRef<'a> {
        let key = entry.key.server_key();
        let Some((key, server)) = self.observation.servers.get_key_value(&key) else {
            return PresenceRef::Unknown(format!("{key} was not looked at"));
        };
        match server {
            Fact::Unknown(why) => PresenceRef::Unknown(why.clone()),
            Fact::Absent => {
                let how = format!("no server on {key}");
                let doubt = match key.mux {
                    MuxKind::Tmux => "is TMUX_TMPDIR the same here?",
                    MuxKind::Zellij => "are ZELLIJ_SOCKET_DIR and XDG_RUNTIME_DIR the same here?",
                };
                self.missing(entry, how, doubt)
            }
            Fact::Seen(server) => match (self.session(key, &entry.key), &server.unlisted) {
                (Some(session), _) => self.in_session(entry, session),
                (None, Some(why)) => PresenceRef::Unknown(why.clone()),
                (None, None) => {
                    let how = format!("{key} answered without it");
                    self.missing(entry, how, "did another server take this socket over?")
                }
            },
        }
    }

    /// A session that may be an entry's although its name is another, because nobody can tell what tmux made of the entry's.
    pub(super) fn possible_name(&self, entry: &Session) -> Option<&'a str> {
        // Once for all sessions: an entry that is not found is one of a thousand.
        let frame = entry.key.frame()?;
        let server = self.observation.servers.get(&entry.key.server_key())?.seen()?;
        server.sessions.iter().map(|session| session.name.as_str()).find(|name| frame.fits(name))
    }

    /// A session that is not where its entry says is absent, unless it may be out of sight, or the process of its recorded pane is
    /// alive with the agent on a terminal and no server accounts for it: somebody holds that terminal.
    fn missing(&self, entry: &Session, how: String, doubt: &str) -> PresenceRef<'a> {
        if let Some(why) = self.out_of_sight(entry) {
            return PresenceRef::Unknown(format!("{how}, but {why}"));
        }
        let pid = entry.recorded.pane.as_ref().and_then(|pane| pane.pid);
        match pid.and_then(|pid| self.observation.strays.get(&pid)) {
            Some(Fact::Seen(stray)) if stray.has_terminal && stray.agents.iter().any(|(kind, _)| *kind == entry.agent) => {
                let pid = stray.process.pid;
                let agent = entry.agent;
                PresenceRef::Unknown(format!(
                    "{how}, but its recorded pane process {pid} still runs {agent} on a terminal; {doubt}"
                ))
            }
            Some(Fact::Unknown(why)) => PresenceRef::Unknown(why.clone()),
            _ => PresenceRef::Absent { how },
        }
    }

    /// Why a session that is not found may be there all the same: what can be seen here is not that among which it was last seen
    /// alive. The same directory shows the same sockets, from wherever one looks.
    fn out_of_sight(&self, entry: &Session) -> Option<&'static str> {
        if entry.recorded.status != Some(Status::Running) {
            return None;
        }
        let (here, server) = (&self.observation.vantage, entry.key.server_key());
        let memory = self.world.remembered(entry);
        let boot = self.observation.boot.seen();
        if memory.and_then(|it| it.boot_id.as_ref()).zip(boot).is_some_and(|(then, now)| *then != now.id) {
            return None;
        }
        let directory = here.directories.get(&server);
        let is_guest = here.is_guest && !std::path::Path::new(&server.server).is_absolute();
        let then = memory.and_then(|memory| memory.seen_from.as_ref());
        if then.is_some_and(|then| directory.is_some() && directory == then.directory.as_ref()) {
            return None;
        }
        if is_guest {
            return Some("the manifest belongs to another user, whose servers have other sockets; run headcount as that user");
        }
        match then {
            Some(then) if here.pids.as_ref() != Some(&then.pids) => Some(
                "it was last seen alive from another PID namespace (a container, a sandbox, or outside of this one), where the \
                 sockets are others; run headcount where the server runs",
            ),
            // A namespace may have the number of one of an earlier boot.
            Some(_) if memory.is_some_and(|memory| memory.boot_id.is_some()) => None,
            Some(_) | None => {
                // Its pane was recorded by somebody who saw it, and that was not here.
                let is_known_elsewhere = here.is_partial() && entry.recorded.pane.is_some();
                let has_no_place = directory.is_none() && self.observation.servers.get(&server).is_some_and(Fact::is_absent);
                (is_known_elsewhere && has_no_place).then_some(
                    "this is a container or a sandbox (a PID namespace of its own) without the directory of its socket, and its \
                     pane was recorded elsewhere; run headcount where the server runs",
                )
            }
        }
    }

    /// The sessions of observed servers that no entry names. A server, or a session with a process of its own, that is known
    /// under two names is one.
    pub(super) fn undeclared(&self, manifest: &Manifest) -> Vec<Undeclared<'a>> {
        let mut canonical: HashMap<&ServerKey, &ServerKey> = HashMap::new();
        let mut by_pid: HashMap<(MuxKind, u32), &ServerKey> = HashMap::new();
        for (key, fact) in &self.observation.servers {
            let pid = fact.seen().and_then(|server| server.pid);
            let first = pid.map_or(key, |pid| by_pid.entry((key.mux, pid)).or_insert(key));
            canonical.insert(key, first);
        }
        let declared: HashSet<(&ServerKey, &str)> = manifest
            .entries()
            .filter(|entry| entry.key.host == self.observation.host)
            .filter_map(|entry| {
                let server = *canonical.get(&entry.key.server_key())?;
                let session = self.session(server, &entry.key);
                Some((server, session.map_or(entry.key.name.as_str(), |session| session.name.as_str())))
            })
            .collect();
        let located = manifest.entries().filter(|entry| entry.key.host == self.observation.host).filter_map(|entry| {
            let (key, _) = self.observation.servers.get_key_value(&entry.key.server_key())?;
            self.session(key, &entry.key)?.process
        });
        let mut processes: HashSet<u32> = located.collect();
        let mut found = Vec::new();
        for (key, fact) in &self.observation.servers {
            let Fact::Seen(server) = fact else { continue };
            if canonical.get(key) != Some(&key) {
                continue;
            }
            for session in server.sessions.iter().filter(|session| !declared.contains(&(key, session.name.as_str()))) {
                if session.process.is_some_and(|process| !processes.insert(process)) {
                    continue;
                }
                let key = key.session_key(&session.name, &self.observation.host);
                found.push(Undeclared { key, session });
            }
        }
        found
    }

    /// The agent of an entry in its session: the only one of its kind; of several the one in the recorded pane, else the only
    /// one that works in the entry's directory.
    fn in_session(&self, entry: &Session, session: &'a Arc<MuxSession>) -> PresenceRef<'a> {
        let candidates = agents_of(session).filter(|live| live.agent.kind == entry.agent).collect::<Vec<_>>();
        let mut recorded = candidates.iter().filter(|live| is_recorded_pane(entry, live.pane));
        match (recorded.next(), recorded.next()) {
            (Some(live), None) => return PresenceRef::Alive(*live),
            (Some(_), Some(_)) => return PresenceRef::Several { session, candidates },
            (None, _) => {}
        }
        if let Some(why) = session.panes.iter().find_map(unread) {
            return PresenceRef::Unknown(why);
        }
        match candidates.as_slice() {
            // What could not be read beside another agent may be the one that is missing.
            [] => match session.panes.iter().find_map(|pane| pane.unread.clone()) {
                Some(why) => PresenceRef::Unknown(why),
                None => PresenceRef::NoAgent { session, instead: what_is_there(session) },
            },
            [live] => PresenceRef::Alive(*live),
            _ => {
                let workspace = entry.cwd.as_deref().map(|cwd| self.observation.real_path(cwd));
                let at_home =
                    |live: &&LiveAgentRef<'_>| workspace.is_some() && live.agent.cwd.seen().map(PathBuf::as_path) == workspace;
                let mut home = candidates.iter().filter(at_home);
                match (home.next(), home.next()) {
                    (Some(live), None) => PresenceRef::Alive(*live),
                    _ => PresenceRef::Several { session, candidates },
                }
            }
        }
    }
}
