//! The two locks of acting: one for a session, held while it is looked at and acted on; one for a conversation, held by the launcher
//! for as long as its agent lives. Neither waits.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::super::TextHash;
use super::super::paths::StateHome;
use crate::fault;

/// A lock is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("another headcount is at it")]
    Taken,
    /// Its file.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Nobody else acts on a session until this is dropped.
#[derive(Debug)]
pub struct SessionLock {
    _file: File,
}

/// Nobody else is started in a conversation until this is dropped, or its process has ended.
#[derive(Debug)]
pub struct ConversationLock {
    _file: File,
}

impl SessionLock {
    /// Locks the session of a name on the server with this socket. Everyone who reaches that server meets at one file, whichever
    /// home or manifest he has: it lies beside the socket where that is a private directory of ours.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(state: &StateHome, socket: &Path, name: &str) -> Result<Self, LockError> {
        // An alias of a socket is the same server.
        let socket = &socket.canonicalize().unwrap_or_else(|_| socket.to_path_buf());
        let beside = socket.parent().and_then(|parent| parent.canonicalize().ok()).filter(|parent| is_private(parent));
        let path = match beside {
            Some(directory) => {
                let server = socket.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default();
                let text = [server.as_slice(), b"\0", name.as_bytes()].concat();
                directory.join(format!(".headcount-{}.lock", TextHash::of(&text).short(16)))
            }
            None => {
                let place = socket.metadata().map(|it| format!("{}:{}", it.dev(), it.ino()));
                let place = place.unwrap_or_else(|_| socket.display().to_string());
                let text = format!("{place}\0{name}");
                in_directory(&state.path().join("locks"), &text)?
            }
        };
        fault::around("lock the session", || lock(&path)).map(|_file| Self { _file })
    }
}

impl ConversationLock {
    /// Locks a conversation, by a text that names it, for an agent that runs with this HOME.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(home: &Path, conversation: &str) -> Result<Self, LockError> {
        let path = in_directory(&Self::directory(home), conversation)?;
        fault::around("lock the conversation", || lock(&path)).map(|_file| Self { _file })
    }

    fn directory(home: &Path) -> PathBuf {
        home.join(".local/state/headcount/locks")
    }

    /// Its file, which may not be there.
    pub fn path(home: &Path, conversation: &str) -> PathBuf {
        file(&Self::directory(home), conversation)
    }

    /// Lets the lock go that is held for an agent which has left the conversation: from then on whoever is started in it meets at a new
    /// file. `is_so` is asked once nobody else can do the same.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn let_go(home: &Path, conversation: &str, is_so: impl FnOnce() -> bool) -> Result<(), LockError> {
        let guard = in_directory(&Self::directory(home), &format!("{conversation}\0let go"))?;
        let _alone = fault::around("lock what lets a conversation go", || lock(&guard))?;
        let path = Self::path(home, conversation);
        if is_so() {
            let removed = fault::around("let a conversation go", || std::fs::remove_file(&path));
            removed.map_err(|source| LockError::Io { path, source })?;
        }
        Ok(())
    }
}

fn in_directory(directory: &Path, text: &str) -> Result<PathBuf, LockError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| LockError::Io { path: directory.to_path_buf(), source })?;
    Ok(file(directory, text))
}

fn file(directory: &Path, text: &str) -> PathBuf {
    directory.join(format!("{}.lock", TextHash::of(text.as_bytes()).short(32)))
}

/// Whether a directory is ours, and nobody else may even look into it.
fn is_private(directory: &Path) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    directory.symlink_metadata().is_ok_and(|it| it.is_dir() && it.uid() == ours && it.mode() & 0o077 == 0)
}

fn lock(path: &Path) -> Result<File, LockError> {
    let failed = |source| LockError::Io { path: path.to_path_buf(), source };
    // A file that was taken away between opening and locking locks nothing.
    for _ in 0..8 {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let file = options.open(path).map_err(failed)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Taken),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let own = file.metadata().map_err(failed)?;
        if path.symlink_metadata().is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())) {
            return Ok(file);
        }
    }
    Err(failed(io::Error::other("the file is replaced again and again")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn whoever_reaches_one_server_meets_at_one_lock() {
        let dir = tempfile::tempdir().unwrap();
        let sockets = dir.path().join("tmux-0");
        std::fs::create_dir(&sockets).unwrap();
        std::os::unix::fs::symlink(&sockets, dir.path().join("alias")).unwrap();
        let [one, two] = ["one", "two"].map(|name| StateHome::at(dir.path().join(name)));
        for mode in [0o700, 0o755] {
            std::fs::set_permissions(&sockets, std::fs::Permissions::from_mode(mode)).unwrap();
            std::fs::write(sockets.join("default"), "").unwrap();
            let held = SessionLock::take(&one, &sockets.join("default"), "lab").unwrap();
            let other = if mode == 0o700 { &two } else { &one };
            let again = SessionLock::take(other, &dir.path().join("alias/default"), "lab");
            assert!(matches!(again, Err(LockError::Taken)), "{mode:o}");
            SessionLock::take(other, &sockets.join("default"), "lab2").unwrap();
            drop(held);
            SessionLock::take(other, &dir.path().join("alias/default"), "lab").unwrap();
        }
    }
}
