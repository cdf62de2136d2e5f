//! One look into an SQLite database that another program keeps in write-ahead mode and may be writing to. Never writes: nothing is
//! changed in the database, its log or its index, and nothing is created beside it.
//!
//! SQLite as it is would create the log (`-wal`) and its index (`-shm`) even for a reader who opens the database read-only. So
//! which files are there decides how it is asked: with a log in use, over an index opened read-only (`readonly_shm`); without
//! one, as a file that does not change (`immutable`), which is checked afterwards. A shared lock keeps the last writer, which
//! takes both files away, from doing so in between.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};

use super::files::reason;
use crate::core::fact::Fact;

/// How often a database is tried that is locked or changes under the look.
const ATTEMPTS: u32 = 20;
/// How long until the next attempt.
const PAUSE: Duration = Duration::from_millis(10);
/// The most work one look may be, in hundreds of SQLite's instructions: some tenths of a second, where an answer from an index
/// takes a few of them.
const MOST_WORK: u32 = 100_000;
const HUNDREDS: i32 = 100;

/// Locks of a file belong to the process, and fall when any of its descriptors is closed: one look at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Why an attempt gave nothing.
enum Trouble {
    /// There is no database.
    Missing,
    /// Another attempt may succeed.
    Busy,
    /// It is unknown.
    Why(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::WouldBlock => Self::Busy,
            _ if error.raw_os_error() == Some(libc::ELOOP) => Self::Why("it is a symbolic link".to_owned()),
            _ => Self::Why(reason(&error)),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqlInputError { msg, .. } => Self::Why(msg),
            error => match error.sqlite_error_code() {
                // Read-only means that the index is not made yet: a writer has opened the database and is about to.
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly) => Self::Busy,
                Some(ErrorCode::OperationInterrupted) => Self::Why("the query takes too long".to_owned()),
                _ => Self::Why(error.to_string()),
            },
        }
    }
}

/// Asks a database. `Absent`: there is none.
pub fn look<T>(path: &Path, ask: impl Fn(&Connection) -> rusqlite::Result<T>) -> Fact<T> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        match once(path, &ask) {
            Ok(answer) => return Fact::Seen(answer),
            Err(Trouble::Missing) => return Fact::Absent,
            Err(Trouble::Busy) => {}
            Err(Trouble::Why(why)) => return Fact::Unknown(format!("cannot read {}: {why}", path.display())),
        }
    }
    Fact::Unknown(format!("cannot read {}: it is locked, or changes too fast", path.display()))
}

fn once<T>(path: &Path, ask: &impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
    let (file, before) = open(path)?;
    let is_in_use = has_log(path)?;
    let answer = {
        let connection = connect(path, is_in_use)?;
        ask(&connection)?
    };
    if !is_in_use {
        let unchanged = |after: &Metadata| {
            let state = |it: &Metadata| (it.ino(), it.size(), it.mtime(), it.mtime_nsec());
            state(&before) == state(after)
        };
        if has_log(path)? || !unchanged(&path.symlink_metadata()?) {
            return Err(Trouble::Busy);
        }
    }
    // Held until the connection is closed.
    drop(file);
    Ok(answer)
}

/// The database, locked against its last writer taking the log away.
fn open(path: &Path) -> Result<(File, Metadata), Trouble> {
    // Not blocking, so that a pipe of that name holds nobody up.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Trouble::Why("not a regular file".to_owned()));
    }
    match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok((file, file_again(path, metadata)?)),
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => Err(Trouble::Busy),
        Err(error) => Err(Trouble::Why(format!("it cannot be locked: {error}"))),
    }
}

/// What the path stands for now that it is locked: the same file as was opened.
fn file_again(path: &Path, opened: Metadata) -> Result<Metadata, Trouble> {
    let now = path.symlink_metadata()?;
    if (now.dev(), now.ino()) == (opened.dev(), opened.ino()) { Ok(now) } else { Err(Trouble::Busy) }
}

/// Whether there is a write-ahead log with something in it.
fn has_log(path: &Path) -> Result<bool, Trouble> {
    let size = |suffix: &str| match beside(path, suffix).symlink_metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.size())),
        Ok(_) => Err(Trouble::Why(format!("its {suffix} is not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Trouble::Why(format!("cannot examine its {suffix}: {}", reason(&error)))),
    };
    if size("-journal")?.is_some_and(|size| size > 0) {
        return Err(Trouble::Why("a transaction is running, or was left unfinished".to_owned()));
    }
    match (size("-wal")?, size("-shm")?) {
        (None | Some(0), _) => Ok(false),
        (Some(_), Some(_)) => Ok(true),
        (Some(_), None) => Err(Trouble::Why("its write-ahead log has no index, and headcount does not write one".to_owned())),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn connect(path: &Path, is_in_use: bool) -> Result<Connection, Trouble> {
    let how = if is_in_use { "readonly_shm=1" } else { "immutable=1" };
    let uri = format!("file:{}?mode=ro&{how}", encoded(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(PAUSE)?;
    // The schema is somebody else's: nothing it holds is run beyond what is asked.
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
    let mut work = 0;
    let is_too_much = move || {
        work += 1;
        work > MOST_WORK
    };
    connection.progress_handler(HUNDREDS, Some(is_too_much))?;
    Ok(connection)
}

/// A path as a part of a URI: every byte that could mean something there is escaped.
fn encoded(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
