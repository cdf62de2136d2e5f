//! Single panes of a tmux server, as somebody names them: finds one, lists them all, reads what one shows. Changes nothing.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::command::{Beside, run};
use super::probe::last_words;
use crate::host::{CommandOutput, Host};

/// What identifies a pane, and the session that tmux finds it in. The name of that may hold anything and stands last.
const FOUND: &str =
    "#{pid}|#{pane_id}|#{pane_pid}|#{window_index}.#{pane_index}|#{n:@name}:#{@name}|#{n:session_name}:#{session_name}";

/// A row of a list; the texts of people by their length in bytes.
const ROW: &str = "#{pane_id}|#{pane_pid}|#{pane_width}x#{pane_height}|#{window_index}\
    |#{n:session_name}:#{session_name}|#{n:@name}:#{@name}|#{n:pane_current_path}:#{pane_current_path}";

/// One pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPane {
    /// The process of its server.
    pub server: u32,
    /// Its id.
    pub id: String,
    /// The process it was made for.
    pub pid: u32,
    /// Its window and its number there, as `0.1`.
    pub place: String,
    /// The label that somebody gave it; empty: none.
    pub label: String,
    /// The session that shows it.
    pub session: String,
}

/// A pane in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPane {
    /// Its id.
    pub id: String,
    /// The process it was made for.
    pub pid: u32,
    /// Its columns and lines, as `80x24`.
    pub size: String,
    /// The number of its window.
    pub window: String,
    /// The session that shows it.
    pub session: String,
    /// The label that somebody gave it; empty: none.
    pub label: String,
    /// The directory that what runs in it is in.
    pub cwd: String,
}

/// What is left of an answer while it is read.
struct Answer<'a>(&'a [u8]);

impl Answer<'_> {
    fn field(&mut self) -> Option<String> {
        self.until(b'|')
    }

    /// A text behind its length in bytes, and what ends it.
    fn text(&mut self, end: u8) -> Option<String> {
        let length = self.until(b':')?.parse().ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.strip_prefix(&[end])?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn until(&mut self, end: u8) -> Option<String> {
        let (field, rest) = self.0.split_at_checked(self.0.iter().position(|byte| *byte == end)?)?;
        self.0 = &rest[1..];
        String::from_utf8(field.to_vec()).ok()
    }
}

fn ask(host: &dyn Host, socket: &Path, words: &[&str]) -> Result<CommandOutput, String> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    run(host, socket, &words, Beside { deadline: Duration::from_secs(5), ..Beside::default() })
}

const ODD: &str = "tmux gave an answer that headcount does not understand";

fn named(answer: &mut Answer<'_>) -> Option<NamedPane> {
    let (server, id, pid, place) = (answer.field()?, answer.field()?, answer.field()?, answer.field()?);
    let (label, session) = (answer.text(b'|')?, answer.text(b'\n')?);
    Some(NamedPane { server: server.parse().ok()?, id, pid: pid.parse().ok()?, place, label, session })
}

/// The pane that tmux means by a word. `None`: it means none.
///
/// # Errors
/// One line.
pub fn find(host: &dyn Host, socket: &Path, target: &str) -> Result<Option<NamedPane>, String> {
    // tmux takes a semicolon at the end for that of a command.
    if target.ends_with(';') || target.chars().any(char::is_control) {
        return Ok(None);
    }
    // A message is also shown about another pane than the one that is not there; what is on a pane is not.
    let one = ["capture-pane", "-p", "-t", target, "-S", "0", "-E", "0"];
    let output = ask(host, socket, &[&one[..], &[";", "display-message", "-p", "-t", target, FOUND]].concat())?;
    if !output.is_success() {
        let is_gone = output.stderr.starts_with(b"can't find") || output.stderr.starts_with(b"no such");
        return if is_gone { Ok(None) } else { Err(last_words(&output)) };
    }
    let mut answer = Answer(&output.stdout);
    let found = answer.until_line_end().and_then(|()| named(&mut answer)).ok_or_else(|| ODD.to_owned())?;
    Ok(Some(found).filter(|found| !target.starts_with('%') || found.id == target))
}

impl Answer<'_> {
    /// Leaves out a line that may hold anything.
    fn until_line_end(&mut self) -> Option<()> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        self.0 = &self.0[end + 1..];
        Some(())
    }
}

/// All panes, in tmux's order.
///
/// # Errors
/// One line.
pub fn all(host: &dyn Host, socket: &Path) -> Result<Vec<ListedPane>, String> {
    let output = ask(host, socket, &["list-panes", "-a", "-F", ROW])?;
    if !output.is_success() {
        return Err(last_words(&output));
    }
    listed(&output.stdout).ok_or_else(|| ODD.to_owned())
}

fn listed(text: &[u8]) -> Option<Vec<ListedPane>> {
    let (mut answer, mut panes) = (Answer(text), Vec::new());
    while !answer.0.is_empty() {
        panes.push(ListedPane {
            id: answer.field()?,
            pid: answer.field()?.parse().ok()?,
            size: answer.field()?,
            window: answer.field()?,
            session: answer.text(b'|')?,
            label: answer.text(b'|')?,
            cwd: answer.text(b'\n')?,
        });
    }
    Some(panes)
}

/// What a pane shows, and so many lines above that; lines that were broken at its edge are whole again. Beside it the pane, as it was in
/// that moment. `None`: it is not there.
///
/// # Errors
/// One line.
pub fn read(host: &dyn Host, socket: &Path, pane: &str, lines: u32) -> Result<Option<(NamedPane, String)>, String> {
    let start = format!("-{lines}");
    let message = ["display-message", "-p", "-t", pane, FOUND, ";", "capture-pane", "-p", "-J", "-t", pane, "-S", &start];
    let output = ask(host, socket, &message)?;
    let mut answer = Answer(&output.stdout);
    let found = named(&mut answer).filter(|found| output.is_success() && found.id == pane);
    Ok(found.map(|found| (found, String::from_utf8_lossy(answer.0).into_owned())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_whatever_their_texts_hold() {
        let rows = b"%0|12|80x24|0|5:a b|c|7:\xc3\xa9|x\n:4|4:/tmp\n%3|13|9x9|1|1:s|0:|0:\n";
        let panes = listed(rows).unwrap();
        let short = |pane: &ListedPane| (pane.id.clone(), pane.session.clone(), pane.label.clone(), pane.cwd.clone());
        assert_eq!(short(&panes[0]), ("%0".into(), "a b|c".into(), "é|x\n:4".into(), "/tmp".into()));
        assert_eq!(short(&panes[1]), ("%3".into(), "s".into(), String::new(), String::new()));
        assert_eq!(listed(b"%0|12|80x24|0|9:s|0:|0:\n"), None);
        let mut answer = Answer(b"7|%1|8|0.1|0:|3:a\nb\nrest");
        let pane = named(&mut answer).unwrap();
        assert_eq!((pane.server, pane.pid, pane.session.as_str(), answer.0), (7, 8, "a\nb", &b"rest"[..]));
    }
}
