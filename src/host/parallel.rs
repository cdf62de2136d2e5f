//! Spreading many small readings over a few threads, as far as the system gives any. Knows nothing of what is read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle, available_parallelism, scope};

/// Below this a thread costs more than it saves.
const WORTH_A_THREAD: usize = 24;
/// How many items a thread takes at a time.
const HANDFUL: usize = 8;
/// More threads only wait for each other in the kernel's process table.
const MOST_THREADS: usize = 4;

/// Applies `f` to each item, in order, on as many threads as are worth it.
pub(crate) fn spread<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MOST_THREADS).min(items.len() / WORTH_A_THREAD + 1);
    if threads <= 1 {
        return items.iter().map(f).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(HANDFUL, Ordering::Relaxed);
            let Some(rest) = items.get(from..).filter(|rest| !rest.is_empty()) else { return done };
            done.push((from, rest.iter().take(HANDFUL).map(&f).collect::<Vec<_>>()));
        }
    };
    let mut parts = scope(|scope| {
        // Where there are no more threads to be had, those that are there do it all.
        let others: Vec<_> = (1..threads).map_while(|_| Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut parts = work();
        for other in others {
            match other.join() {
                Ok(more) => parts.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    });
    parts.sort_unstable_by_key(|(from, _)| *from);
    parts.into_iter().flat_map(|(_, results)| results).collect()
}

/// Something that is being done on another thread, or, where the system gave none, was done at once.
pub(crate) enum ScopedTask<'scope, T> {
    /// It is being done.
    Thread(ScopedJoinHandle<'scope, Option<T>>),
    /// It is done.
    Done(Option<T>),
}

/// Does something alongside.
pub(crate) fn alongside<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> ScopedTask<'scope, T> {
    begin(scope, Builder::new(), work)
}

fn begin<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    thread: Builder,
    work: impl FnOnce() -> T + Send + 'scope,
) -> ScopedTask<'scope, T> {
    // A thread that could not be started gives nothing back, so it is only lent what it would do.
    let work = Arc::new(Mutex::new(Some(work)));
    let lent = Arc::clone(&work);
    match thread.spawn_scoped(scope, move || perform(&lent)) {
        Ok(thread) => ScopedTask::Thread(thread),
        Err(_) => ScopedTask::Done(perform(&work)),
    }
}

fn perform<T>(work: &Mutex<Option<impl FnOnce() -> T>>) -> Option<T> {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    work.map(|work| work())
}

impl<T> ScopedTask<'_, T> {
    /// Whether waiting for it takes no time.
    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Self::Thread(thread) => thread.is_finished(),
            Self::Done(_) => true,
        }
    }

    /// Waits for what came of it; `None` if it panicked.
    pub(crate) fn join(self) -> Option<T> {
        match self {
            Self::Thread(thread) => thread.join().ok().flatten(),
            Self::Done(done) => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gets_no_thread_of_its_own_is_done_all_the_same() {
        let huge = Builder::new().stack_size(1 << 50);
        scope(|scope| {
            assert_eq!(begin(scope, Builder::new(), || 7).join(), Some(7));
            assert!(matches!(begin(scope, huge, || 8), ScopedTask::Done(Some(8))));
        });
    }

    #[test]
    fn every_item_is_done_once_and_in_order() {
        for n in [0, 1, 7, 8, 9, 23, 24, 100, 1000] {
            let items: Vec<usize> = (0..n).collect();
            assert_eq!(spread(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
