//! Where zellij's sockets are. Resolves names; never connects.

use std::path::{Path, PathBuf};

use crate::core::ids::ServerKey;
use crate::host::Environ;

/// The directory of the sockets of 0.44 and newer, below the socket directory (`CLIENT_SERVER_CONTRACT_DIR` in zellij-utils).
const GENERATION: &str = "contract_version_1";

/// The socket directory of a server as manifests spell it: `default`, or an absolute path (as of `ZELLIJ_SOCKET_DIR`). The order
/// is that of `ZELLIJ_SOCK_DIR` in zellij-utils 0.45.
///
/// # Errors
/// If it is neither, or the environment names a directory that cannot be told from here.
pub fn base(server: &str, env: &Environ) -> Result<PathBuf, String> {
    if Path::new(server).is_absolute() {
        return Ok(PathBuf::from(server));
    }
    if server != ServerKey::DEFAULT {
        return Err(format!(
            "{server:?} is no zellij server: zellij has socket directories instead of names; leave `server:` out, or give the \
             absolute path of one (ZELLIJ_SOCKET_DIR)"
        ));
    }
    if let Some(named) = env.get("ZELLIJ_SOCKET_DIR") {
        let named = PathBuf::from(named);
        let odd = || format!("ZELLIJ_SOCKET_DIR={:?} is not an absolute path", named.display().to_string());
        return if named.is_absolute() { Ok(named) } else { Err(odd()) };
    }
    if let Some(runtime) = env.path("XDG_RUNTIME_DIR").filter(|dir| dir.is_absolute() && cfg!(target_os = "linux")) {
        return Ok(runtime.join("zellij"));
    }
    let temp = env.path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"));
    Ok(temp.join(format!("zellij-{}", rustix::process::getuid().as_raw())))
}

/// Where the sockets themselves are.
pub fn sockets(base: &Path) -> PathBuf {
    base.join(GENERATION)
}

/// Whether the environment says where the default sockets are. If not they are below the directory for temporary files, which
/// is too busy to be watched for a zellij that may never come.
pub fn is_named(env: &Environ) -> bool {
    env.get("ZELLIJ_SOCKET_DIR").is_some() || env.path("XDG_RUNTIME_DIR").is_some()
}

/// The directory that is the default in a login session, if ours does not say so: as in a cron job, which has no
/// `XDG_RUNTIME_DIR`.
pub(super) fn elsewhere(server: &str, env: &Environ) -> Option<PathBuf> {
    let login = || PathBuf::from(format!("/run/user/{}/zellij", rustix::process::getuid().as_raw()));
    (server == ServerKey::DEFAULT && !is_named(env) && cfg!(target_os = "linux")).then(login)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environ {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn a_socket_directory_is_found_where_zellij_puts_it() {
        let uid = rustix::process::getuid().as_raw();
        let runtime = [("XDG_RUNTIME_DIR", "/run/me"), ("TMPDIR", "/t")];
        for (variables, expected) in [
            (&[("ZELLIJ_SOCKET_DIR", "/z"), ("XDG_RUNTIME_DIR", "/run/me")][..], "/z".to_owned()),
            (&runtime, "/run/me/zellij".to_owned()),
            (&[("XDG_RUNTIME_DIR", "relative"), ("TMPDIR", "/t")], format!("/t/zellij-{uid}")),
            (&[("XDG_RUNTIME_DIR", "")], format!("/tmp/zellij-{uid}")),
            (&[], format!("/tmp/zellij-{uid}")),
        ] {
            assert_eq!(base("default", &env(variables)).unwrap(), PathBuf::from(expected), "{variables:?}");
        }
        assert_eq!(base("/some where", &env(&runtime)).unwrap(), PathBuf::from("/some where"));
        assert_eq!(sockets(Path::new("/z")), PathBuf::from("/z/contract_version_1"));
    }

    #[test]
    fn a_name_is_no_socket_directory_and_a_relative_one_is_none_either() {
        for odd in ["canary", "", "a/b", "..", "~/z"] {
            assert!(base(odd, &env(&[])).unwrap_err().contains("is no zellij server"), "{odd}");
        }
        for odd in ["", "here"] {
            assert!(
                base("default", &env(&[("ZELLIJ_SOCKET_DIR", odd)])).unwrap_err().contains("not an absolute path"),
                "{odd}"
            );
        }
    }

    #[test]
    fn only_where_nothing_tells_the_login_session_s_directory_is_kept_in_mind() {
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(elsewhere("default", &env(&[])), Some(PathBuf::from(format!("/run/user/{uid}/zellij"))));
        assert_eq!(elsewhere("/z", &env(&[])), None);
        assert_eq!(elsewhere("default", &env(&[("XDG_RUNTIME_DIR", "/run/me")])), None);
        assert_eq!(elsewhere("default", &env(&[("ZELLIJ_SOCKET_DIR", "/z")])), None);
    }
}
