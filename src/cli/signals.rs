//! What signals do to this process: Ctrl-C during a command that makes one pass, and what whoever started us left behind. Owns the
//! exit code 130; never runs anything that could block.
//!
//! At an interrupt the process ends at once, wherever it is: a pass that is cut short leaves the old manifest or the new one,
//! whole, exactly as after `kill -9`, and the kernel drops its lock. `watch` does not use this: it finishes its pass first.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Exit;

/// Whether somebody else in this process answers to SIGINT.
static IS_KEPT: AtomicBool = AtomicBool::new(false);

/// From here on nothing here takes SIGINT from whoever answers to it.
#[cfg(feature = "ui")]
pub(crate) fn keep() {
    IS_KEPT.store(true, Ordering::Relaxed);
}

/// From here on SIGINT ends the process with 130.
#[allow(unsafe_code)]
pub(crate) fn end_on_interrupt() {
    if IS_KEPT.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: `on_interrupt` has the type a handler must have and calls only `_exit`, which is async-signal-safe. Children
    // get the default action back: exec resets caught signals.
    unsafe {
        libc::signal(libc::SIGINT, on_interrupt as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
}

/// Takes that back, for what ends in its own time: a handler that is set later would end the process at once all the same,
/// because it calls the one before it.
#[allow(unsafe_code)]
pub(crate) fn default_on_interrupt() {
    // SAFETY: the call takes integers.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
    }
}

#[allow(unsafe_code)]
extern "C" fn on_interrupt(_signal: libc::c_int) {
    // SAFETY: `_exit` is async-signal-safe and runs no destructors.
    unsafe { libc::_exit(libc::c_int::from(Exit::Interrupted.code())) }
}

/// Ends the process with 0 after so many seconds, wherever it is then: for what an agent waits for.
#[allow(unsafe_code)]
pub(crate) fn end_well_after(seconds: u32) {
    // SAFETY: `on_alarm` has the type a handler must have and calls only `_exit`; the other call takes an integer.
    unsafe {
        libc::signal(libc::SIGALRM, on_alarm as extern "C" fn(libc::c_int) as libc::sighandler_t);
        libc::alarm(seconds);
    }
}

#[allow(unsafe_code)]
extern "C" fn on_alarm(_signal: libc::c_int) {
    // SAFETY: `_exit` is async-signal-safe and runs no destructors.
    unsafe { libc::_exit(0) }
}

/// Undoes what a parent may have set and `exec` kept: with SIGCHLD ignored nobody hears how a child ended, and what is blocked
/// never comes. From here on a file that may not grow (`ulimit -f`) is an error that is told, not the end.
///
/// To be called before there is any thread.
#[allow(unsafe_code)]
pub(crate) fn disinherit() {
    // SAFETY: the calls take integers, a handler of the type it must have that does nothing, and a set that `sigemptyset` has
    // made and that outlives the call. Children get the default actions back: exec resets caught signals.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::signal(libc::SIGXFSZ, on_limit as extern "C" fn(libc::c_int) as libc::sighandler_t);
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        if libc::sigemptyset(none.as_mut_ptr()) == 0 {
            libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        }
    }
}

extern "C" fn on_limit(_signal: libc::c_int) {}
