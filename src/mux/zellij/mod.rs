//! zellij, 0.44 or newer. All but [`drive`] sends its servers nothing but "are you there?", `list-panes` and
//! `list-clients`.
//!
//! No zellij is started for it (`wire` says why): the socket directory is read, every socket in it is greeted (`sessions`), and the
//! panes of a session are its server's children (`panes`). The list of its panes is asked for only where it adds something:
//! about a session that seems to have lost its agent (`listing`).

pub mod address;
pub mod drive;
mod inside;
mod listing;
mod panes;
mod program;
mod sessions;
mod wire;

use std::path::PathBuf;

use super::{Mux, Titles};
use crate::core::fact::Fact;
use crate::core::ids::MuxKind;
use crate::core::observe::{MuxSession, Pane, Server};
use crate::host::parallel::spread;
use crate::host::{Environ, Host};
pub use inside::{ZellijClient, ZellijTab, clients, tabs};
pub use program::{TooOld, ask_version, version};

/// The zellij adapter.
#[derive(Debug, Clone, Copy)]
pub struct Zellij;

impl Mux for Zellij {
    fn kind(&self) -> MuxKind {
        MuxKind::Zellij
    }

    fn list(&self, host: &dyn Host, env: &Environ, server: &str) -> Fact<Server> {
        match address::base(server, env) {
            Ok(base) => sessions::list(host, &base, address::elsewhere(server, env).as_deref()),
            Err(why) => Fact::Unknown(why),
        }
    }

    /// Where nobody ever started a zellij there is no such directory, and nothing more is asked.
    fn is_searched(&self, env: &Environ) -> bool {
        let directory = address::base(crate::core::ids::ServerKey::DEFAULT, env).map(|base| address::sockets(&base));
        directory.is_ok_and(|directory| std::fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some()))
    }

    fn other_panes(&self, host: &dyn Host, env: &Environ, server: &str, session: &MuxSession) -> Vec<Pane> {
        // A session that did not answer, or has no server yet, is not asked again.
        if session.process.is_none() {
            return Vec::new();
        }
        match listed(host, env, server, session) {
            Ok(listed) => listing::beside(&listed, &session.panes),
            Err(why) => vec![panes::doubt(why)],
        }
    }

    /// Not told: a list is as cheap.
    fn is_without(&self, _: &dyn Host, _: &Environ, _: (&str, u32), _: &[&MuxSession]) -> bool {
        false
    }

    fn titles(&self, host: &dyn Host, env: &Environ, server: &str, sessions: &[&MuxSession]) -> Titles {
        let of = |session: &&MuxSession| {
            let panes = session.process.and_then(|_| listed(host, env, server, session).ok()).map(listing::titles);
            let key = |(pane, title)| ((session.id.clone(), pane), title);
            panes.into_iter().flatten().map(key).collect::<Vec<_>>()
        };
        spread(sessions, of).into_iter().flatten().collect()
    }

    fn directory(&self, env: &Environ, server: &str) -> Option<PathBuf> {
        address::base(server, env).ok().map(|base| address::sockets(&base))
    }

    /// None: each session has a process of its own.
    fn process(&self, _: &dyn Host, _: &Environ, _: &str) -> Option<u32> {
        None
    }
}

/// The panes a session lists.
fn listed(host: &dyn Host, env: &Environ, server: &str, session: &MuxSession) -> Result<Vec<listing::Listed>, String> {
    let socket = address::base(server, env).map(|base| address::sockets(&base).join(&session.name));
    socket.and_then(|socket| wire::list_panes(host, &socket)).and_then(|text| listing::parse(&text))
}
