//! The agents in a tree of processes. Walks it by the cheap route, and by the whole process table before it says "none".

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::agent::doors::door;
use crate::agent::{Adapter, Agents, Invocation, Program};
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;
use crate::core::observe::identity::RungReading;
use crate::host::{Host, ProcessInfo, ProcessRow};

/// More processes than this below one pane are not looked at.
const MOST: usize = 4096;

/// The family relations of the host's processes, read at most once per pass and only when needed.
pub(super) struct Families<'a> {
    host: &'a dyn Host,
    agents: Agents,
    /// Where each agent keeps its files for the person headcount runs as.
    homes: Vec<(&'static dyn Adapter, PathBuf)>,
    processes: OnceLock<Fact<Vec<ProcessRow>>>,
    children: OnceLock<Fact<HashMap<u32, Vec<u32>>>>,
}

/// An agent's topmost process.
pub(super) struct Sighting<'a> {
    pub(super) agent: &'a dyn Adapter,
    pub(super) process: ProcessInfo,
}

/// What a tree holds.
#[derive(Default)]
pub(super) struct ProcessTree<'a> {
    /// The process at its top, if it lives and could be read.
    pub(super) top: Option<ProcessInfo>,
    /// The agents in it, nearest to the top first; what is below an agent belongs to it and is not looked at.
    pub(super) agents: Vec<Sighting<'a>>,
    /// Which agent stands in it as another agent's child, if one does.
    pub(super) led: Option<AgentKind>,
    /// Those of them that lead elsewhere, and through what.
    pub(super) doors: Vec<(u32, String)>,
    /// Why some of it is unknown.
    pub(super) trouble: Option<String>,
}

impl<'a> Families<'a> {
    pub(super) fn new(host: &'a dyn Host, agents: Agents) -> Self {
        Self { host, agents, homes: Vec::new(), processes: OnceLock::new(), children: OnceLock::new() }
    }

    /// The same with homes whose files may vouch for a process, whatever it is called.
    pub(super) fn with_homes(self, homes: Vec<(&'static dyn Adapter, PathBuf)>) -> Self {
        Self { homes, ..self }
    }

    /// The agent whose files vouch for a process, of those that `may_be` it: with its home, and what the files say.
    pub(super) fn vouched(
        &self,
        process: &ProcessInfo,
        may_be: impl Fn(&dyn Adapter) -> bool,
    ) -> Option<(&'static dyn Adapter, &Path, RungReading)> {
        let mut candidates = self.homes.iter().filter(|(agent, _)| may_be(*agent));
        candidates.find_map(|(agent, home)| Some((*agent, home.as_path(), agent.quick_identity(process, home)?)))
    }

    /// Which agent a process is, if any: by its name and that of the file it executes, else by the files of an agent.
    pub(super) fn identify<'p>(&self, process: &'p ProcessInfo) -> Option<(&dyn Adapter, Invocation<'p>)> {
        let named = self.agents.identify(&process.argv, || self.host.exe(process.pid));
        named.or_else(|| {
            let program = Program::of(&process.argv)?;
            // A shell at its prompt is none; what it runs is below it.
            program.name()?;
            let (agent, ..) = self.vouched(process, |agent| agent.names().may_be(&program))?;
            Some((agent as &dyn Adapter, program.invocation()))
        })
    }

    /// Which agents are looked for.
    pub(super) fn agents(&self) -> &Agents {
        &self.agents
    }

    /// The whole process table.
    pub(super) fn processes(&self) -> &Fact<Vec<ProcessRow>> {
        self.processes.get_or_init(|| self.host.table())
    }

    /// Children by the whole process table.
    pub(super) fn table(&self) -> &Fact<HashMap<u32, Vec<u32>>> {
        self.children.get_or_init(|| {
            self.processes().as_ref().map(|all| {
                let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
                for process in all {
                    children.entry(process.parent).or_default().push(process.pid);
                }
                children
            })
        })
    }

    /// A process's children, by the cheap route first.
    pub(super) fn children(&self, pid: u32) -> Vec<u32> {
        let cheap = self.host.children(pid);
        if !cheap.is_empty() {
            return cheap;
        }
        self.table().seen().and_then(|children| children.get(&pid)).cloned().unwrap_or_default()
    }

    /// The tree below a process.
    pub(super) fn tree(&self, pid: u32) -> ProcessTree<'_> {
        let tree = self.walk(pid, |pid| self.host.children(pid));
        // A shell that waits, as most panes without an agent hold, is not worth reading every process of the host.
        if !tree.agents.is_empty() || tree.top.is_none() || tree.trouble.is_none() && self.host.is_childless(pid) {
            return tree;
        }
        match self.table() {
            // With `hidepid` the table leaves out what the cheap route names and nobody may read.
            Fact::Seen(children) => self.walk(pid, |pid| {
                let mut all = children.get(&pid).cloned().unwrap_or_default();
                all.extend(self.host.children(pid));
                all
            }),
            Fact::Absent => tree,
            Fact::Unknown(why) => ProcessTree { trouble: Some(why.clone()), ..tree },
        }
    }

    fn walk(&self, top: u32, children: impl Fn(u32) -> Vec<u32>) -> ProcessTree<'_> {
        let mut tree = ProcessTree::default();
        let mut queue = VecDeque::from([top]);
        let mut visited = HashSet::from([top]);
        while let Some(pid) = queue.pop_front() {
            let process = match self.host.process(pid) {
                Fact::Seen(process) => process,
                Fact::Absent => continue,
                Fact::Unknown(why) => {
                    tree.trouble = Some(why);
                    continue;
                }
            };
            let agent = self.identify(&process);
            let agent = agent.map(|(agent, invocation)| (agent, agent.is_led(&invocation)));
            if pid == top {
                tree.top = Some(process.clone());
            }
            match agent {
                // Another agent's child is nobody's agent, and what it starts is not either.
                Some((agent, true)) => {
                    tree.led.get_or_insert(agent.kind());
                    continue;
                }
                Some((agent, false)) => {
                    tree.agents.push(Sighting { agent, process });
                    continue;
                }
                None => {}
            }
            tree.doors.extend(door(&process.argv).map(|door| (pid, door)));
            queue.extend(children(pid).into_iter().filter(|child| visited.insert(*child)));
            if visited.len() > MOST {
                tree.trouble = Some(format!("more than {MOST} processes below process {top}"));
                break;
            }
        }
        tree
    }
}
