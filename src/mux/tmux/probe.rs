//! Asking a tmux server, and the verdict when it does not answer: absent only if nobody listens, else unknown and why.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::rows;
use crate::core::fact::Fact;
use crate::core::observe::Server;
use crate::core::text::printable;
use crate::host::{Command, Host, Listener, Output, RunError};
use crate::mux::Roll;

/// How long a server may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// What the server behind a socket holds.
pub(super) fn list(host: &dyn Host, socket: &Path) -> Fact<Server> {
    // Asked first because it is far cheaper than a fork, and a server that is not there is an everyday thing.
    if let Some(verdict) = unreachable(host, socket) {
        return verdict;
    }
    match ask(host, socket, &["list-panes", "-a", "-F", rows::FORMAT]) {
        // Whoever tmux turns away gets no rows and a success all the same (3.3a: "access not allowed").
        Ok(output) if output.is_success() && output.stderr.is_empty() && !output.stdout.is_empty() => {
            rows::parse(&output.stdout).map_or_else(|error| Fact::Unknown(error.to_string()), Fact::Seen)
        }
        Ok(output) => failed(host, socket, &output),
        Err(error) => Fact::Unknown(why(&error)),
    }
}

/// Which sessions the server behind a socket holds; `None` unless it answers just as it should.
pub(super) fn roll(host: &dyn Host, socket: &Path) -> Option<Roll> {
    let output = ask(host, socket, &["list-sessions", "-F", rows::ROLL]).ok()?;
    (output.is_success() && output.stderr.is_empty()).then(|| rows::parse_roll(&output.stdout))?
}

/// The verdict if the socket leads to nobody.
fn unreachable(host: &dyn Host, socket: &Path) -> Option<Fact<Server>> {
    match host.listener(socket) {
        Listener::Listening(_) => None,
        Listener::Nobody => Some(Fact::Absent),
        Listener::Unreachable => Some(Fact::Unknown("server alive, socket removed".to_owned())),
        Listener::Unknown(why) => Some(Fact::Unknown(why)),
    }
}

/// Why tmux gave no rows: the server ended meanwhile, it holds no session at all, or something else is wrong.
fn failed(host: &dyn Host, socket: &Path, output: &Output) -> Fact<Server> {
    if let Some(verdict) = unreachable(host, socket) {
        return verdict;
    }
    // `list-panes -a` fails on a server without sessions (`exit-empty off`) for want of a target; these two do not. The first
    // makes the server show itself: that it says nothing of sessions would not prove that anyone was asked.
    let words = ["display-message", "-p", rows::GREETING, ";", "list-sessions", "-F", "#{session_id}"];
    match ask(host, socket, &words) {
        Ok(answer) if answer.is_success() && answer.stderr.is_empty() => {
            rows::without_sessions(&answer.stdout).map_or_else(|| unusable(output), Fact::Seen)
        }
        _ => unusable(output),
    }
}

fn unusable(output: &Output) -> Fact<Server> {
    Fact::Unknown(format!("tmux failed: {}", last_words(output)))
}

/// Always by `-S`, so that neither `$TMUX` nor `$TMUX_TMPDIR` can name another server, and with `-u`: in a C locale tmux
/// would replace every byte of a name that is not ASCII.
fn ask(host: &dyn Host, socket: &Path, words: &[&str]) -> Result<Output, RunError> {
    let mut args: Vec<OsString> = vec!["-u".into(), "-S".into(), socket.into()];
    args.extend(words.iter().map(OsString::from));
    host.run(&Command { program: "tmux".to_owned(), args, variables: Vec::new(), deadline: DEADLINE })
}

fn why(error: &RunError) -> String {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{cause}")
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| printable(line.trim()).into_owned());
    line.unwrap_or_else(|| match (output.code, output.signal) {
        (Some(0), _) => "it ended well but answered nothing".to_owned(),
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
    })
}
