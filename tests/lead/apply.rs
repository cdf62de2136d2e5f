//! The usual ways: declared, started, killed, back again, stopped, restarted.

use headcount::control::lead::lock_name;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::store::operations::ConversationLock;

use super::scene::each;
use super::support::{await_end, await_some};
use super::{Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

#[test]
fn a_declared_session_is_started_once_and_recorded() {
    let scene = Scene::new(ONE);
    let plan = scene.run(&["plan", "--json"]).is(2).json();
    assert_eq!(plan["actions"][0]["action"], "start");
    assert!(scene.agents().is_empty(), "a plan starts nothing");
    let before = scene.text();
    assert_eq!(scene.run(&["apply"]).is(3).code, Some(3), "nobody is there to be asked");
    assert_eq!(scene.text(), before);
    let applied = scene.run(&["apply", "--yes", "--json"]).is(0);
    assert_eq!(applied.outcome("one").0, "start done");
    let agents = scene.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert_eq!(scene.recorded("one", "status"), "running");
    assert_eq!(scene.recorded("one", "session_id"), agents[0].1.as_str());
    let history = scene.run(&["history", "--json"]).is(0).json();
    assert_eq!((&history["operations"][0]["action"], &history["operations"][0]["outcome"]), (&"start".into(), &"done".into()));
    assert!(scene.run(&["history"]).is(0).stdout.contains("start done"));
    // What is as it is wanted stays untouched, byte for byte.
    let before = scene.text();
    let plan = scene.run(&["plan", "--json"]).is(0).json();
    assert_eq!(plan["counts"]["met"], 1);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).json()["operations"].as_array().unwrap().len(), 0);
    assert_eq!((scene.agents(), scene.text()), (agents, before));
    // The launcher is the pane's process, and the agent is below it, in the foreground.
    let pane = scene.world.tmux(["list-panes", "-a", "-F", "#{pane_current_command} #{pane_start_command}"]);
    assert!(pane.starts_with("bash ") || pane.starts_with("claude "), "{pane}");
    assert!(pane.contains(" exec "), "{pane}");
}

#[test]
fn after_its_server_died_a_session_goes_on_in_its_conversation() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let lab = scene.world.workspace("one");
    scene.prompt("one", &lab);
    let (pid, id) = scene.agents().remove(0);
    scene.run(&["record"]).is(0);
    scene.world.tmux(["kill-server"]);
    await_end(pid);
    let plan = scene.run(&["plan", "--json"]).is(2).json();
    assert_eq!(
        (plan["actions"][0]["action"].as_str(), plan["actions"][0]["conversation"].as_str()),
        (Some("resume"), Some(id.as_str()))
    );
    let command: Vec<&str> = plan["actions"][0]["command"].as_array().unwrap().iter().filter_map(|it| it.as_str()).collect();
    assert!(command[0] == "claude" && command.windows(2).any(|words| words == ["--resume", &id]), "{command:?}");
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
    let agents = scene.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert_eq!(agents[0].1, id);
    assert_ne!(agents[0].0, pid);
}

#[test]
fn one_that_was_never_spoken_to_begins_again_under_the_same_id() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    scene.world.tmux(["kill-server"]);
    await_end(pid);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    assert_eq!(scene.agents().iter().map(|(_, id)| id.clone()).collect::<Vec<_>>(), [id]);
}

#[test]
fn a_stopped_session_stays_stopped_and_goes_on_when_it_is_started() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let (pid, id) = scene.agents().remove(0);
    let stopped = scene.run(&["stop", "one", "--yes", "--json"]).is(0);
    assert_eq!(stopped.outcome("one").0, "stop done");
    assert!(!is_alive(pid));
    assert_eq!(scene.recorded("one", "desired"), "stopped");
    assert_eq!(
        (scene.recorded("one", "status"), scene.recorded("one", "stop_reason")),
        ("stopped".into(), "headcount stop".into())
    );
    scene.run(&["apply", "--yes"]).is(0);
    assert!(scene.agents().is_empty(), "what is stopped is not started");
    assert_eq!(scene.run(&["stop", "one", "--json"]).is(0).outcome("one").0, "stop skipped");
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!(scene.recorded("one", "desired"), "running");
    assert_eq!(
        (scene.recorded("one", "status"), scene.recorded("one", "stop_reason")),
        ("running".into(), serde_json::Value::Null)
    );
    assert_eq!(scene.agents().remove(0).1, id);
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "start skipped");
}

#[test]
fn a_restart_goes_on_in_the_conversation_and_stops_nothing_that_could_not() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    // Nothing was said yet, so there is nothing to go on in.
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(3).outcome("one").1, "stale-id");
    assert!(is_alive(pid));
    scene.prompt("one", &scene.world.workspace("one"));
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(0).outcome("one").0, "restart done");
    let agents = scene.agents();
    assert_eq!(agents.len(), 1);
    assert_ne!(agents[0].0, pid);
    assert_eq!(agents[0].1, id);
}

#[test]
fn whoever_has_the_conversation_for_a_while_keeps_nothing_stopped_that_was_to_go_on() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let (_, id) = scene.agents().remove(0);
    scene.run(&["stop", "one", "--yes"]).is(0);
    let home = scene.world.home();
    let name = lock_name(AgentKind::Claude, &home.join(".claude"), &ConversationId(id.clone()));
    let lock = ConversationLock::take(&home, &name).unwrap();
    assert_eq!(scene.run(&["start", "one", "--json"]).is(3).outcome("one"), ("resume refused".into(), "claimed".into()));
    // Nothing has failed by that.
    let status = scene.run(&["status", "--json"]).is(0).stdout;
    assert!(!status.contains("crashed"), "{status}");
    drop(lock);
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
    // It is taken as soon as the agent has ended, and for longer than anything takes that is left of an agent.
    let taken = || {
        let (home, name) = (home.clone(), name.clone());
        std::thread::spawn(move || {
            let lock = await_some("the lock", || ConversationLock::take(&home, &name).ok());
            std::thread::sleep(std::time::Duration::from_secs(5));
            drop(lock);
        })
    };
    let first = taken();
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(0).outcome("one").0, "restart done");
    assert!(first.is_finished());
    assert_eq!(scene.agents().remove(0).1, id);
    // What it came to is said where that takes longer than a start may.
    std::fs::write(scene.manifest(), scene.text().replace("ready: 10s", "ready: 1s")).unwrap();
    let second = taken();
    let ran = scene.run(&["restart", "one", "--yes", "--json"]).is(3);
    assert!(ran.stdout.contains("it was stopped for that, and `headcount start one` goes on"), "{ran:?}");
    second.join().unwrap();
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
}

#[test]
fn a_server_that_is_busy_for_a_while_is_asked_again_before_anything_is_refused() {
    let other = ONE.replace("one", "two");
    let scene = Scene::new(&format!("{ONE}{other}"));
    scene.run(&["apply", "one", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let server: i32 = scene.world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    let server = rustix::process::Pid::from_raw(server).unwrap();
    for (words, outcome) in [
        (&["apply", "--yes"][..], ("two", "start done")),
        (&["restart", "one", "--yes"], ("one", "restart done")),
        (&["stop", "one", "--yes"], ("one", "stop done")),
        (&["start", "one"], ("one", "resume done")),
    ] {
        scene.world.workspace(outcome.0);
        rustix::process::kill_process(server, rustix::process::Signal::STOP).unwrap();
        let acting = scene.command(&[words, &["--json"]].concat()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        // Longer than one look waits.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        rustix::process::kill_process(server, rustix::process::Signal::CONT).unwrap();
        let ran = super::Ran::from(acting.wait_with_output().unwrap()).is(0);
        assert_eq!(ran.outcome(outcome.0).0, outcome.1, "{words:?}");
    }
}

#[test]
fn a_working_agent_is_stopped_at_its_turns_end() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let (pid, _) = scene.agents().remove(0);
    scene.world.type_line("one", "/turn busy");
    let registry = scene.world.home().join(format!(".claude/sessions/{pid}.json"));
    let says = |word: &str| std::fs::read_to_string(&registry).unwrap_or_default().contains(word);
    await_some("the turn", || says("busy").then_some(()));
    let refused = scene.run(&["stop", "one", "--yes", "--timeout", "300ms", "--json"]).is(75);
    assert_eq!(refused.outcome("one"), ("stop refused".to_owned(), "working".to_owned()));
    assert!(refused.stdout.contains("no watch enforces that now"), "{refused:?}");
    assert!(is_alive(pid));
    let mut stop = scene.command(&["stop", "one", "--yes", "--json"]);
    let stop = std::thread::spawn(move || stop.output().unwrap());
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(is_alive(pid), "it still works");
    scene.world.type_line("one", "/turn idle");
    assert_eq!(super::Ran::from(stop.join().unwrap()).is(0).outcome("one").0, "stop done");
    assert!(!is_alive(pid));
}

#[test]
fn what_waits_for_a_turns_end_notices_what_happens_to_its_entry() {
    let cases = [
        ("restart", "cwd: LAB", "suspend: true, cwd: LAB", "suspended"),
        ("restart", "cwd: LAB", "cwd: [", "unknown"),
        ("restart", "cwd: LAB", "args: [--x], cwd: LAB", "busy"),
        ("stop", "desired: stopped", "desired: running", "busy"),
    ];
    each(&cases, |(verb, before, after, code)| {
        let scene = Scene::new(ONE);
        scene.run(&["apply", "--yes"]).is(0);
        scene.prompt("one", &scene.world.workspace("one"));
        let (pid, _) = scene.agents().remove(0);
        scene.world.type_line("one", "/turn busy");
        let registry = scene.world.home().join(format!(".claude/sessions/{pid}.json"));
        await_some("the turn", || std::fs::read_to_string(&registry).ok()?.contains("busy").then_some(()));
        let mut command = scene.command(&[verb, "one", "--yes", "--json"]);
        let ran = std::thread::spawn(move || command.output().unwrap());
        await_some("the operation", || (scene.left("begun.json") == 2).then_some(()));
        let lab = scene.world.workspace("one");
        let fill = |text: &str| text.replace("LAB", lab.to_str().unwrap());
        let text = scene.text();
        assert!(text.contains(&fill(before)), "{text}");
        std::fs::write(scene.manifest(), text.replace(&fill(before), &fill(after))).unwrap();
        let refused = super::Ran::from(ran.join().unwrap());
        assert_eq!(refused.outcome("one"), (format!("{verb} refused"), (*code).to_owned()), "{refused:?}");
        assert!(is_alive(pid), "nothing was ended");
    });
}

#[test]
fn a_stop_that_waits_can_be_hurried_and_one_by_a_tool_of_the_agent_is_its_own() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let (pid, _) = scene.agents().remove(0);
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environ = String::from_utf8_lossy(&environ).into_owned();
    let operation = environ.split('\0').find_map(|line| line.strip_prefix("HEADCOUNT_OPERATION=")).unwrap().to_owned();
    let mut own = scene.command(&["stop", "one", "--yes", "--json"]);
    let own = super::Ran::from(own.env("HEADCOUNT_OPERATION", operation).output().unwrap()).is(3);
    assert_eq!(own.outcome("one").1, "attached");
    scene.world.type_line("one", "/turn busy");
    let registry = scene.world.home().join(format!(".claude/sessions/{pid}.json"));
    await_some("the turn", || std::fs::read_to_string(&registry).ok()?.contains("busy").then_some(()));
    let mut waiting = scene.command(&["stop", "one", "--yes"]);
    let waiting = std::thread::spawn(move || waiting.output().unwrap());
    await_some("its operation", || (scene.left("begun.json") == 2).then_some(()));
    // It holds the session until it waits.
    await_some("one that waits as well", || {
        let ran = scene.run(&["stop", "one", "--yes", "--kill", "--timeout", "200ms", "--json"]).is(75);
        (ran.outcome("one").1 == "working").then_some(())
    });
    assert_eq!(scene.run(&["stop", "one", "--yes", "--now", "--json"]).is(0).outcome("one").0, "stop done");
    assert_eq!(waiting.join().unwrap().status.code(), Some(0));
    assert!(!is_alive(pid));
}

#[test]
fn what_could_not_be_started_again_is_not_stopped_by_a_restart() {
    let scene =
        Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running, env: { TOKEN: { file: LAB/token } } }\n");
    let token = scene.world.root().join("lab/token");
    std::fs::write(&token, "secret\n").unwrap();
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let (pid, _) = scene.agents().remove(0);
    std::fs::remove_file(&token).unwrap();
    for make in [false, true] {
        if make {
            assert!(std::process::Command::new("mkfifo").arg(&token).status().unwrap().success());
        }
        assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(3).outcome("one").1, "unsupported");
        assert!(is_alive(pid));
    }
}

#[test]
fn a_restart_beside_one_that_cannot_be_told_stops_nothing() {
    let scene = Scene::new(ONE);
    let lab = scene.world.workspace("one");
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &lab);
    let before = scene.agents();
    scene.world.session_on(&scene.world.named_socket("other"), "mine", &lab, "exec claude --no-registry");
    let refused = await_some("the refusal", || {
        let ran = scene.run(&["restart", "one", "--yes", "--json"]);
        (ran.code == Some(3)).then_some(ran)
    });
    assert_eq!(refused.outcome("one").1, "claimed");
    assert_eq!(scene.agents(), before);
}

#[test]
fn a_directory_that_ends_in_a_semicolon_is_a_directory() {
    let scene = Scene::new("  - { name: \"one;\", agent: claude, cwd: 'LAB/semi;', desired: running }\n");
    scene.world.workspace("semi;");
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!(scene.agents().len(), 1);
}

#[test]
fn a_new_session_is_declared_and_started_with_its_prompt() {
    let scene = Scene::new("  - { name: other, agent: claude }\n");
    scene.world.workspace("My App");
    let made = scene.run(&["new", "--agent", "claude", "--cwd", "My App", "--prompt", "-read it", "--json"]).is(0);
    assert_eq!(made.outcome("my-app-creator-claude").0, "start done");
    assert_eq!(scene.recorded("my-app-creator-claude", "desired"), "running");
    let id = scene.agents().remove(0).1;
    let path = scene.world.transcript(&scene.world.workspace("My App"), &headcount::core::ids::ConversationId(id));
    await_some("the transcript", || path.exists().then_some(()));
    // It was said; in another conversation it is said again only if you ask for that.
    for (arguments, is_said) in [(&["--fresh"][..], false), (&["--fresh", "--prompt"], true)] {
        scene.run(&["stop", "my-app-creator-claude", "--yes"]).is(0);
        scene.run(&[&["start", "my-app-creator-claude"], arguments].concat()).is(0);
        let id = headcount::core::ids::ConversationId(scene.agents().remove(0).1);
        let path = scene.world.transcript(&scene.world.workspace("My App"), &id);
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(path.exists(), is_said, "{arguments:?}");
    }
}

#[test]
fn what_runs_with_other_settings_is_shown_and_left_alone() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let text = scene.text().replace("desired: running", "desired: running, args: [--verbose]");
    std::fs::write(scene.manifest(), text).unwrap();
    let plan = scene.run(&["plan", "--json"]).is(0).json();
    assert_eq!(plan["actions"][0]["state"], "differs");
    assert_eq!(plan["actions"][0]["differs"][0], "args");
    let before = scene.agents();
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!(scene.agents(), before);
}

#[test]
fn status_tells_what_is_wanted_and_what_was_done_last() {
    let entry = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";
    let scene = Scene::new(entry);
    let row = || scene.run(&["status", "--json", "--settle", "0s"]).json()["sessions"][0].clone();
    let before = row();
    assert_eq!((&before["desired"], &before["operation"]), (&"running".into(), &serde_json::Value::Null));
    scene.world.workspace("one");
    let applied = scene.run(&["apply", "--yes", "--json"]).is(0).json();
    let operation = row()["operation"].clone();
    assert_eq!(operation["id"], applied["operations"][0]["id"]);
    assert_eq!((&operation["action"], &operation["outcome"]), (&"start".into(), &"done".into()));
    scene.run(&["stop", "one", "--yes"]).is(0);
    let after = row();
    assert_eq!((&after["desired"], &after["operation"]["action"]), (&"stopped".into(), &"stop".into()));
}
