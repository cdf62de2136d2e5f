//! The writing side of tmux: makes sessions and windows, marks what it made, reads a screen. Addresses what is there by its immutable
//! ids only, and believes no exit code: what it made is what tmux says of it.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::address;
use super::command::{self, Beside, run};
use super::probe;
use crate::core::ids::SessionKey;
use crate::core::lead::{OperationId, PaneKey, Permit, Placed, Target};
use crate::core::text::printable;
use crate::fault;
use crate::host::{CommandOutput, Environ, Host, Listener};
use crate::mux::drive::{KeyGuard, MuxDrive, MuxPlace, PaneCommand, PaneView, ServerSurroundings};

/// What tmux says of a pane that it made: the name comes last, by its length, because it may hold anything.
const MADE: &str = "#{pid}|#{session_id}|#{pane_id}|#{pane_pid}|#{session_name}";

/// The option by which a pane says which operation made it.
const MARK: &str = "@headcount";

/// The size of what nobody looks at.
const SIZE: [&str; 4] = ["-x", "200", "-y", "50"];

/// The writing side of tmux.
#[derive(Debug, Clone, Copy)]
pub struct TmuxDrive;

impl MuxDrive for TmuxDrive {
    fn socket(&self, env: &Environ, key: &SessionKey) -> Result<PathBuf, String> {
        address::socket(&key.server, env)
    }

    /// By `-L` tmux would make it itself; by `-S` it does not.
    fn prepare(&self, env: &Environ, server: &str) -> Result<(), String> {
        let socket = address::socket(server, env)?;
        let Some(directory) = socket.parent().filter(|_| !Path::new(server).is_absolute()) else { return Ok(()) };
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(format!("cannot create {}: {error}", directory.display())),
        }
    }

    fn unfit(&self, host: &dyn Host) -> Option<String> {
        super::refusal(host)
    }

    fn refusal(&self, _: &Environ, key: &SessionKey) -> Option<String> {
        let is_odd = key.name.contains('#') || key.name.is_empty();
        is_odd.then(|| format!("tmux would read the `#` in {} as the beginning of a format", printable(&key.name)))
    }

    fn place(&self, (host, env): MuxPlace<'_>, permit: &Permit, command: &PaneCommand<'_>) -> Result<Placed, String> {
        let key = &permit.operation().session;
        let socket = address::socket(&key.server, env)?;
        let program = |cwd: OsString| ["-c".into(), cwd, "--".into()].into_iter().chain(command.words.iter().cloned());
        let cwd = command.cwd.as_os_str();
        let (words, is_new_session): (Vec<OsString>, bool) = match &permit.action().target {
            Target::NewSession => {
                let session = ["-s".into(), literal(key.name.as_ref())];
                let words = ["new-session", "-d", "-P", "-F", MADE].into_iter().chain(SIZE).map(OsString::from);
                (words.chain(session).chain(program(literal(cwd))).collect(), true)
            }
            // Another server may be there by now, and its session of this id is somebody's.
            Target::NewWindow { session, server: Some(server) } => {
                let target = format!("{session}:");
                let words = ["new-window", "-d", "-P", "-F", MADE, "-t", &target].map(OsString::from);
                let make = words.into_iter().chain(program(unformatted(cwd))).map(|word| quoted(&word));
                let make = make.collect::<Vec<_>>().join(" ".as_ref());
                let condition = format!("#{{==:#{{pid}},{server}}}");
                let asked = ["if-shell", "-F", "-t", &target, &condition].map(OsString::from);
                (asked.into_iter().chain([make]).collect(), false)
            }
            Target::NewWindow { server: None, .. } => return Err("the process of its tmux server is not known".to_owned()),
            Target::InPlace | Target::Renamed(_) => return Err("internal error: it makes no pane".to_owned()),
        };
        let begins = !matches!(host.listener(&socket), Listener::Listening(_));
        let surroundings = ServerSurroundings { is_scoped: command.surroundings.is_scoped && begins, ..command.surroundings };
        let output = run(host, &socket, &words, Beside { surroundings, ..Beside::default() })?;
        let mut placed = made(&output, key, is_new_session)?;
        placed.server_start = host.stat(placed.server).into_seen().and_then(|server| server.start_ticks);
        // Who made it is said on the pane itself. Without that it is recognised by its process all the same.
        // And it goes when its agent has ended: what ended is in the operation's files.
        let mark = ["set-option", "-p", "-t", &placed.pane, MARK, permit.operation().id.as_str()];
        let gone = [";", "set-option", "-p", "-t", &placed.pane, "remain-on-exit", "off"];
        let words: Vec<OsString> = mark.iter().chain(&gone).map(OsString::from).collect();
        let _ = fault::around("mark the pane", || run(host, &socket, &words, Beside::default()));
        Ok(placed)
    }

    fn rename(&self, (host, env): MuxPlace<'_>, permit: &Permit, name: &str) -> Result<(), String> {
        let Target::Renamed(renaming) = &permit.action().target else {
            return Err("internal error: nothing is to be renamed".to_owned());
        };
        let socket = address::socket(&permit.operation().session.server, env)?;
        let (target, condition) = (format!("{}:", renaming.session), format!("#{{==:#{{pid}},{}}}", renaming.server));
        // What it says is no format, which a look at the name has made sure of.
        let command = format!("rename-session -t '{target}' -- {}", command::quoted(name));
        let words = ["if-shell", "-F", "-t", &target, &condition, &command].map(OsString::from);
        let output = run(host, &socket, &words, Beside::default())?;
        if output.is_success() { Ok(()) } else { Err(format!("tmux renamed nothing: {}", probe::last_words(&output))) }
    }

    /// A pane goes with its program, and a session with its last pane.
    fn tidy(&self, _: MuxPlace<'_>, _: &Permit, _: &Placed, _: bool) -> Result<(), String> {
        Ok(())
    }

    fn close(&self, (host, env): MuxPlace<'_>, permit: &Permit, (session, server): (&str, u32)) -> Result<(), String> {
        let socket = address::socket(&permit.operation().session.server, env)?;
        let (target, condition) = (format!("{session}:"), format!("#{{==:#{{pid}},{server}}}"));
        let command = format!("kill-session -t '{session}'");
        let words = ["if-shell", "-F", "-t", &target, &condition, &command].map(OsString::from);
        let output = run(host, &socket, &words, Beside::default())?;
        if output.is_success() { Ok(()) } else { Err(format!("tmux closed nothing: {}", probe::last_words(&output))) }
    }

    /// Nothing is left: a launcher that begins nothing ends, and its pane with it.
    fn abandon(&self, _: MuxPlace<'_>, _: &Permit) -> Result<(), String> {
        Ok(())
    }

    fn is_kept(&self, _: &Environ, _: &SessionKey) -> bool {
        false
    }

    /// One server has the sessions of everybody, so it says nothing about one of them.
    fn maker(&self, _: MuxPlace<'_>, _: &SessionKey, _: u32) -> Option<OperationId> {
        None
    }

    fn view(&self, (host, env): MuxPlace<'_>, server: &str, placed: &Placed) -> Option<PaneView> {
        let socket = address::socket(server, env).ok()?;
        let condition = format!("#{{==:#{{pane_pid}},{}}}", placed.pid);
        let pane = &placed.pane;
        let show = format!(
            "display-message -p -t {pane} '#{{cursor_x}} #{{cursor_y}} #{{pane_current_command}}' ; capture-pane -p -t {pane}"
        );
        let words = ["if-shell", "-F", "-t", pane, &condition, &show].map(OsString::from);
        let output = run(host, &socket, &words, Beside::default()).ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (first, screen) = text.split_once('\n')?;
        let mut first = first.splitn(3, ' ');
        let mut number = || first.next()?.parse().ok();
        let cursor = (number()?, number()?);
        PaneView::new(first.next()?.to_owned(), Some(cursor), screen)
    }

    /// One command asks and presses.
    fn press(
        &self,
        (host, env): MuxPlace<'_>,
        (permit, placed): (&Permit, &Placed),
        guard: &KeyGuard<'_>,
        keys: &[PaneKey],
    ) -> Result<bool, String> {
        let socket = address::socket(&permit.operation().session.server, env)?;
        let Some(condition) = condition(placed, guard) else { return Ok(false) };
        let pane = &placed.pane;
        let press = |key: &PaneKey| match key {
            PaneKey::Named(name) => format!("send-keys -t {pane} {name}"),
            PaneKey::Text(text) => format!("send-keys -t {pane} -l -- {}", command::quoted(text)),
        };
        let keys: Vec<String> = keys.iter().map(press).collect();
        let words = command::guarded(pane, &condition, &keys.join(" ; "), "");
        command::was_done(&run(host, &socket, &words, Beside::default())?)
    }

    fn variable(&self, (host, env): MuxPlace<'_>, (server, _): (&str, u32), name: &str) -> Option<OsString> {
        let socket = address::socket(server, env).ok()?;
        let output = run(host, &socket, &["show-environment", "-g", name].map(OsString::from), Beside::default()).ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim_end_matches('\n').strip_prefix(name)?.strip_prefix('=').map(OsString::from)
    }

    fn watched_at(&self, (host, env): MuxPlace<'_>, server: &str, session: &str) -> Option<Vec<i64>> {
        let socket = address::socket(server, env).ok()?;
        let target = format!("{session}:");
        let words = ["list-clients", "-t", &target, "-F", "#{client_activity}"].map(OsString::from);
        let output = run(host, &socket, &words, Beside::default())
            .ok()
            .filter(|output| output.is_success() && output.stderr.is_empty())?;
        String::from_utf8_lossy(&output.stdout).lines().map(|line| line.parse().ok()).collect()
    }

    fn used_at(&self, (host, env): MuxPlace<'_>, server: &str, session: &str) -> Option<(bool, i64)> {
        let socket = address::socket(server, env).ok()?;
        let target = format!("{session}:");
        let words = ["display-message", "-p", "-t", &target, "#{session_attached}|#{session_activity}"].map(OsString::from);
        let output = run(host, &socket, &words, Beside::default()).ok().filter(CommandOutput::is_success)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (attached, at) = text.trim().split_once('|')?;
        Some((attached != "0", at.parse().ok()?))
    }
}

/// What tmux says it made.
fn made(output: &CommandOutput, key: &SessionKey, is_new_session: bool) -> Result<Placed, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut fields = text.trim_end_matches('\n').splitn(5, '|');
    let mut field = || fields.next().unwrap_or_default().to_owned();
    let (server, session, pane, pid, name) = (field(), field(), field(), field(), field());
    let said = || match text.trim() {
        "" if !is_new_session && output.is_success() => {
            "tmux made nothing: its session is gone, or another server has taken the place of its own".to_owned()
        }
        "" => format!("tmux made nothing: {}", probe::last_words(output)),
        odd => format!("tmux gave an answer that headcount does not understand: {}", printable(odd)),
    };
    let server = server.parse().map_err(|_| said())?;
    let pid = pid.parse().map_err(|_| said())?;
    if !session.starts_with('$') || !pane.starts_with('%') {
        return Err(said());
    }
    if is_new_session && !key.names().any(|known| known == name.as_str()) {
        return Err(format!("tmux calls the new session {}, which is not a name it is known to give", printable(&name)));
    }
    Ok(Placed { server, server_start: None, session, pane, pid, is_new_session })
}

/// The format that is true while all is as a guard says. `None`: something cannot be said in a format.
fn condition(placed: &Placed, guard: &KeyGuard<'_>) -> Option<String> {
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_plain(guard.command) {
        return None;
    }
    let (shown, hidden) = (guard.shows.iter().map(|text| (text, true)), guard.hides.iter().map(|text| (text, false)));
    let texts = shown.chain(hidden).map(|(text, is_there)| Some(command::shows(&pattern(text)?, is_there)));
    let mut rest: Vec<String> = texts.collect::<Option<_>>()?;
    if let Some((column, line)) = guard.cursor {
        rest.push(format!("#{{==:#{{cursor_x}} #{{cursor_y}},{column} {line}}}"));
    }
    Some(command::condition((placed.server, placed.pid), guard.command, rest))
}

/// A text as a pattern that a format searches a screen for. `None`: no screen can show it.
fn pattern(text: &str) -> Option<String> {
    // A question mark stands for any one character, also for what means something else in a format or a pattern.
    let is_special = |c: char| "#{}[]*\\,".contains(c);
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.replace(is_special, "?"))
}

/// The same as [`command::quoted`] of any bytes.
fn quoted(word: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let parts: Vec<&[u8]> = word.as_bytes().split(|byte| *byte == b'\'').collect();
    OsString::from_vec([b"'", parts.join(&b"'\\''"[..]).as_slice(), b"'"].concat())
}

/// A text as tmux takes it where it would expand formats.
fn unformatted(text: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let twice = |byte: &u8| if *byte == b'#' { vec![b'#', b'#'] } else { vec![*byte] };
    OsString::from_vec(text.as_bytes().iter().flat_map(twice).collect())
}

/// The same in a word of its own, where it would also begin another command.
fn literal(text: &OsStr) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    let mut bytes = unformatted(text).into_vec();
    // A word that ends in one separates two commands.
    if bytes.last() == Some(&b';') {
        bytes.insert(bytes.len() - 1, b'\\');
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::core::ids::MuxKind;

    #[test]
    fn only_what_tmux_says_it_made_counts() {
        let key = SessionKey { name: "a.b".into(), mux: MuxKind::Tmux, server: "default".into(), host: "h".into() };
        let output = |stdout: &str| CommandOutput {
            code: Some(0),
            signal: None,
            stdout: stdout.as_bytes().to_vec(),
            stderr: Vec::new(),
        };
        let of = |stdout: &str| made(&output(stdout), &key, true);
        assert_eq!(of("7|$1|%2|9|a_b\n").unwrap().pane, "%2");
        for odd in ["", "\n", "7|$1|%2|9\n", "7|$1|%2|x|a_b\n", "7|1|%2|9|a_b\n", "7|$1|%2|9|other\n"] {
            assert!(of(odd).is_err(), "{odd:?}");
        }
        assert_eq!(literal("a#{b}".as_ref()), "a##{b}");
        assert_eq!(literal("a;b;".as_ref()), "a;b\\;");
        assert_eq!(quoted("a b'; #{x}$y".as_ref()), r"'a b'\''; #{x}$y'");
    }
}
