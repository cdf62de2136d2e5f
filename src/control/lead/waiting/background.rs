//! What goes on beside a watch or a command until somebody ends it. Does nothing by itself.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// For whoever ends it.
#[derive(Debug, Default)]
pub struct Background {
    is_over: AtomicBool,
    waker: Mutex<Option<Arc<UnixStream>>>,
}

impl Background {
    /// Ends it: what is just being done still is.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            // One that is full holds a wake already.
            let _ = (&**waker).write(b"!");
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// What wakes it when it is ended.
    pub(super) fn wakes_by(&self, waker: Option<Arc<UnixStream>>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }
}

/// A thread in which something goes on beside a watch or a command.
#[derive(Debug)]
pub struct BackgroundThread {
    background: Arc<Background>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundThread {
    /// Starts it. `failed` is given why it does not go on: `what` is not done any more.
    ///
    /// # Errors
    /// There is no room for another thread.
    pub fn start(
        what: &'static str,
        act: impl FnOnce(&Background) -> Result<(), String> + Send + 'static,
        failed: impl FnOnce(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let background = Arc::new(Background::default());
        let ours = Arc::clone(&background);
        let thread = std::thread::Builder::new().spawn(move || match catch_unwind(AssertUnwindSafe(|| act(&ours))) {
            Ok(Ok(())) => {}
            Ok(Err(why)) => failed(format!("{what}: {why}")),
            Err(_) => failed(format!("internal error: {what} any more")),
        })?;
        Ok(Self { background, thread: Some(thread) })
    }

    /// Whether nothing is being done any more.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, and gives it so long to be over.
    pub fn end_within(&self, at_most: Duration) {
        self.end();
        let until = Instant::now() + at_most;
        while !self.is_over() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it, after what is just being done.
    pub fn end(&self) {
        self.background.end();
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}
