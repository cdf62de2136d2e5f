//! The control client alone: what it hears, and that it leaves no trace.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use headcount::mux::tmux::control::{Client, Notice};

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

#[test]
fn a_listening_client_hears_sessions_and_is_seen_by_nobody() {
    let world = World::new();
    let typed = listener(&world, "one");
    let before = shape(&world);
    let (client, notices) = listen(&world);
    assert_eq!(clients(&world), "");
    assert_eq!(shape(&world), before);

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

/// Who looks for `tmux -C` among the processes to end what listens must not find a server, and no client that could become one.
#[test]
fn a_listening_client_can_start_no_server_and_no_server_has_its_arguments() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let server: u32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    let words = |pid: u32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        line.trim_end_matches('\0').split('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let before = words(server);
    let (client, _notices) = listen(&world);
    let own = words(client.pid());
    let at = own.iter().position(|word| word == "-C").unwrap_or_else(|| panic!("{own:?}"));
    assert!(own[..at].contains(&"-N".to_owned()) && own[..at].contains(&"-S".to_owned()), "{own:?}");
    assert_eq!(own.get(at + 1).map(String::as_str), Some("wait-for"), "a client without a command makes a session");
    assert_eq!(words(server), before);
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
fn without_a_server_there_is_no_client_and_none_is_started() {
    let world = World::new();
    assert!(Client::listen(&world.environ(&[]), &world.socket(), |_| {}).is_err());
    assert!(!world.socket().exists());
}

#[test]
fn a_client_ends_with_its_server() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let (_client, notices) = listen(&world);
    world.tmux(["kill-server"]);
    heard(&notices, Notice::Ended);
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
