//! Which conversations have no transcript, known without a list where every directory it might be in is as it was. Lists only those
//! directories that are not.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A root, and how many directories below it files are.
pub(super) type Below = (PathBuf, usize);

/// Takes a key from a file's name, if it has one.
pub(super) type KeyOf = fn(&str) -> Option<&str>;

/// A directory that changed less than this before it was listed may change again without another time: file systems count time in
/// steps, the coarsest (FAT) of two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// A directory as it was just before it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory {
    path: PathBuf,
    /// Whether it holds files, not directories.
    is_leaf: bool,
    /// Which one it is.
    file: (u64, u64),
    /// When it changed last: whoever sets the time of modification back changes the other.
    changed: [(i64, i64); 2],
    is_settled: bool,
}

impl Directory {
    /// As it is now; `None` if it cannot be looked at.
    pub(super) fn now(path: &Path, is_leaf: bool) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let changed = [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())];
        let is_settled = changed.into_iter().all(|time| age(time).is_some_and(|age| age >= SETTLED));
        Some(Self { path: path.to_path_buf(), is_leaf, file: (metadata.dev(), metadata.ino()), changed, is_settled })
    }
}

/// How long ago that was; `None` if it is still to come.
fn age((seconds, nanoseconds): (i64, i64)) -> Option<Duration> {
    let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH.checked_add(since)?).ok()
}

/// What is there below roots that were listed, told apart well enough to know what is not.
#[derive(Debug, Default)]
pub struct MissingCache(Mutex<HashMap<Below, Listed>>);

#[derive(Debug)]
struct Listed {
    dirs: Vec<Directory>,
    /// The keys of all files, by a hash: of a hundred thousand transcripts there is no room to keep more.
    keys: HashSet<u64>,
}

impl MissingCache {
    /// Notes what was listed below a root.
    pub(super) fn note<'a>(&self, below: Below, dirs: Vec<Directory>, keys: impl Iterator<Item = &'a String>) {
        self.lock().insert(below, Listed { dirs, keys: keys.map(|key| hash(key)).collect() });
    }

    /// Looks into the directories that may have changed since, and forgets what cannot be brought up to date so.
    pub(super) fn renew(&self, below: &Below, key_of: KeyOf) {
        let mut all = self.lock();
        if all.get_mut(below).is_some_and(|listed| !listed.renew(key_of)) {
            all.remove(below);
        }
    }

    /// Whether nothing below a root has this key. False says nothing.
    pub(super) fn has(&self, below: &Below, key: &str) -> bool {
        self.lock().get(below).is_some_and(|listed| !listed.keys.contains(&hash(key)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Below, Listed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// False if nothing can be told.
    fn renew(&mut self, key_of: KeyOf) -> bool {
        let Self { dirs, keys } = self;
        dirs.iter_mut().all(|directory| {
            let Some(now) = Directory::now(&directory.path, directory.is_leaf) else { return false };
            if directory.is_settled && (now.file, now.changed) == (directory.file, directory.changed) {
                return true;
            }
            // Another one, or one that may have other directories in it by now, was never listed.
            if !directory.is_leaf || now.file != directory.file {
                return false;
            }
            let Ok(entries) = std::fs::read_dir(&directory.path) else { return false };
            for entry in entries {
                let Ok(entry) = entry else { return false };
                keys.extend(entry.file_name().to_str().and_then(key_of).map(hash));
            }
            *directory = now;
            true
        })
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs::{self, File, FileTimes};
    use std::sync::Arc;

    use super::*;
    use crate::agent::TranscriptIndex;
    use crate::core::fact::Fact;

    fn id_of(name: &str) -> Option<&str> {
        name.strip_suffix(".jsonl")
    }

    fn find(absences: &Arc<MissingCache>, root: &Path, id: &str) -> Fact<Vec<PathBuf>> {
        TranscriptIndex::keeping(absences, true).find(root, 1, id, id_of)
    }

    fn is_kept(absences: &MissingCache, root: &Path, id: &str) -> bool {
        let below = (root.to_path_buf(), 1);
        absences.renew(&below, id_of);
        absences.has(&below, id)
    }

    /// A root with a directory for each of these names, all of them settled.
    fn settled(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("projects");
        names.iter().for_each(|name| fs::create_dir_all(root.join(name)).unwrap());
        std::thread::sleep(SETTLED + Duration::from_millis(50));
        (dir, root)
    }

    #[test]
    fn what_is_missing_is_kept_until_it_is_there_whatever_else_comes() {
        let (_dir, root) = settled(&["-a", "-b"]);
        let absences = Arc::new(MissingCache::default());
        for id in ["x", "y"] {
            assert!(find(&absences, &root, id).is_absent());
            assert!(is_kept(&absences, &root, id));
        }
        for n in 0..3 {
            fs::write(root.join(format!("-a/{n}.jsonl")), "").unwrap();
            assert!(is_kept(&absences, &root, "x"));
        }
        fs::write(root.join("-a/x.jsonl"), "").unwrap();
        assert!(!is_kept(&absences, &root, "x"));
        assert!(is_kept(&absences, &root, "y"));
        assert!(!is_kept(&absences, &root, "0"), "it came meanwhile");
        assert!(is_kept(&absences, &root, "never asked for"));
        assert_eq!(find(&absences, &root, "x"), Fact::Seen(vec![root.join("-a/x.jsonl")]));
    }

    #[test]
    fn a_directory_that_changed_only_just_now_is_looked_into_again_though_its_time_is_the_same() {
        let (_dir, root) = settled(&["-a"]);
        let absences = Arc::new(MissingCache::default());
        fs::write(root.join("-a/other.jsonl"), "").unwrap();
        assert!(find(&absences, &root, "x").is_absent());
        // As on a file system with coarse times: the stamp is made to be that of afterwards.
        fs::write(root.join("-a/x.jsonl"), "").unwrap();
        for directory in &mut absences.lock().get_mut(&(root.clone(), 1)).unwrap().dirs {
            directory.changed = Directory::now(&directory.path, directory.is_leaf).unwrap().changed;
        }
        assert!(!is_kept(&absences, &root, "x"));
    }

    #[test]
    fn another_directory_in_its_place_or_beside_it_ends_what_was_kept() {
        let (dir, root) = settled(&["-a", "../aside/-a"]);
        let absences = Arc::new(MissingCache::default());
        assert!(find(&absences, &root, "x").is_absent());
        assert!(is_kept(&absences, &root, "x"));
        fs::rename(&root, dir.path().join("was")).unwrap();
        fs::rename(dir.path().join("aside"), &root).unwrap();
        assert!(!is_kept(&absences, &root, "x"), "as old, and another one");
        let (_dir, root) = settled(&["-a"]);
        assert!(find(&absences, &root, "x").is_absent());
        let before = fs::metadata(&root).unwrap().modified().unwrap();
        fs::create_dir(root.join("-b")).unwrap();
        File::open(&root).unwrap().set_times(FileTimes::new().set_modified(before)).unwrap();
        assert!(!is_kept(&absences, &root, "x"), "whoever sets a time back leaves a trace");
    }

    #[test]
    fn nothing_is_kept_where_a_link_may_become_a_directory() {
        let (dir, root) = settled(&["-a"]);
        std::os::unix::fs::symlink(dir.path().join("nowhere"), root.join("-b")).unwrap();
        let absences = Arc::new(MissingCache::default());
        assert!(find(&absences, &root, "x").is_absent());
        assert!(!is_kept(&absences, &root, "x"));
    }
}
