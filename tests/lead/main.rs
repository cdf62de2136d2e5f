//! Acting on sessions, against a real tmux and a stand-in for Claude Code: what is started, resumed and stopped, what is refused, and
//! what is left when something goes wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod across;
mod apply;
mod begun;
mod blank;
mod bridge;
mod bridge_letters;
mod conditions;
mod crew;
mod crew_soak;
mod csd;
mod declared;
mod describe;
mod dialogs;
mod enforce;
mod enforce_soak;
mod entries;
mod faces;
mod faults;
mod followed;
mod holds;
mod hooks;
mod hosts;
mod hosts_sshd;
mod in_zellij;
mod in_zellij_faults;
mod in_zellij_launcher;
mod in_zellij_places;
mod jobs;
mod jobs_lost;
mod jobs_rebooted;
mod jobs_unsaid;
mod launcher;
mod mcp;
mod moved;
mod pi;
mod points;
mod prompts;
mod reading;
mod refusals;
mod rename;
mod said;
mod scene;
mod sending;
mod service;
mod soak;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod task_start;
mod tasks;
mod terminal_jobs;
mod terminal_path;
mod ui;
mod undeclared;
mod waiting;
#[path = "../support/zellij.rs"]
mod zellij;

use scene::{Ran, Scene, is_alive};

/// `./x faults leading` prints the same as a table.
#[test]
fn every_fault_of_leading_is_said_and_leaves_what_it_should() {
    let wrong = std::sync::Mutex::new(Vec::new());
    scene::each(table::ROWS, |fault| {
        let row = fault.row();
        if let Err(why) = &row.said {
            eprintln!("SKIPPED {}: {why}", row.name);
        }
        wrong.lock().unwrap().extend(row.wrong.iter().map(|what| format!("{}: {what}", row.name)));
    });
    assert_eq!(wrong.into_inner().unwrap(), [] as [String; 0]);
}
