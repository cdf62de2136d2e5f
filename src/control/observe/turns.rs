//! What live agents are doing, asked of those whose conversation is proven. Believes no answer of a process that is not, before
//! and after, the one that was seen; never decides what an answer means.

use std::collections::BTreeMap;

use super::spread::spread;
use super::transcripts::live_agents;
use super::tree::Families;
use crate::agent::{self, Scene, Subject};
use crate::core::fact::Fact;
use crate::core::observe::{Agent, Observation, Process, TranscriptKey, Turn};
use crate::host::{Host, ProcessInfo};

/// What an agent answers: its turn, and what it waits for if it does.
type Answer = (Fact<Turn>, Option<String>);

/// Asks every live agent whose conversation is proven; its transcripts must have been found.
pub(super) fn ask(
    host: &dyn Host,
    families: &Families<'_>,
    seen: &Observation,
) -> (BTreeMap<Process, Fact<Turn>>, BTreeMap<Process, String>) {
    // Grouped sessions show one process several times.
    let agents: BTreeMap<Process, &Agent> = live_agents(seen).map(|(_, _, agent)| (agent.process, agent)).collect();
    let agents: Vec<&Agent> = agents.into_values().collect();
    let answers = spread(&agents, |agent| Some((agent.process, answer(host, families, seen, agent)?)));
    let (mut turns, mut awaited) = (BTreeMap::new(), BTreeMap::new());
    for (process, (turn, what)) in answers.into_iter().flatten() {
        turns.insert(process, turn);
        awaited.extend(what.map(|what| (process, what)));
    }
    (turns, awaited)
}

/// What one agent answers; `None` if its conversation is not proven or it is not the process that was seen.
fn answer(host: &dyn Host, families: &Families<'_>, seen: &Observation, agent: &Agent) -> Option<Answer> {
    let (id, _) = agent.ladder.proof().into_seen()?;
    let home = agent.home.seen()?;
    let top = host.process(agent.process.pid).into_seen().filter(|top| Process::from(top) == agent.process)?;
    let key = TranscriptKey { kind: agent.kind, home: home.clone(), id: id.clone() };
    let transcript = seen.transcripts.get(&key).and_then(Fact::seen);
    let adapter = agent::of(agent.kind);
    let children = |pid| families.children(pid);
    let subject = Subject::new(host, adapter, &top, &children, (&agent.cwd, home), false);
    let chain: Vec<&ProcessInfo> = subject.chain().collect();
    // The innermost process is the agent itself: a wrapper may be older than the turn, and a turn than the agent.
    for process in chain.into_iter().rev() {
        let scene = Scene { process, home, id, transcript };
        let turn = adapter.turn(&scene);
        if turn.is_absent() {
            continue;
        }
        let awaited = (turn == Fact::Seen(Turn::Waiting)).then(|| adapter.awaited(&scene)).flatten();
        return (lives(host, process) && lives(host, &top)).then_some((turn, awaited));
    }
    Some((Fact::Absent, None))
}

/// Whether a process is still the one it was.
fn lives(host: &dyn Host, process: &ProcessInfo) -> bool {
    matches!(host.glance(process.pid), Fact::Seen(now) if Process::from(&now) == Process::from(process))
}
