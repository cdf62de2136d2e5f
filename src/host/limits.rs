//! How many files this process may hold open, and that its children do not notice. Raises only what the system lets anyone raise.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit this process was started with, once it was raised.
static STARTED_WITH: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit of open files as far as it goes, and gives it (`None`: there is no limit). A second call changes nothing.
///
/// # Errors
/// If the system refuses.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Kept before it is raised, so that no child can be started with the higher limit.
        let _ = STARTED_WITH.set(limit);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(limit.maximum)
}

/// How many files this process may hold open now; `None`: there is no limit.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Lets a child have the limit that this process was started with: programs that use `select` break with more than 1024 files.
#[allow(unsafe_code)]
pub fn restore_in(command: &mut Command) {
    let Some(limit) = STARTED_WITH.get().copied() else { return };
    // SAFETY: between fork and exec the closure makes one system call on a value it owns; it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || setrlimit(Resource::Nofile, limit).map_err(io::Error::from));
    }
}
