//! Jobs that headcount runs tell the broker what becomes of them: each thing once, whoever is killed and whatever is not there.

use std::path::PathBuf;

use headcount::core::job::Job;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::broker::Listener;
use crate::run::headcount;
use crate::support::{await_end, await_some};
use crate::watch::{OPEN, Place};

/// What `claude -p` writes: the first attempt at a prompt that holds `crash` ends without a word of its end.
const AGENT: &str = r#"#!/bin/sh
prompt=$(cat)
echo '{"type":"system","subtype":"init","session_id":"0f5bcf8e-5f0e-4a51-9d9f-1f2f9d7a6c10"}'
case $prompt in *crash*) exit 7 ;; *wait*) while [ ! -e "$HOME/go" ]; do sleep 0.05; done ;; esac
echo '{"type":"result","subtype":"success","is_error":false,"result":"all done","session_id":"0f5bcf8e-5f0e-4a51-9d9f-1f2f9d7a6c10"}'
"#;

/// Runs a job whose end is also told to a command.
fn run(place: &Place, prompt: &str) -> Job {
    place.world.program("claude", AGENT);
    let notify = format!("cat >>'{0}'; echo >>'{0}'", notified(place).display());
    let words = ["job", "run", "--agent", "claude", "--headless", "--permissions", "edit", "--backoff", "0s"];
    let mut command = headcount(&place.world, &[&words[..], &["--prompt", prompt, "--notify", &notify]].concat());
    command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", place.broker.port.to_string());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    place.registry().list().unwrap().jobs.remove(0)
}

fn notified(place: &Place) -> PathBuf {
    place.world.root().join("notified")
}

/// How often the command was told of the end.
fn notices(place: &Place) -> usize {
    std::fs::read_to_string(notified(place)).unwrap_or_default().matches("headcount/job-done/v1").count()
}

fn file(place: &Place, job: &Job, name: &str) -> PathBuf {
    place.world.home().join(".local/state/headcount/jobs").join(job.id.as_str()).join(name)
}

/// What a listener heard of a job: each event and its number.
fn told(listener: &Listener, job: &Job) -> Vec<(String, u64)> {
    let event = |event: Value| {
        assert_eq!(event["job_id"], job.id.as_str());
        (event["event"].as_str().unwrap().to_owned(), event["seq"].as_u64().unwrap())
    };
    listener.events().into_iter().map(event).collect()
}

fn numbered(kinds: &[&str]) -> Vec<(String, u64)> {
    (1..).zip(kinds).map(|(number, kind)| ((*kind).to_owned(), number)).collect()
}

#[test]
fn a_job_tells_its_broker_and_its_command_of_each_thing_once() {
    let Some(place) = Place::new(OPEN) else { return };
    let listener = Listener::of(&place.broker);
    let job = run(&place, "crash");
    // An attempt that goes on is progress.
    let expected = numbered(&["started", "progress", "completed"]);
    await_some("the end", || file(&place, &job, "told.end").exists().then_some(()));
    // Whoever looks, or goes on with what was lost, tells nobody again.
    for words in [&["job", "list"][..], &["job", "resume", "--all"], &["job", "stop", job.id.as_str()]] {
        assert!(headcount(&place.world, words).output().unwrap().status.success());
    }
    place.broker.publish("python/mqtt/jobs/none", br#"{"job_id": "mark"}"#, &[]);
    await_some("all of it", || listener.events().iter().any(|event| event["job_id"] == "mark").then_some(()));
    let all: Vec<_> = listener.events().into_iter().filter(|event| event["job_id"] != "mark").collect();
    assert_eq!(all.last().unwrap()["data"]["outcome"], "completed");
    let all: Vec<_> =
        all.iter().map(|event| (event["event"].as_str().unwrap().to_owned(), event["seq"].as_u64().unwrap())).collect();
    assert_eq!((all, notices(&place)), (expected, 1));
}

#[test]
fn an_end_that_its_broker_could_not_be_told_is_told_once_it_can() {
    let Some(mut place) = Place::new(OPEN) else { return };
    let job = run(&place, "wait");
    await_some("its beginning", || (place.job(&job).last_seq == 1).then_some(()));
    place.broker.end(Signal::TERM);
    std::fs::write(place.world.home().join("go"), "").unwrap();
    await_some("its command", || (notices(&place) == 1).then_some(()));
    let launcher: Value = serde_json::from_slice(&std::fs::read(file(&place, &job, "lock")).unwrap()).unwrap();
    let launcher = u32::try_from(launcher["pid"].as_u64().unwrap()).unwrap();
    kill_process(Pid::from_raw(launcher.cast_signed()).unwrap(), Signal::KILL).unwrap();
    await_end(launcher);
    assert!(!file(&place, &job, "told.end").exists());
    assert!(place.broker.start());
    let listener = Listener::of(&place.broker);
    for _ in 0..2 {
        assert!(headcount(&place.world, &["job", "resume", "--all"]).output().unwrap().status.success());
    }
    await_some("the end", || (!told(&listener, &job).is_empty()).then_some(()));
    assert_eq!((told(&listener, &job), notices(&place)), (vec![("completed".to_owned(), 2)], 1));
}
