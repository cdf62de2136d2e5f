//! A job whose launcher has just been killed.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::Scene;
use super::jobs::AGENT;
use super::support::{await_end, await_some};

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
