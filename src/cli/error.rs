//! From an error to its text, its hints and its exit code. The only place that picks an exit code; never prints.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use super::render::plural;
use crate::control::pass::PassError;
use crate::core::text::printable;
use crate::store::jobs::JobsError;
use crate::store::journal::JournalError;
use crate::store::manifest::ManifestError;
use crate::store::paths::PathError;
use crate::yaml::{self, Diagnostic};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or in sync.
    Done,
    /// It failed.
    Failure,
    /// Something drifted.
    Drift,
    /// A change was refused.
    Refused,
    /// Something is unknown.
    Unknown,
    /// The command line makes no sense.
    Usage,
    /// Something is locked by another, or not over yet; trying again may work.
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
            Self::Unknown => 4,
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

impl CliError {
    /// A manifest that cannot be used, with a picture of each place.
    pub(crate) fn invalid_manifest(path: &Path, diagnostics: &[Diagnostic], text: &str, color: bool) -> Self {
        let name = path.display().to_string();
        let count = diagnostics.iter().filter(|diagnostic| diagnostic.fatal).count();
        let message = format!("manifest {name} cannot be used: {}", plural(count, "error", "errors"));
        Self::new(Exit::Failure, message).detail(yaml::render(diagnostics, &name, text, color))
    }
}

impl CliError {
    /// A pass that could not be made.
    pub(crate) fn from_pass(error: PassError, color: bool) -> Self {
        match error {
            PassError::Manifest(error) => error.into(),
            PassError::Journal(error) => {
                Self::from(error).hint("nothing was recorded: headcount writes every change to the journal first")
            }
            PassError::Invalid { path, text, diagnostics } => Self::invalid_manifest(&path, &diagnostics, &text, color),
            PassError::UnknownAgent { ref known, .. } => {
                let known: Vec<&str> = known.iter().map(|agent| agent.as_str()).collect();
                Self::caused_by(Exit::Usage, &error)
                    .hint(format!("known agents: {}; declare others under `agents:` in the manifest", known.join(", ")))
            }
            PassError::Shrunken { .. } => {
                Self::caused_by(Exit::Busy, &error).hint("if you removed the others on purpose, try again then")
            }
            PassError::BeingWritten { .. } => {
                Self::caused_by(Exit::Busy, &error).hint("try again once it is saved: headcount does not judge half a manifest")
            }
        }
    }
}

impl From<ManifestError> for CliError {
    fn from(error: ManifestError) -> Self {
        let exit = if error.is_busy() {
            Exit::Busy
        } else if error.is_refusal() {
            Exit::Refused
        } else {
            Exit::Failure
        };
        let told = Self::caused_by(exit, &error);
        match error {
            ManifestError::Missing { .. } => {
                told.hint("check the name; `headcount init` writes a manifest from what is running now")
            }
            ManifestError::Directory { .. } => told.hint("name the file in it"),
            ManifestError::NotRegular { .. } => {
                told.hint("headcount rewrites the manifest in place, so it has to be a file on a disk")
            }
            ManifestError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                told.hint("give yourself read permission on it")
            }
            ManifestError::Unreadable { .. } => told,
            ManifestError::TooLarge { .. } => {
                told.hint("is this the right file? A manifest of a thousand sessions has about 300,000 bytes")
            }
            ManifestError::Locked { .. } => {
                told.hint("another headcount is running; try again when it has finished, or stop that process")
            }
            ManifestError::Busy { .. } => told.hint("save and close it in the other program, then try again"),
            ManifestError::HardLinked { .. } => told.hint("replace the other names by symbolic links"),
            ManifestError::MountPoint { .. } => told.hint("mount the directory it is in instead"),
            ManifestError::ReadOnlyDirectory { .. } => {
                told.hint("headcount writes the new text beside the old one, so make the directory writable")
            }
            ManifestError::ReadOnlyFile { .. } => told.hint("`chmod u+w` it to let headcount record in it"),
            ManifestError::Unchangeable { at, .. } => {
                told.hint(format!("`chattr -i -a {}` to let headcount record in it", at.display()))
            }
            ManifestError::Attributes { .. } => told.hint("run headcount as the owner of the manifest"),
            ManifestError::NoSpace { .. } => told.hint("nothing was changed; make room and try again"),
            ManifestError::Io { .. } => told,
        }
    }
}

impl From<PathError> for CliError {
    fn from(error: PathError) -> Self {
        Self::caused_by(Exit::Failure, &error).hint("set $XDG_STATE_HOME to a directory of yours")
    }
}

impl From<JobsError> for CliError {
    fn from(error: JobsError) -> Self {
        let exit = match error {
            JobsError::Locked { .. } => Exit::Busy,
            JobsError::Ended { .. } | JobsError::Numbers { .. } | JobsError::TooLong { .. } => Exit::Refused,
            _ => Exit::Failure,
        };
        let told = Self::caused_by(exit, &error);
        match error {
            JobsError::Locked { .. } => told.hint("try again when that program has finished"),
            JobsError::NoSuchJob { .. } => {
                told.hint("`headcount job list` lists the jobs; --registry or $HEADCOUNT_JOBS names another registry")
            }
            JobsError::Ended { .. } => told.hint("a job that has ended stays as it is; submit a new one"),
            JobsError::TooLong { .. } => told.hint("shorten --detail or --data"),
            JobsError::Broken { .. } | JobsError::Misnamed { .. } => {
                told.hint("headcount did not change it; repair the file, or move it away")
            }
            _ => told,
        }
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        let exit = if error.is_busy() { Exit::Busy } else { Exit::Failure };
        Self::caused_by(exit, &error)
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
    fn the_kind_of_a_store_error_picks_the_exit_code_and_names_its_object_and_cause() {
        let path = || std::path::PathBuf::from("/m/agent-sessions.yaml");
        let locked =
            ManifestError::Locked { lock: "/m/a.lock".into(), holder: Some(7), waited: std::time::Duration::from_secs(10) };
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        for (error, exit, part) in [
            (locked, Exit::Busy, "process 7"),
            (ManifestError::HardLinked { path: path(), links: 2 }, Exit::Refused, "hard-linked"),
            (ManifestError::ReadOnlyFile { path: path() }, Exit::Refused, "read-only"),
            (
                ManifestError::Unreadable { path: path(), source: denied },
                Exit::Failure,
                "agent-sessions.yaml: permission denied",
            ),
        ] {
            let error = CliError::from(error);
            assert_eq!(error.exit(), exit);
            assert!(error.message().contains(part), "{}", error.message());
            assert!(error.hints().next().is_some());
        }
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let all = [
            (Exit::Done, 0),
            (Exit::Failure, 1),
            (Exit::Drift, 2),
            (Exit::Refused, 3),
            (Exit::Unknown, 4),
            (Exit::Usage, 64),
            (Exit::Busy, 75),
            (Exit::Interrupted, 130),
        ];
        assert!(all.into_iter().all(|(exit, code)| exit.code() == code));
    }
}
