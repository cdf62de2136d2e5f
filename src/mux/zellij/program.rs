//! The zellij program, of which only the version is asked.

use std::ffi::OsString;
use std::time::Duration;

use crate::host::{Command, Host, RunError};

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The oldest zellij whose servers are understood: the first whose sockets later versions share.
const OLDEST: (u32, u32) = (0, 44);

/// A version that cannot be used, as it names itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("zellij {0} is older than 0.44")]
pub struct TooOld(pub String);

/// The version in what `zellij --version` says, `zellij 0.45.1`; `None` if that is something else.
///
/// # Errors
/// If it is older than 0.44.
pub fn version(said: &str) -> Result<Option<String>, TooOld> {
    let Some(word) = said.trim().strip_prefix("zellij ") else { return Ok(None) };
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < OLDEST => Err(TooOld(word.to_owned())),
        (Some(_), Some(_)) => Ok(Some(word.to_owned())),
        _ => Ok(None),
    }
}

/// What `zellij --version` says. zellij makes its directories for configuration, cache and log whatever it is asked for, so it
/// gets a home that is thrown away: a look leaves nothing behind.
///
/// # Errors
/// If it could not be run to its end.
pub fn ask_version(host: &dyn Host) -> Result<String, RunError> {
    let home = tempfile::Builder::new().prefix("headcount-").tempdir();
    let names = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"].map(OsString::from);
    let variables = home
        .as_ref()
        .map_or_else(|_| Vec::new(), |home| names.into_iter().map(|name| (name, home.path().as_os_str().to_owned())).collect());
    let command = Command { program: "zellij".to_owned(), args: vec!["--version".into()], variables, deadline: DEADLINE };
    host.run(&command).map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_0_44_are_too_old_and_odd_ones_are_none() {
        for (said, expected) in [
            ("zellij 0.45.1\n", Ok(Some("0.45.1"))),
            ("zellij 0.44.0", Ok(Some("0.44.0"))),
            ("zellij 1.0.0-rc1", Ok(Some("1.0.0-rc1"))),
            ("zellij 0.43.1\n", Err("0.43.1")),
            ("zellij 0.9", Err("0.9")),
            ("zellij next", Ok(None)),
            ("bash: zellij: command not found", Ok(None)),
            ("", Ok(None)),
        ] {
            let expected = expected.map(|version| version.map(str::to_owned)).map_err(|version| TooOld(version.to_owned()));
            assert_eq!(version(said), expected, "{said}");
        }
    }
}
