//! Talking to an agent against the budgets of driving: a text until the agent has it, an answer until it is printed, and what a hook
//! costs the agent that runs it.
//!
//! The agent is the stand-in that draws the composer of Claude Code. `BENCH_TRIES` sets how often each is timed (40).
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[allow(dead_code, reason = "shared with the other benchmarks")]
#[path = "support/budgets.rs"]
mod budgets;
#[allow(dead_code, reason = "shared with the other benchmarks")]
#[path = "support/report.rs"]
mod report;
#[path = "../tests/lead/scene.rs"]
mod scene;
#[path = "../tests/support/mod.rs"]
mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use report::{Measure, Reporter, median, millis};
use scene::Scene;
use support::await_some;

const LOOK: Duration = Duration::from_micros(500);

fn main() {
    let tries = std::env::var("BENCH_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let mut report = Reporter::begin("drive");
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
    scene.world.program("claude", include_str!("../tests/support/talking_claude.py"));
    let cwd = scene.world.workspace("one");
    let claude = scene.world.claude_session("one", &cwd);
    let transcript = scene.world.transcript(&cwd, &claude.id);
    await_some("its composer", || shows(&scene, "manual mode on").then_some(()));
    scene.run(&["record"]).is(0);
    sends(&mut report, &scene, &transcript, tries);
    asks(&mut report, &scene, &transcript, tries);
    emits(&mut report, &scene, tries);
}

fn shows(scene: &Scene, text: &str) -> bool {
    scene.world.tmux(["capture-pane", "-p", "-t", "=one:"]).contains(text)
}

fn holds(transcript: &Path, text: &str) -> bool {
    std::fs::read_to_string(transcript).is_ok_and(|lines| lines.contains(text))
}

fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::sleep(LOOK);
    }
}

/// The answer of the stand-in to this text has ended.
fn is_over(transcript: &Path, turns: usize) -> bool {
    std::fs::read_to_string(transcript).is_ok_and(|lines| lines.matches("turn_duration").count() >= turns)
}

/// In turns by hand and by headcount. By hand Enter follows as soon as the text is on the screen, as headcount does it.
fn sends(report: &mut Reporter, scene: &Scene, transcript: &Path, tries: usize) {
    let (mut by_hand, mut own, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..tries {
        let text = format!("by hand number {at} of these");
        let begun = Instant::now();
        let mut load = Command::new("tmux");
        load.args(["-u", "-S"]).arg(scene.world.socket()).args(["load-buffer", "-b", "b", "-", ";"]);
        load.args(["paste-buffer", "-p", "-r", "-d", "-b", "b", "-t", "=one:"]).stdin(Stdio::piped());
        let mut load = load.env_clear().envs(scene.world.variables()).spawn().unwrap();
        load.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        load.wait().unwrap();
        until(|| shows(scene, &text));
        scene.world.tmux(["send-keys", "-t", "=one:", "Enter"]);
        until(|| holds(transcript, &text));
        by_hand.push(millis(begun.elapsed()));
        until(|| is_over(transcript, 2 * at + 1));
        let text = format!("by headcount number {at} of these");
        let begun = Instant::now();
        let mut send = scene.command(&["send", "one", &text]).stdout(Stdio::null()).spawn().unwrap();
        until(|| holds(transcript, &text));
        own.push(millis(begun.elapsed()));
        assert!(send.wait().unwrap().success());
        whole.push(millis(begun.elapsed()));
        until(|| is_over(transcript, 2 * at + 2));
    }
    report.budget("drive.send.p50", Measure::median(&own).paired("load-buffer, paste, Enter by hand", &own, &by_hand));
    report.measured("drive.send.command", "`headcount send`, the whole command, delivered", "ms", Measure::median(&whole));
}

/// From the line that ends the turn to the end of the command.
fn asks(report: &mut Reporter, scene: &Scene, transcript: &Path, tries: usize) {
    let turns = std::fs::read_to_string(transcript).unwrap().matches("turn_duration").count();
    let mut late = Vec::new();
    for at in 0..tries {
        let text = format!("asked number {at}\n@@slow 0.3\n@@say so it is");
        let mut ask = scene.command(&["ask", "one", &text]).stdout(Stdio::null()).spawn().unwrap();
        until(|| is_over(transcript, turns + at + 1));
        let ended = Instant::now();
        assert!(ask.wait().unwrap().success());
        late.push(millis(ended.elapsed()));
    }
    report.budget("drive.ask.p50", Measure::median(&late));
}

/// A hook with what an agent says to it, beside a program that does nothing.
fn emits(report: &mut Reporter, scene: &Scene, tries: usize) {
    let payload = br#"{"session_id":"5e1f0c1e-0000-4000-8000-000000000001","hook_event_name":"Stop","cwd":"/w"}"#;
    let run = |mut command: Command| {
        let begun = Instant::now();
        let mut child = command.env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(payload);
        child.wait().unwrap();
        millis(begun.elapsed())
    };
    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..tries * 5 {
        floor.push(run(Command::new("/bin/true")));
        let mut emit = Command::new(env!("CARGO_BIN_EXE_headcount"));
        emit.args(["hook", "emit"]).arg(scene.state()).args(["claude", "Stop"]);
        own.push(run(emit));
    }
    report.budget("drive.emit.p50", Measure::median(&own).over("fork and exec of /bin/true", median(&floor)));
}
