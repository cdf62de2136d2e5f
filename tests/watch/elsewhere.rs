//! A watch in a PID namespace of its own, as in a container or a sandbox, that shares the files of those it looks at.

use std::io::Write as _;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{Watch, declare, headcount, running, text};
use crate::support::{World, await_some};

/// A program and its arguments, to be run among no other processes; `None`, and said, where that cannot be.
fn alone(world: &World, arguments: &[&str]) -> Option<Command> {
    let alone = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        unshare
    };
    if !alone().arg("true").status().is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr(), "SKIPPED a watch in another PID namespace: unshare cannot make one here");
        return None;
    }
    let program = headcount(world, arguments);
    let mut command = alone();
    // The first process of a namespace is stopped by nobody in it, so that is a shell.
    command.args(["sh", "-c", r#""$0" "$@"; exit $?"#]).arg(program.get_program()).args(program.get_args());
    command.current_dir(world.root()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(command)
}

fn child(pid: i32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn agents_it_cannot_see_are_unknown_and_sessions_are_as_the_server_says() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.claude_session("s", &shop);
    declare(&world, &running(&world, &["s"]));
    assert!(headcount(&world, &["reconcile"]).output().unwrap().status.success());
    let recorded = text(&world);
    declare(&world, &(recorded.clone() + running(&world, &["gone"]).split_once("sessions:\n").unwrap().1));
    let arguments = ["watch", "--json", "--interval", "200ms", "--settle", "0s", "--heartbeat", "50ms"];
    let Some(command) = alone(&world, &arguments) else { return };
    let mut watch = Watch::start(command);
    watch.until("drift dead applied gone");
    watch.passes(2);
    assert!(text(&world).starts_with(&recorded), "{}", text(&world));

    // Its session has a leader that has no id there. That does not keep it from being suspended.
    let inner = child(child(watch.pid().as_raw_nonzero().get()));
    let signal = |signal| kill_process(Pid::from_raw(inner).unwrap(), signal).unwrap();
    signal(Signal::TSTP);
    let stat = format!("/proc/{inner}/stat");
    await_some("the stop", || std::fs::read_to_string(&stat).unwrap().contains(") T ").then_some(()));
    signal(Signal::CONT);
    watch.passes(2);
    signal(Signal::TERM);
    let done = watch.end();
    assert_eq!(done.status.code(), Some(0), "{}", done.stderr);
    let words = done.words();
    assert!(!words.iter().any(|word| word.contains("agent-gone") || word.ends_with(" s")), "{words:?}");
}
