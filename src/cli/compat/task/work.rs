//! `work-here`, `work-HOST[-ssh|-mosh]` and `mHOST`: hand this terminal over to a zellij session, here or on another host.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command as Program, Stdio};

use super::hosts::{self, NamedHost};
use super::start::has_program;
use crate::cli::args::Globals;
use crate::cli::commands::reading::world;
use crate::cli::output::Streams;
use crate::control::observe::Observer;
use crate::core::manifest::lead::Attach;
use crate::core::text::{printable, printable_lines};

/// How a terminal is taken to another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    /// By mosh where both sides have it, else by ssh.
    Any,
    Ssh,
    Mosh,
}

/// What a name of this tool means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Work {
    /// A session here.
    Here,
    /// A session on another host.
    There(String, Transport),
    /// A shell on another host.
    Shell(String),
}

impl Work {
    /// What it is called by.
    fn of(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("work-") {
            let (host, transport) = match rest.rsplit_once('-') {
                Some((host, "ssh")) => (host, Transport::Ssh),
                Some((host, "mosh")) => (host, Transport::Mosh),
                _ => (rest, Transport::Any),
            };
            return match (host, transport) {
                ("", _) | ("zellij", _) => None,
                ("here", Transport::Any) => Some(Self::Here),
                _ => Some(Self::There(host.to_owned(), transport)),
            };
        }
        let host = name.strip_prefix('m').filter(|host| !host.is_empty())?;
        Some(Self::Shell(host.to_owned()))
    }
}

/// Whether a name that no link was made for is one of this tool: a host that somebody has named.
pub(super) fn is_it(name: &str) -> bool {
    match Work::of(name) {
        Some(Work::Here | Work::There(..)) => true,
        Some(Work::Shell(host)) => hosts::is_named(&host),
        None => false,
    }
}

/// Runs it; gives its exit code if it does not become another program.
pub(super) fn run(name: &str, rest: &[OsString]) -> u8 {
    let out = Streams::new(&Globals::guess(&[]));
    let usage = match Work::of(name) {
        Some(Work::Shell(_)) => format!("Usage: {name}\n\nOpens a shell on that host, by mosh if it is there, else by ssh.\n"),
        _ => format!(
            "Usage: {name} [SESSION]\n\nOpens a zellij session in this terminal, and makes it if it is not there.\n\
            Without SESSION it is chosen from a list, by fzf.\n"
        ),
    };
    if rest.first().is_some_and(|word| word == "-h" || word == "--help") {
        return u8::from(out.answer(&usage).is_err());
    }
    let opened = match (Work::of(name), rest) {
        (None, _) => Err("it is no name of this tool".to_owned()),
        (Some(Work::Shell(host)), []) => shell(&host, &world()),
        (Some(Work::Shell(_)), _) | (_, [_, _, ..]) => Err(format!("too many arguments\n{usage}")),
        (Some(work), words) => open(name, &work, words.first(), &world()),
    };
    match opened {
        Ok(()) => 0,
        Err(why) => {
            out.stderr(&format!("{name}: {}\n", printable_lines(&why)));
            1
        }
    }
}

fn open(name: &str, work: &Work, session: Option<&OsString>, world: &Observer) -> Result<(), String> {
    if world.env.get("ZELLIJ").is_some_and(|value| !value.is_empty()) {
        return Err(
            "this terminal is in a zellij session already, and zellij cannot be opened inside zellij; detach first".to_owned()
        );
    }
    let place = match work {
        Work::There(host, transport) => {
            let named = hosts::find(host).ok_or_else(|| unnamed(host))?;
            let host = hosts::reachable(&named)?;
            Some((host, transport_of(*transport, &named)))
        }
        Work::Here | Work::Shell(_) => {
            if !has_program("zellij", world) {
                return Err("zellij is not on PATH".to_owned());
            }
            None
        }
    };
    let host = place.as_ref().map(|(host, _)| host.as_str());
    let session = match session {
        Some(session) => session.to_str().ok_or("the name of a session is UTF-8")?.to_owned(),
        None => match choose(host, world)? {
            Some(session) => session,
            None => return Ok(()),
        },
    };
    let is_plain = |c: char| !c.is_control() && c != '/';
    if session.trim().is_empty() || session.starts_with('-') || !session.chars().all(is_plain) {
        return Err(format!("zellij takes no session name like {:?}", printable(&session)));
    }
    entitle(&format!("{name} {session}"));
    let words = ["zellij", "attach", "--create", &session].map(str::to_owned);
    match place {
        None => become_program(&words),
        Some((host, transport)) => take_there(&host, transport, &words, world),
    }
}

fn shell(host: &str, world: &Observer) -> Result<(), String> {
    let named = hosts::find(host).ok_or_else(|| unnamed(host))?;
    let host = hosts::reachable(&named)?;
    entitle(&host);
    take_there(&host, Transport::Any, &[], world)
}

fn unnamed(host: &str) -> String {
    let name = host.to_ascii_uppercase();
    format!("no host is known as {host}: set BOT_{name}_HOST, or name it below `hosts:` in a manifest")
}

/// By what a terminal is taken there: what the name says goes before what the manifest says.
fn transport_of(asked: Transport, named: &NamedHost) -> Transport {
    match (asked, named.attach) {
        (Transport::Any, Some(Attach::Ssh)) => Transport::Ssh,
        (asked, _) => asked,
    }
}

/// Hands the terminal over to a command on another host; none: to a shell.
fn take_there(host: &str, transport: Transport, words: &[String], world: &Observer) -> Result<(), String> {
    let is_moshed = transport != Transport::Ssh && has_program("mosh", world);
    if is_moshed && hosts::ask(host, 5, "command -v mosh-server").is_ok_and(|output| output.status.success()) {
        return become_program(&mosh(host, words));
    }
    if transport == Transport::Mosh {
        let out = Streams::new(&Globals::guess(&[]));
        out.note("mosh is not on both sides, so ssh takes you there");
    }
    become_program(&ssh(host, words))
}

/// mosh hands its words on as they are.
fn mosh(host: &str, words: &[String]) -> Vec<String> {
    let head = ["mosh".to_owned(), "--".to_owned(), host.to_owned()];
    head.into_iter().chain(words.iter().cloned()).collect()
}

/// ssh gives them to a shell.
fn ssh(host: &str, words: &[String]) -> Vec<String> {
    let head = ["ssh", "-t", "--", host].map(str::to_owned);
    head.into_iter().chain((!words.is_empty()).then(|| hosts::quoted(words))).collect()
}

fn become_program(words: &[String]) -> Result<(), String> {
    let [program, rest @ ..] = words else { return Err("internal error: nothing to run".to_owned()) };
    let error = Program::new(program).args(rest).exec();
    Err(format!("cannot start {program}: {error}"))
}

/// Gives the terminal a title.
fn entitle(title: &str) {
    let mut stdout = std::io::stdout();
    if stdout.is_terminal() {
        let _ = write!(stdout, "\u{1b}]0;{}\u{7}", printable(title));
        let _ = stdout.flush();
    }
}

/// A session in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    name: String,
    state: &'static str,
}

/// The sessions that zellij lists: the current one first, then the others that live, then those that have ended.
fn candidates(listing: &str) -> Vec<Candidate> {
    let candidate = |line: &str| {
        let (name, rest) = line.split_once(" [Created")?;
        let state = match () {
            () if rest.contains("(current)") => "CURRENT",
            () if rest.contains("(EXITED") => "EXITED",
            () => "ACTIVE",
        };
        Some(Candidate { name: name.trim().to_owned(), state }).filter(|it| !it.name.is_empty())
    };
    let mut all: Vec<Candidate> = listing.lines().filter_map(candidate).collect();
    all.sort_by_key(|it| ["CURRENT", "ACTIVE", "EXITED"].iter().position(|state| *state == it.state));
    all
}

/// What zellij says, here or there.
fn zellij(words: &[&str], host: Option<&str>) -> Result<String, String> {
    let output = match host {
        None => Program::new("zellij").args(words).output().map_err(|error| format!("cannot start zellij: {error}"))?,
        Some(host) => {
            let words: Vec<String> = ["zellij"].iter().chain(words).map(|word| (*word).to_owned()).collect();
            hosts::ask(host, 8, &hosts::quoted(&words))?
        }
    };
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Lets a person choose a session, or type the name of a new one; `None`: none was chosen.
fn choose(host: Option<&str>, world: &Observer) -> Result<Option<String>, String> {
    if !has_program("fzf", world) {
        return Err("fzf is not on PATH, so there is no list to choose from; say which session".to_owned());
    }
    loop {
        let all = candidates(&zellij(&["list-sessions", "--reverse", "--no-formatting"], host)?);
        let Some(picked) = picked(&all)? else { return Ok(None) };
        match picked {
            Picked::Again => {}
            Picked::Session(name) => return Ok(Some(name)),
            Picked::Delete(name) => {
                let has_ended = all.iter().any(|it| it.name == name && it.state == "EXITED");
                if has_ended && is_sure(&name) {
                    zellij(&["delete-session", &name], host)?;
                }
            }
        }
    }
}

/// What a person did in the list.
#[derive(Debug, PartialEq, Eq)]
enum Picked {
    Session(String),
    Delete(String),
    Again,
}

fn picked(all: &[Candidate]) -> Result<Option<Picked>, String> {
    let rows: String = all.iter().map(|it| format!("{}\t{} {}\n", it.name, it.state, printable(&it.name))).collect();
    let header = "Enter opens, or makes what was typed · Ctrl-K deletes one that has ended · Ctrl-R looks again";
    let mut fzf = Program::new("fzf")
        .args(["--print-query", "--expect=ctrl-k,ctrl-r", "--delimiter=\t", "--with-nth=2", "--header", header])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start fzf: {error}"))?;
    if let Some(mut stdin) = fzf.stdin.take() {
        let _ = stdin.write_all(rows.as_bytes());
    }
    let output = fzf.wait_with_output().map_err(|error| format!("fzf failed: {error}"))?;
    Ok(understood(output.status.code(), &String::from_utf8_lossy(&output.stdout)))
}

/// What the answer of fzf means: what was typed, the key, the row.
fn understood(code: Option<i32>, said: &str) -> Option<Picked> {
    let mut lines = said.lines();
    let (typed, key, row) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next());
    let name = row.and_then(|row| row.split('\t').next()).map(str::to_owned);
    match (code, key, name) {
        // Nothing in the list is like what was typed.
        (Some(1), "", None) if !typed.trim().is_empty() => Some(Picked::Session(typed.trim().to_owned())),
        (Some(0 | 1), "ctrl-r", _) | (Some(0 | 1), "ctrl-k", None) => Some(Picked::Again),
        (Some(0), "ctrl-k", Some(name)) => Some(Picked::Delete(name)),
        (Some(0), "", Some(name)) => Some(Picked::Session(name)),
        _ => None,
    }
}

fn is_sure(name: &str) -> bool {
    let out = Streams::new(&Globals::guess(&[]));
    out.stderr(&format!("Delete {}? [y/N] ", printable(name)));
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    matches!(line.trim(), "y" | "Y" | "yes")
}

/// The names that links are made for.
pub(super) const NAMES: [&str; 13] = [
    "work-here",
    "work-ml",
    "work-ml-ssh",
    "work-ml-mosh",
    "work-arya",
    "work-arya-ssh",
    "work-arya-mosh",
    "work-agent",
    "work-agent-ssh",
    "work-agent-mosh",
    "mml",
    "marya",
    "magent",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_and_how() {
        let there = |host: &str, transport| Some(Work::There(host.to_owned(), transport));
        for (name, expected) in [
            ("work-here", Some(Work::Here)),
            ("work-ml", there("ml", Transport::Any)),
            ("work-ml-ssh", there("ml", Transport::Ssh)),
            ("work-my-box-mosh", there("my-box", Transport::Mosh)),
            ("work-my-box", there("my-box", Transport::Any)),
            ("mml", Some(Work::Shell("ml".to_owned()))),
            ("work-", None),
            ("work-zellij", None),
            ("m", None),
            ("headcount", None),
        ] {
            assert_eq!(Work::of(name), expected, "{name}");
        }
        for host in ["ml", "arya", "agent"] {
            let names = [format!("work-{host}"), format!("work-{host}-ssh"), format!("work-{host}-mosh"), format!("m{host}")];
            assert!(names.iter().all(|name| NAMES.contains(&name.as_str())), "{host}");
        }
    }

    #[test]
    fn no_name_of_a_session_is_a_word_of_the_shell_there() {
        let words = ["zellij", "attach", "--create", "a b; $(touch x)"].map(str::to_owned);
        assert_eq!(ssh("h", &words), ["ssh", "-t", "--", "h", "zellij attach --create 'a b; $(touch x)'"]);
        assert_eq!(mosh("h", &words), ["mosh", "--", "h", "zellij", "attach", "--create", "a b; $(touch x)"]);
        assert_eq!(ssh("h", &[]), ["ssh", "-t", "--", "h"]);
    }

    #[test]
    fn sessions_are_listed_with_what_they_are() {
        let listing = "old [Created 2h ago] (EXITED - attach to resurrect)\na b [Created 1s ago] \nme [Created 3s ago] (current)\nNo active\n";
        let all = candidates(listing);
        let seen: Vec<_> = all.iter().map(|it| (it.name.as_str(), it.state)).collect();
        assert_eq!(seen, [("me", "CURRENT"), ("a b", "ACTIVE"), ("old", "EXITED")]);
        assert!(candidates("No active zellij sessions found.").is_empty());
    }

    #[test]
    fn what_was_picked_is_opened_and_what_was_only_typed_is_made() {
        let session = |name: &str| Some(Picked::Session(name.to_owned()));
        for (code, said, expected) in [
            (0, "q\n\na b\tACTIVE a b\n", session("a b")),
            (1, "new one\n\n", session("new one")),
            (1, "\n\n", None),
            (130, "", None),
            (0, "\nctrl-k\nold\tEXITED old\n", Some(Picked::Delete("old".to_owned()))),
            (0, "\nctrl-r\nold\tEXITED old\n", Some(Picked::Again)),
            (1, "x\nctrl-k\n", Some(Picked::Again)),
        ] {
            assert_eq!(understood(Some(code), said), expected, "{code} {said:?}");
        }
    }
}
