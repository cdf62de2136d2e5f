//! What a pass is run with. Values only.

use std::path::PathBuf;
use std::time::Duration;

use super::{ManifestHistory, MuteBudget};
use crate::core::manifest::select::Selection;
use crate::store::jobs::Registry;
use crate::store::paths::StateHome;

/// What a pass is run with.
#[derive(Debug, Clone)]
pub struct PassOptions {
    /// The manifest.
    pub manifest: PathBuf,
    /// Where headcount keeps what it remembers.
    pub state_home: StateHome,
    /// What the report is about. Everything is observed and judged all the same; only selected drifts are shown and recorded.
    pub selection: Selection,
    /// The settle window.
    pub settle: Duration,
    /// Whether warnings of the manifest are errors.
    pub strict: bool,
    /// What may be written.
    pub mode: Mode,
    /// Who reads the report: a drift is `new` until this consumer has been told of it, which only a pass that records notes.
    pub consumer: Option<String>,
    /// How the manifest is locked and replaced.
    pub update: crate::store::manifest::UpdateOptions,
    /// The versions seen by earlier passes of the same program; without them every version is the first.
    pub versions: Option<ManifestHistory>,
    /// The registry of delegated jobs, if there is one to look into.
    pub jobs: Option<Registry>,
    /// Whether the consumer is told of drifts that still settle. One that is not is told of them once they are decided.
    pub tells_settling: bool,
    /// Whether the consumer is told what becomes of jobs, which a pass that records then notes.
    pub tells_jobs: bool,
    /// How much the consumer is told at most; without it, everything.
    pub held: Option<MuteBudget>,
}

impl PassOptions {
    /// A look of a program's own: nobody else's settings, nothing written, nothing told.
    pub fn look(manifest: PathBuf, state_home: StateHome) -> Self {
        Self {
            manifest,
            state_home,
            selection: Selection::default(),
            settle: Duration::ZERO,
            strict: false,
            mode: Mode::Look,
            consumer: None,
            update: crate::store::manifest::UpdateOptions::default(),
            versions: None,
            jobs: None,
            tells_settling: true,
            tells_jobs: false,
            held: None,
        }
    }
}

/// What a pass may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: no file, no lock.
    Look,
    /// The manifest, the journal and our state.
    Record,
}
