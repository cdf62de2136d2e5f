//! A crew, for people and as a document. Only words and colours.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Style, Terminal};
use crate::core::crew::guard::GuardReport;
use crate::core::crew::{ContextEntry, CrewEvent, CrewRecord, CrewTask, CrewTasks, TaskState};
use crate::core::lead::send::SendOutcome;
use crate::core::text::{printable, stamp};

fn style(state: TaskState) -> Style {
    match state {
        TaskState::Done => Style::Good,
        TaskState::Failed => Style::Bad,
        TaskState::Blocked | TaskState::RetryWait => Style::Warn,
        TaskState::Queued | TaskState::Assigned | TaskState::Running | TaskState::Cancelled => Style::Strong,
    }
}

/// What stands behind a task: why it stands so, else what was said last.
fn about(task: &CrewTask) -> String {
    let why = task.why.as_deref().map(|why| match task.state {
        TaskState::Blocked => format!("asks: {why}"),
        _ => why.to_owned(),
    });
    let unsent =
        task.sent.as_deref().filter(|sent| task.state == TaskState::Assigned && *sent != SendOutcome::Delivered.as_str());
    match (why, unsent) {
        (Some(why), Some(sent)) => format!("{sent}: {why}"),
        (Some(why), None) => why,
        (None, Some(sent)) => sent.to_owned(),
        (None, None) => task.note.clone().unwrap_or_else(|| task.goal.clone()),
    }
}

/// So much of it stands in a table.
const MOST: usize = 60;

fn short(text: &str) -> String {
    let line = printable(text).into_owned();
    match line.chars().count() > MOST {
        true => format!("{}…", line.chars().take(MOST - 1).collect::<String>()),
        false => line,
    }
}

/// All tasks, a line each, and how many there are of each state.
pub(crate) fn table(tasks: &CrewTasks, look: &Terminal) -> String {
    if tasks.tasks.is_empty() {
        return "The crew has no task.\n".to_owned();
    }
    let width = |text: &dyn Fn(&CrewTask) -> usize, title: usize| tasks.tasks.values().map(text).max().unwrap_or(0).max(title);
    let names = width(&|task| printable(&task.task).chars().count(), 4).min(30);
    let workers = width(&|task| printable(&task.worker).chars().count(), 6).min(40);
    let mut text = format!("{:names$}  {:10}  {:workers$}  {:20}  {}\n", "TASK", "STATE", "WORKER", "SINCE", "ABOUT");
    let mut all: Vec<&CrewTask> = tasks.tasks.values().collect();
    all.sort_by_key(|task| (task.state.is_final(), task.since));
    for task in all {
        let state = look.paint(style(task.state), &format!("{:10}", task.state.as_str()));
        let (name, worker) = (printable(&task.task), printable(&task.worker));
        let _ = writeln!(text, "{name:names$}  {state}  {worker:workers$}  {:20}  {}", stamp(task.since), short(&about(task)));
    }
    let counts = TaskState::ALL.iter().filter_map(|state| {
        let count = tasks.tasks.values().filter(|task| task.state == *state).count();
        (count > 0).then(|| format!("{count} {}", state.as_str()))
    });
    let _ = writeln!(text, "{}.", counts.collect::<Vec<_>>().join(", "));
    text
}

/// One task.
pub(crate) fn task(task: &CrewTask, look: &Terminal) -> String {
    let state = look.paint(style(task.state), task.state.as_str());
    let (name, worker) = (printable(&task.task), printable(&task.worker));
    let mut text = format!("{name}: {state}, {worker}");
    let about = about(task);
    if task.state != TaskState::Queued || task.why.is_some() {
        let _ = write!(text, " ({})", printable(&about));
    } else {
        text.push_str(" (it waits until its worker is there and has no other task)");
    }
    text.push('\n');
    text
}

/// The same as a document.
pub(crate) fn document(name: &str, directory: &Path, tasks: &CrewTasks) -> Value {
    let all: Vec<&CrewTask> = tasks.tasks.values().collect();
    json!({"schema": "headcount/crew/v1", "crew": name, "directory": directory, "last": tasks.last, "tasks": all})
}

/// What was said, as markdown.
pub(crate) fn context(entries: &[ContextEntry]) -> String {
    entries.iter().map(|entry| format!("{}\n", printable(&entry.in_markdown()))).collect()
}

/// Replies.
pub(crate) fn inbox(records: &[&CrewRecord], look: &Terminal) -> String {
    if records.is_empty() {
        return "No reply is unread.\n".to_owned();
    }
    let mut text = String::new();
    for record in records {
        let (task, by) = (printable(&record.task), printable(&record.by));
        let (word, said, artifact) = match &record.event {
            CrewEvent::Reply { verb, note, artifact, .. } => (verb.as_str(), note.as_str(), artifact.as_deref()),
            CrewEvent::Freed { why, .. } => ("LOST", why.as_str(), None),
            _ => continue,
        };
        let word = look.paint(Style::Strong, word);
        let _ = writeln!(text, "{}  {task}  {word}  {by}: {}", stamp(record.at), printable(said));
        if let Some(path) = artifact {
            let _ = writeln!(text, "    {}", printable(path));
        }
    }
    text
}

/// Whether a worker has drifted, and what a manager does about it.
pub(crate) fn guard(report: &GuardReport, kept: &Path, look: &Terminal) -> String {
    let (case, atlas) = (&report.case, &report.diagnosis.atlas);
    let (task, worker) = (printable(&case.task_id), printable(&case.worker_id));
    let is_sure = report.event.writeback_gate.allow;
    let family = look.paint(if is_sure { Style::Warn } else { Style::Dim }, &atlas.primary_family);
    let mut text = format!("{task}, {worker}: {family} ({} confidence)\n", atlas.confidence);
    let signals: Vec<&str> = case.candidate_failure_signals.iter().map(|signal| signal.as_str()).collect();
    let signals = if signals.is_empty() { "none".to_owned() } else { signals.join(", ") };
    let _ = writeln!(text, "  signals:  {signals}");
    let _ = writeln!(text, "  entries:  {}", case.evidence.len());
    if is_sure {
        let _ = writeln!(text, "  do:       {}", atlas.fix_surface_direction);
        let _ = writeln!(text, "  not:      {}", atlas.misrepair_risk);
    } else {
        text.push_str("  do:       nothing yet; too little points to one cause\n");
    }
    let _ = writeln!(text, "  kept in:  {}", printable(&kept.to_string_lossy()));
    text
}
