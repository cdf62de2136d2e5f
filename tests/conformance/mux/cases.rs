//! The cases. They know nothing of any one multiplexer.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use headcount::core::fact::Fact;
use headcount::core::ids::ServerKey;
use headcount::core::observe::{MuxSession, Server};
use headcount::host::LocalHost;
use headcount::mux;

use super::bench::{Bench, Stopped, kill};
use crate::support::await_some;

fn list_on(bench: &dyn Bench, server: &str) -> Fact<Server> {
    let env = bench.world().environ(&[]);
    mux::of(bench.kind()).list(&LocalHost::new(env.clone()), &env, server)
}

fn list(bench: &dyn Bench) -> Fact<Server> {
    list_on(bench, ServerKey::DEFAULT)
}

fn sessions(fact: &Fact<Server>) -> &[Arc<MuxSession>] {
    fact.seen().map_or(&[], |server| &server.sessions)
}

fn names(fact: &Fact<Server>) -> BTreeSet<String> {
    sessions(fact).iter().map(|session| session.name.clone()).collect()
}

/// The processes of a session's panes.
fn pids(fact: &Fact<Server>, name: &str) -> Vec<u32> {
    let session = sessions(fact).iter().filter(|session| session.name == name);
    session.flat_map(|session| &session.panes).filter_map(|pane| pane.pid).collect()
}

/// Whether it is not told what a session holds: of the whole server, or of that session.
fn is_unknown(fact: &Fact<Server>, name: &str) -> bool {
    let session = sessions(fact).iter().find(|session| session.name == name);
    let doubtful = |session: &Arc<MuxSession>| session.panes.iter().any(|pane| pane.agents.why_unknown().is_some());
    fact.why_unknown().is_some() || session.is_some_and(doubtful)
}

pub fn a_server_that_never_ran_is_absent(bench: &dyn Bench) {
    assert_eq!(list(bench), Fact::Absent);
}

pub fn a_session_appears_with_its_panes_process(bench: &dyn Bench) {
    let pid = bench.start("s");
    let found = list(bench);
    assert_eq!(pids(&found, "s"), [pid], "{found:?}");
    let session = &sessions(&found)[0];
    assert!(session.created.is_some());
    assert!(session.panes.iter().all(|pane| pane.agents.is_absent() && pane.dead.is_none()), "{session:?}");
    assert_eq!(found.seen().unwrap().unlisted, None);
}

pub fn a_session_that_ended_is_gone_from_the_list_and_others_are_not(bench: &dyn Bench) {
    bench.start("stays");
    bench.start("ends");
    assert_eq!(names(&list(bench)), BTreeSet::from(["ends".to_owned(), "stays".to_owned()]));
    bench.end("ends");
    let found = list(bench);
    assert_eq!(names(&found), BTreeSet::from(["stays".to_owned()]));
    assert_eq!(found.seen().unwrap().unlisted, None);
}

pub fn the_last_session_s_end_leaves_none(bench: &dyn Bench) {
    bench.start("s");
    bench.end("s");
    await_some("the end of the server", || list(bench).is_absent().then_some(()));
}

pub fn a_wedged_server_is_unknown_in_bounded_time_and_never_gone(bench: &dyn Bench) {
    let pid = bench.start("s");
    let server = bench.server("s");
    {
        let _stopped = Stopped::new(server);
        let begun = Instant::now();
        let found = list(bench);
        assert!(is_unknown(&found, "s"), "{found:?}");
        // Two seconds and what a loaded machine adds.
        assert!(begun.elapsed().as_secs_f32() < 8.0, "{:?}", begun.elapsed());
    }
    let again = await_some("an answer", || Some(list(bench)).filter(|found| !is_unknown(found, "s")));
    assert_eq!(pids(&again, "s"), [pid]);
}

pub fn a_killed_server_is_absent(bench: &dyn Bench) {
    bench.start("s");
    kill(bench.server("s"));
    assert_eq!(list(bench), Fact::Absent);
    assert!(fs::read_dir(bench.sockets()).unwrap().next().is_some(), "its socket was left, and a look removes nothing");
}

pub fn hostile_names_come_back_as_they_are(bench: &dyn Bench) {
    let started: Vec<u32> = bench.hostile().iter().map(|name| bench.start(name)).collect();
    let found = list(bench);
    assert_eq!(names(&found), bench.hostile().iter().map(|name| (*name).to_owned()).collect());
    for (name, pid) in bench.hostile().iter().zip(started) {
        assert_eq!(pids(&found, name), [pid], "{name:?}");
    }
}

pub fn looking_starts_ends_and_leaves_nothing(bench: &dyn Bench) {
    let before = traces(bench);
    assert_eq!(list(bench), Fact::Absent);
    assert_eq!(traces(bench), before, "without a server");
    bench.start("s");
    let server = bench.server("s");
    let before = traces(bench);
    for _ in 0..3 {
        let found = list(bench);
        let env = bench.world().environ(&[]);
        let host = LocalHost::new(env.clone());
        mux::of(bench.kind()).other_panes(&host, &env, ServerKey::DEFAULT, &sessions(&found)[0]);
        mux::of(bench.kind()).process(&host, &env, ServerKey::DEFAULT);
    }
    assert_eq!(traces(bench), before);
    assert_eq!(bench.server("s"), server);
}

pub fn a_server_it_cannot_have_is_unknown_with_a_reason(bench: &dyn Bench) {
    let found = list_on(bench, bench.impossible());
    assert!(found.why_unknown().is_some_and(|why| why.contains(bench.impossible())), "{found:?}");
}

/// What there is of this world: processes that were started in it, sockets, and files in its home.
fn traces(bench: &dyn Bench) -> (BTreeSet<u32>, BTreeSet<PathBuf>) {
    let root = bench.world().root();
    let told = root.as_os_str().as_encoded_bytes();
    let mentions = |text: Vec<u8>| text.windows(told.len()).any(|part| part == told);
    let is_of_it = |pid: &u32| {
        let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        mentions(read("environ")) || mentions(read("cmdline"))
    };
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut files = BTreeSet::new();
    for directory in [bench.sockets(), bench.world().home(), root.to_path_buf()] {
        files.extend(fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    (all.filter(is_of_it).collect(), files)
}
