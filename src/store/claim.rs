//! A claim to be the only one of one's kind on this host: a lock for as long as the process lives. Never waits, and never takes
//! a claim from anybody.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::TextHash;
use super::paths::StateHome;

/// A claim, until this is dropped. The file stays: one that is removed could be locked twice.
#[derive(Debug)]
pub struct Claim {
    _file: File,
}

/// The claim is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Somebody has it.
    #[error("another headcount{} already does", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Taken {
        /// The process, if it says which it is.
        pid: Option<u32>,
    },
    /// Its file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Who carries texts of a manifest to agents, as a claim says it.
pub fn of_deliverer(manifest: &Path) -> String {
    of("deliver", manifest)
}

/// Who makes reality follow a manifest, as a claim says it.
pub fn of_enforcer(manifest: &Path) -> String {
    of("enforce", manifest)
}

fn of(what: &str, manifest: &Path) -> String {
    let manifest = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
    format!("{what} {}", manifest.display())
}

impl Claim {
    /// Whether somebody has this claim now. Makes nothing.
    pub fn is_taken(home: &StateHome, what: &str) -> bool {
        let Ok(file) = File::open(Self::place(home, what)) else { return false };
        matches!(fs4::FileExt::try_lock_shared(&file), Err(TryLockError::WouldBlock))
    }

    fn place(home: &StateHome, what: &str) -> PathBuf {
        home.path().join("claims").join(format!("{}.lock", TextHash::of(what.as_bytes()).short(16)))
    }

    /// Claims to be the only one that is `what`, which may be any text.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn take(home: &StateHome, what: &str) -> Result<Self, ClaimError> {
        let directory = home.path().join("claims");
        let path = Self::place(home, what);
        let fail = |action, path: &PathBuf| {
            let path = path.clone();
            move |source| ClaimError::Io { action, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(fail("create", &directory))?;
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let mut file = options.open(&path).map_err(fail("open", &path))?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Whom to name is a courtesy.
                let _ = file.take(32).read_to_string(&mut text);
                return Err(ClaimError::Taken { pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(fail("lock", &path)(source)),
        }
        let note = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        note.map_err(fail("write", &path))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn one_at_a_time_has_a_claim_and_the_next_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = StateHome::at(dir.path().join("headcount"));
        let claim = Claim::take(&home, "a/b\n").unwrap();
        let other = Claim::take(&home, "c").unwrap();
        let Err(ClaimError::Taken { pid }) = Claim::take(&home, "a/b\n") else { panic!("it was had twice") };
        assert_eq!(pid, Some(std::process::id()));
        assert!(Claim::is_taken(&home, "a/b\n") && !Claim::is_taken(&home, "d"));
        drop((claim, other));
        assert!(!Claim::is_taken(&home, "a/b\n"));
        Claim::take(&home, "a/b\n").unwrap();
    }
}
