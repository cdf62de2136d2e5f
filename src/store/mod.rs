//! Files headcount owns: the locked manifest, journal, state, hook events. Never interprets the manifest.
//!
//! | module | file | who writes |
//! | --- | --- | --- |
//! | [`manifest`] | the manifest and its sidecars | only under its lock |
//! | [`journal`] | what was recorded, and how to take it back | only under the manifest's lock |
//! | [`state`] | what is remembered between passes | only under the manifest's lock |
//! | [`hooks`] | events from agents' hooks | nobody here: read only |
//!
//! [`paths`] says where the last three live. Reading never creates a file, a directory or a lock.

mod hash;
pub mod hooks;
pub mod journal;
pub(crate) mod lease;
pub mod manifest;
pub mod paths;
mod replace;
pub mod state;

pub use hash::TextHash;
