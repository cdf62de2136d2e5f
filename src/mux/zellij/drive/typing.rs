//! Typing into a pane of zellij. It cannot ask and do in one: the pane is looked at right before, and once more right after.

use super::session::{GONE, ServedSession};
use super::{message, number, typed};
use crate::core::fact::Fact;
use crate::core::lead::TypedKey;
use crate::core::lead::send::{ComposerPane, PaneAddress, TypingPermit};
use crate::host::Host;
use crate::mux::drive::MuxPlace;
use crate::mux::screen::screen;
use crate::mux::typing::MuxTyping;

/// Typing into panes of zellij.
#[derive(Debug, Clone, Copy)]
pub struct ZellijTyping;

impl MuxTyping for ZellijTyping {
    fn view(&self, place: MuxPlace<'_>, pane: &PaneAddress) -> Result<ComposerPane, String> {
        let there = session(place, pane)?;
        look(place.0, &there, pane)
    }

    /// By its id a pane gets what is typed alone, whatever its tab does with what is typed at a terminal.
    fn paste(&self, place: MuxPlace<'_>, permit: &TypingPermit, text: &str) -> Result<bool, String> {
        say(place, permit, &[], &message::paste(terminal(permit.pane())?, text))
    }

    fn press(&self, place: MuxPlace<'_>, permit: &TypingPermit, key: TypedKey) -> Result<bool, String> {
        let key = typed(&key.into()).ok_or("the key is not known in zellij")?;
        say(place, permit, permit.words(), &message::write(terminal(permit.pane())?, &key))
    }
}

fn terminal(pane: &PaneAddress) -> Result<u32, String> {
    number(&pane.id).ok_or_else(|| format!("{} is no pane", pane.id))
}

fn session((host, env): MuxPlace<'_>, pane: &PaneAddress) -> Result<ServedSession, String> {
    ServedSession::of(host, env, &pane.session, pane.server, None)?.ok_or_else(|| GONE.to_owned())
}

fn look(host: &dyn Host, there: &ServedSession, pane: &PaneAddress) -> Result<ComposerPane, String> {
    let id = terminal(pane)?;
    let listed = there.pane(host, id)?.ok_or_else(|| format!("zellij lists no pane {}", pane.id))?;
    let shown = there.ask(host, &message::dump_screen(id, true))?;
    let size = listed.size().ok_or_else(|| "zellij does not say how large its pane is".to_owned())?;
    let process = host.stat(pane.pid);
    let is_its_own = process.seen().is_some_and(|process| process.parent == pane.server);
    Ok(ComposerPane {
        server: there.process.pid,
        pid: pane.pid,
        is_dead: listed.has_ended() || !is_its_own,
        in_mode: false,
        is_synchronized: false,
        is_input_off: false,
        runs: runs(host, &process.map(|process| process.foreground).into_seen().flatten()),
        screen: screen(&String::from_utf8_lossy(&shown), size, listed.cursor),
    })
}

/// Who has the terminal: another one that runs the same program is not the same.
fn runs(host: &dyn Host, group: &Option<u32>) -> String {
    let Some(group) = group else { return "nobody".to_owned() };
    match host.stat(*group) {
        Fact::Seen(process) => format!("{} {group} {}", process.name, process.start_ticks.unwrap_or_default()),
        Fact::Absent | Fact::Unknown(_) => format!("group {group}"),
    }
}

/// Says something to the server of a pane that is as it was seen, and shows the words that it has to and none of the others.
fn say(place: MuxPlace<'_>, permit: &TypingPermit, words: &[(bool, String)], message: &[u8]) -> Result<bool, String> {
    let (host, pane) = (place.0, permit.pane());
    let Ok(there) = session(place, pane) else { return Ok(false) };
    let is_so = |words: &[(bool, String)]| {
        // A busy server may not answer the first time.
        look(host, &there, pane).or_else(|_| look(host, &there, pane)).map(|view| {
            let is_shown = |(is_there, word): &(bool, String)| view.screen.shows(word) == *is_there;
            !view.is_dead && view.runs == permit.runs() && words.iter().all(is_shown)
        })
    };
    // One that does not answer is told nothing: it would do it whenever it goes on.
    if !is_so(words).unwrap_or(false) || !there.answers(host).unwrap_or(false) || !there.tell(host, message)? {
        return Ok(false);
    }
    // What became of it is for the screen and the transcript to show, if it cannot be looked at just now.
    match is_so(&[]) {
        Ok(false) => Err("its pane changed in the moment in which something was typed".to_owned()),
        Ok(true) | Err(_) => Ok(true),
    }
}
