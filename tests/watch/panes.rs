//! Agents that begin where no multiplexer tells of it, and end where no server shows them.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{Watch, declare, headcount, running, text};
use crate::support::aider::{declaring, install};
use crate::support::{World, await_some};

/// An agent that leaves no file before its first prompt.
const SILENT: &str = "#!/bin/sh\nwhile read -r line; do :; done\n";
/// A shell as a person has it, with job control.
const SHELL: &str = "exec bash --norc --noprofile -i";

/// A watch whose resync is an hour away.
fn patient(world: &World) -> Watch {
    Watch::start(headcount(world, &["watch", "--json", "--interval", "1h", "--settle", "0s", "--heartbeat", "100ms"]))
}

fn declared(name: &str, agent: &str, cwd: &Path) -> String {
    format!("  - {{ name: {name}, agent: {agent}, cwd: {:?}, status: running }}\n", cwd.display().to_string())
}

/// How many passes were made, once no more come for so many heartbeats.
fn passes(watch: &mut Watch, beats: u32) -> u64 {
    let (mut last, mut same) = (0, 0);
    while same < beats {
        let now = watch.until("heartbeat")["passes"].as_u64().unwrap();
        (last, same) = (now, if now == last { same + 1 } else { 0 });
    }
    last
}

#[test]
fn an_agent_that_begins_in_a_declared_session_without_one_is_seen_though_it_leaves_no_file() {
    let world = World::new();
    world.program("gemini", SILENT);
    let shop = world.workspace("shop");
    let panes = [
        ("typed", SHELL, "gemini"),
        // In a shell within the shell, after something else.
        ("later", SHELL, "sh -c 'sleep 3; gemini; true'"),
        // Without job control everything is in one process group.
        ("script", "read -r go; gemini; true", "go"),
        ("exec", "read -r go; exec gemini", "go"),
        ("below", "sh -c 'read -r go; gemini; true'; true", "go"),
    ];
    let mut text_of = "version: 1\nsessions:\n".to_owned();
    for (name, pane, _) in panes {
        world.session(name, &shop, pane);
        text_of += &declared(name, "gemini", &shop);
    }
    declare(&world, &text_of);
    let mut watch = patient(&world);
    watch.until("drift agent-gone flagged typed");
    // It has looked there until it was sure that nothing goes on, and once more.
    passes(&mut watch, 85);
    for (name, _, typed) in panes {
        world.type_line(name, typed);
        let told = watch.until(&format!("drift moved applied {name}"));
        assert!(told["reasons"].to_string().contains("\"agent "), "{told}");
    }
    assert_eq!(text(&world).matches("cmd: gemini").count(), panes.len());
}

#[test]
fn an_agent_that_begins_in_an_undeclared_shell_is_registered_and_so_is_one_the_manifest_describes() {
    let world = World::new();
    install(&world);
    world.program("gemini", SILENT);
    let shop = world.workspace("shop");
    declare(&world, &declaring::<&str>([]));
    for name in ["x-creator-gemini", "y-creator-aider"] {
        world.session(name, &shop, SHELL);
    }
    let mut watch = patient(&world);
    passes(&mut watch, 5);
    world.type_line("x-creator-gemini", "gemini");
    watch.until("drift unregistered applied x-creator-gemini");
    world.type_line("y-creator-aider", "aider");
    watch.until("drift unregistered applied y-creator-aider");
}

#[test]
fn what_else_runs_in_a_bare_shell_makes_no_pass() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.session("s", &shop, SHELL);
    declare(&world, &running(&world, &["s"]));
    let mut watch = patient(&world);
    watch.until("drift agent-gone flagged s");
    let before = passes(&mut watch, 10);
    world.type_line("s", "for i in $(seq 200); do ls > /dev/null; (sleep 0.02); done; : > built; sleep 1000");
    await_some("the build", || shop.join("built").exists().then_some(()));
    // Two more looks at what goes on there.
    assert_eq!(passes(&mut watch, 45), before);
}

/// Starts an agent that leaves no file when it ends either, and gives its pane's process.
fn silent(world: &World, socket: &Path, command: &str) -> u32 {
    world.program("gemini", SILENT);
    let pid = world.session_on(socket, "s", &world.workspace("shop"), command);
    await_some("the agent", || {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let is_gemini = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "gemini\n");
        children.split_whitespace().chain([pid.to_string().as_str()]).any(is_gemini).then_some(pid)
    })
}

/// A watch of the entry `s`, whose recorded pane is not on any server it can see.
fn with_stray(world: &World, pid: u32) -> Watch {
    let pane = format!("    pane: {{ id: \"%0\", pid: {pid}, cmd: gemini, cwd: /x }}\n");
    declare(world, &(running(world, &["s"]).replace("claude", "gemini") + &pane));
    let mut watch = patient(world);
    let said = watch.until("error unknown");
    assert!(said["message"].as_str().unwrap().contains("still runs gemini"), "{said}");
    passes(&mut watch, 5);
    watch
}

/// Waits until the process that ended makes it look.
fn dead(watch: &mut Watch) {
    let told = watch.until("drift dead applied s");
    assert!(told["reasons"].to_string().contains("\"process "), "{told}");
}

#[test]
fn the_end_of_an_agent_whose_server_is_out_of_sight_wakes_its_session() {
    let world = World::new();
    let elsewhere = world.named_socket("elsewhere");
    let pid = silent(&world, &elsewhere, "exec gemini");
    let mut watch = with_stray(&world, pid);
    world.tmux_on(&elsewhere, ["kill-server"]);
    dead(&mut watch);
}

#[test]
fn the_end_of_an_agent_in_a_shell_that_stays_out_of_sight_wakes_its_session() {
    let world = World::new();
    let elsewhere = world.named_socket("elsewhere");
    let pid = silent(&world, &elsewhere, "gemini; exec sleep 1000");
    let mut watch = with_stray(&world, pid);
    world.tmux_on(&elsewhere, ["send-keys", "-t", "=s:", "C-d"]);
    dead(&mut watch);
}

#[test]
fn the_end_of_an_agent_whose_server_another_one_stands_in_for_wakes_its_session() {
    let world = World::new();
    let shop = world.workspace("shop");
    let pid = silent(&world, &world.socket(), "exec gemini");
    let hidden = world.named_socket("hidden");
    std::fs::rename(world.socket(), &hidden).unwrap();
    world.session("other", &shop, "exec sleep 1000");
    let mut watch = with_stray(&world, pid);
    world.tmux_on(&hidden, ["kill-server"]);
    dead(&mut watch);
}

#[test]
fn a_server_that_hung_for_a_while_is_heard_of_again_soon_after() {
    let world = World::new();
    let shop = world.workspace("shop");
    silent(&world, &world.socket(), "exec gemini");
    declare(&world, &format!("version: 1\nsessions:\n{}", declared("s", "gemini", &shop)));
    let mut watch = patient(&world);
    watch.until("drift moved applied s");
    passes(&mut watch, 5);
    let server: i32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    let signal = |signal| kill_process(Pid::from_raw(server).unwrap(), signal).unwrap();
    signal(Signal::STOP);
    // Something makes it look while nobody answers.
    declare(&world, &(text(&world) + "# touched\n"));
    watch.until("error unknown");
    // What else it does at once, such as giving up its client, is over.
    for _ in 0..30 {
        watch.until("heartbeat");
    }
    signal(Signal::CONT);
    world.session("keeper", &shop, "exec sleep 1000");
    world.tmux(["kill-session", "-t", "=s"]);
    watch.until("drift dead applied s");
}
