//! A session by its socket and the process that serves it. Whatever is said to it, only that process hears.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{MuxDrive as _, ZellijDrive, message};
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::lead::Placed;
use crate::host::{Environ, Host, ProcessInfo, SocketReply};
use crate::mux::zellij::{listing, wire};

/// How long a pane or a server that ends may take for it.
pub(super) const FAREWELL: Duration = Duration::from_secs(6);
/// How long is waited between two looks.
const NAP: Duration = Duration::from_millis(10);

/// What is said of a session that is not there any more.
pub(super) const GONE: &str = "its zellij server has ended, or has another name by now";

/// A session that is there.
pub(super) struct ServedSession {
    pub(super) socket: PathBuf,
    pub(super) process: ProcessInfo,
}

impl ServedSession {
    /// The session of a name, if this process serves it; `None`: it has ended, or has another name by now.
    pub(super) fn of(
        host: &dyn Host,
        env: &Environ,
        key: &SessionKey,
        server: u32,
        start: Option<u64>,
    ) -> Result<Option<Self>, String> {
        let socket = ZellijDrive.socket(env, key)?;
        let process = match host.process(server) {
            Fact::Seen(process) => process,
            Fact::Absent => return Ok(None),
            Fact::Unknown(why) => return Err(why),
        };
        if start.is_some() && process.start_ticks != start {
            return Ok(None);
        }
        let there = Self { socket, process };
        Ok(there.answers(host)?.then_some(there))
    }

    /// Whether this process is behind the socket.
    pub(super) fn answers(&self, host: &dyn Host) -> Result<bool, String> {
        match wire::greet(host, std::slice::from_ref(&self.socket)).pop() {
            Some(SocketReply::Said(_, pid)) if pid != Some(self.process.pid) => Ok(false),
            Some(SocketReply::Said(heard, _)) if wire::is_connected(&heard) => Ok(true),
            Some(SocketReply::Said(..) | SocketReply::Silent) => Err("its zellij server does not answer".to_owned()),
            Some(SocketReply::Failed(why)) => Err(why),
            Some(SocketReply::Nobody | SocketReply::Stranger) | None => Ok(false),
        }
    }

    /// Says something to it. One that does not answer is told nothing: it would do it whenever it goes on.
    pub(super) fn say(&self, host: &dyn Host, words: &[u8]) -> Result<(), String> {
        let is_heard = self.answers(host)? && self.tell(host, words)?;
        is_heard.then_some(()).ok_or_else(|| GONE.to_owned())
    }

    /// Says something to it, answer or not, and whether it heard it.
    pub(super) fn tell(&self, host: &dyn Host, words: &[u8]) -> Result<bool, String> {
        wire::tell(host, &self.socket, words, self.process.pid)
    }

    /// Asks it something. A server whose screen is busy for a second answers something else (0.45.1): it is asked again.
    pub(super) fn ask(&self, host: &dyn Host, words: &[u8]) -> Result<Vec<u8>, String> {
        let ask = || wire::ask(host, &self.socket, words, Some(self.process.pid));
        ask().or_else(|_| ask())
    }

    /// Its terminal panes.
    pub(super) fn panes(&self, host: &dyn Host) -> Result<Vec<listing::Listed>, String> {
        listing::parse(&self.ask(host, wire::LIST_PANES)?)
    }

    pub(super) fn pane(&self, host: &dyn Host, id: u32) -> Result<Option<listing::Listed>, String> {
        Ok(self.panes(host)?.into_iter().find(|pane| pane.id == id))
    }

    /// Closes a pane whose program has ended.
    pub(super) fn close(&self, host: &dyn Host, id: u32) -> Result<(), String> {
        for _ in 0..2 {
            match self.pane(host, id)? {
                Some(pane) if pane.has_ended() => self.say(host, &message::close_pane(id))?,
                Some(_) => return Err(format!("its pane terminal_{id} still runs")),
                None => return Ok(()),
            }
            if until(FAREWELL, || self.pane(host, id).map(|pane| pane.is_none().then_some(())))?.is_some() {
                return Ok(());
            }
        }
        Err(format!("its pane terminal_{id} stayed when it was closed"))
    }

    /// Whether a pane was placed on this server, and its launcher has ended.
    pub(super) fn had(&self, host: &dyn Host, placed: &Placed) -> bool {
        let is_start = placed.server_start.is_none_or(|start| Some(start) == self.process.start_ticks);
        placed.server == self.process.pid && is_start && host.stat(placed.pid).is_absent()
    }

    /// How many are attached to it; `None`: that cannot be told.
    pub(super) fn clients(&self, host: &dyn Host) -> Option<usize> {
        wire::ask(host, &self.socket, wire::LIST_CLIENTS, Some(self.process.pid)).ok().and_then(|text| counted(&text))
    }

    /// Ends it. Told once, one in twenty stays; one that was never set up, or whose socket was taken away, cannot be told.
    pub(super) fn end(&self, host: &dyn Host) -> Result<(), String> {
        let is_gone = || host.stat(self.process.pid).seen().is_none_or(|now| now.start_ticks != self.process.start_ticks);
        for _ in 0..2 {
            if is_gone() {
                return Ok(());
            }
            let is_told = self.tell(host, &message::kill_session())?;
            if until(if is_told { FAREWELL } else { NAP }, || Ok(is_gone().then_some(())))?.is_some() {
                return Ok(());
            }
        }
        let handle = i32::try_from(self.process.pid).ok().and_then(Pid::from_raw);
        let handle = handle.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // The handle is of this process only if it still is this one now.
        if let Some(handle) = handle.filter(|_| !is_gone()) {
            let _ = pidfd_send_signal(&handle, Signal::TERM);
        }
        match until(FAREWELL, || Ok(is_gone().then_some(())))? {
            Some(()) => Ok(()),
            None => Err("its zellij server did not end when it was told to".to_owned()),
        }
    }
}

/// The server behind a socket; not to be asked where one may be that is just being set up.
pub(super) fn behind(host: &dyn Host, socket: &Path) -> Option<ProcessInfo> {
    match wire::greet(host, &[socket.to_path_buf()]).pop() {
        Some(SocketReply::Said(heard, Some(pid))) if wire::is_connected(&heard) => host.process(pid).into_seen(),
        _ => None,
    }
}

/// A line for each client, below a line of titles.
pub(super) fn counted(text: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    lines.next().filter(|title| title.starts_with("CLIENT_ID"))?;
    Some(lines.filter(|line| !line.trim().is_empty()).count())
}

/// Asks again and again, until there is something, or for this long: then what kept it from being told counts.
pub(super) fn until<T>(time: Duration, mut ask: impl FnMut() -> Result<Option<T>, String>) -> Result<Option<T>, String> {
    let end = Instant::now() + time;
    loop {
        let told = ask();
        if matches!(told, Ok(Some(_))) || Instant::now() >= end {
            return told;
        }
        std::thread::sleep(NAP);
    }
}
