//! Marks of panes that somebody has read and may type into once. Files of this user alone; never knows what a pane is.
//!
//! ```text
//! <state>/bridge/read/<32 hex>   one pane: its server, its id and its process; mode 0600
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::TextHash;
use super::paths::StateHome;
use super::replace;
use crate::fault;

/// A mark that is older counts no more.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// A pane as it was read: none with another server, boot or process is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarkedPane<'a> {
    /// The socket of its server.
    pub socket: &'a str,
    /// The boot in which that runs, where that can be told.
    pub boot: Option<&'a str>,
    /// The process of its server.
    pub server: u32,
    /// Its id.
    pub pane: &'a str,
    /// The process it was made for.
    pub pid: u32,
}

/// The marks of one state directory.
#[derive(Debug, Clone)]
pub struct ReadMarks {
    directory: PathBuf,
}

impl ReadMarks {
    /// Those of a state directory, which may not be there yet.
    pub fn new(state: &StateHome) -> Self {
        Self { directory: state.path().join("bridge/read") }
    }

    fn file(&self, pane: &MarkedPane<'_>) -> io::Result<(PathBuf, Vec<u8>)> {
        let text = serde_json::to_vec(pane)?;
        Ok((self.directory.join(TextHash::of(&text).short(32)), text))
    }

    /// Marks a pane as read.
    ///
    /// # Errors
    /// The mark is not there.
    pub fn set(&self, pane: &MarkedPane<'_>) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let (path, text) = self.file(pane)?;
        fault::around("mark a pane as read", || replace::replace(&path, &text))?;
        self.forget_old();
        Ok(())
    }

    /// Whether a pane is marked.
    pub fn is_set(&self, pane: &MarkedPane<'_>) -> bool {
        self.file(pane).is_ok_and(|(path, _)| path.symlink_metadata().is_ok_and(|metadata| is_fresh(&metadata)))
    }

    /// Takes the mark of a pane away. `false`: there was none. Of several that try, only one gets it.
    ///
    /// # Errors
    /// It may still be there.
    pub fn take(&self, pane: &MarkedPane<'_>) -> io::Result<bool> {
        let (path, _) = self.file(pane)?;
        let was_fresh = path.symlink_metadata().is_ok_and(|metadata| is_fresh(&metadata));
        match fault::around("take the mark of a pane", || fs::remove_file(&path)) {
            Ok(()) => Ok(was_fresh),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes marks that count no more.
    fn forget_old(&self) {
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.metadata().is_ok_and(|metadata| !is_fresh(&metadata)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn is_fresh(metadata: &fs::Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_none_or(|age| age < LASTS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_mark_is_of_one_pane_of_one_server_private_and_counts_once_for_a_day() {
        let temp = tempfile::tempdir().unwrap();
        let marks = ReadMarks::new(&StateHome::at(temp.path().join("state")));
        let pane = MarkedPane { socket: "/a", boot: Some("b"), server: 1, pane: "%1", pid: 2 };
        let others = [
            MarkedPane { socket: "/b", ..pane.clone() },
            MarkedPane { boot: None, ..pane.clone() },
            MarkedPane { server: 3, ..pane.clone() },
            MarkedPane { pane: "%2", ..pane.clone() },
            MarkedPane { pid: 3, ..pane.clone() },
        ];
        assert!(!marks.is_set(&pane) && !marks.take(&pane).unwrap());
        marks.set(&pane).unwrap();
        assert!(marks.is_set(&pane) && others.iter().all(|other| !marks.is_set(other) && !marks.take(other).unwrap()));
        let (path, _) = marks.file(&pane).unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let taken = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| marks.take(&pane).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|taken| *taken).count()
        });
        assert_eq!(taken, 1);
        // One of yesterday is none, and goes when the next one is set.
        marks.set(&pane).unwrap();
        let old = SystemTime::now() - LASTS - Duration::from_secs(60);
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert!(!marks.is_set(&pane));
        marks.set(&others[0]).unwrap();
        assert!(!path.exists() && marks.is_set(&others[0]));
    }
}
