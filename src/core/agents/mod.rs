//! Agents that a manifest declares: what is known of one, and the name by which everything else speaks of it. Never looks at a
//! process or a file.

mod drive;
mod id;
mod template;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use drive::Drive;
pub use id::{IdPattern, is_id_text};
pub use template::{Part, Root, Template, workspace_word};

/// More definitions than this are not taken in one run. A watch takes another one whenever a person changes one.
const MOST_DEFINITIONS: usize = 4096;
/// More names than this of agents nobody has declared are not taken in one run.
const MOST_NAMES: usize = 1024;
/// The longest name or alias, in characters.
const LONGEST_NAME: usize = 32;
/// Programs that run other programs' text: their processes are told by what they run.
pub const INTERPRETERS: [&str; 15] =
    ["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh", "fish", "node", "nodejs", "bun", "deno", "python", "ruby", "perl"];
/// Shells and launchers beside them: their processes stand for whatever runs below.
pub const LAUNCHERS: [&str; 15] =
    ["csh", "tcsh", "nu", "elvish", "xonsh", "pwsh", "busybox", "env", "sudo", "su", "login", "npx", "uvx", "tmux", "zellij"];
/// What a name looks like, for messages and the schema.
pub const NAME: &str = "^[a-z0-9][a-z0-9-]*$";

/// Agents of multi-agent-mux that headcount knows by name and program alone.
pub const FOREIGN: [&str; 2] = ["hermes", "cline"];

/// What is known of them.
pub fn foreign() -> impl Iterator<Item = &'static Definition> {
    FOREIGN.into_iter().filter_map(|name| {
        let programs = vec![name.to_owned()];
        Definition { name: name.to_owned(), programs, ..Definition::default() }.declare()
    })
}

/// What a manifest says of an agent that headcount does not know by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Definition {
    /// Its name.
    pub name: String,
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
    /// How it is driven; decides nothing yet.
    pub drive: Option<Drive>,
}

impl Definition {
    /// Where the id stands in `resume` and in a template.
    pub const ID: &'static str = "{id}";

    /// Whether a text can be one of its ids.
    pub fn is_id(&self, text: &str) -> bool {
        is_id_text(text) && self.id.as_ref().is_none_or(|pattern| pattern.matches(text))
    }

    /// The same, kept until the program ends, once however often it is read, so that an agent can be spoken of by value. `None`
    /// if there are too many by now.
    pub fn declare(self) -> Option<&'static Self> {
        static DECLARED: Mutex<BTreeSet<&'static Definition>> = Mutex::new(BTreeSet::new());
        keep(&DECLARED, self, MOST_DEFINITIONS)
    }
}

/// Keeps one copy of a definition for good.
fn keep(kept: &Mutex<BTreeSet<&'static Definition>>, definition: Definition, most: usize) -> Option<&'static Definition> {
    // What it holds is only ever added to, so a panic elsewhere leaves it usable.
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(&definition) {
        return Some(known);
    }
    if kept.len() >= most {
        return None;
    }
    let definition: &'static Definition = Box::leak(Box::new(definition));
    kept.insert(definition);
    Some(definition)
}

/// Whether a word can be the name of a declared agent.
pub fn is_name(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    word.len() <= LONGEST_NAME
        && word.bytes().next().is_some_and(is_plain)
        && word.bytes().all(|byte| is_plain(byte) || byte == b'-')
}

/// A declared agent. Two are the same if they have the same name, whatever two versions of a manifest say of it.
#[derive(Debug, Clone, Copy)]
pub struct Custom(pub(super) &'static Definition);

impl Custom {
    /// The agent of this name of which nothing else is known, as a journal or a command line names it. `None` if it is no name,
    /// or there are too many by now.
    pub fn named(name: &str) -> Option<Self> {
        static NAMED: Mutex<BTreeSet<&'static Definition>> = Mutex::new(BTreeSet::new());
        let bare = || Definition { name: name.to_owned(), ..Definition::default() };
        is_name(name).then(|| keep(&NAMED, bare(), MOST_NAMES)).flatten().map(Self)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0.name.as_str()
    }

    /// What is known of it.
    pub const fn definition(self) -> &'static Definition {
        self.0
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Custom {}

impl PartialOrd for Custom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Custom {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| serde::de::Error::custom(format_args!("an agent cannot be named {name:?}")))
    }
}

impl JsonSchema for Custom {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Custom".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "An agent that the manifest declares.", "type": "string", "pattern": NAME })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::AgentKind;

    #[test]
    fn a_name_is_one_plain_word() {
        for good in ["aider", "a", "9", "my-agent-2", "a-"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "Aider", "a_b", "a b", "é", "a/b", "..", "a\n", &"a".repeat(LONGEST_NAME + 1)] {
            assert!(!is_name(bad) && Custom::named(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_agent_is_known_by_its_name_whatever_is_said_of_it() {
        let said = |program: &str| {
            Definition { name: "aider".into(), programs: vec![program.into()], ..Definition::default() }.declare().unwrap()
        };
        let (one, same, other) = (said("aider"), said("aider"), said("aider2"));
        assert!(std::ptr::eq(one, same), "kept once");
        assert_ne!(one, other);
        assert_eq!(one.kind(), other.kind());
        assert_eq!(AgentKind::named("aider"), Some(one.kind()));
        assert_eq!(AgentKind::named("agy"), Some(AgentKind::Antigravity));
        assert_eq!(serde_json::to_string(&one.kind()).unwrap(), "\"aider\"");
        assert_eq!(serde_json::from_str::<AgentKind>("\"aider\"").unwrap(), one.kind());
        assert_eq!(serde_json::from_str::<AgentKind>("\"claude\"").unwrap(), AgentKind::Claude);
        assert!(serde_json::from_str::<AgentKind>("\"no name\"").is_err());
    }

    #[test]
    fn what_is_kept_for_good_has_a_bound() {
        let kept = Mutex::new(BTreeSet::new());
        let one = |name: &str| Definition { name: name.into(), ..Definition::default() };
        assert!(keep(&kept, one("a"), 1).is_some());
        assert!(keep(&kept, one("b"), 1).is_none());
        assert!(keep(&kept, one("a"), 1).is_some(), "what is there is not counted again");
    }
}
