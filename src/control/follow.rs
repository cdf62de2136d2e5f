//! One look after another, until something ends them: the clock and the signals of `status --watch`. Knows nothing of what is
//! looked at.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::watch::ends::{closed, watch_reader};

/// What ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowEnd {
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// The reader of the output went away, or what shows the looks had enough.
    OutputClosed,
}

/// Looks again `interval` after each look has ended, and at once if the terminal changes its size; `show` gets what was seen. A
/// signal ends it even while a look takes long.
///
/// # Errors
/// The runtime or a signal handler could not be set up.
pub fn follow<T: Send + 'static>(
    interval: Duration,
    output: Option<OwnedFd>,
    look: impl FnMut() -> T + Send + 'static,
    mut show: impl FnMut(T) -> ControlFlow<()>,
) -> io::Result<FollowEnd> {
    let mut output = output.and_then(watch_reader);
    let look = Arc::new(Mutex::new(look));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut resized = signal(SignalKind::window_change())?;
        let looks = async {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    _ = resized.recv() => {}
                }
                let look = Arc::clone(&look);
                let seen = tokio::task::spawn_blocking(move || (look.lock().unwrap_or_else(PoisonError::into_inner))()).await;
                let seen = seen.map_err(io::Error::other)?;
                if show(seen).is_break() {
                    return Ok(FollowEnd::OutputClosed);
                }
            }
        };
        tokio::select! {
            biased;
            _ = terminate.recv() => Ok(FollowEnd::Terminated),
            _ = interrupt.recv() => Ok(FollowEnd::Interrupted),
            () = closed(&mut output) => Ok(FollowEnd::OutputClosed),
            ended = looks => ended,
        }
    });
    // A look that hangs holds nothing that the end of the process would not free.
    runtime.shutdown_background();
    ended
}
