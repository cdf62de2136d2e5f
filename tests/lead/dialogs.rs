//! What stands in front of an agent that is being started: answered only where a person has said so, and never past what is seen.

use std::time::{Duration, Instant};

use super::Scene;
use super::support::await_some;

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";
const TRUSTING: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, trust: true }\n";

/// A world whose stand-in for Claude Code asks first. `row` is highlighted; Enter on the other one ends it. What it was sent is in
/// `keys`.
fn scene(entries: &str, dialog: (&str, &str, &str), row: u32) -> Scene {
    scene_in(entries, dialog, row, "ask")
}

/// The same, with the dialog drawn by this command of a shell.
fn scene_in(entries: &str, (heading, no, yes): (&str, &str, &str), row: u32, command: &str) -> Scene {
    let scene = Scene::new(entries);
    scene.world.wrap_claude();
    let root = scene.world.root().display().to_string();
    let script = format!(
        r#"#!/bin/bash
row={row}
while [ -e {root}/wait ]; do sleep 0.05; done
draw() {{
  local marks=('❯' ' '); [ $row = 0 ] || marks=(' ' '❯')
  printf '\e[2J\e[H {heading}\n %s\n\n %s {no}\n %s {yes}\n\n Enter to confirm · Esc to cancel\n' "$PWD" "${{marks[0]}}" "${{marks[1]}}"
}}
ask() {{
  stty -echo -icanon
  draw
  while IFS= read -rsn1 key; do
    case $key in
      $'\e') read -rsn2 key; case $key in *A) key=up; row=0 ;; *B) key=down; row=1 ;; esac ;;
      '') key=enter ;;
    esac
    echo "$key" >>{root}/keys
    [ "$key" != enter ] || break
    draw
  done
  [ $row = 1 ]
}}
{command} || exit 1
stty sane
printf '\e[2J\e[H'
exec {root}/inner/claude "$@"
"#
    );
    scene.world.program("claude", &script);
    scene
}

/// The same, with the question of trust.
pub(super) fn asking(entries: &str) -> Scene {
    scene(entries, TRUST, 0)
}

const TRUST: (&str, &str, &str) = ("Accessing workspace:", "No, exit", "Yes, I trust this folder");

fn keys(scene: &Scene) -> String {
    std::fs::read_to_string(scene.world.root().join("keys")).unwrap_or_default().replace('\n', " ")
}

#[test]
fn the_question_of_trust_is_answered_where_the_entry_says_so() {
    for (row, expected) in [(0, "down enter "), (1, "enter ")] {
        let scene = scene(TRUSTING, TRUST, row);
        assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
        assert_eq!(keys(&scene), expected);
        assert_eq!(scene.agents().len(), 1);
    }
}

#[test]
fn without_a_persons_word_it_is_left_to_the_person_and_said_until_it_is_answered() {
    let scene = scene(ONE, TRUST, 0);
    let begun = Instant::now();
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one"), ("start unverified".to_owned(), "untrusted".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(8), "a person is not waited for");
    assert!(applied.json()["operations"][0]["screen_tail"].as_str().unwrap().contains("No, exit"));
    let plan = scene.run(&["plan", "--json"]).is(3).json();
    assert_eq!(plan["actions"][0]["blocked"]["code"], "untrusted");
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(3).outcome("one").1, "untrusted");
    assert_eq!(scene.world.tmux(["list-panes", "-a", "-F", "#{pane_id}"]).lines().count(), 1);
    assert_eq!(keys(&scene), "");
    scene.world.tmux(["send-keys", "-t", "one:", "Down", "Enter"]);
    await_some("its agent", || scene.agents().pop());
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
}

#[test]
fn what_is_not_about_trust_is_never_answered() {
    let question = ("Detected a custom API key in your environment", "No (recommended)", "Do you want to use this API key?");
    let scene = scene(TRUSTING, question, 0);
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one"), ("start unverified".to_owned(), "dialog".to_owned()));
    assert!(applied.json()["operations"][0]["why"].as_str().unwrap().contains("API key"));
    assert_eq!(scene.run(&["plan", "--json"]).is(3).json()["actions"][0]["blocked"]["code"], "dialog");
    assert_eq!(keys(&scene), "");
}

#[test]
fn who_signs_in_is_left_to_a_person_and_no_text_goes_there() {
    let question = ("Select login method:", "1. Claude account with subscription", "2. Anthropic Console account");
    let scene = scene(TRUSTING, question, 0);
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one"), ("start unverified".to_owned(), "dialog".to_owned()));
    let operation = &applied.json()["operations"][0];
    assert_eq!(operation["failure"], "login");
    assert!(operation["why"].as_str().unwrap().contains("sign in"), "{operation}");
    assert_eq!(scene.run(&["plan", "--json"]).is(3).json()["actions"][0]["blocked"]["code"], "dialog");
    scene.run(&["send", "one", "hello", "--json"]).is(3);
    assert_eq!(keys(&scene), "");
}

#[test]
fn trust_is_of_the_directory_that_the_entry_names() {
    let scene = scene(TRUSTING, TRUST, 0);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    scene.prompt("one", &scene.world.workspace("one"));
    scene.world.tmux(["kill-server"]);
    await_some("its end", || scene.agents().is_empty().then_some(()));
    // Its conversation stays where it was, and the entry speaks of another directory now.
    scene.world.workspace("other");
    std::fs::write(scene.manifest(), scene.text().replace("/one, desired", "/other, desired")).unwrap();
    let applied = scene.run(&["apply", "--yes", "--json"]);
    assert_eq!(applied.is(1).outcome("one"), ("resume unverified".to_owned(), "untrusted".to_owned()));
}

#[test]
fn no_key_is_pressed_into_a_pane_that_a_person_reads_back_in() {
    let scene = scene(TRUSTING, TRUST, 0);
    let wait = scene.world.root().join("wait");
    std::fs::write(&wait, "").unwrap();
    let mut apply = scene.command(&["apply", "--yes", "--json"]);
    let apply = std::thread::spawn(move || apply.output().unwrap());
    await_some("the pane", || {
        let mut command = std::process::Command::new("tmux");
        command.arg("-S").arg(scene.world.socket()).args(["copy-mode", "-t", "one:"]).stderr(std::process::Stdio::null());
        command.status().unwrap().success().then_some(())
    });
    std::fs::remove_file(&wait).unwrap();
    let screen = || scene.world.tmux(["capture-pane", "-p", "-t", "one:"]);
    await_some("the dialog", || screen().contains("No, exit").then_some(()));
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(keys(&scene), "");
    scene.world.tmux(["send-keys", "-t", "one:", "-X", "cancel"]);
    assert_eq!(super::Ran::from(apply.join().unwrap()).is(0).outcome("one").0, "start done");
    assert_eq!(keys(&scene), "down enter ");
}

#[test]
fn what_a_person_consented_to_is_answered_and_the_rest_is_not() {
    const BYPASS: (&str, &str, &str) = ("WARNING: Claude Code running in Bypass Permissions mode", "No, exit", "Yes, I accept");
    let bold = ONE.replace("desired", "permissions: bypass, desired");
    let scene = scene(&bold, BYPASS, 0);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(3).outcome("one").1, "consent");
    scene.run(&["consent", "bypass", "--yes"]).is(0);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    assert_eq!(keys(&scene), "down enter ");
    // Nobody asked for that mode here, and the agent asks all the same.
    let scene = self::scene(TRUSTING, BYPASS, 0);
    assert_eq!(
        scene.run(&["apply", "--yes", "--json"]).is(1).outcome("one"),
        ("start unverified".to_owned(), "consent".to_owned())
    );
    assert_eq!(keys(&scene), "");
}

#[test]
fn no_key_is_pressed_into_what_another_program_shows_in_the_terminal_of_the_agent() {
    // It looks the same to tmux: the name of the program in the foreground, and the screen.
    let scene = scene_in(TRUSTING, TRUST, 0, "set -m; export row; export -f ask draw; bash -c ask");
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one"), ("start unverified".to_owned(), "untrusted".to_owned()));
    assert_eq!(keys(&scene), "");
}
