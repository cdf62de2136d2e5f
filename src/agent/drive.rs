//! How an agent is started and ended: a table of values for each, with the version they were measured on. Starts and ends nothing.

use std::borrow::Cow;

use rustix::process::Signal;

use super::dialogs::{Dialogs, StartDialog, lowest};
use super::recognise::Words;
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, MuxKind};
use crate::core::lead::{DialogSubject, PaneKey};
use crate::core::manifest::lead::Permissions;

/// How one agent is driven.
#[derive(Debug)]
pub struct LaunchTable {
    /// The version that all of this was measured on; `None`: a manifest says it.
    pub version: Option<&'static str>,
    /// The multiplexers that it was measured in.
    pub muxes: &'static [MuxKind],
    /// The flag that gives a new conversation an id of ours, which is a UUID; `None`: the agent takes none.
    pub id_flag: Option<Cow<'static, str>>,
    /// Arguments before all others, on every start.
    pub always: Words,
    /// Arguments that say to ask, those of the middle permission mode, and those that say to ask nothing; `None`: it has no such mode.
    pub permissions: [Option<Words>; 3],
    /// How it takes a first prompt; `None`: not as an argument.
    pub prompt: Option<PromptForm>,
    /// What such a prompt may not begin with: it would be taken for a command.
    pub commands: &'static [char],
    /// What it is known to be ready by.
    pub ready: ReadySign,
    /// How long its screen shows that it is ready before that is believed, in milliseconds: a dialog may follow.
    pub settle: u64,
    /// What it may show before it takes prompts.
    pub dialogs: Dialogs,
    /// What stands in front of the text that it is given; `None`: nobody knows.
    pub composer: Option<String>,
    /// How it is asked to end.
    pub quit: QuitForm,
    /// Whether a signal goes to its whole process group: it is several processes, of which the first would leave the others behind.
    pub is_group: bool,
    /// How long it may take to end once it was asked to, in seconds.
    pub grace: u32,
    /// Variables of an agent around it that it would take for its own.
    pub blank: &'static [&'static str],
    /// Variables it is given unless its entry says otherwise.
    pub set: &'static [(&'static str, &'static str)],
}

/// What an agent is known to be ready by.
#[derive(Debug, Clone)]
pub enum ReadySign {
    /// Its own registry says that it is idle, or further.
    Idle,
    /// It holds its conversation, which it does as it begins to take prompts.
    Held,
    /// Its screen shows all of these, and none of its dialogs below them.
    Screen(Words),
    /// The last line of its screen holds one of these.
    LastLine(Words),
    /// Nothing that anybody knows: its process runs.
    Unsaid,
}

impl ReadySign {
    /// Whether it is looked for on the screen.
    pub const fn is_of_screen(&self) -> bool {
        matches!(self, Self::Screen(..) | Self::LastLine(_))
    }

    /// In which line of a screen it stands.
    fn line(&self, screen: &str) -> Option<usize> {
        match self {
            Self::Screen(words) => lowest(screen, words.iter()),
            Self::LastLine(any) => {
                let (at, last) = screen.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).last()?;
                any.iter().any(|text| last.contains(text)).then_some(at)
            }
            Self::Idle | Self::Held | Self::Unsaid => None,
        }
    }
}

/// How an agent is asked to end.
#[derive(Debug, Clone)]
pub enum QuitForm {
    /// By a signal.
    Signal(Signal),
    /// By keys, typed into its empty composer.
    Keys(Vec<PaneKey>),
    /// Nobody knows; why, for whoever wants to.
    Unsaid(String),
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
    /// A new one that begins with what another holds, by the arguments that fork it, under an id of ours if the agent takes one.
    Forked(&'a [String], Option<&'a ConversationId>),
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
        let mut words: Vec<String> = self.always.iter().map(str::to_owned).collect();
        let (args, id) = match opening {
            Opening::New(id) => (&[][..], id),
            Opening::Forked(args, id) => (args, id),
            Opening::Resumed(args) => (args, None),
        };
        words.extend_from_slice(args);
        if let Some((flag, id)) = self.id_flag.as_ref().zip(id) {
            words.extend([flag.to_string(), id.as_str().to_owned()]);
        }
        // Without one its own flags say it.
        let flags = permissions.and_then(|mode| self.mode(mode));
        words.extend(flags.into_iter().flat_map(Words::iter).map(str::to_owned));
        words.extend_from_slice(own);
        match (prompt, self.prompt) {
            (Some(prompt), Some(PromptForm::Last)) => words.extend(["--".to_owned(), prompt.to_owned()]),
            (Some(prompt), Some(PromptForm::Joined(flag))) => words.push(format!("{flag}{prompt}")),
            _ => {}
        }
        words
    }

    /// The arguments of a permission mode, if it has that.
    pub fn mode(&self, permissions: Permissions) -> Option<&Words> {
        let [ask, edit, bypass] = &self.permissions;
        match permissions {
            Permissions::Ask => ask.as_ref(),
            Permissions::Edit => edit.as_ref(),
            Permissions::Bypass => bypass.as_ref(),
        }
    }

    /// The dialog that a screen shows: the lowest of them, because what was answered may still stand above what followed.
    pub fn dialog(&self, screen: &str) -> Option<&StartDialog> {
        let shown = self.dialogs.iter().filter_map(|dialog| Some((dialog.line(screen)?, dialog)));
        let (at, dialog) = shown.max_by_key(|(at, _)| *at)?;
        self.ready.line(screen).is_none_or(|ready| ready <= at).then_some(dialog)
    }

    /// What its screen shows instead of a dialog about this: that it is ready, and all other dialogs.
    pub fn other_screens(&self, subject: DialogSubject) -> Vec<&str> {
        let others = self.dialogs.iter().filter(|dialog| dialog.subject != subject);
        let others = others.filter_map(|dialog| dialog.shows.iter().last());
        let ready = match &self.ready {
            ReadySign::Screen(words) => Some(words.iter()),
            ReadySign::Idle | ReadySign::Held | ReadySign::LastLine(_) | ReadySign::Unsaid => None,
        };
        others.chain(ready.into_iter().flatten().last()).collect()
    }

    /// Whether a screen shows that it takes prompts.
    pub fn is_ready_on(&self, screen: &str) -> bool {
        self.ready.line(screen).is_some() && self.dialog(screen).is_none()
    }
}

/// Who has a conversation open; one line. `Absent`: nobody, as far as the agent's own files tell, and they tell of everybody.
pub type Holder = Fact<String>;
