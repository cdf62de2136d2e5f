//! What a host publishes about itself, as values: the formats, and which of two statements about a host is believed. Never
//! publishes and never decides what is true of a session.

pub mod fold;
pub mod report;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::drift::Class;
use super::events::Event;
use super::ids::{AgentKind, ConversationId, SessionKey};
use super::lead::OperationBrief;
use super::manifest::lead::Desired;
use super::report::status::{CrewRow, Observed, SessionRow, StatusReport};
use super::report::{Counts, DriftState};
use super::text::seconds;

/// The `schema` of a [`HostState`].
pub const HOST_SCHEMA: &str = "headcount/host/v1";

/// The `schema` of a [`SessionState`].
pub const SESSION_SCHEMA: &str = "headcount/session/v1";

/// The `schema` of a [`DriftNote`].
pub const DRIFT_SCHEMA: &str = "headcount/drift/v1";

/// After so many seconds a pass says again that it looked, though it counted the same.
pub const REFRESH: i64 = 300;

/// The longest payload that is read or published, in bytes.
pub const MAX_PAYLOAD: usize = 64 << 10;

/// Whether a host's watch is online, retained at `headcount/<host>/state`. It is published when the watch connects and, with the
/// same number and `online: false`, when it ends, or as its Last Will when it is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostState {
    /// Always `headcount/host/v1`.
    pub schema: String,
    /// The host.
    pub host: String,
    /// Whether its watch is connected.
    pub online: bool,
    /// Whether it went without a word: only the broker says so, for it, as its Last Will.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub lost: bool,
    /// The boot of the host, as the kernel names it; empty if it is not known.
    pub boot_id: String,
    /// The number of the connection: a later one of the same boot has a greater number.
    pub seq: u64,
    /// The version of headcount.
    pub version: String,
    /// When the connection began, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub since: DateTime<Utc>,
    /// The absolute path of the manifest.
    pub manifest: String,
    /// The longest time between two looks, in seconds.
    pub interval: f64,
    /// When the last pass that said so looked, UTC; missing before the first. It is said when the counts have changed, and
    /// otherwise at the first pass that is [`REFRESH`] later.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub observed_at: Option<DateTime<Utc>>,
    /// What it counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counts: Option<HostCounts>,
}

/// What a host's last pass counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostCounts {
    /// Entries judged on this host.
    pub declared: usize,
    /// Of those, the ones alive with their agent.
    pub running: usize,
    /// Drifts, without ignored ones.
    pub drifts: usize,
    /// Entries with an unknown fact that kept a class from being judged.
    pub unknown: usize,
}

/// A session, retained at `headcount/<host>/session/<key>`; an empty payload takes it away. Its workspace, prompt, process and
/// paths are nobody's business on a network, and are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionState {
    /// Always `headcount/session/v1`.
    pub schema: String,
    /// The absolute path of the manifest that declares it.
    pub manifest: String,
    /// Which session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// What the manifest says; `-` if it was never seen or has no entry.
    pub declared: String,
    /// What its entry wants of it, if it says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub desired: Option<Desired>,
    /// What headcount did to it last, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operation: Option<OperationBrief>,
    /// What was observed.
    pub observed: Observed,
    /// The conversation it is in, or was in last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_id: Option<ConversationId>,
    /// The job it works on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// The crew that it is in, and what it works on there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crew: Option<CrewRow>,
    /// Its drifts; ignored ones included.
    pub drifts: Vec<Class>,
}

/// A drift that began or ended, at `headcount/<host>/drift`; not retained. One that was published while the broker was
/// lost comes again: it is known by `(id, at, event)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftNote {
    /// Always `headcount/drift/v1`.
    pub schema: String,
    /// When headcount reported it, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// `drift` or `resolved`.
    pub event: DriftPhase,
    /// The fingerprint of the drift.
    pub id: String,
    /// Its class.
    pub class: Class,
    /// The session it is about.
    pub session: SessionKey,
    /// The agent.
    pub agent: AgentKind,
    /// What became of a drift.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<DriftState>,
    /// One line, ready to post as a comment.
    pub message: String,
}

/// What a message says of a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftPhase {
    /// It was found.
    Drift,
    /// It is no more.
    Resolved,
}

impl HostState {
    /// Reads a published payload. Its texts come from outside: nothing in them may reach a terminal unescaped.
    ///
    /// # Errors
    /// [`NotAStatement`].
    pub fn parse(payload: &[u8]) -> Result<Self, NotAStatement> {
        parse(payload, HOST_SCHEMA)
    }

    /// Whether this statement about a host is to be believed although that one is known. The Last Will of a connection that was
    /// lost may arrive after the birth of the next.
    pub fn replaces(&self, known: &Self) -> bool {
        match self.boot_id == known.boot_id {
            true => self.seq >= known.seq,
            // Whoever goes offline was online before, in that boot: of another boot it is old news.
            false => self.online,
        }
    }

    /// Whether this connection, which lives, has to say so again because of what the broker keeps: the end of an earlier
    /// connection of this boot, or of another boot. Such a Last Will can come after the birth of this one, and hides it from
    /// everyone who looks later.
    pub fn outlives(&self, kept: &Self) -> bool {
        let is_earlier = self.boot_id != kept.boot_id || kept.seq < self.seq;
        self.online && !kept.online && is_earlier
    }

    /// What the broker is to say of it when it goes without a word.
    #[must_use]
    pub fn last_will(&self) -> Self {
        Self { online: false, lost: true, ..self.clone() }
    }
}

impl SessionState {
    /// Reads a published payload. Its texts come from outside: nothing in them may reach a terminal unescaped.
    ///
    /// # Errors
    /// [`NotAStatement`].
    pub fn parse(payload: &[u8]) -> Result<Self, NotAStatement> {
        parse(payload, SESSION_SCHEMA)
    }

    /// What is published of a row of `status`; `None` for a session that is for another host to speak of.
    pub fn of(status: &StatusReport, row: &SessionRow) -> Option<Self> {
        (row.observed != Observed::Elsewhere).then(|| Self {
            schema: SESSION_SCHEMA.to_owned(),
            manifest: status.manifest.clone(),
            session: row.session.clone(),
            agent: row.agent,
            declared: row.declared.clone(),
            desired: row.desired,
            operation: row.operation.clone(),
            observed: row.observed,
            session_id: row.session_id.clone(),
            job: row.job.clone(),
            crew: row.crew.clone(),
            drifts: row.drifts.clone(),
        })
    }
}

impl DriftNote {
    /// Reads a published payload. Its texts come from outside: nothing in them may reach a terminal unescaped.
    ///
    /// # Errors
    /// [`NotAStatement`].
    pub fn parse(payload: &[u8]) -> Result<Self, NotAStatement> {
        parse(payload, DRIFT_SCHEMA)
    }

    /// What is published of an event of `watch`; `None` for one that is not about a drift.
    pub fn of(event: &Event) -> Option<Self> {
        let schema = DRIFT_SCHEMA.to_owned();
        match event {
            Event::Drift(event) => {
                let drift = &event.drift;
                let (id, message) = (drift.id.clone(), drift.message.clone());
                let (session, state) = (drift.session.clone(), Some(drift.state));
                let (class, agent) = (drift.class, drift.agent);
                Some(Self { schema, at: event.at, event: DriftPhase::Drift, id, class, session, agent, state, message })
            }
            Event::Resolved(event) => {
                let (id, message, session) = (event.id.clone(), event.message.clone(), event.session.clone());
                let (class, agent) = (event.class, event.agent);
                Some(Self {
                    schema,
                    at: event.at,
                    event: DriftPhase::Resolved,
                    id,
                    class,
                    session,
                    agent,
                    state: None,
                    message,
                })
            }
            _ => None,
        }
    }
}

impl From<Counts> for HostCounts {
    fn from(counts: Counts) -> Self {
        let Counts { declared, running, drifts, unknown, .. } = counts;
        Self { declared, running, drifts, unknown }
    }
}

/// Why a payload is not the statement it should be.
#[derive(Debug, thiserror::Error)]
pub enum NotAStatement {
    /// Longer than [`MAX_PAYLOAD`].
    #[error("the payload has {0} bytes")]
    TooLong(usize),
    /// Not JSON of the right shape.
    #[error("the payload is malformed")]
    Shape(#[from] serde_json::Error),
    /// Another format.
    #[error("the payload has the schema {0:?}")]
    Schema(String),
}

fn parse<T: DeserializeOwned>(payload: &[u8], expected: &str) -> Result<T, NotAStatement> {
    #[derive(Deserialize)]
    struct Headed {
        schema: String,
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(NotAStatement::TooLong(payload.len()));
    }
    let Headed { schema } = serde_json::from_slice(payload)?;
    if schema != expected {
        return Err(NotAStatement::Schema(schema.chars().take(80).collect()));
    }
    Ok(serde_json::from_slice(payload)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn host(boot_id: &str, seq: u64, online: bool) -> HostState {
        HostState {
            schema: HOST_SCHEMA.into(),
            host: "h".into(),
            online,
            lost: false,
            boot_id: boot_id.into(),
            seq,
            version: "0".into(),
            since: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            manifest: "/m".into(),
            interval: 30.0,
            observed_at: None,
            counts: None,
        }
    }

    #[test]
    fn a_late_last_will_never_takes_a_newer_birth_away() {
        let born = host("b", 7, true);
        assert!(host("b", 7, true).last_will().replaces(&born), "its own end");
        assert!(!host("b", 6, false).replaces(&born), "the end of an earlier connection");
        assert!(host("b", 8, true).replaces(&born));
        assert!(!host("a", 9, false).replaces(&born), "the end of an earlier boot, whatever its clock said");
        assert!(host("c", 1, true).replaces(&born), "the host was booted anew");
    }

    #[test]
    fn a_live_connection_speaks_again_only_after_the_end_of_another() {
        let born = host("b", 7, true);
        assert!(born.outlives(&host("b", 6, true).last_will()));
        assert!(born.outlives(&host("b", 6, false)), "an earlier connection that ended in order");
        assert!(born.outlives(&host("a", 9, false)), "an earlier boot, whatever its clock said");
        assert!(!born.outlives(&born), "our own statement comes back to us as well");
        assert!(!born.outlives(&born.last_will()));
        assert!(!born.outlives(&host("b", 8, false)), "the end of a later one");
        assert!(!born.outlives(&host("b", 6, true)));
        assert!(!host("b", 7, false).outlives(&host("b", 6, false)), "who has gone says nothing more");
    }

    #[test]
    fn a_statement_is_read_back_and_nothing_else_is() {
        let born = host("b", 7, true);
        let text = serde_json::to_vec(&born).unwrap();
        assert_eq!(HostState::parse(&text).unwrap(), born);
        assert!(matches!(SessionState::parse(&text), Err(NotAStatement::Schema(_))));
        for odd in [&b""[..], b"{}", b"[]", b"\xff", b"{\"schema\":\"headcount/host/v1\"}"] {
            assert!(matches!(HostState::parse(odd), Err(NotAStatement::Shape(_))), "{odd:?}");
        }
        assert!(matches!(HostState::parse(&vec![b' '; MAX_PAYLOAD + 1]), Err(NotAStatement::TooLong(_))));
    }
}
