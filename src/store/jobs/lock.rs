//! The lock of a registry, and the directory itself. Never touches a record.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use fs4::TryLockError;

use super::error::io_error;
use super::{JobsError, Registry};

const FILE: &str = ".lock";

/// A registry nobody else writes who keeps to the lock, until this is dropped.
#[derive(Debug)]
pub(super) struct RegistryLock {
    _file: File,
}

impl Registry {
    /// Makes the directory, private, if it is not there. One that is there keeps its mode: it may be somebody else's.
    pub(super) fn create(&self) -> Result<(), JobsError> {
        let dir = &self.directory;
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error("create the job registry", dir))
    }

    /// Waits for the lock. The sidecar is never renamed or removed by us; if somebody cleaned it away meanwhile, the new one is
    /// locked.
    pub(super) fn lock(&self) -> Result<RegistryLock, JobsError> {
        let path = self.directory.join(FILE);
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let file = open(&path).map_err(io_error("open", &path))?;
            match fs4::FileExt::try_lock(&file) {
                Ok(()) if is_still(&file, &path) => return Ok(RegistryLock { _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let waited = started.elapsed();
                    let Some(left) = self.wait.checked_sub(waited).filter(|left| !left.is_zero()) else {
                        return Err(JobsError::Locked { registry: self.directory.clone(), waited });
                    };
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path)
}

fn is_still(file: &File, path: &Path) -> bool {
    let id = |found: io::Result<std::fs::Metadata>| found.ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let open = id(file.metadata());
    open.is_some() && open == id(std::fs::symlink_metadata(path))
}
