//! Whether a worker has drifted off its task, by what was said of it: signals, a case of them, and what they point to. Reads nothing,
//! and changes nothing: what a manager does about it is the manager's.

mod families;
mod signals;

use serde::Serialize;
use serde_json::Value;

use super::{CrewTask, is_task_name};
pub use families::{FailureFamily, GuardDiagnosis, GuardEvent, ManagerMove};
pub use signals::DriftSignal;

/// How a diagnosis is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardMode {
    /// Nothing but what was found.
    #[default]
    Strict,
    /// With what each family means.
    Teaching,
    /// With what would be tried first.
    RepairPreview,
    /// The same as the first.
    Compact,
}

impl GuardMode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Strict, Self::Teaching, Self::RepairPreview, Self::Compact];

    /// The word of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Teaching => "teaching",
            Self::RepairPreview => "repair_preview",
            Self::Compact => "compact",
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct GuardRequest<'a> {
    /// The task.
    pub task: &'a str,
    /// Its worker.
    pub worker: &'a str,
    /// How the manager is called, beside `manager` and `mgr`.
    pub manager: &'a str,
    /// What was to be done; without it, what the manager told the worker last.
    pub expected: Option<&'a str>,
    /// So many entries from the end; none: all.
    pub window: Option<usize>,
    /// How the diagnosis is written.
    pub mode: GuardMode,
    /// Where the entries come from.
    pub source: &'a str,
}

impl<'a> GuardRequest<'a> {
    /// So many entries are looked at where nobody says otherwise.
    pub const WINDOW: usize = 12;

    /// About a task and whoever has it; its goal says what was to be done.
    pub fn of(task: &'a CrewTask, manager: &'a str) -> Self {
        let expected = Some(task.goal.as_str()).filter(|goal| !goal.is_empty());
        let (window, mode) = (Some(Self::WINDOW), GuardMode::Strict);
        Self { task: &task.task, worker: &task.worker, manager, expected, window, mode, source: "" }
    }
}

/// Nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardRefusal {
    /// A name that is no name of a task or a worker, or that would lead out of a directory.
    #[error("{0:?} is no name for a task or a worker: use no white space, quotes, brackets or slashes")]
    BadName(String),
    /// Nothing was said.
    #[error("no context events found for task={task} worker={worker}")]
    Nothing {
        /// The task.
        task: String,
        /// The worker.
        worker: String,
    },
}

/// An entry of the context, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrailEntry {
    seq: u64,
    from: String,
    to: String,
    kind: String,
    summary: String,
}

impl TrailEntry {
    fn line(&self) -> String {
        format!("seq={} {}->{} type={}: {}", self.seq, self.from, self.to, self.kind, self.summary)
    }
}

/// What is known of a task, as it stands in `case.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardCase {
    status: &'static str,
    source_case: String,
    source_session: String,
    /// The task.
    pub task_id: String,
    /// Its worker.
    pub worker_id: String,
    anchor_index: u64,
    anchor_event_type: Option<String>,
    anchor_reasons: Vec<DriftSignal>,
    /// What was to be done.
    pub expected: String,
    /// What the worker said last.
    pub actual: String,
    /// What points to a drift.
    pub candidate_failure_signals: Vec<DriftSignal>,
    /// Everything that was looked at, one line each.
    pub evidence: Vec<String>,
    recent_actions: Vec<String>,
}

/// All that comes of a look.
#[derive(Debug, Clone)]
pub struct GuardReport {
    /// What is known.
    pub case: GuardCase,
    /// What it points to.
    pub diagnosis: GuardDiagnosis,
    /// What may be kept of it.
    pub event: GuardEvent,
}

/// Looks at what was said of a task between its manager and one worker.
///
/// # Errors
/// [`GuardRefusal`].
pub fn look(entries: &[Value], request: &GuardRequest<'_>) -> Result<GuardReport, GuardRefusal> {
    let GuardRequest { task, worker, .. } = *request;
    if let Some(bad) = [task, worker].iter().find(|name| !is_task_name(name)) {
        return Err(GuardRefusal::BadName((*bad).to_owned()));
    }
    let is_manager = |name: &str| [request.manager, "manager", "mgr"].contains(&name);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().trim().to_owned();
    let read = |entry: &Value| TrailEntry {
        seq: entry["seq"].as_u64().unwrap_or(0),
        from: text(entry, "from"),
        to: text(entry, "to"),
        kind: text(entry, "type"),
        summary: text(entry, "summary"),
    };
    let mut trail: Vec<TrailEntry> = entries.iter().filter(|entry| text(entry, "task_id") == task).map(read).collect();
    // A task may have had another worker before: what that said is not this one's.
    trail.retain(|it| {
        (it.from == worker || is_manager(&it.from))
            && (it.to == worker || is_manager(&it.to))
            && (it.from == worker || it.to == worker)
    });
    let keeps = request.window.unwrap_or(trail.len()).min(trail.len());
    trail.drain(..trail.len() - keeps);
    let Some(last) = trail.last() else {
        return Err(GuardRefusal::Nothing { task: task.to_owned(), worker: worker.to_owned() });
    };
    let said = |is_worker: bool| {
        let mut of = trail.iter().rev().filter(|it| (it.from == worker) == is_worker && !it.summary.is_empty());
        of.next().map(|it| it.summary.clone()).unwrap_or_default()
    };
    let expected = request.expected.map_or_else(|| said(false), str::to_owned);
    let actual = said(true);
    let of_worker: Vec<&TrailEntry> = trail.iter().filter(|it| it.from == worker).collect();
    let found = signals::found(&of_worker, &expected, &actual);
    let evidence: Vec<String> = trail.iter().map(TrailEntry::line).collect();
    let case = GuardCase {
        status: "ok",
        source_case: request.source.to_owned(),
        source_session: request.source.to_owned(),
        task_id: task.to_owned(),
        worker_id: worker.to_owned(),
        anchor_index: last.seq,
        anchor_event_type: Some(last.kind.clone()).filter(|kind| !kind.is_empty()),
        anchor_reasons: found.clone(),
        expected,
        actual,
        candidate_failure_signals: found,
        recent_actions: evidence[evidence.len().saturating_sub(5)..].to_vec(),
        evidence,
    };
    let diagnosis = GuardDiagnosis::of(&case, request.mode);
    let event = GuardEvent::of(&diagnosis);
    Ok(GuardReport { case, diagnosis, event })
}

#[cfg(test)]
mod tests;
