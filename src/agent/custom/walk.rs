//! The files a template leads to. Lists names only, a bounded number of them; never opens a file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::agent::files::reason;
use crate::agent::transcript_index::Index;
use crate::core::agents::{Definition, Part};
use crate::core::fact::Fact;

/// More names than this are not looked at for one agent.
const MOST: usize = 200_000;

/// A file that a template leads to, and every id that its path may hold.
pub(super) struct Hit {
    pub(super) path: PathBuf,
    pub(super) ids: Vec<String>,
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) hits: Vec<Hit>,
    /// Why some of it is unknown.
    pub(super) trouble: Option<String>,
    looked_at: usize,
}

/// Everything below a root that parts lead to.
pub(super) fn walk(root: &Path, parts: &[Part], definition: &Definition) -> Walk {
    let mut walk = Walk::default();
    walk.descend(root.to_path_buf(), parts, &[], definition);
    walk
}

/// The same by id, for a shelf.
pub(super) fn index(root: &Path, parts: &[Part], definition: &Definition) -> Fact<Index> {
    let walk = walk(root, parts, definition);
    let mut index = Index { trouble: walk.trouble, ..Index::default() };
    for Hit { path, ids } in walk.hits {
        for id in ids {
            index.files.entry(id).or_default().push(path.clone());
        }
    }
    Fact::Seen(index)
}

impl Walk {
    fn descend(&mut self, dir: PathBuf, parts: &[Part], ids: &[String], definition: &Definition) {
        let Some((part, rest)) = parts.split_first() else {
            self.hits.push(Hit { path: dir, ids: ids.to_vec() });
            return;
        };
        if let Some(name) = part.plain() {
            return self.descend(dir.join(name), rest, ids, definition);
        }
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            // Not there, or removed meanwhile: then nothing is in it.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return,
            Err(error) => return self.fail(&dir, &error),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.fail(&dir, &error),
            };
            self.looked_at += 1;
            if self.looked_at > MOST {
                self.trouble.get_or_insert_with(|| format!("more than {MOST} names before {} was listed", dir.display()));
                return;
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if part.has_id() {
                let found = part.ids(name, |text| definition.is_id(text));
                if !found.is_empty() {
                    let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
                    self.descend(entry.path(), rest, &found, definition);
                }
            } else if part.matches(name) {
                self.descend(entry.path(), rest, ids, definition);
            }
        }
    }

    fn fail(&mut self, dir: &Path, error: &std::io::Error) {
        self.trouble.get_or_insert_with(|| format!("cannot list {}: {}", dir.display(), reason(error)));
    }
}
