//! Sessions in somebody's hands: what keeps off them, how long, and who gives them back.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::enforce::Enforcer;
use super::support::{await_end, await_some};
use super::{Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, restart: always }\n";

fn running() -> Scene {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.run(&["record", "--settle", "0s"]).is(0);
    scene
}

/// Makes a hold as if it had been made long ago.
fn backdate(scene: &Scene) {
    let path = scene.state().join("ledger.json");
    let mut ledger: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for acted in ledger["sessions"].as_object_mut().unwrap().values_mut() {
        acted["hold"]["since"] = "2026-01-01T00:00:00Z".into();
    }
    std::fs::write(&path, ledger.to_string()).unwrap();
}

#[test]
fn nothing_acts_on_a_held_session_until_it_is_released() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    let taken = scene.run(&["handoff", "one", "--as", "ann", "--for", "1h", "--json"]).is(0);
    assert_eq!(taken.outcome("one").0, "handoff done");
    let before = scene.text();
    let verbs: [&[&str]; 6] = [
        &["stop", "one", "--yes", "--now", "--json"],
        &["restart", "one", "--yes", "--json"],
        &["rm", "one", "--yes", "--json"],
        &["rm", "one", "--yes", "--keep-running", "--json"],
        &["forget", "one", "--yes", "--json"],
        &["rename", "one", "two", "--yes", "--json"],
    ];
    for verb in verbs {
        assert_eq!(scene.run(verb).is(3).outcome("one").1, "held", "{verb:?}");
        assert!(is_alive(pid) && scene.text() == before, "{verb:?}");
    }
    assert!(scene.run(&["status"]).is(0).stdout.contains("ann has it in hand"));
    let status = scene.run(&["status", "--json"]).is(0).json();
    assert_eq!(status["sessions"][0]["hold"]["holder"], "ann");
    assert!(scene.run(&["explain", "one"]).is(0).stdout.contains("ann has it in hand since"));
    let plan = scene.run(&["plan", "--json"]).is(0).json();
    assert_eq!((&plan["actions"][0]["state"], &plan["actions"][0]["hold"]["holder"]), (&"held".into(), &"ann".into()));
    assert!(scene.run(&["plan"]).is(0).stdout.contains("= held  one"));
    // Gone, and still nobody else's to bring back.
    scene.world.crash_server();
    await_end(pid);
    let plan = scene.run(&["plan", "--json"]).is(0).json();
    assert_eq!((&plan["actions"][0]["blocked"]["code"], &plan["counts"]["held"]), (&"held".into(), &1.into()));
    assert!(plan["actions"][0]["blocked"]["until"].is_string(), "{plan}");
    for verb in [["apply", "--yes", "--json"].as_slice(), &["start", "one", "--yes", "--json"]] {
        assert_eq!(scene.run(verb).is(3).outcome("one").1, "held", "{verb:?}");
    }
    assert!(scene.agents().is_empty());
    // Others do not give it back, and do not take it.
    for verb in ["release", "handoff"] {
        assert_eq!(scene.run(&[verb, "one", "--yes", "--json"]).is(3).outcome("one").1, "held", "{verb}");
    }
    assert_eq!(scene.run(&["release", "one", "--as", "ann", "--json"]).is(0).outcome("one").0, "release done");
    assert_eq!(scene.run(&["release", "one", "--json"]).is(0).outcome("one").0, "release skipped");
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
    let history = scene.run(&["history", "--json"]).is(0).json();
    let done = |action: &str| history["operations"].as_array().unwrap().iter().any(|one| one["action"] == action);
    assert!(done("handoff") && done("release"), "{history}");
}

#[test]
fn whoever_holds_a_session_acts_on_it() {
    let scene = running();
    scene.run(&["handoff", "one"]).is(0);
    assert_eq!(scene.run(&["stop", "one", "--yes", "--json"]).is(0).outcome("one").0, "stop done");
    assert_eq!(scene.run(&["handoff", "one", "--for", "1h", "--json"]).is(0).outcome("one").0, "handoff done");
    // An agent of the same user is somebody else.
    let by_agent = |arguments: &[&str]| super::Ran::from(scene.command(arguments).env("CLAUDECODE", "1").output().unwrap());
    assert_eq!(by_agent(&["start", "one", "--yes", "--json"]).is(3).outcome("one").1, "held");
    assert_eq!(by_agent(&["release", "one", "--yes", "--json"]).is(3).outcome("one").1, "held");
}

#[test]
fn a_hold_ends_by_itself_when_its_time_is_over_or_nobody_uses_the_session() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    scene.run(&["handoff", "one", "--as", "ann", "--for", "2s"]).is(0);
    assert_eq!(scene.run(&["stop", "one", "--yes", "--json"]).is(3).outcome("one").1, "held");
    await_some("its end", || {
        let plan = scene.run(&["plan", "--json"]).is(0).json();
        (plan["counts"]["held"] == 0).then_some(())
    });
    scene.run(&["stop", "one", "--yes"]).is(0);
    await_end(pid);
    scene.run(&["start", "one"]).is(0);
    // Without a time of its own it lasts while somebody has just been at its terminal.
    scene.run(&["handoff", "one", "--as", "ann"]).is(0);
    backdate(&scene);
    assert_eq!(scene.run(&["stop", "one", "--yes", "--json"]).is(3).outcome("one").1, "held", "it was made just now");
    scene.world.crash_server();
    await_some("its end", || scene.agents().is_empty().then_some(()));
    backdate(&scene);
    let ledger = std::fs::read_to_string(scene.state().join("ledger.json")).unwrap();
    assert!(ledger.contains("\"used\""), "what was seen of its use is remembered: {ledger}");
    let used = ledger.replace("\"used\":\"20", "\"used\":\"19");
    std::fs::write(scene.state().join("ledger.json"), used).unwrap();
    assert_eq!(scene.run(&["start", "one", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
}

#[test]
fn a_stop_that_waits_leaves_a_session_that_somebody_takes_meanwhile() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    scene.world.type_line("one", "/turn busy");
    let registry = scene.world.home().join(format!(".claude/sessions/{pid}.json"));
    await_some("the turn", || std::fs::read_to_string(&registry).ok()?.contains("busy").then_some(()));
    let mut stop =
        scene.command(&["stop", "one", "--yes", "--timeout", "1m", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let is_open = || {
        let history = scene.run(&["history", "one", "--json"]).is(0).json();
        history["operations"].as_array().unwrap().iter().any(|one| one["action"] == "stop" && one["outcome"].is_null())
    };
    await_some("the stop", || is_open().then_some(()));
    scene.run(&["handoff", "one", "--as", "ann"]).is(0);
    scene.world.type_line("one", "/turn idle");
    assert_eq!(stop.wait().unwrap().code(), Some(3));
    assert!(is_alive(pid));
}

#[test]
fn an_enforcing_watch_leaves_what_is_held_and_brings_it_back_once_it_is_released() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    let watch = Enforcer::start(&scene, &[]);
    scene.run(&["handoff", "one", "--as", "ann"]).is(0);
    scene.world.crash_server();
    await_end(pid);
    let blocked = watch.said("blocked");
    assert_eq!((&blocked["code"], &blocked["session"]["name"]), (&"held".into(), &"one".into()));
    assert!(blocked["until"].is_string(), "{blocked}");
    std::thread::sleep(Duration::from_secs(6));
    assert!(scene.agents().is_empty() && watch.of("planned").is_empty());
    assert_eq!(watch.of("blocked").len(), 1, "it is said once");
    scene.run(&["release", "one", "--as", "ann"]).is(0);
    watch.said("back");
    assert_eq!(scene.agents().len(), 1);
}

#[test]
fn a_person_at_a_terminal_is_asked_and_may_pass_a_hold() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    scene.run(&["handoff", "one", "--as", "night-shift", "--for", "1h"]).is(0);
    scene.world.session("desk", &scene.world.workspace("two"), "sh");
    let typed = |verb: &str| {
        let program = env!("CARGO_BIN_EXE_headcount");
        scene.world.type_line("desk", &format!("clear; {program} {verb} -f {}; echo rc $?", scene.manifest().display()));
    };
    let shows = |what: &str| {
        await_some(what, || scene.world.tmux(["capture-pane", "-p", "-J", "-t", "=desk:"]).contains(what).then_some(()));
    };
    typed("stop one");
    shows("Do it all the same? [y/N]");
    scene.world.type_line("desk", "n");
    shows("rc 3");
    assert!(is_alive(pid));
    typed("stop one --yes");
    shows("stopped one");
    await_end(pid);
    typed("release one");
    shows("Release it all the same? [y/N]");
    scene.world.type_line("desk", "y");
    shows("rc 0");
    scene.run(&["start", "one"]).is(0);
}

#[test]
fn an_operation_that_nobody_carries_out_is_closed_by_name() {
    let scene = running();
    // As if its launcher had begun, and nothing were to be seen below it.
    let mut childless = Command::new("sleep").arg("600").spawn().unwrap();
    let started = scene.run(&["history", "--json"]).is(0).json()["operations"][0]["id"].as_str().unwrap().to_owned();
    let operation = scene.state().join("operations").join(&started);
    std::fs::remove_file(operation.join("receipt.json")).unwrap();
    let launched = operation.join("launched");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&launched).unwrap()).unwrap();
    record["pid"] = childless.id().into();
    record["start_ticks"] = Value::Null;
    std::fs::write(&launched, record.to_string()).unwrap();
    assert_eq!(scene.run(&["stop", "one", "--json"]).is(75).outcome("one").1, "busy");
    assert!(scene.run(&["release", "one", "--operation", &started]).is(3).stderr.contains("--yes"));
    scene.run(&["release", "one", "--operation", "nonsense", "--yes"]).is(64);
    let closed = scene.run(&["release", "one", "--operation", &started, "--yes", "--json"]).is(0);
    assert_eq!(closed.outcome("one").0, "release done");
    scene.run(&["stop", "one"]).is(0);
    let _ = childless.kill();
    childless.wait().unwrap();
}

#[test]
fn hands_are_not_changed_while_somebody_acts() {
    let scene = running();
    scene.run(&["handoff", "one"]).is(0);
    let directory = scene.world.socket().parent().unwrap().to_owned();
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let locks: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "lock")).collect();
    assert!(!locks.is_empty());
    let _held: Vec<_> = locks
        .iter()
        .map(|path| {
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            fs4::FileExt::lock(&file).unwrap();
            file
        })
        .collect();
    let both = [["handoff", "one", "--json"], ["release", "one", "--json"]];
    let both = both.map(|arguments| scene.command(&arguments).stdout(Stdio::piped()).spawn().unwrap());
    for child in both {
        assert_eq!(super::Ran::from(child.wait_with_output().unwrap()).is(75).outcome("one").1, "busy");
    }
}
