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

/// A key that answers a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogKey {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// The highlighted row.
    Enter,
}

impl DialogKey {
    /// What tmux calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Down => "Down",
            Self::Enter => "Enter",
        }
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
