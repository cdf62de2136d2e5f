//! The way of a wake from a source to the loop. Whoever sends never waits, and what waits is united by reason, so that a burst
//! of any size takes bounded memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::control::watch::wake::{Reason, Scope, Wake};

/// The least time between two wakes that say no more than "still being written".
const PACE: Duration = Duration::from_secs(1);

/// Where sources put wakes, from any thread.
#[derive(Debug, Clone, Default)]
pub(super) struct WakeSender {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    urgent: BTreeMap<Reason, Scope>,
    paced: BTreeMap<Reason, Scope>,
}

impl WakeSender {
    /// Sends a wake on its way at once.
    pub(super) fn send(&self, reason: Reason, scope: Scope) {
        add(&mut self.waiting().urgent, reason, scope);
        self.inner.news.notify_one();
    }

    /// Sends a wake at once if the last such was a while ago, else together with those that follow.
    pub(super) fn send_paced(&self, reason: Reason, scope: Scope) {
        add(&mut self.waiting().paced, reason, scope);
        self.inner.news.notify_one();
    }

    /// Hands the wakes to the loop until it ends.
    pub(super) async fn pump(self, wakes: mpsc::Sender<Wake>) {
        let mut due = Instant::now();
        loop {
            let is_due = Instant::now() >= due;
            match self.next(is_due) {
                Next::Urgent(wake) => {
                    if wakes.send(wake).await.is_err() {
                        return;
                    }
                }
                Next::Paced(sent) => {
                    for wake in sent {
                        if wakes.send(wake).await.is_err() {
                            return;
                        }
                    }
                    due = Instant::now() + PACE;
                }
                Next::Later => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.inner.news.notified() => {}
                },
                Next::Nothing => self.inner.news.notified().await,
            }
        }
    }

    fn next(&self, is_due: bool) -> Next {
        let mut waiting = self.waiting();
        match waiting.urgent.pop_first() {
            Some((reason, scope)) => Next::Urgent(Wake { reason, scope }),
            None if waiting.paced.is_empty() => Next::Nothing,
            None if !is_due => Next::Later,
            None => Next::Paced(
                std::mem::take(&mut waiting.paced).into_iter().map(|(reason, scope)| Wake { reason, scope }).collect(),
            ),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next {
    Urgent(Wake),
    Paced(Vec<Wake>),
    Later,
    Nothing,
}

fn add(to: &mut BTreeMap<Reason, Scope>, reason: Reason, scope: Scope) {
    match to.get_mut(&reason) {
        Some(known) => known.unite(scope),
        None => {
            to.insert(reason, scope);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_burst_that_nobody_reads_waits_as_one_wake_for_each_reason() {
        let outbox = WakeSender::default();
        for n in 0..50_000u32 {
            outbox.send(if n % 2 == 0 { Reason::Manifest } else { Reason::Registry }, Scope::ALL);
        }
        assert_eq!(outbox.waiting().urgent.len(), 2);
        let (sender, mut wakes) = mpsc::channel(1);
        tokio::spawn(outbox.clone().pump(sender));
        let mut seen = vec![wakes.recv().await.unwrap().reason, wakes.recv().await.unwrap().reason];
        seen.sort();
        assert_eq!(seen, [Reason::Manifest, Reason::Registry]);
        assert!(wakes.try_recv().is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn paced_wakes_come_at_once_and_then_together_but_hold_up_no_urgent_one() {
        let (sender, mut wakes) = mpsc::channel(8);
        let outbox = WakeSender::default();
        tokio::spawn(outbox.clone().pump(sender));
        outbox.send_paced(Reason::Transcript, Scope::ALL);
        assert_eq!(wakes.recv().await.unwrap().reason, Reason::Transcript);
        let first = Instant::now();
        for _ in 0..100 {
            outbox.send_paced(Reason::Transcript, Scope::ALL);
        }
        outbox.send(Reason::Manifest, Scope::ALL);
        assert_eq!(wakes.recv().await.unwrap().reason, Reason::Manifest);
        assert!(first.elapsed() < PACE, "an urgent wake was held up");
        assert_eq!(wakes.recv().await.unwrap().reason, Reason::Transcript);
        assert!(first.elapsed() >= PACE - Duration::from_millis(20), "a paced wake came too early");
        assert!(wakes.try_recv().is_err());
    }
}
