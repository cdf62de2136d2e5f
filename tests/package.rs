//! What is published: which files, and on how many other crates it rests. Asks cargo, which is not asked to go to the network.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The most crates headcount is built from on Linux, itself and what only tests or build scripts need left out. Whoever raises it
/// says in the commit what the new one is for.
const MOST_CRATES: usize = 190;

/// The same without TLS.
const MOST_WITHOUT_TLS: usize = 129;

/// What a package begins with beside the files that are named one by one.
const DIRECTORIES: [&str; 4] = ["src/", "docs/", "examples/", "schema/"];

/// The files at its top; the last three are cargo's.
const FILES: [&str; 9] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    ".cargo_vcs_info.json",
    "Cargo.toml.orig",
];

fn cargo(arguments: &[&str]) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn packaged() -> Vec<String> {
    cargo(&["package", "--list", "--allow-dirty"])
}

#[test]
fn the_package_holds_what_it_must_and_nothing_else() {
    let files = packaged();
    let strange: Vec<&String> = files
        .iter()
        .filter(|file| !FILES.contains(&file.as_str()) && !DIRECTORIES.iter().any(|directory| file.starts_with(directory)))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
    for file in FILES.iter().filter(|file| !file.starts_with('.')) {
        assert!(files.iter().any(|packaged| packaged == file), "{file} is missing");
    }
    for directory in DIRECTORIES {
        assert!(files.iter().any(|packaged| packaged.starts_with(directory)), "{directory} is missing");
    }
}

#[test]
fn every_file_the_readme_links_to_is_in_the_package() {
    let files = packaged();
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let links: Vec<&str> = links.filter(|link| !link.is_empty() && !link.starts_with("https:")).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        assert!(files.iter().any(|file| file == link), "{link} is not packaged");
    }
}

#[test]
fn it_rests_on_no_more_crates_than_agreed() {
    for (most, more) in [(MOST_CRATES, &[][..]), (MOST_WITHOUT_TLS, &["--no-default-features"][..])] {
        let tree = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
        let lines = cargo(&[&tree[..], &["--target", "x86_64-unknown-linux-gnu"], more].concat());
        // `name v1.2.3`, and behind it what cargo adds.
        let crates: BTreeSet<String> = lines
            .iter()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .filter(|it| !it.starts_with("headcount "))
            .collect();
        let count = crates.len();
        assert!(count > 20, "{crates:?}");
        assert!(count <= most, "{count} crates {more:?}, more than {most}:\n{crates:#?}");
    }
}
