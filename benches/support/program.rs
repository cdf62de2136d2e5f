//! One run of a program: how long it took, how it ended, how much memory it had. Knows nothing of what it does.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::memory;

/// Runs it with its output thrown away.
pub fn time(command: &mut Command) -> (Duration, i32) {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    (start.elapsed(), status.code().unwrap_or(-1))
}

/// The most memory it had, in MiB, as far as a look every millisecond sees it. Not for runs that are timed.
pub fn peak(command: &mut Command) -> f64 {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0.0_f64;
    while child.try_wait().unwrap().is_none() {
        peak = memory(child.id(), "VmHWM").unwrap_or(0.0).max(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    peak
}
