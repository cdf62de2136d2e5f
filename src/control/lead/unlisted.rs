//! A manifest for one session that nobody declared, for as long as a program acts on it: what is done to a session is done by way of an
//! entry. It is private, and leads nothing once it is gone.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::store::paths::StateHome;

/// What a program that was killed has left is taken away after this time.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Where they are, below the directory of state, and how each is called.
const PLACE: &str = "unlisted";
const NAME: &str = "agent-sessions.yaml";

/// Such a manifest. It is taken away when this is dropped.
#[derive(Debug)]
pub struct UnlistedManifest {
    directory: tempfile::TempDir,
    path: PathBuf,
    state: StateHome,
}

impl UnlistedManifest {
    /// Writes one with this entry.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(state: &StateHome, entry: &Value) -> io::Result<Self> {
        Self::of_entries(state, std::slice::from_ref(entry))
    }

    /// Writes one with these entries.
    pub(super) fn of_entries(state: &StateHome, entries: &[Value]) -> io::Result<Self> {
        Self::write(state, &json!({ "version": 1, "sessions": entries }))
    }

    /// Writes one with no entry, which discovers every agent whatever its session is called.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn of_everybody(state: &StateHome) -> io::Result<Self> {
        Self::write(state, &json!({ "version": 1, "discovery": { "names": ["*"] }, "sessions": [] }))
    }

    fn write(state: &StateHome, manifest: &Value) -> io::Result<Self> {
        let place = state.path().join(PLACE);
        DirBuilder::new().recursive(true).mode(0o700).create(&place)?;
        sweep(&place);
        let directory =
            tempfile::Builder::new().prefix("entry-").permissions(Permissions::from_mode(0o700)).tempdir_in(&place)?;
        let path = directory.path().canonicalize()?.join(NAME);
        let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        std::fs::write(&path, text)?;
        Ok(Self { directory, path, state: state.clone() })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for UnlistedManifest {
    fn drop(&mut self) {
        // What was remembered of it would be of no use to anybody.
        let _ = std::fs::remove_dir_all(self.state.of_manifest(&self.path).path());
        tracing::debug!(directory = %self.directory.path().display(), "taking away an unlisted manifest");
    }
}

/// Takes away what is old.
fn sweep(place: &Path) {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let is_stale = |path: &PathBuf| {
        let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
        changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE))
    };
    entries.map(|entry| entry.path()).filter(is_stale).for_each(|path| drop(std::fs::remove_dir_all(path)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_private_and_gone_when_it_is_no_longer_needed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateHome::at(dir.path().join("state"));
        let manifest = UnlistedManifest::new(&state, &json!({ "name": "a: b\n'c'", "agent": "codex" })).unwrap();
        let path = manifest.path().to_path_buf();
        let mode = path.parent().unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        let read: Value = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(read["sessions"][0]["name"], "a: b\n'c'");
        drop(manifest);
        assert!(!path.exists() && !path.parent().unwrap().exists());
        // One that was left a moment ago may be in use.
        let left = dir.path().join("state/unlisted/entry-left");
        std::fs::create_dir(&left).unwrap();
        drop(UnlistedManifest::new(&state, &json!({ "name": "b", "agent": "codex" })).unwrap());
        assert!(left.exists());
    }
}
