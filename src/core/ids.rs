//! Names and keys of things: multiplexers, servers, sessions, agents, conversations. Never looks anything up.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agents::{Custom, Definition, FOREIGN};

/// A terminal multiplexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MuxKind {
    /// tmux, 3.2 or newer.
    #[default]
    Tmux,
    /// zellij, 0.44 or newer.
    Zellij,
}

impl MuxKind {
    /// Every multiplexer, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Tmux, Self::Zellij];

    /// The word used in manifests and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Zellij => "zellij",
        }
    }

    /// How it spells the name it was given for a session, where it has another for that, else the name.
    pub fn spelling(self, name: &str) -> Cow<'_, str> {
        self.spellings(name).into_iter().next().map_or(Cow::Borrowed(name), Cow::Owned)
    }

    /// How it may spell the name it was given for a session, where that is not the name itself.
    fn spellings(self, name: &str) -> Vec<String> {
        match self {
            Self::Tmux => super::spelling::by_tmux(name),
            Self::Zellij => Vec::new(),
        }
    }
}

impl fmt::Display for MuxKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MuxKind {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == s).ok_or_else(|| UnknownName(s.to_owned()))
    }
}

/// A word that names nothing headcount knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown name {0:?}")]
pub struct UnknownName(pub String);

/// A coding agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// Antigravity, whose program and short name is `agy`.
    Antigravity,
    /// Pi.
    Pi,
    /// OpenCode.
    Opencode,
    /// Gemini CLI.
    Gemini,
    /// GitHub Copilot CLI.
    Copilot,
    /// One that the manifest declares.
    #[serde(untagged)]
    Custom(Custom),
}

impl AgentKind {
    /// Every agent that headcount knows by itself, in the order they are shown.
    pub const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Antigravity, Self::Pi, Self::Opencode, Self::Gemini, Self::Copilot];

    /// The canonical name, used in reports and written into manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Antigravity => "antigravity",
            Self::Pi => "pi",
            Self::Opencode => "opencode",
            Self::Gemini => "gemini",
            Self::Copilot => "copilot",
            Self::Custom(custom) => custom.name(),
        }
    }

    const fn own_aliases(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["claude-code"],
            Self::Antigravity => &["agy"],
            Self::Codex | Self::Pi | Self::Opencode | Self::Gemini | Self::Copilot | Self::Custom(_) => &[],
        }
    }

    /// The canonical name followed by the aliases: other names people use for it, accepted wherever the canonical name is.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let declared = match self {
            Self::Custom(custom) => custom.definition().aliases.as_slice(),
            _ => &[],
        };
        let aliases = self.own_aliases().iter().copied().chain(declared.iter().map(String::as_str));
        std::iter::once(self.as_str()).chain(aliases)
    }

    /// Whether the name of `other`, of which perhaps only the name is known, is one of its own.
    pub fn answers_to(self, other: Self) -> bool {
        self.names().any(|name| name == other.as_str())
    }

    /// The agent of a name that need not be declared here, such as one in a journal: one that headcount knows, else one of which
    /// only the name is known. `None` if no agent can be called that.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().or_else(|| Custom::named(name).map(Self::Custom))
    }

    /// Whether the agent's conversations are called *conversations* rather than *sessions* in older manifests.
    pub fn says_conversation(self) -> bool {
        matches!(self, Self::Antigravity) || FOREIGN.contains(&self.as_str())
    }
}

impl Definition {
    /// The agent it defines, as everything speaks of it.
    pub const fn kind(&'static self) -> AgentKind {
        AgentKind::Custom(Custom(self))
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AgentKind {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.names().any(|name| name == s)).ok_or_else(|| UnknownName(s.to_owned()))
    }
}

/// The agent's own id of a conversation: a UUID or any other text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ConversationId(pub String);

impl ConversationId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One multiplexer server on one host: `default`, a `tmux -L` name, or the absolute path of a socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServerKey {
    /// The multiplexer.
    pub mux: MuxKind,
    /// `default`, a `-L` name, or an absolute socket path.
    pub server: String,
}

impl ServerKey {
    /// The name of the server everyone uses who names none.
    pub const DEFAULT: &'static str = "default";

    /// A session of it, on a host.
    pub fn session_key(&self, name: &str, host: &str) -> SessionKey {
        SessionKey { host: host.to_owned(), mux: self.mux, server: self.server.clone(), name: name.to_owned() }
    }

    /// The default server of a multiplexer.
    pub fn default_of(mux: MuxKind) -> Self {
        Self { mux, server: Self::DEFAULT.to_owned() }
    }
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.mux, self.server)
    }
}

/// What makes a session *that* session: (host, mux, server, name). Two entries of one manifest may not share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SessionKey {
    /// The multiplexer session's name.
    pub name: String,
    /// The multiplexer.
    pub mux: MuxKind,
    /// `default`, a `-L` name, or an absolute socket path.
    pub server: String,
    /// The host the session lives on.
    pub host: String,
}

impl SessionKey {
    /// The server this session belongs to.
    pub fn server_key(&self) -> ServerKey {
        ServerKey { mux: self.mux, server: self.server.clone() }
    }

    /// The names its session may be listed under, the likelier one first.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        std::iter::once(Cow::Borrowed(self.name.as_str())).chain(self.mux.spellings(&self.name).into_iter().map(Cow::Owned))
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.mux != MuxKind::Tmux || self.server != ServerKey::DEFAULT {
            write!(f, " ({}:{})", self.mux, self.server)?;
        }
        Ok(())
    }
}
