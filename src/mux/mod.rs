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
    /// does not run. `Unknown`: it could not be told, with the reason. `server` is spelled as in a manifest. `on_server` hears
    /// the server's process as soon as it is known, which may be long before the answer.
    fn list(&self, host: &dyn Host, env: &Environ, server: &str, on_server: &dyn Fn(u32)) -> Fact<Server>;
}

/// The adapter of a multiplexer.
pub fn of(kind: MuxKind) -> &'static dyn Mux {
    match kind {
        MuxKind::Tmux => &tmux::Tmux,
        MuxKind::Zellij => &Zellij,
    }
}
