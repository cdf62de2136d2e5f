//! Who may import whom, what the pure rooms may not touch, and how long a file may be. Reads the sources; needs no build of
//! them. The rules are the table of ARCHITECTURE.md.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod circles;
mod names;
mod paths;
mod points;

use std::fs;
use std::path::{Path, PathBuf};

use circles::circles;
use names::shared_names;
use paths::{module, paths};
use points::without_points;

/// The rooms, and the rooms each may use besides itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("fault", &[]),
    ("yaml", &["core"]),
    ("host", &["core"]),
    ("mux", &["core", "fault", "host"]),
    ("agent", &["core", "host"]),
    ("store", &["core", "fault", "yaml"]),
    ("bus", &["core"]),
    ("control", &["core", "fault", "yaml", "host", "mux", "agent", "store", "bus"]),
    ("cli", &["core", "fault", "yaml", "host", "mux", "agent", "store", "bus", "control"]),
];

/// The rooms without side effects.
const PURE: &[&str] = &["core", "yaml"];

/// Paths a pure room may not name, nor anything below them.
const IMPURE_PATHS: &[&str] = &[
    "std::fs",
    "std::process",
    "std::env",
    "std::net",
    "std::thread",
    "std::os",
    "std::sync::mpsc",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "Utc::now",
    "Local::now",
    "chrono::Local",
    "tokio",
    "futures",
    "rustix",
    "libc",
    "fs4",
    "tempfile",
    "etcetera",
    "terminal_size",
    "notify",
    "rumqttc",
    "tracing",
];

/// Paths of what outlives every call or is shared behind its back. A pure room's values belong to whoever asked for them.
const GLOBAL_PATHS: &[&str] = &[
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::OnceLock",
    "std::sync::LazyLock",
    "std::sync::Once",
    "std::sync::atomic",
    "std::thread_local",
    "Box::leak",
    "Vec::leak",
    "String::leak",
];

/// Words that make such a thing without a path.
const GLOBAL_WORDS: &[&str] = &["thread_local", "lazy_static"];

/// Methods of paths that look at the disk, and the one that keeps a value for ever.
const IMPURE_METHODS: &[&str] = &[
    "leak",
    "exists",
    "try_exists",
    "is_file",
    "is_dir",
    "is_symlink",
    "metadata",
    "symlink_metadata",
    "canonicalize",
    "read_link",
    "read_dir",
];

/// Programs that find or end processes by their names.
const NAME_HUNTERS: &[&str] = &["pkill", "killall", "pgrep", "pidof"];

/// Commands that end all a multiplexer holds, and the only place that gives one: to the server that the demo has started.
const ENDERS: &[&str] = &["kill-server", "kill-all-sessions", "delete-all-sessions"];
const MAY_END: &str = "src/cli/commands/demo/world.rs";

const LONGEST_FILE: usize = 500;

#[test]
fn no_room_imports_one_it_must_not_know() {
    assert_none(sources(&["src"]).iter().flat_map(|(path, text)| directions(path, text)).collect());
}

#[test]
fn the_pure_rooms_touch_no_file_process_clock_environment_network_or_thread_and_keep_nothing() {
    assert_none(sources(&["src"]).iter().flat_map(|(path, text)| impurities(path, text)).collect());
}

#[test]
fn no_source_file_is_longer_than_the_limit() {
    assert_none(
        sources(&["src", "tests", "examples", "benches", "fuzz/src"])
            .iter()
            .filter_map(|(path, text)| too_long(path, text))
            .collect(),
    );
}

#[test]
fn a_module_with_a_folder_is_the_mod_file_of_that_folder() {
    let files = sources(&["src"]);
    let beside = |(path, _): &(PathBuf, String)| {
        let folder = path.with_extension("");
        files.iter().any(|(other, _)| other.starts_with(&folder)).then(|| format!("{}: move it to mod.rs", path.display()))
    };
    assert_none(files.iter().filter_map(beside).collect());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_none(circles(&sources(&["src"])));
}

#[test]
fn no_two_public_types_have_one_name() {
    assert_none(shared_names(&sources(&["src"])));
}

#[test]
fn nothing_is_found_or_ended_by_its_name() {
    assert_none(sources(&["src"]).iter().flat_map(|(path, text)| name_hunters(path, text)).collect());
}

#[test]
fn every_effect_stands_between_two_points_of_failure() {
    assert_none(without_points(&sources(&["src"])));
}

#[test]
fn every_module_says_first_what_it_owns() {
    let silent =
        |(path, text): &(PathBuf, String)| (!text.starts_with("//! ")).then(|| format!("{}: no module doc", path.display()));
    assert_none(sources(&["src"]).iter().filter_map(silent).collect());
}

#[test]
fn unsafe_stands_only_where_the_security_page_says() {
    let allowing: Vec<String> = sources(&["src"])
        .into_iter()
        .filter(|(_, text)| text.contains("allow(unsafe_code)"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    let named = [
        "src/cli/exec/signals.rs",
        "src/cli/heap.rs",
        "src/cli/signals.rs",
        "src/host/ids.rs",
        "src/host/limits.rs",
        "src/store/file_lease.rs",
    ];
    assert_eq!(allowing, named, "docs/security.md names them");
}

/// What changes the world outside headcount's own files is named in one place only, where every call needs a permit.
const DRIVE: &str = "mux";
const DRIVERS: [&str; 2] = ["drive", "typing"];
const EFFECTS: &str = "src/control/lead/effects.rs";

#[test]
fn only_the_effects_name_the_writing_side_of_a_multiplexer() {
    assert_none(sources(&["src"]).iter().flat_map(|(path, text)| drivers(path, text)).collect());
    assert!(drivers(Path::new("src/cli/a.rs"), "use crate::mux::tmux::drive;").len() == 1);
    assert!(drivers(Path::new("src/control/lead/engine.rs"), "use crate::mux::tmux::drive::place;").len() == 1);
    assert!(drivers(Path::new("src/control/lead/send/mod.rs"), "use crate::mux::tmux::typing;").len() == 1);
    assert!(drivers(Path::new("src/cli/a.rs"), "use crate::mux::tmux::{address, drive::{self, place}};").len() == 2);
    assert!(drivers(Path::new(EFFECTS), "use crate::mux::tmux::drive::place;").is_empty());
    assert!(
        drivers(Path::new("src/cli/a.rs"), "use crate::mux::tmux::address; use crate::agent::drive::DriveTable;").is_empty()
    );
}

/// The places outside of the effects and of the multiplexers themselves that name it.
fn drivers(path: &Path, text: &str) -> Vec<String> {
    if path.ends_with(EFFECTS) || path.starts_with("src/mux") {
        return Vec::new();
    }
    let has = |parts: &[String], word: &str| parts.iter().any(|part| part == word);
    let is_driver = |parts: &[String]| has(parts, DRIVE) && DRIVERS.iter().any(|word| has(parts, word));
    let named = paths(text).into_iter().filter(|named| !named.in_test && is_driver(&named.parts));
    named.map(|named| format!("{}: must not use {}", path.display(), named.parts.join("::"))).collect()
}

/// Front ends turn arguments into a request and an answer into texts and files; whatever else they need is for `control` to have.
const FRONT_ENDS: [&str; 3] = ["src/cli/compat", "src/cli/mcp", "src/cli/ui"];
const OF_FRONT_ENDS: [&str; 3] = ["cli", "control", "core"];

#[test]
fn front_ends_know_only_control_and_core() {
    let strangers = |(path, text): &(PathBuf, String)| {
        let named = paths(text)
            .into_iter()
            .filter(|named| FRONT_ENDS.iter().any(|room| path.starts_with(room)) && named.parts.len() > 1);
        let is_strange = |parts: &[String]| {
            parts[0] == "crate"
                && MAY_USE.iter().any(|(room, _)| *room == parts[1])
                && !OF_FRONT_ENDS.contains(&parts[1].as_str())
        };
        let strange = named.filter(|named| is_strange(&named.parts));
        strange.map(|named| format!("{}: must not use {}", path.display(), named.parts.join("::"))).collect::<Vec<_>>()
    };
    assert_none(sources(&["src"]).iter().flat_map(strangers).collect());
    let of = |text: &str| strangers(&(Path::new("src/cli/compat/a.rs").to_path_buf(), text.to_owned())).len();
    assert_eq!(strangers(&(Path::new("src/cli/mcp/a.rs").to_path_buf(), "use crate::store::paths;".to_owned())).len(), 1);
    assert_eq!((of("use crate::mux::Mux;"), of("use crate::control::lead::send;"), of("use super::texts;")), (1, 0, 0));
}

#[test]
fn the_checker_sees_a_forbidden_direction_however_it_is_written() {
    for (path, text) in [
        ("src/core/a.rs", "use crate::yaml::Diagnostic;"),
        ("src/core/a.rs", "use crate::{core::ids, yaml::{self, load}};"),
        ("src/core/a.rs", "pub(crate) use\n    crate :: cli;"),
        ("src/core/drift/mod.rs", "fn f() { super::super::store::open(); }"),
        ("src/core/drift/dead.rs", "fn f() -> super::super::super::host::Host { todo() }"),
        ("src/core/a.rs", "mod tests { use super::super::super::mux::list; }"),
        ("src/yaml/mod.rs", "fn f() { crate::store::paths::state() }"),
        ("src/mux/tmux/rows.rs", "use crate::agent::all;"),
        ("src/agent/claude.rs", "use crate::mux::Mux;"),
        ("src/store/mod.rs", "use crate::control::pass::Mode;"),
        ("src/control/pass.rs", "use crate::cli::main;"),
        ("src/main.rs", "use headcount::core::ids::MuxKind;"),
    ] {
        assert!(!directions(Path::new(path), text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_allowed() {
    for (path, text) in [
        (
            "src/core/drift/dead.rs",
            "use super::super::ids::MuxKind; use crate::core::edit::Edit; use core::fmt; use std::path::Path;",
        ),
        (
            "src/core/a.rs",
            "// use crate::yaml;\n/* crate::cli /* crate::cli */ */ const A: &str = \"crate::cli\"; const B: char = '\"';",
        ),
        ("src/core/a.rs", "const A: &str = r#\"\" crate::cli \"#; fn f<'a>(x: &'a str) {} mod t { use super::super::yaml; }"),
        ("src/store/mod.rs", "use crate::{core, yaml::load};"),
        ("src/control/mod.rs", "use crate::{agent, host, mux, store};"),
        ("src/main.rs", "fn main() { headcount::cli::main() }"),
    ] {
        assert_eq!(directions(Path::new(path), text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn the_checker_sees_side_effects_in_a_pure_room() {
    for text in [
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "fn f() { std::env::var(\"HOME\"); }",
        "fn f() { let now = chrono::Utc::now(); }",
        "use chrono::Local;",
        "use std::time::{Duration, Instant};",
        "fn f(p: &Path) -> bool { p.exists() }",
        "async fn f() {}",
        "fn f() { g().await }",
        "use std::thread;",
        "fn f() { std::process::id(); }",
        "use rustix::fs::stat;",
        "#[cfg(test)] mod tests {} use std::fs;",
        "static KNOWN: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());",
        "use std::sync::{Arc, OnceLock};",
        "use std::sync::RwLock as Shared;",
        "use std::sync::atomic::AtomicU64;",
        "thread_local! { static SEEN: u8 = 1; }",
        "fn f(x: Box<u8>) -> &'static u8 { Box::leak(x) }",
        "fn f(x: String) -> &'static str { x.leak() }",
    ] {
        assert!(!impurities(Path::new("src/core/a.rs"), text).is_empty(), "{text}");
        assert!(!impurities(Path::new("src/yaml/a.rs"), text).is_empty(), "{text}");
        assert_eq!(impurities(Path::new("src/store/a.rs"), text).len(), 0, "{text}");
    }
    for text in [
        "use std::time::Duration; use chrono::{DateTime, Utc}; use std::path::PathBuf; // std::fs",
        "#[cfg(test)]\nmod tests { use std::fs; fn f() { Instant::now(); } }",
        "use std::sync::Arc; use std::cell::OnceCell; static NAMES: &[&str] = &[\"a\"];",
    ] {
        assert_eq!(impurities(Path::new("src/core/a.rs"), text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_checker_sees_what_looks_for_names() {
    let found = |path: &str, text: &str| name_hunters(Path::new(path), text).len();
    assert_eq!(found("src/host/a.rs", r#"command("pkill").args(["-fx", "tmux -C"])"#), 1);
    assert_eq!(found("src/mux/tmux/a.rs", r#"self.ask(&["kill-server"])"#), 1);
    assert_eq!(found(MAY_END, r#"self.tmux(&["kill-server"])"#), 0);
    assert_eq!(found(MAY_END, r#"command("killall")"#), 1);
    assert_eq!(found("src/mux/a.rs", "\"`tmux kill-server` ends it\"; #[cfg(test)] mod t { f(\"kill-server\") }"), 0);
}

#[test]
fn the_checker_sees_a_file_that_is_too_long() {
    assert_eq!(too_long(Path::new("a.rs"), &"\n".repeat(LONGEST_FILE)), None);
    assert!(too_long(Path::new("a.rs"), &"\n".repeat(LONGEST_FILE + 1)).is_some());
}

fn assert_none(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Every Rust file below these directories of the package, with its path relative to the package.
fn sources(roots: &[&str]) -> Vec<(PathBuf, String)> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut todo: Vec<PathBuf> = roots.iter().map(|root| package.join(root)).filter(|root| root.is_dir()).collect();
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).expect("a readable directory") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable source");
                files.push((path.strip_prefix(package).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(files.len() > 10, "the sources were not found");
    files.sort();
    files
}

fn too_long(path: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LONGEST_FILE).then(|| format!("{}: {lines} lines, more than {LONGEST_FILE}; split it by noun", path.display()))
}

fn directions(path: &Path, text: &str) -> Vec<String> {
    let module = module(path);
    let allowed: Vec<&str> = match module.first() {
        None if path.ends_with("main.rs") => vec!["cli"],
        None => return Vec::new(),
        Some(room) => match MAY_USE.iter().find(|(name, _)| name == room) {
            Some((name, rooms)) => rooms.iter().copied().chain([*name]).collect(),
            None => return vec![format!("{}: {room} is not a room of ARCHITECTURE.md", path.display())],
        },
    };
    let mut offences = Vec::new();
    for named in paths(text) {
        let target = match named.parts.first().map(String::as_str) {
            Some("crate" | "headcount") => named.parts.get(1),
            Some("super") => {
                let supers = named.parts.iter().take_while(|part| *part == "super").count();
                (supers == module.len() + named.inline_depth).then(|| named.parts.get(supers)).flatten()
            }
            _ => None,
        };
        let Some(target) = target else { continue };
        if MAY_USE.iter().any(|(room, _)| room == target) && !allowed.contains(&target.as_str()) {
            offences.push(format!("{}: must not use {}", path.display(), named.parts.join("::")));
        }
    }
    offences
}

/// What a file gives to another program to find or end something by its name. A word within a longer text is advice.
fn name_hunters(path: &Path, text: &str) -> Vec<String> {
    let program = text.split("#[cfg(test)]").next().unwrap_or_default();
    let quotes = |word: &str| program.contains(&format!("\"{word}\""));
    let ends = ENDERS.iter().filter(|_| !path.ends_with(MAY_END));
    let all = NAME_HUNTERS.iter().chain(ends).filter(|word| quotes(word));
    all.map(|word| format!("{}: must not run {word}", path.display())).collect()
}

fn impurities(path: &Path, text: &str) -> Vec<String> {
    let module = module(path);
    if !module.first().is_some_and(|room| PURE.contains(&room.as_str())) || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for named in paths(text).into_iter().filter(|named| !named.in_test) {
        let text = named.parts.join("::");
        let hit = |impure: &&&str| {
            text == **impure || text.starts_with(&format!("{impure}::")) || text.ends_with(&format!("::{impure}"))
        };
        let alone = named.parts.len() == 1;
        let word = alone && (matches!(text.as_str(), "async" | "await") || GLOBAL_WORDS.contains(&text.as_str()));
        let method = alone && named.is_method && IMPURE_METHODS.contains(&text.as_str());
        if word || method || (!alone || named.is_use) && IMPURE_PATHS.iter().chain(GLOBAL_PATHS).any(|impure| hit(&impure)) {
            offences.push(format!("{}: a pure room must not use {text}", path.display()));
        }
    }
    offences
}
