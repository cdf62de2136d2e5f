//! What was said in a crew, in three files of a runtime directory, and what every file of a crew is written with. Never decides what is
//! kept.
//!
//! ```text
//! DIR/context/context.jsonl     what was said, for programs
//! DIR/context/context.md        the same for people and agents
//! DIR/context/live.log          the same with times
//! DIR/artifacts                 what is too long for a line
//! DIR/lock                      held by whoever writes
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::replace;
use crate::core::crew::{ContextEntry, CrewRefusal};
use crate::fault;

const LOCK: &str = "lock";
/// The directories of a runtime directory.
pub(super) const OF_CONTEXT: [&str; 2] = ["context", "artifacts"];
/// The three files of the context.
const CONTEXT: [&str; 3] = ["context/context.jsonl", "context/context.md", "context/live.log"];

/// The longest log that is read.
const MOST: u64 = 256 << 20;
/// So much of the end of the context holds its last entry.
const TAIL: u64 = 64 << 10;

/// The files of a crew cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// A file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The directory is not one of this user alone.
    #[error("{} {why}", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No crew is in it.
    #[error("no crew is in {}", .0.display())]
    NoCrew(PathBuf),
    /// One is already.
    #[error("a crew is in {} already", .0.display())]
    Taken(PathBuf),
    /// A newer headcount made it.
    #[error("the crew in {} was made by a newer headcount", .0.display())]
    Newer(PathBuf),
    /// The manager's key is not in this state directory.
    #[error("only the manager of the crew in {} may do that, and its key is not here", .0.display())]
    NoKey(PathBuf),
    /// It may not happen.
    #[error(transparent)]
    Refused(#[from] CrewRefusal),
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CrewError {
    let path = path.to_owned();
    move |source| CrewError::Io { action, path, source }
}

/// Whether a directory is one of this user alone.
pub(super) fn is_private(path: &Path) -> Result<(), CrewError> {
    is_closed(path, 0o077, "is open to other users; `chmod 700` closes it")
}

/// Whether a directory is one into which only this user writes. Others may look into it: what is below is closed to them.
fn is_own(path: &Path) -> Result<(), CrewError> {
    is_closed(path, 0o022, "can be written by other users; `chmod go-w` ends that")
}

/// Whether a directory is one of this user, and others have none of these permissions.
fn is_closed(path: &Path, to_others: u32, otherwise: &'static str) -> Result<(), CrewError> {
    let metadata = path.symlink_metadata().map_err(failed("look at", path))?;
    let why = match (metadata.is_dir(), metadata.uid() == rustix::process::geteuid().as_raw(), metadata.mode() & to_others) {
        (false, ..) => "is no directory",
        (_, false, _) => "belongs to another user",
        (_, _, 0) => return Ok(()),
        _ => otherwise,
    };
    Err(CrewError::NotOurs { path: path.to_owned(), why })
}

pub(super) fn make_directory(path: &Path) -> Result<(), CrewError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_private(path),
        other => other.map_err(failed("create", path)),
    }
}

/// The lines of a file that can be read; half a line at its end, and what is none, is left out.
pub(super) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CrewError> {
    let open = || {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text)?;
        Ok(text)
    };
    match open() {
        Ok(text) => Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Adds a line, and puts it on disk. What could not be written whole is taken back.
pub(super) fn add_line(path: &Path, line: &str) -> Result<(), CrewError> {
    let write = || replace::append_line(path, line.as_bytes());
    fault::around("write a line of a crew", write).map_err(failed("write", path))
}

/// Takes the lock of a crew, once nobody else has it.
pub(super) fn lock(directory: &Path) -> Result<File, CrewError> {
    let path = directory.join(LOCK);
    let lock = || {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.custom_flags(libc::O_NOFOLLOW).open(&path)?;
        fs4::FileExt::lock(&file)?;
        Ok(file)
    };
    fault::around("lock a crew", lock).map_err(failed("lock", &path))
}

/// Writes documents into a directory, which is made if it is not there; each is at every instant the old or the new one.
///
/// # Errors
/// [`CrewError`].
pub fn keep(directory: &Path, documents: &[(&str, Value)]) -> Result<Vec<PathBuf>, CrewError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("create", directory))?;
    let directory = directory.canonicalize().map_err(failed("look at", directory))?;
    is_own(&directory)?;
    let write = |(name, document): &(&str, Value)| {
        let path = directory.join(name);
        let text = serde_json::to_string_pretty(document).map_err(io::Error::other).map_err(failed("write", &path))?;
        let write = || replace::replace(&path, (text + "\n").as_bytes());
        fault::around("keep a document of a crew", write).map_err(failed("write", &path))?;
        Ok(path)
    };
    documents.iter().map(write).collect()
}

/// What was said, in a runtime directory.
#[derive(Debug, Clone)]
pub struct ContextFiles {
    directory: PathBuf,
}

impl ContextFiles {
    /// Those of a crew, whose directory was looked at.
    pub(super) fn of(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Those of a directory, which is made with all that belongs in it if it is not there.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn create(directory: &Path) -> Result<Self, CrewError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("create", directory))?;
        let directory = directory.canonicalize().map_err(failed("look at", directory))?;
        is_own(&directory)?;
        for below in OF_CONTEXT.map(|below| directory.join(below)) {
            match DirBuilder::new().mode(0o700).create(&below) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_own(&below)?,
                other => other.map_err(failed("create", &below))?,
            }
        }
        for path in CONTEXT.map(|name| directory.join(name)) {
            replace::append(&path).map_err(failed("create", &path))?;
        }
        Ok(Self { directory })
    }

    /// Those of a directory that is there; its links are followed. Nothing is made.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn open(directory: &Path) -> Result<Self, CrewError> {
        let directory = directory.canonicalize().map_err(failed("look at", directory))?;
        is_own(&directory)?;
        is_own(&directory.join(OF_CONTEXT[0]))?;
        Ok(Self { directory })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its three files: for programs, for people, with times.
    pub fn files(&self) -> [PathBuf; 3] {
        CONTEXT.map(|name| self.directory.join(name))
    }

    /// Where what is too long for a line is kept.
    pub fn artifacts(&self) -> PathBuf {
        self.directory.join(OF_CONTEXT[1])
    }

    /// What was said with a higher number, in order. What cannot be read is left out. In a directory of other tools each task counts
    /// for itself, so the numbers do not grow from line to line.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn entries_since(&self, since: u64) -> Result<Vec<ContextEntry>, CrewError> {
        let mut entries: Vec<ContextEntry> = lines(&self.directory.join(CONTEXT[0]))?;
        entries.retain(|entry| entry.seq > since);
        Ok(entries)
    }

    /// The same as whoever wrote it has written it.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn raw(&self) -> Result<Vec<Value>, CrewError> {
        lines(&self.directory.join(CONTEXT[0]))
    }

    /// The number of the last entry.
    pub(super) fn last(&self) -> Result<u64, CrewError> {
        let path = self.directory.join(CONTEXT[0]);
        let read = || {
            let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path)?;
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut text = Vec::new();
            file.take(TAIL).read_to_end(&mut text)?;
            Ok::<_, io::Error>(text)
        };
        match read() {
            Ok(text) => {
                let entry = |line| serde_json::from_slice::<ContextEntry>(line).ok();
                Ok(text.split(|byte| *byte == b'\n').filter_map(entry).map(|entry| entry.seq).max().unwrap_or(0))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Adds an entry to each file. Whoever calls it has the lock.
    pub(super) fn add(&self, entry: &ContextEntry) -> Result<(), CrewError> {
        let path = self.directory.join(CONTEXT[0]);
        let line = serde_json::to_string(entry).map_err(io::Error::other).map_err(failed("write", &path))?;
        for (name, line) in CONTEXT.iter().zip([line, entry.in_markdown(), entry.in_log()]) {
            add_line(&self.directory.join(name), &line)?;
        }
        Ok(())
    }

    /// Keeps a text that is too long for an entry in a file of its own. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn keep_text(&self, (task, seq): (&str, u64), text: &str) -> Result<PathBuf, CrewError> {
        let directory = self.artifacts().join(task);
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed("create", &directory))?;
        is_own(&directory)?;
        let path = directory.join(format!("context-{seq}.txt"));
        match fault::around("keep a text of a crew", || replace::make(&path, text.as_bytes())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("write", &path)(error)),
            _ => Ok(path),
        }
    }

    /// Adds an entry, unless there is one of this task with this number. Gives whether it was added.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn add_new(&self, entry: &ContextEntry) -> Result<bool, CrewError> {
        let _lock = lock(&self.directory)?;
        let same = |line: &Value| line["seq"] == entry.seq && line["task_id"] == entry.task_id.as_str();
        if lines::<Value>(&self.directory.join(CONTEXT[0]))?.iter().any(same) {
            return Ok(false);
        }
        self.add(entry).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::core::crew::ContextKind;

    fn entry(seq: u64, task: &str) -> ContextEntry {
        ContextEntry {
            seq,
            ts: "1970-01-01T00:00:00Z".into(),
            task_id: task.into(),
            from: "manager".into(),
            to: "w".into(),
            kind: ContextKind::NOTE,
            summary: "s".into(),
            artifact_path: None,
        }
    }

    #[test]
    fn an_entry_is_added_once_whoever_adds_it() {
        let temp = tempfile::tempdir().unwrap();
        let files = ContextFiles::create(&temp.path().join("a/b")).unwrap();
        let added: usize = std::thread::scope(|scope| {
            let all: Vec<_> = (0..10)
                .map(|writer| {
                    let files = files.clone();
                    scope.spawn(move || {
                        let both = [entry(1, "t"), entry(writer + 2, "t")];
                        both.iter().filter(|entry| files.add_new(entry).unwrap()).count()
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(added, 11);
        assert!(files.add_new(&entry(1, "u")).unwrap() && !files.add_new(&entry(1, "u")).unwrap());
        assert_eq!(files.entries_since(0).unwrap().len(), 12);
        for path in files.files() {
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 12, "{}", path.display());
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn only_a_directory_that_nobody_else_writes_into_is_used() {
        let temp = tempfile::tempdir().unwrap();
        let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let directory = temp.path().join("a");
        ContextFiles::create(&directory).unwrap();
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        open(&directory, 0o755);
        ContextFiles::create(&directory).unwrap();
        for (path, below) in [(directory.clone(), ""), (directory.join("context"), "context")] {
            open(&path, 0o777);
            let refused = ContextFiles::create(&directory);
            assert!(matches!(refused, Err(CrewError::NotOurs { path, .. }) if path.ends_with(below)));
            open(&path, 0o700);
        }
        std::fs::rename(directory.join("context"), temp.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(temp.path().join("elsewhere"), directory.join("context")).unwrap();
        assert!(matches!(ContextFiles::create(&directory), Err(CrewError::NotOurs { .. })));
    }
}
