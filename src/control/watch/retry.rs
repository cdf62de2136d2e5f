//! When that is tried again which failed although nobody may ever say that it would succeed now. Pure; counts, and reads no clock.

use std::time::Duration;

/// The first and the longest wait.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Retry(u32);

impl Retry {
    /// How long to wait after one more failure.
    pub(super) fn after_failure(&mut self) -> Duration {
        let (first, longest) = WAITS;
        let wait = first.saturating_mul(1 << self.0.min(12)).min(longest);
        self.0 = self.0.saturating_add(1);
        wait
    }

    /// It did not fail.
    pub(super) fn succeeded(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_begins_anew_after_a_success() {
        let mut retry = Retry::default();
        let mut waits = || (0..7).map(|_| retry.after_failure().as_secs()).collect::<Vec<_>>();
        assert_eq!(waits(), [1, 2, 4, 8, 16, 30, 30]);
        retry.succeeded();
        assert_eq!(retry.after_failure(), Duration::from_secs(1));
    }
}
