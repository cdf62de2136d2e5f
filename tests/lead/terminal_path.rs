//! The PATH of a server that a service or an agent begins: that of the last start from a terminal.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::support::await_some;
use super::{Ran, Scene};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

/// The same as `run`, by a person at a terminal.
fn at_a_terminal(scene: &Scene, words: &str) -> Ran {
    let line = format!("{} {words} -f {}", env!("CARGO_BIN_EXE_headcount"), scene.manifest().display());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_clear().envs(scene.world.variables()).stdin(Stdio::null());
    Ran::from(command.current_dir(scene.world.root()).output().expect("script(1) of util-linux"))
}

/// The same without a terminal, where PATH is as poor as under systemd.
fn in_a_service(scene: &Scene, words: &[&str]) -> Ran {
    Ran::from(scene.command(words).env("PATH", poor(scene)).output().unwrap())
}

/// As the world's, without the agent's program.
fn poor(scene: &Scene) -> OsString {
    let own = scene.world.root().join("bin");
    let path = variable(scene, "PATH");
    std::env::join_paths(std::env::split_paths(&path).filter(|directory| *directory != own)).unwrap()
}

fn variable(scene: &Scene, name: &str) -> OsString {
    scene.world.variables().into_iter().find(|(its, _)| its == name).unwrap().1
}

/// The PATH of an agent.
fn path_of(pid: u32) -> String {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let mut pairs = environ.split(|byte| *byte == 0).filter_map(|pair| pair.strip_prefix(b"PATH="));
    String::from_utf8_lossy(pairs.next_back().unwrap()).into_owned()
}

fn no_server(scene: &Scene) {
    scene.world.tmux(["kill-server"]);
    await_some("no agent", || scene.agents().is_empty().then_some(()));
}

#[test]
fn a_service_begins_a_server_with_the_path_of_the_last_start_from_a_terminal() {
    let scene = Scene::new(ONE);
    scene.world.workspace("one");
    assert_eq!(in_a_service(&scene, &["apply", "--yes", "--json"]).is(3).outcome("one").1, "program-missing");
    let applied = at_a_terminal(&scene, "apply --yes");
    assert_eq!(applied.code, Some(0), "{}", applied.stdout);
    let kept = scene.state().join("terminal-path");
    assert_eq!(OsStr::new(&std::fs::read_to_string(&kept).unwrap()), variable(&scene, "PATH"));
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    scene.prompt("one", &scene.world.workspace("one"));
    no_server(&scene);
    assert_eq!(in_a_service(&scene, &["plan", "--json"]).is(2).json()["actions"][0]["state"], "planned");
    assert_eq!(in_a_service(&scene, &["apply", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!(OsStr::new(&path_of(scene.agents().remove(0).0)), variable(&scene, "PATH"));
    // What is begun without a terminal is not kept.
    assert_eq!(OsStr::new(&std::fs::read_to_string(&kept).unwrap()), variable(&scene, "PATH"));
    let doctor = in_a_service(&scene, &["doctor"]).stdout;
    let row = doctor.lines().find(|line| line.contains("of the last start from a terminal")).unwrap_or_default();
    assert!(row.contains(variable(&scene, "PATH").to_str().unwrap()), "{doctor}");
}

#[test]
fn a_person_at_a_terminal_gets_the_path_of_that_terminal() {
    let scene = Scene::new(ONE);
    scene.world.workspace("one");
    std::fs::create_dir_all(scene.state()).unwrap();
    std::fs::write(scene.state().join("terminal-path"), "/nowhere").unwrap();
    assert_eq!(in_a_service(&scene, &["plan", "--json"]).is(3).json()["actions"][0]["blocked"]["code"], "program-missing");
    let applied = at_a_terminal(&scene, "apply --yes");
    assert_eq!(applied.code, Some(0), "{}", applied.stdout);
    assert_eq!(OsStr::new(&path_of(scene.agents().remove(0).0)), variable(&scene, "PATH"));
}
