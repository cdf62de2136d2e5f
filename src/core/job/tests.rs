//! What a record keeps, which events are believed, and what a job becomes. Never touches a file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TOPIC: &str = "python/mqtt/jobs/abc12345/events";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
}

fn job(token: Option<&str>) -> Job {
    Job::new(NewJob {
        id: "abc12345".parse().unwrap(),
        at: at(0),
        prompt: Some("write the report".to_owned()),
        agent: Some("claude".to_owned()),
        agent_session: Some("tmux:lab-creator-claude".to_owned()),
        timeout: Some(Duration::from_secs(3600)),
        idle_timeout: Some(Duration::from_secs(120)),
        expected_artifacts: vec!["report.md".to_owned()],
        auth_token: token.and_then(JobToken::recorded),
        root: None,
        broker: None,
    })
}

fn payload(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut payload = json!({
        "schema_version": 1, "seq": 7, "job_id": "abc12345", "event": "progress", "timestamp": "2026-11-20T10:00:00Z",
        "detail": "half done",
    });
    change(&mut payload);
    payload.to_string().into_bytes()
}

fn set(key: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |payload| payload[key] = value
}

#[test]
fn an_id_is_a_file_name_and_a_topic_level_and_nothing_else() {
    for good in ["abc12345", "a", "A-b_9", &"x".repeat(64)] {
        assert_eq!(good.parse::<JobId>().unwrap().as_str(), good);
    }
    for bad in ["", ".", "..", "a/b", "a.b", "+", "#", "a b", "é", "a\n", &"x".repeat(65)] {
        assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        assert!(serde_json::from_value::<JobId>(json!(bad)).is_err(), "{bad:?}");
    }
    let minted = JobId::minted(&[0, 255, 35, 36, 71, 252, 100, 200, 251, 1]).unwrap();
    assert_eq!(minted.as_str(), "a9a92u9b");
    assert_eq!(JobId::minted(&[255; 100]), None);
}

#[test]
fn a_signature_is_that_of_the_protocol_with_and_without_data_in_either_spelling_of_json() {
    // Made with Python's hmac and json (sort_keys, compact separators; ensure_ascii off, then on).
    let job = job(Some("s3cret"));
    let data = json!({"b": 1, "a": {"z": "é", "y": [1, 2.5, null, true]}});
    for (data, code) in [
        (None, "a0d537f4580e0e94f06d3e6252da17cfc064b33c6e9f56cb8891f85fb7470459"),
        (Some(&data), "3bdbd65d71079c0390810b3febb7e635070ab68fb5339ca6778d50fbd62ff30b"),
        (Some(&data), "eee1de1bf80d50b773982925df791b6572ce39609744174632ad659dc5e5cf0f"),
    ] {
        let signed = payload(|payload| {
            payload["hmac"] = json!(code);
            if let Some(data) = data {
                payload["data"] = data.clone();
            }
        });
        let event = verify(&job, &signed, TOPIC).unwrap();
        assert_eq!((event.seq, event.event, event.data.is_some()), (7, EventKind::Progress, data.is_some()));
    }
}

#[test]
fn a_job_with_a_token_believes_no_unsigned_event_and_none_signed_otherwise() {
    let job = job(Some("s3cret"));
    let good = "a0d537f4580e0e94f06d3e6252da17cfc064b33c6e9f56cb8891f85fb7470459";
    let signed = |code: &str, change: fn(&mut Value)| {
        payload(|payload| {
            payload["hmac"] = json!(code);
            change(payload);
        })
    };
    assert!(verify(&job, &signed(good, |_| {}), TOPIC).is_ok());
    assert_eq!(verify(&job, &payload(|_| {}), TOPIC), Err(DropReason::Unsigned));
    assert_eq!(verify(&job, &payload(set("hmac", Value::Null)), TOPIC), Err(DropReason::Unsigned));
    for bad in ["", "00", &good.to_uppercase(), &good.replace('a', "b"), &good[..62], &"é".repeat(32)] {
        assert_eq!(verify(&job, &signed(bad, |_| {}), TOPIC), Err(DropReason::Signature), "{bad}");
    }
    let changes: [fn(&mut Value); 6] = [
        |payload| payload["seq"] = json!(8),
        |payload| payload["event"] = json!("completed"),
        |payload| payload["timestamp"] = json!("2026-11-20T10:00:01Z"),
        |payload| payload["detail"] = json!("done"),
        |payload| payload["data"] = json!({}),
        // Named before anything else that is wrong with it, so that a stranger learns nothing.
        |payload| payload["job_id"] = json!("another"),
    ];
    for change in changes {
        assert_eq!(verify(&job, &signed(good, change), TOPIC), Err(DropReason::Signature));
    }
}

#[test]
fn moving_a_line_break_between_signed_fields_makes_no_other_event() {
    let job = job(Some("s3cret"));
    let event = JobEvent::next(&job, EventKind::Started, "one\ntwo".to_owned(), None, at(0)).unwrap();
    let honest = serde_json::to_vec(&event).unwrap();
    assert!(verify(&job, &honest, TOPIC).is_ok());
    let mut forged: Value = serde_json::from_slice(&honest).unwrap();
    forged["timestamp"] = json!(format!("{}\none", event.timestamp));
    forged["detail"] = json!("two");
    assert_eq!(verify(&job, forged.to_string().as_bytes(), TOPIC), Err(DropReason::Timestamp));
    forged["event"] = json!(format!("started\n{}", event.timestamp));
    forged["timestamp"] = json!("one");
    assert_eq!(verify(&job, forged.to_string().as_bytes(), TOPIC), Err(DropReason::Event));
}

#[test]
fn every_kind_of_bad_event_is_dropped_for_its_own_reason() {
    let mut job = job(None);
    job.last_seq = 3;
    assert!(verify(&job, &payload(|_| {}), TOPIC).is_ok());
    let cases: Vec<(Vec<u8>, DropReason)> = vec![
        (payload(set("detail", json!("x".repeat(MAX_PAYLOAD)))), DropReason::TooLong),
        (b"".to_vec(), DropReason::Shape),
        (b"{".to_vec(), DropReason::Shape),
        (b"[1]".to_vec(), DropReason::Shape),
        (b"\xff\xfe".to_vec(), DropReason::Shape),
        ("[".repeat(60_000).into_bytes(), DropReason::Shape),
        (payload(set("seq", json!("7"))), DropReason::Shape),
        (payload(set("seq", json!(-1))), DropReason::Shape),
        (payload(set("seq", json!(7.5))), DropReason::Shape),
        (payload(set("data", json!([]))), DropReason::Shape),
        (payload(set("detail", json!(1))), DropReason::Shape),
        (br#"{"seq":1,"seq":2}"#.to_vec(), DropReason::Shape),
        (payload(set("schema_version", json!(2))), DropReason::Version),
        (payload(set("schema_version", json!(4_294_967_297_u64))), DropReason::Version),
        (payload(set("job_id", json!("abc12346"))), DropReason::OtherJob),
        (payload(set("job_id", json!("../abc12345"))), DropReason::OtherJob),
        (payload(set("event", json!("deleted"))), DropReason::Event),
        (payload(set("timestamp", json!("yesterday"))), DropReason::Timestamp),
        (payload(set("seq", json!(3))), DropReason::Seen),
        (payload(set("seq", json!(1))), DropReason::Seen),
        (payload(set("seq", json!(0))), DropReason::Number),
        (payload(set("seq", json!(u64::MAX))), DropReason::Number),
    ];
    for (payload, kind) in cases {
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(120)]).into_owned();
        assert_eq!(verify(&job, &payload, TOPIC), Err(kind), "{shown}");
    }
}

#[test]
fn a_topic_names_exactly_one_job() {
    let job = job(None);
    for topic in ["python/mqtt/jobs/abc12345", "python/mqtt/jobs/other/events", "x/abc12345/events", "", "+/events"] {
        assert_eq!(verify(&job, &payload(|_| {}), topic), Err(DropReason::Topic), "{topic}");
    }
    assert_eq!(job_of_topic(TOPIC, DEFAULT_ROOT).unwrap().as_str(), "abc12345");
    for topic in ["python/mqtt/jobs//events", "python/mqtt/jobs/a/b/events", "python/mqtt/jobs/+/events", "a/events", "events"]
    {
        assert_eq!(job_of_topic(topic, DEFAULT_ROOT), Err(DropReason::Topic), "{topic}");
    }
}

#[test]
fn what_others_wrote_into_a_record_stays_as_it_was() {
    let text = r#"{
  "zeta": {"b": 1, "a": [1.0, null]},
  "schema_version": 1,
  "job_id": "abc12345",
  "status": "pending",
  "created_at": "2026-11-20T10:00:00.123456+00:00",
  "updated_at": "2026-11-20 10:00:00",
  "prompt": "do it",
  "broker": {"host": "localhost", "port": 1883, "tls": false, "username": "u", "password": "hunter2", "keepalive": 60},
  "timeout_sec": 3600,
  "idle_timeout_sec": 1.5,
  "expected_artifacts": ["a", "b"],
  "last_seq": 0,
  "auth_token": "s3cret",
  "worker_pid": 4711
}"#;
    let job = Job::from_json(text.as_bytes()).unwrap();
    let before: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&job.to_json().unwrap()).unwrap(), before);
    assert_eq!(job.idle_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(job.updated_at, None, "a time without a zone says nothing");
    let event = JobEvent::next(&job, EventKind::Started, String::new(), None, at(9)).unwrap();
    let after: Value = serde_json::from_slice(&apply(&job, &event, at(9)).to_json().unwrap()).unwrap();
    let mut expected = before;
    expected["status"] = json!("running");
    expected["updated_at"] = json!("2026-09-21T14:13:29.000Z");
    expected["last_seq"] = json!(1);
    expected["last_event"] = json!({"seq": 1, "event": "started"});
    assert_eq!(after, expected);
    let keys: Vec<_> = after.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((keys[0], keys[13], keys.len()), ("zeta", "worker_pid", 15), "the order is kept");
}

#[test]
fn a_record_that_leaves_its_secret_or_number_in_doubt_is_no_job() {
    let broken = |key: &'static str, value: Value| {
        let mut record: Value = serde_json::from_slice(&job(Some("s3cret")).to_json().unwrap()).unwrap();
        record[key] = value;
        Job::from_json(record.to_string().as_bytes())
    };
    for (key, value) in [
        ("auth_token", json!(5)),
        ("auth_token", json!(["s3cret"])),
        ("last_seq", json!(-1)),
        ("last_seq", json!("3")),
        ("status", json!("sleeping")),
        ("status", Value::Null),
        ("job_id", json!("../x")),
        ("job_id", Value::Null),
        ("topic_prefix", json!(1)),
        ("schema_version", json!(2)),
    ] {
        assert!(broken(key, value.clone()).is_err(), "{key}: {value}");
    }
    assert!(matches!(Job::from_json(b"[]"), Err(NotAJob::NotAnObject)));
    assert!(matches!(Job::from_json(b"{"), Err(NotAJob::Json(_))));
    assert!(broken("timeout_sec", json!("an hour")).unwrap().timeout.is_none());
}

#[test]
fn no_secret_is_in_what_is_shown_or_debugged() {
    let mut record: Value = serde_json::from_slice(&job(Some("s3cret")).to_json().unwrap()).unwrap();
    record["broker"] = json!({"host": "h", "password": "hunter2", "client_token": "hunter3"});
    record["api_secret"] = json!("hunter4");
    let job = Job::from_json(record.to_string().as_bytes()).unwrap();
    assert!(String::from_utf8(job.to_json().unwrap()).unwrap().contains("s3cret"));
    let shown = serde_json::to_string(&job.shown().unwrap()).unwrap();
    for text in [format!("{job:?}"), format!("{:?}", job.broker), format!("{:?}", job.auth_token), shown.clone()] {
        assert!(!text.contains("s3cret") && !text.contains("hunter"), "{text}");
    }
    assert!(shown.contains("\"authenticated\":true") && shown.contains("\"host\":\"h\""), "{shown}");
}

#[test]
fn an_end_is_final_whatever_is_said_later() {
    for end in [JobStatus::Completed, JobStatus::Error, JobStatus::Cancelled] {
        for kind in EventKind::ALL {
            let mut job = job(None);
            job.status = end;
            let event = JobEvent::next(&job, kind, String::new(), None, at(5)).unwrap();
            let after = apply(&job, &event, at(5));
            assert_eq!((after.status, after.last_seq), (end, 1), "{end} {kind}");
            assert_eq!(cancel(&after, at(6)), None);
        }
    }
    for (kind, status) in [
        (EventKind::Started, JobStatus::Running),
        (EventKind::PermissionRequired, JobStatus::Running),
        (EventKind::Progress, JobStatus::Running),
        (EventKind::Completed, JobStatus::Completed),
        (EventKind::Error, JobStatus::Error),
    ] {
        let event = JobEvent::next(&job(None), kind, String::new(), None, at(5)).unwrap();
        assert_eq!(apply(&job(None), &event, at(5)).status, status);
    }
    assert_eq!(cancel(&job(None), at(6)).unwrap().status, JobStatus::Cancelled);
}

#[test]
fn time_runs_from_when_something_was_received() {
    let mut job = job(None);
    assert_eq!(timed_out(&job, at(119)), None);
    assert_eq!(timed_out(&job, at(120)), Some(TimeOut::Idle));
    let mut event = JobEvent::next(&job, EventKind::Progress, String::new(), None, at(0)).unwrap();
    event.timestamp = "1999-01-01T00:00:00Z".to_owned();
    job = apply(&job, &event, at(100));
    assert_eq!(timed_out(&job, at(219)), None, "the sender's clock decides nothing");
    assert_eq!(timed_out(&job, at(220)), Some(TimeOut::Idle));
    assert_eq!(timed_out(&job, at(3600)), Some(TimeOut::Total));
    assert_eq!(timed_out(&job, at(-10_000_000)), None, "nor does a clock that was set back");
    job.status = JobStatus::Error;
    assert_eq!(timed_out(&job, at(3600)), None);
    job.status = JobStatus::Running;
    (job.created_at, job.updated_at) = (None, None);
    assert_eq!(timed_out(&job, at(3600)), None, "nobody knows when it began");
    assert_eq!(times_out_at(&job, at(0)), None);
}

proptest! {
    #[test]
    fn no_payload_is_believed_twice_and_none_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), seq in any::<u64>(), last in 0..=MAX_SEQ) {
        let mut job = job(None);
        job.last_seq = last;
        let _ = verify(&job, &bytes, TOPIC);
        let _ = Job::from_json(&bytes);
        if let Ok(event) = verify(&job, &payload(set("seq", json!(seq))), TOPIC) {
            prop_assert!(seq > last);
            let after = apply(&job, &event, job.updated_at.unwrap() + TimeDelta::seconds(1));
            prop_assert_eq!(verify(&after, &payload(set("seq", json!(seq))), TOPIC), Err(DropReason::Seen));
        }
    }

    #[test]
    fn what_is_signed_here_is_believed_here(detail in ".{0,40}", key in ".{0,8}", number in any::<i64>(), token in "[ -~]{1,80}") {
        let job = job(Some(&token));
        let data = json!({key: {"n": number, "a": [detail.clone()]}});
        let event = JobEvent::next(&job, EventKind::Progress, detail, data.as_object().cloned(), at(0)).unwrap();
        prop_assert_eq!(verify(&job, &serde_json::to_vec(&event).unwrap(), TOPIC), Ok(event));
    }
}

#[test]
fn the_moment_of_a_time_out_is_where_the_answer_changes() {
    let mut job = job(None);
    for now in [0, 60, 119, 120, 121, 3599, 3600] {
        let expected = match now {
            ..120 => Some(at(120)),
            120..3600 => Some(at(3600)),
            _ => None,
        };
        assert_eq!(times_out_at(&job, at(now)), expected, "{now}");
    }
    for moment in [120, 3600] {
        assert_ne!(timed_out(&job, at(moment)), timed_out(&job, at(moment) - chrono::TimeDelta::nanoseconds(1)));
    }
    job.idle_timeout = Some(Duration::MAX);
    job.timeout = None;
    assert_eq!(times_out_at(&job, at(0)), None, "no calendar holds it");
    let ended = cancel(&job, at(1)).unwrap();
    assert_eq!(times_out_at(&ended, at(0)), None);
}

#[test]
fn a_job_that_is_submitted_names_its_topic_and_its_broker_and_no_password() {
    let section = crate::core::mqtt::Section { root: Some("my/jobs".into()), ..Default::default() };
    let variable = |name: &str| match name {
        "MQTT_BROKER" => Some("b.example".to_owned()),
        "MQTT_USERNAME" => Some("me".to_owned()),
        "MQTT_PASSWORD" => Some("hunter2".to_owned()),
        _ => None,
    };
    let broker = crate::core::mqtt::Broker::resolve(&section, variable).unwrap().unwrap();
    let job = Job::new(NewJob {
        id: "abc12345".parse().unwrap(),
        at: at(0),
        prompt: None,
        agent: None,
        agent_session: None,
        timeout: None,
        idle_timeout: None,
        expected_artifacts: Vec::new(),
        auth_token: None,
        root: Some(section.root().unwrap()),
        broker: Some((&broker).into()),
    });
    let text = String::from_utf8(job.to_json().unwrap()).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&record["topic_prefix"], job.topic().as_str()), (&json!("my/jobs/abc12345"), "my/jobs/abc12345/events"));
    assert_eq!(record["broker"], json!({"host": "b.example", "port": 1883, "tls": false, "username": "me", "password": null}));
    assert!(!text.contains("hunter2"));
}

#[test]
fn an_event_from_afar_is_believed_like_any_other_and_the_next_local_one_follows_it() {
    let mut job = job(Some("secret"));
    job.last_seq = 9;
    let token = job.auth_token.clone();
    let event = JobEvent::from_afar(&job.id, token.as_ref(), EventKind::Started, "hi".to_owned(), None, at(5));
    let payload = serde_json::to_vec(&event).unwrap();
    assert_eq!(verify(&job, &payload, TOPIC), Ok(event.clone()));
    let job = apply(&job, &event, at(6));
    assert_eq!(verify(&job, &payload, TOPIC), Err(DropReason::Seen));
    let next = JobEvent::next(&job, EventKind::Progress, String::new(), None, at(7)).unwrap();
    assert_eq!(next.seq, event.seq + 1);
    let later = JobEvent::from_afar(&job.id, None, EventKind::Completed, String::new(), None, at(8));
    assert!(later.seq > next.seq);
    assert_eq!(verify(&job, &serde_json::to_vec(&later).unwrap(), TOPIC), Err(DropReason::Unsigned));
}
