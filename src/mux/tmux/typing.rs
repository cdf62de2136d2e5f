//! Typing into a pane of tmux: looks at it, pastes, presses a key. Guard and effect are one command of the server, and it says which
//! of the two it took.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::address;
use super::probe::last_words;
use crate::core::lead::send::{ComposerPane, TypingPermit};
use crate::core::text::printable;
use crate::host::{Command, CommandOutput, Environ, Host};
use crate::mux::screen::screen;

const DEADLINE: Duration = Duration::from_secs(5);

/// What a look at a pane asks for before its screen; what may hold anything stands last.
const VIEW: &str = "#{pid}|#{pane_pid}|#{?pane_dead,1,0}|#{?pane_in_mode,1,0}|#{?pane_synchronized,1,0}|#{?pane_input_off,1,0}\
    |#{pane_width}|#{pane_height}|#{cursor_x}|#{cursor_y}|#{pane_current_command}";

/// What a guarded command says when it was carried out, and when it was not.
const SAID: [&str; 2] = ["headcount:done", "headcount:not"];

/// Looks at a pane: what it is, and what it shows.
///
/// # Errors
/// One line: it cannot be told.
pub fn view(host: &dyn Host, env: &Environ, server: &str, pane: &str) -> Result<ComposerPane, String> {
    let words = ["display-message", "-p", "-t", pane, VIEW, ";", "capture-pane", "-p", "-e", "-N", "-t", pane];
    let output = run(host, env, server, &words.map(OsString::from), &[])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (first, captured) = text.split_once('\n').ok_or_else(|| format!("tmux shows no pane: {}", last_words(&output)))?;
    let odd = || format!("tmux gave an answer that headcount does not understand: {}", printable(first));
    let fields: Vec<&str> = first.splitn(11, '|').collect();
    let [numbers @ .., runs] = fields.as_slice() else { return Err(odd()) };
    let numbers: Vec<u32> = numbers.iter().map(|it| it.parse()).collect::<Result<_, _>>().map_err(|_| odd())?;
    let [server_pid, pid, is_dead, in_mode, is_synchronized, is_input_off, width, height, x, y] = numbers.as_slice() else {
        return Err(odd());
    };
    let at = |it: &u32| *it as usize;
    Ok(ComposerPane {
        server: *server_pid,
        pid: *pid,
        is_dead: *is_dead == 1,
        in_mode: *in_mode == 1,
        is_synchronized: *is_synchronized == 1,
        is_input_off: *is_input_off == 1,
        runs: (*runs).to_owned(),
        screen: screen(captured, (at(width), at(height)), (at(x), at(y))),
    })
}

/// Pastes a text as one bracketed paste. `false`: the pane was no longer as it was seen, and nothing was pasted.
///
/// # Errors
/// One line; it may have been pasted all the same.
pub fn paste(host: &dyn Host, env: &Environ, permit: &TypingPermit, text: &str) -> Result<bool, String> {
    let buffer = format!("headcount-{}", permit.operation());
    let pane = permit.pane();
    let paste = format!("paste-buffer -p -r -d -b {buffer} -t {pane}");
    let mut words: Vec<OsString> = ["load-buffer", "-b", &buffer, "-", ";"].map(OsString::from).into();
    words.extend(guarded(permit, &[], &paste, &format!("delete-buffer -b {buffer}")));
    told(&run(host, env, permit.server(), &words, text.as_bytes())?)
}

/// Presses a key. `false`: the pane was no longer as it was seen, and nothing was pressed.
///
/// # Errors
/// One line; it may have been pressed all the same.
pub fn press(host: &dyn Host, env: &Environ, permit: &TypingPermit, key: &'static str) -> Result<bool, String> {
    let press = format!("send-keys -t {} {key}", permit.pane());
    told(&run(host, env, permit.server(), &guarded(permit, permit.words(), &press, ""), &[])?)
}

/// A command that is carried out only if the pane is as it was seen, and shows the first of these words and none of the others.
fn guarded(permit: &TypingPermit, words: &[(bool, &'static str)], act: &str, otherwise: &str) -> Vec<OsString> {
    let pane = permit.pane();
    let mut all = vec![
        format!("#{{==:#{{pid}},{}}}", permit.server_pid()),
        format!("#{{==:#{{pane_pid}},{}}}", permit.pid()),
        format!("#{{==:#{{pane_current_command}},{}}}", escaped(permit.runs())),
    ];
    all.extend(["pane_dead", "pane_in_mode", "pane_synchronized", "pane_input_off"].map(|it| format!("#{{?{it},0,1}}")));
    all.extend(words.iter().map(|(is_there, word)| {
        let compare = if *is_there { "!=" } else { "==" };
        format!("#{{{compare}:#{{C:{}}},0}}", escaped(word))
    }));
    let condition = all.into_iter().reduce(|one, other| format!("#{{&&:{one},{other}}}")).unwrap_or_default();
    let say = |what: &str, said: &str| match what {
        "" => format!("display-message -p {said}"),
        _ => format!("{what} ; display-message -p {said}"),
    };
    let [done, not] = SAID;
    ["if-shell", "-F", "-t", pane, &condition, &say(act, done), &say(otherwise, not)].map(OsString::from).into()
}

/// A text inside a format.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|it| ['#'].into_iter().filter(move |_| matches!(it, '#' | ',' | '}')).chain([it])).collect()
}

fn told(output: &CommandOutput) -> Result<bool, String> {
    let said = String::from_utf8_lossy(&output.stdout);
    match SAID.iter().position(|word| said.trim() == *word) {
        Some(which) => Ok(which == 0),
        None => Err(format!("tmux did not say what it did: {}", last_words(output))),
    }
}

fn run(host: &dyn Host, env: &Environ, server: &str, words: &[OsString], input: &[u8]) -> Result<CommandOutput, String> {
    let socket = address::socket(server, env)?;
    let mut args: Vec<OsString> = vec!["-u".into(), "-S".into(), Path::new(&socket).into()];
    args.extend(words.iter().cloned());
    let command = Command { program: "tmux".to_owned(), args, variables: Vec::new(), deadline: DEADLINE };
    host.feed(&command, input).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{cause}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_format_would_obey_is_escaped() {
        assert_eq!(escaped("a,b#{c}"), "a#,b##{c#}");
    }
}
