//! The pure heart: words, values and decisions. Never touches a file, a process, a clock, the environment or a network.
//!
//! Every function here takes what it needs as an argument (`now`, policy, observation) and returns a value.

pub mod agents;
pub mod bridge;
pub mod class;
pub mod crew;
pub mod doors;
pub mod drift;
pub mod duration;
pub mod edit;
pub mod events;
pub mod fact;
pub mod fleet;
pub mod hooks;
pub mod ids;
pub mod import;
pub mod job;
pub mod lead;
pub mod links;
pub mod manifest;
pub mod memory;
pub mod mqtt;
pub mod observe;
pub mod plan;
pub mod remote;
pub mod report;
pub mod settings;
mod spelling;
pub mod task;
pub mod text;
