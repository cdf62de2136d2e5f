//! What the loop waits for, each pending for ever where there is nothing to wait for. Decides nothing.

use std::any::Any;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::broker::{BrokerHappening, BrokerLink};
use super::cycle::Cycle;
use super::leading::{Happening, Leading};
use super::wake::Reason;

/// A pass that runs.
pub(super) struct Running {
    pub(super) turn: JoinHandle<Option<Cycle>>,
    pub(super) reasons: Vec<Reason>,
    pub(super) since: Instant,
}

/// A period from now; never, if it is nothing or too long to count.
pub(super) fn next(period: Duration) -> Option<Instant> {
    if period.is_zero() { None } else { Instant::now().checked_add(period) }
}

/// Waits for a moment.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits for a pass; gives what it was made for as well.
pub(super) async fn joined(running: &mut Option<Running>) -> (Result<Option<Cycle>, JoinError>, Vec<Reason>) {
    match running {
        Some(running) => ((&mut running.turn).await, running.reasons.clone()),
        None => std::future::pending().await,
    }
}

/// Waits for the broker.
pub(super) async fn happening(link: &mut Option<BrokerLink>) -> BrokerHappening {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for an operation.
pub(super) async fn led(leading: &mut Option<Leading>) -> Happening {
    match leading {
        Some(leading) => leading.next().await,
        None => std::future::pending().await,
    }
}

/// What a pass that panicked said.
pub(super) fn panic_message(error: JoinError) -> String {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "unknown".to_owned(), |text| (*text).to_owned()),
    };
    error.try_into_panic().map_or_else(|error| error.to_string(), text)
}
