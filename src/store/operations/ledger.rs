//! The ledger on disk: read by anybody, changed by one at a time. Never decides what stands in it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fs4::TryLockError;
use serde::{Deserialize, Serialize};

use super::super::paths::StateHome;
use super::super::replace;
use super::{OperationError, failed};
use crate::core::lead::Ledger;
use crate::fault;

/// The ledger of one user on this host.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    version: u32,
    #[serde(flatten)]
    ledger: Ledger,
}

const VERSION: u32 = 1;

/// How long a lock is waited for that is held for a moment only.
const PATIENCE: Duration = Duration::from_secs(10);

impl LedgerFile {
    /// The one in this state directory.
    pub fn new(home: &StateHome) -> Self {
        Self { directory: home.path().to_path_buf() }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("ledger.json")
    }

    /// What it says; empty where there is none.
    ///
    /// # Errors
    /// It cannot be read, or a newer headcount wrote it.
    pub fn read(&self) -> Result<Ledger, OperationError> {
        let path = self.path();
        let text = match super::launch::read_own(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ledger::default()),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let read: Versioned = serde_json::from_slice(&text).map_err(io::Error::other).map_err(failed("read", &path))?;
        if read.version > VERSION {
            return Err(failed("read", &path)(io::Error::new(io::ErrorKind::Unsupported, "a newer headcount wrote it")));
        }
        Ok(read.ledger)
    }

    /// Changes it.
    ///
    /// # Errors
    /// [`OperationError`]; then it is as it was.
    pub fn change(&self, change: impl FnOnce(&mut Ledger)) -> Result<(), OperationError> {
        let _lock = fault::around("lock the ledger", || self.lock())?;
        let mut ledger = self.read()?;
        let before = ledger.clone();
        change(&mut ledger);
        if ledger == before {
            return Ok(());
        }
        let path = self.path();
        let text = serde_json::to_vec(&Versioned { version: VERSION, ledger }).map_err(io::Error::other);
        let text = text.map_err(failed("write", &path))?;
        fault::around("write the ledger", || replace::replace(&path, &text)).map_err(failed("write", &path))
    }

    /// Waits for a moment until nobody else changes it.
    fn lock(&self) -> Result<File, OperationError> {
        let create = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        create.map_err(failed("create", &self.directory))?;
        let path = self.directory.join("ledger.lock");
        let lock = replace::append(&path).map_err(failed("open", &path))?;
        let until = Instant::now() + PATIENCE;
        while let Err(error) = fs4::FileExt::try_lock(&lock) {
            match error {
                TryLockError::WouldBlock if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                TryLockError::WouldBlock => {
                    let error = io::Error::new(io::ErrorKind::WouldBlock, "another headcount holds it");
                    return Err(failed("lock", &path)(error));
                }
                TryLockError::Error(error) => return Err(failed("lock", &path)(error)),
            }
        }
        Ok(lock)
    }
}
