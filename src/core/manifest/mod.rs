//! The manifest as a value: what people declared and what headcount recorded. Never reads or writes text; `yaml` does.

mod doubt;
pub mod lead;
mod lists;
pub mod names;
pub mod page;
pub mod pattern;
mod read;
mod read_agents;
mod read_entry;
mod read_mqtt;
mod remark;
pub mod schema;
pub mod select;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agents::Declared;
use super::edit::Path;
use super::ids::{AgentKind, ConversationId, MuxKind, SessionKey};
use super::mqtt::Section;
pub use lead::{Lead, Policy, RemoteHost};
pub use read::{ChangedEntry, Environment, read, reread};
pub use remark::Remark;
pub use write::WritableEntry;

/// Which spelling of the format a file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `version: 1`.
    V1,
    /// No `version:`: the format of multi-agent-mux, read and written in its own key names.
    MultiAgentMux,
}

/// What a session's entry says about the life of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is believed to be alive.
    Running,
    /// Ended on purpose.
    Stopped,
    /// Ended, found dead or killed.
    Terminated,
    /// Put away; never revived by headcount.
    Archived,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Running, Self::Stopped, Self::Terminated, Self::Archived];

    /// The word used in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
            Self::Archived => "archived",
        }
    }
}

/// A whole manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The spelling of the file.
    pub dialect: Dialect,
    /// Where a session is whose entry does not say: what an entry need not repeat.
    pub usual: Place,
    /// Why no session may be registered in it: what an unknown key was probably meant to say decides whether one has an entry.
    pub registers_nothing: Option<String>,
    /// The agents it declares, in the order of the file.
    pub agents: Declared,
    /// Which sessions without an entry are ours: patterns of names, see [`pattern::NamePattern`].
    pub discovery: Vec<pattern::NamePattern>,
    /// The key of the list of entries: `sessions`, or its older name.
    pub list: &'static str,
    /// What stands there.
    pub sessions_node: SessionsNode,
    /// The entries, in the order of the file.
    pub sessions: Vec<Arc<Session>>,
    /// The older dialect's top-level `agent_identities`.
    pub identities: Vec<TopLevelIdentity>,
    /// How its sessions are led.
    pub lead: Policy,
    /// Other hosts by the names that commands use.
    pub hosts: BTreeMap<String, RemoteHost>,
    /// The MQTT broker, as far as the manifest names it.
    pub mqtt: Section,
}

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The multiplexer.
    pub mux: MuxKind,
    /// `default`, a `-L` name, or an absolute socket path.
    pub server: String,
    /// The host.
    pub host: String,
}

impl Place {
    /// What of a session's place is otherwise, field by field: what its entry has to say of it.
    pub fn unlike<'a>(&self, key: &'a SessionKey) -> impl Iterator<Item = (names::Field, &'a str)> {
        let fields = [
            (self.mux != key.mux, names::Field::Mux, key.mux.as_str()),
            (self.server != key.server, names::Field::Server, key.server.as_str()),
            (self.host != key.host, names::Field::Host, key.host.as_str()),
        ];
        fields.into_iter().filter_map(|(is_unlike, field, value)| is_unlike.then_some((field, value)))
    }
}

/// The shape of the `sessions:` node, which decides how a first entry is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionsNode {
    /// The key is not there.
    Missing,
    /// `sessions:` or `sessions: null`.
    Null,
    /// A sequence.
    Sequence,
}

/// One entry of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Where it stands in the list, from 0.
    pub index: usize,
    /// Its key.
    pub key: SessionKey,
    /// Why it is unknown which session the entry is about, or where that is.
    pub doubt: Option<SuspectKey>,
    /// The agent that runs in it.
    pub agent: AgentKind,
    /// The workspace as written, with `~` expanded; `None` if the entry names none.
    pub cwd: Option<PathBuf>,
    /// Labels, for `-l key=value`.
    pub labels: BTreeMap<String, String>,
    /// Not judged at all.
    pub suspend: bool,
    /// Drift classes that are shown but do not count.
    pub ignore: Vec<super::class::Class>,
    /// Variables the agent is started with; where its files are looked up when no process tells.
    pub env: BTreeMap<String, String>,
    /// How it is led.
    pub lead: Lead,
    /// What headcount recorded, and where each recorded field stands.
    pub recorded: Recorded,
    /// Which keys the entry has and how they came there.
    pub entry: WritableEntry,
}

/// Why the key of an entry may not be what was meant: what is found at that place, or not, says nothing about the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspectKey {
    /// One line.
    pub why: String,
    /// The name it may have been meant to have instead.
    pub other_name: Option<String>,
}

/// What headcount recorded in an entry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recorded {
    /// The status; `None` if the session was never seen.
    pub status: Option<Status>,
    /// The conversation id, read as the design's order of places says.
    pub session_id: Option<ConversationId>,
    /// Whether that id stands in a top-level identity rather than in the entry.
    pub id_is_lent: bool,
    /// The pane.
    pub pane: Option<RecordedPane>,
    /// When it ended.
    pub terminated_at: Option<DateTime<Utc>>,
    /// How it ended; `auto-detected` if headcount found out.
    pub termination_mode: Option<String>,
    /// The job this session works on.
    pub delegate_job_id: Option<String>,
    /// The entry's `*_at` stamps that headcount did not write: when a person or tool touched it. One may lie in the future, so
    /// which is the last is for someone with a clock to say.
    pub touched_at: Vec<DateTime<Utc>>,
}

impl Recorded {
    /// `termination_mode` when headcount itself recorded the end.
    pub const AUTO_DETECTED: &'static str = "auto-detected";
}

/// The recorded pane: a hint to confirm by pid, never an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordedPane {
    /// The multiplexer's pane id, `%3`.
    pub id: Option<String>,
    /// The process the pane was made for.
    pub pid: Option<u32>,
    /// The agent that ran in it.
    pub cmd: Option<String>,
    /// The agent's working directory.
    pub cwd: Option<String>,
}

/// A top-level identity of the older dialect: never written, only checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopLevelIdentity {
    /// The agent it belongs to.
    pub agent: AgentKind,
    /// The conversation.
    pub id: ConversationId,
    /// The only workspace it is valid in.
    pub project_cwd: PathBuf,
    /// Where the id stands.
    pub path: Path,
}

impl Manifest {
    /// The entries by their keys, for whoever looks up many.
    pub fn by_key(&self) -> HashMap<&SessionKey, &Session> {
        self.entries().map(|session| (&session.key, session)).collect()
    }

    /// The entries, in the order of the file. They are shared with the versions of the manifest that have the same ones.
    pub fn entries(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().map(Arc::as_ref)
    }

    /// The path of the list of entries.
    pub fn list_path(&self) -> Path {
        Path::root().key(self.list)
    }

    /// The entry with this key.
    pub fn find(&self, key: &SessionKey) -> Option<&Session> {
        self.entries().find(|session| session.key == *key)
    }
}
