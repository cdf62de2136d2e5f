//! A store that another program keeps beside a manifest and writes the manifest from. Only looks.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The directories that are multi-agent-mux's own.
const OWN: [&str; 2] = [".mam", ".hermes"];

/// The database beside a manifest of multi-agent-mux that its newer versions write the manifest from: their next write can take
/// back what was recorded in the file. In a directory that is not multi-agent-mux's own it has to be called as the manifest is.
pub fn database_beside(manifest: &Path) -> Option<PathBuf> {
    let directory = manifest.parent()?;
    let is_own = directory.file_name().is_some_and(|name| OWN.iter().any(|own| name == *own));
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let extension = path.extension().and_then(|it| it.to_str());
            let is_database = matches!(extension, Some("db" | "sqlite" | "sqlite3"));
            is_database && (is_own || path.file_stem() == manifest.file_stem()) && is_sqlite(path)
        })
        .collect();
    found.sort();
    found.into_iter().next()
}

fn is_sqlite(path: &Path) -> bool {
    let mut magic = [0; 16];
    path.is_file() && File::open(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok()) && magic == *MAGIC
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_database_counts_in_a_directory_of_its_own_or_under_the_manifests_name() {
        let dir = tempfile::tempdir().unwrap();
        let [own, other] = [".mam", "lab"].map(|name| dir.path().join(name));
        for at in [&own, &other] {
            std::fs::create_dir(at).unwrap();
            std::fs::write(at.join("state.db"), b"SQLite format 3\0rest").unwrap();
            std::fs::write(at.join("text.db"), b"no database at all, only text").unwrap();
        }
        assert_eq!(database_beside(&own.join("agent-sessions.yaml")), Some(own.join("state.db")));
        assert_eq!(database_beside(&other.join("agent-sessions.yaml")), None, "anybody's");
        std::fs::write(other.join("agent-sessions.sqlite"), b"SQLite format 3\0rest").unwrap();
        assert_eq!(database_beside(&other.join("agent-sessions.yaml")), Some(other.join("agent-sessions.sqlite")));
    }
}
