//! Records of jobs and the events that come for them: a record keeps what it does not know, no event is believed twice, none
//! without its signature where there is a token, and no topic but the job's own.

use headcount::core::job::{DropReason, Job, JobEvent, JobToken, apply, job_of_topic, sign, timed_out, times_out_at, verify};
use headcount::core::mqtt::encode_level;
use serde_json::{Map, Value};

use super::desk::when;
use super::{data, joined, pieces};

const ROOT: &str = "python/mqtt/jobs";

pub fn run(data: &[u8]) {
    let mut pieces = pieces(data);
    let (record, payload, topic) = (pieces.next().unwrap(), pieces.next(), pieces.next());
    if let Ok(topic) = std::str::from_utf8(topic.unwrap_or_default()) {
        name(topic);
    }
    let Ok(job) = Job::from_json(record) else { return };
    kept(&job, record);
    times_out_at(&job, when());
    timed_out(&job, when());
    if let Some(payload) = payload {
        believe(&job, payload, topic);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let record = std::fs::read(data("jobs/k3p9x2aq.json")).unwrap();
    let bare = br#"{"job_id":"a1","status":"pending","last_seq":3,"more":{"kept":[1,null]}}"#;
    let signed = br#"{"job_id":"a1","status":"running","auth_token":"0123456789abcdef0123456789abcdef","schema_version":1}"#;
    let event = r#"{"schema_version":1,"seq":9,"job_id":"a1","event":"progress","timestamp":"2026-11-21T10:00:00Z","detail":"é","data":{"b":1.5,"a":"ü"}}"#;
    let log = std::fs::read(data("jobs/k3p9x2aq.events.log")).unwrap();
    let first = log.split(|byte| *byte == b'\n').next().unwrap().to_vec();
    let (event, topic) = (event.as_bytes(), b"python/mqtt/jobs/a1/events".as_slice());
    vec![joined(&[&record, &first]), joined(&[bare, event, topic]), joined(&[signed, event, topic]), bare.to_vec()]
}

/// A name from outside is one level of a topic and no wildcard; a topic is a job's only if it reads so whole.
fn name(text: &str) {
    let level = encode_level(text);
    assert!(level.len() <= 160 && !level.contains(['/', '+', '#', '\0', '$']), "{text:?} became {level:?}");
    assert!(level.chars().all(|c| c.is_ascii_graphic()), "{text:?} became {level:?}");
    if let Ok(id) = job_of_topic(text, ROOT) {
        assert_eq!(text, format!("{ROOT}/{id}/events"));
        assert_eq!(encode_level(id.as_str()), id.as_str());
    }
}

fn object(text: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(text).unwrap()
}

/// Written again a record says the same, with everything that others put into it, and shows no secret.
fn kept(job: &Job, record: &[u8]) {
    let written = job.to_json().unwrap();
    let again = Job::from_json(&written).unwrap();
    assert_eq!(again.to_json().unwrap(), written, "written twice it is not the same");
    let (before, after) = (object(record), object(&written));
    for (key, value) in &before {
        assert_eq!(after.get(key), Some(value), "{key} is not as it was");
    }
    let shown = job.shown().unwrap();
    assert!(!shown.contains_key("auth_token"));
    assert_eq!(shown["authenticated"], Value::Bool(job.auth_token.is_some()));
}

fn believe(job: &Job, payload: &[u8], topic: Option<&[u8]>) {
    if let Some(Ok(topic)) = topic.map(std::str::from_utf8)
        && topic != job.topic()
    {
        assert_eq!(verify(job, payload, topic), Err(DropReason::Topic));
    }
    let Ok(event) = verify(job, payload, &job.topic()) else { return };
    // What is not looked at need not be text: a field of no meaning may hold half a pair of surrogates.
    let is_signed = |said: Map<String, Value>| said.get("hmac").is_some_and(Value::is_string);
    let is_signed = serde_json::from_slice(payload).map_or(true, is_signed);
    assert!(event.seq > job.last_seq && event.job_id == job.id, "{event:?} for {job:?}");
    assert!(job.auth_token.is_none() || is_signed, "unsigned and believed");
    let after = apply(job, &event, when());
    assert_eq!((after.last_seq, after.last_event), (event.seq, Some(event.event)));
    assert!(!job.status.is_final() || after.status == job.status, "an end is final");
    assert_eq!(verify(&after, payload, &job.topic()), Err(DropReason::Seen));
    assert_eq!(Job::from_json(&after.to_json().unwrap()).unwrap().last_seq, event.seq);
    signed(job, &event);
}

/// The same event of the same job with a token: believed with its signature, and with no other.
fn signed(job: &Job, event: &JobEvent) {
    let Some(token) = JobToken::recorded("0123456789abcdef0123456789abcdef") else { panic!("a token") };
    let mut job = job.clone();
    job.auth_token = Some(token.clone());
    let bare = JobEvent { hmac: None, ..event.clone() };
    let bytes = |event: &JobEvent| serde_json::to_vec(event).unwrap();
    let judged = |event: &JobEvent| verify(&job, &bytes(event), &job.topic());
    if bytes(&bare).len() + 100 > headcount::core::job::MAX_PAYLOAD {
        return;
    }
    assert_eq!(judged(&bare), Err(DropReason::Unsigned));
    let signed = JobEvent { hmac: Some(sign(&bare, &token)), ..bare };
    assert_eq!(judged(&signed).as_ref(), Ok(&signed), "signed by its own token");
    let forged = JobEvent { detail: format!("{} ", signed.detail), ..signed.clone() };
    assert_eq!(judged(&forged), Err(DropReason::Signature));
    let forged = JobEvent { seq: signed.seq - 1, ..signed };
    assert!(judged(&forged).is_err());
}
