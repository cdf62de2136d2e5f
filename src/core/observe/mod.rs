//! What was seen of the world in one pass, as values. Never looks itself: the adapters fill these in.

pub mod identity;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::ids::{AgentKind, ConversationId, ServerKey};
use identity::Ladder;

/// Everything one pass saw.
#[derive(Debug, Clone)]
pub struct Observation {
    /// When the pass looked.
    pub at: DateTime<Utc>,
    /// The name of the host it looked at.
    pub host: String,
    /// The running boot of that host.
    pub boot: Fact<Boot>,
    /// Each server asked for. `Absent`: no process listens on its socket. `Unknown`: it did not answer.
    pub servers: BTreeMap<ServerKey, Fact<Server>>,
    /// The processes behind recorded pane pids that no answering server accounts for, by pid.
    pub strays: BTreeMap<u32, Fact<OrphanPane>>,
    /// Transcripts of the conversation ids that were asked for.
    pub transcripts: BTreeMap<TranscriptKey, Fact<Transcript>>,
    /// What live agents are doing if they are in this conversation, which only a verdict says; empty where nobody asked. An agent
    /// that is not in it was not asked, or was another process by the time it had answered.
    pub turns: BTreeMap<(Process, ConversationId), Fact<Activity>>,
    /// What live agents are doing whichever conversation they are in; empty where nobody asked. It outdoes their turn.
    pub phases: BTreeMap<Process, Activity>,
    /// What those among them that wait say they wait for, or what runs on beside an idle one, raw: show it only through [`crate::core::text::printable`].
    pub awaited: BTreeMap<(Process, ConversationId), String>,
    /// The conversations that recorded ones without a proven agent went on in, by the transcript that says so.
    pub continued: BTreeMap<TranscriptKey, Fact<ConversationId>>,
    /// Declared workspaces whose real path is another one (a symlink on the way), with that path.
    pub real_paths: BTreeMap<PathBuf, PathBuf>,
    /// For each entry of the manifest, in order: where its agent would keep its files if no process tells.
    pub fallback_homes: Vec<Fact<PathBuf>>,
    /// Where each agent keeps its files in our own environment: where top-level identities of the manifest are looked up.
    pub own_homes: BTreeMap<AgentKind, Fact<PathBuf>>,
    /// From where all of this was seen.
    pub vantage: Viewpoint,
}

impl Observation {
    /// The real path of a declared workspace.
    pub fn real_path<'a>(&'a self, declared: &'a Path) -> &'a Path {
        self.real_paths.get(declared).map_or(declared, PathBuf::as_path)
    }
}

/// From where a look was made. In a container or a sandbox a server outside may be out of sight, and its sessions are no less
/// alive for that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Viewpoint {
    /// Our PID namespace, as `/proc/self/ns/pid` names it; `None` where that is unknown.
    pub pids: Option<String>,
    /// The directory the socket of each server is, or would be, in: known by what it is (inode and birth) and not by its name,
    /// which leads elsewhere where files are mounted otherwise. Missing ones are left out.
    pub directories: BTreeMap<ServerKey, String>,
    /// Whether the manifest is another user's, whose servers have sockets of their own under the same names (`sudo`).
    pub is_guest: bool,
}

impl Viewpoint {
    /// The PID namespace that contains all others (`PROC_PID_INIT_INO` in `linux/proc_ns.h`).
    pub const WHOLE: &str = "pid:[4026531836]";

    /// Whether processes may run on this kernel that have no id here.
    pub fn is_partial(&self) -> bool {
        self.pids.as_deref().is_some_and(|pids| pids != Self::WHOLE)
    }
}

/// One boot of a host. Its id names it; its beginning moves whenever somebody sets the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The kernel's id of it (`/proc/sys/kernel/random/boot_id`).
    pub id: String,
    /// When it began: the wall clock less the time since the boot, sleep included (`CLOCK_BOOTTIME`), in milliseconds.
    pub at: DateTime<Utc>,
}

/// A multiplexer server that answered. Of tmux (3.2 or newer) it is what `list-panes -a` says, of zellij (0.44 or newer) what its
/// sockets and the processes behind them show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// The server's process (`#{pid}` of tmux); `None` for zellij, which has a process for each session.
    pub pid: Option<u32>,
    /// Its version as it says it, for instance `3.3a` (`#{version}` of tmux).
    pub version: String,
    /// Its sessions.
    pub sessions: Vec<Arc<MuxSession>>,
    /// Why a session that is not among them may be alive all the same; `None`: there are no others.
    pub unlisted: Option<String>,
}

impl Server {
    /// Whether a multiplexer says the same of two servers, whatever was found in the panes that have a process.
    pub fn is_listed_as(&self, other: &Self) -> bool {
        let pane = |(one, other): (&Arc<Pane>, &Arc<Pane>)| {
            let is_same = (&one.id, one.pid, &one.dead) == (&other.id, other.pid, &other.dead);
            is_same && (one.pid.is_some() || one == other)
        };
        let session = |(one, other): (&Arc<MuxSession>, &Arc<MuxSession>)| {
            let of = |it: &MuxSession| (it.created, it.process, it.panes.len());
            (&one.id, &one.name, of(one)) == (&other.id, &other.name, of(other)) && one.panes.iter().zip(&other.panes).all(pane)
        };
        let of = |it: &Self| (it.pid, it.sessions.len());
        (&self.version, &self.unlisted, of(self)) == (&other.version, &other.unlisted, of(other))
            && self.sessions.iter().zip(&other.sessions).all(session)
    }
}

/// A session of a multiplexer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxSession {
    /// The multiplexer's immutable id: `#{session_id}` of tmux (`$3`), unique as long as the server lives; for zellij the name.
    pub id: String,
    /// Its name, raw: show it only through [`crate::core::text::printable`].
    pub name: String,
    /// When it was made, to the second (`#{session_created}` of tmux); `None` where the multiplexer does not tell.
    pub created: Option<DateTime<Utc>>,
    /// The process that serves this session and no other, where the multiplexer has one for each.
    pub process: Option<u32>,
    /// Its panes, in the multiplexer's order.
    pub panes: Vec<Arc<Pane>>,
}

impl MuxSession {
    /// The process that serves it, one of its own or that of its server.
    pub fn served_by(&self, server: Option<&Server>) -> Option<u32> {
        self.process.or_else(|| server?.pid)
    }

    /// Why nothing can be told of a session that may only just be starting. Some seconds later it can.
    pub const STARTING: &'static str = "it is still starting";

    /// Whether that is why.
    pub fn may_be_starting(&self) -> bool {
        self.panes.iter().any(|pane| pane.agents.why_unknown() == Some(Self::STARTING))
    }
}

/// A pane of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pane {
    /// The multiplexer's id of it: `%3`, or `terminal_0`; `terminal_?` where that is unknown.
    pub id: String,
    /// The process the pane was made for.
    pub pid: Option<u32>,
    /// Set if that process is gone and the pane is only kept (`remain-on-exit`): how it ended, or "exit status unknown".
    pub dead: Option<String>,
    /// The name of the program that runs on top of it, for messages ("a bare bash").
    pub runs: String,
    /// The agents in its process tree: the topmost process of each kind (several of one kind if they stand side by side).
    /// `Unknown` if there is none and a process could not be read; `Absent` if the pane was not asked about.
    pub agents: Fact<Vec<Arc<Agent>>>,
    /// Why there may be more agents than those seen: a process beside them could not be read.
    pub unread: Option<String>,
}

/// A live agent process in a pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Which agent it is.
    pub kind: AgentKind,
    /// The topmost process of that kind in the pane's tree, wrappers included.
    pub process: Process,
    /// Its working directory, symlinks resolved.
    pub cwd: Fact<PathBuf>,
    /// Where it keeps its files, from its own environment.
    pub home: Fact<PathBuf>,
    /// What each rung of the evidence ladder says about its conversation.
    pub ladder: Ladder,
}

/// What a live agent is doing, as far as its files tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// It waits for a prompt.
    Idle,
    /// It works on one.
    Working,
    /// It waits for a person's answer, such as a permission.
    Waiting,
    /// It is in no conversation yet: it has only begun, or a dialog or a picker of its start is open.
    Starting,
    /// Its conversation went on in the background, and its pane shows that from outside.
    Parked,
    /// Its process is stopped, as by Ctrl-Z.
    Suspended,
}

impl Activity {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Parked => "parked",
            Self::Suspended => "suspended",
        }
    }

    /// Whether there may be more to say of it: what it waits for, or what runs on beside it.
    #[must_use]
    pub const fn has_more(self) -> bool {
        !matches!(self, Self::Starting | Self::Suspended)
    }
}

/// A process, named so that a reused pid is another one. Only within one PID namespace and one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// When it started: the beginning of the boot plus its start ticks (field 22 of `/proc/PID/stat`, usually hundredths of a second).
    /// Setting the clock moves it; see [`crate::core::memory::KnownIn`].
    pub started: DateTime<Utc>,
}

/// A process found behind a recorded pane pid that no answering server accounts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanPane {
    /// The process.
    pub process: Process,
    /// The agents in its tree: of which kind, and by which process.
    pub agents: Vec<(AgentKind, Process)>,
    /// Whether it has a controlling terminal.
    pub has_terminal: bool,
}

/// Names a transcript: whose store it is in, and the conversation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TranscriptKey {
    /// The conversation. It comes first because it tells nearly all keys apart, and a path takes long to compare.
    pub id: ConversationId,
    /// The agent's home directory (its own, not ours).
    pub home: PathBuf,
    /// The agent that wrote it.
    pub kind: AgentKind,
}

/// A transcript on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The file, or the database that holds it.
    pub path: PathBuf,
    /// When it last changed, as its file says (mtime): the last activity.
    pub modified: DateTime<Utc>,
    /// Whether the agent keeps it aside, among those that it lists no more and does not resume as they are.
    pub is_archived: bool,
}
