//! The launcher in a real pane of zellij: what it passes on, what it writes, and that it starts nothing twice. tmux has the same in
//! `launcher.rs`.

use rustix::process::Signal;

use super::in_zellij::{prompt, with_zellij};
use super::launcher::{ended, ends_with_its_script, lasts_below_a_script, noted};
use super::support::{await_end, await_some};
use super::zellij::{Zellij, signal};
use super::{Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, mux: zellij }\n";

/// A session that runs: its agent and its launcher.
fn begun(scene: &Scene, zellij: &Zellij) -> (u32, u32) {
    scene.run(&["apply", "--yes"]).is(0);
    let (agent, launcher) = (scene.agents().remove(0).0, zellij.pane("one", 0).unwrap());
    assert_ne!(agent, launcher);
    (agent, launcher)
}

#[test]
fn signals_to_the_launcher_end_its_agent_and_signals_to_the_agent_are_written() {
    for (of_launcher, with, field, value) in [
        (true, Signal::HUP, "told", 1),
        (true, Signal::TERM, "told", 15),
        (false, Signal::KILL, "signal", 9),
        (false, Signal::TERM, "code", 0),
    ] {
        let Some((scene, zellij)) = with_zellij(ONE) else { return };
        let (agent, launcher) = begun(&scene, &zellij);
        signal(if of_launcher { launcher } else { agent }, with);
        await_end(agent);
        await_end(launcher);
        assert_eq!(ended(&scene)[field], value, "{with:?} to the launcher: {of_launcher}");
    }
    // It can say nothing any more, and takes its agent with it.
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    let (agent, launcher) = begun(&scene, &zellij);
    signal(launcher, Signal::KILL);
    await_end(agent);
    await_some("that it can be started again", || {
        let ran = scene.run(&["start", "one", "--json"]);
        (ran.code == Some(0)).then_some(())
    });
    assert_eq!(scene.agents().len(), 1);
}

#[test]
fn what_is_left_below_a_killed_script_is_hung_up() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    lasts_below_a_script(&scene);
    begun(&scene, &zellij);
    ends_with_its_script(&scene);
}

#[test]
fn a_stopped_agent_is_continued_and_keys_reach_the_agent_alone() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    let (agent, launcher) = begun(&scene, &zellij);
    zellij.action("one", &["write", "--pane-id", "terminal_0", "26"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{agent}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next())
    };
    await_some("that it goes on", || (state() == Some('S')).then_some(()));
    prompt(&scene, &zellij, "one");
    zellij.action("one", &["write", "--pane-id", "terminal_0", "3"]);
    await_end(agent);
    await_end(launcher);
    assert_eq!(ended(&scene)["code"], 0);
}

#[test]
fn however_its_place_is_closed_the_agent_ends_that_is_written_and_its_conversation_is_free() {
    for place in ["its pane", "its session", "its server"] {
        let Some((scene, zellij)) = with_zellij(ONE) else { return };
        let (agent, launcher) = begun(&scene, &zellij);
        prompt(&scene, &zellij, "one");
        scene.run(&["record"]).is(0);
        let id = scene.agents().remove(0).1;
        match place {
            "its pane" => zellij.action("one", &["close-pane", "--pane-id", "terminal_0"]),
            "its session" => zellij.kill_session("one"),
            _ => signal(zellij.server("one"), Signal::KILL),
        }
        await_end(agent);
        await_end(launcher);
        let end = ended(&scene);
        assert_eq!((&end["told"], &end["code"]), (&1.into(), &0.into()), "{place}: {end}");
        // Whoever still held its lock would keep the next one from it.
        await_some("that it goes on", || {
            let ran = scene.run(&["start", "one", "--json"]);
            (ran.code == Some(0)).then_some(())
        });
        let agents = scene.agents();
        assert_eq!((agents.len(), &agents[0].1), (1, &id), "{place}");
    }
}

#[test]
fn its_size_and_its_interrupt_key_reach_the_agent_and_nobody_else() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    let root = scene.world.root().display().to_string();
    let agent = format!(
        "#!/bin/bash\ntrap 'stty size >>{root}/sizes' WINCH\ntrap 'echo int >>{root}/keys' INT\nstty size >{root}/first\n\
         echo $$ >{root}/pid\necho 'aider is here'\nwhile :; do sleep 0.05 & wait $!; done\n"
    );
    scene.world.program("aider", &agent);
    scene.write_with(
        "agents: { aider: { programs: [aider], drive: { ready: aider is here, quit: [SIGTERM] } } }\n",
        "  - { name: one, agent: aider, cwd: LAB/one, desired: running, mux: zellij }\n",
    );
    scene.run(&["apply", "--yes"]).is(0);
    let (pid, launcher) = (noted(&scene, "pid", "\n").trim().parse().unwrap(), zellij.pane("one", 0).unwrap());
    // A pane beside it takes half of its room.
    zellij.action("one", &["new-pane", "--direction", "right", "--", "sleep", "600"]);
    let (first, sizes) = (noted(&scene, "first", "\n"), noted(&scene, "sizes", "\n"));
    let columns = |text: &str| text.trim().lines().last().unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(columns(&sizes) < columns(&first), "{first} {sizes}");
    zellij.action("one", &["write", "--pane-id", "terminal_0", "3"]);
    noted(&scene, "keys", "int");
    assert!(is_alive(pid) && is_alive(launcher));
}

#[test]
fn a_second_launcher_of_an_open_operation_starts_nothing_and_leaves_the_first_alone() {
    let Some((scene, zellij)) = with_zellij(ONE) else { return };
    begun(&scene, &zellij);
    let agents = scene.agents();
    let operations = std::fs::read_dir(scene.state().join("operations")).unwrap();
    let file = operations.filter_map(|entry| Some(entry.ok()?.path())).next().unwrap().join("launch.json");
    // Beside it in the same session, as a layout that is brought back would.
    let launcher = env!("CARGO_BIN_EXE_headcount");
    zellij.action("one", &["new-pane", "--", launcher, "exec", file.to_str().unwrap()]);
    await_some("what the second launcher says", || {
        let screen = zellij.run(["--session=one", "action", "dump-screen", "--pane-id", "terminal_1"]);
        String::from_utf8_lossy(&screen.stdout).contains("this was operation").then_some(())
    });
    assert_eq!(scene.agents(), agents);
    zellij.action("one", &["write", "--pane-id", "terminal_1", "13"]);
    await_some("its end", || zellij.pane("one", 1).is_none().then_some(()));
    assert_eq!(scene.agents(), agents);
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
}
