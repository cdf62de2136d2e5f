//! Files headcount owns: the locked manifest, journal, state, hook events, job registry. Never interprets the manifest.
//!
//! | module | file | who writes |
//! | --- | --- | --- |
//! | [`manifest`] | the manifest and its sidecars | only under its lock |
//! | [`journal`] | what was recorded, and how to take it back | only under the manifest's lock |
//! | [`state`] | what is remembered between passes | only under the manifest's lock |
//! | [`hooks`] | events from agents' hooks | the hook that an agent runs, `headcount hook emit` |
//! | [`claim`] | locks of those that may be there but once | whoever has the claim |
//! | [`crew`] | the tasks of a crew, and what was said in it | its manager and its workers, under its lock |
//! | [`crew_context`] | what was said in a crew | the same, and tools that know nothing else of it |
//! | [`jobs`] | delegated jobs, their events and audits | only under the registry's lock |
//! | [`followed_jobs`] | jobs whose events follow from turns | whoever submits one, and who follows it |
//! | [`job_intents`] | jobs that are being made | whoever submits one |
//! | [`job_files`] | what a job that headcount runs was asked to be, what it says, how it ended | its launcher, alone |
//! | [`settings`] | settings of agents, which are not ours | `hooks install` and `hooks remove`, as a person asked |
//! | [`operations`] | what was done to sessions | whoever does it, and the launcher |
//! | [`queue`] | texts that wait for an agent | whoever sends or delivers one |
//! | [`read_marks`] | panes that were read, and may be typed into once | tmux-bridge |
//!
//! [`paths`] says where journal, state and hook events live. Reading never creates a file, a directory or a lock.

pub mod claim;
pub mod crew;
pub mod crew_context;
pub(crate) mod file_lease;
pub mod followed_jobs;
mod hash;
pub mod hooks;
pub mod job_files;
pub mod job_intents;
pub mod jobs;
pub mod journal;
pub mod manifest;
pub mod operations;
pub mod paths;
pub mod queue;
pub mod read_marks;
mod records;
mod replace;
pub mod seen;
pub mod settings;
pub mod state;
pub mod terminal_path;

pub use hash::TextHash;
