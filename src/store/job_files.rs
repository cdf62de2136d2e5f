//! The files of a job that headcount runs. Never begins, ends or judges anything.
//!
//! ```text
//! <state>/jobs/<id>/spec.json       what was asked for
//! <state>/jobs/<id>/prompt          the prompt, which the agent gets on its standard input
//! <state>/jobs/<id>/continue        what it gets there when it goes on
//! <state>/jobs/<id>/output.log      what the agent wrote, attempt after attempt
//! <state>/jobs/<id>/session-id      the conversation
//! <state>/jobs/<id>/attempts        a line of JSON for each beginning and each end of an attempt
//! <state>/jobs/<id>/agent.<n>       the process of attempt n
//! <state>/jobs/<id>/placed           where its last launcher was put
//! <state>/jobs/<id>/asks             what its agent waits for, as long as it does
//! <state>/jobs/<id>/stop            somebody stopped it
//! <state>/jobs/<id>/done            it is over, and how: written once, whole
//! <state>/jobs/<id>/told.<what>     that its end was told: made before it is, so that it is told once
//! <state>/jobs/<id>/lock            held by its launcher, which it names
//! ```
//!
//! All of it is mode 0600 in a directory of mode 0700.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use fs4::TryLockError;
use serde::{Deserialize, Serialize};

use super::operations::{LaunchedRecord, LockError};
use super::paths::StateHome;
use super::replace;
use crate::core::job::JobId;
use crate::core::job::run::{Attempt, AttemptNote, JobEnd, JobSpec, attempts_of};
use crate::core::lead::Placed;
use crate::fault;

const SPEC: &str = "spec.json";
const ATTEMPTS: &str = "attempts";
const DONE: &str = "done";
const STOP: &str = "stop";
const ASKS: &str = "asks";
const PLACED: &str = "placed";
const LOCK: &str = "lock";

/// What an agent is told when it goes on.
const CONTINUE: &str = "Continue the previous task";

/// More bytes than this are no small file of ours.
const MOST: u64 = 16 << 20;

/// A file of a job cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct JobFileError {
    /// What was tried.
    action: &'static str,
    /// The file or directory.
    path: PathBuf,
    /// Why not.
    #[source]
    source: io::Error,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JobFileError {
    let path = path.to_owned();
    move |source| JobFileError { action, path, source }
}

/// The files of one job.
#[derive(Debug, Clone)]
pub struct JobFiles {
    directory: PathBuf,
}

/// That somebody stopped a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopNote {
    /// Who.
    pub by: String,
    /// Whether the agent is killed if it does not end.
    pub kill: bool,
}

/// Nobody else runs the job until this is dropped.
#[derive(Debug)]
pub struct JobClaim {
    _file: File,
}

impl JobFiles {
    /// Those of a job, whether or not they are there.
    pub fn of(state: &StateHome, id: &JobId) -> Self {
        Self { directory: state.path().join("jobs").join(id.as_str()) }
    }

    /// Those in this directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The jobs that headcount runs, or ran, with this state.
    pub fn all(state: &StateHome) -> Vec<(Self, JobSpec)> {
        let directories = state.path().join("jobs").read_dir().into_iter().flatten();
        let files = directories.filter_map(|entry| Some(Self { directory: entry.ok()?.path() }));
        let mut all: Vec<_> = files.filter_map(|files| files.spec().map(|spec| (files, spec))).collect();
        all.sort_by(|(_, one), (_, other)| (one.at, &one.job).cmp(&(other.at, &other.job)));
        all
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The file with this name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where the agent's output is.
    pub fn output(&self) -> PathBuf {
        self.file("output.log")
    }

    /// What the agent gets on its standard input.
    pub fn input(&self, is_resumed: bool) -> PathBuf {
        self.file(if is_resumed { "continue" } else { "prompt" })
    }

    /// The same as a text.
    pub fn prompt(&self, is_resumed: bool) -> Option<String> {
        String::from_utf8(self.small(if is_resumed { "continue" } else { "prompt" })?).ok()
    }

    /// Writes a line behind the output.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn add_output(&self, line: &[u8]) -> Result<(), JobFileError> {
        let path = self.output();
        fault::around("output", || replace::append_line(&path, line)).map_err(failed("write", &path))
    }

    /// Where its last launcher was put.
    pub fn placed(&self) -> Option<Placed> {
        self.json(PLACED)
    }

    /// Writes down where a launcher was put.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn note_placed(&self, placed: &Placed) -> Result<(), JobFileError> {
        let path = self.file(PLACED);
        let text = serde_json::to_vec(placed).map_err(io::Error::other).map_err(failed("write", &path))?;
        fault::around(PLACED, || replace::replace(&path, &text)).map_err(failed("write", &path))
    }

    /// Its pane was taken away.
    pub fn forget_placed(&self) {
        // What is there all the same is looked for again.
        let _ = std::fs::remove_file(self.file(PLACED));
    }

    /// What its agent waits for.
    pub fn asks(&self) -> Option<String> {
        String::from_utf8(self.small(ASKS)?).ok()
    }

    /// Writes down what its agent waits for, or that it waits for nothing.
    pub fn note_asks(&self, what: Option<&str>) {
        // It is for people to look at; what follows from it is told elsewhere.
        let _ = match what {
            Some(what) => replace::replace(&self.file(ASKS), what.as_bytes()),
            None => std::fs::remove_file(self.file(ASKS)),
        };
    }

    /// Makes the files of a new job; the one that makes it a job comes last.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn create(&self, spec: &JobSpec, prompt: &str) -> Result<(), JobFileError> {
        let make = || DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        fault::around("make the job's directory", make).map_err(failed("create", &self.directory))?;
        let spec = serde_json::to_vec_pretty(spec).map_err(io::Error::other).map_err(failed("write", &self.file(SPEC)))?;
        for (name, content) in [("prompt", prompt.as_bytes()), ("continue", CONTINUE.as_bytes()), (SPEC, spec.as_slice())] {
            let path = self.file(name);
            fault::around(name, || replace::make(&path, content)).map_err(failed("write", &path))?;
        }
        replace::sync(&self.file(SPEC)).map_err(failed("save", &self.directory))
    }

    /// What was asked for; `None`: headcount does not run this job.
    pub fn spec(&self) -> Option<JobSpec> {
        self.json(SPEC).filter(|spec: &JobSpec| spec.version <= JobSpec::VERSION)
    }

    /// The attempts so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        let text = self.small(ATTEMPTS).unwrap_or_default();
        // The last line may be half a line, if the host lost its power.
        attempts_of(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()))
    }

    /// Writes down that an attempt begins, or has ended.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn note(&self, note: &AttemptNote) -> Result<(), JobFileError> {
        let path = self.file(ATTEMPTS);
        let write = || {
            let line = serde_json::to_vec(note).map_err(io::Error::other)?;
            replace::append_line(&path, &line)
        };
        fault::around(ATTEMPTS, write).map_err(failed("write", &path))
    }

    /// How it ended; `None`: it has not.
    pub fn done(&self) -> Option<JobEnd> {
        self.json(DONE)
    }

    /// Writes down how it ended, unless somebody did; gives how it did.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn end(&self, end: &JobEnd) -> Result<JobEnd, JobFileError> {
        let path = self.file(DONE);
        let write = || {
            let text = serde_json::to_vec_pretty(end).map_err(io::Error::other)?;
            replace::make(&path, &text)?;
            replace::sync(&path)
        };
        match fault::around(DONE, write) {
            Ok(()) => Ok(end.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.done().ok_or_else(|| failed("read", &path)(error))
            }
            Err(error) => Err(failed("write", &path)(error)),
        }
    }

    /// The conversation, as it was last written down.
    pub fn session_id(&self) -> Option<String> {
        let text = String::from_utf8(self.small("session-id")?).ok()?;
        Some(text.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// Writes the conversation down.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn note_session_id(&self, id: &str) -> Result<(), JobFileError> {
        let path = self.file("session-id");
        fault::around("session-id", || replace::replace(&path, format!("{id}\n").as_bytes())).map_err(failed("write", &path))
    }

    /// Writes down that somebody stops it. A later note counts.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn ask_to_stop(&self, note: &StopNote) -> Result<(), JobFileError> {
        let path = self.file(STOP);
        let text = serde_json::to_vec(note).map_err(io::Error::other).map_err(failed("write", &path))?;
        fault::around(STOP, || replace::replace(&path, &text)).map_err(failed("write", &path))
    }

    /// Who stopped it.
    pub fn stopped_by(&self) -> Option<StopNote> {
        self.json(STOP)
    }

    /// Whether this caller is the one that tells something: the first that asks is.
    pub fn tells(&self, what: &str) -> bool {
        let path = self.file(&format!("told.{what}"));
        fault::around("told", || replace::make(&path, b"")).is_ok()
    }

    /// The file that the process of an attempt writes its id into.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn agent_file(&self, attempt: u32) -> Result<File, JobFileError> {
        let path = self.file(&format!("agent.{attempt}"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        fault::around("agent", || options.open(&path)).map_err(failed("create", &path))
    }

    /// The process of an attempt, as far as it came.
    pub fn agent(&self, attempt: u32) -> Option<u32> {
        String::from_utf8(self.small(&format!("agent.{attempt}"))?).ok()?.trim().parse().ok()
    }

    /// Claims to be the launcher of the job.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn claim(&self, own: &LaunchedRecord) -> Result<JobClaim, LockError> {
        let path = self.file(LOCK);
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(&path).map_err(failed)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Taken),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let text = serde_json::to_vec(own).map_err(io::Error::other).map_err(failed)?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(failed)?;
        Ok(JobClaim { _file: file })
    }

    /// Whether somebody runs it, and who, as far as that says so.
    pub fn launcher(&self) -> Option<LaunchedRecord> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(self.file(LOCK)).ok()?;
        // Who only looks stands in nobody's way but for a moment.
        if fs4::FileExt::try_lock_shared(&file).is_ok() {
            return None;
        }
        Some(self.json(LOCK).unwrap_or_default())
    }

    /// Takes the files away.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn remove(&self) -> Result<(), JobFileError> {
        // Without this one it is no job of ours any more.
        let names = [SPEC, "prompt", "continue", "output.log", "session-id", ATTEMPTS, PLACED, ASKS, STOP, DONE, LOCK]
            .map(str::to_owned);
        let numbered = self.directory.read_dir().into_iter().flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name().to_str()?.to_owned();
            (name.starts_with("agent.") || name.starts_with("told.") || name.starts_with(".new-")).then_some(name)
        });
        for name in names.into_iter().chain(numbered) {
            let path = self.file(&name);
            match fault::around("remove a file of the job", || std::fs::remove_file(&path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
                _ => {}
            }
        }
        // What else is in it is the registry's.
        let _ = std::fs::remove_dir(&self.directory);
        Ok(())
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&self.small(name)?).ok()
    }

    /// The content of a small file of ours.
    fn small(&self, name: &str) -> Option<Vec<u8>> {
        let file = open(&self.file(name)).ok()?;
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text).ok()?;
        Some(text)
    }
}

/// Opens a regular file that is this user's. Waits for nobody.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it is not a file of this user"));
    }
    Ok(file)
}

/// Reads whole lines of a file that grows.
#[derive(Debug)]
pub struct LineReader {
    path: PathBuf,
    at: u64,
    rest: Vec<u8>,
}

/// A longer line is no record.
const LONGEST_LINE: usize = 8 << 20;

impl LineReader {
    /// From this byte on.
    pub fn new(path: PathBuf, at: u64) -> Self {
        Self { path, at, rest: Vec::new() }
    }

    /// From so many bytes before the end on, and then from the next line.
    pub fn at_the_end(path: PathBuf, bytes: u64) -> Self {
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        let mut reader = Self::new(path, length.saturating_sub(bytes));
        if reader.at > 0 {
            // The rest of a line is none.
            let _ = reader.fill();
            match reader.rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => drop(reader.rest.drain(..=end)),
                None => reader.rest.clear(),
            }
        }
        reader
    }

    /// The lines that have come since; with `is_last` also one that has no end.
    pub fn lines(&mut self, is_last: bool) -> Vec<String> {
        let _ = self.fill();
        let mut lines = Vec::new();
        if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
            let whole: Vec<u8> = self.rest.drain(..=end).collect();
            let all = whole.split_inclusive(|byte| *byte == b'\n');
            lines.extend(all.map(|line| String::from_utf8_lossy(line).trim_end_matches('\n').to_owned()));
        }
        if (is_last || self.rest.len() > LONGEST_LINE) && !self.rest.is_empty() {
            lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned());
        }
        lines
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut file = open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        self.at += file.read_to_end(&mut self.rest)? as u64;
        Ok(())
    }
}
