//! The machine: whether processes and their environments can be read.

use std::path::Path;

use super::{Examiner, Finding};
use crate::core::fact::Fact;
use crate::core::text::printable;
use crate::host::Host;
use crate::store::paths::StateHome;
use crate::store::terminal_path::TerminalPath;

const WHAT: &str = "processes";

pub(super) fn rows(examiner: &Examiner) -> Vec<Finding> {
    [boot(examiner), processes(examiner)].into_iter().chain(terminal_path(examiner)).collect()
}

/// The PATH that agents get from a server which a service begins.
fn terminal_path(examiner: &Examiner) -> Option<Finding> {
    let state = StateHome::from_environment(|name| examiner.variable(name)).ok()?;
    let kept = TerminalPath::of(&state, false).kept()?;
    Some(Finding::fine("PATH", format!("of the last start from a terminal: {}", printable(&kept.to_string_lossy()))))
}

fn boot(examiner: &Examiner) -> Finding {
    match examiner.host.boot() {
        Fact::Seen(boot) => {
            Finding::fine("host", format!("{}, up since {}", examiner.host.name(), crate::core::text::stamp(boot.at)))
        }
        Fact::Absent => Finding::warn(
            "host",
            "the boot cannot be identified",
            "headcount then does not name a reboot as the cause of an end",
        ),
        Fact::Unknown(why) => Finding::warn("host", why, "headcount then does not name a reboot as the cause of an end"),
    }
}

fn processes(examiner: &Examiner) -> Finding {
    if !cfg!(target_os = "linux") && !Path::new("/proc/self/stat").exists() {
        return Finding::warn(
            WHAT,
            "no /proc here; `ps` is used",
            "agents' own environments cannot be read, so homes are guessed from yours",
        );
    }
    let me = std::process::id();
    let unreadable = match (examiner.host.process(me), examiner.host.environ(me)) {
        (Fact::Seen(_), Fact::Seen(_)) => None,
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Some(why),
        (Fact::Absent, _) | (_, Fact::Absent) => Some("/proc does not show this process".to_owned()),
    };
    if let Some(why) = unreadable {
        return Finding::fail(WHAT, why, "mount /proc so that your own processes can be read");
    }
    match hidepid(&std::fs::read_to_string("/proc/mounts").unwrap_or_default()) {
        Some(value) => Finding::warn(
            WHAT,
            format!("/proc is mounted with hidepid={value}: other users' processes cannot be seen"),
            "sessions of other users are unknown; yours are not affected",
        ),
        None => Finding::fine(WHAT, "/proc can be read"),
    }
}

/// The `hidepid` option in force, unless it hides nothing. The last mount on /proc wins.
fn hidepid(mounts: &str) -> Option<String> {
    let line = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/proc"))?;
    let value = line.split(' ').nth(3)?.split(',').find_map(|option| option.strip_prefix("hidepid="))?;
    (!matches!(value, "0" | "off")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_processes_are_found_in_the_mount_options() {
        for (mounts, expected) in [
            ("proc /proc proc rw,nosuid 0 0\n", None),
            ("proc /proc proc rw,hidepid=2 0 0\n", Some("2")),
            ("proc /proc proc rw,hidepid=invisible,gid=4 0 0\n", Some("invisible")),
            ("proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw,hidepid=0 0 0\n", None),
            ("proc /proc/x proc rw,hidepid=2 0 0\n", None),
            ("", None),
        ] {
            assert_eq!(hidepid(mounts).as_deref(), expected, "{mounts}");
        }
    }
}
