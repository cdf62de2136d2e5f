//! Starting sessions against the budgets of leading: one until it is verified, twenty after their server died, and what the launcher
//! costs while its agent runs.
//!
//! The agent is a stand-in that takes as long to be ready as Claude Code does on an idle machine. `BENCH_TRIES` sets how often a start
//! is timed (15).
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

use std::fs;
use std::time::{Duration, Instant};

use report::{Measure, Reporter, median, millis};
use scene::{Scene, is_alive};
use support::await_some;

/// How long the stand-in takes until it says that it is ready.
const READY: &str = "0.7";
const SESSIONS: usize = 20;
/// How long an idle launcher is observed.
const IDLE: Duration = Duration::from_secs(10);
const BY_HAND: &str = "tmux new-session until its registry says idle";

fn main() {
    let tries = std::env::var("BENCH_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    let mut report = Reporter::begin("lead");
    let floor = starts(&mut report, tries);
    back(&mut report, floor);
    launcher(&mut report);
}

/// A world with a server, whose stand-in takes as long to be ready as the real one.
fn world(entries: &str) -> Scene {
    let scene = Scene::new(entries);
    let text = fs::read_to_string(scene.world.claude()).unwrap();
    let slow = text.replacen("\nbegin\n[ -n", &format!("\nsleep {READY}\nbegin\n[ -n"), 1);
    assert_ne!(slow, text);
    scene.world.program("claude", &slow);
    let text = scene.text().replace("ready: 10s", "ready: 30s");
    fs::write(scene.manifest(), text).unwrap();
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 100000");
    scene
}

/// One start after the other, in turns by hand and by headcount. Gives the median by hand.
fn starts(report: &mut Reporter, tries: usize) -> f64 {
    let entries: String =
        (0..tries).map(|at| format!("  - {{ name: one-{at}, agent: claude, cwd: LAB/one-{at} }}\n")).collect();
    let scene = world(&entries);
    let (mut by_hand, mut whole, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..tries {
        let cwd = scene.world.workspace(format!("hand-{at}"));
        let begun = Instant::now();
        let pid = scene.world.session(
            &format!("hand-{at}"),
            &cwd,
            &format!("exec claude --session-id 00000000-0000-4000-8000-{at:012}"),
        );
        let registry = scene.world.home().join(format!(".claude/sessions/{pid}.json"));
        while !fs::read_to_string(&registry).is_ok_and(|text| text.contains("idle")) {
            std::thread::sleep(Duration::from_millis(1));
        }
        by_hand.push(millis(begun.elapsed()));
        let name = format!("one-{at}");
        scene.world.workspace(&name);
        let begun = Instant::now();
        let ran = scene.run(&["start", &name, "--json"]).is(0);
        whole.push(millis(begun.elapsed()));
        own.push(ran.json()["operations"][0]["took_ms"].as_f64().unwrap());
    }
    report.budget("lead.start", Measure::median(&own).over(BY_HAND, median(&by_hand)));
    report.measured("lead.start.command", "`headcount start`, the whole command, recorded", "ms", Measure::median(&whole));
    median(&by_hand)
}

/// All come back in their conversations after their server died.
fn back(report: &mut Reporter, floor: f64) {
    let entries: String = (0..SESSIONS)
        .map(|at| format!("  - {{ name: one-{at}, agent: claude, cwd: LAB/one-{at}, desired: running }}\n"))
        .collect();
    let scene = world(&entries);
    (0..SESSIONS).for_each(|at| drop(scene.world.workspace(format!("one-{at}"))));
    scene.run(&["apply", "--yes"]).is(0);
    for at in 0..SESSIONS {
        scene.prompt(&format!("one-{at}"), &scene.world.workspace(format!("one-{at}")));
    }
    scene.run(&["record"]).is(0);
    let before = conversations(&scene);
    let agents = scene.agents();
    scene.world.tmux(["kill-server"]);
    await_some("the end of the agents", || agents.iter().all(|(pid, _)| !is_alive(*pid)).then_some(()));
    let begun = Instant::now();
    scene.run(&["apply", "--yes"]).is(0);
    let took = millis(begun.elapsed());
    assert_eq!(conversations(&scene), before, "each in its own");
    report.budget("lead.back", Measure::single(took).over("ten starts by hand, one after the other", 10.0 * floor));
}

fn conversations(scene: &Scene) -> Vec<String> {
    let mut all: Vec<String> = scene.agents().into_iter().map(|(_, id)| id).collect();
    all.sort();
    assert_eq!(all.len(), SESSIONS);
    all
}

/// What the launcher takes while its agent runs and nothing happens.
fn launcher(report: &mut Reporter) {
    let scene = world("  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n");
    scene.run(&["apply", "--yes"]).is(0);
    let pid = scene.world.tmux(["list-panes", "-t", "=one:", "-F", "#{pane_pid}"]);
    let of = |file: &str, field: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let values = text.lines().filter_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<f64>().ok());
        values.sum::<f64>()
    };
    let memory = (of("smaps_rollup", "Private_Clean:") + of("smaps_rollup", "Private_Dirty:")) / 1024.0;
    report.budget("lead.launcher.memory", Measure::single(memory));
    report.measured(
        "lead.launcher.resident",
        "the same with what it shares with others",
        "MiB",
        Measure::single(of("status", "VmRSS:") / 1024.0),
    );
    let woken = || of("status", "voluntary_ctxt_switches:") + of("status", "nonvoluntary_ctxt_switches:");
    let before = woken();
    std::thread::sleep(IDLE);
    report.budget("lead.launcher.woken", Measure::single(woken() - before));
}
