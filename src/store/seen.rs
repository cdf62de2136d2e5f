//! When a person last looked at each session, in one small file of the state directory. Never decides what counts as a look.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::operations::{OperationError, make_private, read_own};
use super::paths::StateHome;
use super::replace;
use crate::core::ids::SessionKey;

/// As many sessions are remembered, those that were looked at last.
const MOST: usize = 5000;

/// The file.
#[derive(Debug, Clone)]
pub struct SeenFile {
    path: PathBuf,
}

/// Its content: a list, because a key is no text.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SeenLooks {
    seen: Vec<(SessionKey, DateTime<Utc>)>,
}

impl SeenFile {
    /// That of this state directory.
    pub fn new(home: &StateHome) -> Self {
        Self { path: home.path().join("seen.json") }
    }

    /// When each session was last looked at. A file that cannot be read remembers nothing.
    pub fn read(&self) -> BTreeMap<SessionKey, DateTime<Utc>> {
        let read = read_own(&self.path).ok().and_then(|bytes| serde_json::from_slice::<SeenLooks>(&bytes).ok());
        read.unwrap_or_default().seen.into_iter().collect()
    }

    /// Remembers that a session was looked at, or with `None` that it was not; gives what is remembered now.
    ///
    /// # Errors
    /// [`OperationError`]: it will be forgotten when this program ends.
    pub fn mark(&self, session: &SessionKey, at: Option<DateTime<Utc>>) -> Result<(), OperationError> {
        let failed = |error: io::Error| OperationError::of("write", &self.path)(error);
        let mut seen = self.read();
        match at {
            Some(at) => seen.insert(session.clone(), at),
            None => seen.remove(session),
        };
        let mut seen: Vec<(SessionKey, DateTime<Utc>)> = seen.into_iter().collect();
        seen.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        seen.truncate(MOST);
        let bytes = serde_json::to_vec(&SeenLooks { seen }).map_err(io::Error::other).map_err(failed)?;
        if let Some(directory) = self.path.parent() {
            make_private(directory).map_err(failed)?;
        }
        replace::replace(&self.path, &bytes).map_err(failed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::MuxKind;

    #[test]
    fn a_look_is_remembered_until_it_is_taken_back_and_a_broken_file_remembers_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let file = SeenFile::new(&StateHome::at(temp.path().join("state")));
        let key = SessionKey { name: "a:b\"".into(), mux: MuxKind::Tmux, server: "default".into(), host: "here".into() };
        assert!(file.read().is_empty());
        let at = DateTime::UNIX_EPOCH;
        file.mark(&key, Some(at)).unwrap();
        assert_eq!(file.read().get(&key), Some(&at));
        file.mark(&key, None).unwrap();
        assert!(file.read().is_empty());
        std::fs::write(&file.path, "{").unwrap();
        assert!(file.read().is_empty());
        file.mark(&key, Some(at)).unwrap();
        assert_eq!(file.read().len(), 1);
    }
}
