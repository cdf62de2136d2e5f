//! A watch hears of jobs by the registry's directory alone: links them, and tells what becomes of them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::place::Place;

/// A watch that would look again only in an hour.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watching {
    fn start(place: &Place) -> Self {
        Self::with(place, &[])
    }

    fn with(place: &Place, more: &[&str]) -> Self {
        let mut command = place.command();
        command.args(["watch", "--json", "--interval", "1h", "--heartbeat", "0", "--settle", "0s", "--max-runtime", "60s"]);
        command.args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next event of a type; whatever comes before it is passed over.
    fn next(&mut self, kind: &str) -> Value {
        loop {
            let line = self.lines.next().expect("the watch ended").unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["type"] == kind {
                return event;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_submitted_job_is_linked_by_the_watch_and_each_status_is_told() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions:\n  - { name: lab, agent: claude, status: running }\n");
    let schema: Value = serde_json::from_str(&place.run(&["schema", "events"]).stdout).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut watching = Watching::start(&place);
    watching.next("started");
    // Its first pass tells this one, so that by then the registry's directory is waited for.
    assert_eq!(watching.next("drift")["class"], "dead");
    let elsewhere = place.work().join("other.yaml");
    std::fs::write(&elsewhere, "version: 1\nsessions: []\n").unwrap();
    let ran = place.run(&["job", "submit", "--prompt", "x", "--agent-session", "tmux:lab", "-f", "other.yaml"]);
    let id = ran.stdout.trim();
    // The link is announced before the job, and either may be found first by a pass that began early.
    let linked = watching.next("drift");
    assert_eq!((&linked["class"], &linked["state"]), (&"delegated".into(), &"applied".into()));
    assert!(linked["reasons"].as_array().unwrap().contains(&"job".into()), "{linked}");
    let told = watching.next("job");
    assert!(schema.is_valid(&told), "{told}");
    assert_eq!((&told["job"], &told["status"], told.get("from")), (&id.into(), &"pending".into(), None));
    assert!(std::fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap().contains(id));
    for (event, status, from) in [("started", "running", "pending"), ("completed", "completed", "running")] {
        place.run(&["job", "publish", id, event]);
        let told = watching.next("job");
        assert_eq!(
            (&told["status"], &told["from"], &told["agent_session"]),
            (&status.into(), &from.into(), &"tmux:lab".into())
        );
        assert_eq!(told["message"], format!("job {id} in tmux:lab: {status}."));
    }
}

#[test]
fn a_job_that_runs_out_of_time_is_told_when_it_does_although_nothing_happens() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions:\n  - { name: lab, agent: claude, status: running }\n");
    let mut watching = Watching::start(&place);
    watching.next("drift");
    let ran = place.run(&["job", "submit", "--prompt", "x", "--idle-timeout", "1s", "--timeout", "3s"]);
    let id = ran.stdout.trim();
    let mut told = || {
        let event = watching.next("job");
        assert_eq!((&event["job"], &event["status"]), (&id.into(), &"pending".into()));
        event["timed_out"].clone()
    };
    // An hour of interval: without a wake of its own neither would come.
    assert_eq!((told(), told(), told()), (Value::Null, "idle".into(), "total".into()));
}

#[test]
fn what_was_told_of_jobs_is_not_told_again_by_the_next_watch_and_what_happened_meanwhile_is() {
    let place = Place::new();
    // Nothing is recorded of a stale id, so the first pass of every consumer tells it.
    let lab = "{ name: lab, agent: claude, status: stopped, session_id: 11111111-1111-4111-8111-111111111111 }";
    place.write("agent-sessions.yaml", format!("version: 1\nsessions:\n  - {lab}\n"));
    let submit = || place.run(&["job", "submit", "--prompt", "x"]).stdout.trim().to_owned();
    let known = submit();
    let mut watching = Watching::start(&place);
    watching.next("drift");
    let told = submit();
    assert_eq!(watching.next("job")["job"], told.as_str(), "those that were there at first are known");
    drop(watching);
    let meanwhile = submit();
    place.run(&["job", "publish", &known, "completed"]);
    // Killed, as it was above, or ended: what it told is remembered.
    let mut watching = Watching::start(&place);
    let mut news: Vec<(Value, Value)> = (0..2)
        .map(|_| {
            let event = watching.next("job");
            (event["job"].clone(), event["status"].clone())
        })
        .collect();
    news.sort_by_key(|(job, _)| job != known.as_str());
    assert_eq!(news, [(known.into(), "completed".into()), (meanwhile.into(), "pending".into())]);
    place.run(&["job", "publish", &told, "error"]);
    let event = watching.next("job");
    assert_eq!((&event["job"], &event["from"]), (&told.into(), &"pending".into()), "and nothing else came before it");
    // Another consumer has been told nothing yet, and takes what is there as known.
    let mut other = Watching::with(&place, &["--consumer", "other"]);
    other.next("drift");
    let last = submit();
    assert_eq!(other.next("job")["job"], last.as_str());
}
