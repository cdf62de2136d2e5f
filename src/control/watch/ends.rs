//! What ends a watch: signals, a file, the time, a reader that went away. Never stops anything itself.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{WatchError, WatchOptions};

/// How often the file that ends the watch is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Why a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchEnd {
    /// SIGTERM.
    Terminated,
    /// SIGINT.
    Interrupted,
    /// The file that ends it exists.
    UntilFile,
    /// It has run as long as it was to.
    MaxRuntime,
    /// Nobody reads the events any more.
    OutputClosed,
}

impl WatchEnd {
    /// The word in the `stopped` event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Interrupted => "SIGINT",
            Self::UntilFile => "until-file",
            Self::MaxRuntime => "max-runtime",
            Self::OutputClosed => "output-closed",
        }
    }
}

/// Everything that can end a watch.
pub(super) struct StopConditions {
    terminate: Signal,
    interrupt: Signal,
    deadline: Option<Instant>,
    file: Option<std::path::PathBuf>,
    output: Option<oneshot::Receiver<()>>,
}

impl StopConditions {
    /// Listens from now on.
    pub(super) fn new(options: &mut WatchOptions) -> Result<Self, WatchError> {
        let listen = |name, kind| signal(kind).map_err(|source| WatchError::Signal { signal: name, source });
        Ok(Self {
            terminate: listen("SIGTERM", SignalKind::terminate())?,
            interrupt: listen("SIGINT", SignalKind::interrupt())?,
            deadline: options.max_runtime.and_then(|runtime| Instant::now().checked_add(runtime)),
            file: options.until_file.clone(),
            output: options.output.take().and_then(watch_reader),
        })
    }

    /// Waits for the next of them. May be dropped and called again at any time.
    /// `signals_only`: it is ending already, and only a person who asks again matters.
    pub(super) async fn next(&mut self, signals_only: bool) -> WatchEnd {
        tokio::select! {
            _ = self.terminate.recv() => WatchEnd::Terminated,
            _ = self.interrupt.recv() => WatchEnd::Interrupted,
            () = reached(self.deadline), if !signals_only => WatchEnd::MaxRuntime,
            () = exists(self.file.as_deref()), if !signals_only => WatchEnd::UntilFile,
            () = closed(&mut self.output) => WatchEnd::OutputClosed,
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn exists(file: Option<&Path>) {
    let Some(file) = file else { return std::future::pending().await };
    // A broken link is there as well.
    while file.symlink_metadata().is_err() {
        tokio::time::sleep(LOOK).await;
    }
}

pub(in crate::control) async fn closed(output: &mut Option<oneshot::Receiver<()>>) {
    if let Some(gone) = output {
        let is_gone = gone.await.is_ok();
        *output = None;
        if is_gone {
            return;
        }
    }
    std::future::pending().await
}

/// Learns that the reader of a pipe or terminal went away. It costs a thread that sleeps until then: nothing has to be written
/// to find out. A regular file has no reader, and then the thread sleeps for ever.
pub(in crate::control) fn watch_reader(output: OwnedFd) -> Option<oneshot::Receiver<()>> {
    let (tell, gone) = oneshot::channel();
    let wait = move || {
        let mut fds = [PollFd::new(&output, PollFlags::empty())];
        loop {
            match poll(&mut fds, None) {
                Ok(_) => {
                    // The watch may have ended meanwhile.
                    let _ = tell.send(());
                    break;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
    };
    std::thread::Builder::new().name("reader".to_owned()).spawn(wait).ok().map(|_| gone)
}
