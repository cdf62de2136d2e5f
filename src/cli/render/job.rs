//! Delegated jobs, for people and for programs. Decides nothing about a job and shows no secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::table::{Cell, Column};
use super::{Style, Terminal, age, ago, hanging, plural, table};
use crate::control::job_runs::{JobRunReport, JobRunState};
use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::job::{EventKind, Job, JobId, JobStatus, LoggedEvent, TimeOut, timed_out};
use crate::core::text::{printable, stamp};

/// Those of some jobs that headcount runs.
pub(crate) type Runs = BTreeMap<JobId, JobRunReport>;

/// Where the second column of a card begins.
const LABEL: usize = 14;

/// The jobs as a table, or a sentence if there are none.
pub(crate) fn table((jobs, runs): (&[Job], &Runs), registry: &Path, look: &Terminal) -> String {
    if jobs.is_empty() {
        return format!("No jobs in {}.\n", printable(&registry.display().to_string()));
    }
    let mut columns = vec![
        Column::new("JOB"),
        Column::new("STATUS"),
        Column::new("AGENT").may_go(3),
        Column::new("SESSION").shrinks_to(16, 1).cut_in_the_middle().may_go(2),
        Column::new("AGE").may_go(4),
        Column::new("HEARD").may_go(5),
        Column::new("PROMPT").shrinks_to(12, 3).may_go(1),
    ];
    let mut rows: Vec<Vec<Cell>> = jobs.iter().map(|job| row(job, look)).collect();
    if !runs.is_empty() {
        columns.insert(6, Column::new("ELAPSED").may_go(3));
        columns.push(Column::new("OUTPUT").shrinks_to(16, 3).may_go(1));
        for (job, row) in jobs.iter().zip(&mut rows) {
            let run = runs.get(&job.id);
            let elapsed = run.map(|run| {
                let state = if matches!(run.state, JobRunState::Working | JobRunState::Over) { "" } else { run.state.as_str() };
                format!("{} {state}", super::status::short(run.elapsed)).trim_end().to_owned()
            });
            let last = run.and_then(|run| run.last_line.as_deref());
            row.insert(6, Cell::or_dash(elapsed.as_deref(), Style::Plain));
            row.push(Cell::or_dash(last, Style::Dim));
        }
    }
    table::render(&columns, &rows, look)
}

fn row(job: &Job, look: &Terminal) -> Vec<Cell> {
    let ago = |at: Option<DateTime<Utc>>| at.map(|at| age(at, look.now));
    let first = job.prompt.as_deref().and_then(|prompt| prompt.lines().find(|line| !line.trim().is_empty()));
    let heard = ago(job.updated_at.filter(|_| job.last_seq > 0));
    vec![
        Cell::new(job.id.as_str(), Style::Strong),
        Cell::new(&standing(job, look.now), style(job, look.now)),
        Cell::or_dash(job.agent.as_deref(), Style::Plain),
        Cell::or_dash(job.agent_session.as_deref(), Style::Plain),
        Cell::or_dash(ago(job.created_at).as_deref(), Style::Plain),
        Cell::or_dash(heard.as_deref(), Style::Plain),
        Cell::or_dash(first, Style::Dim),
    ]
}

/// `running, idle`, `running, asks permission`.
fn standing(job: &Job, now: DateTime<Utc>) -> String {
    let asks = !job.status.is_final() && job.last_event == Some(EventKind::PermissionRequired);
    let asks = if asks { ", asks permission" } else { "" };
    let late = timed_out(job, now).map(|how| format!(", {how}")).unwrap_or_default();
    format!("{}{asks}{late}", job.status)
}

fn style(job: &Job, now: DateTime<Utc>) -> Style {
    match job.status {
        JobStatus::Completed => Style::Good,
        JobStatus::Error => Style::Bad,
        JobStatus::Cancelled => Style::Dim,
        _ if timed_out(job, now).is_some() => Style::Warn,
        JobStatus::Pending | JobStatus::Running => Style::Plain,
    }
}

/// One job and some of its events.
pub(crate) fn card((job, run): (&Job, Option<&JobRunReport>), events: &[LoggedEvent], look: &Terminal) -> String {
    let mut text = format!("{}\n", look.paint(Style::Strong, job.id.as_str()));
    let mut field = |label: &str, value: &str| {
        let _ = writeln!(text, "  {label:LABEL$}{}", hanging(value, LABEL + 2, Style::Plain, look));
    };
    field("status", &standing(job, look.now));
    for (label, value) in [("agent", &job.agent), ("session", &job.agent_session)] {
        field(label, value.as_deref().unwrap_or("-"));
    }
    for (label, at) in [("submitted", job.created_at), ("heard", job.updated_at.filter(|_| job.last_seq > 0))] {
        field(label, &at.map_or_else(|| "-".to_owned(), |at| format!("{} ({})", stamp(at), ago(at, look.now))));
    }
    if let Some(run) = run {
        let next = run.next_at.map(|at| format!(", the next one {}", stamp(at))).unwrap_or_default();
        field("run", &format!("{}, {}{next}", run.state.as_str(), plural(run.attempts as usize, "attempt", "attempts")));
        if let Some(asks) = &run.asks {
            field("asks", asks);
        }
        if run.end.is_none() {
            field("attach", &attach(&run.session).join(" "));
        }
        field("conversation", run.session_id.as_deref().unwrap_or("-"));
        field("output", &run.output.display().to_string());
        field("last line", run.last_line.as_deref().unwrap_or("-"));
        if let Some(end) = &run.end {
            field("ended", &format!("{} ({}): {}", stamp(end.ended_at), end.outcome.as_str(), end.reason));
        }
    }
    match run {
        Some(run) => field("deadline", &stamp(run.deadline_at)),
        None => field("time-outs", &format!("{} in total, {} between events", span(job.timeout), span(job.idle_timeout))),
    }
    field("topic", &job.topic());
    field("signed", if job.auth_token.is_some() { "events must be signed" } else { "events need no signature" });
    for artifact in &job.expected_artifacts {
        field("artifact", artifact);
    }
    for (position, line) in job.prompt.as_deref().unwrap_or("-").lines().enumerate() {
        field(if position == 0 { "prompt" } else { "" }, line);
    }
    if !events.is_empty() {
        let _ = writeln!(text, "\n{}", look.paint(Style::Strong, &format!("Last {}", plural(events.len(), "event", "events"))));
        events.iter().for_each(|logged| text.push_str(&event(logged, look)));
    }
    text
}

/// The command that leads to the pane of a job.
pub(crate) fn attach(session: &SessionKey) -> Vec<String> {
    let name = session.mux.spelling(&session.name).into_owned();
    let server = match session.server.as_str() {
        ServerKey::DEFAULT => Vec::new(),
        path if path.contains('/') => vec!["-S".to_owned(), path.to_owned()],
        label => vec!["-L".to_owned(), label.to_owned()],
    };
    if session.mux == MuxKind::Zellij {
        return [vec!["zellij".to_owned()], vec!["attach".to_owned(), name]].concat();
    }
    [vec!["tmux".to_owned()], server, vec!["attach-session".to_owned(), "-t".to_owned(), format!("={name}")]].concat()
}

/// A time-out in its largest whole unit.
fn span(span: Option<Duration>) -> String {
    let Some(span) = span else { return "no limit".to_owned() };
    match (span.as_secs(), span.subsec_millis()) {
        (0, millis) => format!("{millis}ms"),
        (seconds, _) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        (seconds, _) if seconds % 60 == 0 => format!("{}m", seconds / 60),
        (seconds, _) => format!("{seconds}s"),
    }
}

/// One event as one line.
pub(crate) fn event(logged: &LoggedEvent, look: &Terminal) -> String {
    let event = &logged.event;
    let style = match event.event {
        EventKind::Completed => Style::Good,
        EventKind::Error => Style::Bad,
        EventKind::PermissionRequired => Style::Warn,
        EventKind::Started | EventKind::Progress => Style::Plain,
    };
    let at = logged.received_at.map_or_else(|| printable(&event.timestamp).into_owned(), stamp);
    let word = format!("{:<19}", event.event.as_str());
    let data = event.data.as_ref().map(|data| format!(" {}", Value::Object(data.clone()))).unwrap_or_default();
    let said = format!("{}{}", printable(&event.detail), printable(&data));
    let line = format!("{} {:>4} {} {said}", look.paint(Style::Dim, &at), event.seq, look.paint(style, &word));
    format!("{}\n", line.trim_end())
}

/// The jobs for programs.
pub(crate) fn list_json(
    registry: &str,
    (jobs, runs): (&[Job], &Runs),
    problems: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<Value, serde_json::Error> {
    let jobs = jobs.iter().map(|job| shown(job, runs, now)).collect::<Result<Vec<_>, _>>()?;
    let problems: Vec<Value> = problems.iter().map(|(path, why)| json!({"path": path, "why": why})).collect();
    Ok(json!({"schema": "headcount/jobs/v1", "registry": registry, "jobs": jobs, "problems": problems}))
}

/// One job for programs.
pub(crate) fn show_json(
    registry: &str,
    (job, runs): (&Job, &Runs),
    events: &[LoggedEvent],
    now: DateTime<Utc>,
) -> Result<Value, serde_json::Error> {
    Ok(json!({"schema": "headcount/job/v1", "registry": registry, "job": shown(job, runs, now)?, "events": events}))
}

fn shown(job: &Job, runs: &Runs, now: DateTime<Utc>) -> Result<Map<String, Value>, serde_json::Error> {
    let mut shown = job.shown()?;
    let late = timed_out(job, now).map(|how| match how {
        TimeOut::Total => "total",
        TimeOut::Idle => "idle",
    });
    shown.insert("timed_out".to_owned(), json!(late));
    if let Some(run) = runs.get(&job.id) {
        shown.insert("run".to_owned(), serde_json::to_value(run)?);
    }
    Ok(shown)
}
