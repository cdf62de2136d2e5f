//! The program as people and scripts meet it: what it prints where, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod activity;
mod bare;
mod check;
mod color;
mod completion;
mod doctor;
mod examples;
mod exits;
mod following;
mod generated;
mod help;
mod history;
mod hook;
mod hook_settings;
mod import;
mod links;
mod logs;
mod pipes;
mod promises;
mod search;
mod secrets;
mod support;
mod usage;
mod verbs;

#[path = "../support/mod.rs"]
mod world;
