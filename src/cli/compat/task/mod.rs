//! The tools by which agents and people work together across zellij sessions, each session on a task. Owns which of their names is which.

mod context;
mod hosts;
mod json;
mod message;
mod start;
mod target;
mod work;

use std::ffi::OsString;

use clap::{ArgMatches, Command};

use super::FrontEnd;
use crate::cli::args::Globals;
use crate::cli::output::Streams;

/// What another task's session is, and what was said there.
pub(super) const CONTEXT: FrontEnd =
    FrontEnd { links: &["get-cross-session-context"], also: |_| false, run: |_, rest| context::run(rest) };

/// Says something to the agent of another task's session.
pub(super) const MESSAGE: FrontEnd =
    FrontEnd { links: &["send-zellij-message"], also: |_| false, run: |_, rest| message::run(rest) };

/// Begins a session for a task.
pub(super) const START: FrontEnd =
    FrontEnd { links: &["start-zellij-session-for-task"], also: |_| false, run: |_, rest| start::run(rest) };

/// Opens a session in this terminal, here or on another host.
pub(super) const WORK: FrontEnd = FrontEnd { links: &work::NAMES, also: work::is_it, run: work::run };

/// The arguments of one of them, or the exit code where it was help or a mistake.
fn parsed(command: Command, rest: &[OsString]) -> Result<ArgMatches, u8> {
    let name = OsString::from(command.get_name().to_owned());
    let words = std::iter::once(&name).chain(rest);
    command.no_binary_name(false).try_get_matches_from(words).map_err(|error| {
        let out = Streams::new(&Globals::guess(&[]));
        if error.use_stderr() {
            out.stderr(&error.render().to_string());
            return 2;
        }
        u8::from(out.answer(&error.render().to_string()).is_err())
    })
}
