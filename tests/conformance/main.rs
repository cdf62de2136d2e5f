//! What every coding agent's adapter must do, whichever agent it is: one set of cases, driven by a table of specimens. A new agent
//! gets a row in `specimens.rs` and is held to all of it.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod damage;
mod evidence;
mod kit;
mod places;
mod recognition;
mod specimens;
mod transcripts;
