//! Every effect, and every file of an operation, stands between two points at which a test kills headcount.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::paths::tokens;

/// Where effects are, and what is one when it is called or named.
const PLACES: &[(&str, &[&str])] = &[
    ("src/control/lead/effects.rs", &["drive", "typing", "kill_process_group", "pidfd_send_signal"]),
    (
        "src/store/operations/",
        &["replace", "append", "make", "sync", "sync_data", "remove_file", "remove_dir_all", "rename", "write_all", "try_lock"],
    ),
    ("src/cli/exec/", &["spawn"]),
];

/// A function, and what it calls outside of every `around(…)`.
struct Function {
    path: PathBuf,
    name: String,
    /// Whether other files can call it.
    is_open: bool,
    bare: BTreeSet<String>,
}

/// The functions with an effect that has no points around it.
pub(crate) fn without_points(sources: &[(PathBuf, String)]) -> Vec<String> {
    let offenders = PLACES.iter().flat_map(|(place, effects)| {
        let meant = sources.iter().filter(|(path, _)| path.to_string_lossy().starts_with(place));
        let functions: Vec<Function> = meant.flat_map(|(path, text)| functions(path, text)).collect();
        assert!(!functions.is_empty(), "{place} was not found");
        offenders(&functions, effects)
    });
    offenders.collect()
}

/// A private function may leave its points to those who call it; one that others can call may not.
fn offenders(functions: &[Function], effects: &[&str]) -> Vec<String> {
    let mut bare: BTreeSet<&str> = effects.iter().copied().collect();
    loop {
        let known = bare.len();
        let more = functions.iter().filter(|it| !it.is_open && it.bare.iter().any(|word| bare.contains(word.as_str())));
        bare.extend(more.map(|it| it.name.as_str()).collect::<Vec<_>>());
        if bare.len() == known {
            break;
        }
    }
    let open = functions.iter().filter(|it| it.is_open);
    let found = open.filter_map(|it| Some((it, it.bare.iter().find(|word| bare.contains(word.as_str()))?)));
    found.map(|(it, word)| format!("{}: no point around {word} in {}", it.path.display(), it.name)).collect()
}

fn functions(path: &Path, text: &str) -> Vec<Function> {
    let program = text.split("#[cfg(test)]").next().unwrap_or_default();
    let tokens = tokens(program);
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| word(*at) == "fn" && word(at + 1) != "(") {
        let Some(open) = (at..tokens.len()).find(|at| matches!(word(*at), "{" | ";")).filter(|at| word(*at) == "{") else {
            continue;
        };
        let end = closing(&tokens, open);
        let (mut bare, mut within) = (BTreeSet::new(), open);
        while within < end {
            if word(within) == "around" && word(within + 1) == "(" {
                within = closing(&tokens, within + 1);
            } else if matches!(word(within + 1), "(" | "::") {
                bare.insert(word(within).to_owned());
            }
            within += 1;
        }
        let is_open = matches!(word(at.wrapping_sub(1)), "pub" | ")");
        found.push(Function { path: path.to_path_buf(), name: word(at + 1).to_owned(), is_open, bare });
    }
    found
}

/// Where the bracket that opens at `open` is closed.
fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

#[test]
fn the_checker_sees_an_effect_without_a_point() {
    let of = |text: &str| {
        let functions = functions(Path::new("a.rs"), text);
        offenders(&functions, &["drive", "remove_file"]).len()
    };
    assert_eq!(of("pub fn a() { drive::kill() }"), 1);
    assert_eq!(of("pub fn a() { fault::around(\"kill\", || drive::kill()) }"), 0);
    assert_eq!(of("pub fn a() { around(\"b\", || (1)); drive::kill() }"), 1);
    assert_eq!(of("fn a() { std::fs::remove_file(x) } pub(super) fn b() { a() }"), 1);
    assert_eq!(of("fn a() { std::fs::remove_file(x) } pub(super) fn b() { around(\"b\", || a()) }"), 0);
    assert_eq!(of("fn a() { remove_file(x) } fn b() { a() } pub fn c() { b() }"), 1);
}
