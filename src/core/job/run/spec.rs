//! What a job that headcount runs was asked to be, and how it ended. Values only.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::super::JobId;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::StartWaits;
use crate::core::manifest::lead::{Backoff, Permissions};

/// What a job that headcount runs was asked to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Its own version: a launcher refuses a later one.
    pub version: u32,
    /// The job.
    pub job: JobId,
    /// The registry that has its record.
    pub registry: PathBuf,
    /// The agent that does it.
    pub agent: AgentKind,
    /// The session it is done in.
    pub session: SessionKey,
    /// The directory it is done in.
    pub cwd: PathBuf,
    /// The agent's program.
    pub program: String,
    /// Flags after the agent's own.
    pub args: Vec<String>,
    /// Whether the agent asks nothing at all; else it may edit files without asking.
    pub is_bypassing: bool,
    /// Whether the agent asks before it edits files: somebody can answer.
    #[serde(default)]
    pub is_asking: bool,
    /// Whether the agent is at a terminal: it gets its prompt there, and its turns tell how the job is.
    #[serde(default)]
    pub is_interactive: bool,
    /// When it was submitted.
    pub at: DateTime<Utc>,
    /// How long it may take in all, in milliseconds.
    pub deadline: u64,
    /// How it is tried again.
    pub waits: JobWaits,
    /// What `sh -c` runs once it has ended.
    pub notify: Option<String>,
    /// The broker its events go to as well.
    pub bus: Option<JobBus>,
    /// Who asked for it.
    pub by: String,
    /// How long its pane stays once it is over, in milliseconds.
    #[serde(default = "JobSpec::keeps")]
    pub keep: u64,
}

impl JobSpec {
    /// The version of this build.
    pub const VERSION: u32 = 2;

    /// How long panes stay where nothing was said: a day.
    const fn keeps() -> u64 {
        24 * 60 * 60 * 1000
    }

    /// Until when its pane stays if it was used last at this time.
    pub fn kept_until(&self, used: DateTime<Utc>) -> DateTime<Utc> {
        after(used, self.keep)
    }

    /// How far its agent may go.
    pub const fn permissions(&self) -> Permissions {
        match (self.is_bypassing, self.is_asking) {
            (true, _) => Permissions::Bypass,
            (false, true) => Permissions::Ask,
            (false, false) => Permissions::Edit,
        }
    }

    /// When its time is over.
    pub fn ends_at(&self) -> DateTime<Utc> {
        after(self.at, self.deadline)
    }
}

fn after(at: DateTime<Utc>, millis: u64) -> DateTime<Utc> {
    let span = TimeDelta::from_std(Duration::from_millis(millis)).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// How a job is tried again after a failure, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobWaits {
    /// The wait after the first failure.
    pub first: u64,
    /// How much longer each further one is.
    pub factor: f64,
    /// The longest.
    pub most: u64,
    /// So many attempts, then it has failed.
    pub attempts: u32,
}

impl JobWaits {
    /// Those of a manifest, where it says something, with what was asked for.
    pub fn of(manifest: Backoff, first: Option<Duration>, attempts: Option<u32>) -> Self {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            first: millis(first.or(manifest.first).unwrap_or(Backoff::FIRST)),
            factor: manifest.factor.unwrap_or(2.0),
            most: millis(manifest.most.unwrap_or(Backoff::MOST)),
            attempts: attempts.or(manifest.attempts).unwrap_or(10).max(1),
        }
    }

    /// The same as a start of a session waits.
    pub(super) fn waits(&self) -> StartWaits {
        let own = Backoff {
            first: Some(Duration::from_millis(self.first)),
            factor: Some(self.factor),
            most: Some(Duration::from_millis(self.most)),
            attempts: Some(self.attempts),
        };
        StartWaits::of(Some(own), Backoff::default())
    }
}

/// The broker of a job, for whoever publishes in its name: the variables that name it, and what no variable says.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct JobBus {
    /// The variables. They may hold a password.
    pub variables: BTreeMap<String, String>,
    /// The file the password is in.
    pub password_file: Option<PathBuf>,
    /// Where the topics of jobs begin.
    pub root: String,
}

/// Shows no password.
impl fmt::Debug for JobBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobBus").field("root", &self.root).finish_non_exhaustive()
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobOutcome {
    /// The agent said that it is done.
    Completed,
    /// It came to nothing.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

impl JobOutcome {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// The file `done`: that a job is over, and how. It is written once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    /// `headcount/job-done/v1`.
    pub schema: String,
    /// The job.
    pub job: JobId,
    /// How it ended.
    pub outcome: JobOutcome,
    /// The exit code of the agent's last process, as a shell would give it; none where nobody saw it end.
    pub code: Option<i32>,
    /// Why it ended so, one line.
    pub reason: String,
    /// The conversation.
    pub session_id: Option<String>,
    /// How often the agent was begun.
    pub attempts: u32,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When its agent was first begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// The last thing the agent said.
    pub last_message: Option<String>,
    /// How many of the agent's wishes were denied because nobody was there to be asked.
    pub denied: u32,
}

impl JobEnd {
    /// The schema of this build.
    pub const SCHEMA: &str = "headcount/job-done/v1";

    /// The line that says it in the pane.
    pub fn marker(&self) -> String {
        match (self.outcome, self.code) {
            (JobOutcome::Completed, None | Some(0)) => "__TASK_DONE__".to_owned(),
            (_, code) => format!("__TASK_FAILED__ {}", code.filter(|code| *code != 0).unwrap_or(1)),
        }
    }
}

/// Not a name for a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is no name for a job (1 to 48 of a-z 0-9 . _ -)", .0.chars().take(80).collect::<String>())]
pub struct BadJobName(String);

/// The name of the session of a job.
///
/// # Errors
/// [`BadJobName`].
pub fn job_session_name(agent: AgentKind, name: &str) -> Result<String, BadJobName> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=48).contains(&name.len()) && name.bytes().all(is_legal) {
        Ok(format!("{agent}-{name}"))
    } else {
        Err(BadJobName(name.to_owned()))
    }
}
