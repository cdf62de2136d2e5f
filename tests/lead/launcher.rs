//! The launcher in a real pane: what it passes on, what it keeps, and that it starts nothing twice.

use std::path::PathBuf;
use std::process::Command;

use headcount::core::ids::{AgentKind, MuxKind, SessionKey};
use headcount::core::lead::{ActionKind, Operation, OperationId};
use headcount::store::operations::{LaunchSpec, Operations};
use headcount::store::paths::StateHome;

use super::support::{await_end, await_some};
use super::{Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, env: { TOKEN: a-secret } }\n";

fn launcher(scene: &Scene) -> u32 {
    scene.world.tmux(["list-panes", "-t", "=one:", "-F", "#{pane_pid}"]).parse().unwrap()
}

/// What the launcher wrote when its agent ended.
pub(super) fn ended(scene: &Scene) -> serde_json::Value {
    await_some("the end that the launcher writes", || {
        let operations = std::fs::read_dir(scene.state().join("operations")).ok()?;
        let path = operations.filter_map(|entry| Some(entry.ok()?.path().join("ended.json"))).find(|path| path.exists())?;
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    })
}

#[test]
fn signals_to_the_launcher_end_its_agent_and_it_says_how() {
    for (signal, is_passed) in [("HUP", true), ("TERM", true), ("KILL", false)] {
        let scene = Scene::new(ONE);
        scene.run(&["apply", "--yes"]).is(0);
        let (agent, launcher) = (scene.agents().remove(0).0, launcher(&scene));
        assert_ne!(agent, launcher);
        assert!(
            std::process::Command::new("kill").args([format!("-{signal}"), launcher.to_string()]).status().unwrap().success()
        );
        await_end(launcher);
        await_end(agent);
        if is_passed {
            assert_eq!(ended(&scene)["code"], 0, "{signal}: the stand-in ends in order");
        }
    }
}

#[test]
fn the_end_of_the_agent_is_written_with_its_code_or_signal() {
    for (how, field, value) in [("-KILL", "signal", 9), ("-TERM", "code", 0)] {
        let scene = Scene::new(ONE);
        scene.run(&["apply", "--yes"]).is(0);
        let agent = scene.agents().remove(0).0;
        assert!(std::process::Command::new("kill").args([how.to_owned(), agent.to_string()]).status().unwrap().success());
        assert_eq!(ended(&scene)[field], value);
        await_some("the end of the session", || {
            let listed =
                std::process::Command::new("tmux").arg("-S").arg(scene.world.socket()).arg("list-sessions").output().ok()?;
            String::from_utf8_lossy(&listed.stdout).is_empty().then_some(())
        });
    }
}

/// The stand-in below a script that stays until it has ended; it lasts whatever becomes of its terminal, unless it is told to end. What it
/// begins in a group of its own is nobody else's affair.
pub(super) fn lasts_below_a_script(scene: &Scene) {
    let text = std::fs::read_to_string(scene.world.claude()).unwrap();
    let root = scene.world.root().display().to_string();
    let away = format!("setsid sleep 600 & echo $! >{root}/away\n");
    scene.world.program("claude", &text.replacen("begin\n[", &format!("{away}begin\n["), 1));
    let text = std::fs::read_to_string(scene.world.claude()).unwrap();
    scene.world.program("claude", &format!("{text}while :; do sleep 0.05; done\n"));
    scene.world.wrap_claude();
}

/// Whoever ends the script alone has ended the agent, and nothing but that.
pub(super) fn ends_with_its_script(scene: &Scene) {
    let agent = scene.agents().remove(0).0;
    let stat = std::fs::read_to_string(format!("/proc/{agent}/stat")).unwrap();
    let script = stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let away: u32 = noted(scene, "away", "\n").trim().parse().unwrap();
    assert!(Command::new("kill").args(["-KILL", &script]).status().unwrap().success());
    await_end(agent);
    assert_eq!(ended(scene)["signal"], 9);
    assert!(is_alive(away));
    Command::new("kill").arg(away.to_string()).status().unwrap();
    await_some("that it can be started again", || (scene.run(&["start", "one", "--json"]).code == Some(0)).then_some(()));
    assert_eq!(scene.agents().len(), 1);
    Command::new("kill").arg(noted(scene, "away", "\n").trim()).status().unwrap();
}

#[test]
fn what_is_left_below_a_killed_script_is_hung_up() {
    let scene = Scene::new(ONE);
    lasts_below_a_script(&scene);
    scene.run(&["apply", "--yes"]).is(0);
    ends_with_its_script(&scene);
}

#[test]
fn an_agent_has_ended_only_once_what_it_is_wrapped_around_has() {
    let scene = Scene::new(ONE);
    // It heeds nothing, and the script that attends it does.
    let text = std::fs::read_to_string(scene.world.claude()).unwrap();
    let text = text.replace("trap 'rm", "trap '' HUP TERM INT # trap 'rm");
    scene.world.program("claude", &format!("{text}while :; do sleep 0.05; done\n"));
    scene.world.wrap_claude();
    scene.run(&["apply", "--yes"]).is(0);
    let agent = scene.agents().remove(0).0;
    let ran = scene.run(&["stop", "one", "--yes", "--kill", "--json"]).is(0);
    assert_eq!(ran.outcome("one").0, "stop done");
    assert!(!is_alive(agent));
}

#[test]
fn what_an_agent_leaves_behind_when_it_ends_by_itself_is_its_own_affair() {
    let scene = Scene::new(ONE);
    let text = std::fs::read_to_string(scene.world.claude()).unwrap();
    let left = format!("sleep 600 & echo $! >{}/left\nbegin\n[", scene.world.root().display());
    scene.world.program("claude", &text.replacen("begin\n[", &left, 1));
    scene.run(&["apply", "--yes"]).is(0);
    let launcher = launcher(&scene);
    scene.world.type_line("one", "/exit");
    await_end(launcher);
    assert_eq!(ended(&scene)["code"], 0);
    let left: u32 = noted(&scene, "left", "\n").trim().parse().unwrap();
    assert!(is_alive(left));
    Command::new("kill").arg(left.to_string()).status().unwrap();
}

#[test]
fn a_stopped_agent_is_continued_and_keys_reach_the_agent_alone() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let (agent, launcher) = (scene.agents().remove(0).0, launcher(&scene));
    let state = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next())
    };
    scene.world.tmux(["send-keys", "-t", "=one:", "C-z"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    await_some("that it goes on", || (state(agent) == Some('S')).then_some(()));
    scene.prompt("one", &scene.world.workspace("one"));
    scene.world.tmux(["send-keys", "-t", "=one:", "C-c"]);
    await_end(agent);
    await_end(launcher);
    assert_eq!(ended(&scene)["code"], 0);
}

#[test]
fn what_was_begun_once_is_never_begun_again() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let (agent, pane) = (scene.agents().remove(0).0, scene.world.tmux(["list-panes", "-t", "=one:", "-F", "#{pane_id}"]));
    scene.world.tmux(["respawn-pane", "-k", "-t", &pane]);
    await_end(agent);
    let shown = await_some("what the launcher says", || {
        let text = scene.world.tmux(["capture-pane", "-p", "-t", &pane]);
        text.contains("headcount start one").then_some(text)
    });
    assert!(shown.contains("this was operation"), "{shown}");
    assert!(scene.agents().is_empty());
    // Nor by hand.
    let operations = std::fs::read_dir(scene.state().join("operations")).unwrap();
    let file = operations.filter_map(|entry| Some(entry.ok()?.path())).next().unwrap().join("launch.json");
    assert!(!file.exists(), "it may hold secrets");
    let mut again = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
    again.arg("exec").arg(file).env_clear().envs(scene.world.variables());
    let again = again.stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(again.status.code(), Some(3));
    assert!(scene.agents().is_empty());
    scene.world.tmux(["send-keys", "-t", &pane, "q"]);
    await_some("the end of the pane", || {
        let listed = std::process::Command::new("tmux").arg("-S").arg(scene.world.socket()).arg("list-panes").output().ok()?;
        (!listed.status.success()).then_some(())
    });
}

#[test]
fn values_of_variables_reach_the_agent_and_nothing_else() {
    let scene = Scene::new(ONE);
    let said = scene.run(&["apply", "--yes", "--json", "-vvv"]).is(0);
    let (agent, launcher) = (scene.agents().remove(0).0, launcher(&scene));
    let of =
        |pid: u32, file: &str| String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap()).into_owned();
    assert!(of(agent, "environ").contains("TOKEN=a-secret"));
    assert!(of(agent, "environ").contains("HEADCOUNT_OPERATION="));
    for pid in [agent, launcher] {
        assert!(!of(pid, "cmdline").contains("a-secret"));
    }
    assert!(!of(launcher, "environ").contains("a-secret"));
    assert!(!said.stdout.contains("a-secret") && !said.stderr.contains("a-secret"), "{said:?}");
    let grep = std::process::Command::new("grep").args(["-r", "-l", "a-secret"]).arg(scene.state()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "", "state files");
    let environment = scene.world.tmux(["show-environment", "-t", "=one:"]) + &scene.world.tmux(["show-environment", "-g"]);
    assert!(!environment.contains("a-secret"));
    assert!(is_alive(agent));
}

/// Waits for what the agent of a session has written into a file.
pub(super) fn noted(scene: &Scene, file: &str, text: &str) -> String {
    let path = scene.world.root().join(file);
    await_some(&format!("{text} in {file}"), || {
        let all = std::fs::read_to_string(&path).ok()?;
        all.contains(text).then_some(all)
    })
}

#[test]
fn however_its_place_is_closed_the_agent_ends_that_is_written_and_its_conversation_is_free() {
    for place in [&["kill-pane", "-t", "=one:"][..], &["kill-session", "-t", "=one"], &["kill-server"]] {
        let scene = Scene::new(ONE);
        scene.run(&["apply", "--yes"]).is(0);
        scene.prompt("one", &scene.world.workspace("one"));
        scene.run(&["record"]).is(0);
        let (agent, launcher) = (scene.agents().remove(0), launcher(&scene));
        scene.world.tmux(place);
        await_end(agent.0);
        await_end(launcher);
        let end = ended(&scene);
        assert_eq!((&end["told"], &end["code"]), (&1.into(), &0.into()), "{place:?}: {end}");
        // Whoever still held its lock would keep the next one from it.
        assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done", "{place:?}");
        let agents = scene.agents();
        assert_eq!((agents.len(), &agents[0].1), (1, &agent.1), "{place:?}");
    }
}

#[test]
fn its_size_and_its_interrupt_key_reach_the_agent_and_nobody_else() {
    let scene = Scene::new("");
    let root = scene.world.root().display().to_string();
    let agent = format!(
        "#!/bin/bash\ntrap 'stty size >>{root}/sizes' WINCH\ntrap 'echo int >>{root}/keys' INT\necho $$ >{root}/pid\n\
         echo 'aider is here'\nwhile :; do sleep 0.05 & wait $!; done\n"
    );
    scene.world.program("aider", &agent);
    scene.write_with(
        "agents: { aider: { programs: [aider], drive: { ready: aider is here, quit: [SIGTERM] } } }\n",
        "  - { name: one, agent: aider, cwd: LAB/one, desired: running }\n",
    );
    scene.run(&["apply", "--yes"]).is(0);
    let (pid, launcher) = (noted(&scene, "pid", "\n").trim().parse().unwrap(), launcher(&scene));
    scene.world.tmux(["resize-window", "-t", "=one:", "-x", "93", "-y", "31"]);
    noted(&scene, "sizes", "31 93");
    scene.world.tmux(["send-keys", "-t", "=one:", "C-c"]);
    noted(&scene, "keys", "int");
    assert!(is_alive(pid) && is_alive(launcher));
    // What HUP ends, asked by nobody, is written as that.
    assert!(Command::new("kill").args(["-HUP".to_owned(), pid.to_string()]).status().unwrap().success());
    await_end(launcher);
    let end = ended(&scene);
    assert_eq!((&end["signal"], &end["told"]), (&1.into(), &serde_json::Value::Null), "{end}");
}

#[test]
fn a_second_launcher_of_an_open_operation_starts_nothing_and_leaves_the_first_alone() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let agents = scene.agents();
    let operations = std::fs::read_dir(scene.state().join("operations")).unwrap();
    let file = operations.filter_map(|entry| Some(entry.ok()?.path())).next().unwrap().join("launch.json");
    // Beside it in a window of the same session, as a layout that is brought back would.
    let command = format!("{} exec {}", env!("CARGO_BIN_EXE_headcount"), file.display());
    let pane = scene.world.tmux(["new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "=one:", &command]);
    await_some("what the second launcher says", || {
        scene.world.tmux(["capture-pane", "-p", "-t", &pane]).contains("this was operation").then_some(())
    });
    assert_eq!(scene.agents(), agents);
    scene.world.tmux(["send-keys", "-t", &pane, "Enter"]);
    await_some("its end", || {
        (scene.world.tmux(["list-panes", "-s", "-t", "=one:", "-F", "#{pane_id}"]).lines().count() == 1).then_some(())
    });
    assert_eq!(scene.agents(), agents);
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
}

#[test]
fn the_terminal_is_as_it_was_whatever_ended_the_agent() {
    let scene = Scene::new("");
    let root = scene.world.root().display().to_string();
    let shell = scene.world.session("shell", &scene.world.workspace("one"), "bash --norc --noprofile");
    assert!(is_alive(shell));
    let state = StateHome::from_environment(|name| scene.world.environ(&[]).get(name).map(ToOwned::to_owned)).unwrap();
    for (number, end) in ["exit 7", "kill -KILL $$", "kill -TERM $$", "kill -HUP $$"].into_iter().enumerate() {
        let begun = chrono::Utc::now();
        let operation = Operation {
            id: OperationId::new(begun, std::process::id(), u32::try_from(number).unwrap()),
            action: ActionKind::Start,
            session: SessionKey { mux: MuxKind::Tmux, server: "default".into(), name: "one".into(), host: "here".into() },
            agent: AgentKind::Claude,
            conversation: None,
            begun,
            boot: None,
            since_boot: None,
            cause: None,
            by: "a test".to_owned(),
            engine: (std::process::id(), None),
            renaming: None,
        };
        let files = Operations::new(&state).begin(&operation).unwrap();
        // It leaves a terminal that shows nothing of what is typed and takes no line ends.
        let script = format!("stty raw -echo; stty -g >{root}/raw; {end}");
        let spec = LaunchSpec {
            version: LaunchSpec::VERSION,
            argv: ["bash", "-c", &script].map(str::to_owned).to_vec(),
            cwd: PathBuf::from("/"),
            set: Vec::new(),
            files: Vec::new(),
            unset: Vec::new(),
            conversation: None,
            job: None,
        };
        let launch = files.write_launch(&spec).unwrap();
        let launcher = env!("CARGO_BIN_EXE_headcount");
        let line = format!(
            "stty -g >{root}/before; {launcher} exec {}; echo $? >{root}/code; stty -g >{root}/after; echo {number} >{root}/done",
            launch.display()
        );
        scene.world.type_line("shell", &line);
        noted(&scene, "done", &format!("{number}\n"));
        let read = |name: &str| std::fs::read_to_string(scene.world.root().join(name)).unwrap();
        assert_ne!(read("before"), read("raw"), "{end}");
        assert_eq!(read("before"), read("after"), "{end}");
        let expected = ["7", "137", "143", "129"][number];
        assert_eq!(read("code").trim(), expected, "{end}");
        // The shell has its terminal back.
        assert!(is_alive(shell), "{end}");
    }
}
