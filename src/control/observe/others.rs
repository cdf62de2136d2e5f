//! The panes a multiplexer tells only when asked about one session: looked up where a running entry's agent is in none of the
//! others. Decides nothing.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Observer;
use crate::core::fact::Fact;
use crate::core::ids::ServerKey;
use crate::core::manifest::{Session, Status};
use crate::core::observe::{MuxSession, Pane, Server};
use crate::host::parallel::alongside;
use crate::mux;

/// How many sessions are asked about at a time: each may cost a program.
const AT_A_TIME: usize = 4;

/// Asks about every session that seems to have lost its agent.
pub(super) fn ask(world: &Observer, local: &[&Session], servers: &mut BTreeMap<ServerKey, Fact<Server>>) {
    let mut lost: Vec<(&Session, &mut MuxSession)> = Vec::new();
    for (key, server) in servers {
        let Fact::Seen(server) = server else { continue };
        let entries = OnceCell::new();
        // An agent nearly always stands in its session, so hardly any server needs the entries' names.
        for session in server.sessions.iter_mut().filter(|session| session.panes.iter().all(|pane| holds_nothing(pane))) {
            let entries = entries.get_or_init(|| running(local, key));
            if let Some(entry) = entries.get(session.name.as_str()) {
                lost.push((entry, Arc::make_mut(session)));
            }
        }
    }
    for some in lost.chunks_mut(AT_A_TIME) {
        std::thread::scope(|scope| {
            for (entry, session) in some {
                alongside(scope, || {
                    let mux = mux::of(entry.key.mux);
                    let others = mux.other_panes(world.host.as_ref(), &world.env, &entry.key.server, session);
                    // What was told of an earlier look may be here already.
                    session.panes.retain(|pane| pane.pid.is_some());
                    session.panes.extend(others.into_iter().map(Arc::new));
                });
            }
        });
    }
}

/// The running entries of a server, by the names their sessions may have.
fn running<'a>(local: &[&'a Session], server: &ServerKey) -> HashMap<String, &'a Session> {
    let is_running = |entry: &&&'a Session| {
        entry.key.mux == server.mux
            && entry.key.server == server.server
            && matches!(entry.recorded.status, None | Some(Status::Running))
            && !entry.suspend
    };
    let named = |entry: &&'a Session| entry.key.names().map(|name| (name.into_owned(), *entry)).collect::<Vec<_>>();
    local.iter().filter(is_running).flat_map(named).collect()
}

/// Whether a pane was looked into and no agent is in it.
fn holds_nothing(pane: &Pane) -> bool {
    pane.unread.is_none() && pane.agents.seen().is_some_and(Vec::is_empty)
}
