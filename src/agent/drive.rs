//! How an agent is started and ended: a table of values for each, with the version they were measured on. Starts and ends nothing.

use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::manifest::lead::Permissions;

/// How one agent is driven.
#[derive(Debug)]
pub struct LaunchTable {
    /// The version that all of this was measured on.
    pub version: &'static str,
    /// The flag that gives a new conversation an id of ours, which is a UUID; `None`: the agent takes none.
    pub id_flag: Option<&'static str>,
    /// Arguments before all others, on every start.
    pub always: &'static [&'static str],
    /// Arguments that say to ask, those of the middle permission mode, and those that say to ask nothing; `None`: it has no such mode.
    pub permissions: [Option<&'static [&'static str]>; 3],
    /// How it takes a first prompt; `None`: not as an argument.
    pub prompt: Option<PromptForm>,
    /// What such a prompt may not begin with: it would be taken for a command.
    pub commands: &'static [char],
    /// What it is known to be ready by.
    pub ready: ReadySign,
    /// Whether SIGTERM goes to its whole process group: it is several processes, of which the first would leave the others behind.
    pub is_group: bool,
    /// How long it may take to end after SIGTERM, in seconds.
    pub grace: u32,
    /// Variables of an agent around it that it would take for its own.
    pub blank: &'static [&'static str],
    /// Variables it is given unless its entry says otherwise.
    pub set: &'static [(&'static str, &'static str)],
}

/// What an agent is known to be ready by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadySign {
    /// Its own registry says that it is idle, or further.
    Idle,
    /// It holds its conversation, which it does as it begins to take prompts.
    Held,
    /// Its screen shows all of the first and none of the second.
    Screen(&'static [&'static str], &'static [&'static str]),
    /// The last line of its screen holds one of these.
    LastLine(&'static [&'static str]),
}

impl ReadySign {
    /// Whether a screen shows it.
    pub fn is_on(self, screen: &str) -> bool {
        match self {
            Self::Screen(shown, hidden) => {
                shown.iter().all(|text| screen.contains(text)) && !hidden.iter().any(|text| screen.contains(text))
            }
            Self::LastLine(any) => {
                let last = screen.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                any.iter().any(|text| last.contains(text))
            }
            Self::Idle | Self::Held => false,
        }
    }

    /// Whether it is looked for on the screen.
    pub const fn is_of_screen(self) -> bool {
        matches!(self, Self::Screen(..) | Self::LastLine(_))
    }
}

/// How a first prompt is an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptForm {
    /// Behind two dashes.
    Last,
    /// Behind this, in one word.
    Joined(&'static str),
}

/// A conversation that an agent is to begin with or to go on in.
#[derive(Debug, Clone, Copy)]
pub enum Opening<'a> {
    /// A new one, under an id of ours if the agent takes one.
    New(Option<&'a ConversationId>),
    /// This one, by the arguments that resume it.
    Resumed(&'a [String]),
}

impl LaunchTable {
    /// The arguments behind the program for a conversation, with what its entry says.
    pub fn arguments(
        &self,
        opening: Opening<'_>,
        own: &[String],
        permissions: Option<Permissions>,
        prompt: Option<&str>,
    ) -> Vec<String> {
        let mut words: Vec<String> = self.always.iter().map(|word| (*word).to_owned()).collect();
        match opening {
            Opening::New(Some(id)) => {
                words.extend(self.id_flag.into_iter().flat_map(|flag| [flag.to_owned(), id.as_str().to_owned()]));
            }
            Opening::New(None) => {}
            Opening::Resumed(args) => words.extend_from_slice(args),
        }
        // Without one its own flags say it.
        let flags = permissions.and_then(|mode| self.mode(mode)).unwrap_or_default();
        words.extend(flags.iter().map(|word| (*word).to_owned()));
        words.extend_from_slice(own);
        match (prompt, self.prompt) {
            (Some(prompt), Some(PromptForm::Last)) => words.extend(["--".to_owned(), prompt.to_owned()]),
            (Some(prompt), Some(PromptForm::Joined(flag))) => words.push(format!("{flag}{prompt}")),
            _ => {}
        }
        words
    }

    /// The arguments of a permission mode, if it has that.
    pub fn mode(&self, permissions: Permissions) -> Option<&'static [&'static str]> {
        let [ask, edit, bypass] = self.permissions;
        match permissions {
            Permissions::Ask => ask,
            Permissions::Edit => edit,
            Permissions::Bypass => bypass,
        }
    }
}

/// Who has a conversation open; one line. `Absent`: nobody, as far as the agent's own files tell, and they tell of everybody.
pub type Holder = Fact<String>;
