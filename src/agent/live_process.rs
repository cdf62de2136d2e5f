//! The live process an agent adapter is asked about. Reads processes through the host only.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::recognise::Interpreter;
use super::{Adapter, Agents, Program};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Rung, RungReading, RungValue};
use crate::host::{Host, NamespacePid, ProcessInfo};

/// How deep wrappers may be nested.
const DEEPEST: usize = 8;

/// A live agent: its topmost process and, if that is only a wrapper, those below it.
pub struct WrapperChain<'a> {
    host: &'a dyn Host,
    agent: &'a dyn Adapter,
    agents: &'a Agents,
    process: &'a ProcessInfo,
    children: &'a dyn Fn(u32) -> Vec<u32>,
    inner: OnceCell<Vec<ProcessInfo>>,
}

impl<'a> WrapperChain<'a> {
    /// Of the topmost process of an agent, which is one of `agents`; `children` gives a process's children.
    pub fn new(
        host: &'a dyn Host,
        (agent, agents): (&'a dyn Adapter, &'a Agents),
        process: &'a ProcessInfo,
        children: &'a dyn Fn(u32) -> Vec<u32>,
    ) -> Self {
        Self { host, agent, agents, process, children, inner: OnceCell::new() }
    }

    /// The topmost process, then, if it is only a wrapper, the processes of the same agent right below it, outermost first.
    /// An agent's own children, such as another run of it by one of its tools, are not among them.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessInfo> {
        std::iter::once(self.process)
            .chain(std::iter::once_with(|| self.inner.get_or_init(|| self.find_inner()).iter()).flatten())
    }

    /// The agent itself: a script may have given it another directory and another environment than its own. A loader passes on what
    /// it has, and what is below it may be the agent's own tool.
    pub fn itself(&self) -> &ProcessInfo {
        let is_script = |process: &ProcessInfo| {
            self.is_wrapper(process)
                && self.agent.recognise("", &process.argv).and_then(|it| it.via).is_some_and(Interpreter::is_of_scripts)
        };
        self.processes().find(|process| !is_script(process)).or_else(|| self.processes().last()).unwrap_or(self.process)
    }

    fn is_wrapper(&self, process: &ProcessInfo) -> bool {
        self.agent.recognise("", &process.argv).is_some_and(|invocation| self.agent.is_wrapper(&invocation))
    }

    fn find_inner(&self) -> Vec<ProcessInfo> {
        let mut found = Vec::new();
        if self.is_wrapper(self.process) {
            self.descend(self.process.pid, DEEPEST, &mut found);
        }
        found
    }

    fn descend(&self, pid: u32, depth: usize, found: &mut Vec<ProcessInfo>) {
        if depth == 0 {
            return;
        }
        for child in (self.children)(pid) {
            let Fact::Seen(process) = self.host.process(child) else { continue };
            match self.agents.identify(&process.argv, || self.host.exe(child)) {
                Some((agent, invocation)) if agent.kind() == self.agent.kind() && !agent.is_led(&invocation) => {
                    let goes_on = self.is_wrapper(&process);
                    found.push(process);
                    if goes_on {
                        self.descend(child, depth - 1, found);
                    }
                }
                // Another agent's tree is none of ours.
                Some(_) => {}
                None => self.descend(child, depth - 1, found),
            }
        }
    }
}

/// Who holds a file of an agent locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Locker {
    /// The agent that is asked about.
    Itself,
    /// A service of its program, which holds it for whoever asks.
    Service,
    /// Another process.
    Other(u32),
}

/// A conversation that headcount began a process in, or had it go on in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// The operation.
    pub operation: String,
    /// The conversation.
    pub id: ConversationId,
}

/// The conversations that the registry files in a home name, each with the process whose file it is.
pub type NamedConversations = Arc<Vec<(u32, String)>>;

/// How much older than a reading a file has to be for that to know whose it is: a process is registered before or soon after it writes.
const SETTLED: TimeDelta = TimeDelta::milliseconds(100);

/// What many agents of one look need of the same files, so that it is read once and not for each of them.
#[derive(Debug, Default)]
pub struct SharedReadings(Mutex<HashMap<PathBuf, (DateTime<Utc>, NamedConversations)>>);

impl SharedReadings {
    /// What the registry of a home names, no older than a file that was written at `newest` needs.
    pub fn named(
        &self,
        home: &Path,
        (newest, now): (DateTime<Utc>, DateTime<Utc>),
        read: impl FnOnce() -> NamedConversations,
    ) -> NamedConversations {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, named)) = known.get(home).filter(|(read_at, _)| newest + SETTLED < *read_at) {
            return Arc::clone(named);
        }
        let named = read();
        known.insert(home.to_path_buf(), (now, Arc::clone(&named)));
        named
    }
}

/// A live agent and where it works.
pub struct LiveProcess<'a> {
    chain: WrapperChain<'a>,
    /// What its topmost process takes itself for, once somebody has asked.
    selfhood: OnceCell<Fact<NamespacePid>>,
    /// What the other agents of its look have read.
    shared: Option<&'a SharedReadings>,
    /// What the launcher right above it was to begin it in.
    pub launched: Option<Launched>,
    /// Its working directory, symlinks resolved.
    pub cwd: &'a Fact<PathBuf>,
    /// Where it keeps its files.
    pub home: &'a Path,
    /// Whether rungs are wanted that a stronger one makes superfluous.
    pub every_rung: bool,
}

impl<'a> LiveProcess<'a> {
    /// An agent in its place: its directory and its home.
    pub fn new(chain: WrapperChain<'a>, place: (&'a Fact<PathBuf>, &'a Path), every_rung: bool) -> Self {
        let (cwd, home) = place;
        Self { chain, selfhood: OnceCell::new(), shared: None, launched: None, cwd, home, every_rung }
    }

    /// The same in a look that has others.
    pub fn sharing(self, shared: &'a SharedReadings) -> Self {
        Self { shared: Some(shared), ..self }
    }

    /// What the registry of its home names, read late enough for a file that was written at `newest`.
    pub fn named(&self, newest: DateTime<Utc>, read: impl FnOnce() -> NamedConversations) -> NamedConversations {
        match self.shared {
            Some(shared) => shared.named(self.home, (newest, self.now()), read),
            None => read(),
        }
    }

    /// The same below a launcher.
    pub fn below(self, launched: Option<Launched>) -> Self {
        Self { launched, ..self }
    }

    /// The host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.chain.host.now()
    }

    /// The paths of the files a process of the chain holds open.
    pub fn open_files(&self, process: &ProcessInfo) -> Fact<Vec<PathBuf>> {
        self.chain.host.open_files(process.pid)
    }

    /// What a process of the chain takes itself for.
    pub fn selfhood(&self, process: &ProcessInfo) -> Fact<NamespacePid> {
        let ask = || self.chain.host.own_pid(process.pid);
        if process.pid == self.topmost().pid { self.selfhood.get_or_init(ask).clone() } else { ask() }
    }

    /// Any process of the host.
    pub fn process(&self, pid: u32) -> Fact<ProcessInfo> {
        self.chain.host.process(pid)
    }

    /// Which process holds a file locked; `Absent`: none does.
    pub fn locker(&self, path: &Path) -> Fact<Locker> {
        let WrapperChain { host, agent, .. } = &self.chain;
        let locker = |pid: u32| {
            let argv = host.process(pid).into_seen().map(|process| process.argv).unwrap_or_default();
            let names = agent.names();
            let is_service = Program::of(&argv).is_some_and(|program| names.matches_service(&program, names.services));
            match self.chain().any(|process| process.pid == pid) {
                true => Locker::Itself,
                false if is_service => Locker::Service,
                false => Locker::Other(pid),
            }
        };
        match host.lockers(path) {
            Fact::Seen(pids) => pids.into_iter().map(locker).min().map_or(Fact::Absent, Fact::Seen),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// The topmost process.
    pub fn topmost(&self) -> &ProcessInfo {
        self.chain.process
    }

    /// See [`WrapperChain::processes`].
    pub fn chain(&self) -> impl Iterator<Item = &ProcessInfo> {
        self.chain.processes()
    }

    /// When the youngest process of the chain started: a wrapper may have started what it wraps anew.
    pub fn started(&self) -> DateTime<Utc> {
        self.chain().map(|process| process.started).max().unwrap_or(self.topmost().started)
    }

    /// The first thing `ask` sees along the chain. Without any, the first reason why it could not be told.
    pub fn first_seen<T>(&self, mut ask: impl FnMut(&ProcessInfo) -> Fact<T>) -> Fact<T> {
        let mut verdict = Fact::Absent;
        for process in self.chain() {
            match ask(process) {
                Fact::Seen(value) => return Fact::Seen(value),
                Fact::Unknown(why) if verdict.is_absent() => verdict = Fact::Unknown(why),
                Fact::Unknown(_) | Fact::Absent => {}
            }
        }
        verdict
    }
}

/// Whether a rung of this strength makes weaker ones superfluous: 1 to 4 name the id of the process itself.
pub fn proves(readings: &[RungReading]) -> bool {
    readings.iter().any(|reading| reading.rung <= Rung::Start && matches!(reading.fact, Fact::Seen(RungValue::Id(_))))
}
