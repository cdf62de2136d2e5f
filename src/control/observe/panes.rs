//! What runs in a pane: its agents, their homes and their ladders.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::tree::{Families, ProcessTree, Sighting};
use super::{HookReader, Observer};
use crate::agent::live_process::{Launched, SharedReadings, WrapperChain};
use crate::agent::{Agents, LiveProcess};
use crate::control::cache::facts::{FRESH, PaneFacts, ProcessStamp, Roles};
use crate::control::cache::{LastLook, StillSame};
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;
use crate::core::observe::identity::{Ladder, Rung, RungReading, RungValue};
use crate::core::observe::{Agent, OrphanPane, Process};
use crate::host::parallel::spread;
use crate::host::{Environ, Host, ProcessInfo};
use crate::store::operations::launched_by;

/// How often what a wrapper runs is looked for if it ends meanwhile, and how long that waits in between.
const PATIENCE: (u32, Duration) = (20, Duration::from_millis(1));

/// Reads processes for one pass.
pub(super) struct Inspector<'a> {
    pub(super) world: &'a Observer,
    pub(super) families: Families<'a>,
    /// What was read before the servers answered. Only what holds an agent is kept: that nothing runs in a pane is not
    /// believed of a moment when it was not yet known to be one.
    ahead: Mutex<ReadAhead>,
    /// What an earlier look found and this one may use.
    past: Option<Arc<LastLook>>,
    /// What the processes of the host are, as far as it was asked while they executed these programs.
    pub(super) roles: Mutex<Arc<Roles>>,
    /// What the agents of this look read of the same files.
    shared: SharedReadings,
    /// How many more processes may be held for the looks that follow.
    room: AtomicUsize,
}

/// What was read of processes before it was known that they are panes', and since when.
#[derive(Debug, Default)]
pub(super) struct ReadAhead(Option<Instant>, HashMap<u32, PaneFacts>);

impl<'a> Inspector<'a> {
    /// Reads processes for `agents`. Of an earlier look it takes what that found for the very same.
    pub(super) fn new(world: &'a Observer, declared: &Declared) -> Self {
        let own = |agent: &&'static dyn crate::agent::Adapter| Some((*agent, agent.home(&world.env)?));
        let own_homes = crate::agent::all().iter().filter_map(own).collect();
        let past = world.past().filter(|past| past.is_of(declared));
        let families = Families::new(world.host.as_ref(), Agents::with(declared)).with_homes(own_homes);
        let room = AtomicUsize::new(world.cache.most_held().saturating_sub(past.as_ref().map_or(0, |past| past.held())));
        let roles = past.as_ref().map(|past| Arc::clone(past.roles())).unwrap_or_default();
        Self {
            world,
            families,
            ahead: Mutex::default(),
            past,
            roles: Mutex::new(roles),
            shared: SharedReadings::default(),
            room,
        }
    }

    /// Reads processes that are probably panes' until `is_enough`.
    pub(super) fn read_ahead(&self, pids: impl Iterator<Item = u32>, is_enough: impl Fn() -> bool) {
        let begun = Instant::now();
        let mut found = Vec::new();
        for pid in pids {
            if is_enough() {
                break;
            }
            // Whoever is not vouched for is left for later: what is no agent now may be one when the servers have answered.
            found.extend(self.vouched(pid).map(|facts| (pid, facts)));
        }
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.0.get_or_insert(begun);
        ahead.1.extend(found);
    }

    /// What was read ahead, for another inspector of the same look.
    pub(super) fn into_ahead(self) -> ReadAhead {
        self.ahead.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The roles of the processes of the host, as far as this look or an earlier one it believes has asked.
    pub(super) fn into_roles(self) -> Arc<Roles> {
        self.roles.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what another inspector read ahead.
    pub(super) fn take_over(&self, ReadAhead(begun, found): ReadAhead) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.0 = [ahead.0, begun].into_iter().flatten().min();
        ahead.1.extend(found);
    }

    /// What an earlier look found and this one may use.
    pub(super) fn past(&self) -> Option<&LastLook> {
        self.past.as_deref()
    }

    /// What runs in the panes of these processes; from an earlier look if that is sure and the session not in question.
    pub(super) fn panes(
        &self,
        pids: impl Iterator<Item = u32>,
        standing: &StillSame,
        in_question: &BTreeSet<u32>,
    ) -> HashMap<u32, Arc<PaneFacts>> {
        let (mut facts, mut unknown) = (HashMap::new(), Vec::new());
        for pid in pids {
            let past = self.past().filter(|_| !in_question.contains(&pid) && standing.contains(pid));
            match past.and_then(|past| past.steady(pid)) {
                Some(steady) => drop(facts.insert(pid, Arc::clone(steady))),
                None => unknown.push(pid),
            }
        }
        let read = spread(&unknown, |pid| {
            let mut facts = self.pane(*pid);
            facts.hold(self.world.host.as_ref(), &self.room, self.past().and_then(|past| past.pane(*pid)));
            Arc::new(facts)
        });
        facts.extend(unknown.iter().copied().zip(read));
        facts
    }

    /// Which of what an earlier look found still stands, asked before it is known which panes matter: a quiet world's are the same.
    pub(super) fn still_standing(&self) -> Arc<StillSame> {
        self.past().map(|past| self.world.cache.standing(self.world.host.as_ref(), past)).unwrap_or_default()
    }

    /// What runs in the pane of this process.
    fn pane(&self, pid: u32) -> PaneFacts {
        let ahead = {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            let is_fresh = ahead.0.is_some_and(|begun| begun.elapsed() < FRESH);
            ahead.1.remove(&pid).filter(|_| is_fresh)
        };
        ahead.or_else(|| self.vouched(pid)).unwrap_or_else(|| self.facts(self.families.tree(pid)))
    }

    /// The pane of a process that files in our own home vouch for, which needs neither its arguments nor its environment.
    /// Not where every rung is asked for: only the way through the arguments reads them all.
    fn vouched(&self, pid: u32) -> Option<PaneFacts> {
        if self.world.every_rung {
            return None;
        }
        let host = self.world.host.as_ref();
        let process = host.stat(pid).into_seen()?;
        let is_named = |agent: &dyn crate::agent::Adapter| agent.names().is_listed_as(&process.name);
        let (agent, home, reading) = self.families.vouched(&process, is_named)?;
        let (kind, home) = (agent.kind(), home.to_path_buf());
        // The file of another agent's child says no more of itself than any other: its arguments do.
        let process = host.with_arguments(process).into_seen()?;
        if agent.recognise("", &process.argv).is_none_or(|invocation| agent.is_led(&invocation)) {
            return None;
        }
        let cwd = host.cwd(pid);
        if cwd.is_absent() {
            return None;
        }
        let ladder = Ladder { readings: vec![reading], ..Ladder::default() };
        let agent = Agent { kind, process: Process::from(&process), cwd, home: Fact::Seen(home), ladder };
        Some(PaneFacts {
            agents: Fact::Seen(vec![Arc::new(agent)]),
            unread: None,
            runs: kind.as_str().to_owned(),
            witnesses: vec![ProcessStamp::from(&process)],
        })
    }

    fn facts(&self, tree: ProcessTree<'_>) -> PaneFacts {
        let runs = match (tree.agents.first(), &tree.top) {
            (Some(sighting), _) => sighting.agent.kind().as_str().to_owned(),
            (None, Some(top)) => match tree.led {
                Some(kind) => format!("{kind} of another agent"),
                None => self.foreground(top),
            },
            (None, None) => String::new(),
        };
        let sighted = tree.agents.iter().map(|sighting| &sighting.process);
        let mut witnesses: Vec<ProcessStamp> = tree.top.iter().chain(sighted).map(ProcessStamp::from).collect();
        let found = tree.agents.iter().filter_map(|sighting| self.agent(sighting, tree.top.as_ref()));
        let (agents, inner): (Vec<Arc<Agent>>, Vec<ProcessStamp>) =
            found.map(|(agent, inner)| (Arc::new(agent), inner)).unzip();
        witnesses.extend(inner);
        let out_of_sight = self.out_of_sight(&tree);
        let trouble =
            tree.trouble.or_else(|| tree.top.is_none().then(|| "its process ended while it was looked at".to_owned()));
        let (agents, unread) = match trouble {
            Some(why) if agents.is_empty() => (Fact::Unknown(why), None),
            trouble => (Fact::Seen(agents), trouble.or(out_of_sight)),
        };
        PaneFacts { agents, unread, runs, witnesses }
    }

    /// Why an agent that a person at the pane would see may be none of these: the foreground leads elsewhere. A shell that runs a
    /// script shares its process group with what the script runs; `sudo` and `script` give what they run a terminal of its own.
    fn out_of_sight(&self, tree: &ProcessTree) -> Option<String> {
        let host = self.world.host.as_ref();
        let has_terminal = tree.top.as_ref()?.foreground.is_some();
        let is_in_front = |pid: u32| {
            let front = || host.stat(pid).into_seen()?.foreground;
            !has_terminal || front().is_some_and(|front| host.group(pid) == Some(front))
        };
        let (_, door) = tree.doors.iter().find(|(pid, _)| is_in_front(*pid))?;
        Some(format!("`{door}` runs in its pane, and headcount cannot see what runs behind it"))
    }

    /// The name of what a person at the pane would see: the foreground process, else the pane's own.
    fn foreground(&self, top: &ProcessInfo) -> String {
        let other = top.foreground.filter(|group| *group != top.pid).map(|group| self.world.host.process(group));
        other.as_ref().and_then(Fact::seen).unwrap_or(top).name.clone()
    }

    /// Everything about an agent process, and the process that it is itself; `None` if it ended meanwhile.
    fn agent(&self, sighting: &Sighting<'_>, top: Option<&ProcessInfo>) -> Option<(Agent, ProcessStamp)> {
        let host = self.world.host.as_ref();
        let Sighting { agent, process } = sighting;
        let children = |pid| self.families.children(pid);
        let (chain, itself, cwd, environ) = self.itself(*agent, process, &children)?;
        let home = match environ {
            Fact::Seen(environ) => match home(*agent, &environ, &cwd) {
                Fact::Seen(home) => shared(host, itself.pid, home),
                told => told,
            },
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        };
        let place = (&cwd, home.seen().map(PathBuf::as_path).unwrap_or_else(|| Path::new("")));
        let launcher = top.filter(|top| top.pid == process.parent);
        let subject =
            LiveProcess::new(chain, place, self.world.every_rung).below(launcher.and_then(launched)).sharing(&self.shared);
        let mut readings = match &home {
            Fact::Seen(_) => agent.ladder(&subject),
            Fact::Absent => Vec::new(),
            Fact::Unknown(why) => {
                let looked_at = format!("the files of {}", agent.kind());
                vec![RungReading { rung: Rung::Registry, looked_at, fact: Fact::Unknown(why.clone()) }]
            }
        };
        let is_superfluous = readings.iter().any(|it| it.rung < Rung::Hook && it.fact.seen().is_some());
        if let Some(hook) = self.world.hook.as_ref().filter(|_| self.world.every_rung || !is_superfluous) {
            let fact = subject.first_seen(|process| hooked(hook, agent.kind(), (&subject, process)));
            let at = readings.iter().take_while(|reading| reading.rung < Rung::Hook).count();
            readings.insert(at, RungReading { rung: Rung::Hook, looked_at: "hook events of this process".to_owned(), fact });
        }
        let is_followed = home.is_absent() || readings.iter().any(|it| it.rung < Rung::Start && !it.fact.is_absent());
        let said = if is_followed { Fact::Absent } else { agent.recent_messages(&subject) };
        let ladder = Ladder { readings, peers: Fact::Absent, said };
        let agent = Agent { kind: agent.kind(), process: Process::from(process), cwd, home, ladder };
        Some((agent, ProcessStamp::from(&itself)))
    }

    /// The agent itself, which may be below its process, and where it works and what it was started with. `None` if the process
    /// ended meanwhile.
    fn itself<'b>(
        &'b self,
        agent: &'b dyn crate::agent::Adapter,
        process: &'b ProcessInfo,
        children: &'b dyn Fn(u32) -> Vec<u32>,
    ) -> Option<(WrapperChain<'b>, ProcessInfo, Fact<PathBuf>, Fact<Environ>)> {
        let host = self.world.host.as_ref();
        for _ in 0..PATIENCE.0 {
            let chain = WrapperChain::new(host, (agent, self.families.agents()), process, children);
            let inner = chain.itself().clone();
            let (cwd, environ) = (host.cwd(inner.pid), host.environ(inner.pid));
            if inner.pid == process.pid {
                return (!cwd.is_absent() && !environ.is_absent()).then_some((chain, inner, cwd, environ));
            }
            // What a wrapper runs comes and goes, and while it becomes another program it has no environment.
            if host.process(inner.pid).seen().is_some_and(|now| now.argv == inner.argv && now.started == inner.started) {
                return Some((chain, inner, cwd, environ));
            }
            std::thread::sleep(PATIENCE.1);
        }
        let why = || format!("the processes below {} change too fast", process.pid);
        let chain = WrapperChain::new(host, (agent, self.families.agents()), process, children);
        Some((chain, process.clone(), Fact::Unknown(why()), Fact::Unknown(why())))
    }

    /// What is behind a recorded pane that no server shows.
    pub(super) fn stray(&self, pid: u32) -> Fact<OrphanPane> {
        let tree = self.families.tree(pid);
        match (tree.top, tree.trouble) {
            (None, None) => Fact::Absent,
            (_, Some(why)) => Fact::Unknown(why),
            (Some(top), None) => {
                let agents = |it: &Sighting<'_>| (it.agent.kind(), Process::from(&it.process));
                let agents = tree.agents.iter().map(agents).collect();
                Fact::Seen(OrphanPane { process: Process::from(&top), agents, has_terminal: top.has_terminal })
            }
        }
    }
}

/// The newest hook event of a process. It names it by the id it has for itself, and by a start on its own clock.
fn hooked(hook: &HookReader, kind: AgentKind, (subject, process): (&LiveProcess<'_>, &ProcessInfo)) -> Fact<RungValue> {
    let Some(ticks) = process.start_ticks else { return Fact::Absent };
    let told = hook(kind, process.pid, ticks);
    if !told.is_absent() {
        return told;
    }
    match subject.selfhood(process) {
        Fact::Seen(own) if !own.is_of_our_time => {
            Fact::Unknown(format!("process {} is in another time namespace, so its start time cannot be compared", process.pid))
        }
        Fact::Seen(own) if own.pid != process.pid => hook(kind, own.pid, ticks),
        Fact::Seen(_) | Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// What a launcher of ours was to begin its child in, if the process is one. What is below another wrapper than an agent's own is
/// not its child, and may have been begun by that.
pub(in crate::control) fn launched(parent: &ProcessInfo) -> Option<Launched> {
    let operation = launched_by(&parent.argv, parent.pid, parent.start_ticks)?;
    Some(Launched { operation: operation.id.to_string(), id: operation.conversation? })
}

/// The home an agent's own environment names; a relative one is relative to where the agent works.
fn home(agent: &dyn crate::agent::Adapter, environ: &Environ, cwd: &Fact<PathBuf>) -> Fact<PathBuf> {
    match (agent.home(environ), cwd) {
        (None, _) => Fact::Unknown("the environment of the process does not name its home".to_owned()),
        (Some(home), _) if home.is_absolute() => Fact::Seen(home),
        (Some(home), Fact::Seen(cwd)) => Fact::Seen(cwd.join(home)),
        (Some(home), _) => Fact::Unknown(format!("{} is relative to an unknown directory", home.display())),
    }
}

/// A home that a process has in common with us: what lies there in a container is not what we would read.
fn shared(host: &dyn Host, pid: u32, home: PathBuf) -> Fact<PathBuf> {
    match host.shares(pid, &home) {
        Fact::Seen(true) => Fact::Seen(home),
        Fact::Seen(false) => {
            Fact::Unknown(format!("process {pid} is in a container, with its own files in {}", home.display()))
        }
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pane_whose_process_is_gone_already_is_unknown() {
        let world = Observer::local(Environ::of_this_process());
        let facts = Inspector::new(&world, &Declared::default()).facts(ProcessTree::default());
        assert_eq!(facts.agents.why_unknown(), Some("its process ended while it was looked at"));
    }

    #[test]
    fn what_could_not_be_read_is_kept_beside_the_agents_that_could() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let world = Observer::local(Environ::of_this_process());
        let process = world.host.process(child.id()).seen().cloned().unwrap();
        let sighting = Sighting { agent: crate::agent::of(AgentKind::Codex).unwrap(), process: process.clone() };
        let trouble = Some("permission denied".to_owned());
        let facts = |agents| {
            Inspector::new(&world, &Declared::default()).facts(ProcessTree {
                top: Some(process.clone()),
                agents,
                led: None,
                doors: Vec::new(),
                trouble: trouble.clone(),
            })
        };
        let (some, none) = (facts(vec![sighting]), facts(Vec::new()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(some.agents.seen().map(|agents| agents[0].kind), Some(AgentKind::Codex));
        assert_eq!(some.unread, trouble);
        assert_eq!(none.agents.why_unknown(), trouble.as_deref());
    }
}
