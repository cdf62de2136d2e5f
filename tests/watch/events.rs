//! What is said: each drift once, its end once, and again only after it was gone.

use rustix::process::Signal;

use crate::run::{declare, headcount, manifest, running, save, text, watch, word};
use crate::support::{World, await_some};

/// A manifest with one entry whose session is alive without its agent: flagged, never written.
fn bare(world: &World) {
    world.session("s", &world.workspace("shop"), "exec sleep 1000");
    declare(world, &running(world, &["s"]));
}

#[test]
fn a_drift_is_told_once_resolved_and_told_again_when_it_returns() {
    let world = World::new();
    bare(&world);
    let mut watch = watch(&world, &["--heartbeat", "100ms"]);
    let first = watch.until("drift agent-gone flagged s");
    assert_eq!(first["reasons"], serde_json::json!(["started"]));
    watch.passes(2);
    world.claude_session("x", &world.workspace("shop"));
    world.tmux(["kill-session", "-t", "=s"]);
    let ended = watch.next_told();
    assert!(["drift dead applied s", "resolved agent-gone s"].contains(&ended.as_str()), "{ended}");
    watch.until_text(&world, "status: terminated");
    world.claude_session("s", &world.workspace("shop"));
    watch.until("drift revived applied s");
    world.tmux(["respawn-pane", "-k", "-t", "=s:", "exec sleep 1000"]);
    watch.until("drift agent-gone flagged s");
    let done = watch.terminate();
    let count = |wanted: &str| done.words().iter().filter(|word| *word == wanted).count();
    assert_eq!((count("drift agent-gone flagged s"), count("resolved agent-gone s")), (2, 1), "{:?}", done.words());
    assert_eq!(count("drift dead applied s"), 1);
}

#[test]
fn a_restart_says_nothing_twice() {
    let world = World::new();
    bare(&world);
    let mut first = watch(&world, &[]);
    first.until("drift agent-gone flagged s");
    assert_eq!(first.terminate().words(), ["started", "drift agent-gone flagged s", "stopped SIGTERM"]);
    let mut second = watch(&world, &["--heartbeat", "100ms"]);
    second.passes(2);
    assert_eq!(second.terminate().words(), ["started", "stopped SIGTERM"]);
    // Another reader was not told yet.
    let mut other = watch(&world, &["--consumer", "other"]);
    other.until("drift agent-gone flagged s");
}

#[test]
fn a_drift_that_settles_is_told_when_it_is_decided_and_not_before() {
    let world = World::new();
    declare(&world, "version: 1\nsessions: []\n");
    world.claude_session("x-creator-claude", &world.workspace("shop"));
    let arguments = ["watch", "--json", "--interval", "1h", "--settle", "2s", "--heartbeat", "0"];
    let mut watch = crate::run::Watch::start(headcount(&world, &arguments));
    let told = watch.until("drift unregistered applied x-creator-claude");
    let reasons: Vec<&str> = told["reasons"].as_array().unwrap().iter().filter_map(|reason| reason.as_str()).collect();
    assert!(reasons.contains(&"settled"), "{reasons:?}: nothing else looks for an hour");
    assert!(text(&world).contains("x-creator-claude"));
}

#[test]
fn a_restart_while_a_drift_settles_does_not_swallow_it() {
    let world = World::new();
    declare(&world, "version: 1\nsessions: []\n");
    world.claude_session("x-creator-claude", &world.workspace("shop"));
    let run = |settle: &str, more: &[&str]| {
        let usual = ["watch", "--json", "--interval", "100ms", "--heartbeat", "0", "--settle", settle];
        crate::run::Watch::start(headcount(&world, &[&usual[..], more].concat())).end()
    };
    assert_eq!(run("1h", &["--max-runtime", "500ms"]).words(), ["started", "stopped max-runtime"]);
    assert_eq!(
        run("0s", &["--max-runtime", "1s"]).words(),
        ["started", "drift unregistered applied x-creator-claude", "stopped max-runtime"]
    );
}

#[test]
fn two_watches_of_one_manifest_record_a_drift_once_between_them() {
    let world = World::new();
    declare(&world, &running(&world, &[]));
    let mut watches = [watch(&world, &[]), watch(&world, &["--consumer", "other"])];
    for watch in &mut watches {
        watch.until("started");
    }
    let session = world.claude_session("y-creator-claude", &world.workspace("shop"));
    await_some("the entry", || text(&world).contains(session.id.as_str()).then_some(()));
    world.tmux(["kill-session", "-t", "=y-creator-claude"]);
    await_some("the end", || text(&world).contains("status: terminated").then_some(()));
    let told: Vec<String> = watches.into_iter().flat_map(|watch| watch.terminate().words()).collect();
    for wanted in ["drift unregistered applied y-creator-claude", "drift dead applied y-creator-claude"] {
        assert_eq!(told.iter().filter(|word| *word == wanted).count(), 1, "{told:?}");
    }
    assert_eq!(text(&world).matches("y-creator-claude").count(), 1);
}

#[test]
fn a_dry_run_tells_and_records_nothing() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let before = text(&world);
    let mut watch = watch(&world, &["--dry-run", "--heartbeat", "100ms"]);
    assert_eq!(watch.next().unwrap()["dry_run"], true);
    watch.until("drift dead pending gone");
    watch.passes(2);
    assert_eq!(watch.terminate().words(), ["started", "drift dead pending gone", "stopped SIGTERM"]);
    assert_eq!(text(&world), before);
    assert!(!world.home().join("agent-sessions.yaml.lock").exists());
}

#[test]
fn only_what_is_selected_is_told_and_recorded() {
    let world = World::new();
    declare(&world, &running(&world, &["one", "two"]));
    let mut watch = watch(&world, &["one", "--heartbeat", "100ms"]);
    watch.until("drift dead applied one");
    watch.passes(2);
    assert_eq!(watch.terminate().words(), ["started", "drift dead applied one", "stopped SIGTERM"]);
    assert_eq!(text(&world).matches("status: terminated").count(), 1);
}

#[test]
fn a_server_that_lists_what_was_seen_before_is_not_looked_at_again() {
    let world = World::new();
    let proven = world.claude_session("s", &world.workspace("shop"));
    world.claude_session("t", &world.workspace("shop"));
    declare(&world, &running(&world, &["s", "t"]));
    let arguments = ["watch", "--json", "--interval", "1h", "--settle", "0s", "--heartbeat", "50ms"];
    let mut watch = crate::run::Watch::start(headcount(&world, &arguments));
    watch.until_text(&world, proven.id.as_str());
    // As many as were made when there were no more for a while.
    let quiet = |watch: &mut crate::run::Watch| {
        let (mut last, mut same) = (0, 0);
        while same < 10 {
            let now = watch.until("heartbeat")["passes"].as_u64().unwrap();
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    };
    let before = quiet(&mut watch);
    for _ in 0..20 {
        // Said to all who listen; no list shows it, because nothing comes between the two.
        world.tmux(["new-session", "-d", "-s", "brief", "exec sleep 1000", ";", "kill-session", "-t", "=brief"]);
    }
    let after = quiet(&mut watch);
    assert_eq!(after, before, "a session that came and went");
    world.tmux(["rename-session", "-t", "=t", "u"]);
    watch.until("drift moved flagged t");
    world.tmux(["kill-session", "-t", "=s"]);
    watch.until("drift dead applied s");
}

#[test]
fn a_watch_that_was_stopped_for_a_while_catches_up() {
    let world = World::new();
    world.claude_session("s", &world.workspace("shop"));
    declare(&world, &running(&world, &["s"]));
    let mut watch = watch(&world, &[]);
    watch.until("drift moved applied s");
    watch.signal(Signal::STOP);
    world.tmux(["kill-session", "-t", "=s"]);
    watch.signal(Signal::CONT);
    watch.until("drift dead applied s");
}

impl crate::run::Watch {
    /// The next event that is no heartbeat.
    fn next_told(&mut self) -> String {
        loop {
            let event = self.next().expect("an event");
            if event["type"] != "heartbeat" {
                return word(&event);
            }
        }
    }

    /// Waits until the manifest holds a text.
    fn until_text(&mut self, world: &World, wanted: &str) {
        await_some(wanted, || text(world).contains(wanted).then_some(()));
    }
}

#[test]
fn a_name_that_no_session_has_is_said_once_and_watched_for() {
    let world = World::new();
    declare(&world, &running(&world, &[]));
    let mut watch = watch(&world, &["y-creator-claude", "z*", "--heartbeat", "100ms"]);
    let said = watch.until("error name");
    assert_eq!(said["message"], "no session named y-creator-claude yet; waiting for it");
    watch.passes(3);
    // It gets its name when it is in its conversation already, so that it is registered with the id.
    let session = world.claude_session("early", &world.workspace("shop"));
    world.tmux(["rename-session", "-t", "=early", "y-creator-claude"]);
    watch.until("drift unregistered applied y-creator-claude");
    watch.passes(3);
    assert!(text(&world).contains(session.id.as_str()));
    let done = watch.terminate();
    // The agent is there a moment before it says what conversation it is in.
    let words: Vec<String> = done.words().into_iter().filter(|word| !word.starts_with("drift new-id")).collect();
    assert_eq!(
        words,
        ["started", "error name", "drift unregistered applied y-creator-claude", "stopped SIGTERM"],
        "a wildcard may match nothing"
    );
}

#[test]
fn our_own_write_is_not_looked_at_again_and_a_persons_is() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    // Nothing else wakes it: the interval is long and no server runs.
    let arguments = ["watch", "--json", "--interval", "1h", "--settle", "0s", "--heartbeat", "100ms"];
    let mut watch = crate::run::Watch::start(headcount(&world, &arguments));
    watch.until("drift dead applied gone");
    let before = at_rest(&mut watch);
    // A person's save is looked at once; what is written in answer to it is not.
    save(&manifest(&world), &text(&world).replace("status: terminated", "status: running"));
    watch.until("drift dead applied gone");
    assert_eq!(at_rest(&mut watch), before + 1, "our own write was taken for news");
    // Nor is a save of what stands there already.
    save(&manifest(&world), &text(&world));
    assert_eq!(at_rest(&mut watch), before + 1);
}

/// How many passes were made, once no more come.
fn at_rest(watch: &mut crate::run::Watch) -> u64 {
    let mut passes = || watch.until("heartbeat")["passes"].as_u64().unwrap();
    let (mut last, mut same) = (passes(), 0);
    while same < 8 {
        let now = passes();
        (last, same) = (now, if now == last { same + 1 } else { 0 });
    }
    last
}

#[test]
fn what_two_looks_cannot_tell_is_said_once_and_nobody_is_dead() {
    let world = World::new();
    world.session("keeper", world.root(), "exec sleep 1000");
    let before = running(&world, &["gone"]);
    declare(&world, &before);
    let old = world.program("tmux", "#!/bin/sh\necho '2.8|1|||||||||'\n");
    let mut watch = watch(&world, &["--no-control-client", "--heartbeat", "100ms"]);
    let said = watch.until("error unknown");
    let message = said["message"].as_str().unwrap();
    assert!(message.contains("tmux:default") && message.contains("3.2"), "{message}");
    watch.passes(3);
    assert_eq!(text(&world), before);
    std::fs::remove_file(old).unwrap();
    watch.until("drift dead applied gone");
    let words = watch.terminate().words();
    assert_eq!(words.iter().filter(|word| *word == "error unknown").count(), 1, "{words:?}");
}
