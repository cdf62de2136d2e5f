//! What is kept of a pane's processes, and whether it still holds. Reads no pane itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::agent::live_process::proves;
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;
use crate::core::observe::identity::{Ladder, Rung, RungReading};
use crate::core::observe::{Agent, Pane};
use crate::host::image::Image;
use crate::host::{Hold, Host, ProcessInfo};

/// How old a reading may be that was made before the servers answered.
pub(in crate::control) const FRESH: Duration = Duration::from_millis(250);

/// What a process of the host is to the count of peers, which holds for as long as it executes the same program.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::control) struct Role {
    /// The agent it is; whether it only wraps that, and whether it is a script.
    pub(in crate::control) agent: Option<(AgentKind, bool, bool)>,
    /// The agent that it serves.
    pub(in crate::control) serves: Option<AgentKind>,
}

/// The roles of processes, each with the program it executes.
pub(in crate::control) type Roles = HashMap<u32, (Image, Role)>;

/// What was found of a pane's process.
#[derive(Debug, Clone)]
pub(in crate::control) struct PaneFacts {
    pub(in crate::control) agents: Fact<Vec<Arc<Agent>>>,
    pub(in crate::control) unread: Option<String>,
    pub(in crate::control) runs: String,
    /// The pane's own process, those of its agents and those below their wrappers, as they were when this was read.
    pub(in crate::control) witnesses: Vec<ProcessStamp>,
}

impl PaneFacts {
    /// Holds its processes, as far as `room` allows: what lives is then known to be the same. One that an earlier look holds is
    /// held with it.
    pub(in crate::control) fn hold(&mut self, host: &dyn Host, room: &AtomicUsize, earlier: Option<&Self>) {
        let take = |room: usize| room.checked_sub(1);
        let held = |witness: &ProcessStamp| {
            let is_it = |it: &&ProcessStamp| it.pid == witness.pid && it.started == witness.started;
            earlier?.witnesses.iter().find(is_it)?.hold.clone()
        };
        for witness in &mut self.witnesses {
            witness.hold = held(witness);
            if witness.hold.is_none() && room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                witness.hold = host.hold(witness.pid, witness.started).map(Arc::new);
            }
        }
    }

    /// Whether a pane shows just this.
    pub(in crate::control) fn is_in(&self, pane: &Pane) -> bool {
        let is_same = match (&self.agents, &pane.agents) {
            (Fact::Seen(own), Fact::Seen(its)) => {
                own.len() == its.len() && own.iter().zip(its).all(|(one, other)| Arc::ptr_eq(one, other))
            }
            (own, its) => own == its,
        };
        is_same && self.unread == pane.unread && self.runs == pane.runs
    }

    /// Whether the pane's own process and its agents' are the ones that were read.
    pub(in crate::control) fn still_stands(&self, host: &dyn Host) -> bool {
        !self.witnesses.is_empty() && self.witnesses.iter().all(|witness| witness.still_stands(host))
    }

    /// Whether this is the whole truth for as long as these processes live and nothing wakes us: agents whose conversation is
    /// proven, and nothing unknown about them. A bare shell may become an agent's parent at any moment.
    pub(in crate::control) fn is_steady(&self) -> bool {
        let is_settled = |agent: &Arc<Agent>| {
            let readings = &agent.ladder.readings;
            agent.cwd.seen().is_some()
                && agent.home.seen().is_some()
                && proves(readings)
                // What is said in another conversation of the workspace wakes us, and makes this one doubtful.
                && agent.ladder.said.is_absent()
                && !needs_peers(&agent.ladder)
                && readings.iter().all(|reading| reading.fact.why_unknown().is_none())
        };
        self.unread.is_none() && self.agents.seen().is_some_and(|agents| !agents.is_empty() && agents.iter().all(is_settled))
    }
}

/// A process as it was when something was read of it. Its name tells a program that replaced another without a new process.
/// One that is held is known to be the same for as long as it lives; what it executes is looked at again only where its session is
/// in question, and whenever everything is.
#[derive(Debug, Clone)]
pub(in crate::control) struct ProcessStamp {
    pub(in crate::control) pid: u32,
    pub(in crate::control) started: DateTime<Utc>,
    pub(in crate::control) name: String,
    pub(in crate::control) hold: Option<Arc<Hold>>,
}

impl From<&ProcessInfo> for ProcessStamp {
    fn from(process: &ProcessInfo) -> Self {
        Self { pid: process.pid, started: process.started, name: process.name.clone(), hold: None }
    }
}

impl ProcessStamp {
    pub(in crate::control) fn still_stands(&self, host: &dyn Host) -> bool {
        matches!(host.stat(self.pid), Fact::Seen(now) if now.started == self.started && now.name == self.name)
    }
}

/// Whether rungs 5 or 6 hold something and nothing stronger does, so that the number of peers decides.
pub(in crate::control) fn needs_peers(ladder: &Ladder) -> bool {
    let is_weak = |reading: &RungReading| reading.rung >= Rung::WorkspaceMap && reading.fact.seen().is_some();
    !proves(&ladder.readings) && ladder.readings.iter().any(is_weak)
}
