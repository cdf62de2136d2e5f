//! Crews: a manager that hands out tasks, workers that do them, and what they tell each other. Words and decisions; never reads a file, a
//! clock or a process.

mod context;
mod envelope;
pub mod guard;
mod refusal;
mod sanitise;
mod task;
#[cfg(test)]
mod task_tests;

pub use context::{ContextEntry, ContextKind};
pub use envelope::{BadEnvelope, CrewVerb, Envelope};
pub use refusal::CrewRefusal;
pub use sanitise::{LONGEST_SUMMARY, sanitise};
pub use task::{CrewEvent, CrewRecord, CrewTask, CrewTasks, Judgement, TaskState, retry_wait};

/// The longest name of a task or a worker, in bytes.
const LONGEST_NAME: usize = 200;

/// Whether a text can stand in the head of an envelope: no white space, no brackets, nothing that is no character.
pub fn is_token(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '"'))
}

/// Whether a text can name a task: files are called so as well.
pub fn is_task_name(text: &str) -> bool {
    is_token(text) && !text.contains('/') && !text.starts_with('.')
}
