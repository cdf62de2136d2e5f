//! Both multiplexers in one manifest: one report, one status, one watch.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::run::{Watch, declare, headcount, text};
use crate::support::await_some;
use crate::zellij::{Zellij, signal};

fn json(zellij: &Zellij, arguments: &[&str]) -> Value {
    let output = run(zellij, arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn run(zellij: &Zellij, arguments: &[&str]) -> std::process::Output {
    let mut command: Command = headcount(zellij.world(), arguments);
    command.output().unwrap()
}

/// `dead applied s`, sorted.
fn drifts(report: &Value) -> Vec<String> {
    let line = |drift: &Value| {
        let part = |value: &Value| value.as_str().unwrap().to_owned();
        [part(&drift["class"]), part(&drift["state"]), part(&drift["session"]["mux"]), part(&drift["session"]["name"])]
            .join(" ")
    };
    let mut all: Vec<String> = report["drifts"].as_array().unwrap().iter().map(line).collect();
    all.sort();
    all
}

fn both(zellij: &Zellij, names: [&str; 2]) -> String {
    let cwd = zellij.world().workspace("shop");
    format!(
        "version: 1\nsessions:\n  - name: {}\n    agent: claude\n    cwd: {cwd}\n    status: running\n  - name: {}\n    agent: claude\n    mux: zellij\n    cwd: {cwd}\n    status: running\n",
        names[0],
        names[1],
        cwd = cwd.display()
    )
}

#[test]
fn one_report_holds_what_happened_in_both() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let cwd = world.workspace("shop");
    // The same name in both is two sessions.
    let (in_tmux, in_zellij) = (world.claude_session("s", &cwd), zellij.claude_session("s", &cwd));
    zellij.claude_session("new-creator-claude", &cwd);
    declare(world, &both(&zellij, ["s", "s"]));
    let report = json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"]);
    let expected = [
        "moved applied tmux s",
        "moved applied zellij s",
        "new-id applied tmux s",
        "new-id applied zellij s",
        "unregistered applied zellij new-creator-claude",
    ];
    assert_eq!(drifts(&report), expected);
    let written = text(world);
    for id in [&in_tmux.id, &in_zellij.id] {
        assert!(written.contains(id.as_str()), "{written}");
    }
    assert!(written.contains("id: terminal_0") && written.contains("mux: zellij"), "{written}");
    assert_eq!(drifts(&json(&zellij, &["diff", "--json", "--settle", "0s"])), [""; 0]);
    let status = String::from_utf8(run(&zellij, &["status", "-o", "wide"]).stdout).unwrap();
    assert!(status.contains("new-creator-claude"), "{status}");
    let explained = String::from_utf8(run(&zellij, &["explain", "new-creator-claude"]).stdout).unwrap();
    assert!(explained.contains("terminal_0"), "{explained}");
    // The names are the same, the verdicts are not. It has been prompted: an id that never had a transcript would be stale.
    zellij.type_line("s", "hello");
    await_some("the transcript", || world.transcript(&cwd, &in_zellij.id).exists().then_some(()));
    zellij.kill_session("s");
    assert_eq!(drifts(&json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"])), ["dead applied zellij s"]);
    assert_eq!(text(world).matches("status: terminated").count(), 1, "{}", text(world));
}

#[test]
fn a_rename_is_flagged_with_the_new_name_and_nothing_is_written() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let cwd = world.workspace("shop");
    world.claude_session("t", &cwd);
    zellij.claude_session("old", &cwd);
    declare(world, &both(&zellij, ["t", "old"]));
    json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"]);
    let before = text(world);
    zellij.action("old", &["rename-session", "new-creator-claude"]);
    await_some("the new socket", || zellij.socket("new-creator-claude").exists().then_some(()));
    let report = json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"]);
    assert_eq!(drifts(&report), ["moved flagged zellij old"], "neither dead nor unregistered");
    assert!(report["drifts"][0]["message"].as_str().unwrap().contains("renamed to \"new-creator-claude\""), "{report}");
    assert_eq!(text(world), before);
}

#[test]
fn a_wedged_session_is_unknown_and_the_manifest_stays_as_it_is() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let cwd = world.workspace("shop");
    world.claude_session("t", &cwd);
    zellij.claude_session("z", &cwd);
    declare(world, &both(&zellij, ["t", "z"]));
    json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"]);
    let before = text(world);
    let server = zellij.server("z");
    signal(server, rustix::process::Signal::STOP);
    let report = json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"]);
    signal(server, rustix::process::Signal::CONT);
    assert_eq!(drifts(&report), [""; 0]);
    assert!(report["unknown"][0]["why"].as_str().unwrap().contains("did not answer"), "{report}");
    assert_eq!(text(world), before);
}

#[test]
fn an_agent_that_left_is_flagged_with_what_became_of_its_pane() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let cwd = world.workspace("shop");
    world.claude_session("t", &cwd);
    zellij.claude_session("z", &cwd);
    declare(world, &both(&zellij, ["t", "z"]));
    json(&zellij, &["reconcile", "--emit-diff", "--settle", "0s"]);
    zellij.type_line("z", "/exit");
    let message = await_some("the drift", || {
        let report = json(&zellij, &["diff", "--json", "--settle", "0s"]);
        report["drifts"].as_array().unwrap().first().map(|drift| drift["message"].as_str().unwrap().to_owned())
    });
    assert!(message.contains("pane terminal_0 is dead (exit status 0)"), "{message}");
}

#[test]
fn init_finds_the_sessions_of_both() {
    let Some(zellij) = Zellij::new() else { return };
    let cwd = zellij.world().workspace("shop");
    zellij.world().claude_session("t", &cwd);
    zellij.claude_session("z", &cwd);
    let output = run(&zellij, &["init", "--dry-run"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("name: t") && said.contains("name: z") && said.contains("mux: zellij"), "{said}");
}

#[test]
fn a_watch_is_woken_by_what_happens_in_either() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let cwd = world.workspace("shop");
    world.claude_session("t", &cwd);
    declare(world, &both(&zellij, ["t", "z"]));
    // Where processes outside may be hidden, that there is no directory is no proof that there is no session.
    let pids = fs::read_link("/proc/self/ns/pid").unwrap();
    if pids.as_os_str() != headcount::core::observe::Viewpoint::WHOLE {
        fs::create_dir_all(world.root().join("zellij/contract_version_1")).unwrap();
    }
    let arguments = ["watch", "--json", "--interval", "1h", "--settle", "0s", "--heartbeat", "100ms"];
    let mut watch = Watch::start(headcount(world, &arguments));
    watch.until("drift dead applied z");
    // The first session of all: until now not even the directory was there.
    zellij.claude_session("z", &cwd);
    watch.until("drift revived applied z");
    zellij.claude_session("new-creator-claude", &cwd);
    watch.until("drift unregistered applied new-creator-claude");
    zellij.kill_session("z");
    let told = watch.until("drift dead applied z");
    assert_ne!(told["reasons"], serde_json::json!(["resync"]));
    world.tmux(["kill-session", "-t", "=t"]);
    watch.until("drift dead applied t");
    let server = zellij.server("new-creator-claude");
    signal(server, rustix::process::Signal::KILL);
    watch.until("drift dead applied new-creator-claude");
    let done = watch.terminate();
    assert!(done.stderr.is_empty(), "{}", done.stderr);
    assert!(!done.seen.iter().any(|event| event["type"] == "error"), "{:#?}", done.seen);
}

#[test]
fn doctor_names_the_version_and_counts_the_sessions() {
    let Some(zellij) = Zellij::new() else { return };
    declare(zellij.world(), "version: 1\nsessions: []\n");
    zellij.session("s", &zellij.world().home(), &["sleep", "600"]);
    let homes = |zellij: &Zellij| fs::read_dir(zellij.world().home()).unwrap().count();
    let before = homes(&zellij);
    let said = String::from_utf8(run(&zellij, &["doctor"]).stdout).unwrap();
    assert!(said.lines().any(|line| line.contains("zellij sessions") && line.contains("1 at ")), "{said}");
    assert!(said.lines().any(|line| line.starts_with("ok") && line.contains("zellij  ")), "{said}");
    assert_eq!(homes(&zellij), before, "looking left something in the home");
}
