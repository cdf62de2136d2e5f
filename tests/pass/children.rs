//! What a child of an agent does with its parent's environment is the child's: neither the parent's conversation nor what it does.

use std::fs;

use serde_json::{Value, json};

use crate::run::Headcount;
use crate::support::{World, await_some};

const OURS: &str = "11111111-2222-4333-8444-555555555555";
const ITS: &str = "22222222-2222-4333-8444-555555555555";

/// An agent that enters itself nowhere and runs another one of its kind as a tool.
const WITH_CHILD: &str = "#!/bin/bash
case $1 in
-p) while :; do sleep 600; done ;;
esac
claude -p hello &
while :; do sleep 600; done
";

fn start_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

/// A hook event of a process as it is logged.
fn event(pid: u32, name: &str, id: &str, at: &str) -> String {
    let ticks = start_ticks(pid);
    format!("{}\n", json!({ "at": at, "agent": "claude", "pid": pid, "start_ticks": ticks, "event": name, "session_id": id }))
}

fn row(world: &World) -> Value {
    let status: Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).unwrap();
    status["sessions"][0].clone()
}

#[test]
fn a_child_that_inherits_the_environment_changes_neither_the_conversation_nor_the_state_of_its_parent() {
    let world = World::new();
    world.program("claude", WITH_CHILD);
    let cwd = world.workspace("w");
    let parent = world.session("s", &cwd, "exec claude");
    let child: u32 = await_some("the child", || {
        let all = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
        let is_agent =
            |pid: &&str| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(2).any(|pair| pair == b"-p"));
        all.split_whitespace().find(is_agent)?.parse().ok()
    });
    world.declare(&format!("version: 1\nsessions:\n  - {{ name: s, agent: claude, cwd: {} }}\n", cwd.display()));
    let hooks = world.home().join(".local/state/headcount/hooks");
    fs::create_dir_all(&hooks).unwrap();
    let begun = |pid, id, minute| event(pid, "SessionStart", id, &format!("2026-11-21T12:{minute}:00Z"));
    let ended = event(child, "SessionEnd", ITS, "2026-11-21T12:03:00Z");
    // It has a file of its own, and a careless hook has also written into that of its parent.
    fs::write(hooks.join(format!("{child}.jsonl")), begun(child, ITS, "02") + &ended).unwrap();
    fs::write(hooks.join(format!("{parent}.jsonl")), begun(parent, OURS, "01") + &begun(child, ITS, "02") + &ended).unwrap();
    let transcript = world.transcript(&cwd, &headcount::core::ids::ConversationId(ITS.to_owned()));
    fs::create_dir_all(transcript.parent().unwrap()).unwrap();
    fs::write(&transcript, format!("{}\n", json!({ "type": "user", "cwd": cwd, "sessionId": ITS }))).unwrap();
    world.reconcile(&[]);
    assert!(world.text().contains(OURS) && !world.text().contains(ITS), "{}", world.text());

    let sessions = world.home().join(".claude/sessions");
    fs::create_dir_all(&sessions).unwrap();
    for (pid, id, status) in [(parent, OURS, "idle"), (child, ITS, "busy")] {
        let ticks = start_ticks(pid).to_string();
        let entry = json!({ "pid": pid, "sessionId": id, "cwd": cwd, "procStart": ticks, "status": status });
        fs::write(sessions.join(format!("{pid}.json")), entry.to_string()).unwrap();
    }
    world.reconcile(&[]);
    assert!(world.text().contains(OURS) && !world.text().contains(ITS), "{}", world.text());
    let row = row(&world);
    assert_eq!((&row["pid"], &row["turn"]), (&json!(parent), &json!("idle")), "{row}");
}
