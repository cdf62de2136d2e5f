//! Multiplexer adapters. They list; only what is called `drive` makes anything, and only what is called `typing` types.

pub mod drive;
pub(crate) mod screen;
pub mod tmux;
pub mod typing;
pub mod zellij;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::core::fact::Fact;
use crate::core::ids::MuxKind;
use crate::core::observe::{MuxSession, Pane, Server};
use crate::host::{Environ, Host};

/// The titles that panes show, by the ids of session and pane; raw text from outside.
pub type Titles = BTreeMap<(String, String), String>;

/// A kind of multiplexer.
pub trait Mux: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> MuxKind;

    /// What a server holds; the panes come with [`Fact::Absent`] agents, that is, not yet asked about, or with
    /// [`Fact::Unknown`] if it is unknown what runs in them. `Absent`: the server does not run. `Unknown`: it could not be
    /// told, with the reason. `server` is spelled as in a manifest.
    fn list(&self, host: &dyn Host, env: &Environ, server: &str) -> Fact<Server>;

    /// Whether the default server is looked at although no entry names it, because sessions without an entry may be there.
    /// Cheap: no program is started to find out.
    fn is_searched(&self, env: &Environ) -> bool;

    /// The panes of a listed session that [`Mux::list`] did not show because they cost more to ask for: those kept although
    /// their process has ended, and one with [`Fact::Unknown`] agents for whatever casts doubt on the list. Asked only about
    /// a session that seems to have lost its agent.
    fn other_panes(&self, host: &dyn Host, env: &Environ, server: &str, session: &MuxSession) -> Vec<Pane>;

    /// Whether a server answers, is this process, and holds none of these sessions, neither by identity nor by name: where that
    /// costs less than a list. `false` says nothing.
    fn is_without(&self, host: &dyn Host, env: &Environ, server: (&str, u32), sessions: &[&MuxSession]) -> bool;

    /// A listed session as a server that is this process lists it by now, under the same name: where that costs less than a list.
    /// `None` says nothing.
    fn session(&self, host: &dyn Host, env: &Environ, server: (&str, u32), session: &MuxSession) -> Option<MuxSession> {
        let _ = (host, env, server, session);
        None
    }

    /// The titles that the panes of these sessions show, and perhaps those of others. What cannot be told is left out.
    fn titles(&self, host: &dyn Host, env: &Environ, server: &str, sessions: &[&MuxSession]) -> Titles;

    /// The directory the sockets of a server are in, whether or not it is there; `None` if that cannot be told.
    fn directory(&self, env: &Environ, server: &str) -> Option<PathBuf>;

    /// The process of a server, where that can be told without waiting for an answer.
    fn process(&self, host: &dyn Host, env: &Environ, server: &str) -> Option<u32>;
}

/// The adapter of a multiplexer.
pub fn of(kind: MuxKind) -> &'static dyn Mux {
    match kind {
        MuxKind::Tmux => &tmux::Tmux,
        MuxKind::Zellij => &zellij::Zellij,
    }
}
