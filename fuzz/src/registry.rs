//! A job registry that others write into: a record is its own file's or a problem, a log read as it grows is the log read at once,
//! and what comes in is answered whatever lies there.

use headcount::core::job::JobId;
use headcount::store::jobs::{EventLog, EventMessage, Registry};

use super::desk::when;
use super::{choice, data, joined, pieces};

const ID: &str = "k3p9x2aq";
const ROOT: &str = "python/mqtt/jobs";

thread_local! {
    static HOME: tempfile::TempDir = tempfile::Builder::new().prefix("headcount-fuzz-").tempdir().unwrap();
}

pub fn run(data: &[u8]) {
    let (at, rest) = choice(data);
    let mut pieces = pieces(rest);
    let (record, log) = (pieces.next().unwrap(), pieces.next().unwrap_or_default());
    HOME.with(|dir| {
        let registry = Registry::at(dir.path().join("jobs"));
        let _ = std::fs::remove_dir_all(registry.path());
        std::fs::create_dir(registry.path()).unwrap();
        std::fs::write(registry.path().join(format!("{ID}.json")), record).unwrap();
        look(&registry, record);
        grow(&registry, log, usize::from(at) * log.len() / 256);
        if let Some(payload) = pieces.next() {
            receive(&registry, payload);
        }
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let record = std::fs::read(data(&format!("jobs/{ID}.json"))).unwrap();
    let log = std::fs::read(data(&format!("jobs/{ID}.events.log"))).unwrap();
    let bare = format!(r#"{{"job_id":"{ID}","status":"running"}}"#);
    let event = format!(
        r#"{{"schema_version":1,"seq":7,"job_id":"{ID}","event":"completed","timestamp":"2026-11-21T10:00:00Z","detail":""}}"#
    );
    let line = format!("{{\"received_at\":\"2026-11-21T10:00:00Z\",{}\n", &event[1..]);
    vec![
        joined(&[&[&[90], record.as_slice()].concat(), &log]),
        joined(&[&[&[200], bare.as_bytes()].concat(), line.repeat(2).as_bytes(), event.as_bytes()]),
        joined(&[&[&[9], bare.as_bytes()].concat(), b"{\n", event.as_bytes()]),
    ]
}

fn id() -> JobId {
    ID.parse().unwrap()
}

fn look(registry: &Registry, record: &[u8]) {
    let listing = registry.list().unwrap();
    assert_eq!(listing.jobs.len() + listing.problems.len(), 1, "{listing:?}");
    for job in &listing.jobs {
        assert_eq!(job.id, id());
        assert_eq!(registry.find(&id()).unwrap().as_ref(), Some(job));
    }
    assert_eq!(std::fs::read(registry.path().join(format!("{ID}.json"))).unwrap(), record, "looking changes nothing");
}

/// The log in two pieces, with a look in between, and at once.
fn grow(registry: &Registry, log: &[u8], cut: usize) {
    let path = registry.path().join(format!("{ID}.events.log"));
    std::fs::write(&path, &log[..cut]).unwrap();
    let mut reader = registry.events(&id());
    let EventLog { mut events, mut unreadable, .. } = reader.news().unwrap();
    std::fs::write(&path, log).unwrap();
    let more = reader.news().unwrap();
    events.extend(more.events);
    unreadable += more.unreadable;
    let whole = registry.events(&id()).news().unwrap();
    assert_eq!((&events, unreadable), (&whole.events, whole.unreadable), "cut at {cut}");
    let mut seqs: Vec<u64> = events.iter().map(|logged| logged.event.seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), events.len(), "an event twice");
}

/// What is believed is on disk afterwards, and believed once.
fn receive(registry: &Registry, payload: &[u8]) {
    let topic = format!("{ROOT}/{ID}/events");
    let message = EventMessage { topic: &topic, payload };
    let Ok(answers) = registry.receive(&[message, message], ROOT, when()) else { return };
    assert_eq!(answers.len(), 2);
    assert!(answers[1].is_err(), "the same number twice");
    if let Ok(job) = &answers[0] {
        let kept = registry.find(&id()).unwrap().expect("its record");
        assert_eq!((kept.last_seq, kept.status), (job.last_seq, job.status));
        let logged = registry.events(&id()).news().unwrap();
        assert!(logged.events.iter().any(|logged| logged.event.seq == job.last_seq), "it is not in the log");
    }
}
