//! Wakes from processes that end.

use std::process::{Child, Command, Stdio};

use headcount::control::watch::sources::{ServerWatch, Watched};
use headcount::control::watch::wake::{Reason, Scope};
use headcount::host::{Host, LocalHost};

use crate::ear::{Ear, options, sessions};
use crate::support::{World, server};

/// Processes that end with the test.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start(count: usize) -> Self {
        Self((0..count).map(|_| Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap()).collect())
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start_ticks(world: &World, pid: u32) -> u64 {
    LocalHost::new(world.environ(&[])).stat(pid).seen().and_then(|it| it.start_ticks).unwrap()
}

#[tokio::test]
async fn the_end_of_a_process_wakes_its_sessions_once() {
    let world = World::new();
    let mut sleepers = Sleepers::start(2);
    let pids: Vec<u32> = sleepers.0.iter().map(Child::id).collect();
    let mut watched = Watched::default();
    watched.processes.insert((pids[0], start_ticks(&world, pids[0])), sessions(&["a"]));
    watched.processes.insert((pids[1], 0), sessions(&["b"]));
    let mut ear = Ear::start(options(&world), watched).await;
    // The sessions may change while the process stays.
    ear.watched.processes.insert((pids[1], 0), sessions(&["b", "c"]));
    ear.rewatch().await;
    assert!(ear.sources.degraded().is_empty(), "{:?}", ear.sources.degraded());
    for (at, expected) in [(1, sessions(&["b", "c"])), (0, sessions(&["a"]))] {
        sleepers.0[at].kill().unwrap();
        assert_eq!(ear.hear("the end", Reason::Process(pids[at])).await, Scope::sessions(expected));
        // A pass that still names it does not make it end again.
        ear.watched.manifest = format!("/nowhere/{at}").into();
        ear.sources.watch(&ear.watched).await;
        let again = ear.settle().await;
        assert!(again.iter().all(|wake| wake.reason == Reason::Manifest), "{again:?}");
    }
}

#[tokio::test]
async fn a_process_that_ended_before_it_was_watched_is_told_of_and_so_is_one_whose_id_was_given_away() {
    let world = World::new();
    let mut sleepers = Sleepers::start(2);
    let pids: Vec<u32> = sleepers.0.iter().map(Child::id).collect();
    let ticks = start_ticks(&world, pids[1]);
    sleepers.0[0].kill().unwrap();
    sleepers.0[0].wait().unwrap();
    let mut ear = Ear::start(options(&world), Watched::default()).await;
    ear.watched.processes.insert((pids[0], 1), sessions(&["a"]));
    ear.watched.processes.insert((pids[1], ticks - 1), sessions(&["b"]));
    ear.sources.watch(&ear.watched).await;
    let heard = ear.settle().await;
    for pid in pids {
        assert!(heard.iter().any(|wake| wake.reason == Reason::Process(pid)), "{pid}: {heard:?}");
    }
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[tokio::test]
async fn a_process_that_no_longer_matters_is_let_go() {
    let world = World::new();
    let mut sleepers = Sleepers::start(2);
    let pids: Vec<u32> = sleepers.0.iter().map(Child::id).collect();
    let mut ear = Ear::start(options(&world), Watched::default()).await;
    for pid in &pids {
        ear.watched.processes.insert((*pid, 0), sessions(&["a"]));
    }
    ear.rewatch().await;
    ear.watched.processes.remove(&(pids[0], 0));
    ear.rewatch().await;
    sleepers.0[0].kill().unwrap();
    sleepers.0[1].kill().unwrap();
    let heard = ear.until("the other", |wake| wake.reason == Reason::Process(pids[1])).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(ear.settle().await, []);
}

#[tokio::test]
async fn a_thousand_processes_are_watched_and_each_end_is_heard() {
    let world = World::new();
    let mut sleepers = Sleepers::start(1000);
    let mut ear = Ear::start(options(&world), Watched::default()).await;
    for child in &sleepers.0 {
        ear.watched.processes.insert((child.id(), start_ticks(&world, child.id())), sessions(&[&child.id().to_string()]));
    }
    ear.rewatch().await;
    assert!(ear.sources.degraded().is_empty(), "{:?}", ear.sources.degraded());
    let mut missing: std::collections::BTreeSet<u32> = sleepers.0.iter().map(Child::id).collect();
    for child in &mut sleepers.0 {
        child.kill().unwrap();
    }
    ear.until("every end", |wake| {
        let Reason::Process(pid) = wake.reason else { return false };
        assert_eq!(wake.scope, Scope::sessions(sessions(&[&pid.to_string()])));
        assert!(missing.remove(&pid), "{pid} ended twice");
        missing.is_empty()
    })
    .await;
}

#[tokio::test]
async fn the_death_of_a_server_is_seen_by_its_process() {
    let world = World::new();
    world.session("a", world.root(), "sleep 600");
    let pid: u32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    let mut watched = Watched::default();
    let key = server("default");
    // The socket is left out so that nothing else can tell.
    watched.servers.insert(key.clone(), ServerWatch { pid: Some(pid), ..ServerWatch::default() });
    let mut ear =
        Ear::start(headcount::control::watch::sources::SourceOptions { control_client: false, ..options(&world) }, watched)
            .await;
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    assert_eq!(ear.hear("the death", Reason::Server).await, Scope::server(key));
}

/// Set for the run of the test below in a process that may hold few files.
const FEW: &str = "HEADCOUNT_TEST_FEW_FILES";

#[tokio::test]
async fn where_handles_run_out_processes_are_asked_after_and_that_is_said_once() {
    if std::env::var_os(FEW).is_none() {
        let name = "processes::where_handles_run_out_processes_are_asked_after_and_that_is_said_once";
        let exe = std::env::current_exe().unwrap();
        let output = Command::new("sh")
            .args(["-c", "ulimit -Sn 40; ulimit -Hn 60; exec \"$0\" --exact \"$1\" --nocapture"])
            .arg(exe)
            .arg(name)
            .env(FEW, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let world = World::new();
    let mut sleepers = Sleepers::start(100);
    let quick = std::time::Duration::from_millis(50);
    let mut ear =
        Ear::start(headcount::control::watch::sources::SourceOptions { poll: quick, ..options(&world) }, Watched::default())
            .await;
    let ticks: Vec<u64> = sleepers.0.iter().map(|child| start_ticks(&world, child.id())).collect();
    for (child, ticks) in sleepers.0.iter().zip(ticks) {
        ear.watched.processes.insert((child.id(), ticks), sessions(&["a"]));
    }
    ear.sources.watch(&ear.watched).await;
    let degraded = ear.sources.degraded();
    assert_eq!(degraded.len(), 1, "{degraded:?}");
    assert!(degraded[0].contains("processes are polled only: "), "{degraded:?}");
    // The limit was raised for us, but a child has the one we began with.
    let shell = headcount::host::Command {
        program: "sh".into(),
        args: vec!["-c".into(), "ulimit -Sn".into()],
        variables: Vec::new(),
        deadline: std::time::Duration::from_secs(5),
    };
    // Some handles are let go so that a child can be started at all.
    for _ in 0..20 {
        let (identity, _) = ear.watched.processes.pop_first().unwrap();
        let at = sleepers.0.iter().position(|child| child.id() == identity.0).unwrap();
        sleepers.0.remove(at).kill().unwrap();
    }
    ear.sources.watch(&ear.watched).await;
    ear.settle().await;
    assert_eq!(rustix::process::getrlimit(rustix::process::Resource::Nofile).current, Some(60));
    let told = LocalHost::new(world.environ(&[])).run(&shell).unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "40");
    let mut missing: std::collections::BTreeSet<u32> = sleepers.0.iter().map(Child::id).collect();
    for child in &mut sleepers.0 {
        child.kill().unwrap();
    }
    ear.until("every end", |wake| {
        if let Reason::Process(pid) = wake.reason {
            missing.remove(&pid);
        }
        missing.is_empty()
    })
    .await;
}
