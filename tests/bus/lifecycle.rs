//! What is done to the session of a job is told to its registry and its broker.

use headcount::core::job::EventKind;
use serde_json::Value;

use crate::broker::Listener;
use crate::run::{declare, headcount};
use crate::support::await_some;
use crate::watch::{OPEN, Place};

/// Runs a command that succeeds, with a broker on this port; gives what it says on stderr.
fn run_beside(place: &Place, port: u16, words: &[&str]) -> String {
    let mut command = headcount(&place.world, words);
    let output = command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", port.to_string()).output().unwrap();
    assert!(output.status.success(), "{words:?} {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn run(place: &Place, words: &[&str]) {
    run_beside(place, place.broker.port, words);
}

/// The job, what a new session is about.
fn begun(place: &Place) -> headcount::core::job::Job {
    declare(&place.world, "version: 1\nlead: { spacing: 0s, ready: 10s }\nsessions: []\n");
    let cwd = place.world.workspace("one");
    let cwd = cwd.to_str().unwrap();
    run(place, &["new", "one", "--agent", "claude", "--cwd", cwd, "--submit-job", "do it"]);
    let mut jobs = place.registry().list().unwrap().jobs;
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

#[test]
fn that_its_session_began_was_stopped_and_goes_on() {
    let Some(place) = Place::new(OPEN) else { return };
    let listener = Listener::of(&place.broker);
    let job = begun(&place);
    run(&place, &["stop", "one", "--yes"]);
    run(&place, &["start", "one", "--yes"]);
    await_some("what was told", || (listener.events().len() >= 3).then_some(()));
    let told = |event: &Value| {
        assert_eq!(event["job_id"], job.id.as_str());
        assert_eq!(event["data"]["session"]["name"], "one");
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (word(&event["event"]), word(&event["data"]["lifecycle"]))
    };
    let told: Vec<_> = listener.events().iter().map(told).collect();
    let expected = [("started", "create"), ("progress", "stop"), ("progress", "resume")];
    assert_eq!(told, expected.map(|(kind, what)| (kind.to_owned(), what.to_owned())));
    let now = place.job(&job);
    assert_eq!((now.last_seq, now.last_event), (3, Some(EventKind::Progress)));
}

#[test]
fn a_broker_that_is_not_there_holds_nothing_up_and_is_named() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = begun(&place);
    let said = run_beside(&place, 1, &["stop", "one", "--yes"]);
    assert!(said.contains(&format!("job {} was not told", job.id)), "{said}");
    assert_eq!(place.job(&job).last_seq, 2, "its registry was");
    // One that is over is told nothing.
    run(&place, &["job", "cancel", job.id.as_str()]);
    run(&place, &["start", "one", "--yes"]);
    assert_eq!(place.job(&job).last_seq, 2);
}
