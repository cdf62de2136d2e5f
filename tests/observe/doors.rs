//! Panes whose program leads elsewhere: what is behind it is unknown, and only while somebody there sees it.

use std::fs;

use headcount::core::fact::Fact;

use crate::support::{World, await_some, entries};
use crate::{look, session};

/// A world with a `docker` and an `ssh` that take any arguments and wait at their terminal.
fn world() -> (World, std::path::PathBuf) {
    let world = World::new();
    let cwd = world.workspace("w");
    for (program, argument) in [("docker", "exec"), ("ssh", "build")] {
        fs::copy("/bin/bash", world.root().join("bin").join(program)).unwrap();
        fs::write(cwd.join(argument), "read -r line\ntrue\n").unwrap();
    }
    (world, cwd)
}

#[test]
fn an_agent_behind_a_door_is_unknown_and_not_gone() {
    let (world, cwd) = world();
    world.session("direct", &cwd, "exec docker exec -it web claude");
    world.session("below", &cwd, "bash -c 'ssh build claude; true'");
    world.session("typed", &cwd, "exec bash --norc");
    world.type_line("typed", "ssh build");
    world.tmux(["split-window", "-d", "-t", "=direct:", "-c", cwd.to_str().unwrap(), "exec sleep 600"]);
    for (name, door) in [("direct", "docker exec"), ("below", "ssh"), ("typed", "ssh")] {
        let manifest = entries([format!("name: {name}, agent: claude, status: running")]);
        let why = await_some(name, || session(&look(&world, &manifest), name).panes[0].unread.clone());
        assert!(why.contains(&format!("`{door}`")), "{name}: {why}");
        let seen = look(&world, &manifest);
        assert_eq!(session(&seen, name).panes[0].agents, Fact::Seen(Vec::new()), "an agent beside it is not doubted");
    }
}

#[test]
fn a_door_that_was_given_a_terminal_of_its_own_hides_an_agent_as_well() {
    let (world, cwd) = world();
    // As `sudo` does it: another session and terminal, and whoever sits at the pane sees it all the same.
    for (name, command, door) in [
        ("direct", "exec script -qec 'docker exec -it web claude' /dev/null", "docker exec"),
        ("nested", "sh -c \"env X=1 script -qec 'sh -c \\\"ssh build; true\\\"' /dev/null; true\"", "ssh"),
    ] {
        world.session(name, &cwd, command);
        let manifest = entries([format!("name: {name}, agent: claude, status: running")]);
        let why = await_some(name, || session(&look(&world, &manifest), name).panes[0].unread.clone());
        assert!(why.contains(&format!("`{door}`")), "{name}: {why}");
    }
}

#[test]
fn an_agent_below_a_door_is_seen() {
    let (world, cwd) = world();
    // As `nsenter` and `toolbox` do it, whose programs are processes of this kernel like any other.
    fs::write(cwd.join("exec"), "claude\ntrue\n").unwrap();
    let manifest = entries(["name: s, agent: claude, status: running"]);
    world.session("s", &cwd, "exec docker exec -it web");
    let agents = || session(&look(&world, &manifest), "s").panes[0].agents.seen().map_or(0, Vec::len);
    await_some("the agent", || (agents() == 1).then_some(()));
}

#[test]
fn what_leads_elsewhere_behind_a_persons_back_hides_nothing() {
    let (world, cwd) = world();
    world.session("s", &cwd, "exec bash --norc");
    world.type_line("s", "ssh build &");
    let manifest = entries(["name: s, agent: claude, status: running"]);
    let pane = || session(&look(&world, &manifest), "s").panes[0].clone();
    let children = |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    await_some("the tunnel", || (!children(pane().pid.unwrap()).trim().is_empty()).then_some(()));
    await_some("the prompt", || pane().unread.is_none().then_some(()));
    assert_eq!(pane().agents, Fact::Seen(Vec::new()));
    world.type_line("s", "kill %1; claude");
    await_some("an agent", || pane().agents.seen().is_some_and(|agents| !agents.is_empty()).then_some(()));
}
