//! The watch: the real program on private tmux servers, and its loop as a library where a test has to reach inside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

#[path = "../support/odd.rs"]
mod odd;
#[path = "../support/mod.rs"]
mod support;

mod custom;
mod elsewhere;
mod ends;
mod events;
mod hook;
mod inherited;
mod inside;
mod manifest;
mod panes;
mod restart;
mod run;
mod supervisor;
mod wakes;
