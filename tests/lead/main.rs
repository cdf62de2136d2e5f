//! Acting on sessions, against a real tmux and a stand-in for Claude Code: what is started, resumed and stopped, what is refused, and
//! what is left when something goes wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod apply;
mod describe;
mod dialogs;
mod enforce;
mod entries;
mod faults;
mod holds;
mod launcher;
mod pi;
mod points;
mod refusals;
mod rename;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use scene::{Ran, Scene, is_alive};
