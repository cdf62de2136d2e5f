//! `headcount diff` over 1, 100 and 1000 tmux sessions with 10,000 transcripts on disk, paired with one bare
//! `tmux -u list-panes -a` on the same server: prints both medians, their ratio and the budget (2.0 × floor + 3 ms).
//!
//! Owns its world: a private tmux server below a temp directory, a temp HOME. Never touches the default server.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{TRANSCRIPTS, World, age};

/// Budget of design §12: a multiple of the floor, and a constant.
const MULTIPLE: f64 = 2.0;
const CONSTANT: Duration = Duration::from_millis(3);

fn main() {
    if let Some(sessions) = std::env::var("BENCH_KEEP").ok().and_then(|text| text.parse().ok()) {
        keep(sessions);
        return;
    }
    let pairs = std::env::var("BENCH_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(41);
    println!("headcount diff, {TRANSCRIPTS} transcripts on disk, paired with `tmux -u list-panes -a`, {pairs} pairs, medians");
    println!(
        "{:>9} {:>10} {:>11} {:>11} {:>7} {:>11}  budget",
        "sessions", "world", "floor ms", "diff ms", "ratio", "budget ms"
    );
    let mut missed = false;
    for sessions in [1, 100, 1000] {
        let world = World::new(sessions);
        for (label, manifest) in [("in sync", &world.recorded), ("unrecorded", &world.declared)] {
            fs::write(world.manifest(), manifest).unwrap();
            age(&world.manifest());
            missed |= measure(&world, sessions, label, pairs);
        }
    }
    if missed {
        println!("\nA budget was missed; `BENCH_KEEP=1000` keeps such a world for a profiler.");
    }
}

/// Builds a world of so many sessions, says how to use it, and keeps it until a line is typed: for a profiler.
fn keep(sessions: usize) {
    let world = World::new(sessions);
    fs::write(world.manifest(), &world.recorded).unwrap();
    fs::write(world.home().join("unrecorded.yaml"), &world.declared).unwrap();
    let (home, tmux, manifest) = (world.home(), world.path("tmux"), world.manifest());
    println!("export HOME={home:?} TMUX_TMPDIR={tmux:?} HEADCOUNT_MANIFEST={manifest:?}");
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Times both commands in turn and prints a row; true if the budget was missed.
fn measure(world: &World, sessions: usize, label: &str, pairs: usize) -> bool {
    let expected = if label == "in sync" { 0 } else { 2 };
    let (mut floors, mut diffs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs + 3 {
        let (floor, _) = time(world.tmux().args(["-u", "list-panes", "-a"]));
        let (diff, code) = time(world.command(env!("CARGO_BIN_EXE_headcount")).arg("diff"));
        assert_eq!(code, expected, "headcount diff over {sessions} sessions, {label}");
        if pair >= 3 {
            floors.push(floor);
            diffs.push(diff);
            ratios.push(diff.as_secs_f64() / floor.as_secs_f64());
        }
    }
    let (floor, diff) = (median(&mut floors), median(&mut diffs));
    ratios.sort_by(f64::total_cmp);
    let budget = floor.mul_f64(MULTIPLE) + CONSTANT;
    let kept = diff <= budget;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{sessions:>9} {label:>10} {:>11.2} {:>11.2} {:>7.2} {:>11.2}  {}",
        ms(floor),
        ms(diff),
        ratios[ratios.len() / 2],
        ms(budget),
        if kept { "kept" } else { "MISSED" }
    );
    if !kept {
        println!("{:>20} {}", "spent:", profile(world));
    }
    !kept
}

/// Where one run of the command spends its time, by its own account.
fn profile(world: &World) -> String {
    let mut command = world.command(env!("CARGO_BIN_EXE_headcount"));
    command.args(["diff", "--log-format", "json"]).env("RUST_LOG", "headcount::time=debug").stdin(Stdio::null());
    let said = command.output().unwrap().stderr;
    let lines = said.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let stage = |line: Value| Some(format!("{} {:.1} ms", line["stage"].as_str()?, line["ms"].as_f64()?));
    lines.filter_map(stage).collect::<Vec<_>>().join(", ")
}

fn time(command: &mut Command) -> (Duration, i32) {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    (start.elapsed(), status.code().unwrap_or(-1))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
