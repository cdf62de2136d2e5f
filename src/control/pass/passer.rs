//! Passes one after another over the same world, each about as much of it as woke it. Decides nothing: a pass that is about a
//! few sessions is an ordinary pass whose observation believes what is provably unchanged.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Options, Pass, PassError, run};
use crate::control::observe::{self, World};
use crate::control::watch::wake::Scope;
use crate::core::ids::{ServerKey, SessionKey};

/// Makes passes and keeps between them what need not be looked at again: what was read of the manifest, by the hash of its
/// text, what the state file said, and what was observed.
#[derive(Debug)]
pub struct Passer {
    world: Arc<World>,
    options: Options,
}

impl Passer {
    /// Passes over this world with these options. The world's memory of earlier looks belongs to one passer at a time.
    pub fn new(world: Arc<World>, options: Options) -> Self {
        Self { world, options }
    }

    /// Whether a pass about this server would see what the last one saw, as far as its listing can tell; for the same manifest.
    pub(in crate::control) fn is_as_seen(&self, server: &ServerKey) -> bool {
        self.world.recall.focus(&Scope::Server(server.clone()));
        observe::is_as_seen(&self.world, server)
    }

    /// Whether the last pass knew already that this process had ended, and these sessions with it.
    pub(in crate::control) fn is_known_gone(&self, pid: u32, sessions: Option<&BTreeSet<SessionKey>>) -> bool {
        self.world.recall.is_known_gone(pid, sessions)
    }

    /// Makes a pass about `scope`; [`Scope::All`] is exactly [`run`]. The first pass is about everything in any case, because
    /// nothing is known yet.
    ///
    /// # Errors
    /// Those of [`run`]. What was observed before one is kept.
    pub fn pass(&mut self, scope: &Scope) -> Result<Pass, PassError> {
        self.world.recall.focus(scope);
        run(&self.world, &self.options)
    }
}
