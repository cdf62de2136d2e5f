//! The thread of a watch that carries waiting texts to their agents. Decides nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::LeadOptions;
use crate::control::lead::{self, Delivery};
use crate::core::lead::send::SendReceipt;

/// It, until the watch ends.
pub(super) struct Delivering {
    delivery: Arc<Delivery>,
    thread: Option<JoinHandle<()>>,
}

impl Delivering {
    /// Starts it. `tell` is given what became of each text, and what went wrong.
    pub(super) fn start(
        options: &Arc<LeadOptions>,
        tell: impl Fn(Result<SendReceipt, String>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let delivery = Arc::new(Delivery::default());
        let (ours, options) = (Arc::clone(&delivery), Arc::clone(options));
        let thread = std::thread::Builder::new().name("deliver".to_owned()).spawn(move || {
            let deliver = || lead::deliver(&options.world, &options.request, options.is_whole, &ours, &tell);
            match catch_unwind(AssertUnwindSafe(deliver)) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => tell(Err(format!("no waiting text is delivered: {why}"))),
                Err(_) => tell(Err("internal error: no waiting text is delivered any more".to_owned())),
            }
        })?;
        Ok(Self { delivery, thread: Some(thread) })
    }

    /// Whether nothing is being delivered any more.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, after what is just being delivered.
    pub(super) fn end(&self) {
        self.delivery.end();
    }
}
