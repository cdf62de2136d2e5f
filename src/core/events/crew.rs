//! What a watch says of the tasks of crews. Values only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::crew::guard::GuardReport;
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
    /// What has happened: `queued`, `assigned`, `sent`, `reply`, `answered`, `freed`, `requeued` or `cancelled`; `guard`: what its
    /// worker said points away from the task.
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
        let says = format!("{what}, {}{about}; it is {}.", printable(&task.worker), task.state.as_str());
        Some(Self::new((crew, directory), (record, task), event, &says))
    }

    /// Of what the drift guard found behind a record, if that is sure enough to be acted on. Where it is kept stands behind it.
    pub fn found(whose: (&str, &str), of: (&CrewRecord, &CrewTask), report: &GuardReport, kept: &str) -> Option<Self> {
        let atlas = report.event.writeback_gate.allow.then_some(&report.diagnosis.atlas)?;
        let (family, confidence, fix) = (&atlas.primary_family, atlas.confidence, atlas.fix_surface_direction);
        let worker = printable(&of.1.worker);
        let says = format!("{worker} may have left it: {family} ({confidence} confidence); {fix} ({}).", printable(kept));
        Some(Self::new(whose, of, "guard", &says))
    }

    fn new((crew, directory): (&str, &str), (record, task): (&CrewRecord, &CrewTask), event: &str, says: &str) -> Self {
        let message = format!("{} {}: {says}", printable(crew), printable(&task.task));
        let (crew, directory, event) = (crew.to_owned(), directory.to_owned(), event.to_owned());
        let (worker, state, task) = (task.worker.clone(), task.state, task.task.clone());
        Self { at: record.at, crew, directory, task, n: record.n, event, state, worker, message }
    }
}
