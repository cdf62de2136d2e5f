//! What every adapter of a kind must do: one suite for each trait with several implementations, the same cases for all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/zellij.rs"]
mod zellij;

mod agents;
mod mux;
