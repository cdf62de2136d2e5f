//! What live agents are doing, asked of those whose conversation is proven or shown by a weak rung. Believes no answer of a
//! process that is not, before and after, the one that was seen; never decides which conversation it is in.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::transcripts::{ids, live_agents};
use super::tree::Families;
use crate::agent::live_process::WrapperChain;
use crate::agent::{LiveConversation, LiveProcess};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Rung, RungValue};
use crate::core::observe::{Activity, Agent, Observation, Process, Transcript, TranscriptKey};
use crate::host::parallel::spread;
use crate::host::{Host, ProcessInfo};

/// What an agent answers: its turn, and what there is to say beside it.
type Answer = (Fact<Activity>, Option<String>);

/// The transcripts that were looked for.
type Transcripts = BTreeMap<TranscriptKey, Fact<Transcript>>;

/// More conversations than this are not asked about that may be one agent's: hardly ever are all but one somebody else's.
const MOST: usize = 8;

/// A live agent in a conversation.
type Place = (Process, ConversationId);

/// Asks every live agent about the conversations it may be in; its transcripts must have been found.
pub(super) fn ask(
    host: &dyn Host,
    families: &Families<'_>,
    seen: &Observation,
) -> (BTreeMap<Place, Fact<Activity>>, BTreeMap<Place, String>) {
    // Grouped sessions show one process several times.
    let agents: BTreeMap<Process, &Agent> = live_agents(seen).map(|(_, _, agent)| (agent.process, agent.as_ref())).collect();
    let places: Vec<(&Agent, &ConversationId)> =
        agents.into_values().flat_map(|agent| conversations(agent).into_iter().map(move |id| (agent, id))).collect();
    let answers = spread(&places, |(agent, id)| {
        Some(((agent.process, (*id).clone()), answer(host, families, &seen.transcripts, agent, id)?))
    });
    let (mut turns, mut awaited) = (BTreeMap::new(), BTreeMap::new());
    for (place, (turn, what)) in answers.into_iter().flatten() {
        awaited.extend(what.map(|what| (place.clone(), what)));
        turns.insert(place, turn);
    }
    (turns, awaited)
}

/// What live agents are doing whichever conversation they are in: starting, parked, suspended.
pub(super) fn phases(host: &dyn Host, families: &Families<'_>, seen: &Observation) -> BTreeMap<Process, Activity> {
    let agents: Vec<&Agent> = live_agents(seen).map(|(_, _, agent)| agent.as_ref()).collect();
    let phases = spread(&agents, |agent| Some((agent.process, phase(host, families, agent)?)));
    phases.into_iter().flatten().collect()
}

/// The phase of one agent, wrappers and what they wrap together.
fn phase(host: &dyn Host, families: &Families<'_>, agent: &Agent) -> Option<Activity> {
    let top = host.process(agent.process.pid).into_seen().filter(|top| Process::from(top) == agent.process)?;
    let adapter = families.agents().of(agent.kind)?;
    let children = |pid| families.children(pid);
    let chain = WrapperChain::new(host, (adapter, families.agents()), &top, &children);
    // A wrapper whose agent is stopped waits for it; a loader is stopped with what it loads.
    if host.is_stopped(chain.itself().pid) || chain.processes().any(|process| host.is_stopped(process.pid)) {
        return lives(host, &top).then_some(Activity::Suspended);
    }
    let home = agent.home.seen()?;
    let told: Vec<Fact<Activity>> = chain.processes().map(|process| adapter.phase(process, home)).collect();
    let phase = match told.iter().find(|told| told.seen().is_some_and(|turn| *turn != Activity::Starting)) {
        Some(told) => told.seen().copied(),
        // One of them that has begun, or cannot be told of, makes the whole begun.
        None => told.iter().all(|told| *told == Fact::Seen(Activity::Starting)).then_some(Activity::Starting),
    };
    phase.filter(|phase| *phase != Activity::Starting || !has_begun(agent)).filter(|_| lives(host, &top))
}

/// Whether anything else says that an agent is in a conversation: a strong rung but its arguments, or one that appeared beside it.
fn has_begun(agent: &Agent) -> bool {
    // What appeared nearer to its start than this may be its forerunner's.
    let is_after = |at: DateTime<Utc>| at > agent.process.started + TimeDelta::seconds(1);
    match agent.ladder.proof() {
        Fact::Seen((_, rung)) => rung < Rung::Start,
        Fact::Absent => agent.ladder.readings.iter().filter_map(|reading| reading.fact.seen()).any(|found| match found {
            RungValue::Id(_) => true,
            RungValue::Mapped { changed, .. } => changed.is_some_and(is_after),
            RungValue::Appeared(all) => all.iter().any(|it| is_after(it.at)),
        }),
        Fact::Unknown(_) => true,
    }
}

/// The conversation an agent is proven to be in; without proof those that came into being beside it, if it is alone.
fn conversations(agent: &Agent) -> Vec<&ConversationId> {
    match agent.ladder.proof() {
        Fact::Seen((id, _)) => vec![id],
        Fact::Absent if agent.ladder.peers == Fact::Seen(1) => {
            let all: Vec<_> = ids(agent).collect();
            if all.len() > MOST { Vec::new() } else { all }
        }
        Fact::Absent | Fact::Unknown(_) => Vec::new(),
    }
}

/// What one agent answers if it is in a conversation; `None` if it is not the process that was seen.
fn answer(
    host: &dyn Host,
    families: &Families<'_>,
    transcripts: &Transcripts,
    agent: &Agent,
    id: &ConversationId,
) -> Option<Answer> {
    let home = agent.home.seen()?;
    let top = host.process(agent.process.pid).into_seen().filter(|top| Process::from(top) == agent.process)?;
    let key = TranscriptKey { kind: agent.kind, home: home.clone(), id: id.clone() };
    let transcript = transcripts.get(&key).and_then(Fact::seen);
    let adapter = families.agents().of(agent.kind)?;
    // One that only seems to be in it may have gone on in another.
    let is_still_in = || Some(adapter.is_latest(transcript?, id, agent.cwd.seen()?));
    if agent.ladder.proof().is_absent() && is_still_in() != Some(true) {
        return Some((Fact::Absent, None));
    }
    let children = |pid| families.children(pid);
    let subject =
        LiveProcess::new(WrapperChain::new(host, (adapter, families.agents()), &top, &children), (&agent.cwd, home), false);
    let chain: Vec<&ProcessInfo> = subject.chain().collect();
    // The innermost process is the agent itself: a wrapper may be older than the turn, and a turn than the agent.
    for process in chain.into_iter().rev() {
        let scene = LiveConversation { host, process, home, id, transcript };
        let turn = adapter.activity(&scene);
        if turn.is_absent() {
            continue;
        }
        let awaited = turn.seen().and_then(|_| adapter.waiting_for(&scene));
        return (lives(host, process) && lives(host, &top)).then_some((turn, awaited));
    }
    Some((Fact::Absent, None))
}

/// Whether a process is still the one it was.
fn lives(host: &dyn Host, process: &ProcessInfo) -> bool {
    matches!(host.stat(process.pid), Fact::Seen(now) if Process::from(&now) == Process::from(process))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::{AgentKind, ConversationId};
    use crate::core::observe::identity::{Ladder, RungReading};
    use crate::host::{Environ, LocalHost};

    const ID: &str = "7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0001";

    #[test]
    fn an_answer_of_another_process_than_the_one_that_was_seen_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let host = LocalHost::new(Environ::default());
        let live = host.process(child.id()).into_seen().unwrap();
        std::fs::create_dir(home.path().join("sessions")).unwrap();
        let ticks = live.start_ticks.unwrap().to_string();
        let entry = serde_json::json!({ "pid": live.pid, "sessionId": ID, "procStart": ticks, "status": "busy" });
        std::fs::write(home.path().join(format!("sessions/{}.json", live.pid)), entry.to_string()).unwrap();
        let agent = |process: Process, fact| Agent {
            kind: AgentKind::Claude,
            process,
            cwd: Fact::Seen("/".into()),
            home: Fact::Seen(home.path().to_path_buf()),
            ladder: Ladder {
                readings: vec![RungReading { rung: Rung::Registry, looked_at: "the registry".to_owned(), fact }],
                ..Ladder::default()
            },
        };
        let id = || Fact::Seen(RungValue::Id(ConversationId(ID.to_owned())));
        let seen = Process::from(&live);
        let before = Process { started: seen.started - chrono::TimeDelta::seconds(1), ..seen };
        let families = Families::new(&host, crate::agent::Agents::default());
        let ask = |agent: &Agent| {
            let id = conversations(agent).first().copied()?;
            answer(&host, &families, &Transcripts::new(), agent, id).map(|(turn, _)| turn)
        };
        assert_eq!(ask(&agent(seen, id())), Some(Fact::Seen(Activity::Working)));
        assert_eq!(ask(&agent(before, id())), None, "the pid now belongs to another process");
        assert_eq!(ask(&agent(seen, Fact::Absent)), None, "not proven");
        assert_eq!(ask(&agent(seen, Fact::Unknown("torn".into()))), None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ask(&agent(seen, id())), None, "it has ended");
    }
}
