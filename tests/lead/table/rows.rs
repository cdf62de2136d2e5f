//! The faults. Each sets itself up in a world of its own, and gives what headcount said.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::scene::{Ran, Scene};
use super::super::support::{await_end, await_some};
use super::others::{
    beside_a_watch, four, open_elsewhere, open_in_zellij, open_nowhere, other_home, other_manifest, stopped_and_continued,
};
use super::{LeadFault, ONE};

pub(super) const APPLY: &[&str] = &["apply", "--yes", "--json"];

pub(super) type Struck = Result<Ran, String>;

const fn fault(
    name: &'static str,
    strike: fn(&Scene) -> Struck,
    (code, word, says): (i32, &'static str, &'static str),
    agents: usize,
) -> LeadFault {
    LeadFault { name, strike, code, word, says, agents, heal: None }
}

const fn healed(mut fault: LeadFault, heal: fn(&Scene)) -> LeadFault {
    fault.heal = Some(heal);
    fault
}

/// Every row.
pub(crate) const ROWS: &[LeadFault] = &[
    healed(fault("program missing", program_missing, (3, "program-missing", "claude"), 0), |scene| put_back(scene, "claude")),
    healed(fault("program not in the PATH of a service", in_a_service, (3, "program-missing", "new panes"), 0), |_| ()),
    healed(fault("working directory missing", cwd_missing, (3, "cwd-missing", "one"), 0), |scene| {
        scene.world.workspace("one");
    }),
    healed(fault("working directory unreadable", cwd_unreadable, (3, "cwd-missing", "cannot be entered"), 0), |scene| {
        mode(&scene.world.workspace("one"), 0o755)
    }),
    healed(fault("agent exits 0 at once", |scene| program(scene, "exit 0"), (1, "failed", "exit code 0"), 0), real),
    healed(fault("agent exits 1 at once", |scene| program(scene, "exit 1"), (1, "failed", "exit code 1"), 0), real),
    healed(
        fault("agent is ended by a signal at once", |scene| program(scene, "kill -9 $$"), (1, "failed", "signal 9"), 0),
        real,
    ),
    fault("agent asks whether it may trust the directory", asks, (1, "untrusted", "trust: true"), 0),
    fault("agent asks somebody to sign in", asks_to_sign_in, (1, "dialog", "sign in"), 0),
    fault("agent meets a limit of use", meets_a_limit, (0, "met", ""), 1),
    fault("the script that started the agent is killed alone", script_killed, (0, "done", ""), 1),
    fault("agent hangs", hangs, (1, "unverified", "left running"), 0),
    healed(fault("transcript gone", transcript_gone, (3, "stale-id", ""), 0), |scene| {
        std::fs::rename(scene.world.root().join("kept"), scene.world.home().join(".claude/projects")).unwrap();
    }),
    fault(
        "conversation open in another session",
        |scene| open_elsewhere(scene, "default"),
        (3, "foreign-name", "renamed to mine"),
        1,
    ),
    fault("conversation open in another server", |scene| open_elsewhere(scene, "other"), (3, "claimed", ""), 1),
    fault("conversation open in the other multiplexer", open_in_zellij, (3, "claimed", ""), 1),
    fault("conversation open in a process of nobody's", open_nowhere, (3, "claimed", ""), 1),
    healed(
        fault("name taken by a person's shell", |scene| taken(scene, "exec sh"), (3, "foreign-name", "--reuse"), 0),
        no_server,
    ),
    healed(
        fault("name taken by another program", |scene| taken(scene, "exec sleep 600"), (3, "foreign-name", ""), 0),
        no_server,
    ),
    healed(fault("pane dead and kept", dead_and_kept, (3, "foreign-name", ""), 0), no_server),
    fault("a bare shell is left in its session", |scene| left_with(scene, "sh"), (0, "done", ""), 1),
    fault("another agent runs in its session", |scene| left_with(scene, "codex"), (3, "foreign-name", "codex runs there"), 0),
    fault("a person is attached and types", attached, (3, "attached", "terminal"), 1),
    fault("server stopped", server_stopped, (4, "unknown", ""), 0),
    healed(
        fault(
            "server killed as the pane is made",
            |scene| {
                around_tmux(
                    scene,
                    "*new-session*) $real \"$@\"; code=$?; sleep 0.3; $real -S \"$socket\" kill-server; exit $code;;",
                )
            },
            (1, "failed", ""),
            0,
        ),
        own_tmux,
    ),
    healed(
        fault(
            "tmux says nothing as the pane is made",
            |scene| around_tmux(scene, "*new-session*) exit 1;;"),
            (1, "failed", "tmux made nothing"),
            0,
        ),
        own_tmux,
    ),
    fault(
        "tmux says nothing although the pane was made",
        |scene| around_tmux(scene, "*new-session*) $real \"$@\" >/dev/null; sleep 0.5; exit 1;;"),
        (0, "done", ""),
        1,
    ),
    fault("tmux too old", |scene| around_tmux(scene, "*-V*) echo tmux 2.9; exit 0;;"), (3, "unsupported", "3.2"), 0),
    healed(fault("disk full before it begins", |scene| disk_full(scene, false), (1, "failed", "No space left"), 0), free),
    fault("disk full once it has begun", |scene| disk_full(scene, true), (0, "done", ""), 1),
    healed(fault("state directory cannot be written", state_read_only, (1, "failed", ""), 0), |scene| {
        mode(&scene.state(), 0o700)
    }),
    fault("manifest changed between plan and apply", manifest_changes, (75, "busy", "run it again"), 0),
    fault("another manifest", other_manifest, (3, "led-elsewhere", "--take"), 1),
    fault("another HOME and another name of the socket at the same time", other_home, (75, "busy", "another headcount"), 0),
    fault("four applies at once", four, (0, "met", ""), 1),
    healed(fault("headcount stopped in the middle, and continued", stopped_and_continued, (0, "done", ""), 1), |_| ()),
    fault("a watch that acts beside it", beside_a_watch, (0, "met", ""), 1),
    fault("suspended", suspended, (3, "suspended", "suspend"), 0),
    fault("manifest of a cloned repository", cloned, (3, "not-allowed", "headcount allow"), 0),
    fault("manifest that two users can write", shared, (3, "not-allowed", "other users"), 0),
    fault("ledger lost", ledger_lost, (0, "met", ""), 1),
    fault("clock set back after a person's stop", clock_set_back, (3, "ended-by-hand", "headcount start one"), 0),
    fault("no consent to bypass", no_consent, (3, "consent", "headcount consent bypass"), 0),
    fault("two entries of one conversation", twice, (3, "ambiguous", ""), 0),
];

pub(super) fn apply(scene: &Scene) -> Ran {
    scene.run(APPLY)
}

/// It runs and was spoken to.
pub(super) fn spoken(scene: &Scene) -> (u32, String) {
    apply(scene).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.agents().remove(0)
}

pub(super) fn end_server(scene: &Scene) {
    let agents = scene.agents();
    scene.world.tmux(["kill-server"]);
    agents.into_iter().for_each(|(pid, _)| await_end(pid));
}

fn mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn take_away(scene: &Scene, name: &str) {
    let bin = scene.world.root().join("bin");
    std::fs::rename(bin.join(name), scene.world.root().join(format!("{name}.kept"))).unwrap();
}

fn put_back(scene: &Scene, name: &str) {
    std::fs::rename(scene.world.root().join(format!("{name}.kept")), scene.world.root().join("bin").join(name)).unwrap();
}

fn real(scene: &Scene) {
    put_back(scene, "claude");
}

fn no_server(scene: &Scene) {
    scene.world.tmux(["kill-server"]);
}

fn own_tmux(scene: &Scene) {
    std::fs::remove_file(scene.world.root().join("bin/tmux")).unwrap();
}

fn program_missing(scene: &Scene) -> Struck {
    take_away(scene, "claude");
    // The machine's own would be found.
    let path = format!("{}:/usr/bin:/bin", scene.world.root().join("bin").display());
    let ran = scene.command(APPLY).env("PATH", path).output().unwrap();
    Ok(Ran::from(ran))
}

/// systemd gives no more than the directories of the system.
fn in_a_service(scene: &Scene) -> Struck {
    let bin = scene.world.root().join("bin");
    let tmux = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|dir| dir.join("tmux")).find(|it| it.exists());
    let system = scene.world.root().join("system");
    std::fs::create_dir(&system).unwrap();
    std::os::unix::fs::symlink(tmux.ok_or("no tmux")?, system.join("tmux")).unwrap();
    assert!(bin.join("claude").exists());
    Ok(Ran::from(scene.command(APPLY).env("PATH", system).env("INVOCATION_ID", "1").output().unwrap()))
}

fn cwd_missing(scene: &Scene) -> Struck {
    std::fs::remove_dir(scene.world.workspace("one")).unwrap();
    Ok(apply(scene))
}

fn cwd_unreadable(scene: &Scene) -> Struck {
    let directory = scene.world.workspace("one");
    mode(&directory, 0);
    if std::fs::read_dir(&directory).is_ok() {
        return Err("this user may read everything".to_owned());
    }
    Ok(apply(scene))
}

fn program(scene: &Scene, text: &str) -> Struck {
    take_away(scene, "claude");
    let path = scene.world.program("claude", &format!("#!/bin/bash\n{text}\n"));
    let ran = apply(scene);
    std::fs::remove_file(path).unwrap();
    Ok(ran)
}

fn asks(scene: &Scene) -> Struck {
    let dialog =
        "Accessing workspace:\\n %s\\n\\n ❯ No, exit\\n   Yes, I trust this folder\\n\\n Enter to confirm · Esc to cancel\\n";
    let text = format!("#!/bin/bash\nprintf ' {dialog}' \"$PWD\"\nwhile :; do sleep 1; done\n");
    scene.world.program("claude", &text);
    Ok(apply(scene))
}

fn asks_to_sign_in(scene: &Scene) -> Struck {
    let dialog = "Select login method:\\n ❯ 1. Claude account with subscription\\n   2. Anthropic Console account\\n";
    scene.world.program("claude", &format!("#!/bin/bash\nprintf ' {dialog}'\nwhile :; do sleep 1; done\n"));
    let ran = apply(scene);
    // Left in front of that, nothing is typed there and nothing is started beside it.
    let sent = scene.run(&["send", "one", "hello"]);
    assert_eq!((sent.code, apply(scene).outcome("one").1.as_str()), (Some(3), "dialog"));
    Ok(ran)
}

/// It runs on, and is not begun again for that.
fn meets_a_limit(scene: &Scene) -> Struck {
    let (_, id) = spoken(scene);
    let path = scene.world.transcript(&scene.world.workspace("one"), &headcount::core::ids::ConversationId(id));
    // As Claude Code 2.1.329 writes it.
    let now = chrono::Utc::now();
    let asked = serde_json::json!({"type": "user", "uuid": "a", "parentUuid": null, "timestamp": now, "origin": {"kind": "human"},
        "promptSource": "typed", "message": {"role": "user", "content": "go on"}});
    let answered = serde_json::json!({"type": "assistant", "uuid": "b", "parentUuid": "a", "timestamp": now,
        "isApiErrorMessage": true, "error": "rate_limit", "quotaLimits": {"status": "rejected", "resetsAt": now.timestamp() + 600},
        "message": {"role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": "You've hit your limit"}]}});
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{before}{asked}\n{answered}\n")).unwrap();
    let shown = scene.run(&["status"]).is(0).stdout;
    assert!(shown.contains("limit"), "{shown}");
    Ok(apply(scene))
}

/// What it attended lives on without a terminal, unless it is told to end.
fn script_killed(scene: &Scene) -> Struck {
    let text = std::fs::read_to_string(scene.world.claude()).unwrap();
    scene.world.program("claude", &format!("{text}while :; do sleep 0.05 9>&-; done\n"));
    scene.world.wrap_claude();
    let (pid, _) = spoken(scene);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let script = stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().to_owned();
    Command::new("kill").args(["-KILL", &script]).status().unwrap();
    await_end(pid);
    Ok(apply(scene))
}

fn hangs(scene: &Scene) -> Struck {
    scene.world.program("claude", "#!/bin/bash\nwhile :; do sleep 1; done\n");
    std::fs::write(scene.manifest(), scene.text().replace("ready: 10s", "ready: 1s")).unwrap();
    let ran = apply(scene);
    // Left running, and not started beside again.
    apply(scene);
    let panes = scene.world.tmux(["list-panes", "-a", "-F", "#{pane_id}"]).lines().count();
    assert_eq!(panes, 1);
    Ok(ran)
}

fn transcript_gone(scene: &Scene) -> Struck {
    spoken(scene);
    scene.run(&["record"]).is(0);
    end_server(scene);
    std::fs::rename(scene.world.home().join(".claude/projects"), scene.world.root().join("kept")).unwrap();
    Ok(apply(scene))
}

fn taken(scene: &Scene, line: &str) -> Struck {
    scene.world.session("one", &scene.world.workspace("one"), line);
    Ok(apply(scene))
}

fn dead_and_kept(scene: &Scene) -> Struck {
    scene.world.session("keeper", &scene.world.workspace("one"), "exec sh");
    scene.world.tmux(["set-option", "-g", "remain-on-exit", "on"]);
    scene.world.session("one", &scene.world.workspace("one"), "true");
    await_some("its end", || (scene.world.tmux(["list-panes", "-t", "=one:", "-F", "#{pane_dead}"]) == "1").then_some(()));
    Ok(apply(scene))
}

/// Its agent has ended, and something else runs in another window.
fn left_with(scene: &Scene, program: &str) -> Struck {
    let (pid, _) = spoken(scene);
    scene.world.program("codex", "#!/bin/bash\nwhile read -r line; do :; done\n");
    let made = ["new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "=one:", "--", program];
    let window = scene.world.tmux(made);
    scene.world.type_line("one", "/exit");
    await_end(pid);
    let ran = apply(scene);
    let panes = scene.world.tmux(["list-panes", "-s", "-t", "=one", "-F", "#{pane_id}"]);
    assert!(panes.lines().any(|pane| pane == window.trim()), "it is left: {panes}");
    assert_eq!(panes.lines().count(), if ran.code == Some(0) { 2 } else { 1 });
    Ok(ran)
}

fn attached(scene: &Scene) -> Struck {
    spoken(scene);
    let socket = scene.world.socket();
    let mut client = Command::new("script");
    client.args(["-qec", &format!("tmux -S {} attach -t =one", socket.display()), "/dev/null"]);
    client.env_clear().envs(scene.world.variables()).env("TERM", "screen").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut client = client.spawn().map_err(|error| format!("script: {error}"))?;
    await_some("the terminal", || {
        let clients = scene.world.tmux(["list-clients", "-F", "#{client_name}"]);
        (!clients.is_empty()).then_some(())
    });
    // Nobody answers for a stop by a tool of an agent.
    let ran = Ran::from(scene.command(&["stop", "one", "--yes", "--json"]).env("CLAUDECODE", "1").output().unwrap());
    drop(client.stdin.take());
    let _ = client.kill();
    let _ = client.wait();
    Ok(ran)
}

fn server_stopped(scene: &Scene) -> Struck {
    // Something listens where tmux should, and never answers.
    let server = std::os::unix::net::UnixListener::bind(scene.world.socket()).unwrap();
    let ran = apply(scene);
    drop(server);
    Ok(ran)
}

/// tmux, but for this case of a shell.
fn around_tmux(scene: &Scene, case: &str) -> Struck {
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|dir| dir.join("tmux")).find(|it| it.exists());
    let (real, socket) = (real.ok_or("no tmux")?, scene.world.socket());
    let text = format!(
        "#!/bin/sh\nreal={} socket={}\ncase \"$*\" in\n{case}\nesac\nexec $real \"$@\"\n",
        real.display(),
        socket.display()
    );
    scene.world.program("tmux", &text);
    Ok(apply(scene))
}

/// The state directory on a file system that has no room, or gets full once an operation has begun.
fn disk_full(scene: &Scene, is_later: bool) -> Struck {
    let state = scene.state();
    std::fs::create_dir_all(&state).unwrap();
    mode(&state, 0o700);
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k,mode=700", "headcount-faults"]).arg(&state).output();
    if !mount.is_ok_and(|it| it.status.success()) {
        return Err("a small file system cannot be mounted: not root, or not allowed".to_owned());
    }
    let _mounted = Mounted(state.clone(), !is_later);
    let fill = format!("cat /dev/zero >{}/filler 2>/dev/null", state.display());
    if is_later {
        // Full before the agent is there, so before anything is known to have come about.
        let text = std::fs::read_to_string(scene.world.claude()).unwrap();
        scene.world.program("claude", &text.replacen("#!/bin/bash\n", &format!("#!/bin/bash\n{fill}\n"), 1));
        let ran = apply(scene);
        let agent = scene.agents().first().map(|(pid, _)| *pid);
        assert_eq!((scene.left("begun.json"), scene.left("receipt.json")), (1, 1), "{ran:?}");
        let _ = Command::new("kill").arg(agent.ok_or("no agent")?.to_string()).status();
        await_some("how it ended", || (scene.left("ended.json") == 1).then_some(()));
        std::fs::remove_file(state.join("filler")).unwrap();
        return Ok(match apply(scene) {
            Ran { code: Some(0), .. } => ran,
            other => other,
        });
    }
    Command::new("sh").args(["-c", &fill]).status().unwrap();
    Ok(apply(scene))
}

/// What is mounted here, for as long as a row takes.
struct Mounted(PathBuf, bool);

impl Drop for Mounted {
    fn drop(&mut self) {
        if !self.1 {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
}

fn free(scene: &Scene) {
    let _ = Command::new("umount").arg("-l").arg(scene.state()).status();
}

fn state_read_only(scene: &Scene) -> Struck {
    std::fs::create_dir_all(scene.state()).unwrap();
    mode(&scene.state(), 0o500);
    if std::fs::write(scene.state().join("try"), "").is_ok() {
        return Err("this user may write everywhere".to_owned());
    }
    Ok(apply(scene))
}

fn manifest_changes(scene: &Scene) -> Struck {
    let changed = scene.text().replace("desired: running", "desired: running, args: [--model, other]");
    std::fs::write(scene.world.root().join("changed"), changed).unwrap();
    scene.world.session("other", &scene.world.workspace("two"), "exec sh");
    let copy = format!("cp {0}/changed {0}/new && mv {0}/new {1}", scene.world.root().display(), scene.manifest().display());
    around_tmux(scene, &format!("*) $real \"$@\"; code=$?; {copy}; exit $code;;"))
}

fn suspended(scene: &Scene) -> Struck {
    scene.write(&ONE.replace("desired: running,", "desired: running, suspend: true,"));
    Ok(apply(scene))
}

fn cloned(scene: &Scene) -> Struck {
    let here = scene.world.root().join("lab/agent-sessions.yaml");
    std::fs::copy(scene.manifest(), &here).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.env_clear().envs(scene.world.variables()).current_dir(scene.world.root().join("lab")).args(APPLY);
    Ok(Ran::from(command.stdin(Stdio::null()).output().unwrap()))
}

fn shared(scene: &Scene) -> Struck {
    mode(&scene.manifest(), 0o666);
    Ok(apply(scene))
}

fn ledger_lost(scene: &Scene) -> Struck {
    spoken(scene);
    std::fs::remove_file(scene.state().join("ledger.json")).unwrap();
    Ok(apply(scene))
}

/// A person's stop was recorded, then the clock went back: the stamps lie in the future.
fn clock_set_back(scene: &Scene) -> Struck {
    spoken(scene);
    end_server(scene);
    scene.write(&ONE.replace("desired: running,", "desired: running, status: stopped, stopped_at: \"2199-01-01T00:00:00Z\","));
    Ok(apply(scene))
}

fn no_consent(scene: &Scene) -> Struck {
    scene.write(&ONE.replace("desired: running,", "desired: running, permissions: bypass,"));
    Ok(apply(scene))
}

fn twice(scene: &Scene) -> Struck {
    let id = "session_id: 7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90,";
    let one = ONE.replace("desired: running,", &format!("desired: running, {id}"));
    scene.write(&format!("{one}{}", one.replace("name: one", "name: two")));
    Ok(apply(scene))
}
