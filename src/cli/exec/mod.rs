//! `headcount exec FILE`: what headcount puts into a pane. It begins the agent of one operation, at most once, as a child in the
//! foreground of the pane's own terminal, and writes down how that ended. Knows nothing of sessions, manifests or agents; of a job,
//! `job` does.
//!
//! It is not parsed by clap and has no help: nobody types it.

mod job;
mod signals;

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::Utc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpgrp, kill_process_group, waitid, waitpid};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr, tcsetpgrp};

use super::error::Exit;
use crate::core::text::printable;
use crate::fault;
use crate::host::{Environ, Host as _, LocalHost};
use crate::store::operations::{
    ConversationLock, EndedRecord, LAUNCHER, LaunchSpec, LaunchedRecord, LockError, OperationFiles, TakenLaunch,
};

/// The file to launch, if this is what the command line says.
pub(crate) fn asked(arguments: &[OsString]) -> Option<PathBuf> {
    match arguments {
        [_, verb, file] if verb == LAUNCHER => Some(PathBuf::from(file)),
        _ => None,
    }
}

/// Begins what the file says, and ends with its code.
pub(crate) fn run(path: &Path) -> u8 {
    let Some(files) = OperationFiles::of_launch(path) else {
        say(&format!("headcount: {} is no operation", printable(&path.display().to_string())));
        return Exit::Usage.code();
    };
    let own = LocalHost::new(Environ::default()).own_process();
    let parent = rustix::process::getppid().and_then(|parent| u32::try_from(parent.as_raw_nonzero().get()).ok());
    let own = LaunchedRecord { parent, ..LaunchedRecord::of(own) };
    match files.take(&own) {
        Ok(Some(TakenLaunch { spec })) => {
            let end = match &spec.job {
                Some(directory) => job::run(directory, &spec),
                None => begin(&spec),
            };
            let code = code(&end);
            // Nobody is there to be told, and the code says the same.
            let _ = files.note_end(&end);
            code
        }
        Ok(None) => over(files),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            say(&format!("headcount: {error}{cause}"));
            wait_for_key();
            Exit::Refused.code()
        }
    }
}

/// The code to end with: that of the child, as a shell would give it.
fn code(end: &EndedRecord) -> u8 {
    match (&end.not_begun, end.signal, end.code) {
        (Some(_), ..) => Exit::Refused.code(),
        (None, Some(signal), _) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        (None, None, code) => u8::try_from(code.unwrap_or_default() & 0xff).unwrap_or(u8::MAX),
    }
}

/// Says what this was, and starts nothing: the operation was begun before, or is closed.
fn over(files: OperationFiles) -> u8 {
    // Nobody reads on in a pane whose start was called off.
    if files.launched().is_some_and(|record| record.pid.is_none()) {
        say("headcount: the start of this pane was called off.");
        return Exit::Refused.code();
    }
    let end = files.ended();
    let how = match end.as_ref().map(|end| (&end.not_begun, end.signal, end.code)) {
        Some((None, Some(signal), _)) => format!("signal {signal} ended it"),
        Some((None, None, Some(code))) => format!("it ended with exit code {code}"),
        Some(_) => "it was never begun".to_owned(),
        None => "it has been begun already, or is over".to_owned(),
    };
    match files.past() {
        Some(past) => {
            let (name, id) = (printable(&past.operation.session.name).into_owned(), past.operation.id);
            say(&format!("headcount: this was operation {id}, a start of session {name}; {how}."));
            say(&format!("`headcount start {name}` starts it again. Press a key to close this pane."));
        }
        None => say(&format!("headcount: the operation of this pane is gone; {how}. Press a key to close this pane.")),
    }
    wait_for_key();
    Exit::Refused.code()
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn wait_for_key() {
    let stdin = io::stdin();
    let Ok(before) = tcgetattr(stdin.as_fd()) else { return };
    let mut plain = before.clone();
    plain.local_modes.remove(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO);
    let _ = tcsetattr(stdin.as_fd(), OptionalActions::Now, &plain);
    let _ = stdin.lock().read(&mut [0; 1]);
    let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &before);
}

/// Runs the child to its end.
fn begin(spec: &LaunchSpec) -> EndedRecord {
    let not_begun = |why: String| {
        say(&format!("headcount: {}", printable(&why)));
        ended(End::default(), Some(why))
    };
    let mut command = match command(&spec.argv, &spec.cwd, spec) {
        Ok(command) => command,
        Err(why) => return not_begun(why),
    };
    signals::take_foreground(&mut command);
    let _lock = match &spec.conversation {
        None => None,
        Some(conversation) => match lock(&command, conversation) {
            Ok(lock) => Some(lock),
            Err(LockError::Taken) => return not_begun(EndedRecord::CLAIMED.to_owned()),
            Err(error) => return not_begun(format!("{error}")),
        },
    };
    let terminal = tcgetattr(io::stdin().as_fd()).ok();
    signals::block();
    let child = match fault::around("begin the agent", || command.spawn()) {
        Ok(child) => child,
        Err(error) => return not_begun(format!("cannot start {}: {error}", spec.argv.first().map_or("", String::as_str))),
    };
    let end = match i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        Some(pid) => fault::around("attend the agent", || attend(pid)),
        None => End::default(),
    };
    fault::around("restore the terminal", || restore(terminal.as_ref()));
    ended(end, None)
}

/// How a child ended, and what told us before.
#[derive(Default)]
struct End {
    code: Option<i32>,
    signal: Option<i32>,
    told: Option<i32>,
}

/// The record of an end that happens now.
fn ended(end: End, not_begun: Option<String>) -> EndedRecord {
    let since_boot =
        LocalHost::new(Environ::default()).boot().into_seen().map(|boot| (Utc::now() - boot.at).num_milliseconds());
    let End { code, signal, told } = end;
    EndedRecord { at: Utc::now(), code, signal, told, since_boot, not_begun }
}

/// The lock lies in the HOME that the agent gets, wherever that comes from.
fn lock(command: &Command, conversation: &str) -> Result<ConversationLock, LockError> {
    let home = match command.get_envs().find(|(name, _)| *name == "HOME") {
        Some((_, home)) => home.map(PathBuf::from),
        None => std::env::var_os("HOME").map(PathBuf::from),
    };
    ConversationLock::take(&home.unwrap_or_else(|| PathBuf::from("/")), conversation)
}

fn command(argv: &[String], cwd: &Path, spec: &LaunchSpec) -> Result<Command, String> {
    let [program, args @ ..] = argv else { return Err("there is no program to start".to_owned()) };
    if !cwd.is_dir() {
        return Err(format!("{} is no directory", cwd.display()));
    }
    let mut command = Command::new(program);
    command.args(args).current_dir(cwd).process_group(0);
    for name in &spec.unset {
        command.env_remove(name);
    }
    // A shell would have said the same; programs ask it for the way they came.
    command.env("PWD", cwd).envs(spec.set.iter().map(|(name, value)| (name, value)));
    for (name, path) in &spec.files {
        let unreadable = |error: io::Error| format!("cannot read {}: {error}", path.display());
        // A pipe would be waited for.
        if !path.metadata().map_err(unreadable)?.is_file() {
            return Err(format!("{} is no regular file", path.display()));
        }
        let value = std::fs::read_to_string(path).map_err(unreadable)?;
        command.env(name, value.trim_end_matches(['\r', '\n']));
    }
    Ok(command)
}

/// Waits for the child, and passes on what is sent to us.
fn attend(child: Pid) -> End {
    let mut told = None;
    let mut note = |signal: Signal| {
        if matches!(signal, Signal::HUP | Signal::TERM) {
            told.get_or_insert(signal.as_raw());
        }
    };
    loop {
        hang_up_rest(child);
        // Asked before waiting: a child may have ended before anybody waited for it.
        match waitpid(Some(child), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => {
                // Nobody is here who could ever continue it.
                let _ = tcsetpgrp(io::stdin().as_fd(), child);
                let _ = kill_process_group(child, Signal::CONT);
            }
            Ok(Some((_, status))) => {
                // Who closes a terminal tells the child as well, which may have ended first.
                signals::pending().or_else(hung_up).into_iter().for_each(note);
                return End { code: status.exit_status(), signal: status.terminating_signal(), told };
            }
            Ok(None) => {
                if let Some(signal) = signals::next() {
                    note(signal);
                    let _ = kill_process_group(child, signal);
                    // One that has just stopped itself would not hear it.
                    let _ = kill_process_group(child, Signal::CONT);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return End { told, ..End::default() },
        }
    }
}

/// Tells what a child that a signal has ended leaves in its process group that the terminal is gone: if the child only attended an agent,
/// that is the agent. What one leaves that has ended by itself is its own affair.
fn hang_up_rest(child: Pid) {
    // Its number is nobody else's as long as it is only looked at.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if let Ok(Some(end)) = waitid(WaitId::Pid(child), look)
        && end.terminating_signal().is_some()
    {
        let _ = kill_process_group(child, Signal::HUP);
        let _ = kill_process_group(child, Signal::CONT);
    }
}

/// A terminal whose other end is closed reads as ended before anybody is told that by a signal.
fn hung_up() -> Option<Signal> {
    let stdin = io::stdin();
    let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
    let is_asked = isatty(&stdin) && poll(&mut asked, Some(&Timespec::default())).is_ok();
    (is_asked && asked[0].revents().contains(PollFlags::HUP)).then_some(Signal::HUP)
}

/// Takes the terminal back as it was.
fn restore(terminal: Option<&Termios>) {
    let stdin = io::stdin();
    let _ = tcsetpgrp(stdin.as_fd(), getpgrp());
    if let Some(terminal) = terminal {
        let _ = tcsetattr(stdin.as_fd(), OptionalActions::Now, terminal);
    }
}
