//! Small private records of one kind: a directory with one file of JSON each, which sorts by its name. Never decides what becomes of one.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::operations::{OperationError, make_private, read_own};
use super::replace;
use crate::fault;

/// The records in one directory.
#[derive(Debug, Clone)]
pub(super) struct Records {
    directory: PathBuf,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OperationError {
    OperationError::of(action, path)
}

impl Records {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory, for whoever waits for something in it.
    pub(super) fn create(&self) -> Result<(), OperationError> {
        make_private(&self.directory).map_err(failed("use", &self.directory))
    }

    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// Keeps a new one. It is on disk, or not there.
    pub(super) fn put(&self, name: &str, record: &impl Serialize) -> Result<(), OperationError> {
        self.create()?;
        let path = self.place(name);
        let bytes = serde_json::to_vec(record).map_err(io::Error::other).map_err(failed("write", &path))?;
        let kept = fault::around("keep a record", || replace::make(&path, &bytes).and_then(|()| replace::sync(&path)));
        kept.map_err(failed("write", &path))
    }

    /// All that can be read, by their names.
    pub(super) fn all<T: DeserializeOwned>(&self) -> Vec<T> {
        let names = self.directory.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut names: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        names.sort();
        names.iter().filter_map(|path| serde_json::from_slice(&read_own(path).ok()?).ok()).collect()
    }

    /// Writes one anew that is still there. Nothing depends on it.
    pub(super) fn note(&self, name: &str, record: &impl Serialize) {
        let path = self.place(name);
        let Ok(bytes) = serde_json::to_vec(record) else { return };
        if path.exists() {
            let _ = fault::around("note about a record", || replace::replace(&path, &bytes));
        }
    }

    /// Takes one out; `false`: it was not there.
    pub(super) fn take(&self, name: &str) -> Result<bool, OperationError> {
        let path = self.place(name);
        match fault::around("take a record out", || std::fs::remove_file(&path)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("remove", &path)(error)),
        }
    }
}
