//! What one live agent says of itself through hooks, from a moment on. Reads headcount's own files; decides nothing.

use std::collections::HashMap;

use crate::agent::Agents;
use crate::agent::live_process::WrapperChain;
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::drift::Presence;
use crate::core::fact::Fact;
use crate::core::hooks::{HookEvent, ProcessMark};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::observe::Process;
use crate::host::{Host, ProcessInfo};
use crate::store::hooks::{self, HookError, HookPosition};
use crate::store::paths::StateHome;

/// Which processes are an agent's own: itself, and the wrappers around it. Reads the table of processes once.
pub struct OwnProcesses<'a> {
    host: &'a dyn Host,
    agents: &'a Agents,
    below: HashMap<u32, Vec<u32>>,
}

impl<'a> OwnProcesses<'a> {
    /// From the processes that run now. `None`: nobody can tell.
    pub fn new(host: &'a dyn Host, agents: &'a Agents) -> Option<Self> {
        let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
        for row in &host.table().into_seen()? {
            below.entry(row.parent).or_default().push(row.pid);
        }
        Some(Self { host, agents, below })
    }

    /// Those of an agent by its topmost process, as they call themselves. `None` if that is not there any more.
    pub fn marks(&self, agent: AgentKind, process: Process) -> Option<Vec<ProcessMark>> {
        let host = self.host;
        let top = host.process(process.pid).into_seen().filter(|top| Process::from(top) == process)?;
        let children = |pid: u32| self.below.get(&pid).cloned().unwrap_or_default();
        let chain = WrapperChain::new(host, (self.agents.of(agent)?, self.agents), &top, &children);
        // In a namespace of its own it calls itself by another id.
        let own = |process: &ProcessInfo| match host.own_pid(process.pid) {
            Fact::Seen(own) if own.is_of_our_time => Some(own.pid),
            Fact::Seen(_) | Fact::Absent | Fact::Unknown(_) => None,
        };
        let mark = |process: &ProcessInfo| Some(ProcessMark { pid: own(process)?, start_ticks: process.start_ticks? });
        Some(chain.processes().filter_map(mark).collect())
    }
}

/// Hears the events of one agent: those of its own processes, wrapper and what it wraps, and of no child agent. `wait` and `send`
/// take one before they act, and ask it for what has come since.
#[derive(Debug, Clone)]
pub struct HookEar {
    home: StateHome,
    agent: AgentKind,
    process: Process,
    places: Vec<(ProcessMark, HookPosition)>,
}

impl HookEar {
    /// An ear for an agent by its topmost process, from its first event that is kept. `None` if that process is not there any more, or
    /// nobody can tell which processes are its own.
    pub fn of(world: &Observer, home: &StateHome, agents: &Agents, agent: (AgentKind, Process)) -> Option<Self> {
        let (agent, process) = agent;
        let marks = OwnProcesses::new(world.host.as_ref(), agents)?.marks(agent, process)?;
        let places = marks.into_iter().map(|mark| (mark, HookPosition::default())).collect();
        Some(Self { home: home.clone(), agent, process, places })
    }

    /// Whether its agent is still there.
    pub fn lives(&self, world: &Observer) -> bool {
        world.host.stat(self.process.pid).seen().is_some_and(|now| Process::from(now) == self.process)
    }

    /// The same from now on: what it has said so far is not heard.
    ///
    /// # Errors
    /// [`HookError`]: what it said cannot be read.
    pub fn from_now(mut self) -> Result<Self, HookError> {
        for (mark, place) in &mut self.places {
            *place = hooks::end(&self.home, mark.pid)?;
        }
        Ok(self)
    }

    /// What it has said since the last time, oldest first.
    ///
    /// # Errors
    /// [`HookError`]: what it said cannot be read.
    pub fn news(&mut self) -> Result<Vec<HookEvent>, HookError> {
        let mut all = Vec::new();
        for (mark, place) in &mut self.places {
            let (events, next) = hooks::since(&self.home, *mark, *place)?;
            *place = next;
            all.extend(events.into_iter().filter(|event| event.agent == self.agent));
        }
        all.sort_by_key(|event| event.at);
        Ok(all)
    }
}

/// What the agent of a session has said, oldest first, and, where it lives, an ear for what it says from then on. Of one that
/// has ended, or of which nobody can tell, that is what was said of the recorded conversation by or below its recorded pane.
///
/// # Errors
/// [`HookError`]: the events cannot be read.
pub fn of_session(
    world: &Observer,
    home: &StateHome,
    pass: &Pass,
    key: &SessionKey,
) -> Result<(Vec<HookEvent>, Option<HookEar>), HookError> {
    let manifest = pass.manifest();
    let Some(session) = manifest.sessions.iter().find(|session| session.key == *key) else { return Ok((Vec::new(), None)) };
    let verdict = pass.verdict().entries.get(session.index);
    if let Some(Presence::Alive(live)) = verdict.map(|verdict| &verdict.presence) {
        let (kind, process) = (live.agent.kind, live.agent.process);
        if let Some(mut ear) = HookEar::of(world, home, &Agents::with(&manifest.agents), (kind, process)) {
            return Ok((ear.news()?, Some(ear)));
        }
    }
    let pane = session.recorded.pane.as_ref().and_then(|pane| pane.pid);
    match session.recorded.session_id.as_ref().zip(pane) {
        Some((id, pane)) => Ok((said_below(home, (session.agent, id), pane)?, None)),
        None => Ok((Vec::new(), None)),
    }
}

/// What agents said of a conversation below, or as, a process that need not live any more: a pane's.
///
/// # Errors
/// [`HookError`]: the events cannot be read.
fn said_below(home: &StateHome, (agent, id): (AgentKind, &ConversationId), pane: u32) -> Result<Vec<HookEvent>, HookError> {
    let is_its = |event: &HookEvent| {
        let is_below = event.process.pid == pane || event.ancestors.iter().any(|mark| mark.pid == pane);
        is_below && event.agent == agent && event.session_id.as_ref() == Some(id)
    };
    hooks::kept(home, is_its)
}
