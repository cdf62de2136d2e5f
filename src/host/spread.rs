//! Spreading many small readings over a few threads. Knows nothing of what is read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

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
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_in_order() {
        for n in [0, 1, 7, 8, 9, 23, 24, 100, 1000] {
            let items: Vec<usize> = (0..n).collect();
            assert_eq!(spread(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
