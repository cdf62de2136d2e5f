//! What goes wrong in between: programs that fail, two at once.

use super::Scene;
use super::support::await_some;

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

#[test]
fn a_program_that_ends_at_once_is_a_failed_start_whatever_its_code() {
    for code in [0, 1] {
        let scene = Scene::new(ONE);
        scene.world.program("claude", &format!("#!/bin/bash\necho you are not signed in\nsleep 0.5\nexit {code}\n"));
        let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
        assert_eq!(applied.outcome("one").0, "start failed");
        let one = &applied.json()["operations"][0];
        assert!(one["why"].as_str().unwrap().contains(&format!("exit code {code}")), "{one}");
        assert!(one["screen_tail"].as_str().unwrap().contains("not signed in"), "{one}");
        assert_eq!(scene.recorded("one", "status"), serde_json::Value::Null, "it never ran");
    }
}

#[test]
fn one_that_never_gets_ready_is_left_running_and_not_started_again() {
    let scene = Scene::new(ONE);
    scene.world.program("claude", "#!/bin/bash\necho Do you trust this folder?\nwhile :; do sleep 1; done\n");
    let text = scene.text().replace("ready: 10s", "ready: 1s");
    std::fs::write(scene.manifest(), text).unwrap();
    let applied = scene.run(&["apply", "--yes", "--json"]).is(1);
    assert_eq!(applied.outcome("one").0, "start unverified");
    assert!(applied.json()["operations"][0]["screen_tail"].as_str().unwrap().contains("Do you trust"), "{applied:?}");
    let panes = || scene.world.tmux(["list-panes", "-a", "-F", "#{pane_id}"]).lines().count();
    assert_eq!(panes(), 1);
    scene.run(&["apply", "--yes", "--json"]).is(0);
    assert_eq!(panes(), 1);
}

#[test]
fn what_was_left_running_unseen_is_not_started_beside_again() {
    let scene = Scene::new("  - { name: one, agent: codex, cwd: LAB/one, desired: running, command: [sh, -c, 'sleep 600'] }\n");
    let text = scene.text().replace("ready: 10s", "ready: 300ms");
    std::fs::write(scene.manifest(), text).unwrap();
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(1).outcome("one").0, "start unverified");
    let again = scene.run(&["apply", "--yes", "--json"]).is(3);
    assert_eq!(again.outcome("one").1, "ambiguous");
    assert_eq!(scene.world.tmux(["list-panes", "-a", "-F", "#{pane_id}"]).lines().count(), 1);
}

#[test]
fn a_start_that_was_killed_is_never_begun_later() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running, env: { TOKEN: a-secret } }\n");
    // tmux hangs where it would make the pane.
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|dir| dir.join("tmux")).find(|it| it.exists());
    let real = real.unwrap().display().to_string();
    scene.world.program("tmux", &format!("#!/bin/sh\ncase \"$*\" in *new-session*) sleep 600;; esac\nexec {real} \"$@\"\n"));
    let mut child = scene.command(&["apply", "--yes"]).spawn().unwrap();
    let launch = await_some("the operation", || {
        let all = std::fs::read_dir(scene.state().join("operations")).ok()?;
        all.filter_map(|entry| Some(entry.ok()?.path().join("launch.json"))).find(|path| path.exists())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scene.run(&["stop", "one", "--json"]).is(0).outcome("one").0, "stop skipped");
    assert!(!launch.exists(), "it holds a secret");
    let mut late = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
    late.arg("exec").arg(&launch).env_clear().envs(scene.world.variables()).stdin(std::process::Stdio::null());
    assert_eq!(late.output().unwrap().status.code(), Some(3));
    assert!(scene.agents().is_empty());
}

#[test]
fn a_manifest_that_changed_since_it_was_shown_starts_nothing_else() {
    let scene = Scene::new(ONE);
    let other = scene.world.program("other", "#!/bin/sh\ntouch \"$HOME/other\"\nsleep 600\n");
    // The first look of the apply is over once tmux was asked; then the entry changes under it.
    let text = scene.text();
    let changed = text.replace("desired: running", &format!("desired: running, command: [{}]", other.display()));
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|dir| dir.join("tmux")).find(|it| it.exists());
    let (real, manifest) = (real.unwrap().display().to_string(), scene.manifest().display().to_string());
    std::fs::write(scene.world.root().join("changed"), changed).unwrap();
    scene.world.session("other", &scene.world.workspace("two"), "exec sh");
    let copy = format!("cp {0}/changed {0}/new && mv {0}/new {manifest}", scene.world.root().display());
    scene.world.program("tmux", &format!("#!/bin/sh\n{real} \"$@\"; code=$?\n{copy}\nexit $code\n"));
    let refused = scene.run(&["apply", "--yes", "--json"]).is(75);
    assert_eq!(refused.outcome("one").1, "busy");
    assert!(!scene.world.home().join("other").exists());
}

#[test]
fn odd_files_in_the_state_directory_hold_nobody_up() {
    let scene = Scene::new(ONE);
    let odd = scene.state().join("operations/0123456789ab-1-0");
    std::fs::create_dir_all(&odd).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(odd.join("begun.json")).status().unwrap().success());
    scene.run(&["apply", "--yes"]).is(0);
    let ledger = scene.state().join("ledger.json");
    std::fs::write(&ledger, r#"{"version":9,"sessions":{}}"#).unwrap();
    scene.run(&["plan"]).is(75);
    std::fs::remove_file(&ledger).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&ledger).status().unwrap().success());
    scene.run(&["plan"]).is(1);
    assert_eq!(scene.agents().len(), 1);
}

#[test]
fn four_at_once_start_one() {
    let scene = Scene::new(ONE);
    let mut all: Vec<_> = (0..4)
        .map(|_| scene.command(&["apply", "--yes", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    let codes: Vec<_> = all.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 75))), "{codes:?}");
    assert!(codes.contains(&Some(0)));
    assert_eq!(scene.agents().len(), 1);
    assert_eq!(scene.world.tmux(["list-panes", "-a"]).lines().count(), 1);
}

#[test]
fn what_cannot_be_told_starts_nothing() {
    let scene = Scene::new(ONE);
    // Something listens where tmux should, and never answers.
    let _server = std::os::unix::net::UnixListener::bind(scene.world.socket()).unwrap();
    let plan = scene.run(&["plan", "--json"]).is(4).json();
    assert_eq!(plan["actions"][0]["blocked"]["code"], "unknown");
    assert_eq!(plan["unknown"][0]["scope"], "tmux:default");
    scene.run(&["apply", "--yes"]).is(4);
    // What is named is refused.
    for verb in ["start", "stop"] {
        assert_eq!(scene.run(&[verb, "one", "--yes", "--json"]).is(3).outcome("one").1, "unknown");
    }
    assert!(scene.agents().is_empty());
}

#[test]
fn where_tmux_was_never_used_its_directory_is_made() {
    let scene = Scene::new(ONE);
    std::fs::remove_dir(scene.world.socket().parent().unwrap()).unwrap();
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!(scene.agents().len(), 1);
}
