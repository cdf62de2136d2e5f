//! The PATH of the last start from a terminal, mode 0600: a server that a service or an agent begins gets it. Never decides what is found
//! in it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::paths::StateHome;
use super::replace::replace;

/// More than this is no PATH: nothing could be started with it.
const MOST: usize = 64 * 1024;

/// That PATH, as whoever runs this process needs it. The default knows of none, and keeps none.
#[derive(Debug, Clone, Default)]
pub struct TerminalPath {
    file: Option<PathBuf>,
    is_at_terminal: bool,
}

impl TerminalPath {
    /// That of this user. `is_at_terminal`: whether a person at a terminal runs this process, so that its own PATH is theirs.
    pub fn of(state: &StateHome, is_at_terminal: bool) -> Self {
        Self { file: Some(state.path().join("terminal-path")), is_at_terminal }
    }

    /// The one that was kept.
    pub fn kept(&self) -> Option<OsString> {
        let kept = std::fs::read(self.file.as_ref()?).ok()?;
        (!kept.is_empty() && kept.len() <= MOST && !kept.contains(&0)).then(|| OsString::from_vec(kept))
    }

    /// What a server gets that begins now, where that is not the PATH of this process.
    pub fn borrowed(&self) -> Option<OsString> {
        self.kept().filter(|_| !self.is_at_terminal)
    }

    /// Keeps the PATH of this process, if a person at a terminal runs it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, path: Option<&OsStr>) -> io::Result<()> {
        let path = path.filter(|path| !path.is_empty() && path.len() <= MOST);
        let (Some(file), Some(path), true) = (&self.file, path, self.is_at_terminal) else { return Ok(()) };
        if self.kept().as_deref() == Some(path) {
            return Ok(());
        }
        replace(file, path.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_a_person_at_a_terminal_leaves_one_and_only_others_get_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateHome::at(dir.path());
        let (person, service) = (TerminalPath::of(&state, true), TerminalPath::of(&state, false));
        service.keep(Some("/poor".as_ref())).unwrap();
        assert_eq!((person.kept(), service.borrowed()), (None, None));
        person.keep(Some("/home/dev/bin:/bin".as_ref())).unwrap();
        assert_eq!((person.borrowed(), service.borrowed()), (None, Some("/home/dev/bin:/bin".into())));
        person.keep(None).unwrap();
        person.keep(Some("".as_ref())).unwrap();
        service.keep(Some("/poor".as_ref())).unwrap();
        assert_eq!(service.borrowed(), Some("/home/dev/bin:/bin".into()));
        let file = dir.path().join("terminal-path");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for odd in [vec![], b"/a\0b".to_vec(), vec![b'a'; MOST + 1]] {
            std::fs::write(&file, odd).unwrap();
            assert_eq!(service.borrowed(), None);
        }
        assert_eq!(TerminalPath::default().borrowed(), None);
    }
}
