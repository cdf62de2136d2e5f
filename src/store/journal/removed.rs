//! What was taken out of a manifest, kept for taking that back alone: it may hold secrets, so no journal holds it. Never decides where
//! it goes back to.

use std::fs::DirBuilder;
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::TextHash;
use super::super::replace;
use super::{EntryId, Journal, JournalError, io_error};
use crate::core::ids::{AgentKind, SessionKey};

/// An entry that was taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemovedEntry {
    /// The session it declared.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The entry that stood above it, if one did.
    #[serde(default)]
    pub above: Option<SessionKey>,
    /// The bytes.
    pub taken: String,
    /// What took their place.
    pub put: String,
    /// Where they stood.
    pub offset: usize,
    /// What they said.
    pub value: Value,
    /// The hash of the text without them.
    pub after: TextHash,
}

/// How many are kept.
const KEPT: usize = 128;
/// More bytes than this are none of ours.
const MOST: u64 = 16 << 20;

impl Journal {
    /// Keeps what an entry of the journal says was taken out, mode 0600.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing is kept.
    pub fn keep_removed(&self, id: EntryId, removed: &RemovedEntry) -> Result<(), JournalError> {
        let directory = self.directory.file("removed");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(io_error("create", &directory))?;
        let path = self.removed_path(id);
        let text = serde_json::to_vec(removed).map_err(JournalError::Encode)?;
        replace::replace(&path, &text).and_then(|()| replace::sync(&path)).map_err(io_error("write", &path))?;
        let mut all: Vec<PathBuf> =
            directory.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        all.sort();
        for old in all.iter().take(all.len().saturating_sub(KEPT)) {
            let _ = std::fs::remove_file(old);
        }
        Ok(())
    }

    /// Forgets it again: it was not taken out, or it was put back.
    pub fn drop_removed(&self, id: EntryId) {
        let _ = std::fs::remove_file(self.removed_path(id));
    }

    /// What was taken out; `None` if it is kept no more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn removed(&self, id: EntryId) -> Result<Option<RemovedEntry>, JournalError> {
        let path = self.removed_path(id);
        let mut options = std::fs::OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text).map_err(io_error("read", &path))?;
        serde_json::from_slice(&text).map(Some).map_err(io::Error::other).map_err(io_error("read", &path))
    }

    fn removed_path(&self, id: EntryId) -> PathBuf {
        self.directory.file("removed").join(format!("{id}.json"))
    }
}
