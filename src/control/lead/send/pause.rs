//! A pause between two looks at the same thing.

use std::time::Duration;

const SHORTEST_PAUSE: Duration = Duration::from_millis(4);
/// What it grows to.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(60);

/// A pause that grows.
pub(super) struct GrowingPause(Duration);

impl GrowingPause {
    pub(super) fn new() -> Self {
        Self(SHORTEST_PAUSE)
    }

    pub(super) fn wait(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 5 / 4).min(LONGEST_PAUSE);
    }
}
