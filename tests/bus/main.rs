//! The bus against a real broker: one mosquitto per test, on a free port of the loopback, in a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod broker;
mod client;
mod fleet;
mod headless;
mod hostile;
mod lifecycle;
mod publishing;
#[allow(dead_code, reason = "shared with the tests of the watch")]
#[path = "../watch/run.rs"]
mod run;
mod sending;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
mod trouble;
mod view;
mod watch;
