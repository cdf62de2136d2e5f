//! What Copilot's locks say, with a stand-in that is laid out as npm lays the real one out: a loader in node, the agent below it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::observe::Agent;
use headcount::core::observe::identity::{Rung, RungValue};

use crate::support::{World, await_some, entries};
use crate::{agents, look};

const ID: &str = "11111111-2222-4333-8444-555555555555";
const OTHER: &str = "22222222-2222-4333-8444-555555555555";

/// A conversation at the launch, another with each line; `--no-hold` keeps nothing open, `--no-lock` makes no lock either.
const INNER: &str = r#"#!/bin/bash
hold=yes; lock=yes
for word; do case $word in --no-hold) hold=;; --no-lock) lock=; hold= ;; esac; done
next=9
begin() {
  local id dir
  read -r id < /proc/sys/kernel/random/uuid
  dir=${COPILOT_HOME:-$HOME/.copilot}/session-state/$id
  mkdir -p "$dir"
  [ -z "$hold" ] || { eval "exec $next>\"$dir/inuse.$$.hold\""; next=$((next + 1)); }
  [ -z "$lock" ] || echo $$ > "$dir/inuse.$$.lock"
}
begin
while read -r line; do begin; done
"#;

fn world() -> World {
    let world = World::new();
    fs::copy("/bin/bash", world.root().join("bin/node")).unwrap();
    fs::create_dir(world.root().join("inner")).unwrap();
    let inner = world.program("copilot", INNER);
    fs::rename(inner, world.root().join("inner/copilot")).unwrap();
    world.program("copilot", &format!("#!/usr/bin/env node\n{}/inner/copilot \"$@\"\ntrue\n", world.root().display()));
    world
}

fn agent(world: &World, name: &str) -> Option<Agent> {
    let seen = look(world, &entries([format!("name: {name}, agent: copilot")]));
    agents(&seen, name).first().map(|agent| (*agent).clone())
}

fn reading(agent: &Agent, rung: Rung) -> Option<&Fact<RungValue>> {
    agent.ladder.readings.iter().find(|reading| reading.rung == rung).map(|reading| &reading.fact)
}

fn id(text: &str) -> Fact<RungValue> {
    Fact::Seen(RungValue::Id(ConversationId(text.to_owned())))
}

/// The process below the loader, once it is there.
fn child_of(pid: u32) -> u32 {
    let children = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok();
    await_some("the child", || children()?.split_whitespace().next()?.parse().ok())
}

/// The conversation whose lock names a process, once there is one.
fn locked(home: &Path, pid: u32) -> String {
    await_some("the lock", || {
        let mut dirs = fs::read_dir(home.join("session-state")).ok()?.flatten();
        let dir = dirs.find(|dir| dir.path().join(format!("inuse.{pid}.lock")).exists())?;
        Some(dir.file_name().into_string().unwrap())
    })
}

/// What the registry says once it says something.
fn told(world: &World, name: &str) -> Fact<RungValue> {
    let is_told = |fact: &Fact<RungValue>| !fact.is_absent();
    await_some("the lock's word", || reading(&agent(world, name)?, Rung::Registry).cloned().filter(is_told))
}

#[test]
fn each_of_two_in_one_workspace_is_told_by_the_lock_its_child_holds() {
    let world = world();
    let cwd = world.workspace("w");
    let elsewhere = world.root().join("elsewhere");
    let pids = ["one", "two"].map(|name| world.session(name, &cwd, "exec copilot"));
    let moved = world.session("moved", &cwd, &format!("COPILOT_HOME={} exec copilot", elsewhere.display()));
    for (name, pid, home) in [
        ("one", pids[0], world.home().join(".copilot")),
        ("two", pids[1], world.home().join(".copilot")),
        ("moved", moved, elsewhere),
    ] {
        let expected = locked(&home, child_of(pid));
        assert_eq!(told(&world, name), id(&expected), "{name}");
        let agent = agent(&world, name).unwrap();
        assert_eq!((agent.kind, agent.process.pid), (AgentKind::Copilot, pid), "{name}: the loader is the agent");
        assert_eq!((agent.home.clone(), agent.ladder.peers.clone()), (Fact::Seen(home), Fact::Absent), "{name}");
        assert_eq!(reading(&agent, Rung::Start), None, "{name}: a weaker rung is superfluous");
    }
}

#[test]
fn with_two_conversations_open_in_one_process_none_is_proven() {
    let world = world();
    let cwd = world.workspace("w");
    let pid = world.session("s", &cwd, &format!("exec copilot --session-id {ID}"));
    let first = locked(&world.home().join(".copilot"), child_of(pid));
    assert_eq!(told(&world, "s"), id(&first));
    world.type_line("s", "/new");
    let why = await_some("the second", || told(&world, "s").why_unknown().map(str::to_owned));
    assert!(why.contains("several conversations") && why.contains(&first), "{why}");
    assert_eq!(reading(&agent(&world, "s").unwrap(), Rung::Start), Some(&id(ID)), "below it, and not believed over it");
}

#[test]
fn a_lock_left_behind_by_another_process_of_that_number_is_not_believed() {
    let world = world();
    let cwd = world.workspace("w");
    let pid = world.session("s", &cwd, &format!("exec copilot --no-lock --resume={ID}"));
    let child = child_of(pid);
    let stale = world.home().join(".copilot/session-state").join(OTHER);
    fs::create_dir_all(&stale).unwrap();
    let lock = stale.join(format!("inuse.{child}.lock"));
    fs::write(&lock, format!("{child}\n")).unwrap();
    let touch = |ago: u64| {
        let file = fs::File::options().write(true).open(&lock).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(ago)).unwrap();
    };
    touch(3600);
    let found = await_some("the agent", || agent(&world, "s"));
    assert_eq!(reading(&found, Rung::Registry), Some(&Fact::Absent));
    assert_eq!(reading(&found, Rung::Start), Some(&id(ID)), "not locked before its first prompt: its arguments tell");
    touch(0);
    fs::write(stale.join(format!("inuse.{child}.hold")), "").unwrap();
    let found = agent(&world, "s").unwrap();
    assert_eq!(reading(&found, Rung::Registry), Some(&Fact::Absent), "somebody else's, who holds it");
}

#[test]
fn a_lock_without_a_hold_counts_once_it_is_clearly_younger_than_its_process() {
    let world = world();
    let cwd = world.workspace("w");
    let pid = world.session("s", &cwd, "exec copilot --no-hold");
    let child = child_of(pid);
    let first = locked(&world.home().join(".copilot"), child);
    assert!(told(&world, "s").why_unknown().is_some(), "made as the process started");
    let lock = world.home().join(".copilot/session-state").join(first).join(format!("inuse.{child}.lock"));
    fs::remove_file(&lock).unwrap();
    let made = SystemTime::now();
    await_some("two seconds", || (made.elapsed().unwrap().as_secs_f32() > 2.0).then_some(()));
    world.type_line("s", "/new");
    let second = locked(&world.home().join(".copilot"), child);
    assert_eq!(await_some("the lock's word", || told(&world, "s").into_seen()), RungValue::Id(ConversationId(second)));
}
