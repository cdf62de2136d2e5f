//! The whole program on real tmux servers with stand-in agents: from a manifest to a report, to the file, and quiet again.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod children;
mod custom;
mod cycle;
mod doubt;
mod faults;
mod resume;
mod run;
mod undo;
