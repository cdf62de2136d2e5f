//! Rows of `list-panes`: whatever is read of them stands in them, says the same when written again, and a session's name may be
//! anything.

use headcount::core::fact::Fact;
use headcount::core::ids::MuxKind;
use headcount::core::observe::{MuxSession, Pane, Server};
use headcount::host::Environ;
use headcount::mux;

use super::desk::Desk;
use super::{choice, joined, pieces};

pub fn run(data: &[u8]) {
    match choice(data) {
        (how, rest) if how % 2 == 0 => raw(rest),
        (_, rest) => names(rest),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut rows = vec![0];
    rows.extend(b"3.3a|77\n$1|1795248601|%1|9333|0|||4:lane\n$1|1795248601|%2|9334|1|3||4:lane\n");
    rows.extend(b"$2|1795248602|%3|0|1||9|3:a|b\n");
    let mut old = vec![0];
    old.extend(b"2.9|77\n");
    vec![rows, old, joined(&[b"\x01plain", b"a|b\n", "漢字".as_bytes(), b"\xff\x1b[31m", b""]), vec![0]]
}

/// What the adapter makes of what tmux prints.
fn list(stdout: &[u8]) -> Fact<Server> {
    let desk = Desk { stdout: stdout.to_vec(), ..Desk::default() };
    mux::of(MuxKind::Tmux).list(&desk, &Environ::default(), "/nowhere/socket")
}

fn raw(text: &[u8]) {
    let Fact::Seen(server) = list(text) else { return };
    let said = String::from_utf8_lossy(text);
    let panes = || server.sessions.iter().flat_map(|session| &session.panes);
    assert!(panes().count() <= text.iter().filter(|byte| **byte == b'\n').count(), "more panes than rows");
    for session in &server.sessions {
        assert!(said.contains(&session.id) && said.contains(&session.name), "{session:?} is not in the rows");
        assert!(!session.panes.is_empty(), "{session:?} has no row");
    }
    for pane in panes() {
        let pid = pane.pid.map(|pid| pid.to_string()).unwrap_or_default();
        assert!(said.contains(&pane.id) && said.contains(&pid), "{pane:?} is not in the rows");
        assert_eq!(pane.agents, Fact::Absent, "nobody was asked yet");
    }
    if !server.sessions.is_empty() {
        assert_eq!(list(&rows(&server)), Fact::Seen(server), "written again it says something else");
    }
}

/// Names of all kinds are read back to the byte.
fn names(data: &[u8]) {
    let session = |(at, name): (usize, &[u8])| {
        let pane =
            Pane { id: format!("%{at}"), pid: Some(7), dead: None, runs: String::new(), agents: Fact::Absent, unread: None };
        let created = chrono::DateTime::from_timestamp(60, 0);
        let name = String::from_utf8_lossy(name).into_owned();
        MuxSession { id: format!("${at}"), name, created, process: None, panes: vec![pane.into()] }
    };
    let sessions = pieces(data).take(20).enumerate().map(session).map(Into::into).collect();
    let server = Server { pid: Some(77), version: "3.4".to_owned(), sessions, unlisted: None };
    assert_eq!(list(&rows(&server)), Fact::Seen(server));
}

/// A server as tmux lists it.
fn rows(server: &Server) -> Vec<u8> {
    let mut text = format!("{}|{}\n", server.version, server.pid.unwrap()).into_bytes();
    for session in &server.sessions {
        for pane in &session.panes {
            let (status, signal) = match pane.dead.as_deref() {
                None | Some("exit status unknown") => ("", ""),
                Some(how) => match how.strip_prefix("killed by signal ") {
                    Some(signal) => ("", signal),
                    None => (how.strip_prefix("exit status ").unwrap(), ""),
                },
            };
            let created = session.created.map_or(i64::MAX, |created| created.timestamp());
            let dead = u8::from(pane.dead.is_some());
            let (id, name, pane_pid) = (&session.id, &session.name, pane.pid.unwrap_or(0));
            let place = format!("{id}|{created}|{}|{pane_pid}|{dead}|{status}|{signal}|", pane.id);
            text.extend(format!("{place}{}:{name}\n", name.len()).into_bytes());
        }
    }
    text
}
