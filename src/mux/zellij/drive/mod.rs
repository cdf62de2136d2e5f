//! The writing side of zellij: makes sessions and panes, takes away what an operation of ours left, reads a screen.
//!
//! Of zellij's program only the server is started. Its commands greet every socket of the directory first, which a stopped server holds
//! up and a server that is just being set up does not survive; they would begin an ended session again under its name; and a session
//! that they make has 50 columns.
//!
//! zellij knows sessions by their names alone. So the process behind a socket is compared with the one that is meant, before anything
//! is said and by the answer. What came of it is looked at.

mod leftover;
mod message;
mod server;
mod session;
mod typing;

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

use super::{address, inside, listing, program, wire};
use crate::core::ids::SessionKey;
use crate::core::lead::{OperationId, PaneKey, Permit, Placed, Target};
use crate::core::text::printable;
use crate::host::{Environ, Host, ProcessInfo};
use crate::mux::drive::{KeyGuard, MuxDrive, MuxPlace, PaneCommand, PaneView};
use session::{FAREWELL, GONE, ServedSession, counted, until};
pub use typing::ZellijTyping;

/// The longest path of a socket that the kernel takes.
const LONGEST_SOCKET: usize = 107;

/// The writing side of zellij.
#[derive(Debug, Clone, Copy)]
pub struct ZellijDrive;

impl MuxDrive for ZellijDrive {
    fn socket(&self, env: &Environ, key: &SessionKey) -> Result<PathBuf, String> {
        if let Some(why) = odd_name(&key.name) {
            return Err(why);
        }
        address::base(&key.server, env).map(|base| address::sockets(&base).join(&key.name))
    }

    fn prepare(&self, env: &Environ, server: &str) -> Result<(), String> {
        let base = address::base(server, env)?;
        let sockets = address::sockets(&base);
        let failed = |error: std::io::Error| format!("cannot create {}: {error}", sockets.display());
        DirBuilder::new().mode(0o700).recursive(true).create(&sockets).map_err(failed)?;
        for directory in [&base, &sockets] {
            let owner = directory.metadata().map_err(failed)?.uid();
            if owner != rustix::process::geteuid().as_raw() {
                return Err(format!("{} belongs to user {owner}", directory.display()));
            }
        }
        Ok(())
    }

    /// What a new session is told has had its form since 0.45, and was tried with that alone.
    fn unfit(&self, host: &dyn Host) -> Option<String> {
        let said = program::ask_version(host).map_err(|error| error.to_string());
        let version = said.and_then(|said| program::version(&said).map_err(|error| error.to_string()));
        match version {
            Ok(Some(version)) if version.starts_with("0.45.") => None,
            Ok(Some(version)) => Some(format!("headcount starts sessions in zellij 0.45 only, and this is {version}")),
            Ok(None) => Some("zellij does not say its version".to_owned()),
            Err(why) => Some(why),
        }
    }

    fn refusal(&self, env: &Environ, key: &SessionKey) -> Option<String> {
        let socket = match self.socket(env, key) {
            Ok(socket) => socket,
            Err(why) => return Some(why),
        };
        let Some(path) = socket.to_str() else { return Some(format!("{} is not UTF-8", socket.display())) };
        let length = path.len();
        (length > LONGEST_SOCKET).then(|| {
            let name = printable(&key.name);
            format!("the socket of {name} would have a path of {length} bytes, and {LONGEST_SOCKET} are the most; shorten it")
        })
    }

    fn place(&self, place: MuxPlace<'_>, permit: &Permit, command: &PaneCommand<'_>) -> Result<Placed, String> {
        let (host, env) = place;
        let key = &permit.operation().session;
        if let Some(why) = self.refusal(env, key) {
            return Err(why);
        }
        let words = texts(command.words)?;
        let cwd = command.cwd.to_str().ok_or_else(|| format!("{} is not UTF-8", command.cwd.display()))?;
        let (server, is_new_session) = match &permit.action().target {
            Target::NewSession => {
                if self.is_kept(env, key) {
                    return Err("zellij keeps an ended session of its name".to_owned());
                }
                (server::begin(place, permit, command, (&words, cwd))?, true)
            }
            Target::NewWindow { server: Some(server), .. } => {
                let there = ServedSession::of(host, env, key, *server, None)?.ok_or(GONE)?;
                let kept = command.last.filter(|last| there.had(host, last)).and_then(|last| number(&last.pane));
                let kept = kept.filter(|id| there.pane(host, *id).is_ok_and(|pane| pane.is_some_and(|it| it.has_ended())));
                let words = match kept {
                    Some(id) => message::replace_pane(&words, cwd, id),
                    None => message::new_pane(&words, cwd),
                };
                there.say(host, &words)?;
                (there.process, self.maker(place, key, *server).is_some())
            }
            Target::NewWindow { server: None, .. } => return Err("the process of its zellij server is not known".to_owned()),
            Target::InPlace | Target::Renamed(_) => return Err("internal error: it makes no pane".to_owned()),
        };
        let (pane, pid) = server::await_pane(place, key, &server, &words)?;
        Ok(Placed {
            server: server.pid,
            server_start: server.start_ticks,
            session: key.name.clone(),
            pane,
            pid,
            is_new_session,
        })
    }

    fn name_tab(&self, (host, env): MuxPlace<'_>, permit: &Permit, placed: &Placed, name: &str) -> Result<(), String> {
        let key = &permit.operation().session;
        let there = ServedSession::of(host, env, key, placed.server, placed.server_start)?.ok_or(GONE)?;
        let tab = || {
            let tabs = inside::parse_tabs(&there.ask(host, wire::LIST_PANES)?)?;
            Ok::<_, String>(tabs.into_iter().find(|tab| tab.panes.contains(&placed.pane)))
        };
        let found = tab()?.ok_or_else(|| format!("its pane {} is in no tab", placed.pane))?;
        there.say(host, &message::rename_tab(found.id, name))?;
        let is_named = || tab().map(|tab| tab.filter(|tab| tab.name == name));
        until(FAREWELL, is_named)?.map(|_| ()).ok_or_else(|| "zellij did not name its tab".to_owned())
    }

    /// When it ends, a server takes the socket of the name away that it began with, whoever has that by then. Nor does it take that name
    /// back: it counts it among those of others (0.45.1).
    fn is_former(&self, (host, env): MuxPlace<'_>, key: &SessionKey) -> bool {
        let Ok(socket) = self.socket(env, key) else { return false };
        let begun = server::all(host, &socket);
        // One that is just being set up has no other name yet.
        let is_set_up = |process: &ProcessInfo| {
            !server::running(host, process).is_empty() || host.now() - process.started >= chrono::TimeDelta::seconds(10)
        };
        if begun.is_empty() || !begun.iter().all(is_set_up) {
            return false;
        }
        let here = session::behind(host, &socket).map(|process| process.pid);
        begun.iter().any(|process| Some(process.pid) != here)
    }

    /// A server takes the name of another one without asking, whose session nobody finds any more. So whether it is free is asked first.
    fn rename(&self, (host, env): MuxPlace<'_>, permit: &Permit, name: &str) -> Result<(), String> {
        let Target::Renamed(renaming) = &permit.action().target else {
            return Err("internal error: nothing is to be renamed".to_owned());
        };
        let key = &permit.operation().session;
        let called = |name: &str| SessionKey { name: name.to_owned(), ..key.clone() };
        // It may have the new name already, and get its old one back.
        let of = |name: &str| ServedSession::of(host, env, &called(name), renaming.server, None);
        let there = match of(&key.name)? {
            Some(there) => there,
            None => of(&renaming.to)?.ok_or(GONE)?,
        };
        let new = called(name);
        if let Some(why) = self.refusal(env, &new) {
            return Err(why);
        }
        if host.is_bound(&self.socket(env, &new)?) {
            return Err(format!("a session called {} is there already", printable(name)));
        }
        there.say(host, &message::rename_session(name))?;
        let start = there.process.start_ticks;
        let renamed = until(FAREWELL, || ServedSession::of(host, env, &new, renaming.server, start))?;
        renamed.map(|_| ()).ok_or_else(|| "zellij renamed nothing: it takes no name that it has known a session by".to_owned())
    }

    fn tidy(&self, place: MuxPlace<'_>, permit: &Permit, placed: &Placed, is_spared: bool) -> Result<(), String> {
        let (host, env) = place;
        let key = &permit.operation().session;
        let start = host.stat(placed.server).into_seen().map(|server| server.start_ticks);
        if start.is_none_or(|start| placed.server_start.is_some() && start != placed.server_start) {
            return Ok(());
        }
        let Some(there) = ServedSession::of(host, env, key, placed.server, placed.server_start)? else { return Ok(()) };
        let id = number(&placed.pane).ok_or_else(|| format!("{} is no pane", placed.pane))?;
        // Its launcher writes how its agent has ended, and ends.
        until(FAREWELL, || Ok(host.stat(placed.pid).is_absent().then_some(())))?;
        let is_over = |pane: Option<&listing::Listed>| pane.is_none_or(listing::Listed::has_ended);
        until(FAREWELL, || there.pane(host, id).map(|pane| is_over(pane.as_ref()).then_some(())))?
            .ok_or_else(|| format!("its pane {} still runs", placed.pane))?;
        there.close(host, id)?;
        if !there.panes(host)?.is_empty() || self.maker(place, key, placed.server).is_none() {
            return Ok(());
        }
        if is_spared && there.clients(host).is_none_or(|count| count > 0) {
            return Ok(());
        }
        there.end(host)
    }

    fn abandon(&self, place: MuxPlace<'_>, permit: &Permit) -> Result<(), String> {
        let (host, env) = place;
        let operation = permit.operation();
        let key = &operation.session;
        let socket = self.socket(env, key)?;
        let launch = format!("/operations/{}/launch.json", operation.id);
        let is_ours = |argv: &[String]| argv.last().is_some_and(|last| last.ends_with(&launch));
        let mut servers = server::all(host, &socket);
        if servers.is_empty() {
            // One that got this name has been set up.
            servers.extend(session::behind(host, &socket));
        }
        for process in servers {
            // A launcher that is not to begin anything ends at once.
            until(FAREWELL, || Ok((!server::running(host, &process).iter().any(|(_, _, argv)| is_ours(argv))).then_some(())))?;
            let is_still = server::running(host, &process).is_empty();
            if is_still && server::maker(host, &process).as_ref() == Some(&operation.id) {
                ServedSession { socket: socket.clone(), process }.end(host)?;
                continue;
            }
            // It may be a person's that is just being set up, which is not to be spoken to.
            if is_still && host.now() - process.started < chrono::TimeDelta::seconds(10) {
                continue;
            }
            let Some(there) = ServedSession::of(host, env, key, process.pid, process.start_ticks)? else { continue };
            for pane in there.panes(host)?.into_iter().filter(|pane| pane.has_ended() && pane.runs(&launch)) {
                there.close(host, pane.id)?;
            }
        }
        Ok(())
    }

    fn is_kept(&self, env: &Environ, key: &SessionKey) -> bool {
        odd_name(&key.name).is_none() && leftover::is_kept(env, &key.name)
    }

    fn maker(&self, (host, _): MuxPlace<'_>, _: &SessionKey, server: u32) -> Option<OperationId> {
        server::maker(host, &host.process(server).into_seen()?)
    }

    fn view(&self, (host, env): MuxPlace<'_>, server: &str, placed: &Placed) -> Option<PaneView> {
        let socket = address::sockets(&address::base(server, env).ok()?).join(&placed.session);
        let dump = message::dump_screen(number(&placed.pane)?, false);
        let text = wire::ask(host, &socket, &dump, Some(placed.server)).ok()?;
        let cursor = wire::ask(host, &socket, wire::LIST_PANES, Some(placed.server)).and_then(|text| listing::parse(&text));
        let cursor = cursor.ok().and_then(|panes| panes.into_iter().find(|pane| Some(pane.id) == number(&placed.pane))?.cursor);
        let foreground = host.stat(placed.pid).into_seen().and_then(|launcher| launcher.foreground);
        let command = foreground.and_then(|pid| host.process(pid).into_seen()).map(|process| process.name);
        PaneView::new(command.unwrap_or_default(), cursor, &String::from_utf8_lossy(&text))
    }

    /// zellij cannot ask and press at once: it is looked at right before, and whose pane it is right after.
    fn press(
        &self,
        place: MuxPlace<'_>,
        (permit, placed): (&Permit, &Placed),
        guard: &KeyGuard<'_>,
        keys: &[PaneKey],
    ) -> Result<bool, String> {
        let (host, env) = place;
        let session = &permit.operation().session;
        let Some(there) = ServedSession::of(host, env, session, placed.server, placed.server_start)? else { return Ok(false) };
        let id = number(&placed.pane).ok_or_else(|| format!("{} is no pane", placed.pane))?;
        // Enter in the pane of one that has ended would run it again.
        let is_going = || Ok::<_, String>(there.pane(host, id)?.is_some_and(|pane| !pane.has_ended()));
        let is_so = is_going()? && self.view(place, &session.server, placed).is_some_and(|view| guard.is_met(&view));
        if !is_so || host.stat(placed.pid).is_absent() {
            return Ok(false);
        }
        let typed: Vec<Vec<u8>> =
            keys.iter().map(typed).collect::<Option<_>>().ok_or("one of the keys is not known in zellij")?;
        for (count, bytes) in typed.iter().enumerate() {
            // The one before may have ended it.
            if count > 0 && !is_going()? {
                return Ok(true);
            }
            if !there.tell(host, &message::write(id, bytes))? {
                return if count == 0 { Ok(false) } else { Err("its server ended while keys were pressed".to_owned()) };
            }
        }
        Ok(true)
    }

    fn variable(&self, (host, _): MuxPlace<'_>, (_, server): (&str, u32), name: &str) -> Option<OsString> {
        host.environ(server).into_seen()?.get(name).map(OsString::from)
    }

    /// zellij does not say when somebody typed: whoever is attached counts as having done so just now.
    fn watched_at(&self, (host, env): MuxPlace<'_>, server: &str, session: &str) -> Option<Vec<i64>> {
        let socket = address::sockets(&address::base(server, env).ok()?).join(session);
        let text = wire::ask(host, &socket, wire::LIST_CLIENTS, None).ok()?;
        counted(&text).map(|count| vec![host.now().timestamp(); count])
    }

    /// Only whether somebody is there: zellij keeps no time.
    fn used_at(&self, place: MuxPlace<'_>, server: &str, session: &str) -> Option<(bool, i64)> {
        self.watched_at(place, server, session)?.into_iter().max().map(|at| (true, at))
    }
}

/// What a terminal sends for a key, in a mode in which the arrows are not those of an application; `None`: it is not known.
fn typed(key: &PaneKey) -> Option<Vec<u8>> {
    let name = match key {
        PaneKey::Text(text) => return Some(text.as_bytes().to_vec()),
        PaneKey::Named(name) => name.as_str(),
    };
    let keys: &[u8] = match name {
        "Enter" => b"\r",
        "Escape" => b"\x1b",
        "Tab" => b"\t",
        "Space" => b" ",
        "BSpace" => b"\x7f",
        "Up" => b"\x1b[A",
        "Down" => b"\x1b[B",
        "Right" => b"\x1b[C",
        "Left" => b"\x1b[D",
        _ => {
            let letter = name.strip_prefix("C-").filter(|letter| letter.len() == 1)?;
            return Some(letter.bytes().map(|letter| letter & 0x1f).collect());
        }
    };
    Some(keys.to_vec())
}

/// The number in the id of a pane.
fn number(pane: &str) -> Option<u32> {
    pane.strip_prefix("terminal_")?.parse().ok()
}

/// Why zellij can have no session of this name (`validate_session_name` of zellij-utils), or no command could name it.
fn odd_name(name: &str) -> Option<String> {
    let is_odd = name.trim().is_empty() || [".", ".."].contains(&name) || name.contains(['/', '\0']) || name.starts_with('-');
    is_odd.then(|| format!("zellij takes no session name like {:?}", printable(name)))
}

fn texts(words: &[OsString]) -> Result<Vec<String>, String> {
    let text = |word: &OsString| word.to_str().map(str::to_owned).ok_or_else(|| format!("{} is not UTF-8", word.display()));
    words.iter().map(text).collect()
}
