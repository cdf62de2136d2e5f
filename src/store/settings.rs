//! The settings of an agent, which a person asked headcount to edit: read and replaced whole. The one place that writes a file that is not
//! headcount's own. Never interprets it, and refuses one that it cannot put back as it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs4::TryLockError;
use rustix::process::geteuid;

/// Longer settings are none that a person wrote.
const MOST: u64 = 4 << 20;

/// Why settings are not read or written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFileError {
    /// They are left alone.
    #[error("{} {why}", path.display())]
    Refused {
        /// The file or its directory.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// Another headcount is editing them.
    #[error("another headcount is editing {}", .0.display())]
    Busy(PathBuf),
    /// The system does not let us.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Settings as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsText {
    /// The text.
    pub text: String,
    mode: u32,
}

/// Settings that nobody else who asks is editing.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    /// Its directory, locked: a lock file beside the settings would be one more file of ours there.
    _lock: File,
}

impl SettingsFile {
    /// Takes the settings at a path. Their directory has to be there; it has to be ours and no link.
    ///
    /// # Errors
    /// [`SettingsFileError`].
    pub fn take(path: &Path) -> Result<Self, SettingsFileError> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let fail = |action| io_error(action, directory);
        let status = directory.symlink_metadata().map_err(fail("look at"))?;
        refuse_unless(status.is_dir(), directory, "is no directory of its own: a link leads elsewhere")?;
        refuse_unless(is_ours(&status), directory, "belongs to another user")?;
        let lock = File::open(directory).map_err(fail("open"))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SettingsFileError::Busy(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(fail("lock")(source)),
        }
    }

    /// The settings; `None` if there are none.
    ///
    /// # Errors
    /// [`SettingsFileError`].
    pub fn read(&self) -> Result<Option<SettingsText>, SettingsFileError> {
        read(&self.path)
    }

    /// Replaces the settings by a text, or removes them, if they are what they were. At every instant they are the old or the new ones.
    ///
    /// # Errors
    /// [`SettingsFileError`].
    pub fn write(&self, before: Option<&SettingsText>, after: Option<&str>) -> Result<(), SettingsFileError> {
        let (path, directory) = (self.path.as_path(), self.path.parent().unwrap_or(Path::new("/")));
        let fail = |action| io_error(action, path);
        let is_as_it_was = || {
            let now = read(path)?;
            refuse_unless(now.as_ref() == before, path, "was changed meanwhile; run it again")
        };
        let Some(after) = after else {
            is_as_it_was()?;
            std::fs::remove_file(path).map_err(fail("remove"))?;
            return Ok(());
        };
        let mode = std::fs::Permissions::from_mode(before.map_or(0o600, |before| before.mode));
        let mut temp = tempfile::Builder::new()
            .prefix(".headcount-")
            .suffix(".tmp")
            .tempfile_in(directory)
            .map_err(fail("write beside"))?;
        temp.write_all(after.as_bytes()).map_err(fail("write beside"))?;
        temp.as_file().set_permissions(mode).map_err(fail("keep the mode of"))?;
        temp.as_file().sync_all().map_err(fail("write beside"))?;
        is_as_it_was()?;
        match before {
            Some(_) => drop(temp.persist(path).map_err(|error| fail("replace")(error.error))?),
            None => drop(temp.persist_noclobber(path).map_err(|error| fail("make")(error.error))?),
        }
        // That it is there is safe once its directory is.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(fail("keep"))
    }
}

/// The settings at a path; `None` if there are none.
///
/// # Errors
/// [`SettingsFileError`].
pub fn read(path: &Path) -> Result<Option<SettingsText>, SettingsFileError> {
    let fail = |action| io_error(action, path);
    let refuse = |why| SettingsFileError::Refused { path: path.to_owned(), why };
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = match open {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(refuse("is a link to a file elsewhere; edit that one by hand"));
        }
        Err(error) => return Err(fail("open")(error)),
    };
    let status = file.metadata().map_err(fail("look at"))?;
    refuse_unless(status.is_file(), path, "is no regular file")?;
    refuse_unless(is_ours(&status), path, "belongs to another user")?;
    refuse_unless(status.nlink() == 1, path, "has other names, which a new file would not have")?;
    refuse_unless(status.len() <= MOST, path, "is too long for settings")?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(fail("read"))?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("is no text in UTF-8"))?;
    Ok(Some(SettingsText { text, mode: status.permissions().mode() & 0o7777 }))
}

fn is_ours(status: &std::fs::Metadata) -> bool {
    status.uid() == geteuid().as_raw()
}

fn refuse_unless(is_fine: bool, path: &Path, why: &'static str) -> Result<(), SettingsFileError> {
    if is_fine { Ok(()) } else { Err(SettingsFileError::Refused { path: path.to_owned(), why }) }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SettingsFileError + use<> {
    let path = path.to_owned();
    move |source| SettingsFileError::Io { action, path, source }
}
