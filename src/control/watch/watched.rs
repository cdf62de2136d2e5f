//! What the sources have to watch, from what a pass saw. Looks at nothing itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sources::{ServerWatch, Watched};
use crate::agent::{Agents, WatchQuery};
use crate::control::cache::stray_pids;
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use crate::core::manifest::Manifest;
use crate::core::observe::{MuxSession, Observation, Server};
use crate::mux::{tmux, zellij};
use crate::store::paths::StateHome;

/// What matters after a pass.
pub(super) fn watched(world: &Observer, (manifest, state): (&Path, &StateHome), jobs: Option<&Path>, pass: &Pass) -> Watched {
    let seen = pass.observation();
    let mut watched = Watched {
        // Its files are named after processes, as those of a registry are.
        registries: BTreeSet::from([state.hooks()]),
        manifest: manifest.to_owned(),
        resolved: pass.path().to_owned(),
        jobs: jobs.map(Path::to_owned),
        job_sessions: job_sessions(pass),
        declared: pass.manifest().agents.clone(),
        servers: seen
            .servers
            .iter()
            .filter_map(|(key, server)| Some((key.clone(), server_watch(world, key, server)?)))
            .collect(),
        ..Watched::default()
    };
    let mut traces = Traces::default();
    // Where no zellij session is, nobody is asked; that the first one appears is heard of all the same.
    let zellij = ServerKey::default_of(MuxKind::Zellij);
    if !watched.servers.contains_key(&zellij) && zellij::address::is_named(&world.env) {
        watched.servers.extend(server_watch(world, &zellij, &Fact::Absent).map(|watch| (zellij, watch)));
    }
    for (kind, home) in &seen.own_homes {
        traces.add(*kind, home, None);
    }
    for (entry, home) in pass.manifest().sessions.iter().zip(&seen.fallback_homes) {
        if entry.key.host == seen.host && !entry.suspend {
            let cwd = entry.cwd.as_deref().map(|cwd| (Cow::Borrowed(&entry.key), seen.real_path(cwd)));
            traces.add(entry.agent, home, cwd);
        }
    }
    for (server, session) in sessions(seen) {
        let key = server.session_key(&session.name, &seen.host);
        // Where each session has a server of its own, that one's end is the session's.
        if let Some(pid) = session.process {
            watched.processes.entry((pid, 0)).or_default().insert(key.clone());
        }
        for pane in &session.panes {
            let agents = match &pane.agents {
                Fact::Seen(agents) => agents.as_slice(),
                // What could not be read ends all the same.
                Fact::Unknown(_) => &[],
                // A pane that nobody asked about holds nothing of ours.
                Fact::Absent => continue,
            };
            let is_bare = pane.agents.seen().is_some_and(Vec::is_empty) && pane.dead.is_none();
            // zellij's panes are looked at in any case.
            if let Some(pid) = pane.pid.filter(|_| is_bare && server.mux == MuxKind::Tmux) {
                watched.bare.entry(pid).or_default().insert(key.clone());
            }
            let pids = pane.pid.into_iter().chain(agents.iter().map(|agent| agent.process.pid));
            for pid in pids {
                watched.processes.entry((pid, 0)).or_default().insert(key.clone());
            }
            for agent in agents {
                let cwd = agent.cwd.seen().map(|cwd| (Cow::Owned(key.clone()), cwd.as_path()));
                traces.add(agent.kind, &agent.home, cwd);
            }
        }
    }
    strays(&mut watched, pass);
    traces.places(&Agents::with(&pass.manifest().agents), &mut watched, seen);
    transcripts(&mut watched.files, pass.manifest(), seen);
    watched
}

/// Whose traces are left where: many sessions share a home and a workspace, and each is asked about once.
#[derive(Default)]
struct Traces<'a>(HashMap<Spot<'a>, BTreeSet<Cow<'a, SessionKey>>>);

/// An agent, its home, and the workspace, if one is known.
type Spot<'a> = (AgentKind, &'a OsStr, Option<&'a OsStr>);

impl<'a> Traces<'a> {
    /// Notes where an agent leaves its traces; with a session, those of its workspace as well.
    fn add(&mut self, kind: AgentKind, home: &'a Fact<PathBuf>, of: Option<(Cow<'a, SessionKey>, &'a Path)>) {
        let Some(home) = home.seen() else { return };
        let (session, cwd) = of.unzip();
        self.0.entry((kind, home.as_os_str(), cwd.map(Path::as_os_str))).or_default().extend(session);
    }

    fn places(self, agents: &Agents, watched: &mut Watched, seen: &Observation) {
        for ((kind, home, cwd), sessions) in self.0 {
            let Some(adapter) = agents.of(kind) else { continue };
            let places = adapter.watch_dirs(WatchQuery { home: Path::new(home), cwd: cwd.map(Path::new), now: seen.at });
            watched.registries.extend(places.registries);
            for place in places.transcripts {
                watched.files.entry(place).or_default().extend(sessions.iter().map(|session| session.as_ref().clone()));
            }
        }
    }
}

/// What runs in recorded panes that no server shows: of its end nobody else tells.
fn strays(watched: &mut Watched, pass: &Pass) {
    let seen = pass.observation();
    for entry in pass.manifest().sessions.iter().filter(|entry| entry.key.host == seen.host) {
        let Some(pid) = entry.recorded.pane.as_ref().and_then(|pane| pane.pid) else { continue };
        for pid in seen.strays.get(&pid).into_iter().flat_map(|stray| stray_pids(pid, stray)) {
            watched.processes.entry((pid, 0)).or_default().insert(entry.key.clone());
        }
    }
}

/// The entries whose session has a job, and those a job names.
fn job_sessions(pass: &Pass) -> BTreeSet<SessionKey> {
    let jobs = pass.jobs().unwrap_or_default();
    let named: BTreeSet<_> = jobs.iter().filter(|job| !job.status.is_final()).filter_map(|job| job.session()).collect();
    let is_named = |key: &SessionKey| key.names().any(|name| named.contains(&(key.mux, name.as_ref())));
    let entries = pass.manifest().sessions.iter().filter(|entry| {
        entry.key.host == pass.observation().host && (entry.recorded.delegate_job_id.is_some() || is_named(&entry.key))
    });
    entries.map(|entry| entry.key.clone()).collect()
}

fn sessions(seen: &Observation) -> impl Iterator<Item = (&ServerKey, &Arc<MuxSession>)> {
    let servers = seen.servers.iter().filter_map(|(key, server)| Some((key, server.seen()?)));
    servers.flat_map(|(key, server)| server.sessions.iter().map(move |session| (key, session)))
}

fn server_watch(world: &Observer, key: &ServerKey, server: &Fact<Server>) -> Option<ServerWatch> {
    let socket = match key.mux {
        MuxKind::Tmux => tmux::address::socket(&key.server, &world.env).ok()?,
        // The directory of its sockets: each session has one.
        MuxKind::Zellij => zellij::address::sockets(&zellij::address::base(&key.server, &world.env).ok()?),
    };
    let seen = server.seen();
    Some(ServerWatch { socket, pid: seen.and_then(|server| server.pid) })
}

/// The transcripts of recorded conversations.
fn transcripts(files: &mut BTreeMap<PathBuf, BTreeSet<SessionKey>>, manifest: &Manifest, seen: &Observation) {
    let mut owners: BTreeMap<&str, Vec<&SessionKey>> = BTreeMap::new();
    for session in &manifest.sessions {
        if let Some(id) = &session.recorded.session_id {
            owners.entry(id.as_str()).or_default().push(&session.key);
        }
    }
    for (key, transcript) in &seen.transcripts {
        let Some(owners) = owners.get(key.id.as_str()) else { continue };
        if let Fact::Seen(transcript) = transcript {
            files.entry(transcript.path.clone()).or_default().extend(owners.iter().map(|owner| (*owner).clone()));
        }
    }
}
