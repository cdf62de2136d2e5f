//! Everything that changes the world outside headcount's own files: a pane is made, a process is asked to end. The only part that
//! reaches the writing side of a multiplexer, and nothing here does so without a permit.

use std::ffi::OsString;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal, test_kill_process_group};

use crate::control::observe::Observer;
use crate::core::lead::{DialogKey, Permit, Placed};
use crate::core::observe::Process;
use crate::fault;
use crate::mux::tmux::drive::{self, PaneCommand};
pub(super) use crate::mux::tmux::drive::{KeyGuard, PaneView};
use crate::store::operations::LAUNCHER;

/// Makes a pane that begins the launcher.
///
/// # Errors
/// One line; it may be there all the same.
pub(super) fn place(
    world: &Observer,
    permit: &Permit,
    (launcher, launch): (&Path, &Path),
    cwd: &Path,
    withheld: &[String],
) -> Result<Placed, String> {
    let words: Vec<OsString> = [launcher.as_os_str(), LAUNCHER.as_ref(), launch.as_os_str()].map(OsString::from).into();
    let command = PaneCommand { words: &words, cwd, withheld };
    fault::around("make the pane", || drive::place(world.host.as_ref(), &world.env, permit, &command))
}

/// Gives a session another name.
///
/// # Errors
/// One line; it may have that name all the same.
pub(super) fn rename(world: &Observer, permit: &Permit, name: &str) -> Result<(), String> {
    fault::around("rename the session", || drive::rename(world.host.as_ref(), &world.env, permit, name))
}

/// Makes sure that a named server has a directory for its socket: the lock of a session lies there.
///
/// # Errors
/// One line.
pub(super) fn prepare(world: &Observer, server: &str) -> Result<(), String> {
    fault::around("make the server's directory", || drive::prepare(&world.env, server))
}

/// What a pane shows.
pub(super) fn view(world: &Observer, server: &str, placed: &Placed) -> Option<PaneView> {
    fault::around("read the screen", || drive::view(world.host.as_ref(), &world.env, server, placed))
}

/// Presses a key that answers a dialog of a start, if the pane is in that moment as the guard says. Gives whether it was pressed.
///
/// # Errors
/// One line; then nobody knows.
pub(super) fn press(
    world: &Observer,
    permit: &Permit,
    placed: &Placed,
    guard: &KeyGuard<'_>,
    key: DialogKey,
) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation().id.as_str(), ?key, shows = ?guard.shows, "answering a dialog");
    fault::around("press a key", || drive::press(world.host.as_ref(), &world.env, (permit, placed), guard, key))
}

/// The value of a variable that new panes of a server get.
pub(super) fn variable(world: &Observer, server: &str, name: &str) -> Option<String> {
    fault::around("read a variable", || drive::variable(world.host.as_ref(), &world.env, server, name))
}

/// When somebody last did something at each terminal that shows a session, in seconds since 1970.
pub(super) fn watched_at(world: &Observer, server: &str, session: &str) -> Option<Vec<i64>> {
    fault::around("list the clients", || drive::watched_at(world.host.as_ref(), &world.env, server, session))
}

/// When somebody last did something in a session, in seconds since 1970: now, if somebody is attached.
pub(super) fn used_at(world: &Observer, server: &str, session: &str) -> Option<i64> {
    let seen = fault::around("look at its use", || drive::used_at(world.host.as_ref(), &world.env, server, session));
    let (is_attached, at) = seen?;
    Some(if is_attached { world.host.now().timestamp() } else { at })
}

/// How far a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It may put its things in order first.
    Asked,
    /// At once.
    Killed,
}

/// Whether nothing is left of a process, or of the group that it led.
pub(super) fn is_gone(world: &Observer, (process, is_group): (Process, bool)) -> bool {
    let is_it = world.host.stat(process.pid).seen().is_some_and(|now| Process::from(now) == process);
    let group = i32::try_from(process.pid).ok().and_then(Pid::from_raw).filter(|_| is_group);
    !is_it && group.is_none_or(|group| test_kill_process_group(group).is_err())
}

/// Sends a process the signal to end. A stopped one is continued, or it would not hear it. `false`: it is gone already.
///
/// # Errors
/// The system does not let us.
pub(super) fn end(
    world: &Observer,
    permit: &Permit,
    (process, is_group): (Process, bool),
    how: Ending,
) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation().id.as_str(), pid = process.pid, ?how, "ending a process");
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(handle) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return Ok(false) };
    // Asked only now: the handle is on one process for good.
    let is_it = world.host.stat(process.pid).seen().is_some_and(|now| Process::from(now) == process);
    if !is_it {
        return Ok(false);
    }
    let signal = match how {
        Ending::Asked => Signal::TERM,
        Ending::Killed => Signal::KILL,
    };
    // As long as its first process is there, its group is nobody else's.
    let group = pid.filter(|_| is_group && world.host.group(process.pid) == Some(process.pid));
    let send = |signal| {
        fault::around("signal the agent", || match group {
            Some(group) => kill_process_group(group, signal),
            None => pidfd_send_signal(&handle, signal),
        })
    };
    match send(signal) {
        Ok(()) => {
            let _ = send(Signal::CONT);
            Ok(true)
        }
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(format!("cannot signal process {}: {error}", process.pid)),
    }
}
