//! Sessions that the files of other tools name: what such a file says, and which entries become of it. Owns the words and the choice;
//! never opens a file.

mod choose;
mod deck;
mod empires;
mod report;
mod resurrect;
mod squad;
mod tmuxp;
mod workers;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use choose::{ForeignAgent, ImportChoice, ImportedEntry, choose};
pub use deck::{DeckRow, deck_file, deck_rows};
pub use empires::empires;
pub use report::{IMPORT_SCHEMA, ImportReport, ImportedSession, LeftOutRow, SourceRow};
pub use resurrect::resurrect;
pub use squad::squad;
pub use tmuxp::{TmuxpForm, tmuxp};
pub use workers::worker;

/// A tool whose files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImportTool {
    /// agent-deck.
    AgentDeck,
    /// Agent of Empires.
    AgentOfEmpires,
    /// claude-squad.
    ClaudeSquad,
    /// claude-session-driver.
    Csd,
    /// tmuxp.
    Tmuxp,
    /// tmux-resurrect.
    TmuxResurrect,
}

impl ImportTool {
    /// Every one. Of two that name one session the earlier counts: those that know conversations come first.
    pub const ALL: [Self; 6] =
        [Self::AgentDeck, Self::AgentOfEmpires, Self::Csd, Self::ClaudeSquad, Self::TmuxResurrect, Self::Tmuxp];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentDeck => "agent-deck",
            Self::AgentOfEmpires => "agent-of-empires",
            Self::ClaudeSquad => "claude-squad",
            Self::Csd => "csd",
            Self::Tmuxp => "tmuxp",
            Self::TmuxResurrect => "tmux-resurrect",
        }
    }

    /// How it comes to know a conversation, for the comment of an entry.
    const fn provenance(self) -> &'static str {
        match self {
            Self::AgentDeck | Self::AgentOfEmpires => "conversation as recorded there",
            Self::Csd => "conversation that csd began",
            Self::ClaudeSquad | Self::Tmuxp | Self::TmuxResurrect => "conversation named by its command line",
        }
    }
}

/// What a tool runs in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignProgram {
    /// An agent, by the word that the tool has for it.
    Named(String),
    /// Command lines, any of which may be an agent's.
    Commands(Vec<Vec<String>>),
}

/// A session as a file of another tool describes it. Every text is from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignSession {
    /// What people call it there.
    pub title: String,
    /// Its name in tmux.
    pub name: String,
    /// The `-L` name of its server; empty: the default one.
    pub server: String,
    /// What runs in it.
    pub program: ForeignProgram,
    /// Where.
    pub cwd: Option<String>,
    /// The conversations that the tool recorded, by the words for their agents.
    pub conversations: Vec<(&'static str, String)>,
    /// Labels for its entry.
    pub labels: BTreeMap<String, String>,
    /// What headcount has no place for, or does not take.
    pub not_taken: Vec<String>,
}

impl ForeignSession {
    /// One of which nothing is known but this.
    fn new(name: &str, program: ForeignProgram) -> Self {
        Self {
            title: name.to_owned(),
            name: name.to_owned(),
            server: String::new(),
            program,
            cwd: None,
            conversations: Vec::new(),
            labels: BTreeMap::new(),
            not_taken: Vec::new(),
        }
    }

    /// The same with something that is not taken, if it is there.
    fn without(mut self, is_there: bool, what: &str) -> Self {
        if is_there {
            self.not_taken.push(what.to_owned());
        }
        self
    }
}

/// Something in a file that becomes no entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What. From outside.
    pub what: String,
    /// Why.
    pub why: String,
}

impl LeftOut {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// What one file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignFile {
    /// The sessions that may become entries.
    pub sessions: Vec<ForeignSession>,
    /// What cannot.
    pub left_out: Vec<LeftOut>,
}

/// A text that is something.
fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
