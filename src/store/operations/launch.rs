//! The files between an engine and its launcher: what is to be started, that it was begun, how it ended. Each is written once, by
//! one of the two. Never starts anything.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{OperationError, OperationFiles, failed};
use crate::core::lead::{ChildEnd, Operation};
use crate::fault;

/// What the launcher is given.
pub const LAUNCH: &str = "launch.json";
/// What says that it has begun.
pub const LAUNCHED: &str = "launched";
/// What says how it ended.
pub const ENDED: &str = "ended.json";

/// The word that makes headcount a launcher, in front of the file.
pub const LAUNCHER: &str = "exec";

/// More bytes than this are no file of ours.
const MOST: u64 = 4 << 20;

/// What a launcher starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Its own version: a launcher refuses a later one.
    pub version: u32,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Variables it gets.
    pub set: Vec<(String, String)>,
    /// Variables it gets from files.
    pub files: Vec<(String, PathBuf)>,
    /// Variables it does not get.
    pub unset: Vec<String>,
    /// What names the conversation that it is in from its start on: nobody else may be in that.
    pub conversation: Option<String>,
    /// The directory of a job, which is done instead: its files say what is started. The rest is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<PathBuf>,
}

impl LaunchSpec {
    /// The version of this build.
    pub const VERSION: u32 = 1;
}

/// That a launcher has begun.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaunchedRecord {
    /// The launcher; `None` where an engine closed the operation so that no launcher can begin it.
    pub pid: Option<u32>,
    /// When it started, in clock ticks since boot.
    pub start_ticks: Option<u64>,
    /// The process that it began below: in tmux the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
}

impl LaunchedRecord {
    /// The record of a process that began then.
    pub const fn of((pid, start_ticks): (u32, Option<u64>)) -> Self {
        Self { pid: Some(pid), start_ticks, parent: None }
    }

    /// The process, and when it began.
    pub fn process(&self) -> Option<(u32, Option<u64>)> {
        Some((self.pid?, self.start_ticks))
    }
}

/// How what a launcher started has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// With this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// By this signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The first signal by which somebody told the launcher to end before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<i32>,
    /// Milliseconds from the boot to that, by the clock that nobody sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_boot: Option<i64>,
    /// It was never begun, for this reason: `claimed` or what the system said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_begun: Option<String>,
}

impl EndedRecord {
    /// What says that the conversation was open elsewhere.
    pub const CLAIMED: &str = "claimed";

    /// How that is said to the machine of a start.
    pub fn end(&self) -> ChildEnd {
        match (&self.not_begun, self.signal, self.code) {
            (Some(why), ..) if why == Self::CLAIMED => ChildEnd::Claimed,
            (Some(_), ..) => ChildEnd::NotRun,
            (None, Some(signal), _) => ChildEnd::Signal(signal),
            (None, None, code) => ChildEnd::Exit(code.unwrap_or_default()),
        }
    }
}

/// A launch that this process alone has taken.
#[derive(Debug)]
pub struct TakenLaunch {
    /// What to start.
    pub spec: LaunchSpec,
}

/// The operation whose launcher a process is: its arguments name the operation, and the operation's files name the process.
pub fn launched_by(argv: &[String], pid: u32, start_ticks: Option<u64>) -> Option<Operation> {
    let [_, verb, path] = argv else { return None };
    let files = OperationFiles::of_launch(Path::new(path)).filter(|_| verb == LAUNCHER)?;
    let launcher: LaunchedRecord = files.read(LAUNCHED)?;
    let is_it = launcher.pid == Some(pid) && launcher.start_ticks.is_some() && launcher.start_ticks == start_ticks;
    files.read(super::BEGUN).filter(|_| is_it)
}

impl OperationFiles {
    /// Reads what is to be started, and takes it: from then on nobody else can begin it. `None`: somebody did, or it was closed.
    ///
    /// # Errors
    /// [`OperationError`]; then nothing was taken.
    pub fn take(&self, own: &LaunchedRecord) -> Result<Option<TakenLaunch>, OperationError> {
        let path = self.launch_path();
        if self.launched().is_some() || self.directory.join(super::RECEIPT).exists() {
            return Ok(None);
        }
        let spec = match read_own(&path) {
            Ok(text) => serde_json::from_slice::<LaunchSpec>(&text).map_err(io::Error::other).map_err(failed("read", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        if spec.version > LaunchSpec::VERSION {
            let error = io::Error::other("a newer headcount wrote it");
            return Err(failed("read", &path)(error));
        }
        if !self.mark(own)? {
            return Ok(None);
        }
        self.take_launch_away();
        Ok(Some(TakenLaunch { spec }))
    }

    /// Closes an operation that nobody has begun, so that nobody can: `false` if somebody has.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn close(&self) -> Result<bool, OperationError> {
        let is_closed = self.mark(&LaunchedRecord::default())?;
        if is_closed {
            self.take_launch_away();
        }
        Ok(is_closed)
    }

    /// It may hold secrets, and nobody needs it any more.
    pub(super) fn take_launch_away(&self) {
        fault::around("take the launch away", || drop(std::fs::remove_file(self.launch_path())));
    }

    fn mark(&self, record: &LaunchedRecord) -> Result<bool, OperationError> {
        let path = self.directory.join(LAUNCHED);
        let text = serde_json::to_vec(record).map_err(io::Error::other).map_err(failed("write", &path))?;
        match fault::around(LAUNCHED, || self.make(LAUNCHED, &text)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("write", &path)(error)),
        }
    }

    /// Who has begun it, or closed it. A record that cannot be read counts as one of nobody known.
    pub fn launched(&self) -> Option<LaunchedRecord> {
        let path = self.directory.join(LAUNCHED);
        path.symlink_metadata().ok()?;
        Some(self.read(LAUNCHED).unwrap_or_default())
    }

    /// How what was begun has ended.
    pub fn ended(&self) -> Option<EndedRecord> {
        self.read(ENDED)
    }

    /// Notes how what was begun has ended.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn note_end(&self, record: &EndedRecord) -> Result<(), OperationError> {
        self.write(ENDED, record)
    }
}

/// The text of a file that is ours alone. Waits for nobody.
pub(in crate::store) fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0;
    if !metadata.is_file() || !is_ours {
        return Err(io::Error::other("it is not a private file of this user"));
    }
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}
