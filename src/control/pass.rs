//! One pass: load, observe, classify, plan, apply, report. Owns the order of the stages; decides nothing itself.

use std::path::PathBuf;
use std::time::Duration;

use crate::core::manifest::select::Selection;
use crate::core::report::Report;
use crate::core::report::status::{Explanation, StatusReport};
use crate::yaml::Diagnostic;

/// What a pass is run with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The manifest.
    pub manifest: PathBuf,
    /// What the report is about. Everything is observed and judged all the same; only selected drifts are shown and recorded.
    pub selection: Selection,
    /// The settle window.
    pub settle: Duration,
    /// Whether warnings of the manifest are errors.
    pub strict: bool,
    /// What may be written.
    pub mode: Mode,
}

/// What a pass may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: no file, no lock.
    Look,
    /// The manifest, the journal and our state; drifts are remembered as reported to this consumer, if one is named.
    Record {
        /// The consumer whose "already reported" set is kept.
        consumer: Option<String>,
    },
}

/// What a pass gives back.
#[derive(Debug)]
pub struct Pass {
    /// The report.
    pub report: Report,
    /// The rows of `status`, for the selected sessions.
    pub status: StatusReport,
    /// One explanation per row, in the same order.
    pub explanations: Vec<Explanation>,
    /// Warnings about the manifest, and the text they point into.
    pub warnings: Vec<Diagnostic>,
    /// The text of the manifest the pass started from.
    pub text: String,
    /// Versions of the manifest that were kept beside it because someone saved during the write.
    pub saved: Vec<PathBuf>,
}
