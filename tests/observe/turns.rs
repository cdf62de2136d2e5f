//! What live agents are said to be doing, and when nothing is said.

use std::fs;

use headcount::control::observe::{Observer as Looking, observe};
use headcount::core::fact::Fact;
use headcount::core::observe::{Activity, Observation};
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
fn turn(seen: &Observation) -> Option<&Fact<Activity>> {
    let process = agents(seen, "s").first()?.process;
    let mut told = seen.turns.iter().filter(|((of, _), _)| *of == process).map(|(_, turn)| turn);
    let (first, more) = (told.next(), told.count());
    assert_eq!(more, 0, "{:?}", seen.turns);
    first
}

/// Waits until the agent is said to be doing this.
fn await_turn(world: &World, agent: &str, expected: &Fact<Activity>) -> Observation {
    await_some("the turn", || Some(ask(world, agent)).filter(|seen| turn(seen) == Some(expected)))
}

#[test]
fn claude_is_idle_works_and_waits_as_its_registry_says() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.claude_session("s", &cwd);
    await_turn(&world, "claude", &Fact::Seen(Activity::Idle));
    world.type_line("s", "/turn busy");
    await_turn(&world, "claude", &Fact::Seen(Activity::Working));
    world.type_line("s", "/turn waiting permission prompt");
    let seen = await_turn(&world, "claude", &Fact::Seen(Activity::Waiting));
    assert_eq!(seen.awaited.values().collect::<Vec<_>>(), ["permission prompt"]);
    assert_eq!(seen.awaited.keys().next(), seen.turns.keys().next());
    let other = look(&world, &entries(["name: s, agent: claude"]));
    assert!(other.turns.is_empty() && other.awaited.is_empty(), "only who wants to know makes it read");
}

/// What the only agent of the session is doing whichever conversation it is in.
fn phase(seen: &Observation) -> Option<Activity> {
    agents(seen, "s").first().and_then(|agent| seen.phases.get(&agent.process).copied())
}

/// Changes a registry file as its process would.
fn amend(world: &World, pid: u32, change: impl Fn(&mut serde_json::Value)) {
    let file = world.home().join(format!(".claude/sessions/{pid}.json"));
    let mut entry = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut entry);
    fs::write(file, entry.to_string()).unwrap();
}

#[test]
fn claude_is_idle_while_a_shell_of_its_last_turn_runs_on() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.claude_session("s", &cwd);
    world.type_line("s", "/turn shell");
    let seen = await_some("the shell", || Some(ask(&world, "claude")).filter(|seen| !seen.awaited.is_empty()));
    assert_eq!(turn(&seen), Some(&Fact::Seen(Activity::Idle)));
    assert_eq!(seen.awaited.values().collect::<Vec<_>>(), ["a background shell runs"]);
}

#[test]
fn a_stopped_agent_is_suspended_whatever_its_files_say() {
    // tmux lets a pane's own process go on at once, so each stands below a shell, as one that Ctrl-Z reaches does.
    let named = ["codex", "agy", "pi", "opencode", "gemini", "copilot"];
    let others =
        named.map(|name| (if name == "agy" { "antigravity" } else { name }, format!("(exec -a {name} sleep 600); true")));
    for (agent, command) in std::iter::once(("claude", "claude; true".to_owned())).chain(others) {
        let world = World::new();
        let cwd = world.workspace("w");
        world.session("s", &cwd, &format!("exec bash -c '{command}'"));
        let pid = await_some("the agent", || Some(agents(&ask(&world, agent), "s").first()?.process.pid));
        if agent == "claude" {
            world.registered(pid);
            world.type_line("s", "/turn busy");
            await_turn(&world, agent, &Fact::Seen(Activity::Working));
        }
        let raw = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(raw, rustix::process::Signal::STOP).unwrap();
        await_some("the stop", || (phase(&ask(&world, agent)) == Some(Activity::Suspended)).then_some(()));
        rustix::process::kill_process(raw, rustix::process::Signal::CONT).unwrap();
        await_some("its going on", || (phase(&ask(&world, agent)).is_none()).then_some(()));
    }
}

#[test]
fn a_claude_that_has_not_registered_or_not_chosen_is_starting_and_proves_nothing() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("s", &cwd);
    assert_eq!(phase(&ask(&world, "claude")), None);
    amend(&world, claude.pid, |entry| drop(entry.as_object_mut().unwrap().remove("status")));
    let choosing = ask(&world, "claude");
    assert_eq!(phase(&choosing), Some(Activity::Starting));
    assert!(agents(&choosing, "s")[0].ladder.proof().is_absent(), "the id is a placeholder");
    fs::remove_file(world.home().join(format!(".claude/sessions/{}.json", claude.pid))).unwrap();
    assert_eq!(phase(&ask(&world, "claude")), Some(Activity::Starting), "a dialog is open");
    assert!(look(&world, &entries(["name: s, agent: claude"])).phases.is_empty(), "only who wants to know makes it read");
}

#[test]
fn a_parked_pane_is_followed_to_its_job_and_then_by_the_transcript() {
    let world = World::new();
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let pane = world.claude_session("s", &cwd);
    let old = world.prompt("s", &cwd, &pane);
    let job = world.claude_session("job", &other);
    let new = job.id.as_str();
    amend(&world, pane.pid, |entry| entry["parkedJobId"] = new[..8].into());
    let proof = || {
        let seen = ask(&world, "claude");
        assert_eq!(phase(&seen), Some(Activity::Parked));
        agents(&seen, "s")[0].ladder.proof().map(|(id, _)| id.as_str().to_owned())
    };
    assert!(proof().why_unknown().is_some_and(|why| why.contains("background job")), "{:?}", proof());
    amend(&world, job.pid, |entry| entry["jobId"] = new[..8].into());
    assert_eq!(proof(), Fact::Seen(new.to_owned()), "by the registry file of the job");
    for (status, expected, said) in [
        ("busy", Activity::Working, vec!["its job is working"]),
        ("waiting", Activity::Waiting, vec!["its job is waiting for: permission prompt"]),
        ("idle", Activity::Idle, vec![]),
    ] {
        amend(&world, job.pid, |entry| {
            entry["status"] = status.into();
            entry["waitingFor"] = "permission prompt".into();
        });
        let seen = ask(&world, "claude");
        assert_eq!((phase(&seen), turn(&seen)), (Some(Activity::Parked), Some(&Fact::Seen(expected))), "{status}");
        assert_eq!(seen.awaited.values().collect::<Vec<_>>(), said);
    }
    world.tmux(["kill-session", "-t", "=job"]);
    crate::support::await_end(job.pid);
    let _ = fs::remove_file(world.home().join(format!(".claude/sessions/{}.json", job.pid)));
    assert!(proof().why_unknown().is_some(), "the job has ended, and nothing else names it");
    let moved = serde_json::json!({ "type": "continued-in", "sessionId": pane.id.as_str(), "continuedInSessionId": new });
    fs::write(&old, format!("{}{moved}\n", fs::read_to_string(&old).unwrap())).unwrap();
    assert!(proof().why_unknown().is_some(), "nothing was said in the one it went on in");
    fs::write(old.with_file_name(format!("{new}.jsonl")), "{\"type\":\"mode\"}\n").unwrap();
    assert_eq!(proof(), Fact::Seen(new.to_owned()), "by the end of the transcript");
    // A /clear in the job led on to another conversation, which the job's own file knows after its end.
    let cleared = "99999999-2222-4333-8444-555555555555";
    let state = world.home().join(format!(".claude/jobs/{}", &new[..8]));
    fs::create_dir_all(&state).unwrap();
    let text = serde_json::json!({ "daemonShort": new[..8], "sessionId": new, "resumeSessionId": cleared, "state": "stopped" });
    fs::write(state.join("state.json"), text.to_string()).unwrap();
    assert_eq!(proof(), Fact::Seen(cleared.to_owned()), "by the file of the job");
    // Whoever takes the pane up again under an id of its own says so.
    amend(&world, pane.pid, |entry| {
        entry["sessionId"] = cleared.into();
        drop(entry.as_object_mut().unwrap().remove("parkedJobId"));
    });
    let seen = ask(&world, "claude");
    assert_eq!((phase(&seen), turn(&seen)), (None, Some(&Fact::Seen(Activity::Idle))));
}

#[test]
fn a_pane_attached_to_a_background_job_is_in_its_conversation_and_does_what_it_does() {
    let world = World::new();
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let job = world.claude_session("job", &other);
    let short = &job.id.as_str()[..8];
    amend(&world, job.pid, |entry| {
        entry["jobId"] = short.into();
        entry["status"] = "busy".into();
    });
    world.session("s", &cwd, &format!("exec claude attach {short} --no-registry"));
    let seen = await_turn(&world, "claude", &Fact::Seen(Activity::Working));
    assert_eq!(phase(&seen), Some(Activity::Parked));
    assert_eq!(
        agents(&seen, "s")[0].ladder.proof().map(|(id, _)| id.as_str().to_owned()),
        Fact::Seen(job.id.as_str().to_owned())
    );
}

#[test]
fn the_agent_inside_a_wrapper_answers_for_it() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.wrap_claude();
    let pid = world.session("s", &cwd, "exec claude");
    let seen = await_turn(&world, "claude", &Fact::Seen(Activity::Idle));
    assert_eq!(seen.turns.keys().map(|(process, _)| process.pid).collect::<Vec<_>>(), [pid]);
}

#[test]
fn what_a_killed_process_left_is_said_of_nobody() {
    let world = World::new();
    let cwd = world.workspace("w");
    let killed = world.claude_session("s", &cwd);
    world.type_line("s", "/turn busy");
    await_turn(&world, "claude", &Fact::Seen(Activity::Working));
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
  [ "$kind" != title ] || {{ printf '\033]2;%s\007' "$at"; continue; }}
  printf '{{"timestamp":"%s","type":"event_msg","payload":{{"type":"%s"}}}}\n' "${{at:-$(date -u +%FT%T.%3NZ)}}" "$kind" \
    >> "$HOME/.codex/sessions/2026/11/21/rollout-2026-11-21T03-17-17-{THREAD}.jsonl"
done
"#
    );
    world.program("codex", &codex);
    world.session("s", &cwd, "exec codex");
    await_turn(&world, "codex", &Fact::Absent);
    world.type_line("s", "task_started");
    await_turn(&world, "codex", &Fact::Seen(Activity::Working));
    world.type_line("s", "task_complete");
    await_turn(&world, "codex", &Fact::Seen(Activity::Idle));
    world.type_line("s", "title [ ! ] Action Required | w");
    await_turn(&world, "codex", &Fact::Seen(Activity::Idle));
    world.type_line("s", "task_started");
    await_turn(&world, "codex", &Fact::Seen(Activity::Waiting));
    world.type_line("s", "title w");
    await_turn(&world, "codex", &Fact::Seen(Activity::Working));
    world.type_line("s", "turn_aborted");
    await_turn(&world, "codex", &Fact::Seen(Activity::Idle));
    world.type_line("s", "task_started 2020-01-01T00:00:00Z");
    await_turn(&world, "codex", &Fact::Absent);
}
