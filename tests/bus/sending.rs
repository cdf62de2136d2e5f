//! `headcount job publish --mqtt`: from this machine's registry, and of a job of another machine.

use headcount::bus;
use headcount::core::job::EventKind;
use serde_json::Value;

use crate::broker::PATIENCE;
use crate::run::headcount;
use crate::support::World;
use crate::watch::{OPEN, Place, payload, status};

/// What a machine without the job says of it.
fn from_afar(place: &Place, arguments: &[&str], token: Option<&str>) -> (Option<i32>, String, String) {
    let elsewhere = World::new();
    let mut command = headcount(&elsewhere, &[&["job", "publish"], arguments, &["--mqtt"]].concat());
    command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", place.broker.port.to_string());
    command.env_remove("HEADCOUNT_MANIFEST").envs(token.map(|token| ("HEADCOUNT_JOB_TOKEN", token)));
    let output = command.output().unwrap();
    let mine = elsewhere.home().join(".local/state/headcount/jobs");
    assert!(!mine.exists(), "nothing is written there");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_job_on_another_machine_reports_through_the_broker_and_only_signed_if_it_has_a_token() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&["--auth"]);
    let token = job.auth_token.as_ref().unwrap().expose();
    let id = job.id.as_str();
    let mut watch = place.subscribed();
    let (code, said, stderr) = from_afar(&place, &[id, "started"], None);
    assert!(code == Some(0) && said.contains("unsigned"), "{said}{stderr}");
    assert!(watch.until("error mqtt")["message"].as_str().unwrap().contains("not signed"));
    for (event, wanted) in [("started", "running"), ("completed", "completed")] {
        let (code, said, stderr) =
            from_afar(&place, &[id, event, "--detail", "é", "--data", "{\"b\": 1, \"a\": [null]}"], Some(token));
        assert!(code == Some(0) && said.contains(", signed"), "{said}{stderr}");
        assert!(!said.contains(token) && !stderr.contains(token));
        status(&mut watch, wanted);
    }
    assert!(place.job(&job).last_seq > 1_000_000);
}

#[test]
fn an_event_of_a_job_that_is_here_is_written_and_published_and_counts_once() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&[]);
    let mut watch = place.subscribed();
    let publish = |port: u16, event: &str| {
        let mut command = headcount(&place.world, &["job", "publish", job.id.as_str(), event, "--mqtt", "--json"]);
        command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", port.to_string()).output().unwrap()
    };
    let output = publish(place.broker.port, "started");
    assert!(output.status.success(), "{output:?}");
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&event["seq"], &event["event"]), (&1.into(), &"started".into()));
    status(&mut watch, "running");
    // It came by the broker as well, and was seen already.
    while watch.until("heartbeat")["mqtt"]["dropped"] == 0 {}
    assert_eq!(place.job(&job).last_seq, 1);
    // Without the broker it is written all the same, and that nobody else heard of it is said.
    let output = publish(1, "progress");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("the registry here has the event"), "{said}");
    assert_eq!(place.job(&job).last_seq, 2);
}

#[test]
fn a_broker_that_is_asked_once_answers_or_is_said_not_to() {
    let Some(place) = Place::new("allow_anonymous false\npassword_file DIR/none\n") else { return };
    let refused = bus::once(&place.broker.address(&[]), "one", None, PATIENCE).unwrap_err().to_string();
    assert!(refused.contains("not authorized"), "{refused}");
    place.broker.signal(rustix::process::Signal::STOP);
    let late = bus::once(&place.broker.address(&[]), "one", None, std::time::Duration::from_millis(300)).unwrap_err();
    assert!(matches!(late, bus::NotTaken::Late { .. }), "{late}");
}

#[test]
fn of_what_is_published_once_nothing_is_lost_when_it_is_acknowledged() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&[]);
    let watch = place.subscribed();
    watch.terminate();
    let address = place.broker.address(&[]);
    let ours = payload(&job, 1, EventKind::Completed);
    bus::once(&address, "one", Some((&job.topic(), &ours)), PATIENCE).unwrap();
    let mut watch = place.watch(&["--subscribe"], &[]);
    while place.job(&job).last_seq < 1 {
        watch.until("heartbeat");
    }
}
