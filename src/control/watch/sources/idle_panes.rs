//! Wakes from agents that begin in a pane without one, of which tmux tells nobody. Starts no program; what it takes for an agent is
//! for a pass to look at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Watched;
use super::outbox::WakeSender;
use crate::agent::Agents;
use crate::control::watch::wake::{Reason, Scope};
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::observe::Process;
use crate::host::cpu_ticks::CpuTicks;
use crate::host::image::{Image, ProcessSnapshot};
use crate::host::{Environ, Host as _, LocalHost};

/// The most processes of one pane, and of all, that are kept in view, which takes an open file each. Others are looked at anew.
const MOST_QUIET: usize = 16;
const MOST_KEPT: usize = 512;
/// More processes than this below one pane are not looked at.
const MOST_BELOW: usize = 4096;

/// The panes without an agent.
#[derive(Debug, Clone)]
pub(super) struct IdlePanes {
    known: Arc<Mutex<Known>>,
    news: Arc<Notify>,
    outbox: WakeSender,
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
    quiet: Quiet,
    /// What was told of. The pass that followed took it for no agent in this pane.
    told: BTreeSet<Process>,
}

/// What runs in a pane, as far as it is known.
#[derive(Debug, Default)]
struct Quiet {
    members: Vec<CpuTicks>,
    /// Whether none of them stirred while they were last looked at: then there is no agent among them until one does.
    is_sure: bool,
    /// The programs that are no agent, by process: they are none for as long as they are executed.
    strangers: HashMap<u32, Image>,
}

/// What was found of a pane.
struct Found {
    pid: u32,
    quiet: Quiet,
    /// The agents, if it was looked at at all.
    agents: Option<Vec<Process>>,
}

impl IdlePanes {
    /// Looks at none yet.
    pub(super) fn new(outbox: WakeSender) -> Self {
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
        if CpuTicks::of(std::process::id()).is_none() {
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
                tracing::debug!(%error, "cannot look at bare panes");
            }
        }
    }

    fn look_once(&self, host: &LocalHost) {
        let (agents, panes) = {
            let mut known = self.known();
            let panes: Vec<_> = known.panes.iter_mut().map(|(pid, pane)| (*pid, std::mem::take(&mut pane.quiet))).collect();
            (known.agents.clone(), panes)
        };
        let mut kept = 0;
        let look = |(pid, quiet)| {
            let found = find(host, &agents, pid, quiet, MOST_KEPT.saturating_sub(kept));
            kept += found.quiet.members.len();
            found
        };
        let found: Vec<Found> = panes.into_iter().map(look).collect();
        let mut known = self.known();
        for Found { pid, quiet, agents } in found {
            // A pass may have found something there meanwhile.
            let Some(pane) = known.panes.get_mut(&pid) else { continue };
            pane.quiet = quiet;
            let Some(agents) = agents else { continue };
            pane.told.retain(|told| agents.contains(told));
            for agent in agents {
                if pane.told.insert(agent) {
                    self.outbox.send(Reason::Agent(agent.pid), Scope::sessions(pane.sessions.clone()));
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs in a pane by now. At most so many processes are kept in view.
fn find(host: &LocalHost, agents: &Agents, pid: u32, mut quiet: Quiet, most: usize) -> Found {
    // Asked before the look: who has not stirred by the next one was seen as it is.
    let stirred = quiet.members.iter_mut().filter_map(|member| (!member.was_still()).then_some(())).count();
    let is_still = !quiet.members.is_empty() && stirred == 0;
    if is_still && quiet.is_sure {
        return Found { pid, quiet, agents: None };
    }
    let Below { agents, strangers, is_plain } = below(host, agents, pid, &quiet.strangers);
    let is_same = strangers.len() == quiet.members.len() && quiet.members.iter().all(|it| strangers.contains_key(&it.pid()));
    let is_sure = is_still && agents.is_empty() && is_same && is_plain;
    let mut members = quiet.members;
    if strangers.len() <= MOST_QUIET.min(most) {
        members.retain(|member| strangers.contains_key(&member.pid()));
        let news = strangers.keys().filter(|pid| !members.iter().any(|member| member.pid() == **pid));
        let news: Option<Vec<CpuTicks>> = news.map(|pid| CpuTicks::of(*pid)).collect();
        // What cannot be kept in view whole is not kept at all.
        match news {
            Some(news) => members.extend(news),
            None => members.clear(),
        }
    } else {
        members.clear();
    }
    let strangers = strangers.into_iter().filter_map(|(pid, image)| Some((pid, image?))).collect();
    Found { pid, quiet: Quiet { members, is_sure, strangers }, agents: Some(agents) }
}

/// What is below a process, itself included.
#[derive(Default)]
struct Below {
    agents: Vec<Process>,
    /// Every other process, with the program it executes. What is below an agent belongs to it and is not looked at.
    strangers: HashMap<u32, Option<Image>>,
    /// Whether everything could be read, and has one thread alone.
    is_plain: bool,
}

/// Looks below a process by the cheap route: one that is only just beginning may be missed. What executes the very program it did when
/// it was known as no agent is read no further.
fn below(host: &LocalHost, agents: &Agents, top: u32, known: &HashMap<u32, Image>) -> Below {
    let mut found = Below { is_plain: true, ..Below::default() };
    let mut queue = vec![top];
    while let Some(pid) = queue.pop().filter(|_| found.strangers.len() < MOST_BELOW) {
        if found.strangers.contains_key(&pid) {
            continue;
        }
        let Some(now) = ProcessSnapshot::of(pid) else {
            found.is_plain = false;
            continue;
        };
        if now.image.is_none() || known.get(&pid) != now.image.as_ref() {
            let process = host.process(pid);
            found.is_plain &= process.why_unknown().is_none();
            let Fact::Seen(process) = process else { continue };
            match agents.identify(&process.argv, || host.exe(pid)) {
                // Another agent's child is nobody's agent.
                Some((agent, invocation)) if agent.is_led(&invocation) => continue,
                Some(_) => {
                    found.agents.push(Process::from(&process));
                    continue;
                }
                None => {}
            }
        }
        found.is_plain &= now.is_single;
        queue.extend(now.children());
        found.strangers.insert(pid, now.image);
    }
    found
}
