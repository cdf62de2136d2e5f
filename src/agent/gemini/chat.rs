//! One of Gemini's chats, and the list of those in a directory: names, first lines, messages. Never says whose a chat is.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::files;

/// The first line of a chat. One that lost it begins with something else.
#[derive(Deserialize)]
pub(super) struct FirstLine {
    #[serde(rename = "sessionId")]
    pub(super) id: Option<String>,
    #[serde(rename = "startTime")]
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) kind: Option<String>,
}

/// A message of a chat; its other lines are something else, and have no id of their own.
#[derive(Deserialize)]
pub(super) struct ChatMessage {
    pub(super) id: String,
    pub(super) timestamp: DateTime<Utc>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) content: Value,
    /// The tools it asked for, once they have run.
    #[serde(rename = "toolCalls", default)]
    pub(super) calls: Vec<Value>,
    #[serde(default)]
    pub(super) thoughts: Vec<Value>,
}

/// The chats in a directory, each with its short id; none if there is no such directory.
pub(super) fn listed(dir: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(files::unreadable(dir, &error)),
    };
    let mut chats = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| files::unreadable(dir, &error))?;
        let short = entry.file_name().to_str().and_then(short_id_of).map(str::to_owned);
        chats.extend(short.map(|short| (entry.path(), short)));
    }
    Ok(chats)
}

/// The short id a file's name gives.
pub(super) fn short_id_of(name: &str) -> Option<&str> {
    let stem = name.strip_prefix("session-")?.strip_suffix(".jsonl")?;
    stem.rsplit_once('-').map(|(_, short)| short).filter(|short| short.len() == 8)
}

/// The first line of a chat.
pub(super) fn first_line(path: &Path) -> Result<FirstLine, String> {
    let edges = files::edges(path).map_err(|error| files::unreadable(path, &error))?;
    let line = edges.head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(line).map_err(|_| format!("{} does not start like a chat", path.display()))
}

/// When a chat was first prompted; `None` if its beginning does not tell.
pub(super) fn first_prompt(chat: &Path) -> Option<DateTime<Utc>> {
    let edges = files::edges(chat).ok()?;
    let mut messages = edges.lines().filter_map(|line| serde_json::from_slice::<ChatMessage>(line).ok());
    messages.find(|message| message.kind == "user").map(|message| message.timestamp)
}
