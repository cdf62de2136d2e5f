//! Every process of an agent on this host, and which conversation it is in: before one is resumed, nobody may be in it. Asks the
//! agents' own files; whoever cannot be told stands in the way of the conversations of its home and workspace only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::agent::Agents;
use crate::agent::live_process::{LiveProcess, WrapperChain};
use crate::control::observe::{Observer, launched};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::identity::{Ladder, Rung};

/// A process of an agent.
struct Rival {
    pid: u32,
    start_ticks: Option<u64>,
    kind: AgentKind,
    is_wrapper: bool,
    cwd: Option<PathBuf>,
    home: Option<PathBuf>,
    /// The conversation that one of the rungs 1 to 4 proves, and whether that is one it cannot have left.
    id: Option<(ConversationId, bool)>,
}

impl Rival {
    /// Whether it is still what it was: what an agent runs looks for a moment like that agent itself, before it is another program.
    fn is_there(&self, world: &Observer, agents: &Agents) -> bool {
        let host = world.host.as_ref();
        match host.process(self.pid) {
            Fact::Absent => false,
            Fact::Unknown(_) => true,
            Fact::Seen(process) if process.start_ticks != self.start_ticks => false,
            Fact::Seen(process) => {
                agents.identify(&process.argv, || host.exe(self.pid)).is_some_and(|(adapter, _)| adapter.kind() == self.kind)
            }
        }
    }
}

/// All of them.
pub(super) struct Rivals<'a> {
    agents: &'a Agents,
    all: Result<Vec<Rival>, String>,
}

impl<'a> Rivals<'a> {
    pub(super) fn of(world: &Observer, known: &'a Agents) -> Self {
        let host = world.host.as_ref();
        let table = match host.table() {
            Fact::Seen(table) => table,
            Fact::Absent => {
                return Self { agents: known, all: Err("the processes of this host cannot be listed".to_owned()) };
            }
            Fact::Unknown(why) => return Self { agents: known, all: Err(why) },
        };
        let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
        for row in &table {
            below.entry(row.parent).or_default().push(row.pid);
        }
        let children = |pid: u32| below.get(&pid).cloned().unwrap_or_default();
        let mut all = Vec::new();
        for row in &table {
            let Fact::Seen(process) = host.process(row.pid) else { continue };
            let Some((adapter, invocation)) = known.identify(&process.argv, || host.exe(row.pid)) else { continue };
            // Another agent's child is in nothing that anybody resumes.
            if adapter.is_led(&invocation) {
                continue;
            }
            let is_wrapper = adapter.is_wrapper(&invocation);
            // What other users run cannot write our conversations; of root's that nobody may look into, its files in our home tell.
            let own = rustix::process::geteuid().as_raw();
            if host.rights(row.pid).seen().is_some_and(|rights| !rights.users.contains(&own))
                && host.cwd(row.pid).seen().is_none()
            {
                continue;
            }
            let cwd = host.cwd(row.pid);
            let home = host.environ(row.pid).into_seen().and_then(|env| adapter.home(&env));
            let proof = home.as_deref().and_then(|home| {
                let chain = WrapperChain::new(host, (adapter, known), &process, &children);
                let launched = host.process(row.parent).into_seen().and_then(|parent| launched(&parent));
                let subject = LiveProcess::new(chain, (&cwd, home), false).below(launched);
                let ladder = Ladder { readings: adapter.ladder(&subject), ..Ladder::default() };
                ladder.proof().into_seen().map(|(id, rung)| (id.clone(), rung < Rung::Start))
            });
            let (pid, start_ticks, kind) = (row.pid, process.start_ticks, adapter.kind());
            all.push(Rival { pid, start_ticks, kind, is_wrapper, cwd: cwd.into_seen(), home, id: proof });
        }
        // A wrapper is in what the process below it is in, which is there by itself.
        let parents: HashMap<u32, u32> = table.iter().map(|row| (row.pid, row.parent)).collect();
        let above = |pid: u32| std::iter::successors(parents.get(&pid).copied(), |pid| parents.get(pid).copied()).take(64);
        let agents: Vec<(u32, AgentKind)> = all.iter().map(|rival| (rival.pid, rival.kind)).collect();
        let holds =
            |outer: &Rival| agents.iter().any(|(pid, kind)| *kind == outer.kind && above(*pid).any(|it| it == outer.pid));
        all.retain(|rival| !(rival.is_wrapper && holds(rival)));
        Self { agents: known, all: Ok(all) }
    }

    /// Who is in a conversation beside what runs below this process; one line.
    pub(super) fn beside(&self, world: &Observer, kind: AgentKind, id: &ConversationId, ours: u32) -> Option<String> {
        let is_in = |rival: &&Rival| rival.kind == kind && rival.id.as_ref().is_some_and(|(its, _)| its == id);
        let mut others = self.all.iter().flatten().filter(is_in).filter(|rival| !is_below(world, rival.pid, ours));
        let other = others.find(|rival| rival.is_there(world, self.agents))?;
        Some(format!("process {} is in its conversation as well, so what was started here was ended", other.pid))
    }

    /// Whether what runs below a launcher is proven to have left a conversation for another one.
    pub(super) fn have_left(&self, world: &Observer, kind: AgentKind, id: &ConversationId, launcher: u32) -> bool {
        let is_its = |rival: &&Rival| rival.kind == kind && is_below(world, rival.pid, launcher);
        let mut its = self.all.iter().flatten().filter(is_its).peekable();
        its.peek().is_some() && its.all(|rival| rival.id.as_ref().is_some_and(|(other, is_sure)| *is_sure && other != id))
    }

    /// Who is in a conversation, or may be; one line.
    pub(super) fn of_conversation(
        &self,
        world: &Observer,
        (kind, id): (AgentKind, &ConversationId),
        (home, cwd): (&Path, &Path),
        ours: Option<u32>,
    ) -> Option<String> {
        let all = match &self.all {
            Ok(all) => all,
            Err(why) => return Some(format!("whether its conversation is open elsewhere cannot be told: {why}")),
        };
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let (home, cwd) = (real(home), real(cwd));
        let is_near = |rival: &Rival| {
            let is_here = rival.cwd.as_deref().is_none_or(|its| real(its) == cwd);
            is_here && rival.home.as_deref().is_none_or(|its| real(its) == home)
        };
        let is_other = |rival: &&Rival| rival.kind == kind && !ours.is_some_and(|ours| is_below(world, rival.pid, ours));
        let mut others = all.iter().filter(is_other).filter_map(|rival| {
            let why = match &rival.id {
                Some((its, _)) if its == id => format!("its conversation is open elsewhere: process {} is in it", rival.pid),
                Some((_, true)) => return None,
                Some((_, false)) | None if !is_near(rival) => return None,
                Some((_, false)) | None => format!(
                    "process {} is a {kind} in the same directory, and which conversation it is in cannot be told",
                    rival.pid
                ),
            };
            Some((rival, why))
        });
        others.find(|(rival, _)| rival.is_there(world, self.agents)).map(|(_, why)| why)
    }
}

/// Whether a process is this one, or runs below it.
fn is_below(world: &Observer, pid: u32, ours: u32) -> bool {
    let host = world.host.as_ref();
    let parent = |pid: &u32| host.stat(*pid).into_seen().map(|process| process.parent).filter(|parent| *parent > 1);
    std::iter::successors(Some(pid), parent).take(64).any(|pid| pid == ours)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use rustix::process::{Pid, Signal};

    use super::*;
    use crate::host::Environ;

    #[test]
    fn what_has_ended_since_it_was_listed_is_in_no_conversation() {
        let lab = tempfile::tempdir().unwrap();
        let home = lab.path().join(".claude");
        let mut child =
            Command::new("sleep").arg0("claude").arg("60").current_dir(lab.path()).env("HOME", lab.path()).spawn().unwrap();
        let world = Observer::local(Environ::of_this_process());
        while world.host.process(child.id()).seen().is_none_or(|process| process.argv.first().is_none_or(|it| it != "claude")) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let agents = Agents::default();
        let rivals = Rivals::of(&world, &agents);
        let id = ConversationId("7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90".to_owned());
        let who = || rivals.of_conversation(&world, (AgentKind::Claude, &id), (&home, lab.path()), None);
        let is_named = || who().is_some_and(|why| why.contains(&format!("process {} ", child.id())));
        assert!(is_named());
        rustix::process::kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        while !world.host.process(child.id()).is_absent() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(!is_named());
        child.wait().unwrap();
    }
}
