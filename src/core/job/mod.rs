//! Delegated jobs: their records, their events, what a record becomes by an event, and which events are believed. Never reads
//! a file, a clock or the network.
//!
//! The formats are those of multi-agent-mux's delegated-job protocol, in both directions: what it wrote is read here, and what
//! is written here it can read. Whatever else stands in a record of its is kept.

mod event;
mod followed;
mod id;
mod life;
mod record;
pub mod run;
#[cfg(test)]
mod tests;
mod token;
mod verify;
mod wire;

pub use event::{EventKind, JobEvent, LoggedEvent, NoMoreNumbers};
pub use followed::{FollowNews, FollowScene, FollowedJob, follow, turn_of};
pub use id::{JobId, NotAJobId};
pub use life::{TimeOut, apply, cancel, timed_out, times_out_at};
pub use record::{Job, JobStatus, NewJob, NotAJob, events_topic};
pub use token::JobToken;
pub use verify::{DropReason, MAX_PAYLOAD, job_of_topic, sign, verify};
pub use wire::{JobBroker, LastEvent, Record};

/// The version of records and events this is written for.
pub const SCHEMA_VERSION: u32 = 1;

/// The default root of the topics of jobs.
pub const DEFAULT_ROOT: &str = "python/mqtt/jobs";

/// The largest number an event may have: beyond it not every JSON reader can tell neighbours apart.
pub const MAX_SEQ: u64 = (1 << 53) - 1;
