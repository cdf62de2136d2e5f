//! From an untyped document to a [`Manifest`], with everything that is wrong with it. Pure.

use std::path::PathBuf;

use serde_yaml::Value;

use super::Manifest;
use crate::core::edit::Path;

/// What reading a manifest needs to know of its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What `~` stands for.
    pub home: PathBuf,
    /// This host's name: the host of every entry that names none.
    pub host: String,
}

/// Something to say about a node of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The node.
    pub path: Path,
    /// Whether it is about the node's key rather than its value.
    pub about_key: bool,
    /// Whether the manifest cannot be used because of it. Otherwise it is a warning (an error with `--strict`).
    pub fatal: bool,
    /// One line: what is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Reads a document. `raw` is as parsed (`<<` still a key), `merged` after merge keys were applied.
///
/// # Errors
/// All remarks, of which at least one is fatal.
pub fn read(raw: &Value, merged: &Value, environment: &Environment) -> Result<(Manifest, Vec<Remark>), Vec<Remark>> {
    let _ = (raw, merged, environment);
    Err(Vec::new())
}
