//! Sessions get other names: where they run, in their entries, and in what is known of them.

use std::time::Duration;

use super::entries::walk;
use super::support::{await_end, await_some};
use super::{Scene, is_alive};

const TWO: &str =
    "  - { name: one, agent: claude, cwd: LAB/one, desired: running } # mine\n  - { name: two, agent: claude, cwd: LAB/two }\n";

fn running() -> Scene {
    let scene = Scene::new(TWO);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.run(&["record", "--settle", "0s"]).is(0);
    scene
}

fn names(scene: &Scene) -> Vec<String> {
    let mut names: Vec<String> =
        scene.world.tmux(["list-sessions", "-F", "#{session_name}"]).lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// Since when sessions have held their conversations: every moment that the state knows.
fn since(scene: &Scene) -> std::collections::BTreeSet<String> {
    let file = walk(&scene.state()).into_iter().find(|path| path.ends_with("state.json")).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let stamps = text.split("\"id_since\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    stamps.map(str::to_owned).collect()
}

#[test]
fn what_is_known_of_a_session_follows_it_to_its_new_name() {
    let scene = running();
    let agents = scene.agents();
    let before = scene.text();
    let held = since(&scene);
    let entry = scene.run(&["history", "one", "--json"]).is(0).json()["entries"][0]["id"].as_str().unwrap().to_owned();
    let renamed = scene.run(&["rename", "one", "three", "--json"]).is(0);
    assert_eq!(renamed.outcome("three").0, "rename done");
    assert_eq!((scene.agents(), names(&scene)), (agents.clone(), vec!["three".to_owned()]), "nothing was stopped");
    assert_eq!(scene.text(), before.replace("name: one,", "name: three,"));
    // The ledger, the memory, the journal.
    let ledger = std::fs::read_to_string(scene.state().join("ledger.json")).unwrap();
    assert!(ledger.contains("three") && !ledger.contains("\\\"one\\\""), "{ledger}");
    assert_eq!(since(&scene), held, "it has held its conversation as long as before");
    let history = scene.run(&["history", "three", "--json"]).is(0).json();
    let has = |list: &str, is: &dyn Fn(&serde_json::Value) -> bool| history[list].as_array().unwrap().iter().any(is);
    assert!(has("entries", &|it| it["id"] == entry.as_str() && it["session"]["name"] == "one"), "{history}");
    assert!(has("notes", &|it| it["kind"] == "renamed"), "{history}");
    assert!(has("operations", &|it| it["action"] == "start" && it["session"]["name"] == "one"), "{history}");
    assert!(has("operations", &|it| it["action"] == "rename" && it["outcome"] == "done"), "{history}");
    scene.run(&["diff"]).is(0);
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
    // A person's stop counts under the new name, and so does what it was in.
    scene.run(&["stop", "three"]).is(0);
    assert_eq!(scene.run(&["start", "three", "--json"]).is(0).outcome("three").0, "resume done");
    assert_eq!(scene.agents()[0].1, agents[0].1);
    // What was recorded under the old name can be taken back.
    let dry = scene.run(&["undo", &entry, "--dry-run"]);
    assert!(!dry.stderr.contains("no longer has an entry"), "{dry:?}");
}

#[test]
fn an_ended_session_gets_its_name_in_its_entry() {
    let scene = running();
    let id = scene.agents().remove(0).1;
    scene.run(&["stop", "one"]).is(0);
    scene.run(&["rename", "one", "three"]).is(0);
    assert_eq!(scene.recorded("three", "status"), "stopped");
    assert_eq!(scene.run(&["start", "three", "--json"]).is(0).outcome("three").0, "resume done");
    assert_eq!(scene.agents().remove(0).1, id);
}

#[test]
fn a_name_that_is_taken_is_refused_and_nothing_changes() {
    let scene = running();
    scene.world.session("foreign", &scene.world.workspace("two"), "sh");
    let (before, was) = (scene.text(), names(&scene));
    for (name, code) in [("two", "foreign-name"), ("foreign", "foreign-name"), ("", "unsupported"), ("a#{pid}", "unsupported")]
    {
        let refused = scene.run(&["rename", "one", name, "--json"]).is(3);
        assert_eq!(refused.outcome("one"), ("rename refused".to_owned(), code.to_owned()), "{name}");
    }
    assert_eq!(scene.run(&["rename", "one", "one", "--json"]).is(0).outcome("one").0, "rename skipped");
    // Somebody else's session of the entry's name keeps its name.
    scene.world.session("two", &scene.world.workspace("two"), "sh");
    scene.run(&["rename", "two", "four"]).is(0);
    assert_eq!(scene.text(), before.replace("name: two,", "name: four,"));
    assert_eq!(names(&scene), [was, vec!["two".to_owned()]].concat());
    assert!(scene.run(&["rename", "*", "five"]).is(3).stderr.contains("several sessions"));
    scene.run(&["rename", "nobody", "five"]).is(1);
}

#[test]
fn a_name_is_never_a_command_a_format_or_a_target() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    let mut last = "one".to_owned();
    for name in ["-a", "'; kill-server; '", "a.b:c", "$HOME \"x\"", "=two", "%1", "a\\b", "été ☃", "`id`", "one"] {
        // As a person would have it made.
        let listed = {
            let made = scene.world.tmux(["new-session", "-d", "-P", "-F", "#{session_id}", "-s", name]);
            let id = made.trim().to_owned();
            let listed = scene.world.tmux(["display-message", "-p", "-t", &format!("{id}:"), "#{session_name}"]);
            scene.world.tmux(["kill-session", "-t", &id]);
            listed.trim_end_matches('\n').to_owned()
        };
        let mut command = scene.command(&["rename", "--json"]);
        let ran = super::Ran::from(command.args(["--", &last, name]).output().unwrap());
        assert_eq!(ran.is(0).outcome(name).0, "rename done");
        assert_eq!(names(&scene), [listed], "{name}");
        assert!(is_alive(pid));
        name.clone_into(&mut last);
    }
    scene.run(&["diff"]).is(0);
}

#[test]
fn what_a_person_renamed_is_followed() {
    let scene = running();
    let pid = scene.agents().remove(0).0;
    scene.world.tmux(["rename-session", "-t", "one", "mine"]);
    let blocked = scene.run(&["start", "one", "--json"]).is(3).json();
    assert!(blocked["operations"][0]["why"].as_str().unwrap().contains("`headcount rename one mine`"), "{blocked}");
    assert_eq!(scene.run(&["rename", "one", "other", "--json"]).is(3).outcome("one").1, "foreign-name");
    scene.run(&["rename", "one", "mine"]).is(0);
    assert_eq!(scene.recorded("mine", "status"), "running");
    scene.run(&["diff"]).is(0);
    scene.run(&["stop", "mine"]).is(0);
    await_end(pid);
}

#[test]
fn without_an_answer_of_its_server_a_session_keeps_its_name() {
    let scene = Scene::new(TWO);
    let _server = std::os::unix::net::UnixListener::bind(scene.world.socket()).unwrap();
    let before = scene.text();
    assert_eq!(scene.run(&["rename", "one", "three", "--json"]).is(3).outcome("one").1, "unknown");
    assert_eq!(scene.text(), before);
}

#[test]
fn what_another_manifest_leads_is_taken_over_only_on_request() {
    let scene = running();
    let other = scene.world.root().join("other.yaml");
    std::fs::copy(scene.manifest(), &other).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(scene.world.variables()).args(arguments).arg("-f").arg(&other);
        super::Ran::from(command.output().unwrap())
    };
    assert_eq!(run(&["rename", "one", "three", "--json"]).is(3).outcome("one").1, "led-elsewhere");
    assert_eq!(names(&scene), ["one"]);
    run(&["rename", "one", "three", "--take"]).is(0);
    assert_eq!(names(&scene), ["three"]);
}

#[test]
fn killed_at_any_moment_a_rename_is_finished_by_the_next() {
    for step in 0..10 {
        let scene = running();
        let pid = scene.agents().remove(0).0;
        let mut child = scene.command(&["rename", "one", "three"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(step * 25));
        let _ = child.kill();
        child.wait().unwrap();
        scene.run(&["check"]).is(0);
        let ran = scene.run(&["rename", "one", "three"]);
        assert!(ran.code == Some(0) || ran.stderr.contains("no session one"), "after {} ms: {ran:?}", step * 25);
        assert_eq!(names(&scene), ["three"], "after {} ms", step * 25);
        assert!(is_alive(pid));
        assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
        scene.run(&["stop", "three", "--yes"]).is(0);
        await_end(pid);
    }
}

#[test]
fn two_at_once_rename_it_once() {
    let scene = running();
    let names_of = ["three", "four", "five"];
    let mut all: Vec<_> = names_of.iter().map(|name| scene.command(&["rename", "one", name]).spawn().unwrap()).collect();
    let codes: Vec<_> = all.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    assert!(codes.contains(&Some(0)), "{codes:?}");
    let name = names(&scene).remove(0);
    await_some("its entry", || (scene.recorded(&name, "desired") == "running").then_some(()));
    scene.run(&["diff"]).is(0);
    assert_eq!(scene.agents().len(), 1);
}
