//! How long the stages of a pass take, for whoever asks with `RUST_LOG=headcount::time=debug`. Measures; decides nothing.

use std::time::Instant;

/// Does the work of a stage and says how long it took, in milliseconds.
pub(in crate::control) fn timed<T>(stage: &'static str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    tracing::debug!(target: "headcount::time", stage, ms = begun.elapsed().as_secs_f64() * 1000.0);
    done
}
