//! Ctrl-Z at the terminal of a watch: it stops only once it holds nobody up. Stops nothing but this process.

use rustix::process::{Signal as Posix, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::WatchError;
use crate::host::leads_session;

/// Listens for SIGTSTP.
pub(super) struct Pause(Signal);

impl Pause {
    /// Listens from now on.
    pub(super) fn new() -> Result<Self, WatchError> {
        let kind = SignalKind::from_raw(Posix::TSTP.as_raw());
        signal(kind).map(Self).map_err(|source| WatchError::Signal { signal: "SIGTSTP", source })
    }

    /// Waits until the watch is asked to stop for a while. May be dropped and called again at any time.
    pub(super) async fn asked(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Stops this process until somebody lets it go on. The leader of a session has no shell that could: it is not stopped, as the
/// kernel would not have stopped it.
pub(super) fn stop_here() {
    if leads_session() {
        return;
    }
    if let Err(error) = kill_process(getpid(), Posix::STOP) {
        tracing::debug!(%error, "cannot stop");
    }
}
