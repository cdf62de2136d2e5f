//! What a crew writes down for those who come later: an entry, and how it stands in each of the three files. Never decides what is kept.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::CrewVerb;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContextKind {
    /// Something that was said between manager and worker.
    Said(CrewVerb),
    /// A note that nobody was sent.
    Note(NoteWord),
}

/// The word of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteWord {
    /// The only one.
    #[serde(rename = "CONTEXT")]
    Context,
}

impl ContextKind {
    /// A note that nobody was sent.
    pub const NOTE: Self = Self::Note(NoteWord::Context);

    /// The kind of a word.
    pub fn of(word: &str) -> Option<Self> {
        if word == "CONTEXT" { Some(Self::NOTE) } else { CrewVerb::of(word).map(Self::Said) }
    }

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Said(verb) => verb.as_str(),
            Self::Note(_) => "CONTEXT",
        }
    }
}

impl fmt::Display for ContextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextEntry {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub ts: String,
    /// The task.
    pub task_id: String,
    /// Who said it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ContextKind,
    /// What was said, in short.
    pub summary: String,
    /// Where the rest of it is.
    pub artifact_path: Option<String>,
}

impl ContextEntry {
    /// A time as it stands in an entry.
    pub fn stamp(at: DateTime<Utc>) -> String {
        at.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Its line in `context.md`.
    pub fn in_markdown(&self) -> String {
        let artifact = self.artifact_path.as_ref().map(|path| format!(" artifact={path}")).unwrap_or_default();
        format!("- seq={} task={} {} -> {} {}{artifact}", self.seq, self.task_id, self.from, self.to, self.summary)
    }

    /// Its line in `live.log`.
    pub fn in_log(&self) -> String {
        let artifact = self.artifact_path.as_ref().map(|path| format!(" artifact={path}")).unwrap_or_default();
        format!(
            "[{}] seq={} task={} {} -> {} type={}{artifact} summary={}",
            self.ts, self.seq, self.task_id, self.from, self.to, self.kind, self.summary
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_entry_stands_in_each_file_as_the_tools_of_its_field_write_it() {
        let entry = ContextEntry {
            seq: 4,
            ts: ContextEntry::stamp(DateTime::UNIX_EPOCH),
            task_id: "T".into(),
            from: "manager".into(),
            to: "w1".into(),
            kind: ContextKind::Said(CrewVerb::TaskAssign),
            summary: "fix it".into(),
            artifact_path: Some("/a/b".into()),
        };
        assert_eq!(entry.in_markdown(), "- seq=4 task=T manager -> w1 fix it artifact=/a/b");
        assert_eq!(
            entry.in_log(),
            "[1970-01-01T00:00:00Z] seq=4 task=T manager -> w1 type=TASK_ASSIGN artifact=/a/b summary=fix it"
        );
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            line,
            r#"{"seq":4,"ts":"1970-01-01T00:00:00Z","task_id":"T","from":"manager","to":"w1","type":"TASK_ASSIGN","summary":"fix it","artifact_path":"/a/b"}"#
        );
        assert_eq!(serde_json::from_str::<ContextEntry>(&line).unwrap(), entry);
        let note = ContextEntry { kind: ContextKind::NOTE, artifact_path: None, ..entry };
        let line = serde_json::to_string(&note).unwrap();
        assert!(line.contains(r#""type":"CONTEXT""#) && line.ends_with(r#""artifact_path":null}"#), "{line}");
        assert_eq!(serde_json::from_str::<ContextEntry>(&line).unwrap(), note);
    }
}
