//! The systemd service that this process may run in, and the scope by which something outlives it. Begins nothing but the question
//! whether a scope can be had.

use std::ffi::OsString;
use std::time::Duration;

use super::{Command, Environ, Host};

/// The words before those of a command that gets a scope of its own: systemd ends it, and what it leaves running, with no service.
pub(crate) const SCOPE: [&str; 6] = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"];

/// How long systemd may take to say whether a scope can be had.
const DEADLINE: Duration = Duration::from_secs(5);

/// Whether what we start would end together with a service of systemd.
pub(crate) fn is_in_service(env: &Environ) -> bool {
    // systemd gives it to whatever a unit runs. A terminal that a service opened, and a shell in it, have scopes of their own.
    if env.get("INVOCATION_ID").is_none() {
        return false;
    }
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.any(|path| path.rsplit('/').next().is_some_and(|last| last.ends_with(".service")))
}

/// Why no scope can be had; `None`: it can. Asked by having one.
pub(crate) fn no_scope(host: &dyn Host) -> Option<String> {
    let words = SCOPE.into_iter().chain(["true"]).map(OsString::from);
    match host.run(&Command::of(words, DEADLINE)) {
        Ok(output) if output.is_success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim().to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}
