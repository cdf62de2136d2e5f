//! What live agents are said to be doing, and when nothing is said.

use std::fs;

use headcount::control::observe::{World as Looking, observe};
use headcount::core::fact::Fact;
use headcount::core::observe::{Observation, Turn};
use headcount::host::LocalHost;

use crate::support::{HOST, World, await_some, entries};
use crate::{agents, look};

const THREAD: &str = "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6";

/// One look that also asks what the agents are doing.
fn ask(world: &World, agent: &str) -> Observation {
    let env = world.environ(&[]);
    let host = Box::new(LocalHost::named(HOST, env.clone()));
    observe(&Looking { host, activity: true, ..Looking::local(env) }, &entries([format!("name: s, agent: {agent}")]))
}

/// What the only agent of the session is said to be doing; `None` if it was not asked.
fn turn(seen: &Observation) -> Option<&Fact<Turn>> {
    let process = agents(seen, "s").first()?.process;
    let mut told = seen.turns.iter().filter(|((of, _), _)| *of == process).map(|(_, turn)| turn);
    let (first, more) = (told.next(), told.count());
    assert_eq!(more, 0, "{:?}", seen.turns);
    first
}

/// Waits until the agent is said to be doing this.
fn await_turn(world: &World, agent: &str, expected: &Fact<Turn>) -> Observation {
    await_some("the turn", || Some(ask(world, agent)).filter(|seen| turn(seen) == Some(expected)))
}

#[test]
fn claude_is_idle_works_and_waits_as_its_registry_says() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.claude_session("s", &cwd);
    await_turn(&world, "claude", &Fact::Seen(Turn::Idle));
    world.type_line("s", "/turn busy");
    await_turn(&world, "claude", &Fact::Seen(Turn::Working));
    world.type_line("s", "/turn waiting permission prompt");
    let seen = await_turn(&world, "claude", &Fact::Seen(Turn::Waiting));
    assert_eq!(seen.awaited.values().collect::<Vec<_>>(), ["permission prompt"]);
    assert_eq!(seen.awaited.keys().next(), seen.turns.keys().next());
    let other = look(&world, &entries(["name: s, agent: claude"]));
    assert!(other.turns.is_empty() && other.awaited.is_empty(), "only who wants to know makes it read");
}

#[test]
fn the_agent_inside_a_wrapper_answers_for_it() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.wrap_claude();
    let pid = world.session("s", &cwd, "exec claude");
    let seen = await_turn(&world, "claude", &Fact::Seen(Turn::Idle));
    assert_eq!(seen.turns.keys().map(|(process, _)| process.pid).collect::<Vec<_>>(), [pid]);
}

#[test]
fn what_a_killed_process_left_is_said_of_nobody() {
    let world = World::new();
    let cwd = world.workspace("w");
    let killed = world.claude_session("s", &cwd);
    world.type_line("s", "/turn busy");
    await_turn(&world, "claude", &Fact::Seen(Turn::Working));
    let registry = world.home().join(format!(".claude/sessions/{}.json", killed.pid));
    let left = fs::read_to_string(&registry).unwrap();
    world.tmux(["set-option", "-g", "remain-on-exit", "on"]);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(killed.pid.try_into().unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let seen = await_some("its end", || Some(ask(&world, "claude")).filter(|seen| agents(seen, "s").is_empty()));
    assert!(registry.exists() && seen.turns.is_empty(), "{:?}", seen.turns);
    // The next process of the session resumes the conversation and has not registered itself yet. What stands in the file is
    // what the killed one left, even if the pid is the same again.
    world.tmux([
        "respawn-pane",
        "-k",
        "-t",
        "=s:",
        "-c",
        cwd.to_str().unwrap(),
        &format!("exec claude --no-registry --resume {}", killed.id.as_str()),
    ]);
    let seen = await_some("the next", || Some(ask(&world, "claude")).filter(|seen| !agents(seen, "s").is_empty()));
    assert_eq!(turn(&seen), Some(&Fact::Absent), "it has said nothing yet");
    let next = agents(&seen, "s")[0].process.pid;
    let reused = left.replace(&format!("\"pid\":{}", killed.pid), &format!("\"pid\":{next}"));
    fs::write(world.home().join(format!(".claude/sessions/{next}.json")), reused).unwrap();
    assert_eq!(turn(&ask(&world, "claude")), Some(&Fact::Absent), "a registry file of before its start");
}

#[test]
fn an_agent_whose_conversation_is_not_proven_is_not_asked() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.session("s", &cwd, "exec claude --no-registry");
    let seen = await_some("the agent", || Some(ask(&world, "claude")).filter(|seen| !agents(seen, "s").is_empty()));
    assert_eq!(turn(&seen), None);
}

#[test]
fn codex_works_from_the_start_of_a_turn_of_its_own_to_its_end() {
    let world = World::new();
    let cwd = world.workspace("w");
    // A thread holds its lock from the launch on, and its rollout appears with the first prompt.
    let codex = format!(
        r#"#!/bin/bash
mkdir -p "$HOME/.codex/thread-writer-locks" "$HOME/.codex/sessions/2026/11/21"
exec 9>"$HOME/.codex/thread-writer-locks/{THREAD}.lock"
while read -r kind at; do
  printf '{{"timestamp":"%s","type":"event_msg","payload":{{"type":"%s"}}}}\n' "${{at:-$(date -u +%FT%T.%3NZ)}}" "$kind" \
    >> "$HOME/.codex/sessions/2026/11/21/rollout-2026-11-21T03-17-17-{THREAD}.jsonl"
done
"#
    );
    world.program("codex", &codex);
    world.session("s", &cwd, "exec codex");
    await_turn(&world, "codex", &Fact::Absent);
    world.type_line("s", "task_started");
    await_turn(&world, "codex", &Fact::Seen(Turn::Working));
    world.type_line("s", "task_complete");
    await_turn(&world, "codex", &Fact::Seen(Turn::Idle));
    world.type_line("s", "task_started");
    await_turn(&world, "codex", &Fact::Seen(Turn::Working));
    world.type_line("s", "turn_aborted");
    await_turn(&world, "codex", &Fact::Seen(Turn::Idle));
    world.type_line("s", "task_started 2020-01-01T00:00:00Z");
    await_turn(&world, "codex", &Fact::Absent);
}
