//! One entry as it stands in the journal: a recorded change, or something else that happened. Owns the line format; never reads
//! or writes a file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::super::TextHash;
use crate::core::drift::{Class, Evidence};
use crate::core::edit::{Edit, Path, Segment};
use crate::core::ids::{AgentKind, SessionKey};

/// The number of an entry, counted up for as long as a manifest has a journal; written `000123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryId(u64);

/// Not the number of an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the number of a journal entry (such as 000123)")]
pub struct NotAnEntryId(String);

impl EntryId {
    pub(super) const ZERO: Self = Self(0);

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl FromStr for EntryId {
    type Err = NotAnEntryId;

    /// Leading zeros may be left out.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digits = !s.is_empty() && s.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| s.parse().ok().map(Self)).flatten().ok_or_else(|| NotAnEntryId(s.to_owned()))
    }
}

impl TryFrom<String> for EntryId {
    type Error = NotAnEntryId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EntryId> for String {
    fn from(id: EntryId) -> Self {
        id.to_string()
    }
}

/// A change that is about to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// The boot of the host, as [`Boot::id`](crate::core::observe::Boot::id) names it; `None` if that is unknown.
    pub boot: Option<String>,
    /// The manifest, resolved.
    pub manifest: PathBuf,
    /// The drift it answers.
    pub class: Class,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// One line about it.
    pub message: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// The edits, in the order they are made.
    pub edits: Vec<Edit>,
    /// The entry that this one takes back.
    pub undoes: Option<EntryId>,
}

/// The kind of an entry that is a recorded change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EditKind {
    /// The only kind there was before entries named theirs.
    #[default]
    Edit,
}

/// A change that was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number. Numbers say what came first; a clock may have been set.
    pub id: EntryId,
    #[serde(default)]
    pub(super) kind: EditKind,
    /// When.
    pub at: DateTime<Utc>,
    /// The boot of the host in which it was written, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<String>,
    /// The manifest, resolved. A path that is not UTF-8 is shown with replacement characters: it is for people.
    pub manifest: String,
    /// The drift it answered.
    pub class: Class,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// One line about it.
    pub message: String,
    /// What it rested on.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// The edits, in the order they were made.
    pub edits: Vec<EditRecord>,
    /// The hash of the text before all changes of that update.
    pub before: TextHash,
    /// The hash of the text after all of them.
    pub after: TextHash,
    /// The entry that this one took back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undoes: Option<EntryId>,
}

impl JournalEntry {
    pub(super) fn new(id: EntryId, new: NewEntry, before: TextHash, after: TextHash) -> Self {
        let NewEntry { at, boot, manifest, class, session, agent, message, evidence, edits, undoes } = new;
        let manifest = manifest.to_string_lossy().into_owned();
        let edits = edits.iter().map(EditRecord::from).collect();
        let kind = EditKind::Edit;
        Self { id, kind, at, boot, manifest, class, session, agent, message, evidence, edits, before, after, undoes }
    }

    /// The edits that take it back, in the order they have to be made.
    pub fn inverse(&self) -> Vec<Edit> {
        self.edits.iter().rev().map(|record| Edit::from(record).inverse()).collect()
    }
}

/// An entry that is no edit of the manifest, or one that only a newer headcount understands. Every kind of entry has these
/// fields, so every version can number it, keep it and show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Its number.
    pub id: EntryId,
    /// What kind of entry it is.
    #[serde(default = "edit")]
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The boot of the host in which it was written, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<String>,
    /// The session it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "if_known")]
    pub session: Option<SessionKey>,
    /// One line about it.
    #[serde(default)]
    pub message: String,
    /// The entry that this one took back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undoes: Option<EntryId>,
    /// What the session was called before, if it was given another name; on which server it was, if it was moved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub former: Option<String>,
    /// The hash of the manifest that its change leaves, if it changes the manifest. It counts only once that has happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) after: Option<TextHash>,
}

impl Note {
    /// A version of the manifest that another program saved was kept beside it.
    pub const KEPT: &str = "kept";
    /// A person declared something by a command.
    pub const DECLARED: &str = "declared";
    /// An entry was taken out of the manifest.
    pub const REMOVED: &str = "removed";
    /// An entry that was taken out was put back.
    pub const RESTORED: &str = "restored";
    /// An entry was given another name.
    pub const RENAMED: &str = "renamed";
    /// A session was moved to another server.
    pub const MOVED: &str = "moved";
    /// A session was moved to another multiplexer; its former place is `MUX:SERVER`.
    pub const MOVED_ACROSS: &str = "moved-across";

    pub(super) fn new(id: EntryId, new: NewNote) -> Self {
        let NewNote { kind, at, boot, session, message, undoes, former } = new;
        Self { id, kind: kind.to_owned(), at, boot, session, message, undoes, former, after: None }
    }
}

/// What this version understands, and `None` for anything else: a newer one may say more than this.
fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SessionKey>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

fn edit() -> String {
    "edit".to_owned()
}

/// Something to be noted that is no edit.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNote {
    /// What kind of entry it is.
    pub kind: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// The boot of the host, where that is known.
    pub boot: Option<String>,
    /// The session it is about, if it is about one.
    pub session: Option<SessionKey>,
    /// One line about it.
    pub message: String,
    /// The entry that it takes back.
    pub undoes: Option<EntryId>,
    /// What the session was called before, if it was given another name; on which server it was, if it was moved.
    pub former: Option<String>,
}

/// An entry that counts.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryRecord {
    /// A change of the manifest.
    Edit(JournalEntry),
    /// Anything else.
    Note(Note),
}

impl EntryRecord {
    /// Its number.
    pub fn id(&self) -> EntryId {
        match self {
            Self::Edit(entry) => entry.id,
            Self::Note(note) => note.id,
        }
    }

    /// The session it is about, if it is about one.
    pub fn session(&self) -> Option<&SessionKey> {
        match self {
            Self::Edit(entry) => Some(&entry.session),
            Self::Note(note) => note.session.as_ref(),
        }
    }

    /// The change, if it is one.
    pub fn into_edit(self) -> Option<JournalEntry> {
        match self {
            Self::Edit(entry) => Some(entry),
            Self::Note(_) => None,
        }
    }
}

/// An edit in the journal. A value that is missing from the line was not there; `null` is a null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditRecord {
    path: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    from: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    to: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    after: Option<String>,
}

/// A step of a path: a key that contains a dot must not read as two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Step {
    Index(usize),
    Key(String),
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl From<&Edit> for EditRecord {
    fn from(edit: &Edit) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Key(key) => Step::Key(key.clone()),
            Segment::Index(index) => Step::Index(*index),
        };
        let path = edit.path.0.iter().map(step).collect();
        Self { path, from: edit.from.clone(), to: edit.to.clone(), after: edit.after.clone() }
    }
}

impl From<&EditRecord> for Edit {
    fn from(record: &EditRecord) -> Self {
        let segment = |step: &Step| match step {
            Step::Key(key) => Segment::Key(key.clone()),
            Step::Index(index) => Segment::Index(*index),
        };
        let path = Path(record.path.iter().map(segment).collect());
        Self { path, from: record.from.clone(), to: record.to.clone(), after: record.after.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_value_and_a_null_are_told_apart_in_the_journal() {
        let path = Path::root().key("sessions").index(2).key("a.b");
        for (from, to) in [(None, Some(Value::Null)), (Some(Value::Null), None), (Some(json!({"x": 1})), Some(json!("y")))] {
            let edit = Edit { after: Some("name".into()), ..Edit::new(path.clone(), from, to) };
            let line = serde_json::to_string(&EditRecord::from(&edit)).unwrap();
            let read: EditRecord = serde_json::from_str(&line).unwrap();
            assert_eq!(Edit::from(&read), edit, "{line}");
        }
    }

    #[test]
    fn numbers_can_be_typed_with_or_without_zeros() {
        assert_eq!("123".parse::<EntryId>().unwrap().to_string(), "000123");
        assert_eq!("000123".parse::<EntryId>(), "123".parse());
        for wrong in ["", "+1", "-1", "1a", "99999999999999999999999"] {
            assert!(wrong.parse::<EntryId>().is_err(), "{wrong}");
        }
    }
}
