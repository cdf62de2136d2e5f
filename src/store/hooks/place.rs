//! Files that carry hooks into a session: a plugin, an extension. Each set lies in a directory of its own that is named by what is in it,
//! so that no start changes what a running agent was given.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::append::prepare;
use crate::store::TextHash;
use crate::store::paths::StateHome;
use crate::store::replace::replace;

/// Puts files in place, mode 0600, unless they are there, and gives their directory. `agent` is a part of its name.
///
/// # Errors
/// If one of them cannot be written.
pub fn place(home: &StateHome, agent: &str, files: &[(&'static str, String)]) -> io::Result<PathBuf> {
    prepare(home)?;
    let all: Vec<&str> = files.iter().flat_map(|(path, content)| [*path, content.as_str()]).collect();
    let directory = home.hooks().join(format!("{agent}-{}", TextHash::of(all.join("\0").as_bytes()).short(12)));
    for (path, content) in files {
        let path = directory.join(path);
        if std::fs::read(&path).is_ok_and(|there| there == content.as_bytes()) {
            continue;
        }
        let parent: &Path = path.parent().unwrap_or(&directory);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        replace(&path, content.as_bytes())?;
    }
    Ok(directory)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_private_and_what_one_start_was_given_no_other_changes() {
        let temp = tempfile::tempdir().unwrap();
        let home = StateHome::at(temp.path().join("state"));
        let one = place(&home, "claude", &[("hooks/hooks.json", "1".into()), ("plugin.json", "x".into())]).unwrap();
        let again = place(&home, "claude", &[("hooks/hooks.json", "1".into()), ("plugin.json", "x".into())]).unwrap();
        let other = place(&home, "claude", &[("hooks/hooks.json", "2".into()), ("plugin.json", "x".into())]).unwrap();
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert_eq!(std::fs::read_to_string(one.join("hooks/hooks.json")).unwrap(), "1");
        for path in [home.hooks(), one.clone(), one.join("hooks")] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
        assert_eq!(one.join("plugin.json").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // What somebody has changed is put right.
        std::fs::write(one.join("plugin.json"), "y").unwrap();
        place(&home, "claude", &[("hooks/hooks.json", "1".into()), ("plugin.json", "x".into())]).unwrap();
        assert_eq!(std::fs::read_to_string(one.join("plugin.json")).unwrap(), "x");
    }

    #[test]
    fn where_nothing_can_be_written_that_is_said() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("hooks"), "").unwrap();
        assert!(place(&StateHome::at(temp.path()), "pi", &[("a.js", String::new())]).is_err());
        assert!(place(&StateHome::at(temp.path().join("hooks")), "pi", &[("a.js", String::new())]).is_err());
    }
}
