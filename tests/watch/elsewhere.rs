//! From inside a container or a sandbox, which shares some files and not others with those it looks at; and into one.

use std::io::Write as _;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{Watch, declare, headcount, running, text};
use crate::support::{World, await_some};

/// The conversation agents here are started in.
const GIVEN: &str = "7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90";

/// What makes namespaces of these kinds, all that is run in them ending with it; `None`, and said, where that cannot be.
fn unshare(kinds: &[&str]) -> Option<Command> {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--fork", "--kill-child"]).args(kinds);
        unshare
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr(), "SKIPPED namespaces {kinds:?}: unshare cannot make them here");
        return None;
    }
    Some(unshare())
}

/// A program and its arguments, to be run in such namespaces by this script, which is given them as its own.
fn within(world: &World, kinds: &[&str], script: &str, arguments: &[&str]) -> Option<Command> {
    let program = headcount(world, arguments);
    let mut command = unshare(kinds)?;
    command.args(["sh", "-c", script]).arg(program.get_program()).args(program.get_args());
    command.current_dir(world.root()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(command)
}

/// A program and its arguments, to be run among no other processes.
fn alone(world: &World, arguments: &[&str]) -> Option<Command> {
    // The first process of a namespace is stopped by nobody in it, so that is a shell.
    within(world, &["--pid", "--mount-proc"], r#""$0" "$@"; exit $?"#, arguments)
}

fn reconcile(world: &World) -> String {
    let done = headcount(world, &["reconcile"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    text(world)
}

/// What it says in a sandbox, where it must change nothing.
fn says(world: &World, mut command: Command) -> String {
    let before = text(world);
    let done = command.output().unwrap();
    assert_eq!(text(world), before, "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn child(pid: i32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn agents_it_cannot_see_are_unknown_and_sessions_are_as_the_server_says() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.claude_session("s", &shop);
    declare(&world, &running(&world, &["s"]));
    let recorded = reconcile(&world);
    declare(&world, &(recorded.clone() + running(&world, &["gone"]).split_once("sessions:\n").unwrap().1));
    let arguments = ["watch", "--json", "--interval", "200ms", "--settle", "0s", "--heartbeat", "50ms"];
    let Some(command) = alone(&world, &arguments) else { return };
    let mut watch = Watch::start(command);
    watch.until("drift dead applied gone");
    watch.passes(2);
    assert!(text(&world).starts_with(&recorded), "{}", text(&world));

    // Its session has a leader that has no id there. That does not keep it from being suspended.
    let inner = child(child(watch.pid().as_raw_nonzero().get()));
    let signal = |signal| kill_process(Pid::from_raw(inner).unwrap(), signal).unwrap();
    signal(Signal::TSTP);
    let stat = format!("/proc/{inner}/stat");
    await_some("the stop", || std::fs::read_to_string(&stat).unwrap().contains(") T ").then_some(()));
    signal(Signal::CONT);
    watch.passes(2);
    signal(Signal::TERM);
    let done = watch.end();
    assert_eq!(done.status.code(), Some(0), "{}", done.stderr);
    let words = done.words();
    assert!(!words.iter().any(|word| word.contains("agent-gone") || word.ends_with(" s")), "{words:?}");
}

#[test]
fn a_session_is_not_gone_for_a_sandbox_that_has_a_tmp_of_its_own() {
    let world = World::new();
    world.claude_session("s", &world.workspace("shop"));
    declare(&world, &running(&world, &["s"]));
    reconcile(&world);
    let kinds = ["--pid", "--net", "--mount", "--mount-proc"];
    let hidden = format!("mount -t tmpfs none '{}' || exit 9; ", world.root().join("tmux").display());
    let sandbox = |script: &str| within(&world, &kinds, &(hidden.clone() + script), &["reconcile"]);
    let Some(nobody) = sandbox(r#"exec "$0" "$@""#) else { return };
    let said = says(&world, nobody);
    assert!(said.contains("no server on tmux:default, but it was last seen alive from another PID namespace"), "{said}");
    let another = r#"tmux -f /dev/null new-session -d -s other && "$0" "$@"; tmux kill-server"#;
    let said = says(&world, sandbox(another).unwrap());
    assert!(said.contains("answered without it, but it was last seen alive from another PID namespace"), "{said}");
    let forgetful = format!(r#"XDG_STATE_HOME='{}' exec "$0" "$@""#, world.root().join("state").display());
    let said = says(&world, sandbox(&forgetful).unwrap());
    assert!(said.contains("without the directory of its socket"), "{said}");

    // Who sees the directory of the socket sees that nobody listens there.
    world.tmux(["kill-server"]);
    let mut container = within(&world, &kinds, r#"exec "$0" "$@""#, &["reconcile"]).unwrap();
    assert!(container.output().unwrap().status.success());
    assert!(text(&world).contains("terminated"), "{}", text(&world));
}

#[test]
fn a_proc_that_is_another_namespace_s_tells_nothing() {
    let world = World::new();
    declare(&world, &running(&world, &["s"]));
    let inside = r#"tmux -f /dev/null new-session -d -s s 'exec claude' || exit 9
        until ls "$HOME"/.claude/sessions/*.json; do :; done 2> /dev/null > /dev/null
        "$0" "$@"; tmux kill-server; rm -r "$HOME/.claude/sessions""#;
    let Some(command) = within(&world, &["--pid"], inside, &["reconcile"]) else { return };
    let said = says(&world, command);
    assert!(said.contains("/proc belongs to another PID namespace"), "{said}");
    // With its own it is a container like any other.
    let mut container = within(&world, &["--pid", "--mount-proc"], inside, &["reconcile"]).unwrap();
    let done = container.output().unwrap();
    assert!(text(&world).contains("session_id"), "{done:?}");
}

#[test]
fn an_agent_in_a_container_is_in_the_conversation_that_its_registry_names_by_its_number_there() {
    let world = World::new();
    let shop = world.workspace("shop");
    if unshare(&["--pid", "--mount-proc"]).is_none() {
        return;
    }
    let container = format!("exec unshare --map-root-user --pid --fork --kill-child --mount-proc claude --resume {GIVEN}");
    let registry = world.home().join(".claude/sessions/1.json");
    let current = || {
        let entry: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&registry).ok()?).ok()?;
        Some(entry["sessionId"].as_str()?.to_owned())
    };
    world.session("s", &shop, &container);
    assert_eq!(await_some("the registry", current), GIVEN);
    world.type_line("s", "/clear");
    let id = await_some("the new conversation", || current().filter(|id| id != GIVEN));
    declare(&world, &running(&world, &["s"]));
    let recorded = reconcile(&world);
    assert!(recorded.contains(&format!("session_id: {id}")), "{recorded}");

    // Another container has the same numbers, and the file is the last one's.
    declare(&world, &running(&world, &["s", "t"]));
    world.session("t", &shop, &container);
    await_some("the other's registry", || current().filter(|now| *now == GIVEN));
    let recorded = reconcile(&world);
    assert_eq!(recorded.matches("session_id").count(), 1, "{recorded}");
    let (first, second) = recorded.split_once("name: t").unwrap();
    assert!(!first.contains("session_id") && second.contains(GIVEN), "{recorded}");
}

#[test]
fn a_start_on_another_clock_is_not_compared() {
    let world = World::new();
    let clock = ["--time", "--boottime", "100000"];
    if unshare(&clock).is_none() {
        return;
    }
    let words = clock.join(" ");
    let command = format!("exec unshare --map-root-user --fork --kill-child {words} claude --resume {GIVEN}");
    world.session("s", &world.workspace("shop"), &command);
    let sessions = world.home().join(".claude/sessions");
    let is_there =
        || std::fs::read_dir(&sessions).ok()?.flatten().find(|it| it.path().extension().is_some_and(|it| it == "json"));
    await_some("the registry", is_there);
    declare(&world, &running(&world, &["s"]));
    let done = headcount(&world, &["reconcile"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("another time namespace") && !text(&world).contains(GIVEN), "{said}");
}

#[test]
fn agents_of_a_server_in_a_container_are_unknown_from_outside() {
    let world = World::new();
    let shop = world.workspace("shop");
    let Some(mut container) = unshare(&["--pid", "--mount-proc"]) else { return };
    let script = r#"tmux -f /dev/null new-session -d -s s -c "$0" -- 'exec claude'; exec sleep 600"#;
    container.args(["sh", "-c", script]).arg(&shop).env_clear().envs(world.variables());
    let mut container = container.spawn().unwrap();
    await_some("the server", || world.socket().exists().then_some(()));
    declare(&world, &running(&world, &["s"]));
    let mut watch = crate::run::watch(&world, &["--heartbeat", "50ms"]);
    watch.passes(5);
    let degraded = watch.terminate();
    container.kill().unwrap();
    container.wait().unwrap();
    let words = degraded.words();
    assert!(!words.iter().any(|word| word.starts_with("drift")), "{words:?}");
    assert!(!text(&world).contains("pane"), "{}", text(&world));
}

#[test]
fn a_zellij_outside_that_may_only_just_be_starting_is_left_alone() {
    let world = World::new();
    let sockets = world.root().join("zellij/contract_version_1");
    std::fs::create_dir_all(&sockets).unwrap();
    declare(&world, &running(&world, &["s"]).replace("agent: claude", "agent: claude\n    mux: zellij"));
    let Some(command) = alone(&world, &["reconcile"]) else { return };
    let server = std::os::unix::net::UnixListener::bind(sockets.join("s")).unwrap();
    let said = says(&world, command);
    assert!(said.contains("it is still starting"), "{said}");
    server.set_nonblocking(true).unwrap();
    assert!(server.accept().is_err(), "it was spoken to");
    drop(server);
    assert!(alone(&world, &["reconcile"]).unwrap().output().unwrap().status.success());
    assert!(text(&world).contains("terminated"), "{}", text(&world));
}
