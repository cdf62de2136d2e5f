//! Passes one after another over the same world, each about as much of it as woke it. Decides nothing: a pass that is about a
//! few sessions is an ordinary pass whose observation believes what is provably unchanged.

use std::sync::Arc;

use super::{Pass, PassError, PassOptions, run};
use crate::control::observe::Observer;
use crate::control::watch::wake::Scope;

/// Makes passes and keeps between them what need not be looked at again: what was read of the manifest, by the hash of its
/// text, what the state file said, and what was observed.
#[derive(Debug)]
pub struct PassRunner {
    world: Arc<Observer>,
    options: PassOptions,
}

impl PassRunner {
    /// Passes over this world with these options. The world's memory of earlier looks belongs to one passer at a time.
    pub fn new(world: Arc<Observer>, options: PassOptions) -> Self {
        Self { world, options }
    }

    /// Makes a pass about `scope`; [`Scope::ALL`] is exactly [`run`]. The first pass is about everything in any case, because
    /// nothing is known yet.
    ///
    /// # Errors
    /// Those of [`run`]. What was observed before one is kept.
    pub fn pass(&mut self, scope: &Scope) -> Result<Pass, PassError> {
        self.world.cache.focus(scope);
        run(&self.world, &self.options)
    }
}
