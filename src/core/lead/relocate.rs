//! Whether a session may live on another server, as far as that server and the manifest say. Pure.

use super::action::{BlockCode, Blocked};
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::manifest::{Manifest, Session};
use crate::core::observe::Server;
use crate::core::text::printable;

/// What keeps an entry's session from being the one of another key, on a server that was just looked at.
pub fn kept_from(manifest: &Manifest, host: &str, entry: &Session, to: &SessionKey, there: &Fact<Server>) -> Option<Blocked> {
    let blocked = |code, message: String| Some(Blocked::new(code, message));
    if entry.key.host != host {
        return blocked(BlockCode::Elsewhere, format!("it is on host {}; move it there", printable(&entry.key.host)));
    }
    if let Some(doubt) = &entry.doubt {
        return blocked(BlockCode::Unknown, doubt.why.clone());
    }
    let spelled = |key: &SessionKey| (key.host.clone(), key.server_key(), key.mux.spelling(&key.name).into_owned());
    let is_taken = |other: &&Session| other.index != entry.index && spelled(&other.key) == spelled(to);
    if let Some(other) = manifest.entries().find(is_taken) {
        return blocked(BlockCode::ForeignName, format!("{} has an entry already", printable(&other.key.to_string())));
    }
    match there {
        Fact::Unknown(why) => blocked(BlockCode::Unknown, why.clone()),
        Fact::Absent => None,
        Fact::Seen(server) => {
            let is_its = |name: &str| to.names().any(|known| known == name);
            let there = server.sessions.iter().any(|session| is_its(&session.name));
            let message = || format!("a session called {} runs on that server already", printable(&to.name));
            there.then(|| Blocked::new(BlockCode::ForeignName, message()))
        }
    }
}
