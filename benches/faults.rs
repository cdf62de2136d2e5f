//! Every fault against every command, for real, as a table. Fails if anything was lost, any verdict wrong, or any cell other than
//! the contract asks. Run by `./x faults`; a bench run leaves it out.
//!
//! Arguments: `--markdown` prints the tables of the document; words choose the faults whose name holds one of them,
//! and `leading` those of leading.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[path = "../tests/lead/table/mod.rs"]
mod leading;
#[path = "../tests/faults/matrix/mod.rs"]
mod matrix;
#[path = "../tests/lead/scene.rs"]
mod scene;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/support/zellij.rs"]
mod zellij;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use leading::{LeadFault, LeadRow};
use matrix::faults::GROUPS;
use matrix::table::{self, Row};
use matrix::verb::Verb;
use matrix::{Fault, Outcome};
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};

/// How many faults are tried at once: most of the time is waiting.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--bench") {
        println!("SKIPPED faults: no benchmark; `./x faults` runs them");
        return ExitCode::SUCCESS;
    }
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let is_meant = |fault: &Fault| words.is_empty() || words.iter().any(|word| fault.name.contains(word.as_str()));
    let mut faults: Vec<(&'static str, Fault)> = Vec::new();
    for (group, all) in GROUPS {
        faults.extend(all().into_iter().filter(is_meant).map(|fault| (group, fault)));
    }
    let rows = run(&faults);
    let is_leading = |fault: &&LeadFault| {
        words.is_empty() || words.iter().any(|word| *word == "leading" || fault.name.contains(word.as_str()))
    };
    let led: Vec<&LeadFault> = leading::ROWS.iter().filter(is_leading).collect();
    let led_rows = lead(&led);
    let markdown = arguments.iter().any(|argument| argument == "--markdown");
    print!("{}", if markdown { table::markdown(&rows, &Verb::ALL) } else { table::text(&rows, &Verb::ALL) });
    print!("\nleading:\n\n{}", leading::render(&led_rows, markdown));
    conclude(&rows, &led_rows)
}

/// Tries the faults of leading, several at once, in order.
fn lead(faults: &[&LeadFault]) -> Vec<LeadRow> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                give_up_privileges();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(fault) = faults.get(at) else { return };
                    let row = std::panic::catch_unwind(|| fault.row()).unwrap_or_else(|_| fault.panicked());
                    eprintln!("{}: {}", fault.name, if row.wrong.is_empty() { "ok" } else { "NOT AS EXPECTED" });
                    rows.lock().unwrap().push((at, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Runs all of them, several at once, in order.
fn run(faults: &[(&'static str, Fault)]) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                give_up_privileges();
                while let Some((group, fault)) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let at = faults.iter().position(|(_, other)| std::ptr::eq(other, fault)).unwrap();
                    let row = std::panic::catch_unwind(|| fault.row(&Verb::ALL));
                    let outcomes =
                        row.unwrap_or_else(|_| vec![Outcome::Lost("its world cannot be made".to_owned()); Verb::ALL.len()]);
                    eprintln!("{}: {}", fault.name, outcomes.iter().map(Outcome::to_string).collect::<Vec<_>>().join(" "));
                    rows.lock().unwrap().push((at, Row { fault: *fault, group, outcomes }));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Root would be refused nothing: what this thread starts has to keep to the modes of files.
fn give_up_privileges() {
    let all = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    for one in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
        let _ = remove_capability_from_bounding_set(one);
    }
    if let Ok(mut sets) = capabilities(None) {
        sets.effective.remove(all);
        sets.permitted.remove(all);
        sets.inheritable.remove(all);
        let _ = set_capabilities(None, sets);
    }
}

/// Says what was skipped and what is not as it should be.
fn conclude(rows: &[Row], led: &[LeadRow]) -> ExitCode {
    for row in rows {
        if let Some(Outcome::Skipped(why)) = row.outcomes.iter().find(|outcome| matches!(outcome, Outcome::Skipped(_))) {
            println!("SKIPPED {}: {why}", row.fault.name);
        }
    }
    // Or it would be one more row of a table.
    println!();
    let mut surprises: Vec<String> = rows.iter().flat_map(|row| row.surprises(&Verb::ALL)).collect();
    surprises.extend(led.iter().flat_map(|row| row.wrong.iter().map(|what| format!("{}: {what}", row.name))));
    let count =
        |wanted: fn(&Outcome) -> bool| rows.iter().flat_map(|row| &row.outcomes).filter(|outcome| wanted(outcome)).count();
    println!(
        "{} faults, and {} of leading: {} survived, {} said that they cannot tell, {} clear errors, {} lost, {} not as expected.",
        rows.len(),
        led.len(),
        count(|outcome| *outcome == Outcome::Survived),
        count(|outcome| *outcome == Outcome::CannotTell),
        count(|outcome| matches!(outcome, Outcome::Error(_))),
        count(|outcome| matches!(outcome, Outcome::Lost(_))),
        surprises.len()
    );
    for surprise in &surprises {
        println!("NOT AS EXPECTED {surprise}");
    }
    ExitCode::from(u8::from(!surprises.is_empty()))
}
