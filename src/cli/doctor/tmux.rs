//! tmux: whether it is there, what its version is known for, and whether this shell and headcount mean the same server.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Examiner, Finding};
use crate::core::ids::ServerKey;
use crate::host::{Command, Host, Listener, Peer, RunError};
use crate::mux::tmux::address;

const DEADLINE: Duration = Duration::from_secs(5);

pub(super) fn rows(examiner: &Examiner) -> Vec<Finding> {
    let command = Command { program: "tmux".to_owned(), args: vec!["-V".into()], variables: Vec::new(), deadline: DEADLINE };
    let mut rows = match examiner.host.run(&command) {
        Ok(output) => of_version(&String::from_utf8_lossy(&output.stdout)),
        Err(error) => vec![missing(&error, super::zellij::is_there(examiner))],
    };
    rows.push(locale(examiner));
    match address::socket(ServerKey::DEFAULT, &examiner.env) {
        Ok(socket) => {
            rows.push(sockets(examiner, &socket));
            rows.push(server(examiner, &socket));
            rows.extend(surrounding(examiner, &socket));
        }
        Err(why) => rows.push(Finding::fail("tmux sockets", why, "set TMUX_TMPDIR to a directory of yours, or unset it")),
    }
    rows
}

/// Whoever works in zellij needs no tmux.
fn missing(error: &RunError, has_zellij: bool) -> Finding {
    match error {
        RunError::NotFound(_) if has_zellij => Finding::fine("tmux", "not in PATH, and not needed with zellij"),
        _ => Finding::fail(
            "tmux",
            error.to_string(),
            "install tmux 3.2 or newer from your package manager, or zellij 0.44 or newer",
        ),
    }
}

/// The version and what it is known for. Sources: tmux's CHANGES; the SIGCHLD race is tmux issue 311 and was seen on 3.3a.
fn of_version(said: &str) -> Vec<Finding> {
    let word = said.trim().strip_prefix("tmux ").unwrap_or(said.trim());
    let Some(version) = parse(word) else {
        return vec![Finding::warn("tmux", format!("{word:?}, which is not a known version"), "tmux 3.2 or newer is needed")];
    };
    if version < (3, 2, '\0') {
        let hint = "headcount needs the formats of 3.2; upgrade tmux";
        return vec![Finding::fail("tmux", format!("{word}, older than 3.2"), hint)];
    }
    let mut rows = vec![Finding::fine("tmux", word)];
    if version < (3, 6, '\0') {
        rows.push(Finding::warn(
            "tmux hazards",
            "before 3.6 a dead pane that is kept (remain-on-exit) can lose its exit status and its pane-died hook",
            "headcount then reports \"exit status unknown\"; nothing else is affected",
        ));
    } else if version < (3, 7, 'a') {
        rows.push(Finding::fine("tmux hazards", "none known; `.` and `:` in session names become `_` before 3.7a"));
    } else {
        rows.push(Finding::fine("tmux hazards", "none known"));
    }
    rows
}

/// `3.3a` as a number that can be compared. Builds from the repository (`next-3.7`) count as what they lead to; OpenBSD says
/// `openbsd-7.4`, which is no version of tmux.
fn parse(word: &str) -> Option<(u32, u32, char)> {
    let word = word.strip_prefix("next-").unwrap_or(word);
    let (major, rest) = word.split_once('.')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (minor, rest) = rest.split_at(digits);
    let letter = rest.chars().next().filter(char::is_ascii_lowercase).unwrap_or('\0');
    Some((major.parse().ok()?, minor.parse().ok()?, letter))
}

fn locale(examiner: &Examiner) -> Finding {
    let value = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| Some((name, examiner.variable(name)?)));
    let (name, value) = match value {
        Some((name, value)) => (name, value.to_string_lossy().into_owned()),
        None => ("LANG", String::new()),
    };
    let upper = value.to_ascii_uppercase();
    if upper.contains("UTF-8") || upper.contains("UTF8") {
        return Finding::fine("locale", format!("{name}={value}"));
    }
    let found = if value.is_empty() { "no locale is set".to_owned() } else { format!("{name}={value} is not UTF-8") };
    Finding::warn("locale", found, "headcount uses UTF-8 with tmux anyway; your own tmux may show `_` for other letters")
}

/// The directory of the sockets: its owner and mode, as tmux itself demands them.
fn sockets(examiner: &Examiner, socket: &Path) -> Finding {
    const WHAT: &str = "tmux sockets";
    let wanted = examiner.env.path("TMUX_TMPDIR");
    let directory = socket.parent().unwrap_or(Path::new("/"));
    let shown = directory.display();
    if let Some(wanted) = wanted.filter(|wanted| !wanted.is_dir()) {
        let found = format!("TMUX_TMPDIR={} does not exist, so tmux uses {shown}", wanted.display());
        return Finding::warn(WHAT, found, "create that directory, or unset TMUX_TMPDIR");
    }
    match directory.metadata() {
        Err(_) => Finding::fine(WHAT, format!("{shown}, which tmux creates with its first server")),
        Ok(metadata) if metadata.uid() != rustix::process::getuid().as_raw() => Finding::fail(
            WHAT,
            format!("{shown} belongs to user {}", metadata.uid()),
            "tmux refuses it; remove it or set TMUX_TMPDIR",
        ),
        Ok(metadata) if metadata.mode() & 0o007 != 0 => {
            Finding::fail(WHAT, format!("{shown} is open to others"), format!("tmux refuses it; chmod 700 {shown}"))
        }
        Ok(_) => Finding::fine(WHAT, shown.to_string()),
    }
}

fn server(examiner: &Examiner, socket: &Path) -> Finding {
    const WHAT: &str = "tmux server";
    let shown = socket.display();
    match examiner.host.listener(socket) {
        Listener::Listening(Peer::Elsewhere) => Finding::warn(
            WHAT,
            format!("runs at {shown}, in another PID namespace (a container or a sandbox)"),
            "headcount cannot see its panes from here, so they are unknown; run headcount where the server runs",
        ),
        Listener::Listening(_) => Finding::fine(WHAT, format!("runs at {shown}")),
        Listener::Nobody => Finding::fine(WHAT, format!("none at {shown}")),
        Listener::Unreachable => Finding::warn(
            WHAT,
            format!("one is alive, but its socket {shown} was removed"),
            "send SIGUSR1 to the server: it creates the socket again",
        ),
        Listener::Unknown(why) => {
            Finding::fail(WHAT, why, "until it answers, its sessions are unknown and headcount records nothing about them")
        }
    }
}

/// Whether the tmux this shell runs in is the one headcount takes for the default.
fn surrounding(examiner: &Examiner, socket: &Path) -> Option<Finding> {
    let value = examiner.variable("TMUX")?.to_string_lossy().into_owned();
    let inside = PathBuf::from(value.split(',').next().unwrap_or_default());
    let same = inside == socket || inside.canonicalize().is_ok_and(|inside| Some(inside) == socket.canonicalize().ok());
    (!same).then(|| {
        Finding::warn(
            "this shell",
            format!("runs in the tmux server at {}, which is not the default one", inside.display()),
            "entries without `server:` mean the default server; give the others its name or socket path",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn versions_are_compared_as_tmux_counts_them() {
        for (word, expected) in [
            ("3.3a", Some((3, 3, 'a'))),
            ("3.2", Some((3, 2, '\0'))),
            ("3.10", Some((3, 10, '\0'))),
            ("next-3.7", Some((3, 7, '\0'))),
            ("3.5-rc2", Some((3, 5, '\0'))),
            ("openbsd-7.4", None),
            ("", None),
        ] {
            assert_eq!(parse(word), expected, "{word}");
        }
    }

    #[test]
    fn each_version_gets_the_verdict_it_deserves() {
        for (said, worst, part) in [
            ("tmux 2.9a\n", Grade::Fail, "older than 3.2"),
            ("tmux 3.1c\n", Grade::Fail, "older than 3.2"),
            ("tmux 3.2\n", Grade::Warn, "exit status"),
            ("tmux 3.5a\n", Grade::Warn, "exit status"),
            ("tmux 3.6\n", Grade::Fine, "before 3.7a"),
            ("tmux 3.7a\n", Grade::Fine, "none known"),
            ("tmux 4.0\n", Grade::Fine, "none known"),
            ("tmux openbsd-7.4\n", Grade::Warn, "not a known version"),
            ("", Grade::Warn, "not a known version"),
        ] {
            let rows = of_version(said);
            assert_eq!(rows.iter().map(|row| row.grade).max(), Some(worst), "{said}");
            assert!(rows.iter().any(|row| row.found.contains(part)), "{said}: {rows:?}");
        }
    }
}
