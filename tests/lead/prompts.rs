//! The first prompt of an entry is said once, whatever is killed on the way.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::support::{await_end, await_some};
use super::{Scene, is_alive, pi};

const ONE: &str = "  - { name: one, agent: pi, cwd: LAB/one, desired: running, prompt: Begin now. }\n";

/// Every file of a conversation of the stand-in for Pi.
fn conversations(scene: &Scene) -> Vec<PathBuf> {
    let directory = scene.world.home().join(".pi/agent/sessions");
    let all = std::fs::read_dir(directory).into_iter().flatten().flatten();
    all.flat_map(|dir| std::fs::read_dir(dir.path()).into_iter().flatten().flatten()).map(|file| file.path()).collect()
}

/// How often the prompt was said, in all conversations.
fn said(scene: &Scene) -> usize {
    let texts = conversations(scene).into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts.map(|text| text.matches("Begin now.").count()).sum()
}

fn end_server(scene: &Scene) {
    let mut command = std::process::Command::new("tmux");
    command.arg("-S").arg(scene.world.socket()).arg("kill-server").stderr(std::process::Stdio::null());
    let _ = command.status().unwrap();
}

#[test]
fn killed_at_any_moment_a_start_says_its_prompt_once() {
    let whole = {
        let scene = pi::scene(ONE);
        let begun = Instant::now();
        scene.run(&["apply", "--yes"]).is(0);
        assert_eq!(said(&scene), 1);
        begun.elapsed()
    };
    for moment in 0..8_u32 {
        let scene = pi::scene(ONE);
        let mut apply = scene.command(&["apply", "--yes"]);
        let mut apply = apply.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * moment / 7);
        apply.kill().unwrap();
        apply.wait().unwrap();
        // What it began goes on for a while, and ends with its server.
        std::thread::sleep(Duration::from_millis(300));
        end_server(&scene);
        let ran = await_some("the next apply", || {
            let ran = scene.run(&["apply", "--yes", "--json"]);
            (ran.code == Some(0)).then_some(ran)
        });
        await_some("the prompt", || (said(&scene) > 0).then_some(()));
        assert_eq!((said(&scene), conversations(&scene).len()), (1, 1), "killed at {moment}/7 of a start: {ran:?}");
        // Nor is it said again when it comes back once more.
        scene.run(&["record"]).is(0);
        end_server(&scene);
        scene.run(&["apply", "--yes"]).is(0);
        assert_eq!(said(&scene), 1);
    }
}

#[test]
fn where_nobody_can_tell_whether_it_was_said_it_is_not_said_again() {
    // Codex takes no id, so nothing tells which of its conversations this was.
    let scene = Scene::new("  - { name: one, agent: codex, cwd: LAB/one, desired: running, prompt: Begin now. }\n");
    let root = scene.world.root().display().to_string();
    scene.world.program(
        "codex",
        &format!("#!/bin/bash\necho $$ >>{root}/pids\necho \"$@\" >>{root}/argv\nwhile :; do read -r _; done\n"),
    );
    let argv = || std::fs::read_to_string(scene.world.root().join("argv")).unwrap_or_default();
    let mut apply = scene.command(&["apply", "--yes"]);
    let mut apply = apply.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let pid = await_some("the agent", || {
        let pids = std::fs::read_to_string(scene.world.root().join("pids")).ok()?;
        argv().contains("Begin now.").then(|| pids.trim().parse().unwrap())
    });
    apply.kill().unwrap();
    apply.wait().unwrap();
    assert!(is_alive(pid));
    scene.world.tmux(["kill-server"]);
    await_end(pid);
    // A server that is just ending cannot be told yet.
    let refused = await_some("the refusal", || {
        let ran = scene.run(&["apply", "--yes", "--json"]);
        (ran.code != Some(4)).then_some(ran)
    });
    assert_eq!(refused.is(3).outcome("one").1, "no-id");
    assert_eq!(argv().lines().count(), 1);
}

#[test]
fn what_never_began_is_begun_with_its_prompt() {
    // It ended before it was ready, which is no conversation.
    let scene = Scene::new("  - { name: one, agent: codex, cwd: LAB/one, desired: running, prompt: Begin now. }\n");
    let root = scene.world.root().display().to_string();
    scene.world.program("codex", &format!("#!/bin/bash\necho \"$@\" >>{root}/argv\nexit 1\n"));
    for count in 1..=2 {
        assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(1).outcome("one").0, "start failed");
        let argv = std::fs::read_to_string(scene.world.root().join("argv")).unwrap();
        assert_eq!(argv.matches("Begin now.").count(), count);
    }
}
