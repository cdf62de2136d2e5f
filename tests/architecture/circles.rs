//! Circles in which files name each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::paths::{Named, module, paths};

/// The circles in which files name each other, tests aside: one line for each file that a shortest way leads back to, where no
/// earlier one is on it. A folder's module and the files below it do not count for each other.
pub(crate) fn circles(files: &[(PathBuf, String)]) -> Vec<String> {
    let files: Vec<&(PathBuf, String)> = files.iter().filter(|(path, _)| !is_test_file(path)).collect();
    let places: BTreeMap<Vec<String>, usize> = files.iter().enumerate().map(|(at, (path, _))| (module(path), at)).collect();
    let imports: Vec<BTreeSet<usize>> = files
        .iter()
        .map(|(path, text)| {
            let own = module(path);
            let named = paths(text).into_iter().filter(|named| !named.in_test).filter_map(|named| target(&own, &named));
            let file = |target: Vec<String>| (0..=target.len()).rev().find_map(|end| places.get_key_value(&target[..end]));
            let others = named.filter_map(file).filter(|(other, _)| !other.starts_with(&own) && !own.starts_with(other));
            others.map(|(_, at)| *at).collect()
        })
        .collect();
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for start in 0..files.len() {
        let Some(way) = way_back(start, &imports).filter(|way| way.iter().all(|at| !told.contains(at))) else { continue };
        told.extend(&way);
        let names: Vec<String> = way.iter().chain([&start]).map(|at| files[*at].0.display().to_string()).collect();
        found.push(format!("{}: {}", files[start].0.display(), names.join(" -> ")));
    }
    found
}

pub(super) fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

/// The module path that is named, from the root of the crate; `None` for what is another crate's, or local.
fn target(own: &[String], named: &Named) -> Option<Vec<String>> {
    let parts = &named.parts;
    match parts.first().map(String::as_str) {
        Some("crate" | "headcount") => Some(parts[1..].to_vec()),
        Some("super") => {
            let supers = parts.iter().take_while(|part| *part == "super").count();
            let up = supers.checked_sub(named.inline_depth)?;
            Some([&own[..own.len().checked_sub(up)?], &parts[supers..]].concat())
        }
        _ => None,
    }
}

/// The shortest way from a file back to itself, by width first.
fn way_back(start: usize, imports: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in &imports[at] {
            if *next == start {
                let mut way = vec![at];
                while let Some(earlier) = way.last().filter(|at| **at != start).and_then(|at| before.get(at)) {
                    way.push(*earlier);
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(*next, at);
                queue.push_back(*next);
            }
        }
    }
    None
}

#[test]
fn the_checker_sees_a_circle_and_only_a_circle() {
    let seen = |files: &[(&str, &str)]| {
        let files: Vec<(PathBuf, String)> = files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        circles(&files)
    };
    let one = "src/a/one.rs: src/a/one.rs -> src/a/two.rs -> src/a/one.rs";
    for (first, second) in [
        ("use super::two::Two;", "use super::one::One;"),
        ("fn f() -> crate::a::two::Two { todo() }", "use crate::a::{one::{self, One}};"),
        ("mod inner { use super::super::two::Two; }", "use super::one;"),
    ] {
        assert_eq!(seen(&[("src/a/mod.rs", "mod one; mod two;"), ("src/a/one.rs", first), ("src/a/two.rs", second)]), [one]);
    }
    let three = [("src/a.rs", "use crate::b::B;"), ("src/b.rs", "use super::c::C;"), ("src/c.rs", "use crate::a::A;")];
    assert_eq!(seen(&three), ["src/a.rs: src/a.rs -> src/b.rs -> src/c.rs -> src/a.rs"]);
    for files in [
        // A folder's module and what is below it belong together.
        &[("src/a/mod.rs", "mod one; use one::One; struct A;"), ("src/a/one.rs", "use super::A;")][..],
        &[("src/a.rs", "use crate::b::B;"), ("src/b.rs", "#[cfg(test)]\nmod tests { use crate::a::A; }")],
        &[("src/a.rs", "use crate::b::B;"), ("src/b.rs", "#[cfg(test)]\n#[allow(dead_code)]\nmod tests { use crate::a::A; }")],
        &[("src/a.rs", "use crate::b::B;"), ("src/b.rs", "// use crate::a::A;"), ("src/c.rs", "use crate::{a, b};")],
    ] {
        assert_eq!(seen(files), Vec::<String>::new(), "{files:?}");
    }
}
