//! Events that agents' hooks append to files of ours. Reads only; never installs a hook and never writes an event.
//!
//! One file per agent process, `<state>/hooks/<pid>.jsonl`, one JSON object per line:
//! `{"at": …Z, "agent": "claude", "pid": 1, "start_ticks": 2, "event": "SessionStart", "session_id": "…", "cwd": "…"}`.
//! `start_ticks` is field 22 of `/proc/PID/stat`: with it a reused pid is another process.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::paths::StateHome;
use crate::core::ids::{AgentKind, ConversationId};

/// How much of a file's end is read. A hook writes a few hundred bytes per event.
const TAIL: u64 = 64 * 1024;
/// The event that ends a conversation; every other one says that it goes on.
const END: &str = "SessionEnd";

/// A conversation that a process was in when its newest hook event fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// When the event fired.
    pub at: DateTime<Utc>,
    /// The agent that fired it.
    pub agent: AgentKind,
    /// The conversation.
    pub session_id: ConversationId,
    /// The event, for instance `SessionStart`.
    pub event: String,
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

#[derive(Deserialize)]
struct Line {
    at: DateTime<Utc>,
    agent: String,
    pid: u32,
    start_ticks: u64,
    event: String,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
}

/// The conversation this process is in, by its newest event. `SessionEnd` closes the binding to the conversation it names and
/// never opens one. Lines that are torn, of another process or from an unknown agent say nothing.
///
/// # Errors
/// [`HookError`] if there is a file that cannot be read: unknown, which is not the same as no binding.
pub fn newest_binding(home: &StateHome, pid: u32, start_ticks: u64) -> Result<Option<Binding>, HookError> {
    let path = home.hooks().join(format!("{pid}.jsonl"));
    match tail(&path) {
        Ok(tail) => Ok(bind(&tail, &path, pid, start_ticks)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HookError { path, source }),
    }
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let skipped = metadata.len().saturating_sub(TAIL);
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

fn bind(tail: &[u8], path: &Path, pid: u32, start_ticks: u64) -> Option<Binding> {
    let mut lines: Vec<Line> = tail
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .filter(|line: &Line| line.pid == pid && line.start_ticks == start_ticks)
        .collect();
    // Two hooks of one process may append in another order than they fired; of two stamps that are equal the later line counts.
    lines.sort_by_key(|line| line.at);
    let mut bound: Option<Binding> = None;
    for Line { at, agent, event, session_id, cwd, .. } in lines {
        let (Ok(agent), Some(id)) = (agent.parse::<AgentKind>(), session_id.filter(|id| !id.is_empty())) else { continue };
        if event != END {
            bound = Some(Binding { at, agent, session_id: ConversationId(id), event, cwd, source: path.to_owned() });
        } else if bound.as_ref().is_some_and(|binding| binding.session_id.as_str() == id) {
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
