//! A registry as multi-agent-mux writes it (made by hand after its protocol, with fields of its own): read, written, and still
//! its own afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;
use headcount::core::job::{EventKind, JobEvent, JobStatus};
use headcount::store::jobs::{EventMessage, Registry};
use serde_json::Value;

use crate::event;
use crate::place::Place;

const ID: &str = "k3p9x2aq";

/// A copy of the sample in this directory.
fn sample(into: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jobs");
    fs::create_dir_all(into).unwrap();
    for name in [format!("{ID}.json"), format!("{ID}.events.log")] {
        fs::copy(from.join(&name), into.join(name)).unwrap();
    }
    fs::write(into.join(".lock"), "").unwrap();
    into.to_owned()
}

fn record(registry: &Path) -> Value {
    serde_json::from_slice(&fs::read(registry.join(format!("{ID}.json"))).unwrap()).unwrap()
}

#[test]
fn an_event_changes_its_fields_of_the_record_and_no_other_not_even_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(&dir.path().join("jobs"));
    let registry = Registry::at(&path);
    let before = record(&path);
    let log = fs::read(path.join(format!("{ID}.events.log"))).unwrap();
    let at = Utc::now();
    let (job, event) = registry.publish(&ID.parse().unwrap(), event(EventKind::Completed), at).unwrap();
    assert_eq!((event.seq, job.status), (3, JobStatus::Completed));
    let mut expected = before.clone();
    expected["status"] = "completed".into();
    expected["last_seq"] = 3.into();
    let mut after = record(&path);
    assert_ne!(after["updated_at"], before["updated_at"]);
    expected["updated_at"] = after["updated_at"].clone();
    let added = after.as_object_mut().unwrap().shift_remove("last_event").unwrap();
    assert_eq!(added, serde_json::json!({"seq": 3, "event": "completed"}));
    assert_eq!(after, expected);
    let keys = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&after), keys(&before));
    let longer = fs::read(path.join(format!("{ID}.events.log"))).unwrap();
    assert!(longer.starts_with(&log), "the lines that stood there stand there");
    let line: JobEvent = serde_json::from_slice(longer[log.len()..].trim_ascii_end()).unwrap();
    assert_eq!(line, event);
}

#[test]
fn events_by_its_own_topic_and_signature_are_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(&dir.path().join("jobs"));
    let registry = Registry::at(&path);
    let job = registry.find(&ID.parse().unwrap()).unwrap().unwrap();
    assert_eq!(job.topic(), format!("team/jobs/{ID}/events"));
    let next = JobEvent::next(&job, EventKind::Progress, "é".to_owned(), None, Utc::now()).unwrap();
    let payload = serde_json::to_vec(&next).unwrap();
    let topic = job.topic();
    let answers = registry.receive(&[EventMessage { topic: &topic, payload: &payload }], "team/jobs", Utc::now()).unwrap();
    assert_eq!(answers[0].as_ref().unwrap().last_seq, 3);
    let log = registry.events(&job.id).news().unwrap();
    assert_eq!((log.events.len(), log.unreadable), (3, 0));
}

#[test]
fn its_lock_is_the_one_that_keeps_us_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(&dir.path().join("jobs"));
    let lock = fs::File::open(path.join(".lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let registry = Registry::at(&path).with_wait(std::time::Duration::from_millis(20));
    assert!(registry.cancel(&ID.parse().unwrap(), Utc::now()).is_err_and(|error| error.is_busy()));
}

#[test]
fn it_is_found_beside_the_manifest_and_shown_without_its_secrets() {
    let place = Place::new();
    sample(&place.work().join("project/.mam/jobs"));
    place.write(
        "project/.mam/agent-sessions.yaml",
        format!("sessions:\n  - tmux_session: lab-landing-page-creator-claude\n    agent: claude\n    delegate_job_id: {ID}\n"),
    );
    let manifest = ["-f", "project/.mam/agent-sessions.yaml"];
    for verb in [
        &["status", "-o", "wide"][..],
        &["status", "--json"],
        &["explain", "lab-*"],
        &["job", "list"],
        &["job", "show", ID],
        &["job", "show", ID, "--json"],
    ] {
        let ran = place.run(&[verb, &manifest].concat());
        assert_eq!(ran.code, Some(0), "{verb:?}: {}", ran.stderr);
        assert!(ran.stdout.contains(ID) && ran.stdout.contains("running"), "{verb:?}: {}", ran.stdout);
        assert!(!ran.stdout.contains("hunter2") && !ran.stdout.contains("staple"), "{verb:?}");
    }
}
