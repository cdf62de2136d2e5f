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
//! <state>/crews/HASH.read       how far the manager has read
//! <state>/crews/HASH.json       where the crew is, and whose manifest declares its workers
//! <state>/crews/NAME-HASH       the directory of a crew that a manifest declares
//! ```

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::TextHash;
use super::crew_context::{ContextFiles, OF_CONTEXT, add_line, failed, is_private, lines, lock, make_directory};
use super::operations::read_own;
use super::paths::StateHome;
use super::replace;
use crate::core::crew::{ContextEntry, ContextKind, CrewEvent, CrewRecord, CrewRefusal, CrewTasks, Judgement, is_token};
use crate::fault;

pub use super::crew_context::CrewError;

const ABOUT: &str = "crew.json";
const TASKS: &str = "tasks.jsonl";
/// How the name of a file ends that says where a crew is.
const KNOWN: &str = "json";

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

/// The manifest that declares the workers of a crew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrewManifest {
    /// Its resolved path.
    pub path: PathBuf,
    /// Whether nobody named it: it was found in the working directory, and acts only as it was allowed.
    pub is_found: bool,
}

/// What its manager's state directory knows of a crew.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownCrew {
    version: u32,
    directory: PathBuf,
    manifest: Option<CrewManifest>,
}

impl CrewHome {
    /// Makes a crew, and its manager's key. Whoever is killed meanwhile has made none.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn create(
        directory: &Path,
        (name, key): (&str, &str),
        manifest: Option<CrewManifest>,
        state: &StateHome,
        now: DateTime<Utc>,
    ) -> Result<Self, CrewError> {
        if !is_token(name) {
            return Err(CrewRefusal::BadName(name.to_owned()).into());
        }
        if let Some(parent) = directory.parent() {
            std::fs::create_dir_all(parent).map_err(failed("create", parent))?;
        }
        make_directory(directory)?;
        let directory = directory.canonicalize().map_err(failed("look at", directory))?;
        for below in OF_CONTEXT {
            make_directory(&directory.join(below))?;
        }
        let hash = TextHash::of(key.as_bytes()).short(64);
        let home = Self { directory, name: name.to_owned(), key: hash.clone() };
        let _lock = home.lock()?;
        let path = home.directory.join(ABOUT);
        if path.symlink_metadata().is_ok() {
            return Err(CrewError::Taken(home.directory.clone()));
        }
        Self::make_place(state)?;
        let kept = home.key_file(state);
        fault::around("keep the key of a crew", || replace::replace(&kept, key.as_bytes())).map_err(failed("write", &kept))?;
        let known = KnownCrew { version: VERSION, directory: home.directory.clone(), manifest };
        let kept = kept.with_extension(KNOWN);
        let text = serde_json::to_vec_pretty(&known).map_err(io::Error::other);
        let noted = text.and_then(|text| fault::around("note where a crew is", || replace::replace(&kept, &text)));
        noted.map_err(failed("write", &kept))?;
        let about = About { version: VERSION, name: name.to_owned(), key: hash, begun: now };
        let text = serde_json::to_vec_pretty(&about).map_err(io::Error::other);
        let made = text.and_then(|text| fault::around("make a crew", || replace::make(&path, &text)));
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CrewError::Taken(home.directory.clone()),
            _ => failed("create", &path)(error),
        })?;
        Ok(home)
    }

    /// Makes the directory in which keys of crews are kept, and gives it.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn make_place(state: &StateHome) -> Result<PathBuf, CrewError> {
        let place = state.crews();
        DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(failed("create", &place))?;
        Ok(place)
    }

    /// Where the crew of this name is that a manifest declares.
    pub fn declared_at(state: &StateHome, manifest: &Path, name: &str) -> PathBuf {
        let text = [manifest.as_os_str().as_encoded_bytes(), b"\0", name.as_bytes()].concat();
        let plain: String = name.chars().take(40).map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        state.crews().join(format!("{plain}-{}", TextHash::of(&text).short(12)))
    }

    /// The crews that are managed here and whose workers this manifest declares.
    pub fn all_of(state: &StateHome, manifest: &Path) -> Vec<Self> {
        Self::known(state, |known| known.manifest.as_ref().is_some_and(|its| its.path == manifest))
    }

    /// The crews that are managed here and that any manifest declares under this name.
    pub fn all_named(state: &StateHome, name: &str) -> Vec<Self> {
        let declared = |its: &CrewManifest| Self::declared_at(state, &its.path, name).canonicalize().ok();
        Self::known(state, |known| known.manifest.as_ref().and_then(declared).is_some_and(|path| path == known.directory))
    }

    fn known(state: &StateHome, is_meant: impl Fn(&KnownCrew) -> bool) -> Vec<Self> {
        let entries = std::fs::read_dir(state.crews()).into_iter().flatten().flatten();
        let known = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == KNOWN));
        let mut crews: Vec<Self> = known
            .filter_map(|path| serde_json::from_slice::<KnownCrew>(&read_own(&path).ok()?).ok())
            .filter(is_meant)
            .filter_map(|known| Self::open(&known.directory).ok())
            .filter(|home| home.is_managed_here(state).is_ok())
            .collect();
        crews.sort_by(|one, other| one.directory.cmp(&other.directory));
        crews
    }

    /// The manifest that declares its workers, as far as its manager's state directory knows.
    pub fn manifest(&self, state: &StateHome) -> Option<CrewManifest> {
        let text = read_own(&self.key_file(state).with_extension(KNOWN)).ok()?;
        serde_json::from_slice::<KnownCrew>(&text).ok()?.manifest
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
        state.crews().join(format!("{place}.key"))
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

    /// What was said with a higher number, in order.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn context(&self, since: u64) -> Result<Vec<ContextEntry>, CrewError> {
        self.said().entries_since(since)
    }

    /// The files of what was said.
    fn said(&self) -> ContextFiles {
        ContextFiles::of(self.directory.clone())
    }

    /// Locks the crew, for as long as something is written.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn write(&self) -> Result<CrewWriter<'_>, CrewError> {
        let lock = self.lock()?;
        Ok(CrewWriter { home: self, tasks: self.tasks()?, _lock: lock })
    }

    fn lock(&self) -> Result<File, CrewError> {
        lock(&self.directory)
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
        self.home.said().last()
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
        self.home.said().add(&entry)?;
        Ok(seq)
    }
}

#[cfg(test)]
#[path = "crew_tests.rs"]
mod tests;
