//! The writing side of the multiplexers, in one shape: makes panes, takes away what an operation of ours left, reads a screen. Believes
//! no exit code: what it made is what is to be seen of it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::core::ids::SessionKey;
use crate::core::lead::send::holds;
use crate::core::lead::{OperationId, PaneKey, Permit, Placed};
use crate::host::service::SCOPE;
use crate::host::{Environ, Host};

/// What is put into a pane.
#[derive(Debug, Clone, Copy)]
pub struct PaneCommand<'a> {
    /// The program and its arguments: at least two words, or tmux would hand them to a shell.
    pub words: &'a [OsString],
    /// The directory that panes opened beside it begin in.
    pub cwd: &'a Path,
    /// What a server is to be in that begins with it.
    pub surroundings: ServerSurroundings<'a>,
    /// The pane of the last start, if there was one: where it was kept after its end the new one takes its place.
    pub last: Option<&'a Placed>,
}

/// What a server that begins is to be in.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerSurroundings<'a> {
    /// Variables that it must not get.
    pub withheld: &'a [String],
    /// The PATH that it gets, where that is another than ours.
    pub path: Option<&'a OsStr>,
    /// Whether it gets a scope of systemd of its own. One that runs already gets none, and needs none.
    pub is_scoped: bool,
}

impl ServerSurroundings<'_> {
    /// The words before those of the command that begins it, with these variables.
    pub(super) fn words<'a>(&'a self, variables: &'a [(&str, OsString)]) -> Vec<OsString> {
        let gone = self.withheld.iter().flat_map(|name| ["-u".into(), name.into()]);
        let path = self.path.map(|path| ("PATH", path.to_owned()));
        let pair = |(name, value): (&str, OsString)| [OsString::from(name), value].join("=".as_ref());
        let mut words: Vec<OsString> = gone.chain(path.into_iter().chain(variables.iter().cloned()).map(pair)).collect();
        if !words.is_empty() {
            words.insert(0, "env".into());
        }
        let scope = SCOPE.into_iter().filter(|_| self.is_scoped).map(OsString::from);
        scope.chain(words).collect()
    }
}

/// What a pane shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaneView {
    /// The name of the program in its foreground.
    pub command: String,
    /// Where its cursor stands: the column and the line, both from 0. `None`: it is hidden, or that cannot be told.
    pub cursor: Option<(usize, usize)>,
    /// Its lines, without the empty ones at the end.
    pub screen: String,
}

impl PaneView {
    /// From the text of a whole screen; `None`: there is nothing on it.
    pub(super) fn new(command: String, cursor: Option<(usize, usize)>, screen: &str) -> Option<Self> {
        let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
        let end = lines.iter().rposition(|line| !line.is_empty())?;
        Some(Self { command, cursor, screen: lines[..=end].join("\n") })
    }
}

/// What has to be so in the very moment in which a key is pressed.
#[derive(Debug, Clone, Copy)]
pub struct KeyGuard<'a> {
    /// The name of the program in the foreground.
    pub command: &'a str,
    /// Where the cursor stands, if that matters.
    pub cursor: Option<(usize, usize)>,
    /// What the screen shows, all of it. A question mark stands for any one character.
    pub shows: &'a [&'a str],
    /// What it does not show.
    pub hides: &'a [&'a str],
}

impl KeyGuard<'_> {
    /// Whether a pane is so.
    pub(super) fn is_met(&self, view: &PaneView) -> bool {
        let is_on = |text: &&str| view.screen.lines().any(|line| holds(line, text));
        let is_there = self.cursor.is_none() || self.cursor == view.cursor;
        view.command == self.command && is_there && self.shows.iter().all(is_on) && !self.hides.iter().any(is_on)
    }
}

/// Where a machine runs its commands, and in which environment.
pub type MuxPlace<'a> = (&'a dyn Host, &'a Environ);

/// One multiplexer's writing side.
pub trait MuxDrive: Send + Sync {
    /// The socket beside which the lock of a session lies.
    ///
    /// # Errors
    /// One line: there can be no such server, or it is another user's.
    fn socket(&self, env: &Environ, key: &SessionKey) -> Result<PathBuf, String>;

    /// Makes the directory that the sockets of a server are in, as the multiplexer does.
    ///
    /// # Errors
    /// One line.
    fn prepare(&self, env: &Environ, server: &str) -> Result<(), String>;

    /// Why headcount does not work with the program that would begin a server, or make a session; `None`: it does.
    fn unfit(&self, host: &dyn Host) -> Option<String>;

    /// Why there can be no session of this name.
    fn refusal(&self, env: &Environ, key: &SessionKey) -> Option<String>;

    /// Makes the pane of a start.
    ///
    /// # Errors
    /// One line. It may be there all the same: whoever wants to know looks.
    fn place(&self, place: MuxPlace<'_>, permit: &Permit, command: &PaneCommand<'_>) -> Result<Placed, String>;

    /// Names the tab of a pane that this start made; does nothing where there are no tabs.
    ///
    /// # Errors
    /// One line: it has another name.
    fn name_tab(&self, place: MuxPlace<'_>, permit: &Permit, placed: &Placed, name: &str) -> Result<(), String> {
        let _ = (place, permit, placed, name);
        Ok(())
    }

    /// Whether a server began with this name and has another by now, so that nobody else can have it.
    fn is_former(&self, place: MuxPlace<'_>, key: &SessionKey) -> bool {
        let _ = (place, key);
        false
    }

    /// Gives a session another name, if its server still is the same process. Whoever wants to know whether that came about looks.
    ///
    /// # Errors
    /// One line; it may have another name all the same.
    fn rename(&self, place: MuxPlace<'_>, permit: &Permit, name: &str) -> Result<(), String>;

    /// Takes a pane away whose program has ended, and its session if headcount made that and nothing else is left in it; where
    /// `is_spared`, only if nobody is attached to it.
    ///
    /// # Errors
    /// One line: it was left as it is.
    fn tidy(&self, place: MuxPlace<'_>, permit: &Permit, placed: &Placed, is_spared: bool) -> Result<(), String>;

    /// Closes a session by its id, if its server still is this process.
    ///
    /// # Errors
    /// One line; it may be gone all the same.
    fn close(&self, place: MuxPlace<'_>, permit: &Permit, session: (&str, u32)) -> Result<(), String> {
        let _ = (place, session);
        Err(format!("how a whole session of {} is closed has not been measured", permit.operation().session.mux))
    }

    /// Takes away what a start left that was called off before anything began: no launcher begins anything there any more.
    ///
    /// # Errors
    /// One line: something was left.
    fn abandon(&self, place: MuxPlace<'_>, permit: &Permit) -> Result<(), String>;

    /// Whether the multiplexer keeps an ended session of this name, which it would begin again.
    fn is_kept(&self, env: &Environ, key: &SessionKey) -> bool;

    /// The operation that made the server of a session, as that server itself says.
    fn maker(&self, place: MuxPlace<'_>, key: &SessionKey, server: u32) -> Option<OperationId>;

    /// What a pane shows, if it still is the pane of this start.
    fn view(&self, place: MuxPlace<'_>, server: &str, placed: &Placed) -> Option<PaneView>;

    /// Presses keys in a pane, if all is as the guard says. Gives whether they were pressed; that they were taken is for the screen to
    /// show.
    ///
    /// # Errors
    /// One line; then nobody knows.
    fn press(
        &self,
        place: MuxPlace<'_>,
        start: (&Permit, &Placed),
        guard: &KeyGuard<'_>,
        keys: &[PaneKey],
    ) -> Result<bool, String>;

    /// The value of a variable that new panes get from the server with this process. `None`: there is none, or it cannot be told.
    fn variable(&self, place: MuxPlace<'_>, server: (&str, u32), name: &str) -> Option<OsString>;

    /// When somebody last did something at each terminal that shows a session, in seconds since 1970. `None`: it cannot be told.
    fn watched_at(&self, place: MuxPlace<'_>, server: &str, session: &str) -> Option<Vec<i64>>;

    /// Whether somebody is attached to a session, and when somebody last typed there or came to it, in seconds since 1970. `None`: it
    /// cannot be told.
    fn used_at(&self, place: MuxPlace<'_>, server: &str, session: &str) -> Option<(bool, i64)>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_pressed_only_where_all_is_as_it_should_be() {
        let view = PaneView::new("claude".to_owned(), Some((3, 1)), "Trust it?\n ❯ Yes, I do\n   No  \n\n")
            .unwrap_or_else(|| unreachable!());
        assert_eq!(view.screen, "Trust it?\n ❯ Yes, I do\n   No");
        let guard = |command, shows, hides| KeyGuard { command, cursor: None, shows, hides };
        assert!(guard("claude", &["Trust it?", "❯ Yes?"], &["Sign in"]).is_met(&view));
        let at = |cursor| KeyGuard { cursor: Some(cursor), ..guard("claude", &["Trust"], &[]) }.is_met(&view);
        assert!(at((3, 1)) && !at((1, 3)));
        for (command, shows, hides) in [
            ("bash", &["Trust"][..], &[][..]),
            ("claude", &["Trust", "❯ No"], &[]),
            ("claude", &["Trust"], &["Yes, ? do"]),
            ("claude", &[""], &[]),
            ("claude", &["it?\n ❯"], &[]),
        ] {
            assert!(!guard(command, shows, hides).is_met(&view), "{shows:?} {hides:?}");
        }
        assert_eq!(PaneView::new(String::new(), None, " \n\n"), None);
    }
}
