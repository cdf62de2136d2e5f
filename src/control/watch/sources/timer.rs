//! The resync timer: looks at everything now and then, because any other source may lose something. Never looks itself.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::outbox::WakeSender;
use crate::control::watch::wake::{Reason, Scope};

/// By what share of the interval it is spread at random.
const JITTER: f64 = 0.1;

/// Wakes the loop every `interval`, each time a little earlier or later, so that many machines do not beat in time.
pub(super) async fn resync(interval: Duration, outbox: WakeSender) {
    loop {
        tokio::time::sleep(spread(interval, JITTER, chance())).await;
        outbox.send(Reason::Resync, Scope::ALL);
    }
}

/// A duration moved by at most `share` of it; `chance` from 0 to 1 says where within.
pub(super) fn spread(duration: Duration, share: f64, chance: f64) -> Duration {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    duration.mul_f64(1.0 + share * (2.0 * chance - 1.0))
}

/// A number from 0 to 1, good enough to spread things in time: the standard library seeds its hashers at random.
pub(super) fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_spread_evenly_around_itself_and_never_further_than_said() {
        let second = Duration::from_secs(1);
        for (share, chance, expected) in
            [(0.1, 0.0, 900), (0.1, 0.5, 1000), (0.1, 1.0, 1100), (0.0, 1.0, 1000), (9.0, 0.0, 0), (f64::NAN, 1.0, 1000)]
        {
            assert_eq!(spread(second, share, chance), Duration::from_millis(expected), "{share} {chance}");
        }
    }

    #[test]
    fn chance_stays_within_its_bounds_and_is_not_always_the_same() {
        let drawn: Vec<f64> = (0..100).map(|_| chance()).collect();
        assert!(drawn.iter().all(|it| (0.0..=1.0).contains(it)), "{drawn:?}");
        assert!(drawn.iter().any(|it| (it - drawn[0]).abs() > 0.01), "{drawn:?}");
    }
}
