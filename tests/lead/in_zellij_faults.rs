//! What goes wrong in a real zellij, and what is left then.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::Scene;
use super::in_zellij::{panes, with_zellij};
use super::support::{await_end, await_some};
use super::zellij::{Zellij, signal};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, mux: zellij }\n";

/// What zellij keeps of a session, which begins to exist a moment after it.
fn layout(scene: &Scene, session: &str) -> PathBuf {
    scene.world.root().join("cache/zellij/contract_version_1/session_info").join(session).join("session-layout.kdl")
}

/// From here on zellij keeps the layout of each session at once.
fn keep_layouts(scene: &Scene) {
    let config = scene.world.root().join("config/zellij/config.kdl");
    let text = "show_startup_tips false\nshow_release_notes false\nsession_serialization true\nserialization_interval 1\n";
    std::fs::write(config, text).unwrap();
}

#[test]
fn a_program_that_ends_at_once_is_a_failed_start_that_leaves_no_session() {
    for code in [0, 1] {
        let Some((scene, zellij)) = with_zellij(ONE) else { return };
        scene.world.program("claude", &format!("#!/bin/bash\necho you are not signed in\nsleep 0.7\nexit {code}\n"));
        let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
        assert_eq!(applied.outcome("one").0, "start failed");
        let one = &applied.json()["operations"][0];
        assert!(one["why"].as_str().unwrap().contains(&format!("exit code {code}")), "{one}");
        assert!(one["screen_tail"].as_str().unwrap().contains("not signed in"), "{one}");
        assert!(zellij.servers().is_empty());
        assert_eq!(scene.run(&["plan", "--json"]).json()["actions"][0]["action"], "start");
    }
}

#[test]
fn what_is_missing_is_said_before_anything_is_begun() {
    let Some((scene, zellij)) = with_zellij(&ONE.replace("LAB/one", "LAB/gone")) else { return };
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(3).outcome("one").1, "cwd-missing");
    scene.write(&ONE.replace("mux: zellij", "mux: zellij, env: { PATH: /nowhere }"));
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(3).outcome("one").1, "program-missing");
    assert!(zellij.servers().is_empty() && scene.agents().is_empty());
}

#[test]
fn a_server_that_does_not_answer_is_neither_acted_on_nor_replaced() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    let before = (scene.agents(), zellij.servers());
    let server = zellij.server("one");
    signal(server, Signal::STOP);
    assert_eq!(scene.run(&["plan", "--json"]).is(4).json()["actions"][0]["blocked"]["code"], "unknown");
    for verb in ["apply", "stop", "restart", "start"] {
        let words: &[&str] = if verb == "apply" { &["apply", "--yes", "--json"] } else { &[verb, "one", "--json", "--yes"] };
        let words = if verb == "start" { &words[..3] } else { words };
        let ran = scene.run(words);
        assert!(matches!(ran.code, Some(3 | 4)), "{verb}: {ran:?}");
    }
    signal(server, Signal::CONT);
    await_some("the server's answer", || (scene.run(&["plan", "--json"]).code == Some(0)).then_some(()));
    assert_eq!((scene.agents(), zellij.servers()), before);
}

#[test]
fn zellij_keeps_no_layout_of_what_headcount_started_whoever_looks_at_it() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    keep_layouts(&scene);
    scene.run(&["apply", "--yes"]).is(0);
    zellij.action("one", &["new-pane", "--", "sleep", "600"]);
    let attach = format!("{} exec zellij attach one", zellij.assignments());
    scene.world.session("viewer", &scene.world.workspace("one"), &attach);
    await_some("the viewer", || (clients(&zellij, "one") == 1).then_some(()));
    // Without that a layout is there after two seconds.
    std::thread::sleep(Duration::from_millis(3000));
    assert!(!layout(&scene, "one").exists());
    let pid = scene.agents().remove(0).0;
    signal(zellij.server("one"), Signal::KILL);
    await_end(pid);
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!((scene.agents().len(), zellij.servers().len(), panes(&zellij, "one").len()), (1, 1, 1));
}

fn clients(zellij: &Zellij, session: &str) -> usize {
    let option = format!("--session={session}");
    let output = zellij.run([option.as_str(), "action", "list-clients"]).stdout;
    String::from_utf8_lossy(&output).lines().skip(1).filter(|line| !line.is_empty()).count()
}

#[test]
fn a_persons_ended_session_is_neither_brought_back_nor_taken_away() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    keep_layouts(&scene);
    let cwd = scene.world.workspace("one");
    let pid = zellij.claude_session("one", &cwd).pid;
    let kept = layout(&scene, "one");
    zellij.action("one", &["save-session"]);
    await_some("the layout", || std::fs::read_to_string(&kept).ok()?.contains("claude").then_some(()));
    signal(zellij.server("one"), Signal::KILL);
    await_end(pid);
    let text = std::fs::read(&kept).unwrap();
    let refused = scene.run(&["apply", "--yes", "--json"]).is(3);
    assert_eq!(refused.outcome("one").1, "foreign-name");
    let why = refused.json()["operations"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("delete-session one"), "{why}");
    assert_eq!(std::fs::read(&kept).unwrap(), text);
    assert!(scene.agents().is_empty() && zellij.servers().is_empty());
    // Brought back it runs, and nothing is started beside it.
    // On a busy machine the command may fail although the session comes.
    zellij.run(["attach", "--create-background", "--force-run-commands", "one"]);
    await_some("the agent", || (scene.agents().len() == 1).then_some(()));
    in_time(&scene, &["apply", "--yes"]);
    assert_eq!((scene.agents().len(), panes(&zellij, "one").len()), (1, 1));
}

#[test]
fn four_at_once_start_one() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    let mut all: Vec<_> = (0..4)
        .map(|_| scene.command(&["apply", "--yes", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    let codes: Vec<_> = all.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 75))), "{codes:?}");
    assert!(codes.contains(&Some(0)));
    assert_eq!((scene.agents().len(), zellij.servers().len(), panes(&zellij, "one").len()), (1, 1, 1));
}

#[test]
fn killed_at_any_moment_it_leaves_one_agent_or_none_and_the_next_apply_finishes() {
    // The whole takes about 700 ms; each try is killed a little later.
    for step in 0..16 {
        let Some((scene, zellij)) = with_zellij(ONE) else { return };
        let mut child = scene.command(&["apply", "--yes"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(step * 60));
        let _ = child.kill();
        child.wait().unwrap();
        finishes(&scene, &zellij, &format!("after {} ms", step * 60));
    }
}

/// Runs headcount until it succeeds: a server without panes may be one that is just being set up, in its first ten seconds.
pub(super) fn in_time(scene: &Scene, words: &[&str]) {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let ran = scene.run(words);
        if ran.code == Some(0) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{ran:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// That an apply leads to one agent in one pane of one server, and never to more.
fn finishes(scene: &Scene, zellij: &Zellij, when: &str) {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let ran = scene.run(&["apply", "--yes", "--json"]);
        assert!(scene.agents().len() <= 1 && zellij.servers().len() <= 1, "{when}: {ran:?}");
        if ran.code == Some(0) {
            break;
        }
        assert!(std::time::Instant::now() < until, "{when}: {ran:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    await_some("the agent", || (scene.agents().len() == 1).then_some(()));
    assert_eq!((zellij.servers().len(), panes(zellij, "one").len()), (1, 1), "{when}");
}

#[test]
fn a_server_that_dies_in_the_middle_is_said_and_the_next_apply_finishes() {
    for step in 0..6 {
        let Some((scene, zellij)) = with_zellij(ONE) else { return };
        let mut child = scene.command(&["apply", "--yes", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        await_some("the server", || zellij.servers().first().copied());
        std::thread::sleep(Duration::from_millis(step * 60));
        for server in zellij.servers() {
            signal(server, Signal::KILL);
        }
        child.wait().unwrap();
        await_some("the end of the agent", || scene.agents().is_empty().then_some(()));
        finishes(&scene, &zellij, &format!("killed after {} ms", step * 60));
    }
}

#[test]
fn a_stop_that_was_killed_is_finished_by_the_next() {
    for step in 0..5 {
        let Some((scene, zellij)) = with_zellij(ONE) else { return };
        scene.run(&["apply", "--yes"]).is(0);
        let pid = scene.agents().remove(0).0;
        let mut child = scene.command(&["stop", "one", "--yes"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(step * 40));
        let _ = child.kill();
        child.wait().unwrap();
        scene.run(&["stop", "one", "--yes"]).is(0);
        await_end(pid);
        assert!(scene.agents().is_empty());
        // What is left of its session, if anything is, is the entry's.
        scene.run(&["start", "one"]).is(0);
        assert_eq!((scene.agents().len(), zellij.servers().len(), panes(&zellij, "one").len()), (1, 1, 1), "step {step}");
    }
}

#[test]
fn a_conversation_that_is_open_in_the_other_multiplexer_is_not_opened_again() {
    let Some((scene, zellij)) = super::in_zellij::with_zellij(&ONE.replace(", mux: zellij", "")) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.run(&["record"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    scene.world.crash_server();
    super::support::await_end(pid);
    let other = zellij.session("mine", &scene.world.workspace("one"), &["claude", "--resume", &id]);
    scene.world.registered(other);
    for verb in [&["apply", "--yes", "--json"][..], &["start", "one", "--json"]] {
        assert_eq!(scene.run(verb).is(3).outcome("one").1, "claimed");
    }
    assert_eq!(scene.agents(), [(other, id)]);
}

#[test]
fn a_name_that_somebody_took_meanwhile_is_theirs() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    // Somebody listens on the socket of the session, as a server that was renamed to it does, and says nothing.
    std::fs::create_dir_all(zellij.socket("one").parent().unwrap()).unwrap();
    let theirs = std::os::unix::net::UnixListener::bind(zellij.socket("one")).unwrap();
    let refused = scene.run(&["apply", "--yes", "--json"]);
    assert!(matches!(refused.code, Some(3 | 4)), "{refused:?}");
    assert!(zellij.servers().is_empty() && scene.agents().is_empty());
    drop(theirs);
    // A socket that nobody listens on any more is nobody's.
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!((scene.agents().len(), zellij.servers().len()), (1, 1));
}
