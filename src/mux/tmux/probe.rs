//! Asking a tmux server, and the verdict when it does not answer: absent only if nobody listens, else unknown and why.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::rows;
use crate::core::fact::Fact;
use crate::core::observe::{MuxSession, Server};
use crate::core::text::printable;
use crate::host::{Command, CommandOutput, Host, Listener, Peer, RunError};

/// Why nothing can be told of the processes of a server that answers.
pub(super) const ELSEWHERE: &str = "the tmux server is in another PID namespace (a container or a sandbox), so headcount cannot see what runs in its panes from here";

/// How long a server may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// More sessions than this are not asked for one by one: a list costs less.
const MOST_ASKED: usize = 8;

/// What the server behind a socket holds.
pub(super) fn list(host: &dyn Host, socket: &Path) -> Fact<Server> {
    // Asked first because it is far cheaper than a fork, and a server that is not there is an everyday thing.
    if !host.is_bound(socket)
        && let Err(verdict) = reach(host, socket)
    {
        return verdict;
    }
    match ask(host, socket, &["display-message", "-p", rows::GREETING, ";", "list-panes", "-a", "-F", rows::ROW]) {
        // Whoever tmux turns away gets no rows and a success all the same (3.3a: "access not allowed").
        Ok(output) if output.is_success() && output.stderr.is_empty() && !output.stdout.is_empty() => {
            let server = match rows::parse(&output.stdout) {
                Ok(server) => server,
                Err(error) => return Fact::Unknown(error.to_string()),
            };
            // Not before it has answered: tmux goes through all its windows when somebody connects, and again when they hang up.
            match reach(host, socket) {
                Ok(peer) if is_elsewhere(host, peer, server.pid) => Fact::Seen(veiled(server)),
                Ok(_) => Fact::Seen(server),
                Err(verdict) => verdict,
            }
        }
        Ok(output) => failed(host, socket, &output),
        Err(error) => Fact::Unknown(why(&error)),
    }
}

/// Why the program itself is not one that headcount works with. What does not say is taken for new.
pub(super) fn refusal(host: &dyn Host) -> Option<String> {
    let command = Command { program: "tmux".to_owned(), args: vec!["-V".into()], variables: Vec::new(), deadline: DEADLINE };
    let output = host.run(&command).ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    rows::supported(said.trim().strip_prefix("tmux ")?).err().map(|error| error.to_string())
}

/// Whether the server behind a socket is this process and holds none of these sessions. Each is asked for as the target of a
/// message, by identity and by name, which tmux looks up without walking over the others. For a target that is not there it shows
/// nothing, or some other session. `false` unless it answers just as it should.
pub(super) fn is_without(host: &dyn Host, socket: &Path, pid: u32, sessions: &[&MuxSession]) -> bool {
    if sessions.len() > MOST_ASKED || !sessions.iter().all(|session| is_target(&session.name)) {
        return false;
    }
    let targets: Vec<_> = sessions.iter().map(|session| (format!("{}:", session.id), format!("={}:", session.name))).collect();
    let mut words = vec!["display-message", "-p", "#{pid}"];
    for (id, name) in &targets {
        words.extend([";", "display-message", "-p", "-t", id.as_str(), "#{session_id}"]);
        words.extend([";", "display-message", "-p", "-t", name.as_str(), "#{session_name}"]);
    }
    let Ok(output) = ask(host, socket, &words) else { return false };
    let answer = String::from_utf8_lossy(&output.stdout);
    let mut lines = answer.lines();
    let is_it = lines.next() == Some(pid.to_string().as_str());
    let is_whole = answer.ends_with('\n') && answer.lines().count() == 1 + 2 * sessions.len();
    let mut other = |it: &str| lines.next().is_some_and(|shown| shown != it);
    let is_gone = sessions.iter().all(|session| other(&session.id) && other(&session.name));
    output.is_success() && output.stderr.is_empty() && is_it && is_whole && is_gone
}

/// A session of the server behind a socket by now; `None` unless it is this process and holds the session, under the same name.
pub(super) fn session(host: &dyn Host, socket: &Path, pid: u32, session: &MuxSession) -> Option<MuxSession> {
    let target = format!("{}:", session.id);
    let words = ["display-message", "-p", rows::GREETING, ";", "list-panes", "-s", "-t", &target, "-F", rows::ROW];
    let output = ask(host, socket, &words).ok()?;
    let is_answer = output.is_success() && output.stderr.is_empty();
    let server = rows::parse(&output.stdout).ok().filter(|server| is_answer && server.pid == Some(pid))?;
    let [found] = server.sessions.as_slice() else { return None };
    let is_it = (&found.id, &found.name, found.created) == (&session.id, &session.name, session.created);
    is_it.then(|| found.as_ref().clone())
}

/// Whether tmux reads a name after `=` as a name and as nothing else.
fn is_target(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b' ') || !byte.is_ascii();
    !name.is_empty() && name.bytes().all(is_plain)
}

/// The titles of all panes of the server behind a socket; `None` unless it answers just as it should.
pub(super) fn titles(host: &dyn Host, socket: &Path) -> Option<BTreeMap<(String, String), String>> {
    let output = ask(host, socket, &["list-panes", "-a", "-F", rows::TITLES]).ok()?;
    (output.is_success() && output.stderr.is_empty()).then(|| rows::parse_titles(&output.stdout))?
}

/// Who listens on the socket, or the verdict if it leads to nobody.
fn reach(host: &dyn Host, socket: &Path) -> Result<Peer, Fact<Server>> {
    match host.listener(socket) {
        Listener::Listening(peer) => Ok(peer),
        Listener::Nobody => Err(Fact::Absent),
        Listener::Unreachable => Err(Fact::Unknown("server alive, socket removed".to_owned())),
        Listener::Unknown(why) => Err(Fact::Unknown(why)),
    }
}

/// Whether the process ids a server tells are not those of this host, so that each would be another process here or none at all.
/// Somebody else may have made its socket (systemd can), and it may have been replaced just now: then its own process decides.
pub(super) fn is_elsewhere(host: &dyn Host, peer: Peer, server: Option<u32>) -> bool {
    let is_tmux = |pid| host.stat(pid).seen().is_some_and(|process| process.name.contains("tmux"));
    match peer {
        Peer::Elsewhere => true,
        Peer::Process(_) if server == peer.pid() => false,
        // It is the server itself, and calls itself by another number.
        Peer::Process(pid) if is_tmux(pid) => true,
        Peer::Untold if cfg!(not(target_os = "linux")) => false,
        Peer::Process(_) | Peer::Untold => !server.is_some_and(is_tmux),
    }
}

/// What is left of a server whose processes cannot be seen: its sessions.
fn veiled(mut server: Server) -> Server {
    server.pid = None;
    let panes = server.sessions.iter_mut().flat_map(|session| &mut Arc::make_mut(session).panes);
    for pane in panes.filter(|pane| pane.dead.is_none()).map(Arc::make_mut) {
        (pane.pid, pane.agents) = (None, Fact::Unknown(ELSEWHERE.to_owned()));
    }
    server
}

/// Why tmux gave no rows: the server ended meanwhile, it holds no session at all, or something else is wrong.
fn failed(host: &dyn Host, socket: &Path, output: &CommandOutput) -> Fact<Server> {
    if let Err(verdict) = reach(host, socket) {
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

fn unusable(output: &CommandOutput) -> Fact<Server> {
    Fact::Unknown(format!("tmux failed: {}", last_words(output)))
}

/// Always by `-S`, so that neither `$TMUX` nor `$TMUX_TMPDIR` can name another server, and with `-u`: in a C locale tmux
/// would replace every byte of a name that is not ASCII.
fn ask(host: &dyn Host, socket: &Path, words: &[&str]) -> Result<CommandOutput, RunError> {
    let mut args: Vec<OsString> = vec!["-u".into(), "-S".into(), socket.into()];
    args.extend(words.iter().map(OsString::from));
    host.run(&Command { program: "tmux".to_owned(), args, variables: Vec::new(), deadline: DEADLINE })
}

pub(super) fn why(error: &RunError) -> String {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{cause}")
}

pub(super) fn last_words(output: &CommandOutput) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| printable(line.trim()).into_owned());
    line.unwrap_or_else(|| match (output.code, output.signal) {
        (Some(0), _) => "it exited with 0 and printed nothing".to_owned(),
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
    })
}
