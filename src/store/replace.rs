//! Small private files of ours: replaced whole, appended to, locked. Never used on the manifest.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Replaces a file by one with this content, mode 0600, so that it is at every instant the old or the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    written(path, content)?.persist(path)?;
    Ok(())
}

/// Makes a file that must not be there yet, mode 0600: it is there with this content or not at all, and only one process makes it.
pub(super) fn make(path: &Path, content: &[u8]) -> io::Result<()> {
    written(path, content)?.persist_noclobber(path)?;
    Ok(())
}

/// A file beside this one, with its content on disk.
fn written(path: &Path, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temp =
        tempfile::Builder::new().prefix(".new-").permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(directory)?;
    temp.write_all(content)?;
    temp.as_file().sync_data()?;
    Ok(temp)
}

/// Makes the name of a file safe that was made or renamed.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    File::open(directory)?.sync_all()
}

/// Adds a line, and puts it on disk. Half a line at the end is closed first: behind it, this would be none. After a failure the file is as
/// it was.
pub(super) fn append_line(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = append(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut bytes = Vec::with_capacity(line.len() + 2);
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            bytes.push(b'\n');
        }
    }
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    file.write_all(&bytes).and_then(|()| file.sync_data()).inspect_err(|_| {
        // Whoever reads leaves half a line out as well.
        let _ = file.set_len(length);
    })
}

/// Opens a file for reading and appending, mode 0600 if it is new.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}
