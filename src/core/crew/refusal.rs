//! Why something may not happen to a task, in words. Decides nothing.

use super::{CrewVerb, TaskState};

/// Why something may not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrewRefusal {
    /// No task is called so.
    #[error("the crew has no task {0}")]
    NoSuchTask(String),
    /// One is already.
    #[error("the crew has a task {0} already")]
    Taken(String),
    /// A name that cannot stand in an envelope.
    #[error(
        "{0:?} is no name for a task or a worker: use no white space, quotes or brackets, and for a task no `/` and no dot in front"
    )]
    BadName(String),
    /// The token of an earlier lease, or of none.
    #[error("{lease} is not the lease of task {task}{}", now.as_ref().map_or(String::new(), |now| format!(" any more: it is {now}")))]
    OldLease {
        /// The task.
        task: String,
        /// What was given.
        lease: String,
        /// How far the task is by now.
        now: Option<String>,
    },
    /// A number that is not higher than that of the last reply.
    #[error("reply {seq} of task {task} comes after reply {last}: each has a higher number than the one before it")]
    OldReply {
        /// The task.
        task: String,
        /// What was given.
        seq: u64,
        /// The last one.
        last: u64,
    },
    /// It is too late for that, or too early.
    #[error("task {task} is {}, so it cannot be {what}", state.as_str())]
    State {
        /// The task.
        task: String,
        /// How far it is.
        state: TaskState,
        /// What was to happen.
        what: &'static str,
    },
    /// No worker says that.
    #[error("{0} is no reply to a task")]
    NoReply(CrewVerb),
}
