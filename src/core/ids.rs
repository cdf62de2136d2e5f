//! Names and keys of things: multiplexers, servers, sessions, agents, conversations. Never looks anything up.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use super::spelling::NameFrame;

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

/// Agents of multi-agent-mux that headcount knows by name and program alone.
pub const FOREIGN: [&str; 2] = ["hermes", "cline"];

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
    Custom(AgentName),
}

impl AgentKind {
    /// Every agent that headcount knows by itself, in the order they are shown.
    pub const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Antigravity, Self::Pi, Self::Opencode, Self::Gemini, Self::Copilot];

    /// The canonical name, used in reports and written into manifests.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Antigravity => "antigravity",
            Self::Pi => "pi",
            Self::Opencode => "opencode",
            Self::Gemini => "gemini",
            Self::Copilot => "copilot",
            Self::Custom(name) => name.as_str(),
        }
    }

    /// The canonical name followed by the aliases that headcount knows by itself, accepted wherever the canonical name is.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let aliases: &[&str] = match self {
            Self::Claude => &["claude-code"],
            Self::Antigravity => &["agy"],
            Self::Codex | Self::Pi | Self::Opencode | Self::Gemini | Self::Copilot | Self::Custom(_) => &[],
        };
        std::iter::once(self.as_str()).chain(aliases.iter().copied())
    }

    /// The agent of a name that need not be declared here, such as one in a journal: one that headcount knows, else one of which
    /// only the name is known. `None` if no agent can be called that.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().or_else(|| AgentName::new(name).map(Self::Custom))
    }

    /// Whether the agent's conversations are called *conversations* rather than *sessions* in older manifests.
    pub fn says_conversation(self) -> bool {
        matches!(self, Self::Antigravity) || FOREIGN.contains(&self.as_str())
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

/// The longest name of a declared agent, in characters.
const LONGEST_NAME: usize = 32;

/// The name of an agent that a manifest declares: one plain word. It holds its text in place, so it is as cheap to copy as a
/// number; the rest of the array is zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName([u8; LONGEST_NAME]);

impl AgentName {
    /// What a name looks like, for messages and the schema.
    pub const PATTERN: &str = "^[a-z0-9][a-z0-9-]*$";

    /// A word as a name; `None` if it cannot be one.
    pub fn new(word: &str) -> Option<Self> {
        let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = word.as_bytes();
        let is_name = bytes.first().is_some_and(is_plain) && bytes.iter().all(|byte| is_plain(byte) || *byte == b'-');
        let mut name = [0; LONGEST_NAME];
        name.get_mut(..bytes.len()).filter(|_| is_name)?.copy_from_slice(bytes);
        Some(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(LONGEST_NAME);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl fmt::Debug for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Serialize for AgentName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AgentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).ok_or_else(|| serde::de::Error::custom(format_args!("an agent cannot be named {name:?}")))
    }
}

impl JsonSchema for AgentName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AgentName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let pattern = Self::PATTERN;
        schemars::json_schema!({ "description": "An agent that the manifest declares.", "type": "string", "pattern": pattern })
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

    /// What is known of a name that may be its session's although nobody can tell the whole: tmux puts something into the name it
    /// was given, such as its server's pid for `#{pid}`. `None` for nearly every key.
    pub fn frame(&self) -> Option<NameFrame> {
        match self.mux {
            MuxKind::Tmux => NameFrame::by_tmux(&self.name),
            MuxKind::Zellij => None,
        }
    }

    /// Whether a session of this name may be its own although nobody can tell.
    pub fn may_be(&self, listed: &str) -> bool {
        self.frame().is_some_and(|frame| frame.fits(listed))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_word() {
        for good in ["aider", "a", "9", "my-agent-2", "a-", &"a".repeat(LONGEST_NAME)] {
            assert_eq!(AgentName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "Aider", "a_b", "a b", "é", "a/b", "..", "a\n", "a\0", &"a".repeat(LONGEST_NAME + 1)] {
            assert_eq!(AgentName::new(bad), None, "{bad}");
        }
        assert!(AgentName::new("ab") < AgentName::new("b") && AgentName::new("a") < AgentName::new("a-"), "ordered as text");
    }

    #[test]
    fn an_agent_is_known_by_its_name() {
        let aider = AgentKind::named("aider").unwrap();
        assert_eq!(aider.as_str(), "aider");
        assert_eq!(AgentKind::named("agy"), Some(AgentKind::Antigravity));
        assert_eq!(serde_json::to_string(&aider).unwrap(), "\"aider\"");
        assert_eq!(serde_json::from_str::<AgentKind>("\"aider\"").unwrap(), aider);
        assert_eq!(serde_json::from_str::<AgentKind>("\"claude\"").unwrap(), AgentKind::Claude);
        assert!(serde_json::from_str::<AgentKind>("\"no name\"").is_err());
    }
}
