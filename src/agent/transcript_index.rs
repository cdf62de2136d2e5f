//! Directories of transcripts, each listed at most once per pass. Lists names only; never opens a file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::reason;
use super::missing_cache::{Below, Directory, KeyOf, MissingCache};
use crate::core::fact::Fact;

/// Where files are, and whose reader took the keys from their names.
type Place = (PathBuf, String);

/// The directories listed so far in this pass.
#[derive(Debug, Default)]
pub struct TranscriptIndex {
    indexes: Mutex<HashMap<Place, Arc<Fact<Index>>>>,
    kept: Option<Kept>,
}

/// What other passes found missing.
#[derive(Debug)]
struct Kept {
    absences: Arc<MissingCache>,
    is_believed: bool,
    /// Where that was brought up to date.
    renewed: Mutex<HashSet<Below>>,
}

/// The files below a directory, by a key taken from their names.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) files: HashMap<String, Vec<PathBuf>>,
    /// A directory that could not be listed: what is not found may be in it.
    pub(super) trouble: Option<String>,
    /// Every directory that was listed, as it was just before; `None` if something else may have files appear in them.
    pub(super) dirs: Option<Vec<Directory>>,
}

impl TranscriptIndex {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that notes what it finds missing, and believes what was noted before where `is_believed`.
    pub fn keeping(absences: &Arc<MissingCache>, is_believed: bool) -> Self {
        let kept = Kept { absences: Arc::clone(absences), is_believed, renewed: Mutex::default() };
        Self { kept: Some(kept), ..Self::default() }
    }

    /// The files `depth` directories below `root` whose names have `key`. `Absent`: there are none. `Unknown`: none was found
    /// and some directory could not be listed.
    pub fn find(&self, root: &Path, depth: usize, key: &str, key_of: KeyOf) -> Fact<Vec<PathBuf>> {
        let place = (root.to_path_buf(), String::new());
        let is_listed = lock(&self.indexes).contains_key(&place);
        let below = (root.to_path_buf(), depth);
        if !is_listed && self.kept.as_ref().is_some_and(|kept| kept.is_missing(&below, key, key_of)) {
            return Fact::Absent;
        }
        files(&self.index(place, || self.note(below, read(root, depth, key_of))), key)
    }

    /// Keeps what this pass found for others.
    fn note(&self, below: Below, mut read: Fact<Index>) -> Fact<Index> {
        if let (Some(kept), Fact::Seen(Index { files, trouble: None, dirs })) = (&self.kept, &mut read)
            && let Some(dirs) = dirs.take()
        {
            kept.absences.note(below, dirs, files.keys());
        }
        read
    }

    /// The files that have `key` among those that `read` finds below `root` for a reader of that name.
    pub(super) fn find_by(
        &self,
        root: &Path,
        reader: &str,
        key: &str,
        read: impl FnOnce() -> Fact<Index>,
    ) -> Fact<Vec<PathBuf>> {
        files(&self.index((root.to_path_buf(), reader.to_owned()), read), key)
    }

    fn index(&self, place: Place, read: impl FnOnce() -> Fact<Index>) -> Arc<Fact<Index>> {
        Arc::clone(lock(&self.indexes).entry(place).or_insert_with(|| Arc::new(read())))
    }
}

impl Kept {
    fn is_missing(&self, below: &Below, key: &str, key_of: KeyOf) -> bool {
        if !self.is_believed {
            return false;
        }
        // Whoever asks at the same time waits until that is done.
        let mut renewed = lock(&self.renewed);
        if renewed.insert(below.clone()) {
            self.absences.renew(below, key_of);
        }
        self.absences.has(below, key)
    }
}

fn files(index: &Fact<Index>, key: &str) -> Fact<Vec<PathBuf>> {
    match index {
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::Seen(index) => match (index.files.get(key), &index.trouble) {
            (Some(files), _) => Fact::Seen(files.clone()),
            (None, Some(why)) => Fact::Unknown(why.clone()),
            (None, None) => Fact::Absent,
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(root: &Path, depth: usize, key_of: KeyOf) -> Fact<Index> {
    let mut index = Index { dirs: Some(Vec::new()), ..Index::default() };
    match list(root, depth, key_of, &mut index) {
        Ok(()) => Fact::Seen(index),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fact::Absent,
        Err(error) => Fact::Unknown(format!("cannot list {}: {}", root.display(), reason(&error))),
    }
}

fn list(dir: &Path, depth: usize, key_of: KeyOf, index: &mut Index) -> std::io::Result<()> {
    if let Some(dirs) = &mut index.dirs {
        match Directory::now(dir, depth == 0) {
            Some(now) => dirs.push(now),
            None => index.dirs = None,
        }
    }
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
            // Where a link leads may become a directory without a trace here.
            if kind.is_symlink() {
                index.dirs = None;
            }
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
