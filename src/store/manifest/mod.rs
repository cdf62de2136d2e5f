//! The manifest as a file: stable reads, the lock, and the replacement that loses nobody's save. Never looks inside the text.
//!
//! # What is promised
//!
//! 1. Every version anyone saved is in the manifest, or in a file beside it (`<name>.saved-<time>`) that the outcome or the
//!    error names. A version that its own author or another editor overwrote *while it was the manifest* is theirs to lose.
//! 2. The manifest is at every instant one whole version, also if we are killed or the power fails.
//! 3. Nothing is written if the plan changes nothing, and a refusal or a full disk leaves the manifest as it was.
//!
//! # The protocol, and why each step is there
//!
//! All of it runs under the lock of a sidecar `<resolved file>.lock`, which is never renamed or deleted: a lock on the manifest
//! itself would be a lock on an inode that a replacement takes away. Editors do not know that lock, so everything below
//! assumes that an editor may act between any two system calls.
//!
//! ```text
//!  read  ─► plan ─► .tmp ─fsync─► .swap ─exchange─► what came out? ── the text read, unheld ─► fsync dir ─► unlink ─► done
//!    ▲                                                   └─ anything else ─► put the newest back ─► keep the rest ─┐
//!    └─────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! * *Read.* A text younger than 100 ms, or one somebody has open for writing, is read until it stands still: half a YAML file
//!   often parses. The hash of what was read is the only base the plan may be applied to.
//! * *Temp file.* Written as `.tmp` and renamed to `.swap` when whole and on disk. A `.tmp` is therefore always ours to delete,
//!   and a `.swap` is never half of our text; its name holds the hashes of the text read and of the new one, which is all that
//!   recovery needs to know.
//! * *Exchange.* `rename` over the manifest would destroy a version saved a microsecond earlier. `RENAME_EXCHANGE` destroys
//!   nothing: whatever was there comes out under the `.swap` name, to be judged at leisure.
//! * *Judging.* A read lease (see `lease.rs`) on what came out is refused if an editor that writes in place has it open; then
//!   its content is not decided yet and it must go back under the manifest's name, whatever it holds now. With the lease the
//!   content cannot change while it is hashed. The lease is kept while the directory is synced and is asked again just before
//!   the unlink: an editor that was already inside `open` has then broken it. What is left is an editor that is stopped between
//!   finding the inode and asking the file system for it, for as long as all of that takes; no user-space program can see it.
//! * *Putting back.* Each exchange places one version and brings out another. If that is the one we put there before, nobody
//!   saved in between, so what was placed is the newest and stays. If it is not, somebody saved it after that exchange, so it
//!   is newer than what was just placed and goes back in turn. Our own text that comes out is deleted, anybody else's is kept
//!   beside the manifest. An editor that renames over our text destroys only our text. If the manifest was removed meanwhile,
//!   the version in our hand is kept beside it rather than forced back.
//! * *Owner, mode, attributes* are given to the temp file before the exchange and compared after it, so a `chmod` is not lost
//!   (unless we are killed between the two: recovery compares texts only).
//!
//! # A crash at any instant
//!
//! | killed | on disk | next holder of the lock |
//! | --- | --- | --- |
//! | while writing | old manifest, `.tmp` | deletes it |
//! | before the exchange | old manifest, `.swap` = new text | deletes it: its hash is one of its two names |
//! | after it | new manifest, `.swap` = old text | deletes it: same reason |
//! | after it, an editor had saved | manifest = new text, `.swap` = the editor's | exchanges back |
//! | while putting back, twice saved | manifest = one, `.swap` = the other | keeps it as `.saved-<time>` |
//!
//! Where the file system cannot exchange, the content is compared just before a plain rename; a save in the microseconds
//! between the two is lost. `headcount doctor` says so ([`exchange_supported`]).

mod error;
mod lock;
mod look;
mod rival;
mod swap;
mod temp;
mod update;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::TextHash;
pub use error::{ManifestError, UpdateCause, UpdateError};
pub use lock::LockedManifest;
use look::FileStat;
pub use rival::database_beside;
pub use swap::exchange_supported;

/// A manifest, by the path it was asked for. Holds nothing open.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    given: PathBuf,
    pace: Pace,
}

/// One version of a manifest.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The text.
    pub bytes: Vec<u8>,
    /// Its hash.
    pub hash: TextHash,
    /// When it was last modified.
    pub modified: DateTime<Utc>,
    /// The file it is in: absolute, symlinks resolved.
    pub path: PathBuf,
    /// False if it was still being written when the time to wait for it ran out: it may be half a text.
    pub settled: bool,
    stat: FileStat,
}

/// How an update goes about it.
#[derive(Debug, Clone)]
pub struct UpdateOptions {
    /// How long to wait for the lock.
    pub lock_wait: Duration,
    /// How long to wait for editors to stand still.
    pub editor_wait: Duration,
    /// How the new text takes the old one's place.
    pub replace: Replace,
    /// Told of each step.
    pub steps: WriteSteps,
}

impl Default for UpdateOptions {
    fn default() -> Self {
        Self {
            lock_wait: Duration::from_secs(10),
            editor_wait: Duration::from_secs(5),
            replace: Replace::Exchange,
            steps: WriteSteps::default(),
        }
    }
}

/// How a new text takes the old one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// By exchange and verification; where the file system cannot exchange, as [`Replace::Rename`].
    Exchange,
    /// By comparing just before a rename.
    Rename,
}

/// How long reads wait for a text to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// A text younger than this is read again.
    pub young: Duration,
    /// Time between two reads.
    pub again: Duration,
    /// The longest a read waits.
    pub limit: Duration,
    /// A text known to be whole, for instance the one headcount wrote last: however young, it is read once.
    pub known: Option<TextHash>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { young: Duration::from_millis(100), again: Duration::from_millis(20), limit: Duration::from_secs(1), known: None }
    }
}

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateOutcome {
    /// Whether something was written.
    pub change: TextChange,
    /// Versions that were kept beside the manifest, by this update or by the recovery of an earlier one.
    pub saved: Vec<PathBuf>,
}

/// Whether something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextChange {
    /// Nothing: the plan wanted nothing, or what is there.
    Unchanged,
    /// A new text is on disk.
    Written {
        /// The hash of the text the plan was made on.
        old: TextHash,
        /// The hash of the new text.
        new: TextHash,
    },
}

/// A step of an update; it has just been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteStep {
    /// The lock is held.
    Locked,
    /// Leftovers of earlier updates are gone.
    Recovered,
    /// The text was read.
    Read,
    /// The plan wants a change.
    Planned,
    /// Half of the new text is in the temp file.
    HalfWritten,
    /// All of it is, and on disk.
    Written,
    /// The temp file has the name under which it will be exchanged; or, without exchange, the text was compared.
    Ready,
    /// The exchange, or the rename, happened.
    Exchanged,
    /// What came out was judged.
    Judged,
    /// What came out was put back, or exchanged once more.
    PutBack,
    /// A version was kept beside the manifest.
    Kept,
    /// The directory is on disk.
    Synced,
    /// The leftover is deleted.
    Retired,
}

impl WriteStep {
    /// Every step, in order.
    pub const ALL: [Self; 13] = [
        Self::Locked,
        Self::Recovered,
        Self::Read,
        Self::Planned,
        Self::HalfWritten,
        Self::Written,
        Self::Ready,
        Self::Exchanged,
        Self::Judged,
        Self::PutBack,
        Self::Kept,
        Self::Synced,
        Self::Retired,
    ];
}

/// Somebody who is told of each [`WriteStep`] of an update, on its thread; the update goes on when the call returns. Tests put
/// editors, and deaths, between two steps with it.
#[derive(Clone, Default)]
pub struct WriteSteps(Option<Arc<dyn Fn(WriteStep) + Send + Sync>>);

impl WriteSteps {
    /// Tells `listener`.
    pub fn new(listener: impl Fn(WriteStep) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    fn took(&self, step: WriteStep) {
        if let Some(listener) = &self.0 {
            listener(step);
        }
    }
}

impl fmt::Debug for WriteSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Steps(listener)" } else { "Steps(nobody)" })
    }
}

impl ManifestFile {
    /// A manifest that is there, is a regular file and can be read. Creates and locks nothing.
    ///
    /// # Errors
    /// [`ManifestError::Missing`], [`ManifestError::Directory`], [`ManifestError::NotRegular`] or [`ManifestError::Unreadable`].
    pub fn open(path: &Path) -> Result<Self, ManifestError> {
        let given = std::path::absolute(path).map_err(|source| ManifestError::io("resolve", path, source))?;
        let manifest = Self { given, pace: Pace::default() };
        let resolved = manifest.resolved()?;
        look::open(&resolved).map_err(|failure| failure.about(&resolved))?;
        Ok(manifest)
    }

    /// The same manifest, read at another pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The path it was asked for, made absolute; symlinks not resolved.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// The file it is now: absolute, symlinks resolved.
    ///
    /// # Errors
    /// [`ManifestError::Missing`] or [`ManifestError::Unreadable`].
    pub fn resolved(&self) -> Result<PathBuf, ManifestError> {
        look::resolve(&self.given, &self.pace)
    }

    /// Reads it, without a lock. An old text that nobody has open for writing is read once; a young or held one until it stands
    /// still, at most [`Pace::limit`].
    ///
    /// # Errors
    /// As [`ManifestFile::open`].
    pub fn read(&self) -> Result<Snapshot, ManifestError> {
        let resolved = self.resolved()?;
        look::settled(&resolved, &self.pace, Instant::now() + self.pace.limit, look::WhenOpen::IfStill)
            .map(|(snapshot, _)| snapshot)
    }

    /// Whether an update would be refused, as far as that can be seen without locking or making anything: by the same checks.
    ///
    /// # Errors
    /// What the update would end with.
    pub fn check_replaceable(&self) -> Result<(), ManifestError> {
        let resolved = self.resolved()?;
        let (_, stat) = look::open(&resolved).map_err(|failure| failure.about(&resolved))?;
        temp::refuse(&resolved, &stat)?;
        lock::refuse(&resolved)?;
        temp::refuse_owner(&resolved, &stat)
    }

    /// Locks it and clears what a killed update left.
    ///
    /// # Errors
    /// [`ManifestError::Locked`] after [`UpdateOptions::lock_wait`]; [`ManifestError::ReadOnlyDirectory`]; others of a file system.
    pub fn lock(&self, options: &UpdateOptions) -> Result<LockedManifest, ManifestError> {
        LockedManifest::lock(self, options)
    }

    /// Locks it, has a change planned on its text and writes that; see the [module](self). `plan` gives the new text, or `None`
    /// if there is nothing to change. It is called again, with the new text, whenever somebody else saved first.
    ///
    /// # Errors
    /// Those of [`ManifestFile::lock`] and [`LockedManifest::update`].
    pub fn update<E>(
        &self,
        options: &UpdateOptions,
        plan: impl FnMut(&Snapshot) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<UpdateOutcome, UpdateError<E>> {
        let mut locked = self.lock(options).map_err(|e| UpdateError { saved: Vec::new(), cause: UpdateCause::Manifest(e) })?;
        locked.update(plan)
    }
}
