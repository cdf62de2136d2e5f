//! Which events are believed. Owns the checks of a payload and the signature; never changes a job.

use chrono::DateTime;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::Sha256;
use std::fmt::{self, Write as _};

use super::{Job, JobEvent, JobId, JobToken, MAX_SEQ, SCHEMA_VERSION};

/// The longest payload that is looked at, in bytes.
pub const MAX_PAYLOAD: usize = 64 << 10;

/// Why an event was dropped: one word per kind, so that each is counted and warned about once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The topic is not that of a job, or not of this one.
    Topic,
    /// The payload is longer than [`MAX_PAYLOAD`].
    TooLong,
    /// The payload is not JSON of the right shape.
    Shape,
    /// The job has a token and the event no signature.
    Unsigned,
    /// The signature is wrong.
    Signature,
    /// Another schema version.
    Version,
    /// An event of another job.
    OtherJob,
    /// No event has this name.
    Event,
    /// The time is not RFC 3339.
    Timestamp,
    /// The number is not greater than the last one: seen already, or out of order.
    Seen,
    /// The number is 0 or greater than [`MAX_SEQ`].
    Number,
    /// There is no such job in the registry.
    NoSuchJob,
}

impl DropReason {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Topic,
        Self::TooLong,
        Self::Shape,
        Self::Unsigned,
        Self::Signature,
        Self::Version,
        Self::OtherJob,
        Self::Event,
        Self::Timestamp,
        Self::Seen,
        Self::Number,
        Self::NoSuchJob,
    ];

    /// The reason as a clause: "an event was dropped: …".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "its topic does not match its job",
            Self::TooLong => "its payload is too long",
            Self::Shape => "its payload is not an event in JSON",
            Self::Unsigned => "it is not signed, and its job has a token",
            Self::Signature => "its signature is wrong",
            Self::Version => "its schema version is unknown",
            Self::OtherJob => "it names another job",
            Self::Event => "its event name is unknown",
            Self::Timestamp => "its timestamp is not RFC 3339",
            Self::Seen => "its number was already used",
            Self::Number => "its number is out of range",
            Self::NoSuchJob => "there is no such job",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for DropReason {}

/// A payload as far as its shape goes.
#[derive(Deserialize)]
struct Payload {
    schema_version: u64,
    seq: u64,
    job_id: String,
    event: String,
    timestamp: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    hmac: Option<String>,
}

/// The job whose events come by this topic, `<root>/<job_id>/events`.
///
/// # Errors
/// [`DropReason::Topic`].
pub fn job_of_topic(topic: &str, root: &str) -> Result<JobId, DropReason> {
    let id = topic.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.strip_suffix("/events"));
    id.and_then(|id| id.parse().ok()).ok_or(DropReason::Topic)
}

/// The event in a payload that came by `topic`, if it is to be believed of this job. To be asked under the lock that the job was
/// read under: two events of one number must not both pass.
///
/// # Errors
/// [`DropReason`]; the job is as it was, whatever the event said.
pub fn verify(job: &Job, payload: &[u8], topic: &str) -> Result<JobEvent, DropReason> {
    if topic != job.topic() {
        return Err(DropReason::Topic);
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(DropReason::TooLong);
    }
    let payload: Payload = serde_json::from_slice(payload).map_err(|_| DropReason::Shape)?;
    if let Some(token) = &job.auth_token {
        authenticate(&payload, token)?;
    }
    let schema_version = match u32::try_from(payload.schema_version) {
        Ok(SCHEMA_VERSION) => SCHEMA_VERSION,
        _ => return Err(DropReason::Version),
    };
    if payload.job_id != job.id.as_str() {
        return Err(DropReason::OtherJob);
    }
    let event = payload.event.parse().map_err(|_| DropReason::Event)?;
    if DateTime::parse_from_rfc3339(&payload.timestamp).is_err() {
        return Err(DropReason::Timestamp);
    }
    match payload.seq {
        0 => return Err(DropReason::Number),
        seq if seq > MAX_SEQ => return Err(DropReason::Number),
        seq if seq <= job.last_seq => return Err(DropReason::Seen),
        _ => {}
    }
    let Payload { seq, timestamp, detail, data, hmac, .. } = payload;
    Ok(JobEvent { schema_version, seq, job_id: job.id.clone(), event, timestamp, detail, data, hmac })
}

/// The signature of an event: lower-case hex of HMAC-SHA256, the key being the token's bytes, over
/// `schema_version\njob_id\nseq\nevent\ntimestamp\ndetail\n` and then `data` as compact JSON with sorted keys.
pub fn sign(event: &JobEvent, token: &JobToken) -> String {
    let payload = Payload {
        schema_version: u64::from(event.schema_version),
        seq: event.seq,
        job_id: event.job_id.to_string(),
        event: event.event.as_str().to_owned(),
        timestamp: event.timestamp.clone(),
        detail: event.detail.clone(),
        data: event.data.clone(),
        hmac: None,
    };
    let code = keyed(token).map(|mac| mac.chain_update(payload.signed(false)).finalize().into_bytes());
    code.map_or_else(String::new, |code| {
        code.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    })
}

fn authenticate(payload: &Payload, token: &JobToken) -> Result<(), DropReason> {
    let claimed = unhex(payload.hmac.as_deref().ok_or(DropReason::Unsigned)?).ok_or(DropReason::Signature)?;
    // Both ways of writing a letter beyond ASCII in JSON are one text: Python's encoder escapes it, most others do not.
    let matches =
        |ascii: bool| keyed(token).is_some_and(|mac| mac.chain_update(payload.signed(ascii)).verify_slice(&claimed).is_ok());
    if matches(false) || matches(true) { Ok(()) } else { Err(DropReason::Signature) }
}

fn keyed(token: &JobToken) -> Option<Hmac<Sha256>> {
    // A key of any length will do; an error would make no signature and accept none.
    Hmac::<Sha256>::new_from_slice(token.expose().as_bytes()).ok()
}

impl Payload {
    /// What the signature is over. A line break in a field cannot move its border: of the fields before `detail` none can
    /// hold one and still pass the checks that follow, and compact JSON holds none.
    fn signed(&self, ascii: bool) -> Vec<u8> {
        let Self { schema_version, job_id, seq, event, timestamp, detail, .. } = self;
        let mut text = format!("{schema_version}\n{job_id}\n{seq}\n{event}\n{timestamp}\n{detail}\n");
        if let Some(data) = &self.data {
            let mut data = Value::Object(data.clone());
            data.sort_all_objects();
            match ascii {
                true => escape(&data.to_string(), &mut text),
                false => text.push_str(&data.to_string()),
            }
        }
        text.into_bytes()
    }
}

/// JSON with every character beyond ASCII as `\uXXXX`, in pairs where one does not do.
fn escape(json: &str, text: &mut String) {
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
}

/// The bytes of 64 lower-case hex digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}
