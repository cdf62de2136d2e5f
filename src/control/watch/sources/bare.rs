//! Wakes from agents that begin in a pane without one, of which tmux tells nobody. Starts no program; what it takes for an agent is
//! for a pass to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Watched;
use super::outbox::Outbox;
use crate::agent::Agents;
use crate::control::observe::agents_below;
use crate::control::watch::wake::{Reason, Scope};
use crate::core::ids::SessionKey;
use crate::core::observe::Process;
use crate::host::stir::{Stir, is_alone};
use crate::host::{Environ, LocalHost};

/// The panes without an agent.
#[derive(Debug, Clone)]
pub(super) struct Bare {
    known: Arc<Mutex<Known>>,
    news: Arc<Notify>,
    outbox: Outbox,
}

#[derive(Debug, Default)]
struct Known {
    /// What is taken for an agent.
    agents: Agents,
    /// By the pane's own process.
    panes: BTreeMap<u32, Pane>,
}

#[derive(Debug, Default)]
struct Pane {
    sessions: BTreeSet<SessionKey>,
    /// How it was when nothing was below it: as long as it has not stirred, nothing is.
    quiet: Option<Stir>,
    /// What was told of. The pass that followed took it for no agent in this pane.
    told: BTreeSet<Process>,
}

/// What was found of a pane.
struct Found {
    pid: u32,
    quiet: Option<Stir>,
    agents: Vec<Process>,
}

impl Bare {
    /// Looks at none yet.
    pub(super) fn new(outbox: Outbox) -> Self {
        Self { known: Arc::default(), news: Arc::default(), outbox }
    }

    /// Looks at these from now on, and at each of them once in any case: what began since the pass is not told of otherwise.
    pub(super) fn watch(&self, watched: &Watched) {
        let mut known = self.known();
        let mut before = std::mem::take(&mut known.panes);
        let pane = |(pid, sessions): (&u32, &BTreeSet<SessionKey>)| {
            (*pid, Pane { sessions: sessions.clone(), ..before.remove(pid).unwrap_or_default() })
        };
        known.panes = watched.bare.iter().map(pane).collect();
        known.agents = Agents::with(&watched.declared);
        drop(known);
        self.news.notify_one();
    }

    /// Looks at them for ever; sleeps where there are none. Needs a tokio runtime.
    pub(super) async fn look(self, env: Environ, every: Duration) {
        // Where that is not counted, every look would be a long one.
        if Stir::of(std::process::id()).is_none() {
            return;
        }
        let host = Arc::new(LocalHost::new(env));
        loop {
            if self.known().panes.is_empty() {
                self.news.notified().await;
                continue;
            }
            tokio::time::sleep(every).await;
            // On a thread of its own: what a process was started with cannot be read while the kernel is busy with its memory.
            let (this, host) = (self.clone(), Arc::clone(&host));
            if let Err(error) = tokio::task::spawn_blocking(move || this.look_once(&host)).await {
                tracing::debug!(%error, "bare panes could not be looked at");
            }
        }
    }

    fn look_once(&self, host: &LocalHost) {
        let (agents, panes) = {
            let known = self.known();
            let panes: Vec<(u32, Option<Stir>)> = known.panes.iter().map(|(pid, pane)| (*pid, pane.quiet.clone())).collect();
            (known.agents.clone(), panes)
        };
        let found: Vec<Found> = panes.into_iter().filter_map(|(pid, quiet)| find(host, &agents, pid, quiet)).collect();
        let mut known = self.known();
        for Found { pid, quiet, agents } in found {
            // A pass may have found something there meanwhile.
            let Some(pane) = known.panes.get_mut(&pid) else { continue };
            pane.quiet = quiet;
            pane.told.retain(|told| agents.contains(told));
            for agent in agents {
                if pane.told.insert(agent) {
                    self.outbox.send(Reason::Agent(agent.pid), Scope::Sessions(pane.sessions.clone()));
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs in a pane by now; `None` if nothing can have come since it was quiet.
fn find(host: &LocalHost, agents: &Agents, pid: u32, quiet: Option<Stir>) -> Option<Found> {
    // Asked first, so that what happens during the look makes another one.
    let stir = Stir::of(pid);
    if quiet.is_some() && quiet == stir {
        return None;
    }
    let agents = agents_below(host, agents, pid);
    let quiet = stir.filter(|_| agents.is_empty() && is_alone(pid));
    Some(Found { pid, quiet, agents })
}
