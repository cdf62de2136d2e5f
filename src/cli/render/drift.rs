//! `diff` and `reconcile` for people: each drift as a step of a plan, and the line that counts them. Decides nothing.

use std::fmt::Write as _;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::{Look, Style, by_class, class_style, hanging, plural, status};
use crate::core::drift::Class;
use crate::core::report::{DriftReport, EditReport, Report, State};
use crate::core::text::{printable, stamp};

/// What is done about the drifts shown, which decides the words of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Only looking: what *would* be recorded.
    Looking,
    /// Recording: what *was*.
    Recording,
}

/// The steps of the plan, each with its message, its edits and, if it is not simply going to happen, why.
pub(crate) fn plan(report: &Report, look: &Look) -> String {
    let mut text = String::new();
    for drift in &report.drifts {
        step(&mut text, drift, look);
        text.push('\n');
    }
    text
}

/// The last line: how many drifts of which class, and what to do next. Then what could not be told.
pub(crate) fn count(report: &Report, doing: Doing, look: &Look) -> String {
    let counted = || report.drifts.iter().filter(|drift| drift.state != State::Ignored);
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
        let good = look.paint(Style::Good, "In sync:");
        let _ = writeln!(text, "{good} {} declared, {} running. Nothing to record.", counts.declared, counts.running);
    } else {
        text.push_str("No drift seen, but not everything could be told.\n");
    }
    text.push_str(&status::unknown(&report.unknown, look));
    text
}

/// What happens next to the drifts, in one sentence or two.
fn next(report: &Report, doing: Doing) -> String {
    let number = |state: State| report.drifts.iter().filter(|drift| drift.state == state).count();
    let (pending, settling) = (number(State::Pending), number(State::Settling));
    let (applied, refused) = (number(State::Applied), number(State::Refused));
    let mut said = Vec::new();
    if applied > 0 {
        said.push(format!("Recorded {applied}."));
    }
    if pending > 0 {
        let total = report.drifts.iter().filter(|drift| drift.state != State::Ignored).count();
        let which = match (pending == total, pending) {
            (true, 1) => "it".to_owned(),
            (true, _) => "them".to_owned(),
            (false, _) => format!("{pending} of them"),
        };
        said.push(match doing {
            Doing::Looking => format!("Run `headcount reconcile` to record {which}."),
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

fn step(text: &mut String, drift: &DriftReport, look: &Look) {
    let (mark, style) = mark(drift);
    let name = printable(&drift.session.name);
    let server = drift.session.to_string();
    let server = printable(server.strip_prefix(drift.session.name.as_str()).unwrap_or_default()).into_owned();
    let _ = write!(
        text,
        "{} {}{}  {}",
        look.paint(style, mark),
        look.paint(Style::Strong, &name),
        look.paint(Style::Dim, &server),
        look.paint(class_style(drift.class), drift.class.as_str())
    );
    if let Some(state) = state(drift) {
        let _ = write!(text, "  {}", look.paint(Style::Dim, &format!("({})", printable(&state))));
    }
    text.push('\n');
    let message = drift.message.strip_prefix(&format!("{name}: ")).unwrap_or(&drift.message);
    let _ = writeln!(text, "    {}", hanging(message, 4, Style::Plain, look));
    for evidence in &drift.evidence {
        let line = format!("{}: {}", evidence.source, evidence.fact);
        let _ = writeln!(text, "    {}", hanging(&line, 4, Style::Dim, look));
    }
    for edit in &drift.edits {
        edit_lines(text, edit, look);
    }
}

/// `+` a new entry, `~` a changed one, `-` one whose session is gone, `!` only shown.
fn mark(drift: &DriftReport) -> (&'static str, Style) {
    match (drift.state, drift.class) {
        (State::Flagged | State::Refused, _) => ("!", Style::Warn),
        (State::Ignored, _) => (" ", Style::Dim),
        (_, Class::Unregistered) => ("+", Style::Good),
        (_, Class::Dead) => ("-", Style::Bad),
        (_, _) if drift.edits.is_empty() => ("!", Style::Warn),
        (_, _) => ("~", Style::Warn),
    }
}

/// What is to be said of its state, unless it is the plain one of a plan.
fn state(drift: &DriftReport) -> Option<String> {
    match drift.state {
        State::Pending => None,
        State::Applied => Some("recorded".to_owned()),
        State::Flagged => Some("flagged".to_owned()),
        State::Ignored => Some("ignored".to_owned()),
        State::Settling => {
            Some(drift.settles_at.map_or_else(|| "settling".to_owned(), |at| format!("settling until {}", stamp(at))))
        }
        State::Refused => Some(drift.refusal.as_ref().map_or_else(|| "refused".to_owned(), |why| format!("refused: {why}"))),
    }
}

fn edit_lines(text: &mut String, edit: &EditReport, look: &Look) {
    change(text, &printable(within_entry(&edit.path)), &edit.from, &edit.to, look);
}

/// One line per value that changes: of two mappings only the keys that differ, of a new entry each key.
fn change(text: &mut String, path: &str, from: &Value, to: &Value, look: &Look) {
    match (from, to) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = new.keys().chain(old.keys().filter(|key| !new.contains_key(*key)));
            for key in keys {
                let (from, to) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                if from != to {
                    change(text, &join(path, key), from, to, look);
                }
            }
        }
        (Value::Null, Value::Object(fields)) if path.is_empty() || !fits(EDIT + path.width() + 2 + shown(to).width(), look) => {
            for (key, value) in fields {
                change(text, &join(path, key), &Value::Null, value, look);
            }
        }
        (Value::Null, to) => {
            let _ = writeln!(text, "      {} {path}: {}", look.paint(Style::Good, "+"), shown(to));
        }
        (from, to) => {
            let (mark, arrow) = (look.paint(Style::Warn, "~"), look.paint(Style::Dim, "→"));
            let (from, to) = (shown(from), shown(to));
            let apart = if fits(EDIT + path.width() + from.width() + to.width() + 5, look) { " " } else { "\n          " };
            let _ = writeln!(text, "      {mark} {path}: {from}{apart}{arrow} {to}");
        }
    }
}

/// Where the path of an edit begins.
const EDIT: usize = 8;

fn fits(width: usize, look: &Look) -> bool {
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
        let look = Look { color: false, width: None, tty: false, now: chrono::DateTime::UNIX_EPOCH };
        let edit = EditReport {
            path: "sessions[2].pane".to_owned(),
            from: serde_json::json!({"id": "%7", "pid": 1, "cmd": "claude", "note": "x"}),
            to: serde_json::json!({"id": "%2", "pid": 2, "cmd": "claude", "cwd": "/w"}),
        };
        let mut text = String::new();
        edit_lines(&mut text, &edit, &look);
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
