//! Wakes from tmux servers, and the clients the sources keep.

use std::time::Duration;

use headcount::control::watch::sources::{ServerWatch, SourceOptions, Watched};
use headcount::control::watch::wake::{Reason, Scope};
use rustix::process::{Pid, Signal, kill_process};

use crate::ear::{Ear, options};
use crate::support::{World, server};

fn pid(world: &World) -> u32 {
    world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap()
}

fn watched(world: &World) -> Watched {
    let mut watched = Watched::default();
    let there = ServerWatch { socket: world.socket(), pid: Some(pid(world)) };
    watched.servers.insert(server("default"), there);
    watched
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// A server that does not answer until this is dropped.
struct Wedged(u32);

impl Wedged {
    fn new(pid: u32) -> Self {
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Wedged {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

fn mux() -> Reason {
    Reason::Mux(server("default"))
}

#[tokio::test]
async fn sessions_that_come_change_and_go_wake_the_loop_and_nothing_is_polled() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let mut ear = Ear::start(options(&world), watched(&world)).await;
    assert_eq!(ear.sources.degraded(), Vec::<String>::new());
    let doings: [&[&str]; 3] = [
        &["new-session", "-d", "-s", "two", "sleep 600"],
        &["rename-session", "-t", "=two", "three"],
        &["kill-session", "-t", "=three"],
    ];
    for doing in doings {
        world.tmux(doing);
        assert_eq!(ear.hear(doing[0], mux()).await, Scope::server(server("default")));
        ear.settle().await;
    }
    ear.sources.stop().await;
    assert_eq!(world.tmux(["list-clients"]), "");
    assert_eq!(world.tmux(["list-sessions", "-F", "#{session_name}"]), "one");
}

#[tokio::test]
async fn without_a_client_a_server_is_polled_and_that_is_said() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let poll = Duration::from_millis(50);
    let mut ear = Ear::start(
        SourceOptions { control_client: false, poll: Duration::from_secs(3600), ..options(&world) },
        watched(&world),
    )
    .await;
    let degraded = ear.sources.degraded();
    assert!(degraded.len() == 1 && degraded[0].contains("is polled"), "{degraded:?}");
    assert_eq!(ear.settle().await, []);
    ear.sources.stop().await;
    let (sender, wakes) = tokio::sync::mpsc::channel(16);
    let mut sources = headcount::control::watch::sources::Sources::start(
        SourceOptions { control_client: false, poll, ..options(&world) },
        sender,
    );
    let what = Watched::default();
    sources.watch(&what).await;
    ear = Ear { sources, wakes, watched: watched(&world) };
    ear.sources.watch(&ear.watched).await;
    for _ in 0..3 {
        ear.hear("a poll", mux()).await;
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_gets_a_new_client() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let mut ear = Ear::start(options(&world), watched(&world)).await;
    signal(pid(&world), Signal::KILL);
    assert_eq!(ear.hear("the death", Reason::Server).await, Scope::server(server("default")));
    // The pass that follows finds nobody.
    ear.watched.servers.values_mut().for_each(|it| it.pid = None);
    ear.rewatch().await;
    assert_eq!(ear.sources.degraded(), Vec::<String>::new());
    world.session("two", world.root(), "sleep 600");
    ear.hear("the start", Reason::Server).await;
    ear.watched = watched(&world);
    ear.sources.watch(&ear.watched).await;
    ear.hear("the new client", mux()).await;
    ear.settle().await;
    world.session("three", world.root(), "sleep 600");
    ear.hear("a session", mux()).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_at_first_is_polled_and_listened_to_once_it_does() {
    let world = World::new();
    world.session("one", world.root(), "sleep 600");
    let watched = watched(&world);
    let wedged = Wedged::new(pid(&world));
    let poll = Duration::from_millis(50);
    let mut ear = Ear::start(SourceOptions { poll, ..options(&world) }, Watched::default()).await;
    ear.watched = watched;
    ear.sources.watch(&ear.watched).await;
    ear.until("a poll because the client got no answer", |wake| wake.reason == mux()).await;
    let degraded = ear.sources.degraded();
    assert!(degraded.len() == 1 && degraded[0].contains("did not answer"), "{degraded:?}");
    drop(wedged);
    let asking = async {
        while !ear.sources.degraded().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), asking).await.expect("no longer degraded");
    ear.settle().await;
    world.session("two", world.root(), "sleep 600");
    ear.hear("a session", mux()).await;
}

#[tokio::test]
async fn the_timer_wakes_for_everything_about_as_often_as_it_is_told() {
    let world = World::new();
    let interval = Duration::from_millis(200);
    let (sender, mut wakes) = tokio::sync::mpsc::channel(1);
    let sources = headcount::control::watch::sources::Sources::start(SourceOptions { interval, ..options(&world) }, sender);
    let begun = std::time::Instant::now();
    for n in 1..=5_u32 {
        let wake = wakes.recv().await.unwrap();
        assert_eq!((wake.reason, wake.scope), (Reason::Resync, Scope::ALL));
        assert!(begun.elapsed() >= interval.mul_f64(0.89) * n, "wake {n} after {:?}", begun.elapsed());
    }
    sources.stop().await;
}
