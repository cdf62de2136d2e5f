//! Passes about a part of the world end where a pass about all of it ends: over worlds made of values, and over a real tmux
//! server.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod fake;
mod real;
mod values;
