//! The files of a crew, in a directory of this user alone. Never decides what becomes of a task.
//!
//! ```text
//! DIR/crew.json                 its name, and the hash of the manager's key
//! DIR/tasks.jsonl               what has happened to its tasks, one line of JSON each: the truth
//! DIR/context/context.jsonl     what was said, for programs
//! DIR/context/context.md        the same for people and agents
//! DIR/context/live.log          the same with times
//! DIR/artifacts                 what is too long for a line
//! DIR/lock                      held by whoever writes
//! <state>/crews/HASH.key        the manager's key
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::TextHash;
use super::operations::read_own;
use super::paths::StateHome;
use super::replace;
use crate::core::crew::{ContextEntry, ContextKind, CrewEvent, CrewRecord, CrewRefusal, CrewTasks, Judgement, is_token};
use crate::fault;

const ABOUT: &str = "crew.json";
const TASKS: &str = "tasks.jsonl";
const LOCK: &str = "lock";
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

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CrewError {
    let path = path.to_owned();
    move |source| CrewError::Io { action, path, source }
}

/// What a crew is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct About {
    version: u32,
    name: String,
    key: String,
    begun: DateTime<Utc>,
}

/// The version of this build.
const VERSION: u32 = 1;

/// The directory of a crew.
#[derive(Debug, Clone)]
pub struct CrewHome {
    directory: PathBuf,
    /// How the crew is called.
    pub name: String,
    key: String,
}

/// Whether a directory is one of this user alone.
fn is_private(path: &Path) -> Result<(), CrewError> {
    let metadata = path.symlink_metadata().map_err(failed("look at", path))?;
    let why = match (metadata.is_dir(), metadata.uid() == rustix::process::geteuid().as_raw(), metadata.mode() & 0o077) {
        (false, ..) => "is no directory",
        (_, false, _) => "belongs to another user",
        (_, _, 0) => return Ok(()),
        _ => "is open to other users; `chmod 700` closes it",
    };
    Err(CrewError::NotOurs { path: path.to_owned(), why })
}

fn make_directory(path: &Path) -> Result<(), CrewError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_private(path),
        other => other.map_err(failed("create", path)),
    }
}

/// The lines of a file that can be read; half a line at its end, and what is none, is left out.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CrewError> {
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
fn add_line(path: &Path, line: &str) -> Result<(), CrewError> {
    let write = || replace::append_line(path, line.as_bytes());
    fault::around("write a line of a crew", write).map_err(failed("write", path))
}

impl CrewHome {
    /// Makes a crew, and its manager's key.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn create(directory: &Path, name: &str, key: &str, state: &StateHome, now: DateTime<Utc>) -> Result<Self, CrewError> {
        if !is_token(name) {
            return Err(CrewRefusal::BadName(name.to_owned()).into());
        }
        if let Some(parent) = directory.parent() {
            std::fs::create_dir_all(parent).map_err(failed("create", parent))?;
        }
        make_directory(directory)?;
        let directory = directory.canonicalize().map_err(failed("look at", directory))?;
        for below in ["context", "artifacts"] {
            make_directory(&directory.join(below))?;
        }
        let hash = TextHash::of(key.as_bytes()).short(64);
        let home = Self { directory, name: name.to_owned(), key: hash.clone() };
        let about = About { version: VERSION, name: name.to_owned(), key: hash, begun: now };
        let text = serde_json::to_vec_pretty(&about).map_err(io::Error::other);
        let path = home.directory.join(ABOUT);
        let made = text.and_then(|text| fault::around("make a crew", || replace::make(&path, &text)));
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CrewError::Taken(home.directory.clone()),
            _ => failed("create", &path)(error),
        })?;
        let keys = state.path().join("crews");
        DirBuilder::new().recursive(true).mode(0o700).create(&keys).map_err(failed("create", &keys))?;
        let path = home.key_file(state);
        fault::around("keep the key of a crew", || replace::replace(&path, key.as_bytes())).map_err(failed("write", &path))?;
        Ok(home)
    }

    /// The crew of a directory.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn open(directory: &Path) -> Result<Self, CrewError> {
        let none = || CrewError::NoCrew(directory.to_owned());
        if !directory.join(ABOUT).exists() {
            return Err(none());
        }
        is_private(directory)?;
        let directory = directory.canonicalize().map_err(failed("look at", directory))?;
        let path = directory.join(ABOUT);
        let text = read_own(&path).map_err(failed("read", &path))?;
        let about: About = serde_json::from_slice(&text).map_err(|_| none())?;
        match about.version {
            VERSION => Ok(Self { directory, name: about.name, key: about.key }),
            _ => Err(CrewError::Newer(directory)),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// A file of the crew.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where what is too long for a line is kept.
    pub fn artifacts(&self) -> PathBuf {
        self.directory.join("artifacts")
    }

    /// The log of the tasks, for whoever waits for it to grow.
    pub fn log(&self) -> PathBuf {
        self.directory.join(TASKS)
    }

    fn key_file(&self, state: &StateHome) -> PathBuf {
        let place = TextHash::of(self.directory.as_os_str().as_encoded_bytes()).short(32);
        state.path().join("crews").join(format!("{place}.key"))
    }

    /// Whether this state directory holds the manager's key.
    ///
    /// # Errors
    /// [`CrewError::NoKey`].
    pub fn is_managed_here(&self, state: &StateHome) -> Result<(), CrewError> {
        let key = read_own(&self.key_file(state)).unwrap_or_default();
        match TextHash::of(&key).short(64) == self.key {
            true => Ok(()),
            false => Err(CrewError::NoKey(self.directory.clone())),
        }
    }

    /// How far the manager has read.
    pub fn read_until(&self, state: &StateHome) -> u64 {
        let text = read_own(&self.key_file(state).with_extension("read")).unwrap_or_default();
        std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Notes how far the manager has read.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn note_read(&self, state: &StateHome, until: u64) -> Result<(), CrewError> {
        let path = self.key_file(state).with_extension("read");
        let write = || replace::replace(&path, until.to_string().as_bytes());
        fault::around("note what was read of a crew", write).map_err(failed("write", &path))
    }

    /// What has happened, in order.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn records(&self) -> Result<Vec<CrewRecord>, CrewError> {
        lines(&self.log())
    }

    /// The tasks.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn tasks(&self) -> Result<CrewTasks, CrewError> {
        Ok(CrewTasks::of(&self.records()?))
    }

    /// What was said, in order.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn context(&self) -> Result<Vec<ContextEntry>, CrewError> {
        lines(&self.file(CONTEXT[0]))
    }

    /// Locks the crew, for as long as something is written.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn write(&self) -> Result<CrewWriter<'_>, CrewError> {
        let path = self.directory.join(LOCK);
        let lock = || {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = file.custom_flags(libc::O_NOFOLLOW).open(&path)?;
            fs4::FileExt::lock(&file)?;
            Ok(file)
        };
        let lock = fault::around("lock a crew", lock).map_err(failed("lock", &path))?;
        Ok(CrewWriter { home: self, tasks: self.tasks()?, _lock: lock })
    }

    /// The number of the last entry of the context.
    fn last_context(&self) -> Result<u64, CrewError> {
        let path = self.file(CONTEXT[0]);
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
}

/// Something for the context.
#[derive(Debug, Clone, Copy)]
pub struct Saying<'a> {
    /// The task.
    pub task: &'a str,
    /// Who says it.
    pub from: &'a str,
    /// To whom.
    pub to: &'a str,
    /// What it is.
    pub kind: ContextKind,
    /// What is said, sanitised.
    pub summary: &'a str,
    /// Where the rest of it is.
    pub artifact: Option<&'a str>,
}

/// Whoever writes: nobody else does until this is dropped.
#[derive(Debug)]
pub struct CrewWriter<'a> {
    home: &'a CrewHome,
    tasks: CrewTasks,
    _lock: File,
}

impl CrewWriter<'_> {
    /// The tasks, as they stand now.
    pub fn tasks(&self) -> &CrewTasks {
        &self.tasks
    }

    /// Writes down what has happened to a task, if it may.
    ///
    /// # Errors
    /// [`CrewError`]: nothing was written.
    pub fn happen(&mut self, by: &str, task: &str, event: CrewEvent, at: DateTime<Utc>) -> Result<Judgement, CrewError> {
        let judged = self.tasks.judge(task, &event)?;
        if judged == Judgement::New {
            let record = CrewRecord { n: self.tasks.last + 1, at, by: by.to_owned(), task: task.to_owned(), event };
            let path = self.home.log();
            let line = serde_json::to_string(&record).map_err(io::Error::other).map_err(failed("write", &path))?;
            add_line(&path, &line)?;
            self.tasks.apply(&record);
        }
        Ok(judged)
    }

    /// The number of the last entry of the context.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn last_context(&self) -> Result<u64, CrewError> {
        self.home.last_context()
    }

    /// Adds an entry to the context. Gives its number.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn say(&mut self, saying: &Saying<'_>, at: DateTime<Utc>) -> Result<u64, CrewError> {
        let seq = self.last_context()? + 1;
        let entry = ContextEntry {
            seq,
            ts: ContextEntry::stamp(at),
            task_id: saying.task.to_owned(),
            from: saying.from.to_owned(),
            to: saying.to.to_owned(),
            kind: saying.kind,
            summary: saying.summary.to_owned(),
            artifact_path: saying.artifact.map(str::to_owned),
        };
        let path = self.home.file(CONTEXT[0]);
        let line = serde_json::to_string(&entry).map_err(io::Error::other).map_err(failed("write", &path))?;
        for (name, line) in CONTEXT.iter().zip([line, entry.in_markdown(), entry.in_log()]) {
            add_line(&self.home.file(name), &line)?;
        }
        Ok(seq)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn crew(root: &Path) -> (CrewHome, StateHome) {
        let state = StateHome::at(root.join("state"));
        let home = CrewHome::create(&root.join("crew"), "shop", "key", &state, DateTime::UNIX_EPOCH).unwrap();
        (home, state)
    }

    fn queued() -> CrewEvent {
        CrewEvent::Queued { goal: "g".into(), input: String::new(), worker: "w".into(), attempts: 3 }
    }

    #[test]
    fn a_crew_is_private_made_once_and_managed_by_whoever_has_the_key() {
        let temp = tempfile::tempdir().unwrap();
        let (home, state) = crew(temp.path());
        let again = CrewHome::create(&temp.path().join("crew"), "shop", "other", &state, DateTime::UNIX_EPOCH);
        assert!(matches!(again, Err(CrewError::Taken(_))));
        home.is_managed_here(&state).unwrap();
        assert!(home.is_managed_here(&StateHome::at(temp.path().join("other"))).is_err());
        home.write().unwrap().happen("me", "t", queued(), DateTime::UNIX_EPOCH).unwrap();
        for (path, mode) in [(home.path().to_owned(), 0o700), (home.log(), 0o600), (home.key_file(&state), 0o600)] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        // Open to others, or reached by a link.
        std::os::unix::fs::symlink(home.path(), temp.path().join("link")).unwrap();
        assert!(matches!(CrewHome::open(&temp.path().join("link")), Err(CrewError::NotOurs { .. })));
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(CrewHome::open(home.path()), Err(CrewError::NotOurs { .. })));
        assert!(matches!(CrewHome::open(temp.path()), Err(CrewError::NoCrew(_))));
    }

    #[test]
    fn half_a_line_is_left_out_and_the_next_one_is_whole() {
        let temp = tempfile::tempdir().unwrap();
        let (home, _) = crew(temp.path());
        home.write().unwrap().happen("me", "a", queued(), DateTime::UNIX_EPOCH).unwrap();
        let mut log = replace::append(&home.log()).unwrap();
        log.write_all(b"{\"n\":2,\"at\":\"1970-").unwrap();
        assert_eq!(home.tasks().unwrap().tasks.len(), 1);
        home.write().unwrap().happen("me", "b", queued(), DateTime::UNIX_EPOCH).unwrap();
        let records = home.records().unwrap();
        assert_eq!(records.iter().map(|record| (record.n, record.task.as_str())).collect::<Vec<_>>(), [(1, "a"), (2, "b")]);
    }

    #[test]
    fn ten_writers_lose_and_double_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let (home, _) = crew(temp.path());
        std::thread::scope(|scope| {
            for writer in 0..10 {
                let home = home.clone();
                scope.spawn(move || {
                    for number in 0..20 {
                        let task = format!("t{writer}-{number}");
                        let mut writer = home.write().unwrap();
                        writer.happen("me", &task, queued(), DateTime::UNIX_EPOCH).unwrap();
                        let kind = ContextKind::NOTE;
                        let saying = Saying { task: &task, from: "a", to: "b", kind, summary: "x", artifact: None };
                        writer.say(&saying, DateTime::UNIX_EPOCH).unwrap();
                    }
                });
            }
        });
        assert_eq!(home.tasks().unwrap().tasks.len(), 200);
        let context = home.context().unwrap();
        assert_eq!(context.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
        for name in ["context/context.md", "context/live.log"] {
            assert_eq!(std::fs::read_to_string(home.file(name)).unwrap().lines().count(), 200, "{name}");
        }
    }
}
