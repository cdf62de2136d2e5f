//! What is so, told from the world itself: which session holds which agents, and which conversation each is in. Knows nothing of
//! passes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use headcount::core::ids::{MuxKind, SessionKey};

use super::fake::{Fake, Table};
use super::step::{Place, SERVERS};
use super::support::HOST;

/// An agent that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The process of its pane.
    pub pane: u32,
    /// Its own.
    pub pid: u32,
    /// When it started, in ticks of the boot: another process may have its id.
    pub ticks: u64,
    /// Its conversation, if it has entered it in its registry or was started with it.
    pub id: Option<String>,
    /// What it is: the name of its program.
    pub kind: String,
}

impl Agent {
    /// When it started, in the seconds that nobody sets.
    pub fn started(&self) -> i64 {
        i64::try_from(self.ticks / 100).unwrap() - 86_400
    }

    /// Whether it proves its conversation of itself, and not only by what it was started with.
    pub fn is_registered(&self) -> bool {
        self.kind == KINDS[0]
    }
}

/// The agents: one with a registry, and one that a manifest declares.
pub const KINDS: [&str; 2] = ["claude", "robot"];

/// A session, by server and name.
pub type Name = (String, String);

/// The world at one moment.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Every session with the agents in it.
    pub sessions: BTreeMap<Name, Vec<Agent>>,
    /// The panes of each.
    pub panes: BTreeMap<Name, Vec<u32>>,
    /// When each was made, in seconds.
    pub made: BTreeMap<Name, i64>,
    /// The sessions with a process that may not be read.
    pub hidden: BTreeSet<Name>,
    /// The servers that do not answer.
    pub mute: BTreeSet<String>,
    /// The agents that live in a pane no server shows any more, by the pane's process.
    pub lost: BTreeMap<u32, String>,
    /// How far the clock was set, in seconds.
    pub set: i64,
}

impl Truth {
    pub fn of(fake: &Fake) -> Self {
        let registered = |table: &Table, pid: u32| {
            let entry: serde_json::Value = serde_json::from_slice(&std::fs::read(fake.registry(pid)).ok()?).ok()?;
            let is_its = entry["procStart"].as_str()? == table.processes.get(&pid)?.ticks.to_string();
            is_its.then(|| entry["sessionId"].as_str().map(str::to_owned)).flatten()
        };
        let table = fake.table();
        let mut truth = Self { mute: table.mute.iter().cloned().collect(), ..Self::default() };
        truth.mute.retain(|server| table.servers.contains_key(server));
        for (server, sessions) in &table.servers {
            for (name, panes) in sessions {
                let key = (server.clone(), name.clone());
                let agents = panes.iter().flat_map(|pane| agents_below(&table, *pane).map(move |pid| (*pane, pid)));
                let agents = agents.map(|(pane, pid)| {
                    let argv = &table.processes[&pid].argv;
                    let id = if argv[0] == KINDS[0] { registered(&table, pid) } else { argv.get(2).cloned() };
                    Agent { pane, pid, ticks: table.processes[&pid].ticks, id, kind: argv[0].clone() }
                });
                truth.sessions.insert(key.clone(), agents.collect());
                let is_below = |pid: &u32| {
                    panes.contains(pid) || table.processes.get(pid).is_some_and(|process| panes.contains(&process.parent))
                };
                truth.hidden.extend(table.hidden.iter().any(is_below).then(|| key.clone()));
                truth.panes.insert(key.clone(), panes.clone());
                let made = panes.first().and_then(|pid| table.made.get(pid));
                truth.made.insert(key, made.map_or(0, |made| made.timestamp()));
            }
        }
        truth.set = table.set.num_seconds();
        let shown: BTreeSet<u32> = truth.panes.values().flatten().copied().collect();
        let tops = table.processes.iter().filter(|(pid, process)| process.parent == 1 && !shown.contains(pid));
        let lost = tops.flat_map(|(top, _)| agents_below(&table, *top).map(move |pid| (*top, pid)));
        truth.lost = lost.map(|(top, pid)| (top, table.processes[&pid].argv[0].clone())).collect();
        truth
    }

    /// Whether a server answers, if only to say that it is not there.
    pub fn answers(&self, server: &str) -> bool {
        !self.mute.contains(server)
    }

    /// All agents of a session.
    pub fn agents(&self, session: &Name) -> &[Agent] {
        self.sessions.get(session).map_or(&[], Vec::as_slice)
    }

    /// Those of a kind.
    pub fn agents_of(&self, session: &Name, kind: &str) -> Vec<&Agent> {
        self.agents(session).iter().filter(|agent| agent.kind == kind).collect()
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "truth")?;
        for ((server, name), agents) in &self.sessions {
            let panes = &self.panes[&(server.clone(), name.clone())];
            let mute = if self.mute.contains(server) { " (mute)" } else { "" };
            write!(f, "{server}{mute} {name} panes {panes:?}")?;
            for Agent { pane, pid, id, kind, .. } in agents {
                write!(f, ", {kind} {pid} in {pane} is in {}", id.as_deref().unwrap_or("nobody knows what"))?;
            }
            writeln!(f)?;
        }
        self.lost.iter().try_for_each(|(pane, kind)| writeln!(f, "out of reach: {kind} in {pane}"))
    }
}

/// The agents of a pane: its process, or else that process's children.
fn agents_below(table: &Table, pane: u32) -> impl Iterator<Item = u32> {
    let is_agent = |pid: &u32| table.processes.get(pid).is_some_and(|process| KINDS.contains(&process.argv[0].as_str()));
    let top = is_agent(&pane).then_some(pane);
    let below = table.processes.iter().filter(move |(pid, process)| process.parent == pane && is_agent(pid));
    let below: Vec<u32> = if top.is_some() { Vec::new() } else { below.map(|(pid, _)| *pid).collect() };
    top.into_iter().chain(below)
}

pub fn name(name: usize) -> String {
    format!("s{name}-creator-{}", kind(name))
}

/// The agent that belongs in the session of a name.
pub fn kind(name: usize) -> &'static str {
    KINDS[usize::from(name == 4)]
}

pub fn full(at: Place) -> Name {
    (SERVERS[at.server].to_owned(), name(at.name))
}

pub fn key((server, name): &Name) -> SessionKey {
    SessionKey { name: name.clone(), mux: MuxKind::Tmux, server: server.clone(), host: HOST.to_owned() }
}

/// Where the transcript of a conversation is.
pub fn transcript(fake: &Fake, id: &str) -> PathBuf {
    fake.transcript(id)
}
