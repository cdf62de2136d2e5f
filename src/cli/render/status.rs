//! `status` for people: the table of sessions and the line that sums it up. Never decides what a session is.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use super::asked::Question;
use super::table::{Cell, Column};
use super::{Style, Terminal, age, class_style, hanging, plural, table};
use crate::core::ids::{MuxKind, ServerKey};
use crate::core::job::{EventKind, JobStatus};
use crate::core::lead::conditions::{Condition, ConditionReport, ConditionSource, headline};
use crate::core::observe::Activity;
use crate::core::report::UnknownReport;
use crate::core::report::status::{CrewRow, JobRow, Observed, SessionRow, StatusReport};
use crate::core::text::printable;

/// A column and how its cell is made.
type Maker<'a> = (Column, Box<dyn Fn(&SessionRow) -> Cell + 'a>);

/// The table and its last lines. `wide` adds columns and cuts nothing.
pub(crate) fn render(report: &StatusReport, asked: Question, wide: bool, look: &Terminal) -> String {
    let mut text = String::new();
    if report.sessions.is_empty() && asked == Question::Selected {
        // No word of being in sync: nothing was looked for in vain by name, but nothing was judged either.
        return format!("No session matches.\n{}", unknown(&report.unknown, look));
    }
    if !report.sessions.is_empty() {
        let makers = columns(report, wide, look);
        let rows: Vec<Vec<Cell>> =
            report.sessions.iter().map(|row| makers.iter().map(|(_, make)| make(row)).collect()).collect();
        let columns: Vec<Column> = makers.into_iter().map(|(column, _)| column).collect();
        let look = if wide { Terminal { width: None, ..*look } } else { *look };
        text.push_str(&table::render(&columns, &rows, &look));
        text.push('\n');
    }
    text.push_str(&summary(report, look));
    text.push_str(&jobs(&report.jobs, look));
    text.push_str(&unknown(&report.unknown, look));
    text
}

/// The jobs that headcount runs.
fn jobs(jobs: &[JobRow], look: &Terminal) -> String {
    if jobs.is_empty() {
        return String::new();
    }
    let columns = [
        Column::new("JOB"),
        Column::new("SESSION").shrinks_to(16, 1).cut_in_the_middle().may_go(2),
        Column::new("STATE"),
        Column::new("ELAPSED").may_go(3),
        Column::new("OUTPUT").shrinks_to(16, 3).may_go(1),
    ];
    let row = |row: &JobRow| {
        let style = match row.state.as_str() {
            "completed" => Style::Good,
            "failed" | "lost" => Style::Bad,
            "waiting" => Style::Warn,
            _ => Style::Plain,
        };
        vec![
            Cell::new(row.job.as_str(), Style::Strong),
            Cell::plain(&row.session.name),
            Cell::new(&row.state, style),
            Cell::plain(&short(row.elapsed)),
            Cell::or_dash(row.last_line.as_deref(), Style::Dim),
        ]
    };
    format!("\n{}", table::render(&columns, &jobs.iter().map(row).collect::<Vec<_>>(), look))
}

/// A number of seconds in its largest whole unit.
pub(crate) fn short(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The names, one a line.
pub(crate) fn names(report: &StatusReport) -> String {
    report.sessions.iter().fold(String::new(), |mut text, row| {
        // What runs on another host is meant by its name there.
        if row.session.host != report.host && row.observed != Observed::Elsewhere {
            let _ = write!(text, "{}:", printable(&row.session.host));
        }
        text.push_str(&printable(&row.session.name));
        text.push('\n');
        text
    })
}

/// What could not be told, and why; nothing if all could.
pub(crate) fn unknown(unknown: &[UnknownReport], look: &Terminal) -> String {
    if unknown.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", look.paint(Style::Warn, "Unknown:"));
    let widest = unknown.iter().map(|item| printable(&item.scope).width()).max().unwrap_or(0);
    for item in unknown {
        let scope = printable(&item.scope);
        let padding = " ".repeat(widest.saturating_sub(scope.width()));
        let _ = writeln!(text, "  {scope}{padding}  {}", hanging(&item.why, widest + 4, Style::Plain, look));
    }
    text
}

fn summary(report: &StatusReport, look: &Terminal) -> String {
    let counts = report.counts;
    let mut parts = vec![format!("{} declared", counts.declared), format!("{} running", counts.running)];
    let waits = |row: &&SessionRow| row.turn == Some(Activity::Waiting) || telling(row) == Some(Condition::NeedsInput);
    let waiting = report.sessions.iter().filter(waits).count();
    if waiting > 0 {
        parts.push(look.paint(Style::Warn, &format!("{waiting} waiting for an answer")));
    }
    if report.in_sync {
        return format!("{}. {}\n", parts.join(", "), look.paint(Style::Good, "In sync."));
    }
    if counts.drifts > 0 {
        parts.push(look.paint(Style::Warn, &plural(counts.drifts, "drift", "drifts")));
    }
    if counts.unknown > 0 {
        parts.push(look.paint(Style::Warn, &format!("{} unknown", counts.unknown)));
    }
    let hint = if counts.drifts > 0 { hint(report) } else { String::new() };
    format!("{}.\n{hint}", parts.join(", "))
}

/// How to see the drifts: each host has its own.
fn hint(report: &StatusReport) -> String {
    let host = |row: &SessionRow| (row.session.host != report.host).then(|| row.session.host.clone());
    let drifted = report.sessions.iter().filter(|row| !row.drifts.is_empty());
    let mut hosts: BTreeSet<Option<String>> = drifted.map(|row| host(row).or_else(|| report.asked_as.clone())).collect();
    if hosts.is_empty() {
        hosts.insert(report.asked_as.clone());
    }
    let command = |host: &Option<String>| match host {
        None => "`headcount diff`".to_owned(),
        Some(host) => format!("`headcount diff -H {}`", printable(host)),
    };
    let commands: Vec<String> = hosts.iter().map(command).collect();
    format!("Run {} to see what would be recorded.\n", commands.join(" and "))
}

fn columns<'a>(report: &'a StatusReport, wide: bool, look: &Terminal) -> Vec<Maker<'a>> {
    let rows = &report.sessions;
    let now = look.now;
    let mut makers: Vec<Maker<'a>> = Vec::new();
    let mut add = |column: Column, make: Box<dyn Fn(&SessionRow) -> Cell + 'a>| makers.push((column, make));

    add(
        Column::new("SESSION").shrinks_to(24, 1).cut_in_the_middle(),
        Box::new(|row| {
            Cell::new(&row.session.name, if row.observed == Observed::Alive { Style::Strong } else { Style::Plain })
        }),
    );
    if rows.iter().any(|row| row.session.mux != MuxKind::Tmux || row.session.server != ServerKey::DEFAULT) {
        // Where only the server tells two rows apart it is the last to go.
        let mut names = HashSet::new();
        let is_telling = rows.iter().any(|row| !names.insert((&row.session.host, &row.session.name)));
        add(
            Column::new("SERVER").shrinks_to(12, 3).cut_in_the_middle().may_go(if is_telling { 1 } else { 5 }),
            Box::new(|row| Cell::new(&row.session.server_key().to_string(), Style::Plain)),
        );
    }
    if rows.iter().any(|row| row.session.host != report.host) {
        add(Column::new("HOST").shrinks_to(6, 3).may_go(1), Box::new(|row| Cell::plain(&row.session.host)));
    }
    add(Column::new("AGENT").may_go(4), Box::new(|row| Cell::plain(row.agent.as_str())));
    add(
        Column::new("DECLARED").may_go(2),
        Box::new(|row| Cell::or_dash(Some(&row.declared).filter(|word| *word != "-").map(String::as_str), Style::Plain)),
    );
    add(Column::new("OBSERVED"), Box::new(move |row| Cell::new(&observed(row, now), observed_style(row))));
    add(
        Column::new("CONVERSATION").shrinks_to(9, 2).may_go(1),
        Box::new(|row| Cell::or_dash(row.session_id.as_ref().map(|id| id.as_str()), Style::Plain)),
    );
    add(Column::new("PROOF").shrinks_to(8, 3).may_go(3), Box::new(|row| Cell::or_dash(row.id_rung.as_deref(), Style::Dim)));
    if rows.iter().any(|row| row.job.is_some()) {
        add(Column::new("JOB").shrinks_to(8, 3).may_go(6), Box::new(job));
    }
    if rows.iter().any(|row| row.crew.is_some()) {
        let crew = |row: &SessionRow| Cell::or_dash(row.crew.as_ref().map(CrewRow::words).as_deref(), Style::Plain);
        add(Column::new("CREW").shrinks_to(8, 3).may_go(7), Box::new(crew));
    }
    add(Column::new("DRIFT"), Box::new(drift));
    if rows.iter().any(|row| row.last_activity.is_some()) {
        add(
            Column::new("ACTIVE").may_go(9),
            Box::new(move |row| Cell::or_dash(row.last_activity.map(|at| age(at, now)).as_deref(), Style::Plain)),
        );
    }
    if rows.iter().any(|row| note(row).is_some()) {
        add(
            Column::new("NOTE").shrinks_to(16, 4).may_go(8),
            Box::new(|row| Cell::new(&note(row).unwrap_or_default(), Style::Dim)),
        );
    }
    if wide {
        add(Column::new("PANE"), Box::new(|row| Cell::or_dash(row.pane.as_deref(), Style::Plain)));
        add(
            Column::new("PID").right(),
            Box::new(|row| Cell::or_dash(row.pid.map(|pid| pid.to_string()).as_deref(), Style::Plain)),
        );
        if rows.iter().any(|row| row.job_event.is_some()) {
            let event = |row: &SessionRow| row.job_event.map(EventKind::as_str);
            add(Column::new("JOB EVENT"), Box::new(move |row| Cell::or_dash(event(row), Style::Plain)));
        }
        add(Column::new("WORKSPACE"), Box::new(|row| Cell::or_dash(row.cwd.as_deref(), Style::Plain)));
        add(Column::new("RESUME"), Box::new(resume));
    }
    makers
}

/// The command that resumes its conversation, or why there is none.
fn resume(row: &SessionRow) -> Cell {
    match (&row.resume, &row.no_resume) {
        (None, Some(why)) => Cell::new(&format!("none: {why}"), Style::Dim),
        (command, _) => Cell::or_dash(command.as_deref(), Style::Plain),
    }
}

/// The job's id and how it is: `abc12345 running`, `abc12345 running, idle`.
fn job(row: &SessionRow) -> Cell {
    let Some(id) = &row.job else { return Cell::or_dash(None, Style::Plain) };
    let waits = row.job_event == Some(EventKind::PermissionRequired) && row.job_status == Some(JobStatus::Running);
    let style = match (row.job_status, row.job_timed_out) {
        (_, Some(_)) | (Some(JobStatus::Error), _) => Style::Warn,
        _ if waits => Style::Warn,
        (Some(JobStatus::Completed), _) => Style::Good,
        (Some(JobStatus::Cancelled) | None, _) => Style::Dim,
        (Some(JobStatus::Pending | JobStatus::Running), _) => Style::Plain,
    };
    let status = row.job_status.map(|status| format!(" {status}")).unwrap_or_default();
    let waits = if waits { ", asks permission" } else { "" };
    let late = row.job_timed_out.map(|how| format!(", {how}")).unwrap_or_default();
    Cell::new(&format!("{id}{status}{waits}{late}"), style)
}

/// Its drifts, those that are ignored in brackets behind those that count.
fn drift(row: &SessionRow) -> Cell {
    let counted = || row.drifts.iter().filter(|class| !row.ignored.contains(class));
    let ignored = row.ignored.iter().map(|class| format!("({class})"));
    let words: Vec<String> = counted().map(|class| class.as_str().to_owned()).chain(ignored).collect();
    Cell::or_dash(Some(words.join(",").as_str()), counted().next().map_or(Style::Dim, |class| class_style(*class)))
}

/// The condition that says more than what was observed, and than what the agent itself says it is doing.
fn telling_report(row: &SessionRow) -> Option<&ConditionReport> {
    use Condition::{AuthFailed, Crashed, Ended, Error, Idle, NeedsInput, RateLimited, Starting, Working};
    let first = headline(&row.conditions)?;
    let says_more = match (row.observed, first.condition) {
        (Observed::Alive, RateLimited | AuthFailed | Error) => true,
        (Observed::Alive, NeedsInput) => row.turn != Some(Activity::Waiting),
        (Observed::Alive, Starting | Working | Idle) => row.turn.is_none(),
        (Observed::Gone | Observed::NoAgent, Crashed) => true,
        // Where the manifest says so, that stands beside it.
        (Observed::Gone, Ended) => first.source != ConditionSource::Manifest,
        _ => false,
    };
    says_more.then_some(first)
}

fn telling(row: &SessionRow) -> Option<Condition> {
    telling_report(row).map(|it| it.condition)
}

/// What was observed, in one word; of an agent that tells what it is doing, that instead, and of an idle one for how long.
fn observed(row: &SessionRow, now: DateTime<Utc>) -> String {
    if let Some(condition) = telling(row) {
        return condition.as_str().to_owned();
    }
    match (row.turn.filter(|_| row.observed == Observed::Alive), row.last_activity) {
        (Some(Activity::Idle), Some(at)) => format!("{} {}", Activity::Idle.as_str(), age(at, now)),
        (Some(turn), _) => turn.as_str().to_owned(),
        (None, _) => row.observed.as_str().to_owned(),
    }
}

/// What is worth saying beside the word: what is waited for, and whatever else there is.
pub(super) fn note(row: &SessionRow) -> Option<String> {
    let held = row.hold.as_ref().map(|held| format!("{} has it in hand", held.holder));
    let told = telling_report(row).filter(|it| !matches!(it.condition, Condition::Working | Condition::Idle));
    let told = told.map(|it| printable(&it.evidence).into_owned());
    let notes: Vec<&str> = [&told, &row.turn_note, &row.note, &held].into_iter().filter_map(|note| note.as_deref()).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// A session that is gone is bad news only if the manifest says it runs.
fn observed_style(row: &SessionRow) -> Style {
    match telling(row) {
        Some(Condition::Crashed | Condition::AuthFailed | Condition::RateLimited | Condition::Error) => return Style::Bad,
        Some(Condition::NeedsInput | Condition::Starting) => return Style::Warn,
        Some(Condition::Working) => return Style::Good,
        Some(Condition::Idle) => return Style::Plain,
        _ => {}
    }
    match row.observed {
        Observed::Alive => match row.turn {
            Some(Activity::Idle | Activity::Parked) => Style::Plain,
            Some(Activity::Waiting | Activity::Starting | Activity::Suspended) => Style::Warn,
            Some(Activity::Working) | None => Style::Good,
        },
        Observed::Gone if row.declared == "running" => Style::Bad,
        Observed::NoAgent | Observed::Ambiguous | Observed::Unknown => Style::Warn,
        Observed::Gone | Observed::Elsewhere | Observed::Suspended => Style::Dim,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::*;

    fn look(width: Option<usize>) -> Terminal {
        Terminal { color: false, width, tty: width.is_some(), now: DateTime::UNIX_EPOCH }
    }

    fn report(sessions: &[Value], unknown: &[Value]) -> StatusReport {
        serde_json::from_value(json!({
            "schema": "headcount/status/v1", "manifest": "/m.yaml", "host": "dev1", "observed_at": "2026-11-21T08:00:05Z",
            "in_sync": unknown.is_empty(), "counts": {"declared": sessions.len(), "running": 0, "drifts": 0, "new": 0, "applied": 0,
            "unknown": unknown.len()}, "sessions": sessions, "unknown": unknown,
        }))
        .unwrap()
    }

    fn row(name: &str, server: &str, drifts: &[&str], ignored: &[&str]) -> Value {
        let session = json!({"name": name, "mux": "tmux", "server": server, "host": "dev1"});
        let id = "b3a7c9e1-4c1d-4a6e-9f53-2a7d0f1c8e44";
        json!({"session": session, "agent": "claude", "declared": "running", "observed": "gone", "session_id": id,
            "id_rung": "recorded", "drifts": drifts, "ignored": ignored})
    }

    #[test]
    fn an_ignored_drift_stands_in_brackets_behind_those_that_count() {
        let text = render(
            &report(&[row("a", "default", &["dead", "moved"], &["dead"]), row("b", "default", &["dead"], &["dead"])], &[]),
            Question::Everything,
            false,
            &look(None),
        );
        let ends: Vec<&str> = text.lines().skip(1).take(2).map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(ends, ["moved,(dead)", "(dead)"]);
    }

    #[test]
    fn the_command_that_shows_drifts_is_one_of_their_host() {
        let mut there = row("b", "default", &["dead"], &[]);
        there["session"]["host"] = "ml".into();
        let mut merged = report(&[row("a", "default", &["dead"], &[]), there.clone()], &[]);
        merged.in_sync = false;
        merged.counts.drifts = 2;
        let hint = |report: &StatusReport| {
            let text = render(report, Question::Everything, false, &look(None));
            text.lines().find(|line| line.starts_with("Run ")).unwrap().to_owned()
        };
        assert_eq!(hint(&merged), "Run `headcount diff` and `headcount diff -H ml` to see what would be recorded.");
        merged.sessions.remove(0);
        assert_eq!(hint(&merged), "Run `headcount diff -H ml` to see what would be recorded.");
        // Asked alone it has the name that it gives itself.
        merged.host = "ml".to_owned();
        merged.asked_as = Some("far".to_owned());
        assert_eq!(hint(&merged), "Run `headcount diff -H far` to see what would be recorded.");
    }

    #[test]
    fn a_selection_that_matches_nothing_is_not_called_in_sync() {
        assert_eq!(render(&report(&[], &[]), Question::Selected, false, &look(None)), "No session matches.\n");
        assert!(render(&report(&[], &[]), Question::Everything, false, &look(None)).contains("In sync."));
    }

    #[test]
    fn on_a_narrow_terminal_what_is_declared_outlives_what_proves_the_conversation() {
        let text = render(
            &report(&[row("lab-landing-page-creator-claude", "default", &["dead", "stale-id"], &[])], &[]),
            Question::Everything,
            false,
            &look(Some(80)),
        );
        let titles = text.lines().next().unwrap();
        assert!(titles.contains("DECLARED") && !titles.contains("PROOF"), "{text}");
    }

    #[test]
    fn where_only_the_server_tells_two_sessions_apart_it_is_shown_on_a_narrow_terminal() {
        let other = "/run/user/1000/tmux/work";
        let twins =
            report(&[row("lab-creator-claude", "default", &["dead"], &[]), row("lab-creator-claude", other, &[], &[])], &[]);
        assert!(render(&twins, Question::Everything, false, &look(Some(80))).contains("SERVER"));
        let apart =
            report(&[row("lab-creator-claude", "default", &["dead"], &[]), row("api-creator-claude", other, &[], &[])], &[]);
        assert!(!render(&apart, Question::Everything, false, &look(Some(80))).contains("SERVER"));
    }

    #[test]
    fn why_something_cannot_be_told_is_broken_between_words_below_itself() {
        let why = "server alive, socket removed; whatever runs there goes on, and cannot be asked until the socket is back";
        let unknown =
            [json!({"scope": "tmux:漢字", "why": why}), json!({"scope": "tmux:canary", "why": "timed out after 2 s"})];
        let text = render(&report(&[row("a", "default", &[], &[])], &unknown), Question::Everything, false, &look(Some(60)));
        let told: Vec<&str> = text.lines().skip_while(|line| *line != "Unknown:").skip(1).collect();
        assert!(told.iter().all(|line| line.width() <= 60), "{text}");
        assert_eq!(
            told[0].find("server alive").map(|at| told[0][..at].width()),
            told.last().unwrap().find("timed out"),
            "{text}"
        );
        assert!(told[1].starts_with(&" ".repeat("  tmux:canary  ".len())), "{text}");
    }
}
