//! A job that headcount runs by itself: what was asked for, one attempt after another, what the agent says meanwhile, how it ended.
//! Values and decisions; never reads a file, a clock or a process.

mod attempt;
mod attended;
mod spec;
mod standing;
mod stream;

pub use attempt::{
    Attempt, AttemptBegun, AttemptEnded, AttemptEnding, AttemptNote, JobNext, JobOpening, attempts_of, is_prompt_due,
    next_attempt,
};
pub use attended::{AttendedLine, read_attended};
pub use spec::{BadJobName, JobBus, JobEnd, JobOutcome, JobSpec, JobWaits, job_session_name};
pub use standing::{JobScene, job_standing};
pub use stream::{AttemptStream, StreamEnd, StreamNews, may_pass};
