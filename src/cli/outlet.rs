//! The lines of `watch` on their way to stdout: written by a thread of their own, so that a reader that does not read holds up
//! nothing but its lines. Never reorders them, and never leaves one out without saying how many.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many bytes of lines may wait for a reader. A pipe holds 64 KiB beside.
const MOST: usize = 1 << 20;

/// What writes the lines. Dropped without [`Outlet::finish`], it leaves what waits to the end of the process.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lines that found no room since the last one that did.
    left_out: u64,
    is_writing: bool,
    is_over: bool,
    failure: Option<io::Error>,
}

impl Outlet {
    /// Starts to write to `to`.
    pub(crate) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || writer.write(to))?;
        Ok(Self { shared })
    }

    /// Hands on a line, newline included; breaks if nobody reads any more. `about` makes a line that tells how many before it were
    /// left out.
    pub(crate) fn say(&self, line: String, about: impl FnOnce(u64) -> String) -> io::Result<ControlFlow<()>> {
        self.shared.push(line, about, MOST)
    }

    /// Hands on the last line, for which there is always room, and waits until all are written, at most so long.
    pub(crate) fn finish(self, last: Option<String>, about: impl FnOnce(u64) -> String, patience: Duration) -> io::Result<()> {
        if let Some(last) = last
            && self.shared.push(last, about, usize::MAX)?.is_break()
        {
            return Ok(());
        }
        let until = Instant::now() + patience;
        let mut queue = self.shared.held();
        while queue.failure.is_none() && (queue.is_writing || !queue.lines.is_empty()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        match queue.failure.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.shared.held().is_over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn push(&self, line: String, about: impl FnOnce(u64) -> String, most: usize) -> io::Result<ControlFlow<()>> {
        let mut queue = self.held();
        match queue.failure.take() {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                queue.failure = Some(error);
                return Ok(ControlFlow::Break(()));
            }
            Some(error) => return Err(error),
            None => {}
        }
        if queue.bytes.saturating_add(line.len()) > most {
            queue.left_out += 1;
            return Ok(ControlFlow::Continue(()));
        }
        if queue.left_out > 0 {
            let about = about(std::mem::take(&mut queue.left_out));
            queue.bytes += about.len();
            queue.lines.push_back(about);
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        // Whoever wakes need not wait for us.
        drop(queue);
        self.changed.notify_all();
        Ok(ControlFlow::Continue(()))
    }

    fn write(&self, mut to: impl Write) {
        loop {
            let Some(lines) = self.next() else { return };
            let outcome = lines.iter().try_for_each(|line| to.write_all(line.as_bytes())).and_then(|()| to.flush());
            let mut queue = self.held();
            queue.is_writing = false;
            // Only now: what a reader has not taken is still held.
            queue.bytes -= lines.iter().map(String::len).sum::<usize>();
            let is_over = outcome.is_err();
            queue.failure = outcome.err();
            self.changed.notify_all();
            if is_over {
                return;
            }
        }
    }

    /// The lines that wait; `None` once there will be none.
    fn next(&self) -> Option<Vec<String>> {
        let mut queue = self.held();
        loop {
            if !queue.lines.is_empty() {
                queue.is_writing = true;
                return Some(std::mem::take(&mut queue.lines).into());
            }
            if queue.is_over {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn held(&self) -> MutexGuard<'_, Queue> {
        // What it holds is whole after every step, so a panic elsewhere leaves it usable.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes a line when it is allowed to.
    struct Slow {
        allowed: Receiver<()>,
        taken: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.allowed.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.taken.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Outlet, Sender<()>, Receiver<String>) {
        let (allow, allowed) = channel();
        let (taken, lines) = channel();
        (Outlet::start(Slow { allowed, taken }).unwrap(), allow, lines)
    }

    fn about(count: u64) -> String {
        format!("{count} left out")
    }

    #[test]
    fn a_reader_that_does_not_read_costs_only_its_lines_and_is_told_how_many() {
        let (outlet, allow, lines) = slow();
        let long = "x".repeat(MOST / 4);
        for n in 0..10 {
            assert!(outlet.say(format!("{n}{long}"), about).unwrap().is_continue());
        }
        for _ in 0..5 {
            allow.send(()).unwrap();
        }
        let first: Vec<char> = (0..3).map(|_| lines.recv().unwrap().chars().next().unwrap()).collect();
        assert_eq!(first, ['0', '1', '2']);
        outlet.finish(Some("last".to_owned()), about, Duration::from_secs(20)).unwrap();
        assert_eq!(lines.iter().take(2).collect::<Vec<_>>(), ["7 left out", "last"]);
    }

    #[test]
    fn the_end_is_not_waited_for_longer_than_said() {
        let (outlet, _allow, _lines) = slow();
        let began = Instant::now();
        outlet.finish(Some("last".to_owned()), about, Duration::from_millis(20)).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed_at_the_next_line() {
        let (outlet, allow, _lines) = slow();
        drop(allow);
        while outlet.say("x".to_owned(), about).unwrap().is_continue() {
            std::thread::yield_now();
        }
        outlet.finish(None, about, Duration::from_secs(20)).unwrap();
    }
}
