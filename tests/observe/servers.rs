//! Whether a server is there, is not there, or cannot be told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

use headcount::core::fact::Fact;
use headcount::core::ids::MuxKind;
use headcount::core::observe::Server;

use crate::support::{World, await_some, entries, recorded, server};
use crate::{default_server, look, look_with};

fn verdict(world: &World, variables: &[(&str, &str)], name: &str) -> Fact<Server> {
    let manifest = entries([format!("name: s, agent: claude, cwd: /x, server: {name:?}")]);
    look_with(world, variables, &manifest).servers[&server(name)].clone()
}

fn why(fact: &Fact<Server>) -> &str {
    fact.why_unknown().unwrap_or_else(|| panic!("{fact:?}"))
}

#[test]
fn a_server_that_never_ran_is_absent() {
    let world = World::new();
    assert_eq!(verdict(&world, &[], "default"), Fact::Absent);
    assert_eq!(verdict(&world, &[], "canary"), Fact::Absent);
    assert_eq!(verdict(&world, &[], "/nowhere/at/all"), Fact::Absent);
}

#[test]
fn servers_are_told_apart_by_name_and_by_path() {
    let world = World::new();
    world.session("a", &world.home(), "exec sleep 600");
    world.session_on(&world.named_socket("canary"), "b", &world.home(), "exec sleep 600");
    let elsewhere = world.root().join("a socket");
    world.session_on(&elsewhere, "c", &world.home(), "exec sleep 600");
    for (name, session) in [("default", "a"), ("canary", "b"), (elsewhere.to_str().unwrap(), "c")] {
        let found = verdict(&world, &[], name);
        let names: Vec<&str> = found.seen().unwrap().sessions.iter().map(|session| session.name.as_str()).collect();
        assert_eq!(names, [session], "{name}");
    }
    world.tmux_on(&elsewhere, ["kill-server"]);
}

#[test]
fn a_server_is_without_a_session_only_if_it_has_neither_its_identity_nor_its_name_and_is_the_same_process() {
    let world = World::new();
    let (env, host) = (world.environ(&[]), headcount::host::LocalHost::new(world.environ(&[])));
    let tmux = headcount::mux::of(MuxKind::Tmux);
    for name in ["stays", "ends", "renamed", "again", "größe 漢字", "$1"] {
        world.session(name, &world.home(), "exec sleep 600");
    }
    let listed = tmux.list(&host, &env, "default").seen().cloned().unwrap();
    let (pid, name) = (listed.pid.unwrap(), |it: &str| listed.sessions.iter().find(|session| session.name == it).unwrap());
    let is_without = |pid: u32, names: &[&str]| {
        let sessions: Vec<_> = names.iter().map(|it| name(it).as_ref()).collect();
        tmux.is_without(&host, &env, ("default", pid), &sessions)
    };
    assert!(!is_without(pid, &["ends"]));
    for gone in ["ends", "again", "größe 漢字", "$1"] {
        world.tmux(["kill-session", "-t", name(gone).id.as_str()]);
    }
    // Also where tmux would show another session for want of the one that is meant.
    assert!(is_without(pid, &["ends"]) && is_without(pid, &["größe 漢字", "ends"]));
    assert!(!is_without(pid, &["ends", "stays"]) && !is_without(pid, &["stays", "ends"]));
    assert!(!is_without(pid + 1, &["ends"]), "another server");
    assert!(!is_without(pid, &["$1"]), "tmux reads that as an identity");
    world.tmux(["rename-session", "-t", "=renamed", "other"]);
    assert!(!is_without(pid, &["renamed"]), "it goes by another name");
    world.session("again", &world.home(), "exec sleep 600");
    assert!(!is_without(pid, &["again"]), "another one has its name");
    world.tmux(["kill-server"]);
    assert!(!is_without(pid, &["ends"]), "nobody answers");
}

#[test]
fn the_process_of_a_server_is_told_by_its_socket() {
    let world = World::new();
    let env = world.environ(&[]);
    let host = headcount::host::LocalHost::new(env.clone());
    let tmux = headcount::mux::of(headcount::core::ids::MuxKind::Tmux);
    assert_eq!(tmux.process(&host, &env, "default"), None);
    world.session("s", &world.home(), "exec sleep 600");
    let pid = tmux.process(&host, &env, "default").map(|pid| pid.to_string());
    assert_eq!(pid, Some(world.tmux(["display-message", "-p", "#{pid}"])));
}

#[test]
fn the_multiplexer_around_us_is_not_asked_instead() {
    let world = World::new();
    let other = world.named_socket("other");
    world.session("ours", &world.home(), "exec sleep 600");
    world.session_on(&other, "theirs", &world.home(), "exec sleep 600");
    let pid = world.tmux_on(&other, ["display-message", "-p", "#{pid}"]);
    let tmux = format!("{},{pid},0", other.display());
    let seen =
        look_with(&world, &[("TMUX", &tmux), ("TMUX_PANE", "%0"), ("ZELLIJ", "0")], &entries(["name: ours, agent: claude"]));
    assert_eq!(default_server(&seen).sessions.iter().map(|session| session.name.as_str()).collect::<Vec<_>>(), ["ours"]);
}

#[test]
fn a_directory_of_sockets_that_another_user_made_is_not_asked() {
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED the socket directory of another user: only root can give a file away");
        return;
    }
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    let directory = world.named_socket("default").parent().unwrap().to_path_buf();
    std::os::unix::fs::chown(&directory, Some(65534), None).unwrap();
    let found = verdict(&world, &[], "default");
    std::os::unix::fs::chown(&directory, Some(0), None).unwrap();
    assert!(why(&found).ends_with("belongs to user 65534"), "{found:?}");
    assert!(verdict(&world, &[], "default").seen().is_some());
}

#[test]
fn the_socket_of_a_killed_server_is_absent() {
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    let pid: i32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    kill(pid, rustix::process::Signal::KILL);
    await_some("the end of the server", || verdict(&world, &[], "default").is_absent().then_some(()));
    assert!(world.socket().exists(), "a killed server leaves its socket");
}

#[test]
fn a_server_whose_socket_was_removed_is_unknown() {
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    let hidden = world.socket().with_file_name("hidden");
    // Renamed, not unlinked: the kernel's table keeps the old path, and the test can still end its server.
    fs::rename(world.socket(), &hidden).unwrap();
    let found = verdict(&world, &[], "default");
    fs::rename(&hidden, world.socket()).unwrap();
    assert_eq!(why(&found), "server alive, socket removed");
}

#[test]
fn a_wedged_server_is_unknown_after_its_deadline_and_seen_again_later() {
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    let pid: i32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    kill(pid, rustix::process::Signal::STOP);
    let begun = Instant::now();
    let found = verdict(&world, &[], "default");
    let took = begun.elapsed();
    kill(pid, rustix::process::Signal::CONT);
    assert_eq!(why(&found), "timed out after 2 s");
    assert!(took.as_secs_f32() < 4.0, "{took:?}");
    assert_eq!(verdict(&world, &[], "default").seen().unwrap().sessions.len(), 1);
}

#[test]
fn a_server_without_sessions_is_alive_and_empty() {
    let world = World::new();
    world.tmux(["start-server", ";", "set-option", "-g", "exit-empty", "off"]);
    assert_eq!(verdict(&world, &[], "default").seen().map(|server| server.sessions.len()), Some(0));
}

#[test]
fn without_a_tmux_in_path_a_live_server_is_unknown_and_a_dead_one_absent() {
    let world = World::new();
    assert_eq!(verdict(&world, &[("PATH", "")], "default"), Fact::Absent, "no tmux is needed to see that nobody listens");
    world.session("s", &world.home(), "exec sleep 600");
    assert_eq!(why(&verdict(&world, &[("PATH", "")], "default")), "tmux is not in PATH");
    let empty = world.root().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(why(&verdict(&world, &[("PATH", empty.to_str().unwrap())], "default")), "tmux is not in PATH");
}

#[test]
fn an_old_or_broken_tmux_is_unknown_and_named() {
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    for (script, expected) in [
        ("echo '2.6||$0|1|%0|1|0||||'", "tmux 2.6 is older than 3.2"),
        ("echo '|||||||||'", "tmux does not report its version, so it is older than 3.2"),
        ("echo 'something else'", "cannot parse tmux's answer at byte 0"),
        ("echo 'lost server' >&2; exit 1", "tmux failed: lost server"),
        ("printf 'bad \\033[31m' >&2; exit 1", "tmux failed: bad \\u{1b}[31m"),
        ("exit 3", "tmux failed: exit code 3"),
        ("exit 0", "tmux failed: it exited with 0 and printed nothing"),
        ("echo 'access not allowed' >&2", "tmux failed: access not allowed"),
        ("case $* in *list-panes*) exit 1;; esac", "tmux failed: exit code 1"),
        ("echo odd >&2; exec tmux.real \"$@\"", "tmux failed: odd"),
    ] {
        let fake = world.root().join("fake");
        fs::create_dir_all(&fake).unwrap();
        let tmux = fake.join("tmux");
        let path = format!("{}:{}", fake.display(), std::env::var("PATH").unwrap());
        let script = script.replace("tmux.real", &format!("env PATH='{}' tmux", std::env::var("PATH").unwrap()));
        fs::write(&tmux, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&tmux, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(why(&verdict(&world, &[("PATH", &path)], "default")), expected);
    }
}

#[test]
fn a_name_no_server_can_have_is_unknown() {
    let world = World::new();
    let env = world.environ(&[]);
    let host = headcount::host::LocalHost::new(env.clone());
    let tmux = headcount::mux::of(headcount::core::ids::MuxKind::Tmux);
    assert!(why(&tmux.list(&host, &env, "../escape")).contains("neither"));
}

#[test]
fn a_socket_that_may_not_be_used_is_unknown() {
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    if !rustix::process::getuid().is_root() {
        fs::set_permissions(world.socket().parent().unwrap(), fs::Permissions::from_mode(0o000)).unwrap();
        let found = verdict(&world, &[], "default");
        fs::set_permissions(world.socket().parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(why(&found).contains("permission denied"), "{found:?}");
    } else {
        // Root may use any socket; the same question is asked as somebody else, in a process of its own.
        let socket = world.socket();
        let variables = [("HC_SOCKET", socket.as_os_str()), ("HC_WHY", "permission denied".as_ref())];
        crate::as_nobody("servers::asked_as_somebody_else", &variables);
    }
}

#[test]
fn a_server_that_lets_connect_but_gives_no_access_is_unknown() {
    let world = World::new();
    world.session("s", &world.home(), "exec sleep 600");
    let directory = world.socket().parent().unwrap().to_path_buf();
    for path in [world.root(), directory.parent().unwrap(), &directory] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(world.socket(), fs::Permissions::from_mode(0o777)).unwrap();
    // tmux before 3.3 knows no access list: whoever may connect is welcome there.
    if rustix::process::getuid().is_root()
        && world.tmux(["list-commands", "-F", "#{command_list_name}"]).contains("server-access")
    {
        let socket = world.socket();
        let variables = [("HC_SOCKET", socket.as_os_str()), ("HC_WHY", "access not allowed".as_ref())];
        crate::as_nobody("servers::asked_as_somebody_else", &variables);
    } else {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED: needs root and a tmux with access lists");
    }
}

/// Run as another user by the test above; by itself it has nothing to ask about.
#[test]
fn asked_as_somebody_else() {
    let Some(socket) = std::env::var_os("HC_SOCKET") else { return };
    let env = headcount::host::Environ::of_this_process();
    let mux = headcount::mux::of(headcount::core::ids::MuxKind::Tmux);
    let found = mux.list(&headcount::host::LocalHost::new(env.clone()), &env, socket.to_str().unwrap());
    let expected = std::env::var("HC_WHY").unwrap();
    assert!(why(&found).contains(&expected), "{found:?}");
}

#[test]
fn a_live_agent_behind_a_recorded_pane_is_a_stray_when_its_server_is_elsewhere() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("s", &cwd);
    let bare = world.session("bare", &cwd, "exec sleep 600");
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let manifest = entries([
        format!("name: s, agent: claude, cwd: /x, status: running, {}", recorded("%0", claude.pid)),
        format!("name: bare, agent: claude, cwd: /x, status: running, {}", recorded("%1", bare)),
        format!("name: gone, agent: claude, cwd: /x, status: running, {}", recorded("%2", gone.id())),
    ]);
    let elsewhere = world.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let seen = look_with(&world, &[("TMUX_TMPDIR", elsewhere.to_str().unwrap())], &manifest);
    assert!(seen.servers[&server("default")].is_absent());
    let stray = seen.strays[&claude.pid].seen().unwrap();
    let kinds: Vec<_> = stray.agents.iter().map(|(kind, _)| *kind).collect();
    assert_eq!((kinds, stray.has_terminal), (vec![headcount::core::ids::AgentKind::Claude], true));
    assert!(seen.strays[&bare].seen().unwrap().agents.is_empty());
    assert!(seen.strays[&gone.id()].is_absent());
    assert!(look(&world, &manifest).strays.values().all(Fact::is_absent), "a server that answers accounts for its panes");
}

#[test]
fn a_live_agent_whose_servers_socket_another_server_took_over_is_a_stray() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("s", &cwd);
    let manifest = entries([format!("name: s, agent: claude, cwd: /x, status: running, {}", recorded("%0", claude.pid))]);
    fs::rename(world.socket(), world.named_socket("hidden")).unwrap();
    world.session("other", &cwd, "exec sleep 600");
    let seen = look(&world, &manifest);
    assert_eq!(default_server(&seen).sessions.len(), 1);
    let stray = seen.strays[&claude.pid].seen().unwrap();
    let kinds: Vec<_> = stray.agents.iter().map(|(kind, _)| *kind).collect();
    assert_eq!((kinds, stray.has_terminal), (vec![headcount::core::ids::AgentKind::Claude], true));
}

#[test]
fn an_agent_moved_to_another_session_is_no_stray_and_one_that_ended_is_gone() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.session("other", &cwd, "exec sleep 600");
    let (joined, killed) = (world.claude_session("joined", &cwd), world.claude_session("killed", &cwd));
    world.tmux(["join-pane", "-s", "=joined:", "-t", "=other:"]);
    world.tmux(["kill-session", "-t", "=killed"]);
    let manifest = entries([
        format!("name: joined, agent: claude, cwd: /x, status: running, {}", recorded("%1", joined.pid)),
        format!("name: killed, agent: claude, cwd: /x, status: running, {}", recorded("%2", killed.pid)),
    ]);
    let seen = look(&world, &manifest);
    assert_eq!(default_server(&seen).sessions.len(), 1);
    assert!(!seen.strays.contains_key(&joined.pid), "it is in a pane that was seen");
    // It may take a moment to end; without a terminal it is no stray even then.
    let killed = &seen.strays[&killed.pid];
    assert!(killed.is_absent() || killed.seen().is_some_and(|stray| !stray.has_terminal), "{killed:?}");
}

fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}
