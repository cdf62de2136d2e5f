//! smux's tools: tmux-bridge 2.0.0, by which agents read and type into each other's panes, and the scripts of its manager. Owns which of
//! their names is which.

mod context;
mod guard;
mod letters;
mod panes;

use std::ffi::OsString;

use super::FrontEnd;
use crate::cli::args::Globals;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Streams;
use crate::cli::signals;
use crate::core::text::{printable, printable_lines};

/// Reads panes and types into them.
pub(super) const TMUX_BRIDGE: FrontEnd =
    FrontEnd { links: &["tmux-bridge"], also: |_| false, run: |_, arguments| ended(arguments, panes::run) };

/// Makes the runtime directory of a crew.
pub(super) const INIT_RUNTIME: FrontEnd = FrontEnd {
    links: &["init-runtime"],
    also: |name| name == "init-runtime.sh",
    run: |name, arguments| ended(arguments, |words| context::init(name, words)),
};

/// Adds to what was said in a crew.
pub(super) const APPEND_CONTEXT: FrontEnd = FrontEnd {
    links: &["append-context"],
    also: |name| name == "append-context.sh",
    run: |name, arguments| ended(arguments, |words| context::append(name, words)),
};

/// Hands out a task.
pub(super) const SEND_TASK: FrontEnd = FrontEnd {
    links: &["send-task"],
    also: |name| name == "send-task.sh",
    run: |name, arguments| ended(arguments, |words| letters::task(name, words)),
};

/// Replies to the manager.
pub(super) const SEND_REPLY: FrontEnd = FrontEnd {
    links: &["send-reply"],
    also: |name| name == "send-reply.sh",
    run: |name, arguments| ended(arguments, |words| letters::reply(name, words)),
};

/// Looks whether a worker has drifted.
pub(super) const PROBLEMMAP_GUARD: FrontEnd = FrontEnd {
    links: &["problemmap-guard"],
    also: |name| name == "problemmap-guard.py",
    run: |_, arguments| guard::run(arguments),
};

/// How a tool ends that does not do what it was asked.
#[derive(Debug)]
struct Failure {
    /// What is printed all the same, on stdout.
    printed: String,
    /// What is said on stderr, if that is not said by now.
    said: Option<String>,
}

impl Failure {
    /// As tmux-bridge says it.
    fn error(why: impl std::fmt::Display) -> Self {
        Self::told(format!("error: {why}"))
    }

    /// For a reason that has reasons of its own.
    fn caused_by(error: &dyn std::error::Error) -> Self {
        Self::error(CliError::caused_by(Exit::Failure, error).message())
    }

    /// In words of its own.
    fn told(text: impl Into<String>) -> Self {
        Self { printed: String::new(), said: Some(text.into()) }
    }
}

/// Says something on stderr.
fn note(text: &str) {
    let lines: Vec<_> = text.lines().map(|line| printable(line).into_owned()).collect();
    Streams::new(&Globals::guess(&[])).stderr(&(lines.join("\n") + "\n"));
}

/// Runs one of them, and gives its exit code. What it prints stands on lines of its own; nothing is printed for an empty text.
fn ended(arguments: &[OsString], run: impl Fn(&[String]) -> Result<String, Failure>) -> u8 {
    signals::end_on_interrupt();
    let out = Streams::new(&Globals::guess(&[]));
    let words: Result<Vec<String>, _> = arguments.iter().map(|word| word.clone().into_string()).collect();
    let result = words.map_err(|_| Failure::error("an argument is not UTF-8")).and_then(|words| run(&words));
    let (text, failure) = match result {
        Ok(text) => (text, None),
        Err(Failure { printed, said }) => (printed, Some(said)),
    };
    let is_printed = text.is_empty() || out.answer(&printable_lines(&text)).is_ok();
    if let Some(said) = failure.as_ref().and_then(Option::as_deref) {
        note(said);
    }
    u8::from(failure.is_some() || !is_printed)
}
