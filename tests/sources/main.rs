//! Every source of the loop alone, against real files, processes and tmux servers.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod control;
mod ear;
mod files;
mod processes;
mod servers;
