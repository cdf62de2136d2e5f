//! One name, one meaning: where two public types have the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::circles::is_test_file;
use super::paths::tokens;

/// What begins the definition of a type.
const DEFINES: &[&str] = &["struct", "enum", "union", "trait", "type"];

/// A line for each name that more than one public type has, private types and those of tests left out.
pub(super) fn shared_names(files: &[(PathBuf, String)]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_test_file(path)) {
        for name in public_types(&tokens(text)) {
            places.entry(name).or_default().push(path);
        }
    }
    let shared = places.into_iter().filter(|(_, paths)| paths.len() > 1);
    shared
        .map(|(name, paths)| {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            format!("{name} is the name of several types: {}", paths.join(", "))
        })
        .collect()
}

/// The names that follow `pub struct`, `pub(super) enum` and the like.
fn public_types(tokens: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token != "pub" {
            continue;
        }
        let mut next = at + 1;
        if tokens.get(next).is_some_and(|token| token == "(") {
            next += tokens[next..].iter().position(|token| token == ")").map_or(0, |end| end + 1);
        }
        if tokens.get(next).is_some_and(|token| DEFINES.contains(&token.as_str())) {
            names.extend(tokens.get(next + 1).cloned());
        }
    }
    names
}

#[test]
fn the_checker_sees_a_name_with_two_meanings() {
    let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    let files = [
        file("src/core/a.rs", "pub struct Turn; struct Line; pub(super) enum Once {}"),
        file("src/control/b.rs", "pub(in crate::control) enum Turn { A } struct Line; fn f() -> Once { g() }"),
        file("src/core/tests.rs", "pub struct Once;"),
    ];
    assert_eq!(shared_names(&files), ["Turn is the name of several types: src/core/a.rs, src/control/b.rs"]);
}
