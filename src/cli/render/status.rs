//! `status` for people: the table of sessions and the line that sums it up. Never decides what a session is.

use std::fmt::Write as _;

use super::table::{Cell, Column};
use super::{Look, Style, age, class_style, plural, table};
use crate::core::ids::{MuxKind, ServerKey};
use crate::core::job::{EventKind, JobStatus};
use crate::core::report::UnknownReport;
use crate::core::report::status::{Observed, SessionRow, StatusReport};
use crate::core::text::printable;

/// A column and how its cell is made.
type Maker<'a> = (Column, Box<dyn Fn(&SessionRow) -> Cell + 'a>);

/// The table and its last lines. `wide` adds columns and cuts nothing.
pub(crate) fn render(report: &StatusReport, wide: bool, look: &Look) -> String {
    let mut text = String::new();
    if !report.sessions.is_empty() {
        let makers = columns(report, wide, look);
        let rows: Vec<Vec<Cell>> =
            report.sessions.iter().map(|row| makers.iter().map(|(_, make)| make(row)).collect()).collect();
        let columns: Vec<Column> = makers.into_iter().map(|(column, _)| column).collect();
        let look = if wide { Look { width: None, ..*look } } else { *look };
        text.push_str(&table::render(&columns, &rows, &look));
        text.push('\n');
    }
    text.push_str(&summary(report, look));
    text.push_str(&unknown(&report.unknown, look));
    text
}

/// The names, one a line.
pub(crate) fn names(report: &StatusReport) -> String {
    report.sessions.iter().fold(String::new(), |mut text, row| {
        text.push_str(&printable(&row.session.name));
        text.push('\n');
        text
    })
}

/// What could not be told, and why; nothing if all could.
pub(crate) fn unknown(unknown: &[UnknownReport], look: &Look) -> String {
    if unknown.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", look.paint(Style::Warn, "Cannot tell:"));
    let widest = unknown.iter().map(|item| printable(&item.scope).chars().count()).max().unwrap_or(0);
    for item in unknown {
        let _ = writeln!(text, "  {:widest$}  {}", printable(&item.scope), printable(&item.why));
    }
    text
}

fn summary(report: &StatusReport, look: &Look) -> String {
    let counts = report.counts;
    let mut parts = vec![format!("{} declared", counts.declared), format!("{} running", counts.running)];
    if report.in_sync {
        return format!("{}. {}\n", parts.join(", "), look.paint(Style::Good, "In sync."));
    }
    if counts.drifts > 0 {
        parts.push(look.paint(Style::Warn, &plural(counts.drifts, "drift", "drifts")));
    }
    if counts.unknown > 0 {
        parts.push(look.paint(Style::Warn, &format!("{} unknown", counts.unknown)));
    }
    let hint = if counts.drifts > 0 { "Run `headcount diff` to see what would be recorded.\n" } else { "" };
    format!("{}.\n{hint}", parts.join(", "))
}

fn columns<'a>(report: &'a StatusReport, wide: bool, look: &Look) -> Vec<Maker<'a>> {
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
        add(
            Column::new("SERVER").shrinks_to(12, 3).may_go(5),
            Box::new(|row| Cell::new(&row.session.server_key().to_string(), Style::Plain)),
        );
    }
    if rows.iter().any(|row| row.session.host != report.host) {
        add(Column::new("HOST").shrinks_to(6, 3).may_go(4), Box::new(|row| Cell::plain(&row.session.host)));
    }
    add(Column::new("AGENT").may_go(3), Box::new(|row| Cell::plain(row.agent.as_str())));
    add(
        Column::new("DECLARED").may_go(1),
        Box::new(|row| Cell::or_dash(Some(&row.declared).filter(|word| *word != "-").map(String::as_str), Style::Plain)),
    );
    add(Column::new("OBSERVED"), Box::new(|row| Cell::new(row.observed.as_str(), observed_style(row))));
    add(
        Column::new("CONVERSATION").shrinks_to(9, 2).may_go(2),
        Box::new(|row| Cell::or_dash(row.session_id.as_ref().map(|id| id.as_str()), Style::Plain)),
    );
    add(Column::new("PROOF").may_go(7), Box::new(|row| Cell::or_dash(row.id_rung.as_deref(), Style::Dim)));
    if rows.iter().any(|row| row.job.is_some()) {
        add(Column::new("JOB").shrinks_to(8, 3).may_go(6), Box::new(job));
    }
    add(Column::new("DRIFT"), Box::new(drift));
    if rows.iter().any(|row| row.note.is_some()) {
        add(
            Column::new("NOTE").shrinks_to(16, 4).may_go(8),
            Box::new(|row| Cell::new(row.note.as_deref().unwrap_or_default(), Style::Dim)),
        );
    }
    if wide {
        add(Column::new("PANE"), Box::new(|row| Cell::or_dash(row.pane.as_deref(), Style::Plain)));
        add(
            Column::new("PID").right(),
            Box::new(|row| Cell::or_dash(row.pid.map(|pid| pid.to_string()).as_deref(), Style::Plain)),
        );
        add(
            Column::new("ACTIVE"),
            Box::new(move |row| Cell::or_dash(row.last_activity.map(|at| age(at, now)).as_deref(), Style::Plain)),
        );
        if rows.iter().any(|row| row.job_event.is_some()) {
            let event = |row: &SessionRow| row.job_event.map(EventKind::as_str);
            add(Column::new("JOB EVENT"), Box::new(move |row| Cell::or_dash(event(row), Style::Plain)));
        }
        add(Column::new("WORKSPACE"), Box::new(|row| Cell::or_dash(row.cwd.as_deref(), Style::Plain)));
        add(Column::new("RESUME"), Box::new(|row| Cell::or_dash(row.resume.as_deref(), Style::Plain)));
    }
    makers
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

fn drift(row: &SessionRow) -> Cell {
    let words: Vec<&str> = row.drifts.iter().map(|class| class.as_str()).collect();
    Cell::or_dash(Some(words.join(",").as_str()), row.drifts.first().map_or(Style::Dim, |class| class_style(*class)))
}

/// A session that is gone is bad news only if the manifest says it runs.
fn observed_style(row: &SessionRow) -> Style {
    match row.observed {
        Observed::Alive => Style::Good,
        Observed::Gone if row.declared == "running" => Style::Bad,
        Observed::NoAgent | Observed::Ambiguous | Observed::Unknown => Style::Warn,
        Observed::Gone | Observed::Elsewhere | Observed::Suspended => Style::Dim,
    }
}
