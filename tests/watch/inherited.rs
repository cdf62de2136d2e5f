//! What whoever starts headcount leaves behind: signals that are ignored or blocked, limits.

use std::io::Write as _;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::run::{Watch, declare, headcount, running, text};
use crate::support::World;

/// The program, started by a shell that has done this before.
fn after(world: &World, script: &str, arguments: &[&str]) -> Command {
    let program = headcount(world, arguments);
    let mut command = Command::new("sh");
    command.args(["-c", &format!(r#"{script}; exec "$0" "$@""#)]).arg(program.get_program()).args(program.get_args());
    command.current_dir(world.root()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn reconcile_after(script: &str) -> (Output, String) {
    let world = World::new();
    world.claude_session("s", &world.workspace("shop"));
    declare(&world, &running(&world, &["s"]));
    let done = after(&world, script, &["reconcile"]).output().unwrap();
    (done, text(&world))
}

#[test]
fn a_parent_that_ignores_its_children_keeps_nothing_from_being_told() {
    let (done, manifest) = reconcile_after("trap '' CHLD PIPE");
    assert!(done.status.success() && manifest.contains("session_id"), "{done:?}");
}

#[test]
fn a_file_that_may_not_grow_is_told_and_changes_nothing() {
    let (done, manifest) = reconcile_after("ulimit -f 0");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(said.contains("File too large"), "{said}");
    assert!(!manifest.contains("session_id"), "{manifest}");
}

#[test]
fn a_watch_ends_at_a_signal_that_it_was_started_with_blocked() {
    let world = World::new();
    declare(&world, &running(&world, &[]).replace("sessions:\n", "sessions: []\n"));
    if !Command::new("env").args(["--block-signal=TERM", "true"]).output().is_ok_and(|it| it.status.success()) {
        let _ = writeln!(std::io::stderr(), "SKIPPED a blocked signal: this env cannot block one");
        return;
    }
    let program = headcount(&world, &["watch", "--json", "--interval", "1h", "--heartbeat", "0"]);
    let mut command = Command::new("env");
    command.arg("--block-signal=TERM").arg(program.get_program()).args(program.get_args());
    command.current_dir(world.root()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut watch = Watch::start(command);
    watch.until("started");
    watch.signal(Signal::TERM);
    assert_eq!(watch.end().status.code(), Some(0));
}
