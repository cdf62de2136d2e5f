//! One conversation and two live sessions, or another process than it was recorded for: what is reported, and what stands beside
//! the command that would resume it.

use std::path::Path;

use serde_json::Value;

use crate::run::{Headcount, Ran, lines, message};
use crate::support::{World, await_some};

/// An agent of which nothing but its arguments proves anything.
const GOOSE: &str = r#"agents:
  goose: { programs: [goose], id_flags: [--resume], resume: [--resume, "{id}"] }
"#;

/// A manifest of running entries: name, agent, conversation.
fn declaring(cwd: &Path, entries: &[(&str, &str, &str)]) -> String {
    let line = |(name, agent, id): &(&str, &str, &str)| {
        format!("  - {{ name: {name}, agent: {agent}, cwd: {}, status: running, session_id: {id} }}\n", cwd.display())
    };
    format!("version: 1\n{GOOSE}sessions:\n{}", entries.iter().map(line).collect::<String>())
}

/// The drifts that say that a conversation is uncertain, once agents have begun.
fn ambiguous(world: &World) -> Vec<String> {
    let drifts = lines(&world.diff(&[]));
    drifts.into_iter().filter_map(|line| Some(line.strip_prefix("ambiguous flagged ")?.to_owned())).collect()
}

fn await_ambiguous(world: &World, expected: &[&str]) {
    await_some("the drifts", || (ambiguous(world) == expected).then_some(()));
}

/// The first row of `status --json`.
fn row(world: &World) -> Value {
    let ran: Ran = world.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    status["sessions"][0].clone()
}

#[test]
fn a_conversation_that_is_resumed_elsewhere_is_reported_on_both_and_stays_with_its_prover() {
    let world = World::new();
    let cwd = world.workspace("shop");
    let claude = world.claude_session("y", &cwd);
    world.prompt("y", &cwd, &claude);
    let id = claude.id.as_str();
    // A fresh agent was begun where it was before, and proves nothing.
    world.session("x", &cwd, "exec claude --no-registry");
    world.declare(&declaring(&cwd, &[("x", "claude", id), ("y", "claude", id)]));
    await_ambiguous(&world, &["x", "y"]);
    let report = world.reconcile(&[]);
    let told = |name: &str| {
        let drifts = report["drifts"].as_array().unwrap().iter();
        let mut own = drifts.filter(|drift| drift["session"]["name"] == name && drift["class"] == "ambiguous");
        own.next().unwrap()["message"].as_str().unwrap().to_owned()
    };
    assert!(told("x").contains("the agent of session y") && told("x").contains("remove it here"), "{}", told("x"));
    assert!(told("y").contains("its agent is in conversation") && told("y").contains("remove it there"), "{}", told("y"));
    assert_eq!(world.text().matches(id).count(), 2, "nothing is taken away: {}", world.text());

    let kept = world.text().replacen(&format!("session_id: {id}"), "session_id: null", 1);
    world.declare(&kept);
    assert_eq!(ambiguous(&world), [""; 0], "one of them is settled, and so is the other");
}

#[test]
fn of_two_live_agents_that_prove_nothing_neither_is_in_order_and_one_that_was_started_with_the_id_has_it() {
    let world = World::new();
    world.program("goose", "#!/bin/bash\nwhile read -r line; do :; done\n");
    let cwd = world.workspace("shop");
    world.session("x", &cwd, "exec goose");
    world.session("y", &cwd, "exec goose");
    world.declare(&declaring(&cwd, &[("x", "goose", "one"), ("y", "goose", "one")]));
    await_ambiguous(&world, &["x", "y"]);
    assert_eq!(world.diff(&[])["in_sync"], false);
    world.reconcile(&[]);
    assert_eq!(ambiguous(&world), ["x", "y"]);

    world.tmux(["kill-session", "-t", "=y"]);
    world.session("y", &cwd, "exec goose --resume one");
    await_ambiguous(&world, &["x", "y"]);
    let explained = world.run(&["explain", "y"]).stdout;
    assert!(explained.contains("one is recorded and proven by rung 4"), "{explained}");
}

#[test]
fn an_agent_that_is_started_by_hand_makes_its_conversation_doubtful_until_a_person_settles_it() {
    let world = World::new();
    world.program("goose", "#!/bin/bash\nwhile read -r line; do :; done\n");
    let cwd = world.workspace("shop");
    world.session("keeper", &cwd, "exec sleep 1000");
    let start = || {
        world.session("x", &cwd, "exec goose");
        await_some("the agent", || (row(&world)["observed"] == "alive").then_some(()));
    };
    world.declare(&declaring(&cwd, &[("x", "goose", "one")]));
    start();
    world.reconcile(&[]);
    assert_eq!(lines(&world.diff(&[])), [""; 0], "a person recorded it, and nothing contradicts it");
    assert_eq!(row(&world)["doubt"], Value::Null);

    world.tmux(["kill-session", "-t", "=x"]);
    start();
    let report = world.reconcile(&[]);
    assert!(lines(&report).contains(&"ambiguous flagged x".to_owned()), "{report}");
    assert!(message(&report).contains("started without it") && message(&report).contains("write it again"), "{report}");
    let offers_with_doubt = || {
        let row = row(&world);
        let doubt = row["doubt"].as_str().unwrap_or_else(|| panic!("no doubt: {row}")).to_owned();
        assert!(doubt.contains("started without it"), "{doubt}");
        assert!(row["resume"].as_str().is_some_and(|resume| resume.ends_with("goose --resume one")), "{row}");
        let wide = world.run(&["status", "-o", "wide"]).stdout;
        assert!(wide.contains("--resume one") && wide.contains("doubtful"), "{wide}");
        let explained = world.run(&["explain", "x"]).stdout;
        let offer = explained.split("To resume it by hand").nth(1).unwrap_or_else(|| panic!("{explained}"));
        assert!(offer.contains("--resume one") && offer.contains("doubtful: "), "{explained}");
    };
    offers_with_doubt();

    world.tmux(["kill-session", "-t", "=x"]);
    assert_eq!(lines(&world.reconcile(&[])), ["dead applied x"]);
    offers_with_doubt();

    start();
    world.reconcile(&[]);
    assert_eq!(ambiguous(&world), ["x"]);
    let with_id = world.text();
    world.declare(&with_id.replace("session_id: one", "session_id: null"));
    world.reconcile(&[]);
    world.declare(&world.text().replace("session_id: null", "session_id: one"));
    world.reconcile(&[]);
    assert_eq!(lines(&world.diff(&[])), [""; 0]);
    assert_eq!(row(&world)["doubt"], Value::Null);
}

#[test]
fn a_record_that_a_person_puts_back_is_not_replaced_again() {
    let world = World::new();
    world.program("goose", "#!/bin/bash\nwhile read -r line; do :; done\n");
    let cwd = world.workspace("shop");
    world.session("keeper", &cwd, "exec sleep 1000");
    world.declare(&declaring(&cwd, &[("x", "goose", "one")]).replace("status: running, ", ""));
    world.reconcile(&[]);
    world.session("x", &cwd, "exec goose --resume two");
    await_some("the agent", || (row(&world)["observed"] == "alive").then_some(()));
    world.reconcile(&[]);
    assert!(world.text().contains("session_id: two"), "{}", world.text());

    std::fs::write(world.manifest(), world.text().replace("session_id: two", "session_id: one")).unwrap();
    assert_eq!(ambiguous(&world), ["x"]);
    world.reconcile(&[]);
    assert!(world.text().contains("session_id: one"), "{}", world.text());
}
