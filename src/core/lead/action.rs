//! What may be done about one session, and why it may not. Words and values only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::ids::ConversationId;
use crate::core::observe::{MuxSession, Server};

/// What is done to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Its agent begins a conversation.
    Start,
    /// Its agent goes on in a conversation that is there.
    Resume,
    /// Its agent is asked to end.
    Stop,
    /// Its agent is asked to end, and then goes on.
    Restart,
    /// Its entry is taken out of the manifest, its agent having ended or not.
    Remove,
    /// The conversation that is recorded for it is taken out of its entry.
    Forget,
    /// It gets another name where it runs, and its entry does.
    Rename,
    /// Its agent is asked to end, and then goes on on another server.
    Move,
    /// Somebody takes it in hand: nothing acts on it by itself.
    Handoff,
    /// Whoever had it in hand gives it back.
    Release,
    /// A text is typed to its agent.
    Send,
    /// A question of its agent is answered.
    Answer,
}

impl ActionKind {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Remove => "remove",
            Self::Forget => "forget",
            Self::Rename => "rename",
            Self::Move => "move",
            Self::Handoff => "handoff",
            Self::Release => "release",
            Self::Send => "send",
            Self::Answer => "answer",
        }
    }
}

/// Where an agent is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// In a new session of the entry's name.
    NewSession,
    /// In a new window, or pane, of a session that is the entry's.
    NewWindow {
        /// The multiplexer's immutable id of it.
        session: String,
        /// The process that serves it, which is what makes its id one: another server gives the same ids.
        server: Option<u32>,
    },
    /// Nowhere: an agent is stopped where it is.
    InPlace,
    /// Nowhere: this session gets another name.
    Renamed(Renaming),
}

/// A running session that gets another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renaming {
    /// The server's process.
    pub server: u32,
    /// The multiplexer's immutable id of the session; of zellij, which has none, the name that it had.
    pub session: String,
    /// The new name.
    pub to: String,
}

impl Renaming {
    /// Whether this is the session, under whatever name: by the server of its own, where it has one, else by its id.
    pub fn is_of(&self, server: &Server, session: &MuxSession) -> bool {
        match session.process {
            Some(own) => own == self.server,
            None => server.pid == Some(self.server) && session.id == self.session,
        }
    }
}

/// Something to be done to one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub kind: ActionKind,
    /// Where.
    pub target: Target,
    /// The conversation that is resumed, or that is begun under an id of ours.
    pub conversation: Option<ConversationId>,
    /// What says that this is its conversation: a rung of the evidence, `recorded`, `continued-in` or `assigned`.
    pub rung: Option<&'static str>,
}

/// Why nothing may be done although something is wanted. The words are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockCode {
    /// Something it depends on could not be told.
    Unknown,
    /// Several processes could be its agent.
    Ambiguous,
    /// Its conversation is open elsewhere.
    Claimed,
    /// The transcript of its conversation is gone.
    StaleId,
    /// It has been alive, and nobody knows in which conversation.
    NoId,
    /// Its directory is not there.
    CwdMissing,
    /// Its agent's program is not in the PATH it would be started with.
    ProgramMissing,
    /// Its multiplexer's program is not there.
    MuxMissing,
    /// headcount does not act on this agent, multiplexer or system.
    Unsupported,
    /// The agent's permission mode needs your consent.
    Consent,
    /// The manifest was found in the working directory and is not allowed to act.
    NotAllowed,
    /// Another manifest leads this session.
    LedElsewhere,
    /// It lives on another host.
    Elsewhere,
    /// A person ended it after `desired` was written.
    EndedByHand,
    /// The entry says `suspend`.
    Suspended,
    /// The entry is archived.
    Archived,
    /// A session of its name is there and is not the entry's.
    ForeignName,
    /// A person is attached to it.
    Attached,
    /// Somebody has taken it in hand.
    Held,
    /// It works on a turn.
    Working,
    /// It asks whether its directory is trusted, and nobody has said so.
    Untrusted,
    /// It asks something else before it takes prompts.
    Dialog,
    /// Somebody has begun to write to its agent.
    Draft,
    /// Its agent is not there.
    NoAgent,
    /// Another operation of this session is open.
    Busy,
    /// A server started from here would end with this service.
    NoScope,
    /// Nobody has applied, started or made it here yet.
    NeverLed,
    /// It has just changed.
    Settling,
    /// Its next start waits, because its last ones failed.
    Backoff,
    /// Sessions like it failed one after another for one reason, and another one tries.
    Brake,
    /// It failed so often that it is not started any more.
    GaveUp,
    /// Its starts have taken as long as they may.
    Deadline,
}

impl BlockCode {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ambiguous => "ambiguous",
            Self::Claimed => "claimed",
            Self::StaleId => "stale-id",
            Self::NoId => "no-id",
            Self::CwdMissing => "cwd-missing",
            Self::ProgramMissing => "program-missing",
            Self::MuxMissing => "mux-missing",
            Self::Unsupported => "unsupported",
            Self::Consent => "consent",
            Self::NotAllowed => "not-allowed",
            Self::LedElsewhere => "led-elsewhere",
            Self::Elsewhere => "elsewhere",
            Self::EndedByHand => "ended-by-hand",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
            Self::ForeignName => "foreign-name",
            Self::Attached => "attached",
            Self::Held => "held",
            Self::Working => "working",
            Self::Untrusted => "untrusted",
            Self::Dialog => "dialog",
            Self::Draft => "draft",
            Self::NoAgent => "no-agent",
            Self::Busy => "busy",
            Self::NoScope => "no-scope",
            Self::NeverLed => "never-led",
            Self::Settling => "settling",
            Self::Backoff => "backoff",
            Self::Brake => "brake",
            Self::GaveUp => "gave-up",
            Self::Deadline => "deadline",
        }
    }
}

/// Why nothing may be done, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocked {
    /// The reason as a word.
    pub code: BlockCode,
    /// One line: what is so, and what a person can do.
    pub message: String,
    /// Until when, where time alone ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Blocked {
    /// Blocked until somebody does something.
    pub fn new(code: BlockCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), until: None }
    }

    /// Blocked until then.
    pub fn until(code: BlockCode, until: DateTime<Utc>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), until: Some(until) }
    }
}

/// How one entry stands to what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is wanted of it.
    Unled,
    /// It is as wanted; one line how.
    Met(&'static str),
    /// Something is to be done.
    Planned(Action),
    /// Something is wanted and may not be done.
    Blocked(Blocked),
}
