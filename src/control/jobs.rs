//! Waiting for something to happen to the jobs of a registry. Never reads or writes one.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::store::jobs::Registry;

/// How often a registry is looked at that cannot be watched.
const POLL: Duration = Duration::from_millis(250);

/// Tells that something may have happened in a registry.
#[derive(Debug)]
pub struct Changes {
    woken: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
}

impl Changes {
    /// Watches from now on; a registry that cannot be watched is polled.
    pub fn of(registry: &Registry) -> Self {
        let (wake, woken) = sync_channel(1);
        let handler = move |event: notify::Result<Event>| {
            // Our own reading is no news; a full channel holds a wake already.
            if !matches!(event, Ok(Event { kind: EventKind::Access(_), .. })) {
                let _ = wake.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(handler).and_then(|mut watcher| {
            watcher.watch(registry.path(), RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "the job registry is polled")).ok();
        Self { woken, watcher }
    }

    /// Waits until something may have happened, at most so long.
    pub fn wait(&self, at_most: Duration) {
        match self.watcher {
            Some(_) => drop(self.woken.recv_timeout(at_most)),
            None => std::thread::sleep(at_most.min(POLL)),
        }
    }
}
