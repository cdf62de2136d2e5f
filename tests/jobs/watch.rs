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
        let mut command = place.command();
        command.args(["watch", "--json", "--interval", "1h", "--heartbeat", "0", "--settle", "0s", "--max-runtime", "60s"]);
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
