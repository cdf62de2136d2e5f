//! What matters after a pass: the files, servers and processes whose change may change a verdict. Reads values only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::sources::{ServerWatch, Watched};
use crate::agent::{self, Where};
use crate::control::observe::World;
use crate::control::pass::Pass;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use crate::core::observe::Observation;
use crate::mux::tmux;

/// What to watch from now on.
pub(super) fn after(world: &World, manifest: &Path, pass: &Pass) -> Watched {
    let observation = pass.observation();
    let mut watched = Watched {
        manifest: manifest.to_path_buf(),
        resolved: pass.resolved().to_path_buf(),
        ..Watched::default()
    };
    servers(world, observation, &mut watched);
    for (key, fact) in &observation.servers {
        for session in fact.seen().map_or(&[][..], |server| &server.sessions) {
            let ServerKey { mux, server } = key.clone();
            let session_key = SessionKey { name: session.name.clone(), mux, server, host: observation.host.clone() };
            for pane in &session.panes {
                // Of panes nobody asked about, no process matters.
                let Fact::Seen(agents) = &pane.agents else { continue };
                let pids = pane.pid.into_iter().chain(agents.iter().map(|agent| agent.process.pid));
                for pid in pids {
                    watched.processes.entry((pid, 0)).or_default().insert(session_key.clone());
                }
                for agent in agents {
                    let cwd = agent.cwd.seen().map(PathBuf::as_path);
                    note(&mut watched, agent.kind, agent.home.seen(), cwd, observation, &session_key);
                }
            }
        }
    }
    for (entry, home) in pass.manifest().sessions.iter().zip(&observation.fallback_homes) {
        if entry.key.host == observation.host && !entry.suspend {
            let cwd = entry.cwd.as_deref().map(|cwd| observation.real_path(cwd));
            note(&mut watched, entry.agent, home.seen(), cwd, observation, &entry.key);
        }
    }
    watched
}

fn servers(world: &World, observation: &Observation, watched: &mut Watched) {
    for (key, fact) in observation.servers.iter().filter(|(key, _)| key.mux == MuxKind::Tmux) {
        let Ok(socket) = tmux::address::socket(&key.server, &world.env) else { continue };
        let server = fact.seen();
        let watch = ServerWatch {
            socket,
            pid: server.and_then(|server| server.pid),
            attachable: server.and_then(|server| Some(server.sessions.first()?.id.clone())),
        };
        watched.servers.insert(key.clone(), watch);
    }
}

/// Notes where an agent's traces would show.
fn note(
    watched: &mut Watched,
    kind: AgentKind,
    home: Option<&PathBuf>,
    cwd: Option<&Path>,
    observation: &Observation,
    session: &SessionKey,
) {
    let Some(home) = home else { return };
    let places = agent::of(kind).places(Where { home, cwd, now: observation.at });
    watched.registries.extend(places.registries);
    for directory in places.transcripts {
        watched.files.entry(directory).or_insert_with(BTreeSet::new).insert(session.clone());
    }
}
