//! A declared agent from its first sight to its end.

use std::path::Path;

use crate::run::{Headcount, lines};
use crate::support::aider::{declaring, install, prompt};
use crate::support::{World, await_some};

/// Waits until the drifts are these.
fn await_lines(world: &World, expected: &[&str]) {
    let mut last = Vec::new();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while last != expected {
        assert!(std::time::Instant::now() < until, "{last:?} is not {expected:?}");
        last = lines(&world.diff(&[]));
    }
}

fn entry(name: &str, cwd: &Path) -> String {
    format!("name: {name}, agent: aider, cwd: {}", cwd.display())
}

#[test]
fn a_declared_agent_is_registered_followed_and_marked_terminated_like_any_other() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("shop");
    world.declare(&declaring::<&str>([]));
    world.session("shop-creator-aid", &cwd, "exec aider");
    await_lines(&world, &["unregistered pending shop-creator-aid"]);
    world.reconcile(&[]);
    let text = world.text();
    assert!(text.contains("name: shop-creator-aid") && text.contains("agent: aider"), "{text}");
    assert!(text.contains("cmd: aider"), "{text}");
    assert_eq!(lines(&world.diff(&[])), [""; 0]);

    let (id, transcript) = prompt(&world, "shop-creator-aid", &cwd, 0);
    let report = world.reconcile(&[]);
    assert_eq!(lines(&report), ["new-id applied shop-creator-aid"]);
    assert_eq!(report["drifts"][0]["agent"], "aider");
    assert!(world.text().contains(&id), "{}", world.text());
    assert_eq!(lines(&world.diff(&[])), [""; 0]);

    let status = world.run(&["status", "-o", "wide", "--agent", "aid"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.stdout.contains("aider") && status.stdout.contains(&format!("aider --resume {id}")), "{}", status.stdout);
    let explained = world.run(&["explain", "shop-creator-aid"]).stdout;
    assert!(explained.contains("sessions/{workspace}/*-{id}.jsonl"), "{explained}");

    world.tmux(["kill-session", "-t", "=shop-creator-aid"]);
    std::fs::remove_file(&transcript).unwrap();
    let report = world.reconcile(&[]);
    assert_eq!(lines(&report), ["dead applied shop-creator-aid", "stale-id flagged shop-creator-aid"]);
    assert!(world.text().contains("status: terminated"), "{}", world.text());
    assert!(world.text().contains(&id), "a stale id stays where it is");
    assert_eq!(lines(&world.diff(&[])), ["stale-id flagged shop-creator-aid"]);

    let history = world.run(&["history"]);
    assert!(history.code == 0 && history.stdout.contains(&id), "a journal speaks of declared agents: {history:?}");
}

#[test]
fn an_id_among_the_arguments_is_recorded_at_once_and_a_forked_one_is_not() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("shop");
    world.session("one", &cwd, "exec aider --resume 0123abcd");
    world.session("two", &world.workspace("blog"), "exec aider --resume 89abcdef --fork");
    world.declare(&declaring([entry("one", &cwd), entry("two", &world.workspace("blog"))]));
    await_lines(
        &world,
        &["revived pending one", "new-id pending one", "moved pending one", "revived pending two", "moved pending two"],
    );
    world.reconcile(&[]);
    assert!(world.text().contains("0123abcd") && !world.text().contains("89abcdef"), "{}", world.text());
    assert_eq!(lines(&world.diff(&[])), [""; 0], "no transcript yet is no drift");
}

#[test]
fn of_two_in_one_workspace_no_conversation_is_guessed() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("shop");
    for name in ["one", "two"] {
        world.session(name, &cwd, "exec aider");
    }
    world.declare(&declaring([entry("one", &cwd), entry("two", &cwd)]));
    await_lines(&world, &["revived pending one", "moved pending one", "revived pending two", "moved pending two"]);
    world.reconcile(&[]);
    let (first, _) = prompt(&world, "one", &cwd, 0);
    let (second, _) = prompt(&world, "two", &cwd, 1);
    let report = world.reconcile(&[]);
    assert!(!lines(&report).iter().any(|line| line.starts_with("new-id")), "{:?}", lines(&report));
    assert!(!world.text().contains(&first) && !world.text().contains(&second), "{}", world.text());
    // One of them gone, the other one's is still one of two.
    world.tmux(["kill-session", "-t", "=two"]);
    let report = world.reconcile(&[]);
    assert!(lines(&report).contains(&"dead applied two".to_owned()), "{:?}", lines(&report));
    assert!(!world.text().contains(&first) && !world.text().contains(&second), "{}", world.text());
}

#[test]
fn an_agent_that_nobody_declared_is_no_selection() {
    let world = World::new();
    world.declare(&declaring::<&str>([]));
    world.session("keeper", &world.workspace("x"), "exec sleep 1000");
    await_some("a quiet world", || (world.run(&["diff", "--agent", "aid"]).code == 0).then_some(()));
    let ran = world.run(&["diff", "--agent", "clod"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{ran:?}");
    assert!(ran.stderr.contains("no agent named clod") && ran.stderr.contains("copilot, aider"), "{}", ran.stderr);
}

#[test]
fn in_the_older_dialect_nothing_is_declared() {
    let world = World::new();
    install(&world);
    let text = declaring::<&str>([]).replace("version: 1\n", "");
    world.declare(&text);
    let ran = world.run(&["check"]);
    assert!(ran.stderr.contains("unknown key `agents`"), "{ran:?}");
    world.session("x-creator-aider", &world.workspace("x"), "exec aider");
    assert_eq!(lines(&world.diff(&[])), [""; 0]);
}
