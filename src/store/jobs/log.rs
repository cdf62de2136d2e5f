//! Logs of events: whole lines appended, a torn end tolerated. Never changes a line that stands.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::JobsError;
use super::error::io_error;
use super::files::{self, Durable};
use crate::core::job::LoggedEvent;

/// How much of a log's end is read at most.
const LONGEST: u64 = 64 << 20;

/// How much of a log's end is read to find its last event: more than the longest event.
const END: u64 = 256 << 10;

/// A log as it was read.
#[derive(Debug, Default)]
pub struct EventLog {
    /// The events, in the order they were written; none twice.
    pub events: Vec<LoggedEvent>,
    /// Lines that are no event.
    pub unreadable: usize,
    /// Whether the log is so long that its beginning was left out.
    pub cut: bool,
}

/// Reads a log bit by bit as it grows.
#[derive(Debug)]
pub struct EventReader {
    path: PathBuf,
    /// Where the next line begins.
    offset: u64,
    seen: HashSet<u64>,
    /// Events up to this number are passed over.
    after: Option<u64>,
}

/// As much of a line as tells which event it is.
#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

impl EventReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, seen: HashSet::new(), after: None }
    }

    /// The events that were added since the last time; at first all of them, or as many as the longest log that is read holds.
    /// A line that is not ended yet is left for the next time.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn news(&mut self) -> Result<EventLog, JobsError> {
        self.read(LONGEST).map_err(io_error("read", &self.path))
    }

    fn read(&mut self, limit: u64) -> io::Result<EventLog> {
        let mut file = match files::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(EventLog::default()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if length < self.offset {
            // Somebody began it anew.
            self.offset = 0;
        }
        let from = self.offset.max(length.saturating_sub(limit));
        let is_cut = from > self.offset;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        let mut log = EventLog { cut: is_cut, ..EventLog::default() };
        let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok(log) };
        // What stands before the first line break of a cut log is the end of a line.
        let whole = if is_cut { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
        self.offset = from + u64::try_from(last + 1).unwrap_or(u64::MAX);
        let lines = bytes.get(whole..last).unwrap_or_default();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            // Of hundreds that are known nothing else has to be read.
            if self.after.is_some_and(|after| serde_json::from_slice(line).is_ok_and(|Numbered { seq }| seq <= after)) {
                continue;
            }
            match serde_json::from_slice::<LoggedEvent>(line) {
                Ok(logged) if self.seen.insert(logged.event.seq) => log.events.push(logged),
                // Written twice by somebody who was killed in between.
                Ok(_) => {}
                Err(_) => log.unreadable += 1,
            }
        }
        Ok(log)
    }
}

/// The last events of a log that come after one of this number; not those of long ago.
pub(super) fn tail(path: &Path, after: u64) -> Result<EventLog, JobsError> {
    let mut reader = EventReader { after: Some(after), ..EventReader::new(path.to_owned()) };
    reader.read(END).map_err(io_error("read", path))
}

/// Appends whole lines. A last line that was cut short is closed first; after a failure the log is as it was.
pub(super) fn append(path: &Path, lines: &[u8], durable: Durable) -> Result<(), JobsError> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let mut file = opened.map_err(io_error("open", path))?;
    let metadata = file.metadata().map_err(io_error("examine", path))?;
    if !metadata.is_file() {
        return Err(io_error("write", path)(io::Error::other("it is not a regular file")));
    }
    let torn = is_torn(&file, metadata.len()).map_err(io_error("read", path))?;
    let text = if torn { [b"\n", lines].concat() } else { lines.to_vec() };
    let synced = |file: &File| {
        if durable != Durable::Yes {
            return Ok(());
        }
        file.sync_data()?;
        // A log that is new is only as safe as its name in the directory.
        path.parent().filter(|_| metadata.len() == 0).map_or(Ok(()), files::sync)
    };
    file.write_all(&text).and_then(|()| synced(&file)).map_err(|source| {
        let _ = file.set_len(metadata.len());
        io_error("write", path)(source)
    })
}

fn is_torn(file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != [b'\n'])
}
