//! `status --watch`: what is shown again, when, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::support::program;
use crate::verbs::Scene;

const ALIVE: &str = "alive-creator-claude";

/// A `status --watch` that is ended with its test, and its answers.
struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    complaints: BufReader<ChildStderr>,
}

impl Following {
    fn start(scene: &Scene, more: &[&str]) -> Self {
        let arguments = [&["ls", "-w", "--interval", "100ms"], more].concat();
        let mut child = scene.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let complaints = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines, complaints }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("a line").unwrap()).unwrap()
    }

    /// Waits for an error on stderr, and gives it.
    fn complaint(&mut self) -> String {
        let mut line = String::new();
        while !line.starts_with("error: manifest") {
            line.clear();
            assert_ne!(self.complaints.read_line(&mut line).unwrap(), 0, "no complaint came");
        }
        line
    }

    /// Sends a signal; how it ended, what else it printed, and what it said on stderr.
    fn end(mut self, signal: &str) -> (Option<i32>, Vec<String>, String) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        let mut said = String::new();
        self.complaints.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), rest, said)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn observed(status: &Value, name: &str) -> String {
    let rows = status["sessions"].as_array().unwrap();
    let row = rows.iter().find(|row| row["session"]["name"] == name).unwrap();
    row["observed"].as_str().unwrap().to_owned()
}

#[test]
fn each_change_is_one_more_document_and_a_quiet_world_prints_nothing() {
    let scene = Scene::drifted();
    let mut following = Following::start(&scene, &["-o", "json"]);
    assert_eq!(observed(&following.next(), ALIVE), "alive");
    scene.world.tmux(["kill-session", "-t", ALIVE]);
    while observed(&following.next(), ALIVE) != "gone" {}
    // As many looks as would have shown it again.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (code, rest, said) = following.end("-TERM");
    assert_eq!((code, rest.len(), said.as_str()), (Some(0), 0, ""), "{rest:?}");
}

#[test]
fn a_manifest_that_breaks_is_reported_once_and_the_next_good_one_is_shown() {
    let scene = Scene::drifted();
    let good = scene.text();
    let mut following = Following::start(&scene, &["--json"]);
    following.next();
    std::fs::write(scene.manifest(), "version: 1\nsessions: [\n").unwrap();
    let complaint = following.complaint();
    assert!(complaint.contains("cannot be used: 1 error"), "{complaint}");
    // As many looks as would have complained again.
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::fs::write(scene.manifest(), good.replace("gone-creator-claude", "lost-creator-claude")).unwrap();
    while !following.next().to_string().contains("lost-creator-claude") {}
    let (code, _, said) = following.end("-INT");
    assert_eq!(code, Some(130));
    assert!(!said.contains("error: manifest"), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let scene = Scene::drifted();
    let mut child = scene.command(&["status", "-w", "-o", "name"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), ALIVE);
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_terminal_shows_the_table_in_place_and_gets_its_screen_back() {
    let scene = Scene::drifted();
    let line = format!("{} status -w --interval 100ms & sleep 2; kill -INT $!; wait $!", program().display());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_clear().envs(scene.world.variables());
    command.envs([("TERM", "xterm"), ("SHELL", "/bin/sh")]).current_dir(scene.world.root()).stdin(Stdio::null());
    let output = command.output().expect("script(1) of util-linux");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("\u{1b}[?1049h") && shown.matches(ALIVE).count() > 2, "{shown:?}");
    let (_, after) = shown.rsplit_once("\u{1b}[?1049l").expect("the terminal as it was");
    assert!(after.contains(ALIVE) && after.contains("SESSION"), "{after:?}");
}
