//! A job whose launcher, or the script around its agent, has just been killed.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::Scene;
use super::jobs::AGENT;
use super::support::{await_end, await_some};
use super::terminal_jobs::Desk;

#[test]
fn it_goes_on_although_the_system_has_not_let_go_of_what_its_launcher_held() {
    let scene = Scene::new("  []\n");
    std::fs::write(scene.manifest(), "version: 1\nsessions: []\n").unwrap();
    scene.world.program("codex", AGENT);
    let words = ["job", "run", "--agent", "codex", "--headless", "--permissions", "edit", "--prompt", "hello @@slow 2"];
    let id = scene.run(&words).is(0).stdout.lines().next().unwrap().to_owned();
    let job = scene.state().join("jobs").join(&id);
    await_some("its conversation", || job.join("session-id").exists().then_some(()));
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(job.join("lock")).unwrap()).unwrap();
    let launcher = u32::try_from(said["pid"].as_u64().unwrap()).unwrap();
    assert!(Command::new("kill").args(["-KILL", &launcher.to_string()]).status().unwrap().success());
    await_end(launcher);
    let lock = File::open(job.join("lock")).unwrap();
    await_some("its lock", || flock(&lock, FlockOperation::NonBlockingLockExclusive).ok());
    let letting_go = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(lock);
    });
    assert_eq!(scene.run(&["job", "resume", &id]).is(0).stdout, format!("{id}: begun.\n"));
    letting_go.join().unwrap();
    // Who lives is not waited for.
    assert!(scene.run(&["job", "resume", &id]).is(0).stdout.contains("skipped"));
    scene.run(&["job", "wait", &id]).is(0);
}

#[test]
fn a_job_whose_maker_is_killed_is_whole_or_called_off() {
    let scene = Scene::new("  []\n");
    std::fs::write(scene.manifest(), "version: 1\nsessions: []\n").unwrap();
    scene.world.program("codex", AGENT);
    let points = scene.world.root().join("points");
    std::fs::create_dir(&points).unwrap();
    let words = ["job", "run", "--agent", "codex", "--headless", "--permissions", "edit", "--prompt", "hello"];
    for (point, statuses) in [
        // Before it has a record, before it has files, when it is whole.
        ("engine after keep a record 1", vec![]),
        ("engine before make the job's directory 1", vec!["cancelled"]),
        ("engine after spec.json 1", vec!["cancelled", "completed"]),
        ("engine before take a record out 1", vec!["cancelled", "completed", "completed"]),
    ] {
        std::fs::write(points.join("kill"), point).unwrap();
        let ran = scene.command(&words).env("FAULTS_OF_HEADCOUNT", &points).output().unwrap();
        assert_eq!((ran.status.code(), ran.stdout.as_slice()), (None, &[][..]), "{point}: {ran:?}");
        scene.run(&["job", "resume", "--all"]).is(0);
        let ended = || {
            let listed = scene.run(&["job", "list", "--json"]).is(0).json();
            let status = |job: &serde_json::Value| job["status"].as_str().unwrap().to_owned();
            let mut all: Vec<String> = listed["jobs"].as_array().unwrap().iter().map(status).collect();
            all.sort();
            (all == statuses).then_some(())
        };
        await_some(point, ended);
        assert_eq!(std::fs::read_dir(scene.state().join("submitting")).unwrap().count(), 0, "{point}");
    }
}

#[test]
fn what_is_left_at_the_terminal_of_a_job_that_is_over_is_hung_up() {
    let desk = Desk::in_tmux();
    let world = &desk.scene.world;
    // It lasts whatever becomes of its terminal, unless it is told to end.
    let lasts = "import sys, time\nsys.excepthook = lambda *_: [time.sleep(0.1) for _ in iter(int, 1)]\nimport datetime";
    let text = std::fs::read_to_string(world.claude()).unwrap().replacen("import datetime", lasts, 1);
    world.program("claude", &text);
    world.wrap_claude();
    let id = desk.job("hello @@say hi", &[]);
    assert_eq!(desk.done(&id)["outcome"], "completed");
    let script: u32 = desk.text(&id, "agent.1").trim().parse().unwrap();
    let children = std::fs::read_to_string(format!("/proc/{script}/task/{script}/children")).unwrap();
    let agent: u32 = children.trim().parse().unwrap();
    assert!(Command::new("kill").args(["-KILL", &script.to_string()]).status().unwrap().success());
    await_end(agent);
    desk.scene.run(&["job", "stop", &id]).is(0);
}
