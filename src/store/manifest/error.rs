//! What can go wrong with a manifest as a file. Never decides an exit code; says only which kind it is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

/// A manifest cannot be read, locked or replaced. The manifest is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not there.
    #[error("manifest {} does not exist", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("manifest {} is a directory", path.display())]
    Directory {
        /// The path.
        path: PathBuf,
    },
    /// It is neither a file nor a directory.
    #[error("manifest {} is not a regular file but a {kind}", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is: `pipe`, `socket`, `device`, `symlink`.
        kind: &'static str,
    },
    /// It may not be read.
    #[error("cannot read manifest {}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any manifest is; nothing of it was read.
    #[error("manifest {} is too large: {size} bytes, at most {} are read", path.display(), crate::yaml::MAX_BYTES)]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// Somebody else kept the lock for too long.
    #[error("manifest is locked: {} is held by {}, waited {:.1} s", lock.display(), Holder(*holder), waited.as_secs_f32())]
    Locked {
        /// The sidecar.
        lock: PathBuf,
        /// The process that wrote its id into it.
        holder: Option<u32>,
        /// How long was waited.
        waited: Duration,
    },
    /// An editor kept at it for too long; its version is in place.
    #[error("cannot replace manifest {}: {why}, waited {:.1} s", path.display(), waited.as_secs_f32())]
    Busy {
        /// The path.
        path: PathBuf,
        /// What it was at: `another program has it open for writing`, …
        why: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// It has several names; replacing one would cut it from the others.
    #[error("refusing to replace manifest {}: it is hard-linked ({links} names), and a replacement would separate them", path.display())]
    HardLinked {
        /// The path.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// The file itself is a mount point, as a container's bind mount of one file is.
    #[error("refusing to replace manifest {}: it is a mount point", path.display())]
    MountPoint {
        /// The path.
        path: PathBuf,
    },
    /// Nothing can be made beside it.
    #[error("refusing to replace manifest {}: its directory is read-only", path.display())]
    ReadOnlyDirectory {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its mode says that it is not to be written.
    #[error("refusing to replace manifest {}: the file is read-only", path.display())]
    ReadOnlyFile {
        /// The path.
        path: PathBuf,
    },
    /// Not even its owner may replace it while an attribute says so.
    #[error("refusing to replace manifest {}: {} is immutable or append-only", path.display(), at.display())]
    Unchangeable {
        /// The path.
        path: PathBuf,
        /// The manifest, or its directory.
        at: PathBuf,
    },
    /// The new file could not be given the old one's owner, mode or attributes.
    #[error("refusing to replace manifest {}: cannot keep its {what}", path.display())]
    Attributes {
        /// The path.
        path: PathBuf,
        /// `owner`, `mode` or the name of an extended attribute.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The disk, the quota or the allowed file size is used up.
    #[error("cannot write beside manifest {}: no space left", path.display())]
    NoSpace {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ManifestError {
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_owned(), source: source.into() }
    }

    /// The error of creating, writing or renaming a file beside `manifest`.
    pub(super) fn beside(action: &'static str, path: &Path, manifest: &Path, source: impl Into<io::Error>) -> Self {
        let (source, manifest) = (source.into(), manifest.to_owned());
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Self::NoSpace { path: manifest, source },
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Self::ReadOnlyDirectory { path: manifest, source },
            Some(Errno::BUSY) => Self::MountPoint { path: manifest },
            _ => Self::io(action, path, source),
        }
    }

    /// Whether trying again later may help: somebody else was at it.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Busy { .. })
    }

    /// Whether the file is one that headcount will not replace.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::HardLinked { .. }
                | Self::MountPoint { .. }
                | Self::ReadOnlyDirectory { .. }
                | Self::ReadOnlyFile { .. }
                | Self::Unchangeable { .. }
                | Self::Attributes { .. }
        )
    }
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("an unknown process"),
        }
    }
}

/// An update failed. The manifest holds the newest version anyone saved.
#[derive(Debug)]
pub struct UpdateError<E> {
    /// Versions that were kept beside the manifest all the same.
    pub saved: Vec<PathBuf>,
    /// What failed.
    pub cause: UpdateCause<E>,
}

/// What made an update fail.
#[derive(Debug)]
pub enum UpdateCause<E> {
    /// The file.
    Manifest(ManifestError),
    /// The plan.
    Plan(E),
}

impl<E: fmt::Display> fmt::Display for UpdateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            UpdateCause::Manifest(e) => e.fmt(f),
            UpdateCause::Plan(e) => e.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for UpdateError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            UpdateCause::Manifest(e) => e.source(),
            UpdateCause::Plan(e) => e.source(),
        }
    }
}
