//! Jobs after a reboot: the boot that began them is another one, its sockets are gone, and its process ids are somebody else's.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::jobs::AGENT;
use super::support::{await_end, await_some};
use super::terminal_jobs::{Desk, in_time};
use super::{Scene, is_alive};

/// Makes what was written down look as if it was of an earlier boot, and gives the process ids in it to a stranger.
fn of_an_earlier_boot(job: &Path, operations: &Path, stranger: u32) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let replace = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace(boot.trim(), "00000000-0000-4000-8000-000000000000")).unwrap();
    };
    assert!(std::fs::read_to_string(job.join("attempts")).unwrap().contains(boot.trim()), "it names its boot");
    replace(&job.join("attempts"));
    for operation in operations.read_dir().unwrap() {
        replace(&operation.unwrap().path().join("begun.json"));
    }
    std::fs::write(job.join("agent.1"), format!("{stranger}\n")).unwrap();
    let mut placed: Value = serde_json::from_str(&std::fs::read_to_string(job.join("placed")).unwrap()).unwrap();
    placed["server"] = stranger.into();
    std::fs::write(job.join("placed"), placed.to_string()).unwrap();
}

/// Runs a watch until a job is over.
fn watched_to_its_end(scene: &Scene, job: &Path) -> Value {
    let mut watch = scene.command(&["watch", "--enforce", "--interval", "1s"]);
    let mut watch = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let done = || serde_json::from_str(&std::fs::read_to_string(job.join("done")).ok()?).ok();
    let done = in_time("the end of the job", done);
    let _ = watch.kill();
    let _ = watch.wait();
    done
}

fn agent(job: &Path) -> u32 {
    await_some("its agent", || std::fs::read_to_string(job.join("agent.1")).ok()?.trim().parse().ok())
}

#[test]
fn a_job_without_a_terminal_goes_on_after_a_reboot() {
    let scene = Scene::new("  []\n");
    std::fs::write(scene.manifest(), "version: 1\nlead: { backoff: { first: 0s, most: 0s } }\nsessions: []\n").unwrap();
    for name in ["claude", "codex"] {
        scene.world.program(name, AGENT);
    }
    let mut stranger = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    for name in ["claude", "codex"] {
        let words = ["job", "run", "--agent", name, "--headless", "--permissions", "edit", "--prompt", "hello @@slow 3"];
        let begun = || Some(scene.run(&words)).filter(|ran| !ran.stderr.contains("error: unknown: "));
        let id = await_some("the job", begun).is(0).stdout.lines().next().unwrap().to_owned();
        let job = scene.state().join("jobs").join(&id);
        await_some("its conversation", || job.join("session-id").exists().then_some(()));
        let agent = agent(&job);
        scene.world.crash_server();
        await_end(agent);
        of_an_earlier_boot(&job, &scene.state().join("operations"), stranger.id());
        let done = watched_to_its_end(&scene, &job);
        assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)), "{done}");
        let talk =
            std::fs::read_to_string(scene.world.home().join("talks").join(done["session_id"].as_str().unwrap())).unwrap();
        assert_eq!(talk, "hello @@slow 3\0Continue the previous task\0");
        assert!(is_alive(stranger.id()), "who has its number is left alone");
        scene.run(&["job", "stop", &id]).is(0);
    }
    assert!(!scene.saw_a_second());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_job_at_a_terminal_goes_on_after_a_reboot() {
    for desk in Desk::everywhere() {
        let mut stranger = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let id = desk.job("hello\n@@slow 300", &["--name", "boot"]);
        let job = desk.scene.state().join("jobs").join(&id);
        desk.has_begun(&id);
        let agent = agent(&job);
        desk.crash("claude-boot");
        await_end(agent);
        of_an_earlier_boot(&job, &desk.scene.state().join("operations"), stranger.id());
        let done = watched_to_its_end(&desk.scene, &job);
        assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)), "{done}");
        let said = desk.prompts(done["session_id"].as_str().unwrap());
        assert_eq!(said, ["hello\n@@slow 300", "Continue the previous task"]);
        assert!(is_alive(stranger.id()), "who has its number is left alone");
        desk.scene.run(&["job", "stop", &id]).is(0);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
