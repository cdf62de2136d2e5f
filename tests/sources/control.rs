//! The control client alone: what it hears and lists, and that it leaves no trace.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use headcount::host::LocalHost;
use headcount::mux::Mux;
use headcount::mux::tmux::Tmux;
use headcount::mux::tmux::control::{Client, ControlError, Notice};

use crate::support::{World, await_end, await_some};

/// A session whose program asked to be told of the focus and keeps what is typed into it.
fn listener(world: &World, name: &str) -> std::path::PathBuf {
    let typed = world.root().join(format!("{name}.typed"));
    let ready = world.root().join(format!("{name}.ready"));
    let script = format!("stty raw -echo; printf '\\033[?1004h'; touch {}; exec cat > {}", ready.display(), typed.display());
    world.session(name, world.root(), &script);
    await_some("the listener", || (ready.exists() && typed.exists()).then_some(()));
    typed
}

/// Everything of a server that a client could change by being there, except who is attached.
fn shape(world: &World) -> String {
    let ask = |words: &[&str]| world.tmux(words);
    [
        ask(&[
            "list-windows",
            "-a",
            "-F",
            "#{session_id} #{session_name} #{window_id} #{window_width}x#{window_height} #{window_layout}",
        ]),
        ask(&["list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{pane_width}x#{pane_height} #{pane_dead}"]),
        ask(&["show-environment", "-g"]),
        ask(&["show-environment", "-t", "=one:"]),
        ask(&["show-options", "-s"]),
        ask(&["show-options", "-g"]),
        ask(&["show-options", "-t", "=one:"]),
        ask(&["show-options", "-gw"]),
        ask(&["show-hooks", "-g"]),
        ask(&["list-buffers"]),
    ]
    .join("\n--\n")
}

fn clients(world: &World) -> String {
    world.tmux(["list-clients", "-F", "#{client_pid} #{session_name} #{client_flags}"])
}

fn heard(notices: &Receiver<Notice>, notice: Notice) {
    loop {
        if notices.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("{notice:?} was not heard")) == notice {
            return;
        }
    }
}

fn is_gone(pid: u32) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

fn listen(world: &World) -> (Client, Receiver<Notice>) {
    let (sender, notices) = channel();
    let env = world.environ(&[]);
    let client = Client::listen(&env, &world.socket(), move |notice| sender.send(notice).unwrap_or_default()).unwrap();
    (client, notices)
}

fn attach(world: &World, prefer: Option<&str>) -> Result<(Client, Receiver<Notice>), ControlError> {
    let (sender, notices) = channel();
    let env = world.environ(&[]);
    let host = LocalHost::new(env.clone());
    let client = Client::attach(&host, &env, &world.socket(), prefer, move |notice| sender.send(notice).unwrap_or_default())?;
    Ok((client, notices))
}

/// Somebody else's client, whose windows are as large as it says.
struct Other(Child);

impl Other {
    fn attach(world: &World, session: &str) -> Self {
        let mut command = Command::new("tmux");
        command.args(["-u", "-S"]).arg(world.socket()).args(["-C", "attach", "-t", session]);
        command.env_clear().envs(world.variables()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Said again until it is heeded: what comes before the client is on its session is forgotten.
        await_some("its size", || {
            child.stdin.as_mut().unwrap().write_all(b"refresh-client -C 123x45\n").unwrap();
            (world.tmux(["list-windows", "-t", session, "-F", "#{window_width}"]) == "123").then_some(())
        });
        Self(child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_listening_client_hears_sessions_and_is_seen_by_nobody() {
    let world = World::new();
    let typed = listener(&world, "one");
    let before = shape(&world);
    let (client, notices) = listen(&world);
    assert_eq!(clients(&world), "");
    assert_eq!(shape(&world), before);
    assert_eq!(client.session(), None);
    assert!(client.list().is_err(), "it is attached to nothing");

    world.session("two", world.root(), "sleep 600");
    heard(&notices, Notice::Changed);
    world.tmux(["rename-session", "-t", "=two", "three"]);
    heard(&notices, Notice::Changed);
    world.tmux(["kill-session", "-t", "=three"]);
    heard(&notices, Notice::Changed);

    let pid = client.pid();
    drop(client);
    assert!(is_gone(pid));
    heard(&notices, Notice::Ended);
    assert_eq!(shape(&world), before);
    assert_eq!(std::fs::read(&typed).unwrap(), b"", "it typed into a pane");
}

#[test]
fn a_listening_client_does_not_keep_a_server_alive() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let server: u32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    let (client, notices) = listen(&world);
    world.tmux(["kill-session", "-t", "=one"]);
    heard(&notices, Notice::Ended);
    await_end(server);
    drop(client);
}

#[test]
fn an_attached_client_lists_what_a_fork_lists_and_leaves_everything_as_it_was() {
    let world = World::new();
    for name in ["one", "two words | %end 1 2 3", "drei ü"] {
        world.session(name, world.root(), "sleep 600");
    }
    let other = Other::attach(&world, "=one");
    let before = shape(&world);
    let env = world.environ(&[]);
    let listed = |world: &World| Tmux.list(&LocalHost::new(world.environ(&[])), &env, "default").seen().unwrap().clone();
    let id = world.tmux(["display-message", "-p", "-t", "=one:", "#{session_id}"]);

    let (client, notices) = attach(&world, Some(&id)).unwrap();
    assert_eq!(client.session(), Some(id.as_str()));
    let own = format!("{} one ", client.pid());
    let all = clients(&world);
    let line = all.lines().find(|line| line.starts_with(&own)).unwrap_or_else(|| panic!("{own} in {all}"));
    assert!(line.contains("read-only") && line.contains("ignore-size") && line.contains("no-output"), "{line}");
    assert_eq!(all.lines().count(), 2, "{all}");
    assert_eq!(shape(&world), before);
    assert_eq!(client.list().unwrap(), listed(&world));

    world.session("four", world.root(), "sleep 600");
    heard(&notices, Notice::Changed);
    assert_eq!(client.list().unwrap(), listed(&world));
    world.tmux(["kill-session", "-t", "=four"]);
    heard(&notices, Notice::Changed);

    let pid = client.pid();
    drop(client);
    assert!(is_gone(pid));
    await_some("the end of the client", || (clients(&world).lines().count() == 1).then_some(()));
    assert_eq!(shape(&world), before);
    drop(other);
}

#[test]
fn an_attached_client_reports_the_focus_to_a_pane_which_is_why_it_has_to_be_asked_for() {
    let world = World::new();
    let typed = listener(&world, "one");
    let (client, _notices) = attach(&world, None).unwrap();
    // Should a later tmux spare the pane, attaching can become the default.
    await_some("the report", || (std::fs::read(&typed).unwrap() == b"\x1b[I").then_some(()));
    drop(client);
}

#[test]
fn no_client_goes_where_its_leaving_would_end_something_or_its_coming_set_something_off() {
    let world = World::new();
    let env = world.environ(&[]);
    world.session("one", world.root(), "sleep 600");
    world.session("two", world.root(), "sleep 600");
    let refused = |what: &str| match attach(&world, None) {
        Err(ControlError::Refused(why)) => assert!(why.contains(what), "{why}"),
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: attached"),
    };
    for hook in ["client-attached", "client-detached", "client-session-changed"] {
        world.tmux(["set-hook", "-g", hook, "display-message x"]);
        refused(hook);
        world.tmux(["set-hook", "-gu", hook]);
    }
    attach(&world, None).unwrap();

    // With somebody on it, so that the option does not end the session at once.
    let other = Other::attach(&world, "=one");
    world.tmux(["set-option", "-t", "=one:", "destroy-unattached", "on"]);
    let one = world.tmux(["display-message", "-p", "-t", "=one:", "#{session_id}"]);
    let (client, _notices) = attach(&world, Some(&one)).unwrap();
    assert_ne!(client.session(), Some(one.as_str()));
    drop(client);
    world.tmux(["set-option", "-s", "exit-unattached", "on"]);
    refused("exit-unattached");
    // A client that only listens is no reason to stay nor to go.
    let (client, _notices) = listen(&world);
    drop(client);
    assert!(Tmux.list(&LocalHost::new(env.clone()), &env, "default").seen().is_some_and(|it| it.sessions.len() == 2));
    world.tmux(["set-option", "-s", "exit-unattached", "off"]);
    world.tmux(["set-option", "-u", "-t", "=one:", "destroy-unattached"]);
    drop(other);
}

#[test]
fn without_a_server_there_is_no_client_and_none_is_started() {
    let world = World::new();
    assert!(Client::listen(&world.environ(&[]), &world.socket(), |_| {}).is_err());
    assert!(attach(&world, None).is_err());
    assert!(!world.socket().exists());
}

#[test]
fn a_client_ends_when_its_session_or_its_server_does() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    world.session("two", world.root(), "sleep 600");
    let id = |name: &str| world.tmux(["display-message", "-p", "-t", &format!("={name}:"), "#{session_id}"]);
    // Killed, or left for another because of an option.
    for (option, name) in [("on", "one"), ("off", "one"), ("on", "two")] {
        world.tmux(["set-option", "-g", "detach-on-destroy", option]);
        let (client, notices) = attach(&world, Some(&id(name))).unwrap();
        world.tmux(["kill-session", "-t", &format!("={name}")]);
        heard(&notices, Notice::Ended);
        drop(client);
        world.session(name, world.root(), "sleep 600");
    }
    let (attached, notices) = attach(&world, None).unwrap();
    let (listening, others) = listen(&world);
    world.tmux(["kill-server"]);
    heard(&notices, Notice::Ended);
    heard(&others, Notice::Ended);
    assert!(attached.list().is_err());
    drop((attached, listening));
}

/// A notification to a client that is still being introduced ends a tmux server up to 3.6 (tmux#4980).
#[test]
fn a_server_survives_clients_that_come_while_its_sessions_come_and_go() {
    let world = World::new();
    world.session("one", world.root(), "exec sleep 100000");
    let server = world.tmux(["display-message", "-p", "#{pid}"]);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let came = std::thread::scope(|scope| {
        let churn = scope.spawn(|| {
            let mut came = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                world.tmux(["new-session", "-d", "-s", "other", "sleep 100000", ";", "kill-session", "-t", "=other"]);
                came += 1;
            }
            came
        });
        for _ in 0..50 {
            let (client, notices) = listen(&world);
            heard(&notices, Notice::Changed);
            drop(client);
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        churn.join().unwrap()
    });
    assert!(came > 0);
    assert_eq!(world.tmux(["display-message", "-p", "#{pid}"]), server);
}
