//! Events that agents' hooks leave in files of ours. Owns those files; never puts a hook in place.
//!
//! One file for each process that runs hooks, `<state>/hooks/<pid>.jsonl`, one JSON object a line (`line`). It is put aside as `<pid>.1`
//! when it grows too long. `start_ticks` is field 22 of `/proc/PID/stat`: with it a reused pid is another process. A line counts for the
//! process that it names only in the file of that process, and for no other, whatever conversation it is about.

mod append;
mod follow;
mod line;
mod place;
mod receipt;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::paths::StateHome;
use crate::core::hooks::{HookEvent, HookKind, ProcessMark};
use crate::core::ids::{AgentKind, ConversationId};

pub use append::{append, dropped, prepare};
pub use follow::{HookPosition, end, kept, since};
pub use line::LONGEST_LINE;
pub use place::place;
pub use receipt::{HookReceipt, keep_receipt, receipt};

/// The directory of events, in the state directory.
const HOOKS: &str = "hooks";
/// The file in it that counts the events that could not be written.
const COUNTER: &str = "dropped";
/// How much of a file's end is read. A hook writes a few hundred bytes per event.
const TAIL: u64 = 64 * 1024;

/// A conversation that a process was in when its newest hook event fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// When the event fired.
    pub at: DateTime<Utc>,
    /// The agent that fired it.
    pub agent: AgentKind,
    /// The conversation.
    pub session_id: ConversationId,
    /// The event.
    pub event: HookKind,
    /// The working directory it named.
    pub cwd: Option<PathBuf>,
    /// The file it was read from.
    pub source: PathBuf,
}

/// The events of a process cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read hook events {}", path.display())]
pub struct HookError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// The file of a process.
fn current(pid: u32) -> String {
    format!("{pid}.jsonl")
}

/// What its file was before it grew too long.
fn former(pid: u32) -> String {
    format!("{pid}.1")
}

/// The conversation this process is in, by its newest event. `SessionEnd` closes the binding to the conversation it names and
/// never opens one. Lines that are torn, of another process or from an unknown agent say nothing.
///
/// # Errors
/// [`HookError`] if there is a file that cannot be read: unknown, which is not the same as no binding.
pub fn newest_binding(home: &StateHome, pid: u32, start_ticks: u64) -> Result<Option<Binding>, HookError> {
    let path = home.hooks().join(current(pid));
    match tail(&path) {
        Ok(tail) => Ok(bind(&tail, &path, pid, start_ticks)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HookError { path, source }),
    }
}

/// Opens a file for reading that has to be a regular one.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let skipped = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    // It may grow while it is read: the bound holds all the same.
    file.take(TAIL).read_to_end(&mut bytes)?;
    if skipped > 0 {
        let first_whole = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| newline + 1);
        bytes.drain(..first_whole);
    }
    Ok(bytes)
}

/// The events of one process among these lines, in the order they fired: two hooks may append in another order. Of two stamps that are
/// equal the later line counts as the later one.
fn events_of(lines: &[u8], process: ProcessMark) -> Vec<HookEvent> {
    let lines = lines.split(|byte| *byte == b'\n').filter_map(line::event_of);
    let mut events: Vec<HookEvent> = lines.filter(|event| event.process == process).collect();
    events.sort_by_key(|event| event.at);
    events
}

fn bind(tail: &[u8], path: &Path, pid: u32, start_ticks: u64) -> Option<Binding> {
    let mut bound: Option<Binding> = None;
    for HookEvent { at, agent, kind, session_id, cwd, .. } in events_of(tail, ProcessMark { pid, start_ticks }) {
        let Some(session_id) = session_id else { continue };
        if kind != HookKind::SessionEnd {
            bound = Some(Binding { at, agent, session_id, event: kind, cwd, source: path.to_owned() });
        } else if bound.as_ref().is_some_and(|binding| binding.session_id == session_id) {
            bound = None;
        }
    }
    bound
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::fmt::Write as _;

    use super::*;

    fn line(second: u32, ticks: u64, event: &str, id: &str) -> String {
        format!(
            r#"{{"at":"2026-01-01T00:00:{second:02}Z","agent":"claude","pid":7,"start_ticks":{ticks},"event":"{event}","session_id":"{id}","cwd":"/w"}}"#
        )
    }

    fn bound(lines: &[String]) -> Option<String> {
        bind(lines.join("\n").as_bytes(), Path::new("/f"), 7, 100).map(|binding| binding.session_id.0)
    }

    #[test]
    fn the_newest_event_of_this_very_process_binds() {
        let lines =
            [line(2, 100, "UserPromptSubmit", "b"), line(1, 100, "SessionStart", "a"), line(9, 99, "SessionStart", "old")];
        assert_eq!(bound(&lines).as_deref(), Some("b"));
    }

    #[test]
    fn an_end_closes_only_the_conversation_it_names_and_opens_none() {
        assert_eq!(bound(&[line(1, 100, "SessionStart", "a"), line(2, 100, "SessionEnd", "a")]), None);
        assert_eq!(bound(&[line(1, 100, "SessionEnd", "a")]), None);
        let cleared = [line(1, 100, "SessionStart", "a"), line(2, 100, "SessionStart", "b"), line(3, 100, "SessionEnd", "a")];
        assert_eq!(bound(&cleared).as_deref(), Some("b"));
    }

    #[test]
    fn torn_and_foreign_lines_say_nothing() {
        let torn = line(3, 100, "Stop", "c")[..60].to_owned();
        let unknown = line(3, 100, "Stop", "c").replace("claude", "nobody");
        assert_eq!(
            bound(&[line(1, 100, "SessionStart", "a"), torn, unknown, String::new(), "[]".into()]).as_deref(),
            Some("a")
        );
    }

    #[test]
    fn only_the_end_of_a_long_file_is_read_and_no_file_is_no_binding() {
        let temp = tempfile::tempdir().unwrap();
        let home = StateHome::at(temp.path());
        assert_eq!(newest_binding(&home, 7, 100).unwrap(), None);
        assert!(!home.hooks().exists(), "a reader creates nothing");
        std::fs::create_dir(home.hooks()).unwrap();
        let mut text = line(59, 100, "SessionStart", "beyond the tail") + "\n";
        for second in 0..600 {
            writeln!(text, "{}", line(second % 50, 100, "Stop", "recent")).unwrap();
        }
        assert!(text.len() as u64 > TAIL + 200);
        std::fs::write(home.hooks().join("7.jsonl"), text).unwrap();
        let binding = newest_binding(&home, 7, 100).unwrap().unwrap();
        assert_eq!((binding.session_id.as_str(), binding.agent), ("recent", AgentKind::Claude));
        std::fs::create_dir(home.hooks().join("8.jsonl")).unwrap();
        assert!(newest_binding(&home, 8, 100).is_err(), "unreadable is not absent");
    }
}
