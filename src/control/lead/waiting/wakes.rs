//! What wakes a wait: files that change in some directories, and processes that end. Reads nothing; a wake that is lost costs a second.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::SPACING;
use crate::host::pidfd;

/// What is listened to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LookPlaces {
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) processes: BTreeSet<u32>,
}

/// Tells that something may have happened. Takes no more open files than what it listens to needs.
pub(super) struct LookWakes {
    woken: Option<UnixStream>,
    waker: Option<Arc<UnixStream>>,
    /// Of files, while some are listened to.
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    /// Those that have a handle; one that has ended is heard of once.
    processes: BTreeMap<u32, Option<OwnedFd>>,
}

impl LookWakes {
    /// Listens to nothing yet. Where files cannot be watched they are polled.
    pub(super) fn new() -> Self {
        let pair = UnixStream::pair().and_then(|(woken, waker)| {
            woken.set_nonblocking(true)?;
            waker.set_nonblocking(true)?;
            Ok((woken, Arc::new(waker)))
        });
        let (woken, waker) = pair.ok().unzip();
        Self { woken, waker, watcher: None, directories: BTreeSet::new(), processes: BTreeMap::new() }
    }

    /// What wakes it from elsewhere, by a byte.
    pub(super) fn waker(&self) -> Option<Arc<UnixStream>> {
        self.waker.clone()
    }

    /// What tells of files.
    fn watcher(&self) -> Option<RecommendedWatcher> {
        let waker = self.waker()?;
        let handler = move |event: notify::Result<Event>| {
            // Our own reading is no news; what is full holds a wake already.
            let is_news = event
                .is_ok_and(|event| !matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_))));
            if is_news {
                let _ = (&*waker).write(b"!");
            }
        };
        let watcher = notify::recommended_watcher(handler);
        watcher.inspect_err(|error| tracing::debug!(%error, "files are polled")).ok()
    }

    /// Listens to these from now on. Gives whether some of them are new.
    pub(super) fn watch(&mut self, places: LookPlaces) -> bool {
        let mut is_new = false;
        if places.directories.is_empty() {
            (self.watcher, self.directories) = (None, BTreeSet::new());
        } else if self.watcher.is_none() {
            self.watcher = self.watcher();
        }
        if let Some(watcher) = &mut self.watcher {
            for gone in self.directories.difference(&places.directories) {
                // It may be gone itself.
                let _ = watcher.unwatch(gone);
            }
            self.directories.retain(|directory| places.directories.contains(directory) && directory.is_dir());
            for directory in &places.directories {
                if !self.directories.contains(directory) && watcher.watch(directory, RecursiveMode::NonRecursive).is_ok() {
                    self.directories.insert(directory.clone());
                    is_new = true;
                }
            }
        }
        self.processes.retain(|pid, _| places.processes.contains(pid));
        for pid in places.processes {
            self.processes.entry(pid).or_insert_with(|| {
                is_new = true;
                pidfd::open(pid, None).ok()
            });
        }
        is_new
    }

    /// As [`LookWakes::wait`], and then until [`SPACING`] is over since the last look began.
    pub(super) fn rest(&mut self, at_most: Duration, looked: Instant) -> bool {
        let is_woken = self.wait(at_most);
        if is_woken {
            std::thread::sleep(SPACING.saturating_sub(looked.elapsed()));
        }
        is_woken
    }

    /// Waits until something may have happened, at most so long. Gives whether it has.
    pub(super) fn wait(&mut self, at_most: Duration) -> bool {
        let timeout =
            Timespec { tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX), tv_nsec: at_most.subsec_nanos().into() };
        let handles: Vec<(u32, &OwnedFd)> =
            self.processes.iter().filter_map(|(pid, handle)| Some((*pid, handle.as_ref()?))).collect();
        let mut polled: Vec<PollFd<'_>> = handles.iter().map(|(_, handle)| PollFd::new(*handle, PollFlags::IN)).collect();
        if let Some(woken) = &self.woken {
            polled.push(PollFd::new(woken, PollFlags::IN));
        }
        let is_woken = poll(&mut polled, Some(&timeout)).is_ok_and(|count| count > 0);
        let is_over = |(at, pid): (usize, &u32)| polled.get(at).is_some_and(|it| !it.revents().is_empty()).then_some(*pid);
        let ended: Vec<u32> = handles.iter().map(|(pid, _)| pid).enumerate().filter_map(is_over).collect();
        for pid in ended {
            self.processes.insert(pid, None);
        }
        if let Some(woken) = &mut self.woken {
            let mut spent = [0; 256];
            while woken.read(&mut spent).is_ok_and(|count| count == spent.len()) {}
        }
        is_woken
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(150);

    #[test]
    fn a_file_that_is_written_and_a_process_that_ends_wake_and_reading_does_not() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("a.jsonl");
        std::fs::write(&file, "1\n").unwrap();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let places = LookPlaces { directories: [temp.path().to_path_buf()].into(), processes: [child.id()].into() };
        let mut wakes = LookWakes::new();
        assert!(wakes.watch(places.clone()));
        assert!(!wakes.watch(places.clone()), "nothing new");
        assert!(!wakes.wait(SHORT));
        std::fs::read(&file).unwrap();
        assert!(!wakes.wait(SHORT), "it was only read");
        std::fs::write(&file, "2\n").unwrap();
        let begun = Instant::now();
        assert!(wakes.wait(LONG));
        while wakes.wait(SHORT) {}
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(wakes.wait(LONG) && begun.elapsed() < LONG);
        assert!(!wakes.wait(SHORT), "it is heard of once");
        assert!(!wakes.watch(places), "and is not new");
    }
}
