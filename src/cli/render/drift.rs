//! `diff` and `record` for people: the drifts of each session as a plan, and the line that counts them. Decides nothing.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::asked::Question;
use super::{Style, Terminal, by_class, class_style, hanging, plural, status};
use crate::core::drift::Class;
use crate::core::ids::SessionKey;
use crate::core::report::{DriftReport, DriftState, Report};
use crate::core::text::{printable, stamp};

/// What is done about the drifts shown, which decides the words of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Only looking: what *would* be recorded.
    Looking,
    /// Recording: what *was*.
    Recording,
}

/// How much is said of each drift beside its class and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detail {
    /// What it rests on.
    pub(crate) evidence: bool,
    /// The values that change.
    pub(crate) edits: bool,
}

/// The plan: a heading per session, below it a line per drift, in the order of the report.
pub(crate) fn plan(report: &Report, detail: Detail, look: &Terminal) -> String {
    let mut sessions: Vec<(&SessionKey, Vec<&DriftReport>)> = Vec::new();
    let mut places: HashMap<&SessionKey, usize> = HashMap::new();
    for drift in &report.drifts {
        let place = *places.entry(&drift.session).or_insert(sessions.len());
        match sessions.get_mut(place) {
            Some((_, drifts)) => drifts.push(drift),
            None => sessions.push((&drift.session, vec![drift])),
        }
    }
    let widest = report.drifts.iter().map(|drift| drift.class.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (session, drifts) in sessions {
        heading(&mut text, session, &drifts, look);
        for drift in drifts {
            line(&mut text, drift, widest, detail, look);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The last line: how many drifts of which class, and what to do next. Then what could not be told.
pub(crate) fn count(report: &Report, doing: Doing, asked: Question, look: &Terminal) -> String {
    let counted = || report.drifts.iter().filter(|drift| drift.state != DriftState::Ignored);
    let total = counted().count();
    let mut text = String::new();
    if total > 0 {
        let what = format!("{}: {}.", plural(total, "drift", "drifts"), by_class(counted().map(|drift| drift.class)));
        let next = next(report, doing);
        // On a terminal too narrow for both, what to do next begins a line of its own.
        let apart = if fits(what.width() + 1 + next.width(), look) { ' ' } else { '\n' };
        let _ = writeln!(text, "{}{apart}{next}", hanging(&what, 0, Style::Strong, look));
    } else if report.in_sync {
        let counts = report.counts;
        if asked == Question::Selected && counts.declared == 0 {
            text.push_str("No matching session is judged here. Nothing to record.\n");
            return text;
        }
        let words = match asked {
            Question::Everything => "In sync:",
            Question::Selected => "Nothing selected has drifted:",
        };
        let good = look.paint(Style::Good, words);
        let _ = writeln!(text, "{good} {} declared, {} running. Nothing to record.", counts.declared, counts.running);
    } else {
        text.push_str("No drift seen, but something is unknown.\n");
    }
    text.push_str(&status::unknown(&report.unknown, look));
    text
}

/// What happens next to the drifts, in one sentence or two.
fn next(report: &Report, doing: Doing) -> String {
    let number = |state: DriftState| report.drifts.iter().filter(|drift| drift.state == state).count();
    let (pending, settling) = (number(DriftState::Pending), number(DriftState::Settling));
    let (applied, refused) = (number(DriftState::Applied), number(DriftState::Refused));
    let mut said = Vec::new();
    if applied > 0 {
        said.push(format!("Recorded {applied}."));
    }
    if pending > 0 {
        let total = report.drifts.iter().filter(|drift| drift.state != DriftState::Ignored).count();
        let which = match (pending == total, pending) {
            (true, 1) => "it".to_owned(),
            (true, _) => "them".to_owned(),
            (false, _) => format!("{pending} of them"),
        };
        said.push(match doing {
            Doing::Looking => format!("Run `headcount record` to record {which}."),
            Doing::Recording => format!("Not recorded (dry run): {pending}."),
        });
    }
    if refused > 0 {
        said.push(format!("Refused {refused}; nothing was changed for {}.", if refused == 1 { "it" } else { "them" }));
    }
    if settling > 0 {
        said.push(format!("{settling} still settling."));
    }
    if said.is_empty() {
        said.push("Only flagged; nothing to record.".to_owned());
    }
    said.join(" ")
}

fn heading(text: &mut String, session: &SessionKey, drifts: &[&DriftReport], look: &Terminal) {
    let (mark, style) = mark(drifts);
    let whole = session.to_string();
    let place = whole.strip_prefix(session.name.as_str()).unwrap_or_default();
    let name = look.paint(Style::Strong, &printable(&session.name));
    let _ = writeln!(text, "{} {name}{}", look.paint(style, mark), look.paint(Style::Dim, &printable(place)));
}

/// Where the class of a drift begins, below its session.
const CLASS: usize = 4;

fn line(text: &mut String, drift: &DriftReport, widest: usize, detail: Detail, look: &Terminal) {
    let indent = CLASS + widest + 2;
    let name = printable(&drift.session.name);
    let mut message = drift.message.strip_prefix(&format!("{name}: ")).unwrap_or(&drift.message).to_owned();
    if let Some(state) = state(drift) {
        let _ = write!(message, " ({state})");
    }
    let class = drift.class.as_str();
    let padding = " ".repeat(widest.saturating_sub(class.len()) + 2);
    let class = look.paint(class_style(drift.class), class);
    let _ = writeln!(text, "{:CLASS$}{class}{padding}{}", "", hanging(&message, indent, Style::Plain, look));
    if detail.evidence {
        for evidence in &drift.evidence {
            let line = format!("{}: {}", evidence.source, evidence.fact);
            let _ = writeln!(text, "{:indent$}{}", "", hanging(&line, indent, Style::Dim, look));
        }
    }
    if detail.edits {
        for edit in &drift.edits {
            change(text, &printable(within_entry(&edit.path)), &edit.from, &edit.to, Place { indent, look });
        }
    }
}

/// What is done about a session: `+` a new entry, `-` the session is gone, `~` the entry changes, `!` only shown.
fn mark(drifts: &[&DriftReport]) -> (&'static str, Style) {
    let written =
        |drift: &&&DriftReport| matches!(drift.state, DriftState::Pending | DriftState::Settling | DriftState::Applied);
    let is = |class: Class| drifts.iter().filter(written).any(|drift| drift.class == class);
    if is(Class::Unregistered) {
        ("+", Style::Good)
    } else if is(Class::Dead) {
        ("-", Style::Bad)
    } else if drifts.iter().filter(written).any(|drift| !drift.edits.is_empty()) {
        ("~", Style::Warn)
    } else if drifts.iter().any(|drift| drift.state != DriftState::Ignored) {
        ("!", Style::Warn)
    } else {
        (" ", Style::Dim)
    }
}

/// What is to be said of its state, unless the message says it.
fn state(drift: &DriftReport) -> Option<String> {
    match drift.state {
        DriftState::Pending | DriftState::Applied => None,
        DriftState::Flagged => Some("flagged".to_owned()),
        DriftState::Ignored => Some("ignored".to_owned()),
        DriftState::Settling => {
            Some(drift.settles_at.map_or_else(|| "settling".to_owned(), |at| format!("settling until {}", stamp(at))))
        }
        DriftState::Refused => {
            Some(drift.refusal.as_ref().map_or_else(|| "refused".to_owned(), |why| format!("refused: {why}")))
        }
    }
}

/// Where edits are shown.
#[derive(Clone, Copy)]
struct Place<'a> {
    indent: usize,
    look: &'a Terminal,
}

impl Place<'_> {
    /// Whether so many columns are there, after the indent and the mark.
    fn has(self, width: usize) -> bool {
        fits(self.indent + 2 + width, self.look)
    }
}

/// One line per value that changes: of two mappings only the keys that differ, of a new entry each key.
fn change(text: &mut String, path: &str, from: &Value, to: &Value, place: Place<'_>) {
    let Place { indent, look } = place;
    match (from, to) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = new.keys().chain(old.keys().filter(|key| !new.contains_key(*key)));
            for key in keys {
                let (from, to) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                if from != to {
                    change(text, &join(path, key), from, to, place);
                }
            }
        }
        (Value::Null, Value::Object(fields)) if path.is_empty() || !place.has(path.width() + 2 + shown(to).width()) => {
            for (key, value) in fields {
                change(text, &join(path, key), &Value::Null, value, place);
            }
        }
        (Value::Null, to) => {
            let _ = writeln!(text, "{:indent$}{} {path}: {}", "", look.paint(Style::Good, "+"), shown(to));
        }
        (from, to) => {
            let (mark, arrow) = (look.paint(Style::Warn, "~"), look.paint(Style::Dim, "→"));
            let (from, to) = (shown(from), shown(to));
            let whole = place.has(path.width() + from.width() + to.width() + 5);
            let apart = if whole { " ".to_owned() } else { format!("\n{:1$}", "", indent + 4) };
            let _ = writeln!(text, "{:indent$}{mark} {path}: {from}{apart}{arrow} {to}", "");
        }
    }
}

fn fits(width: usize, look: &Terminal) -> bool {
    look.width.is_none_or(|available| width <= available)
}

fn join(path: &str, key: &str) -> String {
    let key = printable(key);
    if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") }
}

/// The path inside its entry: `status` of `sessions[2].status`; nothing for the entry itself; any other path whole.
fn within_entry(path: &str) -> &str {
    let Some((index, rest)) = path.strip_prefix("sessions[").and_then(|rest| rest.split_once(']')) else { return path };
    if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return path;
    }
    match rest.strip_prefix('.') {
        Some(field) => field,
        None if rest.is_empty() => rest,
        None => path,
    }
}

/// A value as a reader of YAML expects it, on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => printable(text).into_owned(),
        Value::Object(fields) if !fields.is_empty() => {
            let parts: Vec<String> =
                fields.iter().map(|(key, value)| format!("{}: {}", printable(key), shown(value))).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        other => printable(&other.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_within_its_entry() {
        for (path, expected) in [
            ("sessions[2].status", "status"),
            ("sessions[2].pane.pid", "pane.pid"),
            ("sessions[2]", ""),
            ("sessions", "sessions"),
            ("sessions[x].status", "sessions[x].status"),
            ("agent_identities.claude.session_id", "agent_identities.claude.session_id"),
        ] {
            assert_eq!(within_entry(path), expected);
        }
    }

    #[test]
    fn of_a_mapping_only_the_keys_that_differ_are_shown() {
        let look = Terminal { color: false, width: None, tty: false, now: chrono::DateTime::UNIX_EPOCH };
        let from = serde_json::json!({"id": "%7", "pid": 1, "cmd": "claude", "note": "x"});
        let to = serde_json::json!({"id": "%2", "pid": 2, "cmd": "claude", "cwd": "/w"});
        let mut text = String::new();
        change(&mut text, "pane", &from, &to, Place { indent: 8, look: &look });
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        assert_eq!(lines, ["~ pane.id: %7 → %2", "~ pane.pid: 1 → 2", "+ pane.cwd: /w", "~ pane.note: x → null"]);
    }

    #[test]
    fn values_are_shown_on_one_line_and_safely() {
        let value = serde_json::json!({"id": "%3", "pid": 1, "cwd": "/a\n\u{1b}b", "x": null, "l": ["a"]});
        assert_eq!(shown(&value), "{ id: %3, pid: 1, cwd: /a\\n\\u{1b}b, x: null, l: [a] }");
        assert_eq!(shown(&Value::String(String::new())), "\"\"");
    }
}
