//! What headcount did to sessions, one directory for each operation; what the launcher leaves there; the ledger; the locks. Never
//! decides what is done.
//!
//! ```text
//! operations/<id>/begun.json     the operation, written before anything is done
//! operations/<id>/launch.json    what the launcher starts; it takes the file away as it begins
//! operations/<id>/launched       the launcher has begun: made once, so nothing is started twice
//! operations/<id>/ended.json     how what it started has ended
//! operations/<id>/sent.json      of a text that was sent its length and hash
//! operations/<id>/sent-receipt.json   what became of that text
//! send-keys/<hash>               the operation that sent a text under a key
//! operations/<id>/receipt.json   what became of the operation; without it the operation is open
//! operations/<id>/<name>.room    room on the disk for the last two of these, taken up before the operation begins
//! ledger.json                    what was last done to each session
//! ```
//!
//! All of it is mode 0600 in directories of mode 0700.

mod launch;
mod ledger;
mod locks;
mod sent;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::paths::StateHome;
use super::replace;
use crate::core::lead::send::SendOutcome;
use crate::core::lead::{Operation, OperationId, OperationReport};
use crate::fault;
pub(super) use launch::read_own;
pub use launch::{ENDED, EndedRecord, LAUNCH, LAUNCHED, LAUNCHER, LaunchSpec, LaunchedRecord, TakenLaunch, launched_by};
pub use ledger::LedgerFile;
pub use locks::{ConversationLock, LockError, SessionLock};
pub use sent::{KeyClaim, KeyFile, TextNote};

const BEGUN: &str = "begun.json";
const RECEIPT: &str = "receipt.json";

/// Bytes that are reserved for each file that is written at the end of an operation: a receipt names a few paths.
const ROOM: usize = 16 << 10;

/// A file of an operation cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct OperationError {
    /// What was tried.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl OperationError {
    /// What was tried with which file.
    pub(in crate::store) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// Whether trying again later, or with a newer headcount, may help.
    pub fn is_busy(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Unsupported)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OperationError {
    OperationError::of(action, path)
}

/// The operations of one user on this host.
#[derive(Debug, Clone)]
pub struct Operations {
    directory: PathBuf,
}

/// One operation on disk.
#[derive(Debug, Clone)]
pub struct OperationFiles {
    directory: PathBuf,
}

/// An operation and what became of it.
#[derive(Debug, Clone)]
pub struct PastOperation {
    /// It.
    pub operation: Operation,
    /// What became of it; `None`: it is open.
    pub receipt: Option<OperationReport>,
    /// Its files.
    pub files: OperationFiles,
}

impl Operations {
    /// How many finished operations are kept.
    const KEPT: usize = 512;

    /// Those in this state directory.
    pub fn new(home: &StateHome) -> Self {
        Self { directory: home.path().join("operations") }
    }

    /// Begins an operation: from here on it is open, whatever becomes of us.
    ///
    /// # Errors
    /// [`OperationError`]; then it was not begun.
    pub fn begin(&self, operation: &Operation) -> Result<OperationFiles, OperationError> {
        let directory = self.directory.join(operation.id.as_str());
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.directory).map_err(failed("create", &self.directory))?;
        private_directory(&self.directory).map_err(failed("use", &self.directory))?;
        self.prune();
        let make = || builder.recursive(false).create(&directory);
        fault::around("make the operation's directory", make).map_err(failed("create", &directory))?;
        let files = OperationFiles { directory };
        match files.reserve().and_then(|()| files.write(BEGUN, operation)) {
            Ok(()) => {}
            Err(error) => {
                let _ = fault::around("take the operation away", || std::fs::remove_dir_all(&files.directory));
                return Err(error);
            }
        }
        fault::around("save the operation", || replace::sync(&files.directory)).map_err(failed("save", &files.directory))?;
        Ok(files)
    }

    /// The same for one that may have been begun before under its name, when nothing came of it.
    ///
    /// # Errors
    /// [`OperationError`]; then it was not begun.
    pub fn begin_again(&self, operation: &Operation) -> Result<OperationFiles, OperationError> {
        let before = OperationFiles { directory: self.directory.join(operation.id.as_str()) };
        let is_held = || before.send_receipt().is_some_and(|receipt| receipt.outcome == SendOutcome::Held);
        if before.directory.exists() && (!before.directory.join(BEGUN).exists() || is_held()) {
            let removed = fault::around("take the operation away", || std::fs::remove_dir_all(&before.directory));
            removed.map_err(failed("remove", &before.directory))?;
        }
        self.begin(operation)
    }

    /// Every operation that can be read, the earliest first. What cannot be read is none.
    pub fn all(&self) -> Vec<PastOperation> {
        let mut names: Vec<PathBuf> =
            self.directory.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        names.sort();
        names.into_iter().filter_map(|directory| OperationFiles { directory }.past()).collect()
    }

    /// The operation of this name; `None`: it is not here, or cannot be read.
    pub fn operation(&self, id: &OperationId) -> Option<Operation> {
        OperationFiles { directory: self.directory.join(id.as_str()) }.read(BEGUN)
    }

    /// The open operations.
    pub fn open(&self) -> Vec<PastOperation> {
        let names = self.directory.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let open = names.filter(|directory| !directory.join(RECEIPT).exists());
        let mut open: Vec<_> = open.filter_map(|directory| OperationFiles { directory }.past()).collect();
        open.sort_by(|one, other| one.operation.id.cmp(&other.operation.id));
        open
    }

    /// Takes the oldest finished ones away. One whose agent may still run is kept: its launcher writes how that ended.
    fn prune(&self) {
        let all = self.all();
        let is_over =
            |past: &&PastOperation| past.receipt.is_some() && (past.files.ended().is_some() || past.files.launched().is_none());
        let over: Vec<_> = all.iter().filter(is_over).collect();
        for past in over.iter().take(over.len().saturating_sub(Self::KEPT)) {
            let _ = fault::around("prune", || std::fs::remove_dir_all(&past.files.directory));
        }
    }
}

/// Makes a directory with those above it, if it is not there, and refuses one into which somebody else could put something.
pub(super) fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    private_directory(directory)
}

/// Refuses a directory into which somebody else could put something.
fn private_directory(directory: &Path) -> io::Result<()> {
    let metadata = directory.symlink_metadata()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    match metadata.is_dir() && is_ours {
        true => Ok(()),
        false => Err(io::Error::other("it is not a directory of this user alone")),
    }
}

impl OperationFiles {
    /// The files of the operation whose `launch.json` this is.
    pub fn of_launch(path: &Path) -> Option<Self> {
        let directory = path.parent().filter(|_| path.file_name().is_some_and(|name| name == LAUNCH))?;
        let name = directory.file_name()?.to_str()?;
        OperationId::parse(name).map(|_| Self { directory: directory.to_path_buf() })
    }

    /// The operation and what became of it.
    pub fn past(self) -> Option<PastOperation> {
        let operation = self.read(BEGUN)?;
        let receipt = self.read(RECEIPT);
        Some(PastOperation { operation, receipt, files: self })
    }

    /// The file the launcher is given.
    pub fn launch_path(&self) -> PathBuf {
        self.directory.join(LAUNCH)
    }

    /// Writes what the launcher is to start.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn write_launch(&self, spec: &LaunchSpec) -> Result<PathBuf, OperationError> {
        self.write(LAUNCH, spec)?;
        Ok(self.launch_path())
    }

    /// Ends an operation. From here on nobody begins it.
    ///
    /// # Errors
    /// [`OperationError`]; then it stays open.
    pub fn end(&self, receipt: &OperationReport) -> Result<(), OperationError> {
        // Whoever closed or took it may have ended before that was done.
        self.take_launch_away();
        self.write(RECEIPT, receipt)
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), OperationError> {
        let path = self.directory.join(name);
        let text = serde_json::to_vec(value).map_err(io::Error::other).map_err(failed("write", &path))?;
        let written = fault::around(name, || match self.fill_room(name, &text) {
            // It was not reserved, or is used up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => replace::replace(&path, &text),
            other => other,
        });
        written.map_err(failed("write", &path))
    }

    /// Takes up room on the disk for what is written at the end: how it ended is not lost where the disk has filled up meanwhile.
    fn reserve(&self) -> Result<(), OperationError> {
        for name in [ENDED, RECEIPT] {
            let path = self.room(name);
            let reserved = fault::around("reserve room", || {
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(&[b' '; ROOM])
            });
            reserved.map_err(failed("write", &path))?;
        }
        Ok(())
    }

    fn room(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.room"))
    }

    /// Writes a file into the room that was reserved for it.
    fn fill_room(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let room = self.room(name);
        let mut file = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(&room)?;
        file.write_all(text)?;
        file.set_len(text.len() as u64)?;
        file.sync_data()?;
        std::fs::rename(&room, self.directory.join(name))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&launch::read_own(&self.directory.join(name)).ok()?).ok()
    }

    /// Makes a file that must not be there yet, and puts it on disk.
    fn make(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let path = self.directory.join(name);
        replace::make(&path, text)?;
        replace::sync(&path)
    }
}
