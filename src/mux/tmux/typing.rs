//! Typing into a pane of tmux: looks at it, pastes, presses a key. Guard and effect are one command of the server, and it says which
//! of the two it took.

use std::ffi::OsString;
use std::time::Duration;

use super::address;
use super::command::{self, Beside, run};
use super::probe::last_words;
use crate::core::lead::send::{ComposerPane, TypingPermit};
use crate::core::text::printable;
use crate::host::{Environ, Host};
use crate::mux::screen::screen;

/// What a look at a pane asks for before its screen; what may hold anything stands last.
const VIEW: &str = "#{pid}|#{pane_pid}|#{?pane_dead,1,0}|#{?pane_in_mode,1,0}|#{?pane_synchronized,1,0}|#{?pane_input_off,1,0}\
    |#{pane_width}|#{pane_height}|#{cursor_x}|#{cursor_y}|#{pane_current_command}";

/// Looks at a pane: what it is, and what it shows.
///
/// # Errors
/// One line: it cannot be told.
pub fn view(host: &dyn Host, env: &Environ, server: &str, pane: &str) -> Result<ComposerPane, String> {
    let words = ["display-message", "-p", "-t", pane, VIEW, ";", "capture-pane", "-p", "-e", "-N", "-t", pane];
    let output = run(host, &address::socket(server, env)?, &words.map(OsString::from), beside())?;
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
    words.extend(command::guarded(pane, &condition(permit, &[]), &paste, &format!("delete-buffer -b {buffer}")));
    let socket = address::socket(permit.server(), env)?;
    command::was_done(&run(host, &socket, &words, Beside { input: text.as_bytes(), ..beside() })?)
}

/// Presses a key. `false`: the pane was no longer as it was seen, and nothing was pressed.
///
/// # Errors
/// One line; it may have been pressed all the same.
pub fn press(host: &dyn Host, env: &Environ, permit: &TypingPermit, key: &'static str) -> Result<bool, String> {
    let press = format!("send-keys -t {} {key}", permit.pane());
    let words = command::guarded(permit.pane(), &condition(permit, permit.words()), &press, "");
    command::was_done(&run(host, &address::socket(permit.server(), env)?, &words, beside())?)
}

/// The format that is true while the pane is as it was seen, and shows the words that it has to and none of the others.
fn condition(permit: &TypingPermit, words: &[(bool, &'static str)]) -> String {
    let texts = words.iter().map(|(is_there, word)| command::shows(&escaped(word), *is_there));
    command::condition((permit.server_pid(), permit.pid()), &escaped(permit.runs()), texts)
}

/// What is typed to runs already.
fn beside() -> Beside<'static> {
    Beside { deadline: Duration::from_secs(5), ..Beside::default() }
}

/// A text inside a format.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|it| ['#'].into_iter().filter(move |_| matches!(it, '#' | ',' | '}')).chain([it])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_format_would_obey_is_escaped() {
        assert_eq!(escaped("a,b#{c}"), "a#,b##{c#}");
    }
}
