//! tmux, 3.2 or newer. Lists servers; all but [`drive`] and [`typing`] only asks: for lists,
//! with `display-message -p` for what a server says of itself, and with `capture-pane -p` for what somebody wants to read.

pub mod address;
mod command;
pub mod control;
pub mod drive;
pub mod panes;
mod probe;
mod rows;
pub mod typing;

use std::path::{Path, PathBuf};

use super::{Mux, Titles};
use crate::core::fact::Fact;
use crate::core::ids::MuxKind;
use crate::core::observe::{MuxSession, Pane, Server};
use crate::host::{Environ, Host, Listener};

/// Why headcount does not work with the program that would begin a server; `None`: it does.
pub fn refusal(host: &dyn Host) -> Option<String> {
    probe::refusal(host)
}

/// The tmux adapter.
#[derive(Debug, Clone, Copy)]
pub struct Tmux;

impl Mux for Tmux {
    fn kind(&self) -> MuxKind {
        MuxKind::Tmux
    }

    fn list(&self, host: &dyn Host, env: &Environ, server: &str) -> Fact<Server> {
        match address::socket(server, env) {
            Ok(socket) => probe::list(host, &socket),
            Err(why) => Fact::Unknown(why),
        }
    }

    fn is_searched(&self, _: &Environ) -> bool {
        true
    }

    /// None: `list-panes` shows dead panes as well.
    fn other_panes(&self, _: &dyn Host, _: &Environ, _: &str, _: &MuxSession) -> Vec<Pane> {
        Vec::new()
    }

    fn is_without(&self, host: &dyn Host, env: &Environ, (server, pid): (&str, u32), sessions: &[&MuxSession]) -> bool {
        address::socket(server, env).is_ok_and(|socket| probe::is_without(host, &socket, pid, sessions))
    }

    fn session(&self, host: &dyn Host, env: &Environ, (server, pid): (&str, u32), session: &MuxSession) -> Option<MuxSession> {
        probe::session(host, &address::socket(server, env).ok()?, pid, session)
    }

    fn titles(&self, host: &dyn Host, env: &Environ, server: &str, _: &[&MuxSession]) -> Titles {
        address::socket(server, env).ok().and_then(|socket| probe::titles(host, &socket)).unwrap_or_default()
    }

    fn directory(&self, env: &Environ, server: &str) -> Option<PathBuf> {
        address::socket(server, env).ok()?.parent().map(Path::to_path_buf)
    }

    fn process(&self, host: &dyn Host, env: &Environ, server: &str) -> Option<u32> {
        match host.listener(&address::socket(server, env).ok()?) {
            Listener::Listening(peer) => peer.pid(),
            Listener::Nobody | Listener::Unreachable | Listener::Unknown(_) => None,
        }
    }
}
