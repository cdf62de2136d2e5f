//! `headcount diff` over 1, 100 and 1000 tmux sessions with 10,000 transcripts on disk, paired with one bare
//! `tmux -u list-panes -a` on the same server: both medians, their ratio and the budget.
//!
//! Owns its world: a private tmux server below a temp directory, a temp HOME. Never touches the default server. `BENCH_PAIRS` sets
//! how often each is run (41), `BENCH_KEEP` keeps a world of so many sessions for a profiler.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::process::Stdio;

use serde_json::Value;
use support::program::time;
use support::report::{Measure, Reporter, millis};
use support::{World, age, number};

/// Each world, with the budget of a manifest in which everything is recorded, and of one in which nothing is.
const WORLDS: [(usize, &str, &str); 3] = [
    (1, "diff.recorded.1", "diff.unrecorded.1"),
    (100, "diff.recorded.100", "diff.unrecorded.100"),
    (1000, "diff.recorded.1000", "diff.unrecorded.1000"),
];

fn main() {
    if let Some(sessions) = std::env::var("BENCH_KEEP").ok().and_then(|text| text.parse().ok()) {
        keep(sessions);
        return;
    }
    let pairs = number("BENCH_PAIRS", 41);
    let mut report = Reporter::begin("diff");
    for (sessions, recorded, unrecorded) in WORLDS {
        let world = World::new(sessions);
        for (budget, manifest, code) in [(recorded, &world.recorded, 0), (unrecorded, &world.declared, 2)] {
            fs::write(world.manifest(), manifest).unwrap();
            age(&world.manifest());
            let measure = measure(&world, code, pairs);
            if !report.budget(budget, measure) {
                report.note(&format!("         spent: {}", profile(&world)));
            }
        }
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

/// Times both commands in turn.
fn measure(world: &World, expected: i32, pairs: usize) -> Measure {
    let (mut floors, mut diffs) = (Vec::new(), Vec::new());
    for pair in 0..pairs + 3 {
        let (floor, _) = time(world.tmux().args(["-u", "list-panes", "-a"]));
        let (diff, code) = time(world.command(env!("CARGO_BIN_EXE_headcount")).arg("diff"));
        assert_eq!(code, expected, "headcount diff");
        if pair >= 3 {
            floors.push(millis(floor));
            diffs.push(millis(diff));
        }
    }
    Measure::median(&diffs).paired("tmux -u list-panes -a", &diffs, &floors)
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
