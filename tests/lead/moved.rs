//! Sessions move to another server of tmux: in their conversation, or not at all.

use std::path::PathBuf;
use std::time::Duration;

use super::support::await_end;
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

/// Another server of a world.
struct Other<'a>(&'a Scene, PathBuf);

impl<'a> Other<'a> {
    fn of(scene: &'a Scene) -> Self {
        Self(scene, scene.world.socket().with_file_name("work"))
    }

    fn names(&self) -> Vec<String> {
        let words = ["list-sessions", "-F", "#{session_name}"];
        self.0.world.tmux_on(&self.1, words).lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_session_goes_on_in_its_conversation_on_another_server_and_comes_back() {
    let scene = running();
    let other = Other::of(&scene);
    let (pid, id) = scene.agents().remove(0);
    let moved = scene.run(&["move", "one", "--server", "work", "--yes", "--json"]).is(0);
    assert_eq!(moved.outcome("one").0, "move done");
    assert!(!is_alive(pid));
    let agents = scene.agents();
    assert_eq!((agents.len(), &agents[0].1), (1, &id));
    assert_eq!(other.names(), ["one"]);
    assert_eq!(scene.recorded("one", "server"), "work");
    assert_eq!(scene.recorded("one", "status"), "running");
    assert!(scene.text().contains("# mine"));
    scene.run(&["diff"]).is(0);
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
    // What was done before is known under the new place.
    let described = scene.run(&["describe", "one", "--json"]).is(0).json();
    let actions: Vec<_> =
        described["operations"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["resume", "stop", "start"]);
    assert_eq!(scene.run(&["move", "one", "--server", "work", "--json"]).is(0).outcome("one").0, "move skipped");
    scene.run(&["move", "one", "--server", "default", "--yes"]).is(0);
    assert_eq!(scene.agents()[0].1, id);
    assert_eq!(scene.world.tmux(["list-sessions", "-F", "#{session_name}"]), "one");
    scene.run(&["diff"]).is(0);
}

#[test]
fn what_could_not_go_on_there_is_not_stopped_here() {
    let scene = running();
    let other = Other::of(&scene);
    let pid = scene.agents().remove(0).0;
    let before = scene.text();
    let refused = |more: &[&str]| scene.run(&[&["move", "one", "--server", "work", "--json"], more].concat()).outcome("one").1;
    scene.world.tmux_on(&other.1, ["new-session", "-d", "-s", "one", "sleep 600"]);
    assert_eq!(refused(&["--yes"]), "foreign-name");
    scene.world.tmux_on(&other.1, ["kill-server"]);
    let listener = std::os::unix::net::UnixListener::bind(scene.world.socket().with_file_name("wedged")).unwrap();
    let wedged = scene.run(&["move", "one", "--server", "wedged", "--yes", "--json"]).is(3);
    assert_eq!(wedged.outcome("one").1, "unknown");
    drop(listener);
    scene.run(&["handoff", "one", "--as", "ann"]).is(0);
    assert_eq!(refused(&["--yes"]), "held");
    scene.run(&["release", "one", "--as", "ann"]).is(0);
    // Another entry is there already.
    std::fs::write(scene.manifest(), before.replace("name: two, agent: claude,", "name: one, agent: claude, server: work,"))
        .unwrap();
    let taken = scene.run(&["move", "tmux:default:one", "--server", "work", "--yes", "--json"]).is(3);
    assert_eq!(taken.outcome("one").1, "foreign-name");
    std::fs::write(scene.manifest(), &before).unwrap();
    // Nothing was said in it yet, so it could not go on.
    assert!(is_alive(pid));
    assert_eq!(scene.text(), before);
    scene.world.type_line("one", "/turn busy");
    std::thread::sleep(Duration::from_millis(200));
    scene.run(&["move", "one", "--server", "work", "--yes", "--timeout", "200ms"]).is(75);
    assert!(is_alive(pid));
    assert_eq!(scene.recorded("one", "server"), serde_json::Value::Null);
}

#[test]
fn one_that_does_not_run_only_gets_its_server() {
    let scene = running();
    let other = Other::of(&scene);
    let (pid, id) = scene.agents().remove(0);
    scene.run(&["stop", "one", "--yes"]).is(0);
    await_end(pid);
    assert_eq!(scene.run(&["move", "one", "--server", "work", "--json"]).is(0).outcome("one").0, "move done");
    assert!(scene.agents().is_empty());
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!((other.names(), &scene.agents()[0].1), (vec!["one".to_owned()], &id));
}

#[test]
fn killed_at_any_moment_it_is_where_its_entry_says_and_goes_on_there() {
    for step in 0..8 {
        let scene = running();
        let _other = Other::of(&scene);
        let id = scene.agents().remove(0).1;
        let mut child = scene.command(&["move", "one", "--server", "work", "--yes"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(step * 60));
        let _ = child.kill();
        child.wait().unwrap();
        scene.run(&["check"]).is(0);
        let ran = scene.run(&["move", "one", "--server", "work", "--yes", "--json"]);
        assert!(matches!(ran.code, Some(0 | 75)), "after {} ms: {ran:?}", step * 60);
        super::support::await_some("the end of what was begun", || {
            let ran = scene.run(&["start", "one", "--yes", "--json"]);
            (ran.code == Some(0)).then_some(())
        });
        let agents = scene.agents();
        assert_eq!((agents.len(), &agents[0].1), (1, &id), "after {} ms", step * 60);
    }
}

#[test]
fn if_it_cannot_go_on_there_the_way_back_is_named() {
    let scene = running();
    let claude = std::fs::read_to_string(scene.world.claude()).unwrap();
    let id = scene.agents().remove(0).1;
    scene.world.program("claude", "#!/bin/bash\necho not today\nexit 1\n");
    let failed = scene.run(&["move", "one", "--server", "work", "--yes", "--json"]).is(1);
    let why = failed.json()["operations"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("`headcount move one --server default` takes it back"), "{why}");
    assert!(scene.agents().is_empty());
    scene.world.program("claude", &claude);
    scene.run(&["move", "one", "--server", "default", "--yes"]).is(0);
    scene.run(&["start", "one"]).is(0);
    assert_eq!(scene.agents().remove(0).1, id);
}
