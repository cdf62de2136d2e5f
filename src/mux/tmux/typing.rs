//! Typing into a pane of tmux. Guard and effect are one command of the server, and it says which of the two it took.

use std::ffi::OsString;
use std::time::Duration;

use super::address;
use super::command::{self, Beside, quoted, run};
use super::probe::last_words;
use crate::core::lead::TypedKey;
use crate::core::lead::send::{ComposerPane, PaneAddress, TypingPermit};
use crate::core::text::printable;
use crate::mux::drive::MuxPlace;
use crate::mux::screen::screen;
use crate::mux::typing::MuxTyping;

/// What a look at a pane asks for before its screen; what may hold anything stands last.
const VIEW: &str = "#{pid}|#{pane_pid}|#{?pane_dead,1,0}|#{?pane_in_mode,1,0}|#{?pane_synchronized,1,0}|#{?pane_input_off,1,0}\
    |#{pane_width}|#{pane_height}|#{cursor_x}|#{cursor_y}|#{pane_current_command}";

/// Typing into panes of tmux.
#[derive(Debug, Clone, Copy)]
pub struct TmuxTyping;

impl MuxTyping for TmuxTyping {
    fn view(&self, (host, env): MuxPlace<'_>, pane: &PaneAddress) -> Result<ComposerPane, String> {
        let id = pane.id.as_str();
        let words = ["display-message", "-p", "-t", id, VIEW, ";", "capture-pane", "-p", "-e", "-N", "-t", id];
        let socket = address::socket(&pane.session.server, env)?;
        let output = run(host, &socket, &words.map(OsString::from), beside())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (first, captured) = text.split_once('\n').ok_or_else(|| format!("tmux shows no pane: {}", last_words(&output)))?;
        let odd = || format!("tmux gave an answer that headcount does not understand: {}", printable(first));
        let fields: Vec<&str> = first.splitn(11, '|').collect();
        let [numbers @ .., runs] = fields.as_slice() else { return Err(odd()) };
        let numbers: Vec<u32> = numbers.iter().map(|it| it.parse()).collect::<Result<_, _>>().map_err(|_| odd())?;
        let [server, pid, is_dead, in_mode, is_synchronized, is_input_off, width, height, x, y] = numbers.as_slice() else {
            return Err(odd());
        };
        let at = |it: &u32| *it as usize;
        Ok(ComposerPane {
            server: *server,
            pid: *pid,
            is_dead: *is_dead == 1,
            in_mode: *in_mode == 1,
            is_synchronized: *is_synchronized == 1,
            is_input_off: *is_input_off == 1,
            runs: (*runs).to_owned(),
            screen: screen(captured, (at(width), at(height)), Some((at(x), at(y)))),
        })
    }

    fn paste(&self, (host, env): MuxPlace<'_>, permit: &TypingPermit, text: &str) -> Result<bool, String> {
        let buffer = format!("headcount-{}", permit.operation());
        let pane = &permit.pane().id;
        let paste = format!("paste-buffer -p -r -d -b {buffer} -t {pane}");
        let mut words: Vec<OsString> = ["load-buffer", "-b", &buffer, "-", ";"].map(OsString::from).into();
        words.extend(command::guarded(pane, &condition(permit, &[]), &paste, &format!("delete-buffer -b {buffer}")));
        let socket = address::socket(&permit.pane().session.server, env)?;
        command::was_done(&run(host, &socket, &words, Beside { input: text.as_bytes(), ..beside() })?)
    }

    fn press(&self, place: MuxPlace<'_>, permit: &TypingPermit, key: TypedKey) -> Result<bool, String> {
        let pane = &permit.pane().id;
        guarded(place, permit, &format!("send-keys -t {pane} {}", key.name()))
    }

    fn type_letters(&self, place: MuxPlace<'_>, permit: &TypingPermit, text: &str) -> Result<bool, String> {
        guarded(place, permit, &format!("send-keys -t {} -l -- {}", permit.pane().id, quoted(text)))
    }

    fn press_all(&self, place: MuxPlace<'_>, permit: &TypingPermit, keys: &[String]) -> Result<bool, String> {
        let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
        guarded(place, permit, &format!("send-keys -t {} -- {}", permit.pane().id, keys.join(" ")))
    }

    fn label(&self, (host, env): MuxPlace<'_>, pane: &PaneAddress, label: &str) -> Result<bool, String> {
        let act = format!("set-option -p -t {} @name {}", pane.id, quoted(label));
        let is_it = format!("#{{&&:#{{==:#{{pid}},{}}},#{{==:#{{pane_pid}},{}}}}}", pane.server, pane.pid);
        let words = command::guarded(&pane.id, &is_it, &act, "");
        command::was_done(&run(host, &address::socket(&pane.session.server, env)?, &words, beside())?)
    }
}

/// Does this in a pane while it is as it was seen.
fn guarded((host, env): MuxPlace<'_>, permit: &TypingPermit, act: &str) -> Result<bool, String> {
    let words = command::guarded(&permit.pane().id, &condition(permit, permit.words()), act, "");
    command::was_done(&run(host, &address::socket(&permit.pane().session.server, env)?, &words, beside())?)
}

/// The format that is true while the pane is as it was seen, and shows the words that it has to and none of the others.
fn condition(permit: &TypingPermit, words: &[(bool, String)]) -> String {
    let texts = words.iter().map(|(is_there, word)| command::shows(&escaped(word), *is_there));
    command::condition((permit.pane().server, permit.pane().pid), &escaped(permit.runs()), texts)
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
        assert_eq!(quoted("it's ~ $x"), r"'it'\''s ~ $x'");
    }
}
