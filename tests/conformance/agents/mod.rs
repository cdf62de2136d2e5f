//! What every coding agent's adapter must do, whichever agent it is: one set of cases, driven by a table of specimens. A new agent
//! gets a row in `specimens.rs` and is held to all of it. See Guide 1 of ARCHITECTURE.md.

mod damage;
mod evidence;
mod kit;
mod places;
mod recognition;
mod resume;
mod screens;
mod specimens;
mod transcripts;
