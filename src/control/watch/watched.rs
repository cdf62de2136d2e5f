//! What the sources have to watch, from what a pass saw. Looks at nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::sources::{ServerWatch, Watched};
use crate::agent::{self, Where};
use crate::control::observe::World;
use crate::control::pass::Pass;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use crate::core::manifest::Manifest;
use crate::core::observe::{MuxSession, Observation, Server};
use crate::mux::tmux::address::socket;

/// What matters after a pass.
pub(super) fn watched(world: &World, manifest: &Path, jobs: Option<&Path>, pass: &Pass) -> Watched {
    let seen = pass.observation();
    let mut watched = Watched {
        manifest: manifest.to_owned(),
        resolved: pass.path().to_owned(),
        jobs: jobs.map(Path::to_owned),
        job_sessions: job_sessions(pass),
        servers: seen
            .servers
            .iter()
            .filter_map(|(key, server)| Some((key.clone(), server_watch(world, key, server)?)))
            .collect(),
        ..Watched::default()
    };
    for (kind, home) in &seen.own_homes {
        places(&mut watched, seen, *kind, home, None);
    }
    for (entry, home) in pass.manifest().sessions.iter().zip(&seen.fallback_homes) {
        if entry.key.host == seen.host && !entry.suspend {
            let cwd = entry.cwd.as_deref().map(|cwd| (&entry.key, seen.real_path(cwd)));
            places(&mut watched, seen, entry.agent, home, cwd);
        }
    }
    for (server, session) in sessions(seen) {
        let key =
            SessionKey { name: session.name.clone(), mux: server.mux, server: server.server.clone(), host: seen.host.clone() };
        for pane in &session.panes {
            // A pane that nobody asked about holds nothing of ours.
            let Fact::Seen(agents) = &pane.agents else { continue };
            let pids = pane.pid.into_iter().chain(agents.iter().map(|agent| agent.process.pid));
            for pid in pids {
                watched.processes.entry((pid, 0)).or_default().insert(key.clone());
            }
            for agent in agents {
                let cwd = agent.cwd.seen().map(|cwd| (&key, cwd.as_path()));
                places(&mut watched, seen, agent.kind, &agent.home, cwd);
            }
        }
    }
    transcripts(&mut watched.files, pass.manifest(), seen);
    watched
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

fn sessions(seen: &Observation) -> impl Iterator<Item = (&ServerKey, &MuxSession)> {
    let servers = seen.servers.iter().filter_map(|(key, server)| Some((key, server.seen()?)));
    servers.flat_map(|(key, server)| server.sessions.iter().map(move |session| (key, session)))
}

fn server_watch(world: &World, key: &ServerKey, server: &Fact<Server>) -> Option<ServerWatch> {
    let socket = match key.mux {
        MuxKind::Tmux => socket(&key.server, &world.env).ok()?,
        MuxKind::Zellij => return None,
    };
    let seen = server.seen();
    Some(ServerWatch {
        socket,
        pid: seen.and_then(|server| server.pid),
        attachable: seen.and_then(|server| Some(server.sessions.first()?.id.clone())),
    })
}

/// Notes where an agent leaves its traces; with a session, those of its workspace as well.
fn places(watched: &mut Watched, seen: &Observation, kind: AgentKind, home: &Fact<PathBuf>, of: Option<(&SessionKey, &Path)>) {
    let Some(home) = home.seen() else { return };
    let places = agent::of(kind).places(Where { home, cwd: of.map(|(_, cwd)| cwd), now: seen.at });
    watched.registries.extend(places.registries);
    for place in places.transcripts {
        watched.files.entry(place).or_default().extend(of.map(|(session, _)| session.clone()));
    }
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
