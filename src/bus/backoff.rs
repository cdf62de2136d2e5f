//! How long to wait before the next attempt. Never waits itself.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A connection that stood so long, and much longer than was waited for it, begins the waits anew. One that did not has made no
/// progress: two clients of one id that take turns in throwing each other out stand as long as the other one waits.
const STOOD: Duration = Duration::from_secs(5);

/// Waits that double from the first to the longest.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReconnectDelay {
    first: Duration,
    longest: Duration,
    next: Duration,
    /// The last wait.
    waited: Duration,
}

impl ReconnectDelay {
    pub(super) fn new((first, longest): (Duration, Duration)) -> Self {
        Self { first, longest, next: first, waited: Duration::ZERO }
    }

    /// The wait after an attempt whose connection stood so long, if there was one: up to a quarter is taken off at random, so
    /// that many clients of a broker that was restarted do not come back at once.
    pub(super) fn after(&mut self, stood: Option<Duration>) -> Duration {
        // Three times: a rival's wait is at most twice ours.
        if stood.is_some_and(|stood| stood >= STOOD.max(self.waited * 3)) {
            self.next = self.first;
        }
        self.waited = self.next;
        self.next = (self.next * 2).min(self.longest);
        self.waited.mul_f64(1.0 - 0.25 * chance())
    }
}

/// A number from 0 to 1: the standard library seeds its hashers at random.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_connection_that_stood() {
        let mut backoff = ReconnectDelay::new((Duration::from_millis(500), Duration::from_secs(30)));
        for expected in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let wait = backoff.after(None).as_secs_f64();
            assert!((expected * 0.75..=expected).contains(&wait), "{wait} for {expected}");
        }
        assert!(backoff.after(Some(Duration::from_secs(1))) >= Duration::from_millis(22_500), "one that was lost at once");
        assert!(backoff.after(Some(Duration::from_secs(60))) >= Duration::from_millis(22_500), "no longer than a rival waits");
        assert!(backoff.after(Some(Duration::from_secs(90))) <= Duration::from_millis(500));
    }
}
