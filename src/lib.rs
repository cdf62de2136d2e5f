//! headcount keeps one YAML file of coding-agent sessions true: it compares the file with what is really there, says what
//! drifted, and records the truth back without disturbing a byte it did not mean to change.
//!
//! The library never prints, never reads the user's settings and never decides an exit code; the program in `src/main.rs`
//! does. `ARCHITECTURE.md` shows the flow and who may import whom.

pub mod agent;
pub mod bus;
pub mod cli;
pub mod control;
pub mod core;
mod fault;
pub mod host;
pub mod mux;
pub mod store;
pub mod yaml;
