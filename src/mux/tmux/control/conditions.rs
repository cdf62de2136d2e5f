//! Whether a client can come to a session and go again without a trace. Asks; changes nothing.

use std::path::Path;

use super::{ControlError, DEADLINE};
use crate::core::text::printable;
use crate::host::{Command, Host, Listener};
use crate::mux::tmux::probe::{ELSEWHERE, is_elsewhere};

/// The hooks that a client sets off by coming, being there or going.
const HOOKS: [&str; 6] =
    ["client-attached", "client-detached", "client-session-changed", "client-focus-in", "client-focus-out", "pane-focus-in"];

/// A session that is fit for a client: `prefer`, or any other that is.
pub(super) fn session(host: &dyn Host, socket: &Path, prefer: Option<&str>) -> Result<String, ControlError> {
    // A list that comes this way is believed, so it has to be one of processes that can be seen.
    let pid = ask(host, socket, &["display-message", "-p", "#{pid}"])?.trim().parse().ok();
    if let Listener::Listening(peer) = host.listener(socket)
        && is_elsewhere(host, peer, pid)
    {
        return Err(ControlError::Refused(ELSEWHERE.to_owned()));
    }
    let format = "#{session_id}|#{destroy-unattached}|#{exit-unattached}";
    let sessions = ask(host, socket, &["list-sessions", "-F", format])?;
    let fit = choose(&sessions, prefer).map_err(ControlError::Refused)?;
    // Hooks of the server, of its windows and panes, and of that session.
    let words = ["show-hooks", "-g", ";", "show-hooks", "-gw", ";", "show-hooks", "-t", &fit];
    match hook(&ask(host, socket, &words)?) {
        None => Ok(fit),
        Some(name) => Err(ControlError::Refused(format!("the hook {name} is set, and a control client would trigger it"))),
    }
}

/// Picks from lines of `id|destroy-unattached|exit-unattached`.
fn choose(sessions: &str, prefer: Option<&str>) -> Result<String, String> {
    let is_off = |value: &str| matches!(value, "0" | "off");
    let mut fit = None;
    let mut why = "it has no session to attach to";
    for line in sessions.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [id, destroy, exit] = fields[..] else {
            return Err("cannot parse its list of sessions".to_owned());
        };
        if !is_off(exit) {
            return Err("exit-unattached is on: the server would end when the client leaves".to_owned());
        }
        if !is_off(destroy) {
            why = "destroy-unattached is on: a session would end when the client leaves it";
        } else if fit.is_none() || prefer == Some(id) {
            fit = Some(id.to_owned());
        }
    }
    fit.ok_or_else(|| why.to_owned())
}

/// The first of [`HOOKS`] that does something, in lines of `name`, `name[n] command` or `name command`.
fn hook(lines: &str) -> Option<&'static str> {
    let is_set = |name: &&str| {
        let mut rests = lines.lines().filter_map(|line| line.strip_prefix(*name));
        rests.any(|rest| rest.starts_with(['[', ' ']))
    };
    HOOKS.into_iter().find(is_set)
}

fn ask(host: &dyn Host, socket: &Path, words: &[&str]) -> Result<String, ControlError> {
    let args = ["-u".into(), "-N".into(), "-S".into(), socket.as_os_str().to_owned()];
    let args = args.into_iter().chain(words.iter().map(Into::into)).collect();
    match host.run(&Command { program: "tmux".to_owned(), args, variables: Vec::new(), deadline: DEADLINE }) {
        Ok(output) if output.is_success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(ControlError::Failed(printable(String::from_utf8_lossy(&output.stderr).trim()).into_owned())),
        Err(error) => Err(ControlError::Failed(error.to_string())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_chosen_only_where_leaving_it_ends_nothing() {
        let told = |lines: &str, prefer| choose(lines, prefer);
        assert_eq!(told("$1|0|0\n$2|0|0\n", Some("$2")).unwrap(), "$2");
        assert_eq!(told("$1|0|0\n$2|0|0\n", Some("$9")).unwrap(), "$1");
        assert_eq!(told("$1|on|0\n$2|off|off\n", Some("$1")).unwrap(), "$2");
        assert_eq!(told("$1|0|0\n$2|1|0\n", Some("$2")).unwrap(), "$1");
        for (lines, why) in [
            ("", "no session"),
            ("$1|1|0\n", "destroy-unattached"),
            ("$1|keep-last|0\n", "destroy-unattached"),
            ("$1||0\n", "destroy-unattached"),
            ("$1|0|1\n", "exit-unattached"),
            ("$1|0|\n", "exit-unattached"),
            ("$1\n", "cannot parse"),
        ] {
            assert!(told(lines, None).unwrap_err().contains(why), "{lines:?}");
        }
    }

    #[test]
    fn a_hook_counts_when_it_does_something() {
        assert_eq!(hook("client-active\nclient-attached\nclient-detached\nsession-created[0] display x\n"), None);
        assert_eq!(hook("client-attached[0] display x\n"), Some("client-attached"));
        assert_eq!(hook("client-attached-too[0] x\nclient-detached[3] display y\n"), Some("client-detached"));
        assert_eq!(hook("pane-focus-in[0] run-shell true\n"), Some("pane-focus-in"));
    }
}
