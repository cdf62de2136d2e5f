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
    kind: AgentKind,
    is_wrapper: bool,
    cwd: Option<PathBuf>,
    home: Option<PathBuf>,
    /// The conversation that one of the rungs 1 to 4 proves, and whether that is one it cannot have left.
    id: Option<(ConversationId, bool)>,
}

/// All of them.
pub(super) struct Rivals {
    all: Result<Vec<Rival>, String>,
}

impl Rivals {
    pub(super) fn of(world: &Observer, agents: &Agents) -> Self {
        let host = world.host.as_ref();
        let table = match host.table() {
            Fact::Seen(table) => table,
            Fact::Absent => return Self { all: Err("the processes of this host cannot be listed".to_owned()) },
            Fact::Unknown(why) => return Self { all: Err(why) },
        };
        let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
        for row in &table {
            below.entry(row.parent).or_default().push(row.pid);
        }
        let children = |pid: u32| below.get(&pid).cloned().unwrap_or_default();
        let mut all = Vec::new();
        for row in &table {
            let Fact::Seen(process) = host.process(row.pid) else { continue };
            let Some((adapter, invocation)) = agents.identify(&process.argv, || host.exe(row.pid)) else { continue };
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
                let chain = WrapperChain::new(host, (adapter, agents), &process, &children);
                let launched = host.process(row.parent).into_seen().and_then(|parent| launched(&parent));
                let subject = LiveProcess::new(chain, (&cwd, home), false).below(launched);
                let ladder = Ladder { readings: adapter.ladder(&subject), ..Ladder::default() };
                ladder.proof().into_seen().map(|(id, rung)| (id.clone(), rung < Rung::Start))
            });
            all.push(Rival { pid: row.pid, kind: adapter.kind(), is_wrapper, cwd: cwd.into_seen(), home, id: proof });
        }
        // A wrapper is in what the process below it is in, which is there by itself.
        let parents: HashMap<u32, u32> = table.iter().map(|row| (row.pid, row.parent)).collect();
        let above = |pid: u32| std::iter::successors(parents.get(&pid).copied(), |pid| parents.get(pid).copied()).take(64);
        let agents: Vec<(u32, AgentKind)> = all.iter().map(|rival| (rival.pid, rival.kind)).collect();
        let holds =
            |outer: &Rival| agents.iter().any(|(pid, kind)| *kind == outer.kind && above(*pid).any(|it| it == outer.pid));
        all.retain(|rival| !(rival.is_wrapper && holds(rival)));
        Self { all: Ok(all) }
    }

    /// Who is in a conversation beside what runs below this process; one line.
    pub(super) fn beside(&self, world: &Observer, kind: AgentKind, id: &ConversationId, ours: u32) -> Option<String> {
        let is_in = |rival: &&Rival| rival.kind == kind && rival.id.as_ref().is_some_and(|(its, _)| its == id);
        let other = self.all.iter().flatten().filter(is_in).find(|rival| !is_below(world, rival.pid, ours))?;
        Some(format!("process {} is in its conversation as well, so what was started here was ended", other.pid))
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
        all.iter().filter(is_other).find_map(|rival| match &rival.id {
            Some((its, _)) if its == id => Some(format!("its conversation is open elsewhere: process {} is in it", rival.pid)),
            Some((_, true)) => None,
            Some((_, false)) | None => is_near(rival).then(|| {
                format!(
                    "process {} is a {kind} in the same directory, and which conversation it is in cannot be told",
                    rival.pid
                )
            }),
        })
    }
}

/// Whether a process is this one, or runs below it.
fn is_below(world: &Observer, pid: u32, ours: u32) -> bool {
    let host = world.host.as_ref();
    let parent = |pid: &u32| host.stat(*pid).into_seen().map(|process| process.parent).filter(|parent| *parent > 1);
    std::iter::successors(Some(pid), parent).take(64).any(|pid| pid == ours)
}
