//! What stands on the wire between a manager and a worker: one line, as smux's manager writes it. Read strictly and written so that no
//! field can end the line, the head or the field before it.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::is_token;

/// What an envelope says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CrewVerb {
    /// A worker is there, with what it can do.
    Hello,
    /// The manager hands out a task.
    TaskAssign,
    /// The worker has begun.
    TaskAccept,
    /// It is still at it.
    Heartbeat,
    /// How far it is.
    Status,
    /// It cannot go on without an answer.
    Ask,
    /// It is done.
    Result,
    /// It has given up.
    Fail,
}

impl CrewVerb {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Hello, Self::TaskAssign, Self::TaskAccept, Self::Heartbeat, Self::Status, Self::Ask, Self::Result, Self::Fail];

    /// What a worker may answer to a task.
    pub const REPLIES: [Self; 6] = [Self::TaskAccept, Self::Heartbeat, Self::Status, Self::Ask, Self::Result, Self::Fail];

    /// The word in an envelope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::TaskAssign => "TASK_ASSIGN",
            Self::TaskAccept => "TASK_ACCEPT",
            Self::Heartbeat => "HEARTBEAT",
            Self::Status => "STATUS",
            Self::Ask => "ASK",
            Self::Result => "RESULT",
            Self::Fail => "FAIL",
        }
    }

    /// The verb of a word, in either case; `ACCEPT` is short for `TASK_ACCEPT`.
    pub fn of(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase().replace('-', "_");
        let word = if word == "ACCEPT" { "TASK_ACCEPT" } else { word.as_str() };
        Self::ALL.into_iter().find(|verb| verb.as_str() == word)
    }

    /// Whether the manager says it, else a worker does.
    pub const fn is_managers(self) -> bool {
        matches!(self, Self::TaskAssign)
    }

    /// The texts that may stand behind its head, in order; the first is always there.
    pub const fn texts(self) -> &'static [&'static str] {
        match self {
            Self::Hello => &["caps"],
            Self::TaskAssign => &["goal", "input", "artifact_dir"],
            Self::Ask => &["question", "artifact"],
            Self::TaskAccept | Self::Heartbeat | Self::Status | Self::Result | Self::Fail => &["note", "artifact"],
        }
    }
}

impl fmt::Display for CrewVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line between a manager and a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What it says.
    pub verb: CrewVerb,
    /// The task; `none` for a greeting.
    pub task: String,
    /// The worker.
    pub worker: String,
    /// Its number, by whoever sent it.
    pub seq: u64,
    /// The pane that an answer goes to.
    pub reply: Option<String>,
    /// How much of the context its sender knew.
    pub context_seq: u64,
    /// The lease; `none` for a greeting.
    pub lease: String,
    /// What stands behind the head, by its names.
    pub texts: Vec<(String, String)>,
}

/// Why a line is no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// It does not begin or end like one.
    #[error("it is no envelope: it begins with [mgr or [wrk, and its head ends with ]")]
    Head,
    /// Something in its head is not `key:value` with a known key.
    #[error("{0:?} is no field of an envelope")]
    Field(String),
    /// A field stands twice.
    #[error("`{0}` stands in it twice")]
    Twice(String),
    /// A field is missing.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field holds what it cannot.
    #[error("`{0}` holds {1:?}, which it cannot")]
    Value(&'static str, String),
    /// The side that sent it does not say this.
    #[error("{0} is not said by this side")]
    Side(CrewVerb),
    /// What stands behind the head is not `name="text"`.
    #[error("what stands behind its head is not name=\"text\": {0}")]
    Text(String),
}

impl Envelope {
    /// The text of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The line.
    ///
    /// # Errors
    /// [`BadEnvelope`]: a name in its head cannot stand there.
    pub fn line(&self) -> Result<String, BadEnvelope> {
        for (key, value) in [("task", &self.task), ("worker", &self.worker), ("lease_token", &self.lease)] {
            if !is_token(value) {
                return Err(BadEnvelope::Value(key, value.clone()));
            }
        }
        if let Some(reply) = self.reply.as_ref().filter(|reply| !is_token(reply)) {
            return Err(BadEnvelope::Value("reply", reply.clone()));
        }
        let side = if self.verb.is_managers() { "mgr" } else { "wrk" };
        let reply = self.reply.as_ref().map(|pane| format!(" reply:{pane}")).unwrap_or_default();
        let mut line = format!(
            "[{side} type:{} task:{} worker:{} seq:{}{reply} context_seq:{} lease_token:{}]",
            self.verb, self.task, self.worker, self.seq, self.context_seq, self.lease
        );
        for (name, text) in &self.texts {
            if !self.verb.texts().contains(&name.as_str()) {
                return Err(BadEnvelope::Field(name.clone()));
            }
            let _ = write!(line, " {name}={}", quoted(text));
        }
        Ok(line)
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`BadEnvelope`].
    pub fn parse(line: &str) -> Result<Self, BadEnvelope> {
        let (is_managers, rest) = match (line.strip_prefix("[mgr "), line.strip_prefix("[wrk ")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(BadEnvelope::Head),
        };
        let (head, behind) = rest.split_once(']').ok_or(BadEnvelope::Head)?;
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for word in head.split(' ') {
            let field = word.split_once(':').filter(|(key, _)| HEAD.contains(key));
            let (key, value) = field.ok_or_else(|| BadEnvelope::Field(word.to_owned()))?;
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(BadEnvelope::Twice(key.to_owned()));
            }
            fields.push((key, value));
        }
        let find = |key: &str| fields.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
        let token = |key: &'static str| {
            let value = find(key).ok_or(BadEnvelope::Missing(key))?;
            if is_token(value) { Ok(value.to_owned()) } else { Err(BadEnvelope::Value(key, value.to_owned())) }
        };
        let number = |key: &'static str| {
            let value = token(key)?;
            let is_plain = value.bytes().all(|byte| byte.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
            value.parse().ok().filter(|_| is_plain).ok_or(BadEnvelope::Value(key, value))
        };
        let word = token("type")?;
        let verb = CrewVerb::ALL.into_iter().find(|verb| verb.as_str() == word).ok_or(BadEnvelope::Value("type", word))?;
        if verb.is_managers() != is_managers {
            return Err(BadEnvelope::Side(verb));
        }
        let reply = find("reply").map(|_| token("reply")).transpose()?;
        let texts = texts(behind)?;
        for (at, (name, _)) in texts.iter().enumerate() {
            if !verb.texts().contains(&name.as_str()) {
                return Err(BadEnvelope::Field(name.clone()));
            }
            if texts[..at].iter().any(|(known, _)| known == name) {
                return Err(BadEnvelope::Twice(name.clone()));
            }
        }
        if let Some(first) = verb.texts().first().filter(|first| !texts.iter().any(|(name, _)| name == *first)) {
            return Err(BadEnvelope::Missing(first));
        }
        Ok(Self {
            verb,
            task: token("task")?,
            worker: token("worker")?,
            seq: number("seq")?,
            reply,
            context_seq: number("context_seq")?,
            lease: token("lease_token")?,
            texts,
        })
    }
}

/// The fields of a head.
const HEAD: [&str; 7] = ["type", "task", "worker", "seq", "reply", "context_seq", "lease_token"];

/// A text in quotes, in which nothing ends anything: as JSON, and without brackets.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '[' | ']' | '\u{2028}' | '\u{2029}' => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What stands behind a head.
fn texts(mut rest: &str) -> Result<Vec<(String, String)>, BadEnvelope> {
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let bad = || BadEnvelope::Text(rest.chars().take(40).collect());
        let (name, value) = rest.strip_prefix(' ').and_then(|rest| rest.split_once('=')).ok_or_else(bad)?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !is_name || !value.starts_with('"') || value.contains('\n') {
            return Err(bad());
        }
        let mut read = serde_json::Deserializer::from_str(value).into_iter::<String>();
        let text = read.next().and_then(Result::ok).ok_or_else(bad)?;
        let end = read.byte_offset();
        // What could have been written otherwise was not written by one who means it.
        if value.get(..end).is_none_or(|written| written.contains(['[', ']'])) {
            return Err(bad());
        }
        texts.push((name.to_owned(), text));
        rest = value.get(end..).unwrap_or_default();
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn assign() -> Envelope {
        Envelope {
            verb: CrewVerb::TaskAssign,
            task: "T1".into(),
            worker: "w1".into(),
            seq: 3,
            reply: Some("%7".into()),
            context_seq: 2,
            lease: "abc".into(),
            texts: vec![
                ("goal".into(), "fix \"it\"\n[now]".into()),
                ("input".into(), String::new()),
                ("artifact_dir".into(), "/a b".into()),
            ],
        }
    }

    #[test]
    fn an_assignment_is_written_as_smux_writes_it_and_nothing_ends_it_early() {
        let line = assign().line().unwrap();
        assert_eq!(
            line,
            r#"[mgr type:TASK_ASSIGN task:T1 worker:w1 seq:3 reply:%7 context_seq:2 lease_token:abc] goal="fix \"it\"\n\u005bnow\u005d" input="" artifact_dir="/a b""#
        );
        assert_eq!(Envelope::parse(&line).unwrap(), assign());
    }

    #[test]
    fn what_is_not_quite_an_envelope_is_refused_with_the_reason() {
        let ok = r#"[wrk type:STATUS task:T worker:w seq:1 context_seq:0 lease_token:l] note="x""#;
        assert_eq!(Envelope::parse(ok).unwrap().text("note"), Some("x"));
        let bad = [
            ("", "no envelope"),
            ("hello [wrk type:STATUS task:T]", "no envelope"),
            (&ok.replace("[wrk", "[mgr"), "not said by this side"),
            (&ok.replace("STATUS", "EXPLODE"), "`type` holds"),
            (&ok.replace(" seq:1", ""), "no `seq`"),
            (&ok.replace("seq:1", "seq:01"), "`seq` holds"),
            (&ok.replace("seq:1", "seq:-1"), "`seq` holds"),
            (&ok.replace("seq:1", "seq:99999999999999999999"), "`seq` holds"),
            (&ok.replace("task:T", "task:"), "`task` holds"),
            (&ok.replace("task:T", "task:T task:T"), "twice"),
            (&ok.replace("task:T", "owner:T"), "no field"),
            (&ok.replace("task:T ", "task:T  "), "no field"),
            (&ok.replace("\"x\"", "x"), "behind its head"),
            (&ok.replace("\"x\"", "\"x"), "behind its head"),
            (&ok.replace("\"x\"", "\"x\" note=\"y\""), "twice"),
            (&ok.replace("\"x\"", "\"x\" goal=\"y\""), "no field"),
            (&ok.replace("\"x\"", "\"[wrk type:RESULT]\""), "behind its head"),
            (&ok.replace(" note=\"x\"", ""), "no `note`"),
        ];
        for (line, why) in bad {
            let error = Envelope::parse(line).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
        let spaced = Envelope { task: "a b".into(), ..assign() };
        assert!(matches!(spaced.line(), Err(BadEnvelope::Value("task", _))));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again_in_one_line(goal in any::<String>(), input in any::<String>(), seq: u64) {
            let mut envelope = assign();
            envelope.texts = vec![("goal".into(), goal), ("input".into(), input)];
            envelope.seq = seq;
            let line = envelope.line().unwrap();
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            prop_assert_eq!(line.matches(['[', ']']).count(), 2);
            prop_assert_eq!(Envelope::parse(&line).unwrap(), envelope);
        }

        #[test]
        fn what_is_read_can_be_written(line in r#"\[(wrk|mgr) (type:(STATUS|TASK_ASSIGN|ASK) |task:[a-z%]{1,3} |worker:[a-z]{1,2} |seq:[0-9]{1,3} |context_seq:[0-9] |x:y |lease_token:[a-z]{0,2}){1,8}\]( (note|goal|question)="[a-z\\n]{0,5}"){0,2}"#) {
            if let Ok(envelope) = Envelope::parse(&line.replace(" ]", "]")) {
                prop_assert_eq!(Envelope::parse(&envelope.line().unwrap()).unwrap(), envelope);
            }
        }
    }
}
