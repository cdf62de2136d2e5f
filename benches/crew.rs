//! Looking at a crew of fifty workers against its budgets: its status behind a long log, and what was said since a moment. Nothing runs:
//! both read files alone.
//!
//! `BENCH_TRIES` sets how often each is timed (40).
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

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use report::{Measure, Reporter, median, millis};
use scene::Scene;
use serde_json::{Value, json};

const WORKERS: usize = 50;
const TASKS: usize = 1_000;
const ENTRIES: usize = 10_000;
/// What a worker has not read yet.
const NEW: usize = 20;
const AT: &str = "2026-01-01T00:00:00Z";
const FLOOR: &str = "cat of the file";

fn main() {
    let tries = std::env::var("BENCH_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let mut report = Reporter::begin("crew");
    let entries: String = (0..WORKERS)
        .map(|at| format!("  - {{ name: w{at}, agent: claude, cwd: LAB/w{at}, crew: {{ name: all, role: worker }} }}\n"))
        .collect();
    let scene = Scene::new(&entries);
    let home = scene.world.root().join("all");
    let directory = home.to_str().unwrap();
    scene.run(&["crew", "init", directory]).is(0);
    std::fs::write(home.join("tasks.jsonl"), log()).unwrap();
    std::fs::write(home.join("context/context.jsonl"), said()).unwrap();

    let status = ["crew", "status", directory, "--json"];
    let shown: Value = serde_json::from_str(&scene.run(&status).is(0).stdout).unwrap();
    let tasks = shown["tasks"].as_array().unwrap();
    assert_eq!((tasks.len(), tasks.iter().filter(|task| task["state"] == "done").count()), (TASKS, TASKS - WORKERS));
    budget(&mut report, "crew.status", (&scene, &status), &home.join("tasks.jsonl"), tries);

    let since = (ENTRIES - NEW).to_string();
    let context = ["crew", "context", directory, "--since", &since, "--json"];
    let shown: Value = serde_json::from_str(&scene.run(&context).is(0).stdout).unwrap();
    assert_eq!(shown["entries"].as_array().unwrap().len(), NEW);
    budget(&mut report, "crew.context", (&scene, &context), &home.join("context/context.jsonl"), tries);
}

/// Times a command, in turns with `cat` of the file that it reads.
fn budget(report: &mut Reporter, id: &str, (scene, words): (&Scene, &[&str]), file: &Path, tries: usize) {
    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..tries {
        let begun = Instant::now();
        assert!(std::process::Command::new("cat").arg(file).output().unwrap().status.success());
        floor.push(millis(begun.elapsed()));
        let begun = Instant::now();
        scene.run(words).is(0);
        own.push(millis(begun.elapsed()));
    }
    report.budget(id, Measure::median(&own).over(FLOOR, median(&floor)));
}

/// Each worker has done its tasks but the last one, at which it is.
fn log() -> String {
    let (mut log, mut n) = (String::new(), 0);
    for at in 0..TASKS {
        let (worker, lease) = (format!("w{}", at % WORKERS), format!("{at:032x}"));
        let reply = |seq: u64, verb: &str, note: &str| json!({"by": worker, "event": "reply", "lease": lease, "seq": seq, "verb": verb, "note": note, "artifact": null});
        let goal = format!("find out why test number {at} of the suite fails now and then, and mend it");
        let mut records = vec![
            json!({"by": "manager", "event": "queued", "goal": goal, "input": "the log", "worker": worker, "attempts": 3, "retry": 30}),
            json!({"by": "manager", "event": "assigned", "lease": lease, "context_seq": at, "agent": null}),
            json!({"by": "manager", "event": "sent", "lease": lease, "outcome": "delivered", "receipt": "r", "why": null}),
            reply(1, "ACCEPT", "begun"),
            reply(2, "STATUS", "the test fails one time in ten on a loaded machine"),
        ];
        if at < TASKS - WORKERS {
            records.push(reply(3, "RESULT", "it waits for the file now; a hundred runs passed"));
        }
        for mut record in records {
            n += 1;
            let fields = record.as_object_mut().unwrap();
            fields.extend(
                [("n", json!(n)), ("at", json!(AT)), ("task", json!(format!("t{at}")))]
                    .map(|(key, value)| (key.to_owned(), value)),
            );
            writeln!(log, "{record}").unwrap();
        }
    }
    log
}

fn said() -> String {
    (1..=ENTRIES)
        .map(|seq| {
            let entry = json!({
                "seq": seq, "ts": AT, "task_id": format!("t{}", seq % TASKS), "from": format!("w{}", seq % WORKERS), "to": "manager",
                "type": "STATUS", "summary": format!("number {seq}: the test fails one time in ten on a loaded machine"),
                "artifact_path": null,
            });
            format!("{entry}\n")
        })
        .collect()
}
