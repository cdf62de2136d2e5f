//! What headcount remembers of one manifest between passes, on disk. Owns the file's format; never decides what to remember.
//!
//! The first line is a whole memory, each later one a [`MemoryChange`] of it. A pass appends what it changed. Once the changes
//! have grown as long as a whole memory, a file of a single line replaces them. A last line without an end was cut short by a
//! crash: readers skip it, and the next writer replaces the file. Earlier versions wrote the first line alone.
//!
//! Losing the file costs a repeated announcement, never a wrong entry. So one that cannot be read counts as empty, with a
//! warning. A change that says something of a session is synced to disk. One that only notes an announcement is not.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::manifest::LockedManifest;
use super::paths::{ManifestDir, PathError};
use super::replace;
use crate::core::memory::{Memory, MemoryChange};

const FILE: &str = "state.json";
const VERSION: u32 = 1;
/// Changes are not worth a new file before they come to this many bytes.
const MUCH: u64 = 64 * 1024;

/// The state of one manifest.
#[derive(Debug, Clone)]
pub struct StateFile {
    directory: ManifestDir,
    known: StateCache,
}

/// What a state file said last, for whoever reads it again and again: the same file is not read twice. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct StateCache(Arc<Mutex<Option<(Stamp, Content)>>>);

impl StateCache {
    /// What the file with this stamp says, if that is known.
    fn of(&self, stamp: Stamp) -> Option<Content> {
        self.last().as_ref().filter(|(known, _)| *known == stamp).map(|(_, content)| content.clone())
    }

    fn note(&self, stamp: Stamp, content: Content) {
        *self.last() = Some((stamp, content));
    }

    fn last(&self) -> MutexGuard<'_, Option<(Stamp, Content)>> {
        // What it holds is replaced whole, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells one content of the file from another: a replaced file is another one, and an appended one is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        let changed = (file.ctime(), file.ctime_nsec());
        Self { device: file.dev(), inode: file.ino(), length: file.len(), changed }
    }
}

/// What a file says.
#[derive(Debug, Clone, Default)]
struct Content {
    memory: Memory,
    /// The bytes of its first line.
    base: u64,
    /// Whether its last line is whole, so that another may follow.
    is_whole: bool,
}

/// The memory as it was read.
#[derive(Debug, Default)]
pub struct LoadedState {
    /// What is remembered; empty for a new manifest.
    pub memory: Memory,
    /// Why nothing is remembered although there is a file. Never a reason to stop.
    pub warning: Option<StateWarning>,
}

/// The state could not be read and counts as empty.
#[derive(Debug, thiserror::Error)]
pub enum StateWarning {
    /// The file cannot be read.
    #[error("cannot read state {}, starting afresh", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what we write.
    #[error("state {} is damaged, starting afresh", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A newer headcount wrote it.
    #[error("state {} has version {version}, this headcount knows {VERSION}, starting afresh", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// The state could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Its directory.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file.
    #[error("cannot write state {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The memory cannot be put into JSON.
    #[error("cannot encode state")]
    Encode(#[source] serde_json::Error),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    memory: &'a Memory,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl StateFile {
    /// The state in this directory.
    pub fn new(directory: &ManifestDir) -> Self {
        Self { directory: directory.clone(), known: StateCache::default() }
    }

    /// The same, sharing what earlier readers of it know.
    #[must_use]
    pub fn with_known(self, known: StateCache) -> Self {
        Self { known, ..self }
    }

    /// The file, whether or not it is there.
    pub fn path(&self) -> PathBuf {
        self.directory.file(FILE)
    }

    /// Reads it. Creates nothing and needs no lock: it is replaced whole, and a line that is just being written is not there yet.
    pub fn load(&self) -> LoadedState {
        match self.read() {
            Ok(content) => LoadedState { memory: content.unwrap_or_default().memory, warning: None },
            Err(warning) => LoadedState { memory: Memory::default(), warning: Some(warning) },
        }
    }

    /// What it says now; `None` if there is no file.
    fn read(&self) -> Result<Option<Content>, StateWarning> {
        let path = self.path();
        let read = || {
            let mut file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let stamp = Stamp::of(&file.metadata()?);
            if let Some(content) = self.known.of(stamp) {
                return Ok(Some((stamp, Ok(content))));
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Some((stamp, decode(&bytes, &path))))
        };
        match read() {
            Ok(None) => Ok(None),
            Ok(Some((stamp, content))) => {
                let content = content?;
                self.known.note(stamp, content.clone());
                Ok(Some(content))
            }
            Err(source) => Err(StateWarning::Unreadable { path: path.clone(), source }),
        }
    }

    /// Writes down what changed, if anything did. The manifest's lock, which the caller holds, keeps two passes from forgetting what
    /// the other one noted: load under the same lock what is saved under it. A file that could not be read stays beside as
    /// `state.json.unread`.
    ///
    /// # Errors
    /// [`StateError`]; the file says what it said.
    pub fn save(&self, memory: &Memory, _lock: &LockedManifest) -> Result<(), StateError> {
        let path = self.path();
        let fail = |source| StateError::Write { path: path.clone(), source };
        match self.read() {
            Ok(Some(content)) if content.is_whole => {
                let change = MemoryChange::between(&content.memory, memory);
                if change.as_ref().is_some_and(MemoryChange::is_empty) {
                    return Ok(());
                }
                if let Some(change) = change
                    && self.append(memory, &change, content.base)?
                {
                    return Ok(());
                }
            }
            Ok(_) | Err(StateWarning::Unreadable { .. }) => {}
            Err(_) => std::fs::rename(&path, self.directory.file("state.json.unread")).map_err(fail)?,
        }
        let mut content = serde_json::to_vec(&Written { version: VERSION, memory }).map_err(StateError::Encode)?;
        content.push(b'\n');
        self.directory.create()?;
        replace::replace(&path, &content).map_err(fail)?;
        let base = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.note(&path, memory, base);
        Ok(())
    }

    /// Appends a change that leads to `memory`; `false` if the file is better written anew.
    fn append(&self, memory: &Memory, change: &MemoryChange, base: u64) -> Result<bool, StateError> {
        let path = self.path();
        let mut line = serde_json::to_vec(change).map_err(StateError::Encode)?;
        line.push(b'\n');
        let Ok(mut file) = replace::append(&path) else { return Ok(false) };
        let fail = |source| StateError::Write { path: path.clone(), source };
        let length = file.metadata().map_err(fail)?.len();
        let added = length.saturating_sub(base).saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if added > base.max(MUCH) {
            return Ok(false);
        }
        let synced = |file: &File| if change.is_about_sessions() { file.sync_data() } else { Ok(()) };
        file.write_all(&line).and_then(|()| synced(&file)).map_err(|source| {
            // Half a line is skipped by readers; on a full disk the space is better given back.
            let _ = file.set_len(length);
            fail(source)
        })?;
        self.note(&path, memory, base);
        Ok(true)
    }

    /// Notes what was just written: nobody else writes while we have the lock.
    fn note(&self, path: &Path, memory: &Memory, base: u64) {
        if let Ok(file) = path.metadata() {
            self.known.note(Stamp::of(&file), Content { memory: memory.clone(), base, is_whole: true });
        }
    }
}

fn decode(bytes: &[u8], path: &Path) -> Result<Content, StateWarning> {
    let damaged = |source| StateWarning::Damaged { path: path.to_owned(), source };
    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    let (first, changes) = bytes.split_at(end);
    // Somebody may have laid it out for reading.
    let is_laid_out =
        || serde_json::from_slice::<Versioned>(first).is_err() && serde_json::from_slice::<Versioned>(bytes).is_ok();
    let (first, changes, is_whole) =
        if is_laid_out() { (bytes, &[][..], false) } else { (first, changes, bytes.ends_with(b"\n")) };
    let Versioned { version } = serde_json::from_slice(first).map_err(damaged)?;
    if version > VERSION {
        return Err(StateWarning::Newer { path: path.to_owned(), version });
    }
    let mut memory: Memory = serde_json::from_slice(first).map_err(damaged)?;
    let whole = changes.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| changes.split_at(end).0);
    for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<MemoryChange>(line).map_err(damaged)?.apply(&mut memory);
    }
    Ok(Content { memory, base: u64::try_from(first.len()).unwrap_or(u64::MAX), is_whole })
}
