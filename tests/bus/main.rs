//! The bus against a real broker: one mosquitto per test, on a free port of the loopback, in a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broker;
mod client;
mod publishing;
#[cfg(feature = "tls")]
mod tls;
mod trouble;
