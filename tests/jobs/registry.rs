//! The registry's own rules: what is written when, what is believed, what is left alone.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use headcount::core::job::{DEFAULT_ROOT, DropReason, EventKind, Job, JobEvent, JobStatus};
use headcount::store::jobs::{EventMessage, JobsError, NewEvent, Registry};

use crate::{contents, event, numbers, submitted};

fn registry() -> (tempfile::TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::at(dir.path().join("jobs"));
    (dir, registry)
}

/// The payload of a job's event with this number.
fn payload(job: &Job, seq: u64, kind: EventKind) -> Vec<u8> {
    let mut at = job.clone();
    at.last_seq = seq - 1;
    serde_json::to_vec(&JobEvent::next(&at, kind, format!("number {seq}"), None, Utc::now()).unwrap()).unwrap()
}

/// A job whose events nobody signs.
fn unsigned(job: &Job) -> Job {
    let mut job = job.clone();
    job.auth_token = None;
    job
}

#[test]
fn looking_at_a_registry_that_is_not_there_makes_nothing() {
    let (dir, registry) = registry();
    let id = "abc12345".parse().unwrap();
    assert!(registry.list().unwrap().jobs.is_empty());
    assert!(registry.find(&id).unwrap().is_none());
    assert!(registry.events(&id).news().unwrap().events.is_empty());
    assert!(matches!(registry.publish(&id, event(EventKind::Started), Utc::now()), Err(JobsError::NoSuchJob { .. })));
    assert!(matches!(registry.cancel(&id, Utc::now()), Err(JobsError::NoSuchJob { .. })));
    assert!(registry.prune(Utc::now(), false).unwrap().jobs.is_empty());
    let stranger = EventMessage { topic: "python/mqtt/jobs/abc12345/events", payload: b"{}" };
    assert_eq!(
        registry.receive(&[stranger], DEFAULT_ROOT, Utc::now()).unwrap()[0].as_ref().err(),
        Some(&DropReason::NoSuchJob)
    );
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}

#[test]
fn the_name_of_a_new_log_and_of_a_record_that_alone_says_so_are_made_safe_before_anybody_is_told() {
    use rustix::fs::inotify;
    let (_dir, registry) = registry();
    let job = submitted(&registry, false);
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, registry.path(), inotify::WatchFlags::CREATE | inotify::WatchFlags::OPEN).unwrap();
    // What happened to the directory: a name that was made in it, or that it was opened itself, which is to sync it.
    let happened = || {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        let mut all = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_made = event.events().contains(inotify::ReadFlags::CREATE) && name.ends_with(".events.log");
            let is_synced = event.events().contains(inotify::ReadFlags::ISDIR) && name.is_empty();
            all.extend([(is_made, "made"), (is_synced, "synced")].into_iter().filter(|(is, _)| *is).map(|(_, word)| word));
        }
        all
    };
    registry.publish(&job.id, event(EventKind::Started), Utc::now()).unwrap();
    assert_eq!(happened(), ["made", "synced"]);
    registry.publish(&job.id, event(EventKind::Progress), Utc::now()).unwrap();
    assert_eq!(happened(), [""; 0], "its name is safe already");
    registry.cancel(&job.id, Utc::now()).unwrap();
    assert_eq!(happened(), ["synced"], "an event would be in the log; that it was called off is only in the record");
}

#[test]
fn every_file_is_private_and_an_audit_holds_no_secret() {
    let (_dir, registry) = registry();
    let job = submitted(&registry, true);
    let token = job.auth_token.clone().unwrap();
    registry.publish(&job.id, event(EventKind::Started), Utc::now()).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(registry.path()), mode(&registry.path().join(job.id.as_str()))), (0o700, 0o700));
    for (path, text) in contents(registry.path()) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let holds = String::from_utf8(text).unwrap().contains(token.expose());
        assert_eq!(holds, path == registry.path().join(format!("{}.json", job.id)), "{}", path.display());
    }
    let names: Vec<_> =
        contents(registry.path()).into_keys().map(|path| path.strip_prefix(registry.path()).unwrap().to_owned()).collect();
    let id = &job.id;
    let expected = [".lock".to_owned(), format!("{id}/events.ndjson"), format!("{id}/meta.json"), format!("{id}/status.json")];
    let expected: Vec<_> =
        expected.into_iter().chain([format!("{id}.events.log"), format!("{id}.json")]).map(Into::into).collect();
    let sorted = |mut names: Vec<std::path::PathBuf>| {
        names.sort();
        names
    };
    assert_eq!(sorted(names), sorted(expected));
    assert_eq!(id.as_str().len(), 8);
    assert!(id.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
}

#[test]
fn what_comes_in_is_verified_in_order_and_a_dropped_event_moves_nothing() {
    let (_dir, registry) = registry();
    let (one, two) = (submitted(&registry, true), submitted(&registry, false));
    let (topic_one, topic_two) = (one.topic(), two.topic());
    let nobodys = payload(&unsigned(&one), 50, EventKind::Completed);
    let texts = [
        (topic_one.as_str(), payload(&one, 1, EventKind::Started), Ok(JobStatus::Running)),
        (&topic_one, payload(&one, 1, EventKind::Started), Err(DropReason::Seen)),
        (&topic_one, nobodys, Err(DropReason::Unsigned)),
        (&topic_two, payload(&two, 3, EventKind::Progress), Ok(JobStatus::Running)),
        (&topic_two, payload(&two, 2, EventKind::Error), Err(DropReason::Seen)),
        (&topic_two, payload(&one, 9, EventKind::Error), Err(DropReason::OtherJob)),
        (&topic_one, payload(&one, 2, EventKind::Completed), Ok(JobStatus::Completed)),
        ("python/mqtt/jobs/../events", payload(&one, 9, EventKind::Error), Err(DropReason::Topic)),
        ("python/mqtt/jobs/nobody/events", payload(&one, 9, EventKind::Error), Err(DropReason::NoSuchJob)),
    ];
    let messages: Vec<EventMessage<'_>> = texts.iter().map(|(topic, payload, _)| EventMessage { topic, payload }).collect();
    let answers = registry.receive(&messages, DEFAULT_ROOT, Utc::now()).unwrap();
    for ((answer, (topic, _, expected)), number) in answers.into_iter().zip(&texts).zip(0..) {
        assert_eq!(answer.map(|job| job.status), *expected, "{number}: {topic}");
    }
    let found = |job: &Job| registry.find(&job.id).unwrap().unwrap();
    assert_eq!((found(&one).last_seq, found(&one).status, numbers(&registry, &one)), (2, JobStatus::Completed, vec![1, 2]));
    assert_eq!((found(&two).last_seq, found(&two).status, numbers(&registry, &two)), (3, JobStatus::Running, vec![3]));
    // The same delivery once more, as after a lost acknowledgement.
    let again = registry.receive(&messages, DEFAULT_ROOT, Utc::now()).unwrap();
    assert!(again.iter().all(Result::is_err));
    assert_eq!(numbers(&registry, &one), [1, 2]);
}

#[test]
fn a_record_behind_its_log_is_taken_along_but_never_by_a_line_nobody_signed() {
    let (_dir, registry) = registry();
    let job = submitted(&registry, true);
    let record = registry.path().join(format!("{}.json", job.id));
    let log = registry.path().join(format!("{}.events.log", job.id));
    let before = fs::read(&record).unwrap();
    registry.publish(&job.id, event(EventKind::Started), Utc::now()).unwrap();
    registry.publish(&job.id, event(EventKind::Progress), Utc::now()).unwrap();
    // As if whoever wrote both events had been killed before the record.
    fs::write(&record, before).unwrap();
    let forged = payload(&unsigned(&job), 3, EventKind::Completed);
    File::options().append(true).open(&log).unwrap().write_all(&[forged.as_slice(), b"\n"].concat()).unwrap();
    let (after, next) = registry.publish(&job.id, event(EventKind::PermissionRequired), Utc::now()).unwrap();
    assert_eq!((after.status, next.seq), (JobStatus::Running, 3));
    assert_eq!(registry.find(&job.id).unwrap().unwrap().last_seq, 3);
}

#[test]
fn a_torn_last_line_is_passed_over_and_closed() {
    let (_dir, registry) = registry();
    let job = submitted(&registry, false);
    let log = registry.path().join(format!("{}.events.log", job.id));
    registry.publish(&job.id, event(EventKind::Started), Utc::now()).unwrap();
    File::options().append(true).open(&log).unwrap().write_all(b"{\"schema_version\":1,\"seq\":2,\"job").unwrap();
    let mut reader = registry.events(&job.id);
    assert_eq!(reader.news().unwrap().events.len(), 1);
    registry.publish(&job.id, event(EventKind::Progress), Utc::now()).unwrap();
    let news = reader.news().unwrap();
    assert_eq!((news.events.len(), news.events[0].event.seq, news.unreadable), (1, 2, 1));
    assert_eq!(reader.news().unwrap().events.len(), 0);
    assert_eq!(numbers(&registry, &job), [1, 2]);
}

#[test]
fn what_is_no_job_is_named_and_never_touched() {
    let (dir, registry) = registry();
    let job = submitted(&registry, false);
    let path = |name: &str| registry.path().join(name);
    let secret = dir.path().join("secret.json");
    fs::write(&secret, r#"{"schema_version":1,"job_id":"link","status":"completed","updated_at":"2020-01-01T00:00:00Z"}"#)
        .unwrap();
    fs::write(path("torn.json"), "{\"schema_version\": 1, \"job_id\": \"torn\"").unwrap();
    fs::write(path("empty.json"), "").unwrap();
    fs::write(path("newer.json"), "{\"schema_version\": 2, \"job_id\": \"newer\", \"status\": \"completed\"}").unwrap();
    fs::write(path("other.json"), "{\"schema_version\": 1, \"job_id\": \"another\", \"status\": \"completed\"}").unwrap();
    fs::write(path("huge.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    fs::write(path("notes.txt"), "mine").unwrap();
    fs::write(path("not a job.json"), "{}").unwrap();
    fs::create_dir(path("folder.json")).unwrap();
    symlink(&secret, path("link.json")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, path("pipe.json"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let before = contents(dir.path());

    let listing = registry.list().unwrap();
    assert_eq!(listing.jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), [&job.id]);
    let names: Vec<_> = listing.problems.iter().map(|problem| problem.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(
        names,
        ["empty.json", "folder.json", "huge.json", "link.json", "newer.json", "other.json", "pipe.json", "torn.json"]
    );
    for name in ["torn", "empty", "newer", "other", "huge", "link", "pipe", "folder"] {
        let id = name.parse().unwrap();
        assert!(registry.publish(&id, event(EventKind::Started), Utc::now()).is_err(), "{name}");
        assert!(registry.cancel(&id, Utc::now()).is_err(), "{name}");
    }
    let torn = EventMessage { topic: "python/mqtt/jobs/torn/events", payload: b"{}" };
    assert_eq!(registry.receive(&[torn], DEFAULT_ROOT, Utc::now()).unwrap()[0].as_ref().err(), Some(&DropReason::NoSuchJob));
    assert!(registry.prune(Utc::now() + TimeDelta::days(1), false).unwrap().jobs.is_empty());
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn pruning_removes_what_ended_long_enough_ago_and_leaves_what_others_keep_beside_it() {
    let (_dir, registry) = registry();
    let (open, old, fresh) = (submitted(&registry, false), submitted(&registry, false), submitted(&registry, false));
    let then = Utc::now() - TimeDelta::days(9);
    registry.publish(&old.id, event(EventKind::Completed), then).unwrap();
    registry.publish(&open.id, event(EventKind::Started), then).unwrap();
    registry.cancel(&fresh.id, Utc::now()).unwrap();
    let note = registry.path().join(old.id.as_str()).join("note.txt");
    fs::write(&note, "mine").unwrap();
    let week_ago = Utc::now() - TimeDelta::days(7);
    let before = contents(registry.path());
    assert_eq!(registry.prune(week_ago, true).unwrap().jobs.len(), 1);
    assert_eq!(contents(registry.path()), before);
    let pruned = registry.prune(week_ago, false).unwrap();
    assert_eq!(pruned.jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), [&old.id]);
    assert_eq!(pruned.kept, [registry.path().join(old.id.as_str())]);
    let left: Vec<_> = registry.list().unwrap().jobs.into_iter().map(|job| job.id).collect();
    assert_eq!(left, [open.id, fresh.id]);
    let of_old: Vec<_> =
        contents(registry.path()).into_keys().filter(|path| path.to_str().unwrap().contains(old.id.as_str())).collect();
    assert_eq!(of_old, [note]);
}

#[test]
fn a_record_that_was_listed_before_is_seen_as_it_is_now() {
    let (_dir, registry) = registry();
    let job = submitted(&registry, false);
    let record = registry.path().join(format!("{}.json", job.id));
    let statuses = || registry.list().unwrap().jobs.into_iter().map(|job| job.status).collect::<Vec<_>>();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
    let age = || File::options().write(true).open(&record).unwrap().set_modified(long_ago).unwrap();
    age();
    assert_eq!((statuses(), statuses()), (vec![JobStatus::Pending], vec![JobStatus::Pending]));
    // In place, as long as before and as old: only its attributes' time tells.
    let text = fs::read_to_string(&record).unwrap().replace("\"pending\"", "\"running\"");
    fs::write(&record, text).unwrap();
    age();
    assert_eq!(statuses(), [JobStatus::Running]);
    fs::write(&record, "{").unwrap();
    assert_eq!((statuses(), registry.list().unwrap().problems.len()), (vec![], 1));
    fs::remove_file(&record).unwrap();
    assert_eq!((statuses(), registry.list().unwrap().problems.len()), (vec![], 0));
}

#[test]
fn an_end_cannot_be_published_over_nor_called_off() {
    let (_dir, registry) = registry();
    let job = submitted(&registry, false);
    registry.publish(&job.id, event(EventKind::Error), Utc::now()).unwrap();
    assert!(matches!(registry.publish(&job.id, event(EventKind::Completed), Utc::now()), Err(JobsError::Ended { .. })));
    assert!(matches!(registry.cancel(&job.id, Utc::now()), Err(JobsError::Ended { .. })));
    let long = NewEvent { detail: "x".repeat(70_000), ..event(EventKind::Progress) };
    let job = submitted(&registry, false);
    assert!(matches!(registry.publish(&job.id, long, Utc::now()), Err(JobsError::TooLong { .. })));
    assert_eq!(registry.find(&job.id).unwrap().unwrap().last_seq, 0);
}

#[test]
fn a_lock_held_by_another_is_waited_for_and_then_said() {
    let (_dir, registry) = registry();
    let job = submitted(&registry, false);
    let lock = File::open(registry.path().join(".lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let hasty = registry.clone().with_wait(Duration::from_millis(30));
    let refused = hasty.publish(&job.id, event(EventKind::Started), Utc::now());
    assert!(matches!(&refused, Err(error) if error.is_busy()), "{refused:?}");
    assert!(hasty.find(&job.id).unwrap().is_some(), "reading needs no lock");
    let patient = std::thread::spawn({
        let (registry, id) = (registry.clone(), job.id.clone());
        move || registry.publish(&id, event(EventKind::Started), Utc::now())
    });
    fs4::FileExt::unlock(&lock).unwrap();
    assert_eq!(patient.join().unwrap().unwrap().1.seq, 1);
}
