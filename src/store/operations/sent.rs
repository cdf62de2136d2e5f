//! What is kept of a text that was sent: its length and hash, the key it was sent under, and its receipt. Never the text.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{OperationError, OperationFiles, Operations, failed, launch};
use crate::core::ids::{ConversationId, SessionKey};
use crate::core::lead::OperationId;
use crate::core::lead::send::{SendReceipt, squeezed};
use crate::fault;
use crate::store::{TextHash, replace};

const SENT: &str = "sent.json";
const RECEIPT: &str = "sent-receipt.json";
const KEYS: &str = "send-keys";

/// How long a key stands for its text.
const KEPT: TimeDelta = TimeDelta::days(30);

/// What is kept of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextNote {
    /// Of all of it.
    pub hash: TextHash,
    /// Without its white space, as a screen shows it.
    pub squeezed: TextHash,
    /// Its length in bytes.
    pub length: usize,
    /// Its ends of lines.
    pub line_ends: usize,
    /// Its characters.
    pub characters: usize,
}

impl TextNote {
    /// Of this text.
    pub fn of(text: &str) -> Self {
        Self {
            hash: TextHash::of(text.as_bytes()),
            squeezed: TextHash::of(squeezed(text).as_bytes()),
            length: text.len(),
            line_ends: text.matches('\n').count(),
            characters: text.chars().count(),
        }
    }

    /// Whether this is it, white space aside: a composer wraps lines, and an agent may draw a tab and cut the ends.
    pub fn is_of(&self, text: &str) -> bool {
        TextHash::of(squeezed(text).as_bytes()) == self.squeezed
    }
}

/// A key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeyRecord {
    operation: OperationId,
    hash: TextHash,
    at: DateTime<Utc>,
}

/// What stands under a key.
#[derive(Debug)]
pub enum KeyClaim {
    /// From now on this text.
    New(KeyFile),
    /// This text, as this operation has sent it.
    Same(OperationId),
    /// Another text.
    Other(OperationId),
}

/// A key that was claimed.
#[derive(Debug)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// Gives it back: nothing was typed.
    pub fn give_back(self) {
        let _ = fault::around("give back a key", || std::fs::remove_file(self.0));
    }
}

impl Operations {
    /// Claims a key for a text in a conversation. Nobody else does so at the same time: the session is locked.
    ///
    /// # Errors
    /// [`OperationError`]; then it is not claimed.
    pub fn claim(
        &self,
        (conversation, session, key): (Option<&ConversationId>, &SessionKey, &str),
        note: &TextNote,
        (operation, now): (&OperationId, DateTime<Utc>),
    ) -> Result<KeyClaim, OperationError> {
        let directory = self.directory.with_file_name(KEYS);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(failed("create", &directory))?;
        let whose = conversation.map_or_else(|| session.to_string(), |id| id.as_str().to_owned());
        let path = directory.join(TextHash::of(format!("{whose}\0{key}").as_bytes()).to_string());
        let known: Option<KeyRecord> = match launch::read_own(&path) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        // A claim whose operation was never begun has typed nothing.
        let is_begun = |id: &OperationId| self.directory.join(id.as_str()).join(super::BEGUN).exists();
        match known.filter(|known| (now - known.at).abs() < KEPT && is_begun(&known.operation)) {
            Some(known) if known.hash == note.hash => return Ok(KeyClaim::Same(known.operation)),
            Some(known) => return Ok(KeyClaim::Other(known.operation)),
            None => {}
        }
        let record = KeyRecord { operation: operation.clone(), hash: note.hash, at: now };
        let text = serde_json::to_vec(&record).map_err(io::Error::other).map_err(failed("write", &path))?;
        fault::around("claim a key", || replace::replace(&path, &text)).map_err(failed("write", &path))?;
        Ok(KeyClaim::New(KeyFile(path)))
    }

    /// The files of an operation; `None`: there is none of that name.
    pub fn of(&self, id: &OperationId) -> Option<super::PastOperation> {
        OperationFiles { directory: self.directory.join(id.as_str()) }.past()
    }
}

impl OperationFiles {
    /// Notes which text is sent, before anything is typed.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn note_text(&self, note: &TextNote) -> Result<(), OperationError> {
        self.write(SENT, note)
    }

    /// The text that was sent.
    pub fn text_note(&self) -> Option<TextNote> {
        self.read(SENT)
    }

    /// Keeps the receipt of a text.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn write_receipt(&self, receipt: &SendReceipt) -> Result<(), OperationError> {
        self.write(RECEIPT, receipt)
    }

    /// The receipt of a text.
    pub fn send_receipt(&self) -> Option<SendReceipt> {
        self.read(RECEIPT)
    }
}
