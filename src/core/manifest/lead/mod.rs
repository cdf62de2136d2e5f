//! What a manifest declares of how its sessions are led. Values only: nothing here decides anything.

pub(super) mod flags;
mod read_entry;
mod read_file;
mod section;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use flags::{has_permission_flag, has_permission_words, is_not_for_workers, misplaced};
pub(super) use read_file::{drive_of, hosts, policy, refuse_short_waits};
pub(super) use section::LeadSection;

/// The declared fields of an entry that say how it is led.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lead {
    /// What is to become of the session; `None` if headcount only follows it.
    pub desired: Option<Desired>,
    /// When it is started again.
    pub restart: Option<Restart>,
    /// Flags after the agent's own, on start and on resume.
    pub args: Vec<String>,
    /// What is run instead of the agent's program; empty: the program itself.
    pub command: Vec<String>,
    /// Variables whose values stand in files.
    pub env_files: BTreeMap<String, PathBuf>,
    /// What is said once when the conversation begins.
    pub prompt: Option<String>,
    /// How far the agent may go without asking.
    pub permissions: Option<Permissions>,
    /// Whether the agent's question about this workspace is answered with yes.
    pub trust: Option<bool>,
    /// The work it is about: a tracker's id, an address, words.
    pub task: Option<String>,
    /// How long a series of starts may take.
    pub deadline: Option<Duration>,
    /// The crew it belongs to.
    pub crew: Option<Crew>,
    /// What multi-agent-mux calls its part; never changed.
    pub role: Option<String>,
    /// How multi-agent-mux started it.
    pub start_command: Option<String>,
    /// The servers that multi-agent-mux attached to it.
    pub mcp_attachments: Vec<String>,
}

/// What is to become of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// Alive.
    Running,
    /// Ended.
    Stopped,
    /// Put away; never started.
    Archived,
}

impl Desired {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 3] =
        [("running", Self::Running), ("stopped", Self::Stopped), ("archived", Self::Archived)];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Archived => "archived",
        }
    }
}

/// When a session is started again, and how long it waits between two starts where it says so itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart {
    /// When.
    pub policy: RestartPolicy,
    /// How long it waits; what is missing is the manifest's.
    pub backoff: Backoff,
}

/// When a session that has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Not by itself.
    Never,
    /// After a failure.
    OnFailure,
    /// After a failure, and when the agent has quit.
    Always,
}

impl RestartPolicy {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 3] =
        [("never", Self::Never), ("on-failure", Self::OnFailure), ("always", Self::Always)];
}

/// How long a start waits after failures. What is `None` is not said.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Backoff {
    /// After the first.
    pub first: Option<Duration>,
    /// How much longer after each further one.
    pub factor: Option<f64>,
    /// At most.
    pub most: Option<Duration>,
    /// So many starts, then it gives up.
    pub attempts: Option<u32>,
}

impl Backoff {
    /// The first wait where nothing says another.
    pub const FIRST: Duration = Duration::from_secs(3 * 60);
    /// The longest wait where nothing says another.
    pub const MOST: Duration = Duration::from_secs(60 * 60);
}

/// How far an agent may go without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permissions {
    /// It asks.
    Ask,
    /// Its own middle mode: it edits files without asking.
    Edit,
    /// It asks nothing. Needs your consent, once per user.
    Bypass,
}

impl Permissions {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Ask, Self::Edit, Self::Bypass];

    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 3] = [("ask", Self::Ask), ("edit", Self::Edit), ("bypass", Self::Bypass)];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Edit => "edit",
            Self::Bypass => "bypass",
        }
    }
}

/// The crew a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crew {
    /// Its name.
    pub name: String,
    /// The session's part in it.
    pub role: CrewRole,
}

/// A part in a crew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CrewRole {
    /// It assigns work.
    Manager,
    /// It does work.
    Worker,
}

impl CrewRole {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 2] = [("manager", Self::Manager), ("worker", Self::Worker)];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Worker => "worker",
        }
    }
}

/// How a manifest's sessions are led: its `lead:`. What is `None` is not said.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Policy {
    /// Operations at once.
    pub parallel: Option<u32>,
    /// Time between two starts.
    pub spacing: Option<Duration>,
    /// How long an agent may take to be ready.
    pub ready: Option<Duration>,
    /// How long starts wait after failures.
    pub backoff: Backoff,
}

/// Another host, by the name that commands call it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteHost {
    /// Names for ssh, the first that answers counts.
    pub ssh: Vec<String>,
    /// How its terminal is reached.
    pub attach: Option<Attach>,
    /// Its manifest, there.
    pub manifest: Option<String>,
    /// Its headcount, there.
    pub headcount: Option<String>,
}

/// How the terminal of another host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// `ssh -t`.
    Ssh,
    /// `mosh`, and `ssh -t` where that fails.
    Mosh,
}

impl Attach {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 2] = [("ssh", Self::Ssh), ("mosh", Self::Mosh)];
}

/// What a value of `env` is shown as.
pub const MASK: &str = "***";

/// The word of a value.
fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, it)| *it == value).map_or("", |(word, _)| word)
}

impl Lead {
    /// What the entry declares, a line each, for people; `env` has the names of all variables.
    pub fn lines<'a>(&'a self, env: impl Iterator<Item = &'a String>) -> Vec<String> {
        let crew = |crew: &Crew| format!("{} of {}", word_of(&CrewRole::WORDS, crew.role), crew.name);
        let list = |items: &[String]| Some(items.join(" ")).filter(|text| !text.is_empty());
        let variables = env.chain(self.env_files.keys()).map(|name| format!("{name}={MASK}"));
        let fields = [
            ("desired", self.desired.map(|desired| word_of(&Desired::WORDS, desired).to_owned())),
            ("restart", self.restart.map(|restart| word_of(&RestartPolicy::WORDS, restart.policy).to_owned())),
            ("args", list(&self.args)),
            ("command", list(&self.command)),
            ("env", list(&variables.collect::<Vec<_>>())),
            ("prompt", self.prompt.clone()),
            ("permissions", self.permissions.map(|permissions| word_of(&Permissions::WORDS, permissions).to_owned())),
            ("trust", self.trust.map(|trust| trust.to_string())),
            ("task", self.task.clone()),
            ("deadline", self.deadline.map(|deadline| format!("{} s", deadline.as_secs()))),
            ("crew", self.crew.as_ref().map(crew)),
            ("role", self.role.clone()),
            ("start_command", self.start_command.clone()),
            ("mcp_attachments", list(&self.mcp_attachments)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect()
    }
}
