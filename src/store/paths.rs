//! Where headcount's own files live. Owns the layout of the state directory; never creates anything for a reader.
//!
//! ```text
//! $XDG_STATE_HOME/headcount/            default ~/.local/state/headcount, mode 0700
//!   hooks/<pid>.jsonl  <pid>.1          events from agents' hooks, and what was put aside of them; mode 0600
//!   hooks/dropped                       how many events could not be written
//!   queue/<id>.json                     texts that wait for an agent; mode 0600
//!   claims/<16 hex>.lock                who speaks to a broker as whom: one process at a time
//!   crews/<32 hex>.key  .read  .json    the manager's key of a crew, what it has read, where the crew is; mode 0600
//!   crews/<name>-<12 hex>/              a crew that a manifest declares
//!   terminal-path                       the PATH of the last start from a terminal; mode 0600
//!   bridge/read/<32 hex>                panes that were read, for tmux-bridge; mode 0600
//!   frontends/csd.yaml                  the manifest of the workers of a front end; mode 0600
//!   <stem>-<12 hex>/                    one manifest: its file's stem and the hash of its resolved absolute path
//!     journal.jsonl  state.json         mode 0600
//! ```

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::TextHash;

/// The state directory cannot be named or made.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Neither variable helps. `/tmp` is never used instead.
    #[error("cannot tell where to keep state: neither XDG_STATE_HOME nor HOME is an absolute path")]
    NoHome,
    /// A directory could not be made or made private.
    #[error("cannot {action} the directory {}", path.display())]
    Directory {
        /// What was tried.
        action: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The directory all of headcount's state is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHome(PathBuf);

impl StateHome {
    /// The directory the environment says: `$XDG_STATE_HOME/headcount`, else `$HOME/.local/state/headcount`. A relative
    /// variable is ignored, as the XDG Base Directory Specification demands. Nothing is created.
    ///
    /// # Errors
    /// [`PathError::NoHome`].
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, PathError> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .map(|state| Self(state.join("headcount")))
            .ok_or(PathError::NoHome)
    }

    /// This very directory.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where hook events are.
    pub fn hooks(&self) -> PathBuf {
        self.0.join("hooks")
    }

    /// Where the keys of crews are, and the crews that a manifest declares.
    pub fn crews(&self) -> PathBuf {
        self.0.join("crews")
    }

    /// Where the manifests of front ends are, whose entries are their workers.
    pub fn frontends(&self) -> PathBuf {
        self.0.join("frontends")
    }

    /// The directory of one manifest, named by its resolved absolute path.
    pub fn of_manifest(&self, resolved: &Path) -> ManifestDir {
        let stem = resolved.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let stem: String =
            stem.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let hash = TextHash::of(resolved.as_os_str().as_bytes()).short(12);
        ManifestDir { home: self.0.clone(), path: self.0.join(format!("{stem}-{hash}")) }
    }
}

/// The directory of one manifest's journal and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestDir {
    home: PathBuf,
    path: PathBuf,
}

impl ManifestDir {
    /// The directory, whether or not it is there yet.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the directory, mode 0700; a wider mode of an existing one is narrowed. Only writers call this.
    ///
    /// # Errors
    /// [`PathError::Directory`].
    pub fn create(&self) -> Result<(), PathError> {
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| PathError::Directory { action, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(fail("create", &self.path))?;
        for dir in [&self.home, &self.path] {
            let mode = dir.metadata().map_err(fail("examine", dir))?.permissions().mode();
            if mode & 0o077 != 0 {
                std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(fail("make private", dir))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn environment(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn state_lives_where_xdg_says_and_never_in_tmp() {
        let home = |pairs| StateHome::from_environment(environment(pairs));
        assert_eq!(home(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap().path(), Path::new("/x/headcount"));
        assert_eq!(home(&[("XDG_STATE_HOME", "x"), ("HOME", "/h")]).unwrap().path(), Path::new("/h/.local/state/headcount"));
        assert!(matches!(home(&[("XDG_STATE_HOME", ""), ("HOME", "")]), Err(PathError::NoHome)));
        assert!(matches!(home(&[]), Err(PathError::NoHome)));
    }

    #[test]
    fn two_manifests_of_one_name_have_two_directories() {
        let home = StateHome::at("/x");
        let one = home.of_manifest(Path::new("/a/agent-sessions.yaml"));
        let two = home.of_manifest(Path::new("/b/agent-sessions.yaml"));
        assert_ne!(one, two);
        let name = one.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(name, format!("agent-sessions-{}", TextHash::of(b"/a/agent-sessions.yaml").short(12)));
        let odd = home.of_manifest(Path::new(&format!("/a/x\n é{}.yaml", "y".repeat(200))));
        assert!(odd.path().file_name().unwrap().len() < 80);
    }

    #[test]
    fn directories_are_private_even_if_they_were_not() {
        let temp = tempfile::tempdir().unwrap();
        let home = StateHome::at(temp.path().join("headcount"));
        std::fs::create_dir(home.path()).unwrap();
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let dir = home.of_manifest(Path::new("/a/m.yaml"));
        assert!(!dir.path().exists());
        dir.create().unwrap();
        dir.create().unwrap();
        for path in [home.path(), dir.path()] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
