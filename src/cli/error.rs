//! From an error to its text, its hints and its exit code. The only place that picks an exit code; never prints.

use std::error::Error;
use std::fmt::Write as _;

use crate::core::text::printable;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or in sync.
    Done,
    /// It failed, or could not be told.
    Failure,
    /// Something drifted.
    Drift,
    /// A change was refused.
    Refused,
    /// The command line makes no sense.
    Usage,
    /// The manifest is locked by another; trying again may work.
    Busy,
    /// The person interrupted it.
    Interrupted,
}

impl Exit {
    /// The number the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failure => 1,
            Self::Drift => 2,
            Self::Refused => 3,
            Self::Usage => 64,
            Self::Busy => 75,
            Self::Interrupted => 130,
        }
    }
}

/// What went wrong, for people: one line, perhaps a picture of the place, and what to do about it.
#[derive(Debug)]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    detail: Option<String>,
    hints: Vec<String>,
}

impl CliError {
    /// A failure with its one line.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), detail: None, hints: Vec::new() }
    }

    /// A failure that another error explains: its line and those of its causes, each said once.
    pub(crate) fn caused_by(exit: Exit, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                let _ = write!(message, ": {text}");
            }
            cause = error.source();
        }
        Self::new(exit, message)
    }

    /// With a hint more.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// With a picture of the place, already made safe to show, which stands above the line.
    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// How the program ends because of it.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The line, safe to show.
    pub(crate) fn message(&self) -> String {
        printable(&self.message).into_owned()
    }

    /// The hints, safe to show.
    pub(crate) fn hints(&self) -> impl Iterator<Item = String> + '_ {
        self.hints.iter().map(|hint| printable(hint).into_owned())
    }

    /// The picture of the place.
    pub(crate) fn picture(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open {name}")]
    struct Outer {
        name: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn an_error_is_told_with_its_causes_each_once() {
        let source = std::io::Error::other("disk on fire");
        let error = CliError::caused_by(Exit::Failure, &Outer { name: "a.yaml", source });
        assert_eq!(error.message(), "cannot open a.yaml: disk on fire");
    }

    #[test]
    fn a_hostile_path_in_an_error_cannot_reach_the_terminal() {
        let error = CliError::new(Exit::Failure, "no such file: \u{1b}]0;owned\u{7}").hint("try \u{1b}[2J");
        assert!(!error.message().contains('\u{1b}'));
        assert!(error.hints().all(|hint| !hint.contains('\u{1b}')));
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let all = [
            (Exit::Done, 0),
            (Exit::Failure, 1),
            (Exit::Drift, 2),
            (Exit::Refused, 3),
            (Exit::Usage, 64),
            (Exit::Busy, 75),
            (Exit::Interrupted, 130),
        ];
        assert!(all.into_iter().all(|(exit, code)| exit.code() == code));
    }
}
