//! The calls about signals that have no safe form. Sends none.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::Signal;

/// What is waited for instead of being delivered. HUP, TERM and CONT are passed on; the child has the terminal, so what its
/// keys send goes there, and what reaches us of it is nothing.
const BLOCKED: [libc::c_int; 9] = [
    libc::SIGHUP,
    libc::SIGTERM,
    libc::SIGCONT,
    libc::SIGCHLD,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

#[allow(unsafe_code)]
fn blocked() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` makes the set before anything reads it, and the numbers are signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in BLOCKED {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// From here on signals wait until they are asked for.
#[allow(unsafe_code)]
pub(super) fn block() {
    let set = blocked();
    // SAFETY: the set outlives the call.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Waits for the next signal; `Some`: it is to be passed on.
#[allow(unsafe_code)]
pub(super) fn next() -> Option<Signal> {
    match wait()? {
        libc::SIGHUP => Some(Signal::HUP),
        libc::SIGTERM => Some(Signal::TERM),
        libc::SIGCONT => Some(Signal::CONT),
        _ => None,
    }
}

/// Waits for the next signal, whatever it is.
#[allow(unsafe_code)]
pub(super) fn wait() -> Option<libc::c_int> {
    let (set, mut signal) = (blocked(), 0);
    // SAFETY: both outlive the call.
    let failed = unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0;
    (!failed).then_some(signal)
}

/// The child gets the signal mask that a shell would give.
#[allow(unsafe_code)]
pub(super) fn unblock(command: &mut Command) {
    // SAFETY: the closure runs in the child between fork and exec, and makes only async-signal-safe calls.
    unsafe {
        command.pre_exec(|| {
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            if libc::sigemptyset(none.as_mut_ptr()) == 0 {
                libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
            }
            Ok(())
        });
    }
}

/// The child writes its id down before it becomes the agent, so that it is known whoever is killed meanwhile.
#[allow(unsafe_code)]
pub(super) fn note_itself(command: &mut Command, file: std::os::fd::OwnedFd) {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the closure runs in the child between fork and exec, allocates nothing, and makes only async-signal-safe calls. It owns
    // the descriptor that it writes to.
    unsafe {
        command.pre_exec(move || {
            let (mut digits, mut at, mut rest) = ([b'\n'; 12], 11_usize, libc::getpid());
            while rest > 0 && at > 0 {
                at -= 1;
                digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
            if libc::write(file.as_raw_fd(), digits[at..].as_ptr().cast(), 12 - at) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// What waits to be asked for and tells us to end.
#[allow(unsafe_code)]
pub(super) fn pending() -> Option<Signal> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    let is_in = |set: &libc::sigset_t, signal| {
        // SAFETY: the set is made, and the number is a signal.
        unsafe { libc::sigismember(set, signal) == 1 }
    };
    // SAFETY: `sigpending` makes the set, and it is read only if that worked.
    let set = unsafe { (libc::sigpending(set.as_mut_ptr()) == 0).then(|| set.assume_init()) }?;
    [(libc::SIGHUP, Signal::HUP), (libc::SIGTERM, Signal::TERM)].into_iter().find(|(raw, _)| is_in(&set, *raw)).map(|it| it.1)
}

/// The child makes itself the foreground of its terminal before it becomes the agent, so that nothing can be typed past it.
#[allow(unsafe_code)]
pub(super) fn take_foreground(command: &mut Command) {
    // SAFETY: the closure runs in the child between fork and exec, and makes only async-signal-safe calls. It is in the process
    // group of its own by then. Who is not in the foreground is stopped for asking, unless SIGTTOU is ignored.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGTTOU, libc::SIG_IGN);
            let is_taken = libc::tcsetpgrp(libc::STDIN_FILENO, libc::getpid()) == 0;
            let why = if is_taken { None } else { io::Error::last_os_error().raw_os_error() };
            libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            if libc::sigemptyset(none.as_mut_ptr()) == 0 {
                libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
            }
            // Where there is no terminal nothing has its foreground.
            match why {
                None | Some(libc::ENOTTY) => Ok(()),
                Some(why) => Err(io::Error::from_raw_os_error(why)),
            }
        });
    }
}
