//! A part of the table of faults as ordinary tests, so that it cannot rot: `./x faults` runs all of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod matrix;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/zellij.rs"]
mod zellij;

use matrix::faults::GROUPS;
use matrix::table::Row;
use matrix::verb::Verb;

/// Runs one fault against these commands; every cell has to be as the contract asks.
fn survives(group: &str, name: &str, verbs: &[Verb]) {
    let (group, faults) = GROUPS.into_iter().find(|(known, _)| *known == group).expect("the group");
    let fault = faults().into_iter().find(|fault| fault.name == name).expect("the fault");
    let row = Row { fault, group, outcomes: fault.row(verbs) };
    for (verb, outcome) in verbs.iter().zip(&row.outcomes) {
        if let matrix::Outcome::Skipped(why) = outcome {
            eprintln!("SKIPPED {name} × {}: {why}", verb.as_str());
        }
    }
    assert_eq!(row.surprises(verbs), [] as [String; 0]);
}

#[test]
fn without_a_fault_every_command_does_what_it_is_for() {
    survives("no fault", "nothing is wrong", &Verb::ALL);
}

#[test]
fn a_stopped_server_loses_nothing() {
    survives("multiplexers", "tmux server stopped, then resumed", &[Verb::Status, Verb::Reconcile, Verb::Watch]);
}

#[test]
fn a_killed_command_loses_nothing() {
    survives("process", "killed (SIGKILL) at random instants", &[Verb::Reconcile, Verb::Undo, Verb::JobSubmit]);
}

#[test]
fn a_manifest_that_is_saved_meanwhile_loses_nothing() {
    survives("manifest", "saved by renaming, again and again", &[Verb::Reconcile, Verb::Undo]);
}

#[test]
fn a_torn_manifest_is_left_alone() {
    survives("manifest", "half saved, just now", &[Verb::Diff, Verb::Reconcile, Verb::Watch]);
}
