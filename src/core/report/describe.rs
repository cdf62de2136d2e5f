//! What `describe` says of one session, as values: everything that is known of it. Pure; rendering is elsewhere.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::HistoryOperation;
use super::status::SessionRow;
use super::task::TaskReport;
use crate::core::ids::ConversationId;
use crate::core::lead::plan::LeadRow;
use crate::core::lead::turns::Turn;
use crate::core::lead::{ActedOn, OperationId, Standing};
use crate::core::manifest::Session;
use crate::core::text::seconds;

/// The value of a description's `schema` field. Within `v1` fields are only ever added.
pub const SCHEMA: &str = "headcount/describe/v1";

/// Everything that is known of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// Always `headcount/describe/v1`.
    pub schema: String,
    /// The absolute path of the manifest.
    pub manifest: String,
    /// The session as `status` shows it.
    pub row: SessionRow,
    /// What its entry wants: `running`, `stopped` or `archived`; none if headcount only follows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub desired: Option<String>,
    /// What it is about, as its entry says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<String>,
    /// What is known of that, and the folders that projects keep for it; none if no task is known for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<TaskReport>,
    /// The names of its tabs, where its multiplexer has such and they could be asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tabs: Vec<String>,
    /// What its entry says, one line each; of `env` only the names.
    pub entry: Vec<String>,
    /// What was seen of the server, session, panes and processes, one line each, in the order it was asked.
    pub observed: Vec<String>,
    /// What that means for the conversation id, one line.
    pub verdict: String,
    /// What is known of its job, one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// The drifts' messages, with their class and state.
    pub drifts: Vec<String>,
    /// What `apply` would do now.
    pub next: NextStep,
    /// What headcount remembers of what it did.
    pub ledger: LedgerReport,
    /// What was done to it, newest first.
    pub operations: Vec<HistoryOperation>,
    /// How many texts wait for its agent.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub waiting_texts: usize,
    /// What was said last in its conversation, if that can be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_turn: Option<LastTurn>,
    /// The command that opens it in a terminal, if it runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attach: Option<String>,
}

const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The last turn of a conversation, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastTurn {
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt: Option<String>,
    /// What the agent wrote last.
    pub text: String,
    /// How it ended: `done`, `interrupted`, `error` or `open`.
    pub end: String,
    /// When it ended, UTC.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl LastTurn {
    /// Of a turn.
    pub fn of(turn: &Turn) -> Self {
        let text = turn.error.as_ref().map_or(&turn.text, |error| &error.message).clone();
        Self { prompt: turn.prompt.clone(), text, end: turn.end.as_str().to_owned(), ended_at: turn.ended_at }
    }
}

/// What `apply` would do to a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextStep {
    /// Why nothing is done, where nothing keeps from it: nothing is wanted, or it is so already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nothing: Option<String>,
    /// The row of `plan`, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<LeadRow>,
}

impl NextStep {
    /// From how a session stands, and its row of the plan.
    pub fn new(standing: &Standing, plan: Option<LeadRow>) -> Self {
        let nothing = match standing {
            Standing::Unled => Some("its entry has no `desired`; headcount only follows it".to_owned()),
            Standing::Met(how) => Some(format!("it is as wanted ({how})")),
            Standing::Planned(_) | Standing::Blocked(_) => None,
        };
        Self { nothing, plan }
    }
}

/// What headcount remembers of what it did to a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LedgerReport {
    /// The manifest that leads it: the one that last acted on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub led_by: Option<String>,
    /// Since when its entry has wanted what it wants now, as far as headcount saw.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub wanted_since: Option<DateTime<Utc>>,
    /// The conversation that a start began under an id of headcount's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub assigned: Option<ConversationId>,
    /// The last start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<LedgerMark>,
    /// The last stop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped: Option<LedgerMark>,
}

/// An operation that the ledger remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerMark {
    /// Which.
    pub operation: OperationId,
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The pane it put the agent into.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pane: Option<String>,
}

impl LedgerReport {
    /// What the ledger knows of a session.
    pub fn of(acted: &ActedOn, session: &Session) -> Self {
        let wanted = acted.desired.as_ref().filter(|(word, _)| session.lead.desired.is_some_and(|now| now.as_str() == word));
        let started = acted.started.as_ref().map(|start| LedgerMark {
            operation: start.operation.clone(),
            at: start.at,
            pane: Some(start.placed.pane.clone()),
        });
        let stopped = acted.stopped.as_ref();
        Self {
            led_by: acted.led_by.clone(),
            wanted_since: wanted.map(|(_, since)| *since),
            assigned: acted.assigned.clone(),
            started,
            stopped: stopped.map(|stop| LedgerMark { operation: stop.operation.clone(), at: stop.at, pane: None }),
        }
    }
}
