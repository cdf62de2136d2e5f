//! The same in a real zellij: the usual ways, what goes wrong in between, and what is left then.

use super::Scene;
use super::in_zellij_faults::in_time;
use super::support::{await_end, await_some};
use super::zellij::Zellij;

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, mux: zellij }\n";

/// A scene in a world with zellij; `None`: there is none.
pub(super) fn with_zellij(entries: &str) -> Option<(Scene, Zellij)> {
    let zellij = Zellij::new()?;
    let scene = Scene { world: zellij.shared(), variables: zellij.variables() };
    scene.write(entries);
    Some((scene, zellij))
}

/// Gives the stand-in of a session a prompt, so that its conversation has a transcript.
pub(super) fn prompt(scene: &Scene, zellij: &Zellij, session: &str) {
    let id = scene.recorded(session, "session_id").as_str().unwrap().to_owned();
    zellij.type_line(session, "hello");
    let path = scene.world.transcript(&scene.world.workspace("one"), &headcount::core::ids::ConversationId(id));
    await_some("the transcript", || path.exists().then_some(()));
}

#[test]
fn a_declared_session_is_started_once_comes_back_and_stays_stopped() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    assert_eq!(scene.run(&["plan", "--json"]).is(2).json()["actions"][0]["action"], "start");
    assert!(zellij.servers().is_empty(), "a plan starts nothing");
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    let agents = scene.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert_eq!(scene.recorded("one", "status"), "running");
    assert_eq!(scene.recorded("one", "session_id"), agents[0].1.as_str());
    let before = scene.text();
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).json()["operations"].as_array().unwrap().len(), 0);
    assert_eq!((scene.agents(), scene.text()), (agents.clone(), before));
    assert_eq!(zellij.servers().len(), 1);

    // Its server dies.
    prompt(&scene, &zellij, "one");
    scene.run(&["record"]).is(0);
    let (pid, id) = agents[0].clone();
    super::zellij::signal(zellij.server("one"), rustix::process::Signal::KILL);
    await_end(pid);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
    let agents = scene.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert_eq!(agents[0].1, id);
    assert_ne!(agents[0].0, pid);

    // It is stopped, and its session with it.
    let pid = agents[0].0;
    assert_eq!(scene.run(&["stop", "one", "--yes", "--json"]).is(0).outcome("one").0, "stop done");
    await_end(pid);
    assert!(zellij.servers().is_empty());
    scene.run(&["apply", "--yes"]).is(0);
    assert!(scene.agents().is_empty(), "what is stopped is not started");
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!(scene.agents().remove(0).1, id);
    let pid = scene.agents().remove(0).0;
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(0).outcome("one").0, "restart done");
    let agents = scene.agents();
    assert_eq!((agents.len(), &agents[0].1), (1, &id));
    assert_ne!(agents[0].0, pid);
}

#[test]
fn the_launcher_is_all_that_is_in_a_new_session_and_no_variable_of_ours_is() {
    let entry = ONE.replace("mux: zellij", "mux: zellij, env: { TOKEN: a-secret }");
    let Some((scene, zellij)) = with_zellij(&entry) else { return };
    let mut apply = scene.command(&["apply", "--yes"]);
    apply.envs([("MQTT_PASSWORD", "hidden"), ("HEADCOUNT_SERVER", "hidden"), ("TMUX", "hidden"), ("ZELLIJ_PANE_ID", "7")]);
    super::Ran::from(apply.output().unwrap()).is(0);
    let (server, launcher) = (zellij.server("one"), zellij.pane("one", 0).unwrap());
    let of =
        |pid: u32, file: &str| String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap()).into_owned();
    for pid in [server, launcher] {
        let (environ, words) = (of(pid, "environ"), of(pid, "cmdline"));
        assert!(!environ.contains("hidden") && !environ.contains("a-secret") && !words.contains("a-secret"), "{environ}");
        assert!(environ.contains("ZELLIJ_SESSION_NAME=one\0"), "{environ}");
    }
    assert!(of(launcher, "cmdline").contains("\0exec\0"));
    assert!(of(scene.agents()[0].0, "environ").contains("TOKEN=a-secret\0"));
    let panes = panes(&zellij, "one");
    assert_eq!(panes.len(), 1, "{panes:?}");
    assert_eq!((&panes[0]["id"], &panes[0]["is_floating"]), (&0.into(), &false.into()));
    assert!(panes[0]["pane_content_columns"].as_u64().unwrap() > 150, "{panes:?}");
    assert_eq!(panes[0]["pane_cwd"], scene.world.workspace("one").to_str().unwrap());
}

#[test]
fn an_agent_that_quit_comes_back_in_the_place_of_its_pane() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    prompt(&scene, &zellij, "one");
    scene.run(&["record"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    let server = zellij.server("one");
    zellij.type_line("one", "/exit");
    await_end(pid);
    await_some("the end of its pane", || (panes(&zellij, "one")[0]["exited"] == true).then_some(()));
    // Enter in what is left of it begins nothing.
    zellij.action("one", &["write", "--pane-id", "terminal_0", "13"]);
    await_some("what the launcher says", || {
        let screen = zellij.run(["--session=one", "action", "dump-screen", "--pane-id", "terminal_0"]);
        String::from_utf8_lossy(&screen.stdout).contains("headcount start one").then_some(())
    });
    assert!(scene.agents().is_empty());
    zellij.action("one", &["write-chars", "--pane-id", "terminal_0", "q"]);
    await_some("the end of the launcher", || (panes(&zellij, "one")[0]["exited"] == true).then_some(()));
    in_time(&scene, &["start", "one"]);
    assert_eq!(scene.agents().len(), 1);
    assert_eq!(scene.agents()[0].1, id);
    assert_eq!(zellij.server("one"), server);
    let panes = panes(&zellij, "one");
    assert!(panes.len() == 1 && panes[0]["exited"] == false, "{panes:?}");
}

#[test]
fn a_persons_pane_beside_it_stays_and_so_does_its_session() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    prompt(&scene, &zellij, "one");
    zellij.action("one", &["new-pane", "--", "sleep", "600"]);
    let person = await_some("the person's pane", || zellij.pane("one", 1));
    let (pid, id) = scene.agents().remove(0);
    scene.run(&["stop", "one", "--yes"]).is(0);
    await_end(pid);
    assert_eq!(zellij.pane("one", 1), Some(person));
    assert_eq!(panes(&zellij, "one").len(), 1, "{:?}", panes(&zellij, "one"));
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!(scene.agents().remove(0).1, id);
    assert_eq!(zellij.pane("one", 1), Some(person));
    assert_eq!((panes(&zellij, "one").len(), zellij.servers().len()), (2, 1));
}

#[test]
fn a_session_that_is_not_the_entrys_is_left_alone_unless_only_shells_are_in_it() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    let cwd = scene.world.workspace("one");
    let person = zellij.session("one", &cwd, &["sleep", "600"]);
    for flags in [&[][..], &["--reuse"]] {
        let refused = scene.run(&[&["apply", "--yes", "--json"], flags].concat()).is(3);
        assert_eq!(refused.outcome("one").1, "foreign-name");
    }
    assert!(scene.agents().is_empty());
    assert_eq!(zellij.pane("one", 0), Some(person));
    zellij.kill_session("one");
    let _ = zellij.run(["delete-session", "one"]);
    let shell = zellij.session("one", &cwd, &["sh"]);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(3).outcome("one").1, "foreign-name");
    scene.run(&["apply", "--yes", "--reuse"]).is(0);
    assert_eq!((scene.agents().len(), zellij.pane("one", 0)), (1, Some(shell)));
    scene.run(&["stop", "one", "--yes"]).is(0);
    assert_eq!(zellij.pane("one", 0), Some(shell), "a person's session stays");
}

#[test]
fn names_are_taken_as_they_are_or_refused_before_anything_is_done() {
    let names = [
        "with space",
        "quote'\\\"`$(x)",
        "two\\nlines",
        "漢字 é 😀",
        "a#{pid}",
        "x (EXITED - attach to resurrect)",
        "=eq;",
        "back\\\\slash.:",
    ];
    let odd = ["a/b", "-dash", "..", " ", &"x".repeat(100)];
    let entry =
        |name: &&str| format!("  - {{ name: \"{name}\", agent: claude, cwd: LAB/one, desired: running, mux: zellij }}\n");
    let Some((scene, zellij)) = with_zellij(&names.iter().map(entry).collect::<String>()) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!((scene.agents().len(), zellij.servers().len()), (names.len(), names.len()));
    scene.run(&["stop", "--all", "--yes"]).is(0);
    assert_eq!((scene.agents().len(), zellij.servers().len()), (0, 0));
    scene.write(&odd.iter().map(entry).collect::<String>());
    let refused = scene.run(&["apply", "--yes", "--json"]);
    for name in odd {
        assert!(["unsupported", ""].contains(&refused.outcome(name).1.as_str()), "{name:?}: {refused:?}");
    }
    assert!(zellij.servers().is_empty());
}

#[test]
fn another_version_starts_nothing() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    let program = scene.world.root().join("bin/zellij");
    std::fs::remove_file(&program).unwrap();
    for version in ["0.43.1", "0.44.3", "0.46.0", "1.0.0", "odd"] {
        scene.world.program(
            "zellij",
            &format!("#!/bin/sh\n[ \"$1\" = --version ] || touch \"$HOME/started\"\necho zellij {version}\n"),
        );
        let refused = scene.run(&["apply", "--yes", "--json"]).is(3);
        assert_eq!(refused.outcome("one").1, "unsupported", "{version}");
        let why = refused.json()["operations"][0]["why"].as_str().unwrap().to_owned();
        assert!(why.contains("zellij"), "{why}");
    }
    std::fs::remove_file(&program).unwrap();
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|directory| directory.join("zellij").exists());
    if !real {
        assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(3).outcome("one").1, "mux-missing");
    }
    assert!(!scene.world.home().join("started").exists() && zellij.servers().is_empty());
}

#[test]
fn a_terminal_is_opened_where_the_session_is() {
    let elsewhere = ONE.replace("mux: zellij", "mux: zellij, server: LAB/zj");
    let Some((scene, zellij)) = with_zellij(&elsewhere) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!((scene.agents().len(), zellij.servers().len()), (1, 1));
    let socket = scene.world.root().join("lab/zj/contract_version_1/one");
    assert!(socket.exists());
    let said = scene.run(&["attach", "one", "--print"]).is(0).stdout;
    assert_eq!(said.trim_end(), format!("env 'ZELLIJ_SOCKET_DIR={}/lab/zj' zellij attach one", scene.world.root().display()));
    scene.run(&["stop", "one", "--yes"]).is(0);
    assert!(zellij.servers().is_empty());
}

/// The terminal panes of a session, as zellij lists them.
pub(super) fn panes(zellij: &Zellij, session: &str) -> Vec<serde_json::Value> {
    let option = format!("--session={session}");
    await_some("the list of panes", || {
        let output = zellij.run([option.as_str(), "action", "list-panes", "--all", "--json"]);
        let mut all: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).ok()?;
        all.retain(|pane| pane["is_plugin"] == false);
        Some(all)
    })
}
