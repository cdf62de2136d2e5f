//! What each fuzz target does with its bytes, and the seeds it begins with. `fuzz_targets/` gives them to libFuzzer, `tests/fuzz`
//! runs them for a moment with every test run, so that none of them rots. Drives what is public; owns nothing of headcount's.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs, unreachable_pub)]

pub mod crew;
mod desk;
pub mod edits;
pub mod events;
pub mod fleet;
pub mod hooks;
pub mod imports;
pub mod journal;
pub mod manifest;
pub mod registry;
pub mod remote;
pub mod tasks;
pub mod tmux;
pub mod transcripts;
pub mod zellij;

use std::path::{Path, PathBuf};

/// What parts the pieces of an input: no text that is read by lines holds it.
pub const CUT: u8 = 0x1e;

/// One target.
pub struct Target {
    /// As `./x fuzz` takes it.
    pub name: &'static str,
    /// Does it with these bytes; panics at whatever must not be.
    pub run: fn(&[u8]),
    /// Inputs that lead far in.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const ALL: [Target; 14] = [
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "edits", run: edits::run, seeds: edits::seeds },
    Target { name: "tmux", run: tmux::run, seeds: tmux::seeds },
    Target { name: "zellij", run: zellij::run, seeds: zellij::seeds },
    Target { name: "transcripts", run: transcripts::run, seeds: transcripts::seeds },
    Target { name: "hooks", run: hooks::run, seeds: hooks::seeds },
    Target { name: "imports", run: imports::run, seeds: imports::seeds },
    Target { name: "events", run: events::run, seeds: events::seeds },
    Target { name: "fleet", run: fleet::run, seeds: fleet::seeds },
    Target { name: "registry", run: registry::run, seeds: registry::seeds },
    Target { name: "remote", run: remote::run, seeds: remote::seeds },
    Target { name: "tasks", run: tasks::run, seeds: tasks::seeds },
    Target { name: "crew", run: crew::run, seeds: crew::seeds },
    Target { name: "journal", run: journal::run, seeds: journal::seeds },
];

/// The recorded files all tests read.
fn data(below: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if package.join("tests/data").is_dir() { package } else { package.parent().unwrap() };
    root.join("tests/data").join(below)
}

/// Every file below a directory, in order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The pieces of an input.
fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == CUT)
}

/// Pieces as one input.
fn joined(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.join(&CUT)
}

/// The first byte, which chooses, and the rest. An empty input chooses nothing.
fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}
