//! Multiplexer adapters. They list; they never start, stop or type into anything.

pub mod tmux;
mod zellij;

use crate::core::fact::Fact;
use crate::core::ids::MuxKind;
use crate::core::observe::Server;
use crate::host::{Environ, Host};

pub use zellij::Zellij;

/// A kind of multiplexer.
pub trait Mux: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> MuxKind;

    /// What a server holds; the panes come with [`Fact::Absent`] agents, that is, not yet asked about. `Absent`: the server
    /// does not run. `Unknown`: it could not be told, with the reason. `server` is spelled as in a manifest.
    fn list(&self, host: &dyn Host, env: &Environ, server: &str) -> Fact<Server>;

    /// The process of a server, where that can be told without waiting for an answer.
    fn process(&self, host: &dyn Host, env: &Environ, server: &str) -> Option<u32>;
}

/// The adapter of a multiplexer.
pub fn of(kind: MuxKind) -> &'static dyn Mux {
    match kind {
        MuxKind::Tmux => &tmux::Tmux,
        MuxKind::Zellij => &Zellij,
    }
}
