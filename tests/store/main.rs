//! The files headcount owns, on real file systems: editors between any two steps, deaths at any step, refusals.
// Printing: a child test tells its parent how far it is, and a test that cannot be staged says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod journal;
mod kill;
mod matrix;
mod reading;
mod refusals;
mod state;
mod support;
mod writing;
