//! The evidence ladder: what was found on each rung about which conversation belongs to a process. Never weighs it; that is
//! `core::drift::identity`.

use chrono::{DateTime, Utc};

use crate::core::fact::Fact;
use crate::core::ids::ConversationId;

/// The kinds of evidence, strongest first. The numbers are those shown to people. Rungs 1 to 4 are about this very process;
/// 5 and 6 only about its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// 1: the agent's live registry, keyed by pid: `sessions/PID.json` of Claude Code, `inuse.PID.lock` of Copilot.
    Registry,
    /// 2: a file or lock held open by the agent's own process, as Codex holds its thread's.
    Held,
    /// 3: the newest hook event from this process.
    Hook,
    /// 4: facts of its start: an id assigned by us, or in its arguments.
    Start,
    /// 5: the agent's map of workspaces to conversations, as Antigravity has one.
    WorkspaceMap,
    /// 6: the only unclaimed transcript of the workspace that appeared after the process started.
    Appeared,
}

impl Rung {
    /// Every rung, strongest first.
    pub const ALL: [Self; 6] = [Self::Registry, Self::Held, Self::Hook, Self::Start, Self::WorkspaceMap, Self::Appeared];

    /// 1 (strongest) to 6.
    pub const fn number(self) -> u8 {
        match self {
            Self::Registry => 1,
            Self::Held => 2,
            Self::Hook => 3,
            Self::Start => 4,
            Self::WorkspaceMap => 5,
            Self::Appeared => 6,
        }
    }

    /// The word shown beside an id it proved.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Held => "held file",
            Self::Hook => "hook",
            Self::Start => "start",
            Self::WorkspaceMap => "workspace map",
            Self::Appeared => "appeared",
        }
    }
}

/// What a rung holds when there is something on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RungValue {
    /// Rungs 1 to 4: the id of this very process.
    Id(ConversationId),
    /// Rung 5: the id the map gives for the real path of the workspace, and when that conversation's store last changed.
    Mapped {
        /// The conversation.
        id: ConversationId,
        /// When its store last changed; `None` if the store is not there.
        changed: Option<DateTime<Utc>>,
    },
    /// Rung 6: the transcripts of the workspace that may have appeared since the process started (with a second's slack).
    Appeared(Vec<Appearance>),
}

/// A transcript and when it came into being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appearance {
    /// The conversation.
    pub id: ConversationId,
    /// Birth time of the file, else the earliest stamp inside it.
    pub at: DateTime<Utc>,
}

/// A conversation and when something was last said in it, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// The conversation.
    pub id: ConversationId,
    /// When its last message was begun.
    pub at: DateTime<Utc>,
}

/// One rung as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RungReading {
    /// Which rung.
    pub rung: Rung,
    /// What was looked at, one line for people: a file, the arguments.
    pub looked_at: String,
    /// What it said.
    pub fact: Fact<RungValue>,
}

/// Everything read about one agent process, strongest rung first. A rung the agent does not have is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The rungs.
    pub readings: Vec<RungReading>,
    /// How many live agents of this kind work in the same real path on this host, itself included. Rungs 5 and 6 need 1.
    /// `Absent` means it was not needed.
    pub peers: Fact<u32>,
    /// The conversations of its workspace in which something was said since the process started, its own among them. What only
    /// its arguments, a record or a weak rung name, it may have left for one of these. `Absent` where a stronger rung tells.
    pub said: Fact<Vec<LastMessage>>,
}

impl Ladder {
    /// What the strongest of rungs 1 to 4 that says anything says. `Unknown`: it could not be read, so nothing below it counts.
    pub fn proof(&self) -> Fact<(&ConversationId, Rung)> {
        let strong = self.readings.iter().filter(|reading| reading.rung <= Rung::Start);
        for reading in strong {
            match &reading.fact {
                Fact::Seen(RungValue::Id(id)) => return Fact::Seen((id, reading.rung)),
                Fact::Unknown(why) => return Fact::Unknown(reading.untold(why)),
                Fact::Seen(_) | Fact::Absent => {}
            }
        }
        Fact::Absent
    }
}

impl RungReading {
    /// Why it is unknown, and of what: most reasons name the file already.
    pub fn untold(&self, why: &str) -> String {
        if why.contains(&self.looked_at) { why.to_owned() } else { format!("{}: {why}", self.looked_at) }
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self { readings: Vec::new(), peers: Fact::Absent, said: Fact::Absent }
    }
}
