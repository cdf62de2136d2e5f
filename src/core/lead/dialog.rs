//! What an agent may ask before it takes prompts, and what that means for whoever wants it started. Values only.

use super::action::BlockCode;

/// What a dialog is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogSubject {
    /// Whether the files of its directory are trusted.
    Trust,
    /// Whether it may really run without asking.
    Bypass,
    /// Who uses it.
    Login,
    /// Whether it is to be updated.
    Update,
    /// Something else; what.
    Other(&'static str),
    /// Nothing: it passes by itself.
    Passing,
}

/// A key that headcount presses of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedKey {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// Takes the highlighted row, or submits a text.
    Enter,
    /// Closes a list, refuses what was asked for, and interrupts a turn.
    Escape,
}

impl TypedKey {
    /// The name that tmux has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Down => "Down",
            Self::Enter => "Enter",
            Self::Escape => "Escape",
        }
    }
}

impl From<TypedKey> for PaneKey {
    fn from(key: TypedKey) -> Self {
        Self::Named(key.name().to_owned())
    }
}

/// What is pressed in a pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaneKey {
    /// A key, by the name that tmux has for it.
    Named(String),
    /// The letters of a text, one after another.
    Text(String),
}

impl PaneKey {
    const NAMES: [&str; 9] = ["Enter", "Escape", "Tab", "Space", "BSpace", "Up", "Down", "Left", "Right"];

    /// What a manifest calls a key, `C-d` or `Enter`, or a text. `None`: what looks like a key and is none, or cannot be typed.
    pub fn parse(word: &str) -> Option<Self> {
        let is_control = |letter: &str| letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase());
        if Self::NAMES.contains(&word) || word.strip_prefix("C-").is_some_and(is_control) {
            return Some(Self::Named(word.to_owned()));
        }
        let is_key = ["C-", "M-", "S-"].iter().any(|start| word.starts_with(start));
        (!word.is_empty() && !is_key && !word.chars().any(char::is_control)).then(|| Self::Text(word.to_owned()))
    }
}

impl DialogSubject {
    /// All that `code` gives.
    pub const CODES: [BlockCode; 3] = [BlockCode::Untrusted, BlockCode::Consent, BlockCode::Dialog];

    /// Why nothing more is done while it stands.
    pub const fn code(self) -> BlockCode {
        match self {
            Self::Trust => BlockCode::Untrusted,
            Self::Bypass => BlockCode::Consent,
            Self::Login | Self::Update | Self::Other(_) | Self::Passing => BlockCode::Dialog,
        }
    }

    /// What it asks; one line.
    pub fn asks(self) -> String {
        let what = match self {
            Self::Trust => "whether you trust the files of its directory",
            Self::Bypass => "whether it may run without asking",
            Self::Login => "you to sign in",
            Self::Update => "whether to update it",
            Self::Other(what) => what,
            Self::Passing => "nothing, and is not ready yet",
        };
        format!("it asks {what}")
    }

    /// What lets headcount answer it, if anything does.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Trust => Some("`trust: true` in its entry answers that for its `cwd`"),
            Self::Bypass => Some("`permissions: bypass` in its entry answers that"),
            Self::Login | Self::Update | Self::Other(_) | Self::Passing => None,
        }
    }
}
