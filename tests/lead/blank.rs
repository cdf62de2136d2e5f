//! A text for an OpenCode that is in no conversation yet: its database says that nothing was said, and its screen that it takes a prompt.

use std::time::Duration;

use serde_json::Value;

use super::Scene;
use super::support::{await_some, opencode};

/// A stand-in for OpenCode, started with these arguments, in a session that is looked at from now on.
fn begun(arguments: &str) -> Scene {
    let scene = Scene::new("  - { name: one, agent: opencode, cwd: LAB/one }\n");
    scene.world.program("opencode", include_str!("../support/talking_opencode.py"));
    opencode::record(&scene.world.home().join(".local/share/opencode/opencode.db"));
    scene.world.session("one", &scene.world.workspace("one"), &format!("exec opencode {arguments}"));
    await_some("its composer", || scene.run(&["screen", "one"]).stdout.contains("Build").then_some(()));
    // A conversation that appears within a second of its start may be one of before.
    std::thread::sleep(Duration::from_millis(1500));
    scene
}

fn send(scene: &Scene, words: &[&str]) -> Value {
    scene.run(&[&["send", "one", "--json"], words].concat()).json()
}

#[test]
fn a_fresh_opencode_takes_its_first_text_and_what_is_told_of_it_is_proven() {
    let scene = begun("");
    let first = send(&scene, &["hello"]);
    assert_eq!(first["outcome"], "delivered", "{first}");
    assert!(first["conversation"].as_str().is_some_and(|id| id.starts_with("ses_")), "{first}");
    await_some("its end", || (send(&scene, &["x", "--dry-run"])["outcome"] == "preview").then_some(()));
    let second = send(&scene, &["slowly @@slow 30"]);
    assert_eq!((&second["outcome"], &second["conversation"]), (&"delivered".into(), &first["conversation"]), "{second}");
    // What it cannot be interrupted by is not recommended.
    let held = send(&scene, &["x"]);
    assert!(held["code"] == "working" && !held["message"].as_str().unwrap().contains("--interrupt"), "{held}");
    assert_eq!(send(&scene, &["x", "--interrupt"])["code"], "unsupported");
}

#[test]
fn the_first_answer_of_a_fresh_opencode_is_asked_for() {
    let scene = begun("");
    let asked = scene.run(&["ask", "one", "hello", "--timeout", "20s"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "done\n"), "{asked:?}");
}

#[test]
fn an_opencode_that_may_be_in_a_conversation_is_typed_nothing() {
    for arguments in ["--continue", "--prompt=hello", "--fork"] {
        let scene = begun(arguments);
        let held = send(&scene, &["x"]);
        assert_eq!((&held["outcome"], &held["code"]), (&"held".into(), &"unknown".into()), "{arguments}: {held}");
    }
    // A draft is a person's, on the first screen as on any other.
    let scene = begun("");
    scene.world.tmux(["send-keys", "-t", "=one:", "-l", "half a draft"]);
    await_some("the draft", || scene.run(&["screen", "one"]).stdout.contains("half a draft").then_some(()));
    assert_eq!(send(&scene, &["x"])["code"], "draft");
}
