//! What stands in the way, and that nothing happens then.

use super::Scene;
use super::support::await_some;

fn code(scene: &Scene, session: &str) -> String {
    let plan = scene.run(&["plan", "--json"]).json();
    let rows = plan["actions"].as_array().unwrap();
    let row = rows.iter().find(|row| row["session"]["name"] == session);
    row.map(|row| row["blocked"]["code"].as_str().unwrap_or("planned").to_owned()).unwrap_or_default()
}

#[test]
fn each_reason_has_its_word() {
    let scene = Scene::new(
        "  - { name: suspended, agent: claude, cwd: LAB/one, desired: running, suspend: true }\n\
        \x20 - { name: elsewhere, agent: claude, cwd: LAB/one, desired: running, host: moon }\n\
        \x20 - { name: archived, agent: claude, cwd: LAB/one, desired: running, status: archived }\n\
        \x20 - { name: put-away, agent: claude, cwd: LAB/one, desired: archived }\n\
        \x20 - { name: no-cwd, agent: claude, desired: running }\n\
        \x20 - { name: gone-cwd, agent: claude, cwd: LAB/gone, desired: running }\n\
        \x20 - { name: no-program, agent: claude, cwd: LAB/one, desired: running, env: { PATH: /nowhere } }\n\
        \x20 - { name: no-table, agent: antigravity, cwd: LAB/one, desired: running }\n\
        \x20 - { name: bold, agent: claude, cwd: LAB/one, desired: running, permissions: bypass }\n\
        \x20 - { name: bold-args, agent: claude, cwd: LAB/one, desired: running, args: [--dangerously-skip-permissions] }\n\
        \x20 - { name: lived, agent: claude, cwd: LAB/one, desired: running, status: terminated, termination_mode: auto-detected }\n\
        \x20 - { name: lost, agent: claude, cwd: LAB/one, desired: running, session_id: 7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90 }\n\
        \x20 - { name: stale, agent: claude, cwd: LAB/one, desired: running, session_id: 8c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90 }\n\
        \x20 - { name: ended, agent: claude, cwd: LAB/one, desired: running, status: stopped }\n\
        \x20 - { name: unled, agent: claude, cwd: LAB/one }\n\
        \x20 - { name: twice, agent: claude, cwd: LAB/one, desired: running, session_id: 7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90 }\n\
        \x20 - { name: \"a.b\", agent: claude, cwd: LAB/one, desired: running }\n\
        \x20 - { name: a_b, agent: claude, cwd: LAB/one, desired: running }\n",
    );
    for (session, word) in [
        ("suspended", "suspended"),
        ("elsewhere", "elsewhere"),
        ("archived", "archived"),
        ("put-away", ""),
        ("no-cwd", "cwd-missing"),
        ("gone-cwd", "cwd-missing"),
        ("no-program", "program-missing"),
        ("no-table", "unsupported"),
        ("bold", "consent"),
        ("bold-args", "consent"),
        ("lived", "no-id"),
        ("lost", "ambiguous"),
        ("stale", "stale-id"),
        ("ended", "ended-by-hand"),
        ("unled", ""),
        ("twice", "ambiguous"),
        ("a.b", "ambiguous"),
        ("a_b", "ambiguous"),
    ] {
        assert_eq!(code(&scene, session), word, "{session}");
    }
    let before = scene.text();
    scene.run(&["apply", "--yes"]).is(3);
    assert!(scene.agents().is_empty());
    assert_eq!(scene.text(), before);
    scene.run(&["consent", "bypass", "--yes"]).is(0);
    assert_eq!(code(&scene, "bold"), "planned");
    scene.run(&["consent", "revoke"]).is(0);
    assert_eq!(code(&scene, "bold"), "consent");
}

#[test]
fn what_an_entry_puts_aside_is_not_stopped_by_name_either() {
    for aside in ["suspend: true", "status: archived", "desired: archived"] {
        let one = "  - { name: one, agent: claude, cwd: LAB/one }\n";
        let scene = Scene::new(one);
        scene.run(&["start", "one"]).is(0);
        let agents = scene.agents();
        scene.write(&one.replace("cwd:", &format!("{aside}, cwd:")));
        let before = scene.text();
        let word = if aside == "suspend: true" { "suspended" } else { "archived" };
        for words in [&["stop", "one", "--yes"][..], &["restart", "one", "--yes"], &["rm", "one", "--yes"]] {
            let ran = scene.run(&[words, &["--json"]].concat()).is(3);
            assert_eq!(ran.outcome("one").1, word, "{words:?}");
        }
        assert_eq!((scene.agents(), scene.text()), (agents, before), "{aside}");
        // Nothing has to be stopped to take out what does not run.
        scene.world.tmux(["kill-server"]);
        scene.run(&["stop", "one", "--yes"]).is(0);
        scene.run(&["rm", "one", "--yes"]).is(0);
    }
}

#[test]
fn a_session_of_the_same_name_is_not_the_entrys_until_a_person_says_so() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n");
    let shell = scene.world.session("one", &scene.world.workspace("one"), "exec sh");
    assert_eq!(code(&scene, "one"), "foreign-name");
    scene.run(&["apply", "--yes"]).is(3);
    assert!(scene.agents().is_empty());
    scene.world.tmux(["new-window", "-d", "-t", "=one:", "--", "sleep", "600"]);
    scene.run(&["start", "one", "--reuse"]).is(3);
    scene.world.tmux(["kill-window", "-t", "=one:1"]);
    assert_eq!(scene.run(&["start", "one", "--reuse", "--json"]).is(0).outcome("one").0, "start done");
    assert_eq!(scene.agents().len(), 1);
    assert!(super::is_alive(shell), "the person's shell is left alone");
    assert_eq!(scene.world.tmux(["list-windows", "-t", "=one", "-F", "#{window_id}"]).lines().count(), 2);
}

#[test]
fn a_conversation_that_is_open_elsewhere_is_not_opened_again() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n");
    let lab = scene.world.workspace("one");
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &lab);
    let (pid, id) = scene.agents().remove(0);
    scene.world.tmux(["kill-session", "-t", "=one"]);
    super::support::await_end(pid);
    // A person resumes it in another server.
    let socket = scene.world.named_socket("other");
    let other = scene.world.session_on(&socket, "mine", &lab, &format!("exec claude --resume {id}"));
    scene.world.registered(other);
    assert_eq!(code(&scene, "one"), "claimed");
    scene.run(&["apply", "--yes"]).is(3);
    scene.run(&["start", "one"]).is(3);
    assert_eq!(scene.agents(), [(other, id)]);
}

#[test]
fn one_that_outlived_its_launcher_keeps_its_conversation() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n");
    // It heeds no HUP, and nothing was said to it yet.
    let text = std::fs::read_to_string(scene.world.claude())
        .unwrap()
        .replace(" HUP TERM INT", " TERM INT")
        .replace("read -r line; do", "read -r line || sleep 600; do");
    scene.world.program("claude", &text.replacen("begin\n[ -n", "trap '' HUP\nbegin\n[ -n", 1));
    scene.run(&["apply", "--yes"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    let launcher = scene.world.tmux(["list-panes", "-a", "-F", "#{pane_pid}"]);
    assert!(std::process::Command::new("kill").args(["-KILL", &launcher]).status().unwrap().success());
    super::support::await_end(launcher.parse().unwrap());
    assert_eq!(code(&scene, "one"), "claimed");
    scene.run(&["apply", "--yes"]).is(3);
    assert_eq!(scene.agents(), [(pid, id)]);
    assert!(std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_conversation_that_an_agent_has_left_for_another_is_free() {
    let one = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";
    let scene = Scene::new(one);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    let (pid, left) = scene.agents().remove(0);
    scene.world.type_line("one", "/clear");
    await_some("another conversation", || (scene.agents().remove(0).1 != left).then_some(()));
    // Its launcher still has the first one locked, and cannot know.
    let entry = |name: &str, id: &str| format!("  - {{ name: {name}, agent: claude, cwd: LAB/one, session_id: {id} }}\n");
    scene.write(&(entry("one", &scene.agents().remove(0).1) + &entry("two", &left)));
    assert_eq!(scene.run(&["start", "two", "--json"]).is(0).outcome("two").0, "resume done");
    let agents = scene.agents();
    assert!(agents.len() == 2 && agents.iter().any(|(it, id)| *it == pid && *id != left), "{agents:?}");
    // By now another one is in it.
    scene.write(&entry("three", &left));
    assert_eq!(scene.run(&["start", "three", "--json"]).is(3).outcome("three").1, "claimed");
    assert_eq!(scene.agents(), agents);
}

#[test]
fn one_that_cannot_be_told_stands_in_the_way_of_its_own_workspace_only() {
    let entries = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n\
        \x20 - { name: two, agent: claude, cwd: LAB/two, desired: running }\n";
    let scene = Scene::new(entries);
    let (one, two) = (scene.world.workspace("one"), scene.world.workspace("two"));
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &one);
    scene.prompt("two", &two);
    scene.run(&["record"]).is(0);
    scene.world.tmux(["kill-server"]);
    super::support::await_some("their end", || scene.agents().is_empty().then_some(()));
    // Without a registry file nobody can say which conversation it is in.
    scene.world.session_on(&scene.world.named_socket("other"), "mine", &one, "exec claude --no-registry");
    super::support::await_some("the stand-in", || (code(&scene, "one") == "claimed").then_some(()));
    assert_eq!(code(&scene, "two"), "planned");
}

#[test]
fn a_manifest_that_was_found_here_acts_only_as_it_was_allowed() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running, env: { TOKEN: secret-1 } }\n");
    let here = scene.world.root().join("lab/agent-sessions.yaml");
    std::fs::copy(scene.manifest(), &here).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(scene.world.variables()).current_dir(here.parent().unwrap()).args(arguments);
        super::Ran::from(command.stdin(std::process::Stdio::null()).output().unwrap())
    };
    assert_eq!(run(&["plan", "--json"]).is(3).json()["actions"][0]["blocked"]["code"], "not-allowed");
    run(&["apply", "--yes"]).is(3);
    run(&["start", "one"]).is(3);
    run(&["allow"]).is(3);
    let allowed = run(&["allow", "--yes"]).is(0);
    assert!(allowed.stderr.contains("one: env TOKEN") && !allowed.stderr.contains("secret-1"), "{}", allowed.stderr);
    assert_eq!(run(&["plan", "--json"]).is(2).json()["counts"]["start"], 1);
    let text = std::fs::read_to_string(&here).unwrap();
    std::fs::write(&here, text.replace("secret-1", "secret-2")).unwrap();
    assert_eq!(run(&["plan", "--json"]).is(3).json()["counts"]["blocked"], 1, "what it says has changed");
    run(&["allow", "--yes"]).is(0);
    run(&["apply", "--yes"]).is(0);
    assert_eq!(run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1, "our own edits keep the permission");
    run(&["new", "two", "--agent", "claude"]).is(0);
    assert_eq!(run(&["plan", "--json"]).is(0).json()["counts"]["met"], 2, "and so does what you add by a command");
    run(&["allow", "--revoke"]).is(0);
    assert_eq!(scene.agents().len(), 2);
}

#[test]
fn two_manifests_do_not_lead_one_session() {
    let entry = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";
    let scene = Scene::new(entry);
    scene.run(&["apply", "--yes"]).is(0);
    let other = scene.world.root().join("other.yaml");
    std::fs::write(&other, scene.text().replace("desired: running", "desired: stopped")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(scene.world.variables()).args(arguments).arg("-f").arg(&other);
        super::Ran::from(command.stdin(std::process::Stdio::null()).output().unwrap())
    };
    assert_eq!(run(&["plan", "--json"]).is(3).json()["actions"][0]["blocked"]["code"], "led-elsewhere");
    run(&["apply", "--yes"]).is(3);
    assert_eq!(scene.agents().len(), 1);
    run(&["stop", "one", "--yes"]).is(3);
    run(&["stop", "one", "--yes", "--take"]).is(0);
    assert!(scene.agents().is_empty());
    run(&["start", "one"]).is(0);
    scene.run(&["stop", "one", "--yes"]).is(3);
    std::fs::remove_file(&other).unwrap();
    scene.run(&["stop", "one", "--yes"]).is(0);
    assert!(scene.agents().is_empty(), "one that is gone leads nothing");
}
