//! The file beside the manifest that is exchanged with it: its name, what came out, putting it back, recovery. Never plans.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::super::TextHash;
use super::look::{self, FileRead, ReadFailure};
use super::{ManifestError, WriteStep, WriteSteps};

/// Hex digits of each hash in a name: 128 bits tell any two versions apart and leave room for the manifest's own name.
const DIGITS: usize = 32;
/// Most exchanges made in putting back. Odd, so that even if nothing can be told the first version that came out ends up in
/// the manifest.
const MOST_EXCHANGES: usize = 9;
/// How long our own text may look held: a child process has our descriptors until it runs its program.
const OWN_CHILD: Duration = Duration::from_millis(100);

/// The directory of a manifest, seen from it.
#[derive(Debug)]
pub(super) struct SwapFile {
    manifest: PathBuf,
    directory: PathBuf,
    name: OsString,
    steps: WriteSteps,
    /// Versions that were kept.
    pub(super) saved: Vec<PathBuf>,
}

/// The two hashes in the name of a temp file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SwapNames {
    read: String,
    new: String,
}

impl SwapNames {
    pub(super) fn new(read: TextHash, new: TextHash) -> Self {
        Self { read: read.short(DIGITS), new: new.short(DIGITS) }
    }

    fn has(&self, hash: TextHash) -> bool {
        let hash = hash.short(DIGITS);
        self.read == hash || self.new == hash
    }
}

/// What is expected to come out of an exchange if nobody saved since the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExpectedText {
    /// Our own text, known by its inode (if we made it ourselves) and hash.
    Ours { inode: Option<(u64, u64)>, hash: String },
    /// Somebody's version, put there by the exchange before.
    Theirs { inode: (u64, u64), hash: TextHash },
    /// Nothing that can be recognised.
    Nothing,
}

impl ExpectedText {
    fn of(look: &Result<FileRead, ReadFailure>) -> Self {
        match look {
            Ok(look) if look.is_quiet() => Self::Theirs { inode: (look.stat.device, look.stat.inode), hash: look.hash },
            _ => Self::Nothing,
        }
    }

    fn is_content(&self, look: &FileRead) -> bool {
        let found = (look.stat.device, look.stat.inode);
        match self {
            Self::Ours { inode, hash } => inode.is_none_or(|inode| inode == found) && *hash == look.hash.short(DIGITS),
            Self::Theirs { inode, hash } => *inode == found && *hash == look.hash,
            Self::Nothing => false,
        }
    }
}

impl SwapFile {
    pub(super) fn new(manifest: PathBuf, steps: WriteSteps) -> Self {
        let directory = manifest.parent().unwrap_or(Path::new("/")).to_owned();
        let name = manifest.file_name().unwrap_or_default().to_owned();
        Self { manifest, directory, name, steps, saved: Vec::new() }
    }

    pub(super) fn manifest(&self) -> &Path {
        &self.manifest
    }

    /// The temp file of this change: `tmp` while it is written, `swap` when it may be exchanged.
    pub(super) fn temp(&self, names: &SwapNames, extension: &str) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{}.{}.{extension}", names.read, names.new));
        self.directory.join(name)
    }

    fn parse(&self, file: &OsStr) -> Option<(SwapNames, bool)> {
        let rest = file.as_bytes().strip_prefix(b".")?.strip_prefix(self.name.as_bytes())?.strip_prefix(b".")?;
        let rest = std::str::from_utf8(rest).ok()?;
        let (hashes, is_swap) = match rest.strip_suffix(".swap") {
            Some(hashes) => (hashes, true),
            None => (rest.strip_suffix(".tmp")?, false),
        };
        let (read, new) = hashes.split_once('.')?;
        let is_hash = |text: &str| text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (is_hash(read) && is_hash(new)).then(|| (SwapNames { read: read.to_owned(), new: new.to_owned() }, is_swap))
    }

    /// Clears what a killed update left; see the table in [`super`].
    pub(super) fn recover(&mut self) -> Result<(), ManifestError> {
        let fail = |source| ManifestError::io("list", &self.directory, source);
        let mut leftovers = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(fail)? {
            let file = entry.map_err(fail)?.file_name();
            if let Some((names, is_swap)) = self.parse(&file) {
                leftovers.push((self.directory.join(file), names, is_swap));
            }
        }
        leftovers.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, names, is_swap) in leftovers {
            if is_swap {
                self.recover_swap(&path, &names)?;
            } else {
                self.unlink(&path)?;
            }
        }
        Ok(())
    }

    fn recover_swap(&mut self, swap: &Path, names: &SwapNames) -> Result<(), ManifestError> {
        let mut left = look::look(swap);
        if matches!(&left, Ok(left) if left.is_quiet() && names.has(left.hash) && left.guard.holds()) {
            self.unlink(swap)?;
            return self.sync();
        }
        // Our child, forked while the temp file was open, may outlive us for a moment.
        let patience = Instant::now() + OWN_CHILD;
        while Instant::now() < patience && matches!(&left, Ok(left) if !left.is_quiet() && names.has(left.hash)) {
            drop(left);
            std::thread::sleep(Duration::from_millis(5));
            left = look::look(swap);
        }
        let ours = ExpectedText::Ours { inode: None, hash: names.new.clone() };
        match look::look(&self.manifest) {
            Ok(manifest) if manifest.is_quiet() && ours.is_content(&manifest) => {
                drop((left, manifest));
                self.put_back(swap, names, ours)
            }
            _ => {
                drop(left);
                self.retire(swap, names)?;
                self.sync()
            }
        }
    }

    /// Exchanges the swap file and the manifest, and says so.
    pub(super) fn exchange(&self, swap: &Path) -> Result<(), Errno> {
        renameat_with(CWD, swap, CWD, &self.manifest, RenameFlags::EXCHANGE)
    }

    /// Puts the newest version back into the manifest's place. The swap file holds a version somebody saved; `expected` is what
    /// the manifest holds if nobody saved since. Afterwards the swap file is gone.
    pub(super) fn put_back(&mut self, swap: &Path, names: &SwapNames, mut expected: ExpectedText) -> Result<(), ManifestError> {
        for _ in 0..MOST_EXCHANGES {
            let placed = ExpectedText::of(&look::look(swap));
            match self.exchange(swap) {
                Ok(()) => self.steps.took(WriteStep::PutBack),
                // The manifest was removed: our text with it, so only the version in hand is left, and it is kept.
                Err(Errno::NOENT) => break,
                Err(errno) => {
                    self.keep(swap)?;
                    return Err(ManifestError::beside("exchange back", swap, &self.manifest, errno));
                }
            }
            let out = self.look_patiently(swap, &expected);
            if matches!(&out, Ok(out) if out.is_quiet() && expected.is_content(out)) {
                break;
            }
            expected = placed;
        }
        self.retire(swap, names)?;
        self.sync()
    }

    /// Looks at what came out. If it has the expected text but seems held, that may be a child of ours.
    fn look_patiently(&self, swap: &Path, expected: &ExpectedText) -> Result<FileRead, ReadFailure> {
        let patience = Instant::now() + OWN_CHILD;
        loop {
            let out = look::look(swap);
            let may_be_ours = matches!(&out, Ok(out) if !out.is_quiet() && expected.is_content(out));
            if !may_be_ours || Instant::now() >= patience {
                return out;
            }
            drop(out);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Gets rid of a swap file that is not needed any more: deleted if it is the text read or the new one and nobody is
    /// writing it, else kept.
    pub(super) fn retire(&mut self, swap: &Path, names: &SwapNames) -> Result<(), ManifestError> {
        let left = look::look(swap);
        match &left {
            Err(ReadFailure::Gone) => return Ok(()),
            Ok(left) if left.is_quiet() && names.has(left.hash) && left.guard.holds() => return self.unlink(swap),
            _ => drop(left),
        }
        self.keep(swap)
    }

    /// Gives a version a name beside the manifest under which its author finds it. Whoever has it open goes on writing to it.
    fn keep(&mut self, swap: &Path) -> Result<(), ManifestError> {
        let stamp = Utc::now().format("%Y%m%dT%H%M%S%.3fZ").to_string();
        for attempt in 1..=1000 {
            let mut name = self.name.clone().into_vec();
            name.extend_from_slice(format!(".saved-{stamp}").as_bytes());
            if attempt > 1 {
                name.extend_from_slice(format!("-{attempt}").as_bytes());
            }
            let kept = self.directory.join(OsString::from_vec(name));
            match renameat_with(CWD, swap, CWD, &kept, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    tracing::warn!(kept = %kept.display(), "a version of the manifest was kept beside it");
                    self.saved.push(kept);
                    self.steps.took(WriteStep::Kept);
                    return Ok(());
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(ManifestError::beside("keep", swap, &self.manifest, errno)),
            }
        }
        Err(ManifestError::beside("keep", swap, &self.manifest, Errno::EXIST))
    }

    pub(super) fn unlink(&self, path: &Path) -> Result<(), ManifestError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ManifestError::io("delete", path, source)),
            _ => {
                self.steps.took(WriteStep::Retired);
                Ok(())
            }
        }
    }

    pub(super) fn sync(&self) -> Result<(), ManifestError> {
        let synced = File::open(&self.directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| ManifestError::io("sync directory", &self.directory, source))?;
        self.steps.took(WriteStep::Synced);
        Ok(())
    }
}

/// Whether the file system of this directory can exchange two files. Makes two files in it and deletes them.
///
/// # Errors
/// The directory cannot be written.
pub fn exchange_supported(directory: &Path) -> std::io::Result<bool> {
    let one = tempfile::NamedTempFile::new_in(directory)?;
    let two = tempfile::NamedTempFile::new_in(directory)?;
    match renameat_with(CWD, one.path(), CWD, two.path(), RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(errno) if is_unsupported(errno) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// The answers of kernels and file systems that cannot exchange.
pub(super) fn is_unsupported(errno: Errno) -> bool {
    errno == Errno::INVAL || errno == Errno::NOSYS || errno == Errno::OPNOTSUPP
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn only_our_own_names_are_taken_for_leftovers() {
        let beside = SwapFile::new(PathBuf::from("/d/m.yaml"), WriteSteps::default());
        let names = SwapNames::new(TextHash::of(b"a"), TextHash::of(b"b"));
        for extension in ["swap", "tmp"] {
            let temp = beside.temp(&names, extension);
            assert_eq!(beside.parse(temp.file_name().unwrap()), Some((names.clone(), extension == "swap")));
        }
        let (a, b) = ("0".repeat(32), "G".repeat(32));
        for other in [
            ".m.yaml.swap".to_owned(),
            ".m.yaml.swp".to_owned(),
            format!(".m.yaml.{a}.{b}.swap"),
            format!(".m.yaml.{a}.{a}.swap~"),
            format!("m.yaml.{a}.{a}.swap"),
            format!(".n.yaml.{a}.{a}.swap"),
            "m.yaml.saved-20260101T000000.000Z".to_owned(),
        ] {
            assert_eq!(beside.parse(OsStr::new(&other)), None, "{other}");
        }
    }
}
