//! What `status` and `explain` say of each session, as values. Pure; rendering is elsewhere.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::HistoryOperation;
use super::{Counts, UnknownReport};
use crate::core::crew::TaskState;
use crate::core::drift::Class;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::job::{EventKind, JobId, JobStatus, TimeOut};
use crate::core::lead::conditions::ConditionReport;
use crate::core::lead::{HoldReport, OperationBrief};
use crate::core::manifest::lead::{CrewRole, Desired};
use crate::core::observe::Activity;
use crate::core::text::seconds;

/// The value of a status document's `schema` field. Within `v1` fields are only ever added.
pub const SCHEMA: &str = "headcount/status/v1";

/// Every session, declared or found, and what is believed about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusReport {
    /// Always `headcount/status/v1`.
    pub schema: String,
    /// The absolute path of the manifest.
    pub manifest: String,
    /// The host that was observed.
    pub host: String,
    /// When it was observed, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub observed_at: DateTime<Utc>,
    /// No drift and nothing unknown.
    pub in_sync: bool,
    /// The same counts a report has.
    pub counts: Counts,
    /// The sessions: those of the manifest in its order, then unregistered ones.
    pub sessions: Vec<SessionRow>,
    /// What is unknown, and why.
    pub unknown: Vec<UnknownReport>,
    /// The jobs that headcount runs, each in a session of its own.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub jobs: Vec<JobRow>,
    /// What commands call the host that was observed, where it is another one: it calls itself otherwise.
    #[serde(skip)]
    pub asked_as: Option<String>,
}

/// A job that headcount runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobRow {
    /// The job.
    pub job: JobId,
    /// The session it is done in.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// `working`, `needs-input`, `waiting` (for its next attempt), `lost`, or how it ended: `completed`, `failed`, `stopped`.
    pub state: String,
    /// How often its agent was begun.
    pub attempts: u32,
    /// How long it has taken, in seconds.
    pub elapsed: u64,
    /// The last line of its output.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_line: Option<String>,
}

/// The part of a session in a crew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrewRow {
    /// The crew.
    pub name: String,
    /// Its part: `manager` or `worker`.
    pub role: CrewRole,
    /// The task that it has, or had last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<String>,
    /// How far that task is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<TaskState>,
}

impl CrewRow {
    /// It in a few words.
    pub fn words(&self) -> String {
        let task = self.task.as_ref().map(|task| format!(" {task}")).unwrap_or_default();
        let state = self.state.map(|state| format!(" {}", state.as_str())).unwrap_or_default();
        format!("{} {}{task}{state}", self.name, self.role.as_str())
    }
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRow {
    /// Which session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// What the manifest says: `running`, `stopped`, `terminated`, `archived`, or `-` if it was never seen or has no entry.
    pub declared: String,
    /// What its entry wants of it, if it says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub desired: Option<Desired>,
    /// What headcount did to it last, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operation: Option<OperationBrief>,
    /// What was observed.
    pub observed: Observed,
    /// What its live agent is doing: `starting`, `parked` or `suspended` whichever conversation it is in, else if its conversation
    /// is proven and its files tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn: Option<Activity>,
    /// What an agent that is `waiting` says it waits for, or what runs on beside one that is `idle`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn_note: Option<String>,
    /// The conditions that hold, the most telling first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conditions: Vec<ConditionReport>,
    /// One line about it where the word is not enough.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Who has it in hand: nothing acts on it by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<HoldReport>,
    /// The workspace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cwd: Option<String>,
    /// The pane the agent runs in, `%3`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pane: Option<String>,
    /// The agent's process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// The conversation it is in, or was in last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_id: Option<ConversationId>,
    /// What proves that id now: `registry`, `hook`, …; `recorded` if only the manifest says so, `continued-in` if the
    /// transcript of the recorded one does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id_rung: Option<String>,
    /// Whether the transcript of that id is on disk; `None` if that is unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transcript: Option<bool>,
    /// When the transcript last changed.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub last_activity: Option<DateTime<Utc>>,
    /// The job it works on: the recorded one, else the one delegated to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// How far that job is; `None` if it is not in the registry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job_status: Option<JobStatus>,
    /// The last event of that job, if it is known which it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job_event: Option<EventKind>,
    /// Whether that job has run out of time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job_timed_out: Option<TimeOut>,
    /// The crew that its entry declares it to be in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crew: Option<CrewRow>,
    /// Its drifts; ignored ones included.
    pub drifts: Vec<Class>,
    /// Those of them that its entry ignores: they are not counted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ignored: Vec<Class>,
    /// Why the conversation may not be the one its agent is in, or was in last. Whoever shows `resume` shows this beside it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub doubt: Option<String>,
    /// The command that would resume the conversation in its workspace; printed, never run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resume: Option<String>,
    /// Why there is no such command for the conversation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub no_resume: Option<String>,
}

/// What was observed of a session, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// Alive with its agent.
    Alive,
    /// The session is alive, its agent is not in it.
    NoAgent,
    /// More than one process could be its agent.
    Ambiguous,
    /// The multiplexer answered without it.
    Gone,
    /// It is unknown.
    Unknown,
    /// It belongs to another host.
    Elsewhere,
    /// The entry is suspended: not looked at.
    Suspended,
}

impl Observed {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::NoAgent => "no-agent",
            Self::Ambiguous => "ambiguous",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
            Self::Elsewhere => "elsewhere",
            Self::Suspended => "suspended",
        }
    }
}

/// Why headcount believes what it believes about one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The session as `status` shows it.
    pub row: SessionRow,
    /// What the entry says, one line each; empty for an unregistered session.
    pub manifest: Vec<String>,
    /// What is known of its job, one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// What was seen of the server, session, panes and processes, one line each, in the order it was asked.
    pub observed: Vec<String>,
    /// What was read about each live process that is, or could be, its agent; empty if there is none.
    pub ladders: Vec<LadderLines>,
    /// What all that means for the conversation id, one line.
    pub verdict: String,
    /// The drifts' messages, with their class and state.
    pub drifts: Vec<String>,
    /// What was done to it lately, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub operations: Vec<HistoryOperation>,
    /// What would change headcount's mind, one line each.
    pub would_change: Vec<String>,
}

/// The evidence ladder of one process as explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LadderLines {
    /// Whose it is: `claude, pid 4711 in pane %3`.
    pub of: String,
    /// Every rung, strongest first, those the agent does not have included.
    pub rungs: Vec<RungLine>,
}

/// One rung as explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RungLine {
    /// 1 (strongest) to 6.
    pub number: u8,
    /// `registry`, `held file`, `hook`, `start`, `workspace map`, `appeared`.
    pub name: String,
    /// What was looked at.
    pub looked_at: String,
    /// What was found, or why it is unknown.
    pub found: String,
    /// Whether this rung decided.
    pub decided: bool,
}
