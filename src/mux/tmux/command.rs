//! One command to a tmux server, and those that it carries out only while a pane is as it was seen: asked and done in one.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::probe::{last_words, why};
use crate::host::{Command, CommandOutput, Host};
use crate::mux::drive::ServerSurroundings;

/// What a guarded command says when it was carried out, and when it was not.
const SAID: [&str; 2] = ["headcount:done", "headcount:not"];

/// What a command is run with beside its words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside<'a> {
    /// What a server is to be in that begins with it.
    pub(super) surroundings: ServerSurroundings<'a>,
    /// Its standard input.
    pub(super) input: &'a [u8],
    /// How long tmux may take.
    pub(super) deadline: Duration,
}

impl Default for Beside<'_> {
    /// Nothing, and long enough for a server that has to begin first.
    fn default() -> Self {
        Self { surroundings: ServerSurroundings::default(), input: &[], deadline: Duration::from_secs(10) }
    }
}

/// Always by `-S` and with `-u`, as when listing.
pub(super) fn run(host: &dyn Host, socket: &Path, words: &[OsString], beside: Beside<'_>) -> Result<CommandOutput, String> {
    let tmux = ["tmux".into(), "-u".into(), "-S".into(), socket.into()];
    let all = beside.surroundings.words(&[]).into_iter().chain(tmux).chain(words.iter().cloned());
    let command = Command::of(all, beside.deadline);
    host.feed(&command, beside.input).map_err(|error| why(&error))
}

/// The format that is true while a pane is that of this process, takes keys, runs this program (as a format takes it), and all of the
/// rest is true.
pub(super) fn condition((server, pid): (u32, u32), runs: &str, rest: impl IntoIterator<Item = String>) -> String {
    let taking = ["pane_dead", "pane_in_mode", "pane_synchronized", "pane_input_off"].map(|it| format!("#{{?{it},0,1}}"));
    let own = [
        format!("#{{==:#{{pid}},{server}}}"),
        format!("#{{==:#{{pane_pid}},{pid}}}"),
        format!("#{{==:#{{pane_current_command}},{runs}}}"),
    ];
    let all = own.into_iter().chain(taking).chain(rest);
    all.reduce(|all, one| format!("#{{&&:{all},{one}}}")).unwrap_or_default()
}

/// The format that is true while a pane shows a text, or does not. The text is one that a format takes as a pattern.
pub(super) fn shows(pattern: &str, is_there: bool) -> String {
    let compare = if is_there { "!=" } else { "==" };
    format!("#{{{compare}:#{{C:{pattern}}},0}}")
}

/// A text as one word of a command that another command of tmux carries out: between single quotes nothing means anything.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A command that does this in a pane while the condition is true, and else that; empty for nothing.
pub(super) fn guarded(pane: &str, condition: &str, act: &str, otherwise: &str) -> [OsString; 7] {
    let say = |what: &str, said: &str| match what {
        "" => format!("display-message -p {said}"),
        _ => format!("{what} ; display-message -p {said}"),
    };
    let [done, not] = SAID;
    ["if-shell", "-F", "-t", pane, condition, &say(act, done), &say(otherwise, not)].map(OsString::from)
}

/// Whether a guarded command was carried out.
///
/// # Errors
/// One line; then nobody knows.
pub(super) fn was_done(output: &CommandOutput) -> Result<bool, String> {
    let said = String::from_utf8_lossy(&output.stdout);
    match SAID.iter().position(|word| said.trim() == *word) {
        Some(which) => Ok(which == 0),
        None => Err(format!("tmux did not say what it did: {}", last_words(output))),
    }
}
