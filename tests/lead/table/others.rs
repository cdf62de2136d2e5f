//! Faults that somebody else makes: who has the conversation open elsewhere, and other headcounts at the same time.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::super::scene::{Ran, Scene};
use super::super::support::await_some;
use super::super::zellij::Zellij;
use super::rows::{APPLY, Struck, apply, end_server, spoken};

pub(super) fn open_elsewhere(scene: &Scene, server: &str) -> Struck {
    let (_, id) = spoken(scene);
    end_server(scene);
    let (lab, socket) = (scene.world.workspace("one"), scene.world.named_socket(server));
    let pid = scene.world.session_on(&socket, "mine", &lab, &format!("exec claude --resume {id}"));
    scene.world.registered(pid);
    Ok(apply(scene))
}

pub(super) fn open_nowhere(scene: &Scene) -> Struck {
    let (_, id) = spoken(scene);
    end_server(scene);
    let mut command = Command::new("setsid");
    command.args(["script", "-qec", &format!("claude --resume {id}"), "/dev/null"]).env_clear().envs(scene.world.variables());
    command.current_dir(scene.world.workspace("one")).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("script: {error}"))?;
    await_some("the agent", || (scene.agents().len() == 1).then_some(()));
    let ran = apply(scene);
    // It ends with its input, but only after the row was judged.
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(6));
        drop(child.stdin.take());
        let _ = child.wait();
    });
    Ok(ran)
}

/// In a zellij of this world, which ends by itself, but only after the row was judged.
pub(super) fn open_in_zellij(scene: &Scene) -> Struck {
    let zellij = Zellij::in_world(Arc::clone(&scene.world)).ok_or("there is no zellij to test against")?;
    let (_, id) = spoken(scene);
    end_server(scene);
    let pid = zellij.session("mine", &scene.world.workspace("one"), &["claude", "--resume", &id]);
    scene.world.registered(pid);
    let ran = apply(scene);
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(6));
        drop(zellij);
    });
    Ok(ran)
}

pub(super) fn other_manifest(scene: &Scene) -> Struck {
    apply(scene).is(0);
    let other = scene.world.root().join("other.yaml");
    std::fs::write(&other, scene.text().replace("desired: running", "desired: stopped")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.env_clear().envs(scene.world.variables()).args(APPLY).arg("-f").arg(other);
    Ok(Ran::from(command.stdin(Stdio::null()).output().unwrap()))
}

/// While one acts, another with a HOME and a manifest of its own, and by an alias of the socket's directory.
pub(super) fn other_home(scene: &Scene) -> Struck {
    let socket = scene.world.socket();
    let alias = scene.world.root().join("alias");
    std::os::unix::fs::symlink(scene.world.root().join("tmux"), &alias).unwrap();
    let lock = headcount::store::operations::SessionLock::take(
        &headcount::store::paths::StateHome::at(scene.world.root().join("mine")),
        &socket,
        "one",
    );
    let _lock = lock.map_err(|error| error.to_string())?;
    let home = scene.world.root().join("other-home");
    std::fs::create_dir(&home).unwrap();
    let ran = scene.command(APPLY).env("HOME", home).env("TMUX_TMPDIR", alias).output().unwrap();
    Ok(Ran::from(ran))
}

pub(super) fn four(scene: &Scene) -> Struck {
    let all: Vec<_> =
        (0..4).map(|_| scene.command(APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    for child in all {
        let ran = Ran::from(child.wait_with_output().unwrap());
        if !matches!(ran.code, Some(0 | 75)) {
            return Ok(ran);
        }
    }
    Ok(apply(scene))
}

pub(super) fn stopped_and_continued(scene: &Scene) -> Struck {
    let child = scene.command(APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let signal = |name: &str| Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    await_some("its operation", || (scene.left("begun.json") == 1).then_some(()));
    signal("-STOP");
    let beside = apply(scene);
    signal("-CONT");
    let ran = Ran::from(child.wait_with_output().unwrap());
    // Whoever came meanwhile started nothing: it is refused, or all was there already.
    if matches!(beside.code, Some(75 | 0)) { Ok(ran) } else { Ok(beside) }
}

pub(super) fn beside_a_watch(scene: &Scene) -> Struck {
    spoken(scene);
    let mut watch = scene.command(&["watch", "--enforce", "--json", "--interval", "5s"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut said = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("started")));
    std::thread::spawn(move || said.for_each(drop));
    for _ in 0..3 {
        end_server(scene);
        // Whoever comes second finds it done, or that somebody is at it.
        await_some("all as it should be", || (apply(scene).code == Some(0) && scene.agents().len() == 1).then_some(()));
    }
    let _ = watch.kill();
    let _ = watch.wait();
    Ok(apply(scene))
}
