//! The panes of a live session, from the processes its server started. Reads processes; asks zellij nothing.

use std::time::Duration;

use crate::core::fact::Fact;
use crate::core::observe::Pane;
use crate::host::{Host, ProcessInfo};

/// Where a pane's process is told which pane it is in (`spawn_terminal` in zellij-server).
const PANE_ID: &str = "ZELLIJ_PANE_ID";
/// The id of a pane whose process does not know it.
const NAMELESS: &str = "terminal_?";
/// How often a process that is about to become a pane's is read again, and how long that waits in between.
const PATIENCE: (u32, Duration) = (20, Duration::from_millis(1));

/// The panes of a server with these children, by their ids. Only a pane's process has a terminal: the server itself has none,
/// so what plugins run has none either.
pub(super) fn of(host: &dyn Host, server: &ProcessInfo, children: &[u32]) -> Vec<Pane> {
    let mut panes: Vec<(Option<u32>, Pane)> = children.iter().filter_map(|pid| pane(host, server, *pid)).collect();
    panes.sort_by_key(|(id, pane)| (id.is_none(), *id, pane.pid));
    panes.into_iter().map(|(_, pane)| pane).collect()
}

fn pane(host: &dyn Host, server: &ProcessInfo, pid: u32) -> Option<(Option<u32>, Pane)> {
    for _ in 0..PATIENCE.0 {
        match host.process(pid) {
            Fact::Absent => return None,
            Fact::Unknown(why) => return Some((None, Pane { agents: Fact::Unknown(why), ..alive(NAMELESS, Some(pid)) })),
            Fact::Seen(process) if !process.has_terminal => return None,
            // Between fork and exec it is a copy of the server, with the server's environment.
            Fact::Seen(process) if process.argv == server.argv => std::thread::sleep(PATIENCE.1),
            Fact::Seen(_) => {
                // A program may have cleared its environment; then the pane is known by its process alone.
                let environ = host.environ(pid);
                let id = environ.seen().and_then(|env| env.get(PANE_ID)?.to_str()?.parse().ok());
                return Some((id, alive(&id.map_or_else(|| NAMELESS.to_owned(), terminal), Some(pid))));
            }
        }
    }
    Some((None, doubt(format!("process {pid} did not start the program of its pane"))))
}

/// The id of a pane as zellij's own commands take it.
pub(super) fn terminal(id: u32) -> String {
    format!("terminal_{id}")
}

fn alive(id: &str, pid: Option<u32>) -> Pane {
    Pane { id: id.to_owned(), pid, dead: None, runs: String::new(), agents: Fact::Absent, unread: None }
}

/// A pane that kept its place after its process ended.
pub(super) fn dead(id: u32, how: String) -> Pane {
    Pane { dead: Some(how), agents: Fact::Seen(Vec::new()), ..alive(&terminal(id), None) }
}

/// What stands for everything that could not be told of a session.
pub(super) fn doubt(why: String) -> Pane {
    Pane { agents: Fact::Unknown(why), ..alive(NAMELESS, None) }
}
