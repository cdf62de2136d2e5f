//! The loop of `watch`: sources → queue → pass. The only place with timers, tasks and channels.

pub mod queue;
pub mod sources;
pub mod wake;
