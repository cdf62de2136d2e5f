//! What was said in a crew, for those who know nothing of its tasks, and the look whether a worker has drifted. Decides nothing.

use std::path::{Path, PathBuf};

use crate::core::crew::guard::{self, GuardRefusal, GuardReport, GuardRequest};
use crate::store::crew_context::keep;

pub use crate::store::crew_context::{ContextFiles, CrewError};

/// Nothing could be said of a worker, or it could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The files.
    #[error(transparent)]
    Files(#[from] CrewError),
    /// What they hold.
    #[error(transparent)]
    Refused(#[from] GuardRefusal),
    /// There is no context.
    #[error("context file not found: {}", .0.display())]
    NoContext(PathBuf),
}

/// What came of a look, and where it is kept.
#[derive(Debug)]
pub struct KeptGuard {
    /// What came of it.
    pub report: GuardReport,
    /// `case.json`, `diagnosis.json`, `event.json`.
    pub paths: [PathBuf; 3],
}

/// Looks whether a worker has drifted off its task, and keeps what came of that: in this directory, else below the artifacts.
///
/// # Errors
/// [`GuardError`].
pub fn guard(directory: &Path, request: &GuardRequest<'_>, output: Option<&Path>) -> Result<KeptGuard, GuardError> {
    let named = directory.join("context/context.jsonl");
    if named.symlink_metadata().is_err() {
        return Err(GuardError::NoContext(named));
    }
    let files = ContextFiles::open(directory)?;
    let [context, ..] = files.files();
    let source = context.to_string_lossy();
    let report = guard::look(&files.raw()?, &GuardRequest { source: &source, ..request.clone() })?;
    let usual = || files.artifacts().join("problemmap").join(request.task).join(request.worker);
    let output = output.map_or_else(usual, Path::to_path_buf);
    let document = |value: Result<serde_json::Value, serde_json::Error>| {
        value.map_err(|error| CrewError::Io { action: "write", path: output.clone(), source: error.into() })
    };
    let documents = [
        ("case.json", document(serde_json::to_value(&report.case))?),
        ("diagnosis.json", document(serde_json::to_value(&report.diagnosis))?),
        ("event.json", document(serde_json::to_value(&report.event))?),
    ];
    let mut paths = keep(&output, &documents)?.into_iter();
    let mut next = || paths.next().unwrap_or_default();
    Ok(KeptGuard { report, paths: [next(), next(), next()] })
}
