//! One pane by its id, whatever the manifest says: the sessions that show it, and what runs in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::panes::Inspector;
use super::{Observer, ask_now, fill};
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{ServerKey, SessionKey};
use crate::core::observe::{MuxSession, Pane, Server};

/// A pane, and a session that shows it.
pub(in crate::control) type ShownPane = (Arc<MuxSession>, Arc<Pane>);

/// The server with only the sessions that show a pane of this id, and what runs there. Grouped sessions show one pane, and zellij
/// counts panes in each session anew: several need not be one.
pub(in crate::control) fn panes(
    world: &Observer,
    declared: &Declared,
    key: &ServerKey,
    id: &str,
) -> Fact<(Server, Vec<ShownPane>)> {
    let mut server = match ask_now(world, key) {
        Fact::Seen(server) => server,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    server.sessions.retain(|session| session.panes.iter().any(|pane| pane.id == id));
    let inspector = Inspector::new(world, declared);
    let standing = inspector.still_standing();
    let meant = server.sessions.iter().flat_map(|session| &session.panes).filter(|pane| pane.id == id && pane.dead.is_none());
    let pids: BTreeSet<u32> = meant.filter_map(|pane| pane.pid).collect();
    let facts = inspector.panes(pids.iter().copied(), &standing, &pids);
    let mut servers = BTreeMap::from([(key.clone(), Fact::Seen(server))]);
    fill(&mut servers, &facts);
    inspector.count_peers(&mut servers);
    let Some(Fact::Seen(server)) = servers.remove(key) else { return Fact::Absent };
    let shown = server.sessions.iter().filter_map(|session| {
        let pane = session.panes.iter().find(|pane| pane.id == id)?;
        Some((Arc::clone(session), Arc::clone(pane)))
    });
    let shown = shown.collect();
    Fact::Seen((server, shown))
}

/// A server, as it is now.
pub(in crate::control) fn server(world: &Observer, key: &ServerKey) -> Fact<Server> {
    ask_now(world, key)
}

/// A session by its name, with the process that serves it.
pub(in crate::control) fn session(world: &Observer, key: &SessionKey) -> Fact<(Arc<MuxSession>, u32)> {
    let server = match ask_now(world, &key.server_key()) {
        Fact::Seen(server) => server,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let Some(session) = server.sessions.iter().find(|session| key.names().any(|name| name == session.name)) else {
        return Fact::Absent;
    };
    match session.served_by(Some(&server)) {
        Some(process) => Fact::Seen((Arc::clone(session), process)),
        None => Fact::Unknown("the process of its server cannot be told".to_owned()),
    }
}

/// A session by its name, with what runs in each of its panes.
pub(in crate::control) fn occupied(world: &Observer, declared: &Declared, key: &SessionKey) -> Fact<Arc<MuxSession>> {
    let mut server = match ask_now(world, &key.server_key()) {
        Fact::Seen(server) => server,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    server.sessions.retain(|session| session.name == key.name);
    match (server.sessions.is_empty(), &server.unlisted) {
        (true, Some(why)) => return Fact::Unknown(why.clone()),
        (true, None) => return Fact::Absent,
        (false, _) => {}
    }
    let inspector = Inspector::new(world, declared);
    let standing = inspector.still_standing();
    let panes = server.sessions.iter().flat_map(|session| &session.panes).filter(|pane| pane.dead.is_none());
    let pids: BTreeSet<u32> = panes.filter_map(|pane| pane.pid).collect();
    let facts = inspector.panes(pids.iter().copied(), &standing, &pids);
    let mut servers = BTreeMap::from([(key.server_key(), Fact::Seen(server))]);
    fill(&mut servers, &facts);
    let Some(Fact::Seen(server)) = servers.remove(&key.server_key()) else { return Fact::Absent };
    server.sessions.first().cloned().map_or(Fact::Absent, Fact::Seen)
}
