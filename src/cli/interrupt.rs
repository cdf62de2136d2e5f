//! Ctrl-C during a command that makes one pass. Owns the exit code 130; never runs anything that could block.
//!
//! The process ends at once, wherever it is: a pass that is cut short leaves the old manifest or the new one, whole, exactly
//! as after `kill -9`, and the kernel drops its lock. `watch` does not use this: it finishes its pass first.

use super::error::Exit;

/// From here on SIGINT ends the process with 130.
#[allow(unsafe_code)]
pub(crate) fn end_on_interrupt() {
    // SAFETY: `on_interrupt` has the type a handler must have and calls only `_exit`, which is async-signal-safe. Children
    // get the default action back: exec resets caught signals.
    unsafe {
        libc::signal(libc::SIGINT, on_interrupt as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
}

#[allow(unsafe_code)]
extern "C" fn on_interrupt(_signal: libc::c_int) {
    // SAFETY: `_exit` is async-signal-safe and runs no destructors.
    unsafe { libc::_exit(libc::c_int::from(Exit::Interrupted.code())) }
}
