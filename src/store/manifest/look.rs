//! Looking at a file: its text, who has it open, whether it stands still. Never changes anything.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::super::TextHash;
use super::super::file_lease::{self, Lease, LeaseKind};
use super::{ManifestError, Pace, Snapshot};
use crate::yaml::MAX_BYTES;

/// How long a name may be missing while an editor moves files about.
const MISSING: Duration = Duration::from_millis(300);

/// What tells one file from another, and what must be kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) links: u64,
    modified: SystemTime,
}

impl FileStat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            links: metadata.nlink(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }

    pub(super) fn is_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    pub(super) fn same_attributes(&self, other: &Self) -> bool {
        (self.mode, self.owner, self.links) == (other.mode, other.owner, other.links)
    }

    /// Modified less than `limit` ago. A stamp from the future (more than a coarse clock explains) counts as old.
    fn is_younger_than(&self, limit: Duration) -> bool {
        match SystemTime::now().duration_since(self.modified) {
            Ok(age) => age < limit,
            Err(ahead) => ahead.duration() < Duration::from_secs(1),
        }
    }
}

/// Who may be writing.
#[derive(Debug)]
pub(super) enum WriterGuard {
    /// Nobody, for as long as this lives.
    Leased(Lease),
    /// Somebody.
    Writer,
    /// It is unknown.
    Unknown,
}

impl WriterGuard {
    /// Whether, as far as can be told, nobody began to write up to now.
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Leased(lease) => lease.is_whole(),
            Self::Writer => false,
            Self::Unknown => true,
        }
    }
}

/// A file as it was read once.
#[derive(Debug)]
pub(super) struct FileRead {
    pub(super) bytes: Vec<u8>,
    pub(super) hash: TextHash,
    pub(super) stat: FileStat,
    pub(super) guard: WriterGuard,
}

impl FileRead {
    pub(super) fn is_quiet(&self) -> bool {
        !matches!(self.guard, WriterGuard::Writer)
    }
}

/// A file could not be looked at.
#[derive(Debug)]
pub(super) enum ReadFailure {
    Gone,
    NotRegular(FileType),
    Io(io::Error),
}

impl ReadFailure {
    pub(super) fn about(self, path: &Path) -> ManifestError {
        let path = path.to_owned();
        match self {
            Self::Gone => ManifestError::Missing { path },
            Self::NotRegular(kind) if kind.is_dir() => ManifestError::Directory { path },
            Self::NotRegular(kind) => ManifestError::NotRegular { path, kind: describe(kind) },
            Self::Io(source) => ManifestError::Unreadable { path, source },
        }
    }
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_fifo() => "pipe",
        kind if kind.is_socket() => "socket",
        kind if kind.is_symlink() => "symlink",
        _ => "device",
    }
}

/// Opens a regular file for reading; a last symlink is not followed, a pipe is not waited for.
pub(super) fn open(path: &Path) -> Result<(File, FileStat), ReadFailure> {
    let gone =
        |error: io::Error| if error.kind() == io::ErrorKind::NotFound { ReadFailure::Gone } else { ReadFailure::Io(error) };
    let kind = std::fs::symlink_metadata(path).map_err(gone)?.file_type();
    if !kind.is_file() {
        return Err(ReadFailure::NotRegular(kind));
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(gone)?;
    let metadata = file.metadata().map_err(ReadFailure::Io)?;
    if !metadata.is_file() {
        return Err(ReadFailure::NotRegular(metadata.file_type()));
    }
    Ok((file, FileStat::of(&metadata)))
}

/// Reads a file once, under a lease if there is one to have.
pub(super) fn look(path: &Path) -> Result<FileRead, ReadFailure> {
    let (mut file, _) = open(path)?;
    let guard = match file_lease::ask(&file).map_err(ReadFailure::Io)? {
        LeaseKind::Granted(lease) => WriterGuard::Leased(lease),
        LeaseKind::Writer => WriterGuard::Writer,
        LeaseKind::Unavailable => WriterGuard::Unknown,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(ReadFailure::Io)?;
    let stat = FileStat::of(&file.metadata().map_err(ReadFailure::Io)?);
    let hash = TextHash::of(&bytes);
    Ok(FileRead { bytes, hash, stat, guard })
}

/// What a read does about a text that somebody keeps open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenOpen {
    /// Takes it if it does not change for [`Pace::young`].
    IfStill,
    /// Waits until it is closed.
    Never,
}

/// Reads a file until it stands still or `deadline` passes; the second value says whether somebody had it open for writing.
pub(super) fn settled(path: &Path, pace: &Pace, deadline: Instant, held: WhenOpen) -> Result<(Snapshot, bool), ManifestError> {
    let missing_until = Instant::now() + MISSING;
    let mut before: Option<(TextHash, FileStat, Instant)> = None;
    loop {
        let now = Instant::now();
        refuse_a_huge_one(path)?;
        match look(path) {
            Ok(look) => {
                let quiet = look.is_quiet();
                let same = before.take().filter(|(hash, stat, _)| *hash == look.hash && stat.is_file(&look.stat));
                let still = match &same {
                    None => quiet && (pace.known == Some(look.hash) || !look.stat.is_younger_than(pace.young)),
                    Some(_) if quiet => true,
                    Some((_, _, since)) => held == WhenOpen::IfStill && now.duration_since(*since) >= pace.young,
                };
                if still || now >= deadline {
                    return Ok((snapshot(path, look, still), !quiet));
                }
                before = Some((look.hash, look.stat, same.map_or(now, |(_, _, since)| since)));
            }
            // Some editors move the old file away before they create the new one; their directory has then just changed.
            Err(ReadFailure::Gone) if now < missing_until.min(deadline) && directory_is_young(path) => before = None,
            Err(failure) => return Err(failure.about(path)),
        }
        std::thread::sleep(pace.again);
    }
}

/// What is no manifest need not be read to say so.
fn refuse_a_huge_one(path: &Path) -> Result<(), ManifestError> {
    let size = std::fs::symlink_metadata(path).ok().filter(Metadata::is_file).map_or(0, |metadata| metadata.len());
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    if size > most { Err(ManifestError::TooLarge { path: path.to_owned(), size }) } else { Ok(()) }
}

fn snapshot(path: &Path, look: FileRead, settled: bool) -> Snapshot {
    let FileRead { bytes, hash, stat, .. } = look;
    Snapshot { bytes, hash, modified: stat.modified.into(), path: path.to_owned(), settled, stat }
}

fn directory_is_young(path: &Path) -> bool {
    let directory = path.parent().and_then(|parent| parent.metadata().ok());
    directory.is_some_and(|metadata| FileStat::of(&metadata).is_younger_than(MISSING))
}

/// The file a path means: absolute, symlinks resolved.
pub(super) fn resolve(given: &Path, pace: &Pace) -> Result<PathBuf, ManifestError> {
    let until = Instant::now() + MISSING;
    loop {
        match std::fs::canonicalize(given) {
            Ok(path) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if Instant::now() >= until || !directory_is_young(given) {
                    return Err(ManifestError::Missing { path: given.to_owned() });
                }
            }
            Err(source) => return Err(ManifestError::Unreadable { path: given.to_owned(), source }),
        }
        std::thread::sleep(pace.again);
    }
}
