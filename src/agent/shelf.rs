//! Directories of transcripts, each listed at most once per pass. Lists names only; never opens a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::files::reason;
use crate::core::fact::Fact;

/// Where files are, and whose reader took the keys from their names.
type Place = (PathBuf, &'static str);

/// The directories listed so far in this pass.
#[derive(Debug, Default)]
pub struct Shelf {
    indexes: Mutex<HashMap<Place, Arc<Fact<Index>>>>,
}

/// The files below a directory, by a key taken from their names.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) files: HashMap<String, Vec<PathBuf>>,
    /// A directory that could not be listed: what is not found may be in it.
    pub(super) trouble: Option<String>,
}

impl Shelf {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The files `depth` directories below `root` whose names have `key`. `Absent`: there are none. `Unknown`: none was found
    /// and some directory could not be listed.
    pub fn find(&self, root: &Path, depth: usize, key: &str, key_of: fn(&str) -> Option<&str>) -> Fact<Vec<PathBuf>> {
        self.find_by(root, "", key, || read(root, depth, key_of))
    }

    /// The files that have `key` among those that `read` finds below `root` for a reader of that name.
    pub(super) fn find_by(
        &self,
        root: &Path,
        reader: &'static str,
        key: &str,
        read: impl FnOnce() -> Fact<Index>,
    ) -> Fact<Vec<PathBuf>> {
        let index = {
            let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            let known = indexes.entry((root.to_path_buf(), reader));
            Arc::clone(known.or_insert_with(|| Arc::new(read())))
        };
        match &*index {
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
            Fact::Seen(index) => match (index.files.get(key), &index.trouble) {
                (Some(files), _) => Fact::Seen(files.clone()),
                (None, Some(why)) => Fact::Unknown(why.clone()),
                (None, None) => Fact::Absent,
            },
        }
    }
}

fn read(root: &Path, depth: usize, key_of: fn(&str) -> Option<&str>) -> Fact<Index> {
    let mut index = Index::default();
    match list(root, depth, key_of, &mut index) {
        Ok(()) => Fact::Seen(index),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fact::Absent,
        Err(error) => Fact::Unknown(format!("cannot list {}: {}", root.display(), reason(&error))),
    }
}

fn list(dir: &Path, depth: usize, key_of: fn(&str) -> Option<&str>, index: &mut Index) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if depth == 0 {
            let name = entry.file_name();
            if let Some(key) = name.to_str().and_then(key_of) {
                index.files.entry(key.to_owned()).or_default().push(entry.path());
            }
            continue;
        }
        let kind = entry.file_type()?;
        let is_dir = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
        if !is_dir {
            continue;
        }
        if let Err(error) = list(&entry.path(), depth - 1, key_of, index) {
            // Removed meanwhile: then nothing is in it.
            if error.kind() != std::io::ErrorKind::NotFound {
                index.trouble = Some(format!("cannot list {}: {}", entry.path().display(), reason(&error)));
            }
        }
    }
    Ok(())
}
