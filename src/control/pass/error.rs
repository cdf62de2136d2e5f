//! What stops a pass. Never decides an exit code; says only which kind it is.

use std::error::Error;
use std::path::PathBuf;

use super::versions::SuddenShrink;
use crate::core::ids::AgentKind;
use crate::core::text::stamp;
use crate::store::journal::JournalError;
use crate::store::manifest::{ManifestError, UpdateCause, UpdateError};
use crate::yaml::Diagnostic;

/// A pass could not be made. The manifest is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The manifest cannot be read, locked or replaced.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is still being written after the longest wait: half a text must not be judged.
    #[error("manifest {} is still being written by another program", path.display())]
    BeingWritten {
        /// The file.
        path: PathBuf,
    },
    /// The manifest does not load.
    #[error("manifest {} is not valid", path.display())]
    Invalid {
        /// The file as it was asked for.
        path: PathBuf,
        /// Its text, which the diagnostics point into.
        text: String,
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// The manifest has suddenly lost more than half of its entries, and is not believed yet.
    #[error("manifest {} has only {} of {} entries left; headcount waits until {} before it judges this version", path.display(), shrunken.has, shrunken.had, stamp(shrunken.until))]
    Shrunken {
        /// The file.
        path: PathBuf,
        /// What it lost, and when it is believed.
        shrunken: SuddenShrink,
    },
    /// An agent was asked about that headcount does not know and the manifest does not declare.
    #[error("no agent named {agent}")]
    UnknownAgent {
        /// Its name.
        agent: AgentKind,
        /// Those there are.
        known: Vec<AgentKind>,
    },
    /// The journal cannot be written, and nothing is recorded without it.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl PassError {
    /// An error and its causes on one line.
    pub(crate) fn line(error: &dyn Error) -> String {
        let mut line = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }

    /// The same, with the places in the manifest that it is about.
    pub(crate) fn line_with_places(&self) -> String {
        let mut line = Self::line(self);
        if let Self::Invalid { text, diagnostics, .. } = self {
            for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.fatal) {
                let place = diagnostic.position(text).map(|(line, column)| format!("{line}:{column}: ")).unwrap_or_default();
                line.push_str(&format!("; {place}{}", diagnostic.message));
            }
        }
        line
    }
}

impl From<UpdateError<PassError>> for PassError {
    fn from(error: UpdateError<PassError>) -> Self {
        match error.cause {
            UpdateCause::Manifest(error) => Self::Manifest(error),
            UpdateCause::Plan(error) => error,
        }
    }
}
