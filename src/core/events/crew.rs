//! What a watch says of the tasks of crews. Values only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::crew::{CrewEvent, CrewRecord, CrewTask, CrewVerb, TaskState};
use super::super::text::{printable, seconds};

/// Something has happened to a task of a crew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskChange {
    /// When, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// The crew.
    pub crew: String,
    /// Its directory.
    pub directory: String,
    /// The task.
    pub task: String,
    /// The number of the record in the crew's log.
    pub n: u64,
    /// What has happened: `queued`, `assigned`, `sent`, `reply`, `answered`, `freed`, `requeued` or `cancelled`.
    pub event: String,
    /// How far the task is since.
    pub state: TaskState,
    /// Who does it, or is to do it.
    pub worker: String,
    /// One line, ready to post as a comment.
    pub message: String,
}

impl TaskChange {
    /// Of a record, and of the task as it stands after that. A heartbeat is no news.
    pub fn of((crew, directory): (&str, &str), record: &CrewRecord, task: &CrewTask) -> Option<Self> {
        let (event, about) = match &record.event {
            CrewEvent::Queued { goal, .. } => ("queued", Some(goal.as_str())),
            CrewEvent::Assigned { .. } => ("assigned", None),
            CrewEvent::Sent { outcome, why, .. } => ("sent", Some(why.as_deref().unwrap_or(outcome))),
            CrewEvent::Reply { verb: CrewVerb::Heartbeat, .. } => return None,
            CrewEvent::Reply { note, .. } => ("reply", Some(note.as_str())),
            CrewEvent::Answered { .. } => ("answered", None),
            CrewEvent::Freed { why, .. } => ("freed", Some(why.as_str())),
            CrewEvent::Requeued { .. } => ("requeued", None),
            CrewEvent::Cancelled { why } => ("cancelled", Some(why.as_str())),
        };
        let what = match &record.event {
            CrewEvent::Reply { verb, .. } => verb.as_str(),
            _ => event,
        };
        let about = about.filter(|about| !about.is_empty()).map(|about| format!(" ({})", printable(about))).unwrap_or_default();
        let (name, worker) = (printable(&task.task), printable(&task.worker));
        let message = format!("{} {name}: {what}, {worker}{about}; it is {}.", printable(crew), task.state.as_str());
        let (crew, directory, event) = (crew.to_owned(), directory.to_owned(), event.to_owned());
        let (worker, state, task) = (task.worker.clone(), task.state, task.task.clone());
        Some(Self { at: record.at, crew, directory, task, n: record.n, event, state, worker, message })
    }
}
