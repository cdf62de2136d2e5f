//! The lock of a manifest: sidecars that are never renamed and never deleted. Never touches the manifest itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs4::TryLockError;

use super::swap::SwapFile;
use super::{ManifestError, ManifestFile, UpdateOptions, WriteStep, look, temp};

/// A manifest that nobody else who keeps to the lock can write, until this is dropped.
#[derive(Debug)]
pub struct LockedManifest {
    pub(super) file: ManifestFile,
    pub(super) options: UpdateOptions,
    pub(super) beside: SwapFile,
    _locks: Vec<File>,
}

impl LockedManifest {
    pub(super) fn lock(file: &ManifestFile, options: &UpdateOptions) -> Result<Self, ManifestError> {
        let started = Instant::now();
        loop {
            let resolved = file.resolved()?;
            temp::refuse_unchangeable(&resolved)?;
            let locks = acquire(&sidecars(&file.given, &resolved), &resolved, started, options.lock_wait)?;
            // The link may have been pointed elsewhere while we waited.
            if file.resolved()? != resolved {
                continue;
            }
            options.steps.took(WriteStep::Locked);
            let mut beside = SwapFile::new(resolved, options.steps.clone());
            beside.recover()?;
            options.steps.took(WriteStep::Recovered);
            return Ok(Self { file: file.clone(), options: options.clone(), beside, _locks: locks });
        }
    }

    /// The file it is: absolute, symlinks resolved.
    pub fn path(&self) -> &Path {
        self.beside.manifest()
    }

    /// Versions kept beside the manifest since it was locked.
    pub fn saved(&self) -> &[PathBuf] {
        &self.beside.saved
    }

    /// Reads it; see [`ManifestFile::read`].
    ///
    /// # Errors
    /// As [`ManifestFile::read`].
    pub fn read(&self) -> Result<super::Snapshot, ManifestError> {
        let deadline = Instant::now() + self.file.pace.limit;
        look::settled(self.path(), &self.file.pace, deadline, look::WhenOpen::IfStill).map(|(snapshot, _)| snapshot)
    }
}

/// The sidecars to lock, in the one order everybody takes: that of the resolved file, and that of the link by which it was
/// asked for.
fn sidecars(given: &Path, resolved: &Path) -> Vec<PathBuf> {
    let mut paths = vec![sidecar(resolved)];
    if let (Some(parent), Some(name)) = (given.parent(), given.file_name())
        && let Ok(parent) = std::fs::canonicalize(parent)
    {
        paths.push(sidecar(&parent.join(name)));
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Whether the sidecar that decides could be opened, without making it.
pub(super) fn refuse(manifest: &Path) -> Result<(), ManifestError> {
    let own = sidecar(manifest);
    match options().open(&own) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ManifestError::beside("open", &own, manifest, error)),
        _ => Ok(()),
    }
}

fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn acquire(paths: &[PathBuf], manifest: &Path, started: Instant, wait: Duration) -> Result<Vec<File>, ManifestError> {
    let own = sidecar(manifest);
    let mut locks = Vec::with_capacity(paths.len());
    for path in paths {
        match open(path, manifest) {
            Ok(file) => locks.push(take(file, path, manifest, started, wait)?),
            // A link in a directory we cannot write: nobody else of our kind can lock it either, and the sidecar of the file
            // itself is the one that decides.
            Err(ManifestError::ReadOnlyDirectory { .. }) if *path != own => {}
            Err(error) => return Err(error),
        }
    }
    Ok(locks)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

fn open(path: &Path, manifest: &Path) -> Result<File, ManifestError> {
    let fail = |source| ManifestError::beside("open", path, manifest, source);
    match options().open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened.map_err(fail),
    }
    match options().create_new(true).open(path) {
        Ok(file) => {
            // Made by root for somebody else's manifest: the owner must be able to lock it later.
            if let (Ok(of_lock), Ok(of_manifest)) = (file.metadata(), manifest.metadata())
                && of_lock.uid() != of_manifest.uid()
            {
                let _ = std::os::unix::fs::fchown(&file, Some(of_manifest.uid()), Some(of_manifest.gid()));
            }
            Ok(file)
        }
        // Somebody else made it just now.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options().open(path).map_err(fail),
        Err(error) => Err(fail(error)),
    }
}

fn take(mut file: File, path: &Path, manifest: &Path, started: Instant, wait: Duration) -> Result<File, ManifestError> {
    let mut pause = Duration::from_millis(1);
    loop {
        match fs4::FileExt::try_lock(&file) {
            Ok(()) if is_still(&file, path) => {
                // Only for people who wait: a disk too full for it is no reason to stop.
                let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
                return Ok(file);
            }
            // Somebody cleaned the sidecar away: a lock on its inode keeps nobody out.
            Ok(()) => file = open(path, manifest)?,
            Err(TryLockError::WouldBlock) => {
                let waited = started.elapsed();
                let Some(left) = wait.checked_sub(waited).filter(|left| !left.is_zero()) else {
                    let holder = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
                    return Err(ManifestError::Locked { lock: path.to_owned(), holder, waited });
                };
                std::thread::sleep(pause.min(left));
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            Err(TryLockError::Error(source)) => return Err(ManifestError::io("lock", path, source)),
        }
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    let id = |found: io::Result<std::fs::Metadata>| found.ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let open = id(file.metadata());
    open.is_some() && open == id(std::fs::symlink_metadata(path))
}
