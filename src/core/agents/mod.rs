//! Agents that a manifest declares: what is known of one, and the name by which everything else speaks of it. Never looks at a
//! process or a file.

mod drive;
mod id;
mod template;

use std::sync::Arc;

use super::ids::{AgentKind, AgentName, FOREIGN};
pub use drive::Drive;
pub use id::{IdPattern, is_id_text};
pub use template::{Part, Root, Template, workspace_word};

/// Programs that run other programs' text: their processes are told by what they run.
pub const INTERPRETERS: [&str; 15] =
    ["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh", "fish", "node", "nodejs", "bun", "deno", "python", "ruby", "perl"];
/// Shells and launchers beside them: their processes stand for whatever runs below.
pub const LAUNCHERS: [&str; 15] =
    ["csh", "tcsh", "nu", "elvish", "xonsh", "pwsh", "busybox", "env", "sudo", "su", "login", "npx", "uvx", "tmux", "zellij"];
/// What is known of the agents of multi-agent-mux that headcount knows by name and program alone.
pub fn foreign() -> impl Iterator<Item = Definition> {
    let definition =
        |name: &str| Some(Definition { programs: vec![name.to_owned()], ..Definition::named(AgentName::new(name)?) });
    FOREIGN.into_iter().filter_map(definition)
}

/// What a manifest says of an agent that headcount does not know by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: AgentName,
    /// Other names people use for it.
    pub aliases: Vec<String>,
    /// Base names of its program. The first is what people type.
    pub programs: Vec<String>,
    /// Directories that only its scripts and binaries are in, such as an npm package's name.
    pub packages: Vec<String>,
    /// Where it keeps its files: an absolute path, `~`, or `~/…`. Without one that is `~`.
    pub home: Option<String>,
    /// The variable of its environment that names another home.
    pub home_env: Option<String>,
    /// Where its transcripts are; without it nobody looks for any.
    pub transcripts: Option<Template>,
    /// What its ids look like; without it any text that can be part of a file's name.
    pub id: Option<IdPattern>,
    /// Flags whose value is the exact id of the conversation.
    pub id_flags: Vec<String>,
    /// Flags with which an id among the arguments is not the id in use.
    pub fork_flags: Vec<String>,
    /// The arguments that resume a conversation, [`Definition::ID`] among them; none if it is not known to be able to.
    pub resume: Vec<String>,
    /// How it is driven; without it headcount neither starts nor stops it.
    pub drive: Option<Drive>,
}

impl Definition {
    /// Where the id stands in `resume` and in a template.
    pub const ID: &'static str = "{id}";

    /// Whether a text can be one of its ids.
    pub fn is_id(&self, text: &str) -> bool {
        is_id_text(text) && self.id.as_ref().is_none_or(|pattern| pattern.matches(text))
    }

    /// One of which only the name is known.
    pub fn named(name: AgentName) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            programs: Vec::new(),
            packages: Vec::new(),
            home: None,
            home_env: None,
            transcripts: None,
            id: None,
            id_flags: Vec::new(),
            fork_flags: Vec::new(),
            resume: Vec::new(),
            drive: None,
        }
    }
}

/// The agents that a manifest declares, beside those headcount knows by itself. Copies share one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared(Arc<[Definition]>);

impl FromIterator<Definition> for Declared {
    fn from_iter<T: IntoIterator<Item = Definition>>(definitions: T) -> Self {
        Self(definitions.into_iter().collect())
    }
}

impl Declared {
    /// What is declared, in the order of the manifest.
    pub fn definitions(&self) -> &[Definition] {
        &self.0
    }

    /// Every agent there is: those headcount knows by itself, then those declared.
    pub fn kinds(&self) -> impl Iterator<Item = AgentKind> {
        AgentKind::ALL.into_iter().chain(self.0.iter().map(|definition| AgentKind::Custom(definition.name)))
    }

    /// What is declared of an agent; `None` of one that headcount knows by itself.
    pub fn definition(&self, kind: AgentKind) -> Option<&Definition> {
        self.0.iter().find(|definition| kind == AgentKind::Custom(definition.name))
    }

    /// The canonical name of an agent followed by its aliases.
    pub fn names<'a>(&'a self, kind: &'a AgentKind) -> impl Iterator<Item = &'a str> {
        let declared = self.definition(*kind).into_iter().flat_map(|definition| &definition.aliases);
        kind.names().chain(declared.map(String::as_str))
    }

    /// Every name and alias of every agent there is.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let declared =
            self.0.iter().flat_map(|it| std::iter::once(it.name.as_str()).chain(it.aliases.iter().map(String::as_str)));
        AgentKind::ALL.iter().flat_map(AgentKind::names).chain(declared)
    }

    /// The agent of this name or alias.
    pub fn find(&self, word: &str) -> Option<AgentKind> {
        self.kinds().find(|kind| self.names(kind).any(|name| name == word))
    }
}
