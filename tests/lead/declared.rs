//! Agents that a manifest declares: started, resumed and stopped as it says, and left alone where it says nothing.

use serde_json::Value;

use super::in_zellij::with_zellij;
use super::support::{await_end, await_some};
use super::{Ran, Scene, is_alive};

const ONE: &str = "  - { name: one, agent: aider, cwd: LAB/one, desired: running }\n";
const FULL: &str = "id_flag: --session-id, start: [--quiet], ready: 'aider is here', composer: '> ', quit: [C-d]";

/// Says what it was started with, leaves a transcript at its first prompt, and how it ended.
const AIDER: &str = r#"#!/bin/bash
printf '%s\n' "$*" >>ROOT/argv
echo $$ >ROOT/pid
id=
while [ $# -gt 0 ]; do
  case $1 in --session-id|--resume) id=$2; shift ;; esac
  shift
done
echo 'GREETING'
trap 'echo term >>ROOT/ends; exit 0' TERM
dir=$HOME/.aider/sessions
mkdir -p "$dir"
while IFS= read -rep '> ' line; do
  case $line in
    /exit) echo typed >>ROOT/ends; exit 0 ;;
    work) echo working; sleep 600 & wait $!; continue ;;
  esac
  printf '{}\n' >>"$dir/$id.jsonl"
done
echo keys >>ROOT/ends
"#;

fn scene(drive: &str, entries: &str) -> Scene {
    scene_that_says("aider is here", drive, entries)
}

fn scene_that_says(greeting: &str, drive: &str, entries: &str) -> Scene {
    equip(Scene::new(""), greeting, drive, entries)
}

fn equip(scene: Scene, greeting: &str, drive: &str, entries: &str) -> Scene {
    let root = scene.world.root().display().to_string();
    scene.world.program("aider", &AIDER.replace("ROOT", &root).replace("GREETING", greeting));
    declare(&scene, drive, entries);
    scene
}

fn declare(scene: &Scene, drive: &str, entries: &str) {
    let rest = "transcripts: \"sessions/{id}.jsonl\", id_flags: [--session-id, --resume], resume: [--resume, \"{id}\"]";
    let drive = if drive.is_empty() { String::new() } else { format!(", drive: {{ {drive} }}") };
    scene.write_with(&format!("agents: {{ aider: {{ programs: [aider], home: ~/.aider, {rest}{drive} }} }}\n"), entries);
}

fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.world.root().join(name)).unwrap_or_default().trim_end().to_owned()
}

fn agent(scene: &Scene) -> u32 {
    await_some("the agent", || read(scene, "pid").parse().ok())
}

fn why(ran: &Ran) -> String {
    ran.json()["operations"][0]["why"].as_str().unwrap_or_default().to_owned()
}

fn blocked(scene: &Scene) -> (Value, String) {
    let plan = scene.run(&["plan", "--json"]).json();
    let blocked = &plan["actions"][0]["blocked"];
    (blocked["code"].clone(), blocked["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn one_is_started_resumed_and_stopped_as_its_manifest_says() {
    let scene = scene(FULL, ONE);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    let id = scene.recorded("one", "session_id").as_str().unwrap().to_owned();
    assert_eq!(read(&scene, "argv"), format!("--quiet --session-id {id}"));
    let first = agent(&scene);
    scene.world.type_line("one", "hello");
    await_some("its transcript", || scene.world.home().join(format!(".aider/sessions/{id}.jsonl")).exists().then_some(()));
    scene.run(&["record"]).is(0);
    scene.world.tmux(["kill-server"]);
    await_end(first);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!(read(&scene, "argv").lines().last(), Some(format!("--quiet --resume {id}").as_str()));
    let _ = std::fs::remove_file(scene.world.root().join("ends"));
    let second = agent(&scene);
    assert!(second != first && is_alive(second));
    assert_eq!(scene.run(&["stop", "--yes", "--json", "one"]).is(0).outcome("one").0, "stop done");
    assert!(!is_alive(second));
    assert_eq!(read(&scene, "ends"), "keys");
}

#[test]
fn in_zellij_it_is_the_same() {
    for (drive, ends) in [(FULL.to_owned(), "keys"), (FULL.replace("C-d", "/exit, Enter"), "typed")] {
        let Some((scene, zellij)) = with_zellij("") else { return };
        let scene = equip(scene, "aider is here", &drive, &ONE.replace("desired", "mux: zellij, desired"));
        assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
        let id = scene.recorded("one", "session_id").as_str().unwrap().to_owned();
        assert_eq!(read(&scene, "argv"), format!("--quiet --session-id {id}"));
        let first = agent(&scene);
        zellij.type_line("one", "hello");
        await_some("its transcript", || scene.world.home().join(format!(".aider/sessions/{id}.jsonl")).exists().then_some(()));
        scene.run(&["record"]).is(0);
        assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(0).outcome("one").0, "restart done");
        assert_eq!(read(&scene, "argv").lines().last(), Some(format!("--quiet --resume {id}").as_str()));
        assert_eq!(read(&scene, "ends"), ends);
        let second = agent(&scene);
        assert!(second != first && is_alive(second) && !is_alive(first));
        // What a person has begun to write is not sent, and not lost.
        zellij.action("one", &["write-chars", "--pane-id", "terminal_0", "a draft"]);
        let screen = || {
            let shown = zellij.run(["--session=one", "action", "dump-screen", "--pane-id", "terminal_0"]);
            String::from_utf8_lossy(&shown.stdout).trim_end().to_owned()
        };
        await_some("the draft", || screen().ends_with("> a draft").then_some(()));
        let refused = scene.run(&["stop", "one", "--yes", "--json", "--now"]).is(75);
        assert_eq!(refused.outcome("one"), ("stop refused".to_owned(), "working".to_owned()));
        assert!(screen().ends_with("> a draft") && is_alive(second));
        scene.run(&["stop", "one", "--yes", "--now", "--kill"]).is(0);
        assert!(!is_alive(second));
    }
}

#[test]
fn keys_are_typed_into_an_empty_composer_and_nowhere_else() {
    let scene = scene(FULL, ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let pid = agent(&scene);
    scene.world.tmux(["send-keys", "-t", "=one:", "-l", "a draft"]);
    await_some("the draft", || scene.world.tmux(["capture-pane", "-p", "-t", "=one:"]).contains("> a draft").then_some(()));
    for arguments in [&["stop", "one", "--yes", "--json", "--now"][..], &["stop", "one", "--yes", "--json", "--timeout", "1s"]]
    {
        assert_eq!(scene.run(arguments).is(75).outcome("one"), ("stop refused".to_owned(), "working".to_owned()));
    }
    assert!(scene.world.tmux(["capture-pane", "-p", "-t", "=one:"]).trim_end().ends_with("> a draft"));
    // At work it shows no composer.
    scene.world.tmux(["send-keys", "-t", "=one:", "C-u"]);
    scene.world.type_line("one", "work");
    await_some("work", || scene.world.tmux(["capture-pane", "-p", "-t", "=one:"]).contains("working").then_some(()));
    scene.run(&["stop", "one", "--yes", "--timeout", "1s"]).is(75);
    assert!(is_alive(pid));
    assert_eq!(read(&scene, "ends"), "");
    let killed = scene.run(&["stop", "one", "--yes", "--json", "--now", "--kill"]).is(0);
    assert_eq!(killed.outcome("one").0, "stop done");
    assert!(!is_alive(pid));
}

#[test]
fn texts_and_signals_quit_it_as_well() {
    let typed = FULL.replace("C-d", "/exit, Enter");
    let signal = FULL.replace("C-d", "SIGTERM");
    for (drive, ends) in [(typed, "typed"), (signal, "term")] {
        let scene = scene(&drive, ONE);
        scene.run(&["apply", "--yes"]).is(0);
        let pid = agent(&scene);
        assert_eq!(scene.run(&["stop", "--yes", "--json", "one"]).is(0).outcome("one").0, "stop done");
        assert!(!is_alive(pid));
        assert_eq!(read(&scene, "ends"), ends);
    }
    // Without a composer nobody knows whether it is idle.
    let scene = scene("ready: 'aider is here', quit: [SIGTERM]", ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.run(&["stop", "--yes", "one", "--timeout", "1s"]).is(75);
    assert!(is_alive(agent(&scene)));
    scene.run(&["stop", "--yes", "one", "--now"]).is(0);
    assert_eq!(read(&scene, "ends"), "term");
}

#[test]
fn what_its_manifest_leaves_out_is_never_tried() {
    let scene = scene("", ONE);
    let (code, message) = blocked(&scene);
    assert_eq!(code, "unsupported");
    assert!(message.contains("`drive:`"), "{message}");
    scene.run(&["apply", "--yes"]).is(3);
    assert_eq!(read(&scene, "argv"), "");
    // A prompt, a mode: nobody said how.
    for field in ["prompt: Begin.", "permissions: edit"] {
        declare(&scene, FULL, &ONE.replace("desired", &format!("{field}, desired")));
        assert_eq!(blocked(&scene).0, "unsupported", "{field}");
    }
    // Nor what it is ready by, or what quits it.
    declare(&scene, "start: [--quiet]", ONE);
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one").0, "start unverified");
    assert!(why(&applied).contains("does not say what it shows"), "{}", why(&applied));
    let pid = agent(&scene);
    assert!(is_alive(pid));
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).json()["operations"].as_array().unwrap().len(), 0);
    let stopped = scene.run(&["stop", "one", "--yes", "--json", "--now"]).is(3);
    assert_eq!(stopped.outcome("one").1, "unsupported");
    assert!(why(&stopped).contains("quit"), "{}", why(&stopped));
    assert!(is_alive(pid));
    assert_eq!(read(&scene, "argv").lines().count(), 1);
}

#[test]
fn its_question_of_trust_is_left_to_a_person() {
    let drive = "ready: '> ', trust: 'Do you trust', quit: [SIGTERM]";
    // What it is ready by stands above the question, as in an agent that draws its composer first.
    let scene = scene_that_says("> \nDo you trust this [y/N]", &drive.replace("'> '", "'nothing like it'"), ONE);
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one"), ("start unverified".to_owned(), "untrusted".to_owned()));
    assert_eq!(blocked(&scene).0, "untrusted");
    assert!(is_alive(agent(&scene)));
    scene.run(&["stop", "one", "--yes", "--now"]).is(0);
}
