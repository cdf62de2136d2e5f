//! The rows of `list-panes -a`: the format asked for and its parser. Pure: bytes in, a server out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::DateTime;

use crate::core::fact::Fact;
use crate::core::observe::{MuxSession, Pane, Server};

/// What every row holds: fields that cannot hold the separator, then the session's name by its length in bytes, because a
/// name may hold anything. `#{n:…}` came with tmux 3.1. cwd and command are not asked for: tmux would read `/proc` for each
/// pane while it serves nobody else. It takes a microsecond for each field of each row, so how a process ended is asked for only
/// where one did.
pub(super) const ROW: &str = "#{session_id}|#{session_created}|#{pane_id}|#{pane_pid}|\
    #{?pane_dead,1|#{pane_dead_status}|#{pane_dead_signal},0||}|#{n:session_name}:#{session_name}";

/// What every row of titles holds, its title by its length.
pub(super) const TITLES: &str = "#{session_id}|#{pane_id}|#{n:pane_title}:#{pane_title}";

/// What a server says of itself, before the rows and where there are none.
pub(super) const GREETING: &str = "#{version}|#{pid}";

/// The oldest tmux whose answers are believed.
const OLDEST: (u32, u32) = (3, 2);

/// Why the rows cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowsError {
    #[error("tmux {0} is older than 3.2")]
    TooOld(String),
    #[error("tmux does not report its version, so it is older than 3.2")]
    NoVersion,
    #[error("tmux printed nothing")]
    Nothing,
    #[error("cannot parse tmux's answer at byte {0}")]
    Malformed(usize),
}

/// A server that greeted and then listed nothing.
pub(super) fn without_sessions(text: &[u8]) -> Option<Server> {
    let (server, end) = greeting(text).ok()?;
    (end == text.len()).then_some(server)
}

/// The server that says this of itself, without its sessions, and where that ends.
fn greeting(text: &[u8]) -> Result<(Server, usize), RowsError> {
    let malformed = RowsError::Malformed(0);
    let end = text.iter().position(|byte| *byte == b'\n').ok_or(malformed.clone())?;
    let line = std::str::from_utf8(&text[..end]).ok().and_then(|line| line.split_once('|'));
    let (version, pid) = line.ok_or(malformed.clone())?;
    // A tmux too old for the fields leaves them empty: say that rather than that they are odd.
    supported(version)?;
    Ok((Server { pid: Some(pid.parse().map_err(|_| malformed)?), version: version.to_owned(), ..Server::default() }, end + 1))
}

/// Parses a greeting and rows. None at all is no answer: a server without sessions fails to list its panes.
pub(super) fn parse(text: &[u8]) -> Result<Server, RowsError> {
    if text.is_empty() {
        return Err(RowsError::Nothing);
    }
    let (mut server, mut at) = greeting(text)?;
    if at == text.len() {
        return Err(RowsError::Nothing);
    }
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    while at < text.len() {
        let row = Row::read(text, at)?;
        at = row.end;
        let place = *places.entry(row.session_id.as_bytes()).or_insert_with(|| {
            server.sessions.push(Arc::new(MuxSession {
                id: row.session_id.to_owned(),
                name: String::from_utf8_lossy(row.name).into_owned(),
                created: DateTime::from_timestamp(row.created, 0),
                process: None,
                panes: Vec::new(),
            }));
            server.sessions.len() - 1
        });
        let panes = &mut Arc::make_mut(&mut server.sessions[place]).panes;
        // A window linked twice into one session shows its panes twice.
        if !panes.iter().any(|pane| pane.id == row.pane_id) {
            panes.push(Arc::new(row.pane()));
        }
    }
    Ok(server)
}

/// Parses the rows of titles; `None` if any reads unlike one.
pub(super) fn parse_titles(text: &[u8]) -> Option<BTreeMap<(String, String), String>> {
    let mut titles = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (session, pane, title) = short_row(&mut rest)?;
        (session.starts_with('$') && pane.starts_with('%')).then_some(())?;
        titles.insert((session.to_owned(), pane.to_owned()), title);
    }
    Some(titles)
}

/// Takes a row of two fields and a text by its length in bytes off what is left.
fn short_row<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a str, String)> {
    let mut field = |stop: u8| {
        let (field, more) = rest.split_at_checked(rest.iter().position(|byte| *byte == stop)?)?;
        *rest = &more[1..];
        std::str::from_utf8(field).ok()
    };
    let (first, second, len) = (field(b'|')?, field(b'|')?, field(b':')?);
    let (text, more) = rest.split_at_checked(len.parse().ok()?)?;
    *rest = more.strip_prefix(b"\n")?;
    Some((first, second, String::from_utf8_lossy(text).into_owned()))
}

/// One row, borrowed from the answer.
struct Row<'a> {
    session_id: &'a str,
    created: i64,
    pane_id: &'a str,
    pane_pid: u32,
    dead: bool,
    status: &'a str,
    signal: &'a str,
    name: &'a [u8],
    end: usize,
}

impl<'a> Row<'a> {
    fn read(text: &'a [u8], start: usize) -> Result<Self, RowsError> {
        let mut at = start;
        let mut until = |stop: u8| {
            let rest = &text[at..];
            let len = rest.iter().position(|byte| *byte == stop || *byte == b'\n').filter(|len| rest[*len] == stop);
            let field = len.and_then(|len| std::str::from_utf8(&rest[..len]).ok()).ok_or(RowsError::Malformed(at));
            at += len.map_or(0, |len| len + 1);
            field
        };
        let number = |field: &str| field.parse().map_err(|_| RowsError::Malformed(start));
        let session_id = until(b'|')?;
        let created = until(b'|')?.parse().map_err(|_| RowsError::Malformed(start))?;
        let pane_id = until(b'|')?;
        let pane_pid = number(until(b'|')?)?;
        let dead = until(b'|')? == "1";
        let status = until(b'|')?;
        let signal = until(b'|')?;
        let len: usize = until(b':')?.parse().map_err(|_| RowsError::Malformed(start))?;
        let end = at.checked_add(len).filter(|end| text.get(*end) == Some(&b'\n')).ok_or(RowsError::Malformed(at))?;
        if !session_id.starts_with('$') || !pane_id.starts_with('%') {
            return Err(RowsError::Malformed(start));
        }
        let name = &text[at..end];
        Ok(Self { session_id, created, pane_id, pane_pid, dead, status, signal, name, end: end + 1 })
    }

    fn pane(&self) -> Pane {
        Pane {
            id: self.pane_id.to_owned(),
            pid: (self.pane_pid != 0).then_some(self.pane_pid),
            dead: self.dead.then(|| ending(self.status, self.signal)),
            runs: String::new(),
            agents: Fact::Absent,
            unread: None,
        }
    }
}

/// How the process of a dead pane ended. tmux up to 3.5a may never learn it.
fn ending(status: &str, signal: &str) -> String {
    match (status, signal) {
        ("", "") => "exit status unknown".to_owned(),
        ("", signal) => format!("killed by signal {signal}"),
        (status, _) => format!("exit status {status}"),
    }
}

/// Versions read `3.3a`, `next-3.6`, `3.2-rc2`; builds of `master` and OpenBSD's own are taken for new.
pub(super) fn supported(version: &str) -> Result<(), RowsError> {
    if version.is_empty() {
        return Err(RowsError::NoVersion);
    }
    let Some(digits) =
        version.strip_prefix("next-").or(Some(version)).filter(|it| it.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return Ok(());
    };
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST { Err(RowsError::TooOld(version.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const GREETED: &str = "3.3a|77\n";

    fn row(session: &str, pane: &str, dead: &str, name: &str) -> String {
        format!("{session}|1795248601|{pane}|9333|{dead}|{}:{name}\n", name.len())
    }

    fn listed(rows: &[String]) -> String {
        format!("{GREETED}{}", rows.concat())
    }

    #[test]
    fn a_name_may_hold_anything_because_it_is_read_by_length() {
        let names = ["plain", "a|b", "漢字 é", "two\nlines", "12:x", "", "tail\\", "\u{1b}[31m"];
        let rows: Vec<_> = names.iter().enumerate().map(|(n, name)| row(&format!("${n}"), "%1", "0||", name)).collect();
        let server = parse(listed(&rows).as_bytes()).unwrap();
        assert_eq!(server.sessions.iter().map(|session| session.name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!((server.pid, server.version.as_str()), (Some(77), "3.3a"));
        assert_eq!(server.sessions[0].created.unwrap().timestamp(), 1_795_248_601);
    }

    #[test]
    fn panes_are_told_apart_and_a_window_linked_twice_counts_once() {
        let rows = [
            row("$1", "%1", "0||", "a"),
            row("$2", "%1", "0||", "b"),
            row("$1", "%2", "1|3|", "a"),
            row("$1", "%1", "0||", "a"),
        ];
        let server = parse(listed(&rows).as_bytes()).unwrap();
        let panes: Vec<Vec<_>> =
            server.sessions.iter().map(|it| it.panes.iter().map(|pane| pane.id.as_str()).collect()).collect();
        assert_eq!(panes, [vec!["%1", "%2"], vec!["%1"]]);
    }

    #[test]
    fn a_dead_pane_says_how_it_ended_or_that_nobody_knows() {
        for (fields, expected) in [
            ("0||", None),
            ("1|7|", Some("exit status 7")),
            ("1||9", Some("killed by signal 9")),
            ("1||", Some("exit status unknown")),
        ] {
            let server = parse(listed(&[row("$1", "%1", fields, "a")]).as_bytes()).unwrap();
            assert_eq!(server.sessions[0].panes[0].dead.as_deref(), expected);
        }
    }

    #[test]
    fn an_answer_that_does_not_read_right_is_never_half_believed() {
        let good = listed(&[row("$1", "%1", "0||", "a")]);
        for odd in [
            "no server running\n".to_owned(),
            good.trim_end().to_owned(),
            good.replace("1:a", "9:a"),
            good.replace("1:a", "0:a"),
            good.replace("$1", "1"),
            good.replace("|9333|", "||"),
            format!("{good}{}", row("$1", "%1", "0|", "a")),
            good.replace("0||", "0|||"),
            good.replace("|77", ""),
            good.replace("77", ""),
            format!("{good}{GREETED}"),
        ] {
            assert!(matches!(parse(odd.as_bytes()), Err(RowsError::Malformed(_))), "{odd:?}");
        }
        assert_eq!(parse(b"").unwrap_err(), RowsError::Nothing);
        assert_eq!(parse(GREETED.as_bytes()).unwrap_err(), RowsError::Nothing);
    }

    #[test]
    fn a_server_is_empty_only_if_it_showed_itself_and_listed_nothing() {
        let server = without_sessions(b"3.3a|77\n").unwrap();
        assert_eq!((server.pid, server.version.as_str(), server.sessions.len()), (Some(77), "3.3a", 0));
        for odd in ["", "\n", "|\n", "3.3a|\n", "3.3a|77", "|77\n", "2.6|77\n", "3.3a|77\n$0\n", "access not allowed\n"] {
            assert_eq!(without_sessions(odd.as_bytes()), None, "{odd:?}");
        }
    }

    #[test]
    fn a_title_may_hold_anything_and_no_row_but_its_own() {
        let row = |session: &str, pane: &str, title: &str| format!("{session}|{pane}|{}:{title}\n", title.len());
        let sly = "x\n$2|%2|1:y";
        let text = [row("$1", "%1", sly), row("$2", "%2", "\u{273b} 漢"), row("$2", "%3", "")].concat();
        let titles = parse_titles(text.as_bytes()).unwrap();
        let of = |session: &str, pane: &str| titles.get(&(session.to_owned(), pane.to_owned())).map(String::as_str);
        assert_eq!((of("$1", "%1"), of("$2", "%2"), of("$2", "%3")), (Some(sly), Some("\u{273b} 漢"), Some("")));
        for odd in ["x\n", "1|%1|1:a\n", "$1|1|1:a\n", "$1|%1|9:a\n", "$1|%1|1:a", "$1|%1|0:a\n"] {
            assert_eq!(parse_titles(odd.as_bytes()), None, "{odd:?}");
        }
        assert_eq!(parse_titles(b""), Some(BTreeMap::new()));
    }

    #[test]
    fn an_old_tmux_is_named_as_such() {
        for (version, old) in [
            ("2.9a", true),
            ("3.1c", true),
            ("1.8", true),
            ("3.2", false),
            ("3.2-rc2", false),
            ("3.10", false),
            ("next-3.6", false),
            ("next-3.1", true),
            ("master", false),
            ("openbsd-7.5", false),
        ] {
            let text = listed(&[row("$1", "%1", "0||", "a")]).replace("3.3a", version);
            assert_eq!(parse(text.as_bytes()).is_err(), old, "{version}");
        }
        assert_eq!(parse(b"2.6||$1\n").unwrap_err().to_string(), "tmux 2.6 is older than 3.2");
        assert_eq!(parse(b"||$1\n").unwrap_err(), RowsError::NoVersion);
    }
}
