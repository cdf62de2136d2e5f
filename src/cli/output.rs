//! Where answers and messages go: stdout is the answer only, stderr everything else. Never decides what is said.

use std::io::{self, IsTerminal, Write};

use chrono::Utc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::args::{ColorChoice, Globals, LogFormat};
use super::error::{CliError, Exit};
use super::render::{Style, Terminal};
use crate::core::text::printable;

/// The two streams and how they like to be written to.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    /// How the answer is shown.
    pub(crate) look: Terminal,
    /// Whether stderr is coloured.
    pub(crate) color_errors: bool,
    /// Whether stderr is read by a program.
    json_log: bool,
}

impl Streams {
    /// The streams of this process.
    pub(crate) fn new(globals: &Globals) -> Self {
        let tty = io::stdout().is_terminal();
        let width =
            if tty { terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0)) } else { None };
        let color = wants_color(globals.color, tty);
        Self {
            look: Terminal { color, width, tty, now: Utc::now() },
            color_errors: wants_color(globals.color, io::stderr().is_terminal()),
            json_log: globals.log_format == LogFormat::Json,
        }
    }

    /// Writes the answer. A reader that went away is not an error: it has seen what it wanted.
    pub(crate) fn answer(&self, text: &str) -> Result<(), CliError> {
        self.answer_by(|stdout| stdout.write_all(text.as_bytes()))
    }

    /// The same, for an answer that is too long to be held whole.
    pub(crate) fn answer_by(&self, write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        match write(&mut stdout).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::new(Exit::Failure, format!("cannot write the answer to stdout: {error}")))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes more of an answer that goes on; tells whether anybody still reads it. `what` names it where it cannot be written.
    pub(crate) fn go_on(&self, text: &str, what: &str) -> Result<bool, CliError> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(CliError::new(Exit::Failure, format!("cannot write {what} to stdout: {error}"))),
        }
    }

    /// Whether the reader of a pipe is still there; nothing has to be written to find out.
    pub(crate) fn is_read(&self) -> bool {
        let stdout = io::stdout();
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        polled.is_err() || !fds.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
    }

    /// A line that is no answer and no error: `note: …`.
    pub(crate) fn note(&self, text: &str) {
        if self.json_log {
            tracing::warn!(target: "headcount", "{}", printable(text));
        } else {
            let word = Style::Strong.paint("note:", self.color_errors);
            self.stderr(&format!("{word} {}\n", printable(text)));
        }
    }

    /// A picture of a place in a manifest, already safe to show.
    pub(crate) fn picture(&self, text: &str) {
        if self.json_log {
            tracing::warn!(target: "headcount", picture = text, "the manifest has a warning");
        } else {
            self.stderr(text);
            if !text.ends_with('\n') {
                self.stderr("\n");
            }
        }
    }

    /// Says what went wrong.
    pub(crate) fn error(&self, error: &CliError) {
        if self.json_log {
            let hints: Vec<String> = error.hints().collect();
            let picture = error.picture().unwrap_or_default();
            tracing::error!(target: "headcount", exit = error.exit().code(), hint = hints.join("; "), picture, "{}", error.message());
            return;
        }
        let mut text = String::new();
        if let Some(picture) = error.picture() {
            text.push_str(picture.trim_end_matches('\n'));
            text.push_str("\n\n");
        }
        text.push_str(&format!("{} {}\n", Style::Bad.paint("error:", self.color_errors), error.message()));
        for hint in error.hints() {
            text.push_str(&format!("{} {hint}\n", Style::Note.paint("hint:", self.color_errors)));
        }
        self.stderr(&text);
    }

    /// Raw text for people on stderr; its loss is no reason to fail.
    pub(crate) fn stderr(&self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Whether to colour a stream. <https://no-color.org>: any non-empty `NO_COLOR` counts.
fn wants_color(choice: ColorChoice, tty: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => tty && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    }
}
