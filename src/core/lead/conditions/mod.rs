//! How a session stands, as conditions that hold now: what it waits for, whether it can be talked to, how it ended. Pure: judged from
//! what hooks, registries, transcripts, launchers and screens said, with the source and the evidence of each. Never looks.

mod ended;
mod live;
mod wait;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ended::{EndSigns, has_crashed};
pub use live::LiveSigns;
pub use wait::{
    SessionWait, WAIT_SCHEMA, WaitAim, WaitBegin, WaitEnd, WaitMode, WaitReport, WaitScene, WaitSession, WaitVerdict, wait_end,
};

use crate::core::ids::UnknownName;

/// A condition of a session. The order is that of what is shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It waits for a person's answer: a permission, a question, a dialog of its start.
    NeedsInput,
    /// It has begun, and takes no prompts yet.
    Starting,
    /// A turn goes on.
    Working,
    /// Its last turn ended at a limit of use, or of requests.
    RateLimited,
    /// Its last turn ended because it is not signed in.
    AuthFailed,
    /// Its last turn ended in another error.
    Error,
    /// It waits for a prompt.
    Idle,
    /// Its last turn has ended, and no prompt came since.
    TurnEnded,
    /// Its start is over: it works, or takes a prompt.
    Ready,
    /// Its agent ended by a failure.
    Crashed,
    /// Its agent quit, or was stopped.
    Ended,
    /// It does not run, and nobody knows why.
    Gone,
    /// Its job is done.
    Done,
    /// Nothing tells.
    Unknown,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::NeedsInput,
        Self::Starting,
        Self::Working,
        Self::RateLimited,
        Self::AuthFailed,
        Self::Error,
        Self::Idle,
        Self::TurnEnded,
        Self::Ready,
        Self::Crashed,
        Self::Ended,
        Self::Gone,
        Self::Done,
        Self::Unknown,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeedsInput => "needs-input",
            Self::Starting => "starting",
            Self::Working => "working",
            Self::RateLimited => "rate-limited",
            Self::AuthFailed => "auth-failed",
            Self::Error => "error",
            Self::Idle => "idle",
            Self::TurnEnded => "turn-ended",
            Self::Ready => "ready",
            Self::Crashed => "crashed",
            Self::Ended => "ended",
            Self::Gone => "gone",
            Self::Done => "done",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it says that its agent does not run.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Crashed | Self::Ended | Self::Gone)
    }

    /// Whether it follows from how the last turn ended: it holds until the next prompt.
    pub const fn is_of_a_turn(self) -> bool {
        matches!(self, Self::RateLimited | Self::AuthFailed | Self::Error | Self::Idle | Self::TurnEnded)
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Condition {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// What tells of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionSource {
    /// A hook of the agent's own process.
    Hooks,
    /// The agent's registry of live processes.
    Registry,
    /// The transcript of its conversation.
    Transcript,
    /// The title of its pane.
    Title,
    /// What its pane shows.
    Screen,
    /// Its process.
    Process,
    /// What headcount did to it, and how what it started has ended.
    Operations,
    /// Its multiplexer.
    Multiplexer,
    /// What the manifest records.
    Manifest,
    /// The registry of jobs.
    Job,
}

impl ConditionSource {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hooks => "hooks",
            Self::Registry => "registry",
            Self::Transcript => "transcript",
            Self::Title => "title",
            Self::Screen => "screen",
            Self::Process => "process",
            Self::Operations => "operations",
            Self::Multiplexer => "multiplexer",
            Self::Manifest => "manifest",
            Self::Job => "job",
        }
    }
}

/// A condition that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionReport {
    /// Which.
    pub condition: Condition,
    /// Since when, if that is known, UTC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<DateTime<Utc>>,
    /// What tells it.
    pub source: ConditionSource,
    /// What that says, one line. It may hold words of the agent.
    pub evidence: String,
}

impl ConditionReport {
    fn new(condition: Condition, source: ConditionSource, since: Option<DateTime<Utc>>, evidence: impl Into<String>) -> Self {
        Self { condition, since, source, evidence: evidence.into() }
    }

    /// That nothing tells.
    pub fn unknown(source: ConditionSource, why: impl Into<String>) -> Self {
        Self::new(Condition::Unknown, source, None, why)
    }
}

/// The condition that is shown where there is room for one: the first.
pub fn headline(conditions: &[ConditionReport]) -> Option<&ConditionReport> {
    conditions.iter().filter(|it| it.condition != Condition::Done).min_by_key(|it| it.condition)
}

/// That one of these holds.
pub fn holds(conditions: &[ConditionReport], condition: Condition) -> bool {
    conditions.iter().any(|it| it.condition == condition)
}
