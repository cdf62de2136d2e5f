//! Shared by the store's tests: a manifest in a directory of its own, and this test binary run again as another process.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use headcount::store::manifest::{ManifestFile, Pace, Snapshot, UpdateError, UpdateOptions, UpdateOutcome};
use tempfile::TempDir;

pub(crate) const NAME: &str = "agent-sessions.yaml";

/// A manifest in a directory of its own.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new(text: &str) -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), text)
    }

    /// In memory if possible: for tests that make thousands of updates and care about order, not about disks.
    pub(crate) fn fast(text: &str) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self::in_dir(dir, text)
    }

    fn in_dir(dir: TempDir, text: &str) -> Self {
        let path = dir.path().canonicalize().unwrap().join(NAME);
        fs::write(&path, text).unwrap();
        make_old(&path);
        Self { dir, path }
    }

    pub(crate) fn manifest(&self) -> ManifestFile {
        ManifestFile::open(&self.path).unwrap().with_pace(quick())
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// Every name in the directory.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        names(self.dir.path())
    }

    /// Asserts that there is nothing but the manifest and its lock.
    pub(crate) fn assert_no_litter(&self) {
        let lock = format!("{NAME}.lock");
        let litter: Vec<_> = self.names().into_iter().filter(|name| *name != NAME && *name != lock).collect();
        assert!(litter.is_empty(), "litter: {litter:?}");
    }
}

pub(crate) fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// As if it had been saved long ago.
pub(crate) fn make_old(path: &Path) {
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

/// Does not wait long for a text to stand still.
pub(crate) fn quick() -> Pace {
    Pace { young: Duration::from_millis(2), again: Duration::from_millis(1), limit: Duration::from_secs(1), known: None }
}

/// Appends a line.
pub(crate) fn append(line: &str) -> impl FnMut(&Snapshot) -> Result<Option<Vec<u8>>, Infallible> {
    move |snapshot| Ok(Some([snapshot.bytes.as_slice(), line.as_bytes()].concat()))
}

/// Adds one to the number that is the whole text.
pub(crate) fn increment(manifest: &ManifestFile) -> Result<UpdateOutcome, UpdateError<Infallible>> {
    manifest.update(&UpdateOptions { lock_wait: Duration::from_secs(60), ..UpdateOptions::default() }, |snapshot| {
        let number: u64 = std::str::from_utf8(&snapshot.bytes).unwrap().trim().parse().unwrap();
        Ok(Some(format!("{}\n", number + 1).into_bytes()))
    })
}

/// Wants no change: locks and recovers.
pub(crate) fn no_change(_: &Snapshot) -> Result<Option<Vec<u8>>, Infallible> {
    Ok(None)
}

/// This test binary as another process that runs only the test `name`, which finds `subject` by [`subject_of`].
pub(crate) fn again(name: &str, subject: &Path) -> Command {
    wrapped(&[], name, subject)
}

/// The same, through a program that runs the rest of its arguments.
pub(crate) fn wrapped(wrapper: &[&str], name: &str, subject: &Path) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut words = wrapper.iter().map(std::ffi::OsString::from).chain([own.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", name, "--nocapture"]).env(format!("HEADCOUNT_TEST_{}", key(name)), subject);
    command
}

/// What another process of ours is to work on; `None` in an ordinary run of the tests.
pub(crate) fn subject_of(name: &str) -> Option<PathBuf> {
    std::env::var_os(format!("HEADCOUNT_TEST_{}", key(name))).map(PathBuf::from)
}

fn key(name: &str) -> String {
    name.replace("::", "_").to_uppercase()
}
