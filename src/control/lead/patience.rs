//! Looking again where a multiplexer is busy and answers late. Knows nothing of what is looked at.

use std::time::{Duration, Instant};

/// How long one look takes if a multiplexer did not answer, and for how long looks that take so long are made again.
const LATE: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_secs(5);

/// Looks again where nothing could be told although it took long: a multiplexer that is busy answers late.
pub(super) fn patiently<T>(is_unknown: impl Fn(&T) -> bool, mut look: impl FnMut() -> T) -> T {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let seen = look();
        if !is_unknown(&seen) || asked.elapsed() < LATE || begun.elapsed() > BUSY {
            return seen;
        }
    }
}
