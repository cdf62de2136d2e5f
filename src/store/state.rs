//! What headcount remembers of one manifest between passes, on disk. Owns the file's format; never decides what to remember.
//!
//! Losing it costs a repeated announcement, never a wrong entry: so a file that cannot be read counts as empty, with a warning.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::manifest::LockedManifest;
use super::paths::{ManifestDir, PathError};
use super::replace;
use crate::core::memory::Memory;

const FILE: &str = "state.json";
const VERSION: u32 = 1;

/// The state of one manifest.
#[derive(Debug, Clone)]
pub struct StateFile {
    directory: ManifestDir,
    known: Known,
}

/// What a state file said last, for whoever reads it again and again: the same bytes are not decoded twice. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<Option<Said>>>);

/// The bytes of a file, and what they say.
type Said = (Vec<u8>, Memory);

impl Known {
    /// What these bytes say, if that is known.
    fn of(&self, bytes: &[u8]) -> Option<Memory> {
        self.said().as_ref().filter(|(known, _)| known == bytes).map(|(_, memory)| memory.clone())
    }

    fn is(&self, bytes: &[u8]) -> bool {
        self.said().as_ref().is_some_and(|(known, _)| known == bytes)
    }

    fn note(&self, bytes: Vec<u8>, memory: &Memory) {
        *self.said() = Some((bytes, memory.clone()));
    }

    fn said(&self) -> MutexGuard<'_, Option<Said>> {
        // What it holds is replaced whole, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory as it was read.
#[derive(Debug, Default)]
pub struct Loaded {
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
        Self { directory: directory.clone(), known: Known::default() }
    }

    /// The same, sharing what earlier readers of it know.
    #[must_use]
    pub fn with_known(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// The file, whether or not it is there.
    pub fn path(&self) -> PathBuf {
        self.directory.file(FILE)
    }

    /// Reads it. Creates nothing and needs no lock: the file is replaced whole.
    pub fn load(&self) -> Loaded {
        let path = self.path();
        let warn = |warning| Loaded { memory: Memory::default(), warning: Some(warning) };
        match std::fs::read(&path) {
            Ok(bytes) => match self.known.of(&bytes).map_or_else(|| decode(&bytes, &path), Ok) {
                Ok(memory) => {
                    if !self.known.is(&bytes) {
                        self.known.note(bytes, &memory);
                    }
                    Loaded { memory, warning: None }
                }
                Err(warning) => warn(warning),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Loaded::default(),
            Err(source) => warn(StateWarning::Unreadable { path, source }),
        }
    }

    /// Replaces it, if it would change. The manifest's lock, which the caller holds, keeps two passes from forgetting what the
    /// other one noted: load under the same lock what is saved under it. A file that could not be read stays beside as
    /// `state.json.unread`.
    ///
    /// # Errors
    /// [`StateError`]; the old file is whole.
    pub fn save(&self, memory: &Memory, _lock: &LockedManifest) -> Result<(), StateError> {
        let path = self.path();
        let mut content = serde_json::to_vec(&Written { version: VERSION, memory }).map_err(StateError::Encode)?;
        content.push(b'\n');
        let fail = |source| StateError::Write { path: path.clone(), source };
        match std::fs::read(&path) {
            Ok(old) if old == content => return Ok(()),
            Ok(old) if !self.known.is(&old) && decode(&old, &path).is_err() => {
                std::fs::rename(&path, self.directory.file("state.json.unread")).map_err(fail)?;
            }
            _ => {}
        }
        self.directory.create()?;
        replace::replace(&path, &content).map_err(fail)?;
        self.known.note(content, memory);
        Ok(())
    }
}

fn decode(bytes: &[u8], path: &Path) -> Result<Memory, StateWarning> {
    let damaged = |source| StateWarning::Damaged { path: path.to_owned(), source };
    let Versioned { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version > VERSION {
        return Err(StateWarning::Newer { path: path.to_owned(), version });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}
