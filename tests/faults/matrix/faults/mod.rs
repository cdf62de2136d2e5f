//! All faults, in the order of the table. Each file owns a group; none judges.

mod bus;
mod mux;
mod names;
mod outside;
mod process;
mod save;
mod store;

use super::{Fault, Tried};
use crate::matrix::stage::Stage;

/// A group of rows.
pub(crate) type Group = (&'static str, fn() -> Vec<Fault>);

/// The groups, in the order of the table.
pub(crate) const GROUPS: [Group; 8] = [
    ("no fault", || vec![Fault::new("nothing is wrong", nothing)]),
    ("multiplexers", mux::all),
    ("manifest", save::all),
    ("own files", store::all),
    ("process", process::all),
    ("agents' files", outside::all),
    ("names", names::all),
    ("broker", bus::all),
];

/// Sets nothing up.
pub(crate) fn nothing(_: &mut Stage) -> Tried {
    Ok(())
}
