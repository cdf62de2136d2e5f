//! What zellij keeps of a session that has ended (EXITED), to begin it again under its name. A session that headcount makes leaves
//! none, so each is a person's. Takes none away.

use std::path::PathBuf;

use crate::host::Environ;

/// The file that makes a name one of an ended session.
const LAYOUT: &str = "session-layout.kdl";

/// Whether something is kept of a session of this name (`session_layout_cache_file_name` of zellij-utils).
pub(super) fn is_kept(env: &Environ, name: &str) -> bool {
    let home = || Some(env.path("HOME")?.join(".cache"));
    let cache: Option<PathBuf> = env.path("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()).or_else(home);
    let file = |cache: PathBuf| cache.join("zellij/contract_version_1/session_info").join(name).join(LAYOUT);
    cache.is_some_and(|cache| file(cache).exists())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::*;

    #[test]
    fn a_session_has_ended_if_its_layout_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        for (variable, below) in [("HOME", ".cache"), ("XDG_CACHE_HOME", "")] {
            let env: Environ = [(OsString::from(variable), dir.path().as_os_str().to_owned())].into_iter().collect();
            let kept = dir.path().join(below).join("zellij/contract_version_1/session_info/one");
            fs::create_dir_all(&kept).unwrap();
            fs::write(kept.join("session-metadata.kdl"), "").unwrap();
            assert!(!is_kept(&env, "one"));
            fs::write(kept.join(LAYOUT), "").unwrap();
            assert!(is_kept(&env, "one") && !is_kept(&env, "two"));
        }
    }
}
