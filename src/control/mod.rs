//! The loop: a pass from manifest to report. The only place that joins the adapters to the decisions.

pub mod cache;
pub mod context;
pub mod fleet;
pub mod follow;
pub mod hook_settings;
pub mod hooks;
pub mod import;
pub mod init;
pub mod job_agent;
pub mod job_ends;
pub mod job_making;
pub mod job_runs;
pub mod job_talk;
pub mod jobs;
pub mod lead;
pub mod links;
pub mod observe;
pub mod pass;
pub mod remote;
pub mod tasks;
mod timing;
pub mod undo;
pub mod watch;
