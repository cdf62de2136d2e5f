//! Where answers and messages go: stdout is the answer only, stderr everything else. Never decides what is said.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Where everything goes instead, for who runs a command inside of this process.
    kept: Option<KeptOutput>,
}

/// What a command said that was run inside of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptOutput(Arc<Mutex<KeptText>>);

/// Its parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptText {
    /// The answer.
    pub(crate) out: String,
    /// Everything else.
    pub(crate) err: String,
    /// What it would have asked a person.
    pub(crate) question: Option<String>,
}

impl KeptOutput {
    /// What was said so far.
    pub(crate) fn held(&self) -> MutexGuard<'_, KeptText> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            kept: None,
        }
    }

    /// The same, but what is said is kept, without colours.
    #[cfg(feature = "ui")]
    pub(crate) fn kept(globals: &Globals, kept: KeptOutput) -> Self {
        let streams = Self::new(globals);
        let look = Terminal { color: false, width: None, tty: false, ..streams.look };
        Self { look, color_errors: false, json_log: false, kept: Some(kept) }
    }

    /// Keeps a question for whoever runs the command. Gives whether somebody does.
    pub(crate) fn keeps(&self, question: &str) -> bool {
        let kept = self.kept.as_ref().map(|kept| kept.held().question = Some(question.to_owned()));
        kept.is_some()
    }

    /// Whether what is said goes to whoever runs the command, and not to the streams of this process.
    pub(crate) const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Writes the answer. A reader that went away is not an error: it has seen what it wanted.
    pub(crate) fn answer(&self, text: &str) -> Result<(), CliError> {
        self.answer_by(|stdout| stdout.write_all(text.as_bytes()))
    }

    /// The same, for an answer that is too long to be held whole.
    pub(crate) fn answer_by(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
        if let Some(kept) = &self.kept {
            let mut bytes = Vec::new();
            let _ = write(&mut bytes);
            kept.held().out.push_str(&String::from_utf8_lossy(&bytes));
            return Ok(());
        }
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
        if self.kept.is_some() {
            return self.answer(text).map(|()| true);
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(CliError::new(Exit::Failure, format!("cannot write {what} to stdout: {error}"))),
        }
    }

    /// Whether the reader of a pipe is still there; nothing has to be written to find out.
    pub(crate) fn is_read(&self) -> bool {
        if self.kept.is_some() {
            return true;
        }
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
        if let Some(kept) = &self.kept {
            kept.held().err.push_str(text);
            return;
        }
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
