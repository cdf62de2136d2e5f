//! Where a tmux server's socket is. Resolves names; never connects.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::host::Environ;

/// The socket of a server as manifests spell it: `default`, a `tmux -L` name, or an absolute path (`tmux -S`).
///
/// # Errors
/// If the name is one tmux could not have made a socket of, or the directory of the sockets is another user's: tmux would not use it
/// either (`make_label`), and whoever made it could answer in it.
pub fn socket(server: &str, env: &Environ) -> Result<PathBuf, String> {
    if Path::new(server).is_absolute() {
        return Ok(PathBuf::from(server));
    }
    if server.is_empty() || server.contains('/') || server.contains('\0') || server == "." || server == ".." {
        return Err(format!("{server:?} is neither a tmux server's name nor an absolute path of its socket"));
    }
    let directory = directory(env);
    let owner = directory.symlink_metadata().map(|metadata| metadata.uid()).ok();
    match owner.filter(|owner| *owner != rustix::process::getuid().as_raw()) {
        Some(owner) => Err(format!("{} belongs to user {owner}", directory.display())),
        None => Ok(directory.join(server)),
    }
}

/// tmux takes the first that exists of `$TMUX_TMPDIR` and /tmp, resolved, and makes `tmux-UID` in it.
fn directory(env: &Environ) -> PathBuf {
    let base = env.path("TMUX_TMPDIR").and_then(|dir| dir.canonicalize().ok());
    let base = base.or_else(|| Path::new("/tmp").canonicalize().ok()).unwrap_or_else(|| PathBuf::from("/tmp"));
    base.join(format!("tmux-{}", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_server_is_found_where_tmux_puts_it() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::getuid().as_raw();
        let env = |value: &Path| Environ::from_iter([(OsString::from("TMUX_TMPDIR"), value.as_os_str().to_owned())]);
        let real = dir.path().canonicalize().unwrap();
        assert_eq!(socket("default", &env(dir.path())).unwrap(), real.join(format!("tmux-{uid}/default")));
        let missing = dir.path().join("missing");
        assert_eq!(socket("canary", &env(&missing)).unwrap(), PathBuf::from(format!("/tmp/tmux-{uid}/canary")));
        assert_eq!(socket("/run/x y", &env(dir.path())).unwrap(), PathBuf::from("/run/x y"));
        for odd in ["", "a/b", "..", "../x"] {
            assert!(socket(odd, &env(dir.path())).is_err(), "{odd}");
        }
    }
}
