//! The command that is run with drifts.

use std::path::PathBuf;

use serde_json::Value;

use crate::run::{declare, running, text, watch};
use crate::support::{World, await_some};

/// What the command was given, a line each.
fn given(path: &PathBuf) -> Vec<Vec<Value>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["session"]["name"].as_str().unwrap()).collect()
}

#[test]
fn the_command_gets_the_drifts_of_a_pass_as_one_line_and_nothing_in_its_arguments() {
    let world = World::new();
    declare(&world, &running(&world, &["one", "$(touch owned)"]));
    let out = world.root().join("given");
    let command = format!("cat >> {}; echo $# >> {}", out.display(), world.root().join("count").display());
    let mut watch = watch(&world, &["--on-drift", &command]);
    watch.until("drift dead applied $(touch owned)");
    let done = watch.terminate();
    let lines = given(&out);
    assert_eq!(lines.len(), 1, "{}", done.stderr);
    assert_eq!(names(&lines[0]), ["one", "$(touch owned)"]);
    let told: Vec<&Value> = done.seen.iter().filter(|event| event["type"] == "drift").collect();
    assert_eq!(lines[0].iter().collect::<Vec<_>>(), told, "the same as on stdout");
    assert_eq!(std::fs::read_to_string(world.root().join("count")).unwrap(), "0\n");
    assert!(!world.root().join("owned").exists());
}

#[test]
fn its_output_does_not_mix_with_the_events() {
    let world = World::new();
    declare(&world, &running(&world, &["one"]));
    let mut watch = watch(&world, &["--on-drift", "echo from the command"]);
    watch.until("drift dead applied one");
    let done = watch.terminate();
    assert_eq!(done.words(), ["started", "drift dead applied one", "stopped SIGTERM"]);
    assert_eq!(done.stderr, "from the command\n");
}

#[test]
fn what_comes_while_a_command_runs_is_given_to_the_next_one_all_at_once() {
    let world = World::new();
    declare(&world, &running(&world, &["first"]));
    let (out, gate) = (world.root().join("given"), world.root().join("gate"));
    let command = format!("cat >> {}; while [ ! -e {} ]; do sleep 0.02; done", out.display(), gate.display());
    let mut watch = watch(&world, &["--on-drift", &command]);
    watch.until("drift dead applied first");
    await_some("the first command", || (given(&out).len() == 1).then_some(()));
    for name in ["second", "third"] {
        // Each in a pass of its own, while the command waits: it does not hold up the loop.
        let more = running(&world, &[name]).replace("version: 1\nsessions:\n", "");
        declare(&world, &format!("{}{more}", text(&world)));
        watch.until(&format!("drift dead applied {name}"));
    }
    assert_eq!(given(&out).len(), 1, "one at a time");
    std::fs::write(&gate, "").unwrap();
    await_some("the second command", || (given(&out).len() == 2).then_some(()));
    assert_eq!(names(&given(&out)[1]), ["second", "third"]);
}

#[test]
fn a_command_that_fails_is_told_once_and_ends_nothing() {
    let world = World::new();
    declare(&world, &running(&world, &["one"]));
    let mut watch = watch(&world, &["--on-drift", "exit 3", "--heartbeat", "100ms"]);
    let error = watch.until("error on-drift");
    assert!(error["message"].as_str().unwrap().contains("exit status: 3"), "{error}");
    declare(&world, &running(&world, &["one", "two"]));
    watch.until("drift dead applied two");
    watch.passes(2);
    let words = watch.terminate().words();
    assert_eq!(words.iter().filter(|word| *word == "error on-drift").count(), 1, "{words:?}");
}
