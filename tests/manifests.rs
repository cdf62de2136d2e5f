//! Runs every file of `tests/data/manifests`: the valid ones load without a remark, each invalid one gives the diagnostics
//! in the `.txt` beside it. With `UPDATE=1` the expected files are written instead; read the diff before keeping it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use headcount::core::manifest::Environment;
use headcount::yaml::{Diagnostic, decode, load, render};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn environment() -> Environment {
    Environment { home: PathBuf::from("/home/dev"), host: "dev1".to_owned() }
}

fn diagnose(bytes: &[u8]) -> (Vec<Diagnostic>, String) {
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(diagnostic) => return (vec![diagnostic], String::new()),
    };
    match load(text, &environment()) {
        Ok(loaded) => (loaded.warnings, text.to_owned()),
        Err(diagnostics) => (diagnostics, text.to_owned()),
    }
}

#[test]
fn every_valid_manifest_loads_without_a_remark() {
    for file in files("valid") {
        let (diagnostics, text) = diagnose(&fs::read(&file).unwrap());
        assert!(diagnostics.is_empty(), "{}", render(&diagnostics, &file.to_string_lossy(), &text, false));
    }
}

#[test]
fn every_invalid_manifest_is_refused_with_the_expected_snippet() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut failures = String::new();
    for file in files("invalid") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (diagnostics, text) = diagnose(&fs::read(&file).unwrap());
        assert!(diagnostics.iter().any(|diagnostic| diagnostic.fatal), "{name} is not refused");
        let shown = render(&diagnostics, &name, &text, false);
        let expected = file.with_extension("txt");
        if update {
            fs::write(&expected, &shown).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        if shown != wanted {
            failures.push_str(&format!("{name}: got\n{shown}\nexpected\n{wanted}\n"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_diagnostic_that_has_a_place_is_shown_at_it() {
    for file in files("invalid") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (diagnostics, text) = diagnose(&fs::read(&file).unwrap());
        for diagnostic in &diagnostics {
            let shown = render(std::slice::from_ref(diagnostic), &name, &text, false);
            match diagnostic.position(&text) {
                Some((line, column)) => assert!(shown.contains(&format!("--> {name}:{line}:{column}\n")), "{shown}"),
                None => assert!(shown.contains(&format!("--> {name}\n")), "{shown}"),
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    for file in files("invalid") {
        let (diagnostics, text) = diagnose(&fs::read(&file).unwrap());
        let colored = render(&diagnostics, "m.yaml", &text, true);
        assert!(colored.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), render(&diagnostics, "m.yaml", &text, false));
    }
}
