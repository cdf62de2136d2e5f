//! Everything that changes the world outside headcount's own files: a pane is made, a process is asked to end. The only part that
//! reaches the writing side of a multiplexer, and nothing here does so without a permit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal, test_kill_process_group};

use crate::control::job_agent::AgentGroup;
use crate::control::observe::Observer;
use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::lead::send::{ComposerPane, PaneAddress, TypingPermit};
use crate::core::lead::{OperationId, PaneKey, Permit, Placed, Target, TypedKey};
use crate::core::observe::Process;
use crate::fault;
use crate::host::service;
pub(super) use crate::mux::drive::{KeyGuard, PaneView};
use crate::mux::drive::{MuxDrive, MuxPlace, PaneCommand, ServerSurroundings};
use crate::mux::typing::MuxTyping;
use crate::mux::{tmux, zellij};
use crate::store::operations::LAUNCHER;

/// The writing side of a multiplexer.
fn drive(kind: MuxKind) -> &'static dyn MuxDrive {
    match kind {
        MuxKind::Tmux => &tmux::drive::TmuxDrive,
        MuxKind::Zellij => &zellij::drive::ZellijDrive,
    }
}

/// How a multiplexer is typed into.
fn typing(pane: &PaneAddress) -> &'static dyn MuxTyping {
    match pane.session.mux {
        MuxKind::Tmux => &tmux::typing::TmuxTyping,
        MuxKind::Zellij => &zellij::drive::ZellijTyping,
    }
}

fn here(world: &Observer) -> MuxPlace<'_> {
    (world.host.as_ref(), &world.env)
}

fn of(permit: &Permit) -> &'static dyn MuxDrive {
    drive(permit.operation().session.mux)
}

/// What a pane is made for.
pub(super) struct PaneRequest<'a> {
    /// The program that is the launcher.
    pub(super) launcher: &'a Path,
    /// The file that it is given.
    pub(super) launch: &'a Path,
    /// The directory that panes opened beside it begin in.
    pub(super) cwd: &'a Path,
    /// Variables that a server which begins with it must not get.
    pub(super) withheld: &'a [String],
    /// The pane of the last start, if there was one.
    pub(super) last: Option<&'a Placed>,
}

/// Makes a pane that begins the launcher.
///
/// # Errors
/// One line; it may be there all the same.
pub(super) fn place(world: &Observer, permit: &Permit, request: &PaneRequest<'_>) -> Result<Placed, String> {
    let words = [request.launcher.as_os_str(), LAUNCHER.as_ref(), request.launch.as_os_str()];
    let words: Vec<OsString> = words.map(OsString::from).into();
    let path = world.terminal_path.borrowed();
    let is_scoped = permit.action().target == Target::NewSession && service::is_in_service(&world.env);
    let surroundings = ServerSurroundings { withheld: request.withheld, path: path.as_deref(), is_scoped };
    let command = PaneCommand { words: &words, cwd: request.cwd, surroundings, last: request.last };
    let placed = fault::around("make the pane", || of(permit).place(here(world), permit, &command))?;
    if let Err(error) = world.terminal_path.keep(world.env.get("PATH")) {
        tracing::warn!(%error, "the PATH of this terminal could not be kept for servers that a service begins");
    }
    Ok(placed)
}

/// Names the tab of a pane that was just made, in a multiplexer with tabs.
///
/// # Errors
/// One line: it has another name.
pub(super) fn name_tab(world: &Observer, permit: &Permit, placed: &Placed, name: &str) -> Result<(), String> {
    fault::around("name the tab", || of(permit).name_tab(here(world), permit, placed, name))
}

/// Gives a session another name.
///
/// # Errors
/// One line; it may have that name all the same.
pub(super) fn rename(world: &Observer, permit: &Permit, name: &str) -> Result<(), String> {
    fault::around("rename the session", || of(permit).rename(here(world), permit, name))
}

/// Whether a server began with this name and has another by now, so that nobody else can have it.
pub(super) fn is_former(world: &Observer, key: &SessionKey) -> bool {
    fault::around("look for a former name", || drive(key.mux).is_former(here(world), key))
}

/// Takes away a pane whose agent has ended, and its session if we made that and nothing else is in it; where `is_spared`, only if
/// nobody is attached to it.
///
/// # Errors
/// One line: it was left as it is.
pub(super) fn tidy(world: &Observer, permit: &Permit, placed: &Placed, is_spared: bool) -> Result<(), String> {
    fault::around("close the pane", || of(permit).tidy(here(world), permit, placed, is_spared))
}

/// Closes a session by the multiplexer's id of it, whatever is in it. Whether that came about is for whoever wants to know to see.
///
/// # Errors
/// One line.
pub(super) fn close(world: &Observer, permit: &Permit, (session, server): (&str, u32)) -> Result<(), String> {
    fault::around("close the session", || of(permit).close(here(world), permit, (session, server)))
}

/// Takes away what a start left that was called off before anything began.
///
/// # Errors
/// One line: something was left.
pub(super) fn abandon(world: &Observer, permit: &Permit) -> Result<(), String> {
    fault::around("take away what was left", || of(permit).abandon(here(world), permit))
}

/// Whether the multiplexer keeps an ended session of this name, which it would begin again.
pub(super) fn is_kept(world: &Observer, key: &SessionKey) -> bool {
    fault::around("look for an ended session", || drive(key.mux).is_kept(&world.env, key))
}

/// The operation that made the server of a session, as that says itself.
pub(super) fn maker(world: &Observer, key: &SessionKey, server: u32) -> Option<OperationId> {
    fault::around("ask who made the server", || drive(key.mux).maker(here(world), key, server))
}

/// Why headcount does not work with the program of a multiplexer.
pub(super) fn unfit(world: &Observer, mux: MuxKind) -> Option<String> {
    fault::around("ask its version", || drive(mux).unfit(world.host.as_ref()))
}

/// Why there can be no session of this name.
pub(super) fn refusal(world: &Observer, key: &SessionKey) -> Option<String> {
    fault::around("look at its name", || drive(key.mux).refusal(&world.env, key))
}

/// The socket beside which the lock of a session lies, whose directory is made if it is not there.
///
/// # Errors
/// One line.
pub(super) fn prepare(world: &Observer, key: &SessionKey) -> Result<PathBuf, String> {
    fault::around("make the server's directory", || {
        let drive = drive(key.mux);
        drive.prepare(&world.env, &key.server)?;
        drive.socket(&world.env, key)
    })
}

/// What a pane shows.
pub(super) fn view(world: &Observer, key: &ServerKey, placed: &Placed) -> Option<PaneView> {
    fault::around("read the screen", || drive(key.mux).view(here(world), &key.server, placed))
}

/// Presses keys, if the pane is in that moment as the guard says. Gives whether they were pressed.
///
/// # Errors
/// One line; then nobody knows.
pub(super) fn press(
    world: &Observer,
    permit: &Permit,
    placed: &Placed,
    guard: &KeyGuard<'_>,
    keys: &[PaneKey],
) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation().id.as_str(), ?keys, shows = ?guard.shows, "pressing keys");
    fault::around("press a key", || of(permit).press(here(world), (permit, placed), guard, keys))
}

/// The value of a variable that new panes get from the server with this process.
pub(super) fn variable(world: &Observer, (key, server): (&SessionKey, u32), name: &str) -> Option<OsString> {
    fault::around("read a variable", || drive(key.mux).variable(here(world), (&key.server, server), name))
}

/// When somebody last did something at each terminal that shows a session, in seconds since 1970.
pub(super) fn watched_at(world: &Observer, key: &SessionKey, session: &str) -> Option<Vec<i64>> {
    fault::around("list the clients", || drive(key.mux).watched_at(here(world), &key.server, session))
}

/// When somebody last did something in a session, in seconds since 1970: now, if somebody is attached.
pub(super) fn used_at(world: &Observer, key: &SessionKey, session: &str) -> Option<i64> {
    let seen = fault::around("look at its use", || drive(key.mux).used_at(here(world), &key.server, session));
    let (is_attached, at) = seen?;
    Some(if is_attached { world.host.now().timestamp() } else { at })
}

/// What a pane is, and what it shows.
///
/// # Errors
/// One line.
pub(super) fn composer_pane(world: &Observer, pane: &PaneAddress) -> Result<ComposerPane, String> {
    fault::around("look at a composer", || typing(pane).view(here(world), pane))
}

/// Pastes a text. `false`: the pane was no longer as it was seen, and nothing was pasted.
///
/// # Errors
/// One line; it may have been pasted all the same.
pub(super) fn paste(world: &Observer, permit: &TypingPermit, text: &str) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation(), pane = permit.pane().id, bytes = text.len(), "pasting");
    fault::around("paste", || typing(permit.pane()).paste(here(world), permit, text))
}

/// Presses a key. `false`: the pane was no longer as it was seen, and nothing was pressed.
///
/// # Errors
/// One line; it may have been pressed all the same.
pub(super) fn press_behind(world: &Observer, permit: &TypingPermit, key: TypedKey) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation(), pane = permit.pane().id, ?key, "pressing a key");
    fault::around("press a key behind a text", || typing(permit.pane()).press(here(world), permit, key))
}

/// Types the letters of a text. `false`: the pane was no longer as it was seen, and nothing was typed.
///
/// # Errors
/// One line; it may have been typed all the same.
pub(super) fn type_letters(world: &Observer, permit: &TypingPermit, text: &str) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation(), pane = permit.pane().id, bytes = text.len(), "typing");
    fault::around("type letters", || typing(permit.pane()).type_letters(here(world), permit, text))
}

/// Presses keys by their names. `false`: the pane was no longer as it was seen, and nothing was pressed.
///
/// # Errors
/// One line; they may have been pressed all the same.
pub(super) fn press_all(world: &Observer, permit: &TypingPermit, keys: &[String]) -> Result<bool, String> {
    tracing::debug!(operation = permit.operation(), pane = permit.pane().id, ?keys, "pressing keys");
    fault::around("press keys by name", || typing(permit.pane()).press_all(here(world), permit, keys))
}

/// Gives a pane a label. `false`: the pane is another one by now.
///
/// # Errors
/// One line; it may have it all the same.
pub(super) fn label(world: &Observer, pane: &PaneAddress, text: &str) -> Result<bool, String> {
    tracing::debug!(pane = pane.id, "labelling");
    fault::around("label a pane", || typing(pane).label(here(world), pane, text))
}

/// How far a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It may put its things in order first: by this signal.
    Asked(Signal),
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
        Ending::Asked(signal) => signal,
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

/// Tells what is left of a job's agent to end.
pub(super) fn end_group(_: &Observer, permit: &Permit, group: &AgentGroup, how: Ending) {
    tracing::debug!(operation = permit.operation().id.as_str(), ?group, ?how, "ending what a job left");
    let signal = match how {
        Ending::Asked(signal) => signal,
        Ending::Killed => Signal::KILL,
    };
    fault::around("signal the agent of a job", || group.signal(signal));
}
