//! Reading and replacing the small files of a registry. Never follows a link, never waits for a pipe, never reads without end.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Files made only to replace another begin and end with these: one that is left over was left by somebody who was killed.
const SCAFFOLD: (&str, &str) = (".headcount-", ".tmp");

/// Opens a regular file for reading.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// The whole of a file that has at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// How safe a file is to be from a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    /// As safe as the disk.
    Yes,
    /// Whole, whatever happens to the process.
    FromUs,
}

/// Replaces a file, or makes it, so that at every instant it is the old or the new one; mode 0600.
pub(super) fn replace(path: &Path, content: &[u8], durable: Durable) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temp = tempfile::Builder::new()
        .prefix(SCAFFOLD.0)
        .suffix(SCAFFOLD.1)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory)?;
    temp.write_all(content)?;
    if durable == Durable::Yes {
        temp.as_file().sync_data()?;
    }
    temp.persist(path)?;
    Ok(())
}

/// Makes what was made and renamed in a directory safe.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes what killed writers left over. Only under the lock, because nobody else may be about to use it.
pub(super) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_scaffold = name.to_str().is_some_and(|name| name.starts_with(SCAFFOLD.0) && name.ends_with(SCAFFOLD.1));
        if is_scaffold {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file that may be gone already; gives whether it was there.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Random bytes from the kernel.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
