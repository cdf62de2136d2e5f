//! Runs every folder of `tests/data/edits`: `before.yaml` with `edits.json` gives `after.yaml`, or the refusal in
//! `refused.txt`. With `UPDATE=1` the expected files are written instead; read the diff before keeping it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use headcount::core::edit::{Edit, Path, Segment};
use headcount::yaml::{Refusal, apply, unified_diff, unified_diff_between};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/edits")
}

fn path(text: &str) -> Path {
    let mut path = Path::root();
    for part in text.split('.') {
        let (key, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
        path.0.push(Segment::Key(key.to_owned()));
        for index in indexes.split(['[', ']']).filter(|index| !index.is_empty()) {
            path.0.push(Segment::Index(index.parse().expect("an index")));
        }
    }
    path
}

/// An absent `from` or `to` is *not there*; `null` is null.
fn edits(json: &str) -> Vec<Edit> {
    let items: Vec<Value> = serde_json::from_str(json).expect("edits.json");
    items
        .iter()
        .map(|item| Edit {
            path: path(item["path"].as_str().expect("a path")),
            from: item.get("from").cloned(),
            to: item.get("to").cloned(),
            after: item.get("after").map(|after| after.as_str().expect("a key").to_owned()),
        })
        .collect()
}

struct Case {
    name: String,
    folder: PathBuf,
    before: String,
    edits: Vec<Edit>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = fs::read_dir(folder())
        .expect("the folder of cases")
        .map(|entry| {
            let folder = entry.expect("an entry").path();
            Case {
                name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
                before: fs::read_to_string(folder.join("before.yaml")).expect("before.yaml"),
                edits: edits(&fs::read_to_string(folder.join("edits.json")).expect("edits.json")),
                folder,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    cases
}

fn value(text: &str) -> serde_yaml::Value {
    // The reader takes a byte order mark for a column.
    serde_yaml::from_str(text.trim_start_matches('\u{feff}')).expect("a document")
}

#[test]
fn every_case_gives_exactly_the_expected_text_or_refusal() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut failures = Vec::new();
    for case in cases() {
        let (file, got) = match apply(&case.before, &case.edits) {
            Ok(text) => ("after.yaml", text),
            Err(refusal) => {
                let line = refusal.span().map(|span| 1 + case.before[..span.start].matches('\n').count());
                ("refused.txt", format!("{}\nline {}\n", refusal.why(), line.expect("a place")))
            }
        };
        if update {
            fs::write(case.folder.join(file), &got).expect("to write");
        }
        let expected = fs::read_to_string(case.folder.join(file)).unwrap_or_default();
        if got != expected {
            failures.push(format!("{}:\n{}", case.name, unified_diff(&expected, &got, file)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn only_the_cases_named_refused_are_refused() {
    for case in cases() {
        let result = apply(&case.before, &case.edits);
        assert_eq!(result.is_err(), case.name.starts_with("refused_"), "{}: {result:?}", case.name);
        assert!(!matches!(result, Err(Refusal::Guard { .. })) || case.name.contains("comment"), "{}: {result:?}", case.name);
    }
}

#[test]
fn the_inverse_edits_restore_every_value() {
    for case in cases() {
        let Ok(after) = apply(&case.before, &case.edits) else { continue };
        let inverse: Vec<Edit> = case.edits.iter().rev().map(Edit::inverse).collect();
        match apply(&after, &inverse) {
            Ok(back) => assert_eq!(value(&back), value(&case.before), "{}", case.name),
            // An item that was removed from the middle cannot be put back there: only the end of a sequence grows.
            Err(refusal) => assert!(
                matches!(refusal, Refusal::Changed { .. })
                    && ["first_session_is_removed", "nested_sequences"].contains(&case.name.as_str()),
                "{}: {refusal}",
                case.name
            ),
        }
    }
}

#[test]
fn edits_one_by_one_give_the_same_value_as_all_at_once() {
    for case in cases() {
        let Ok(after) = apply(&case.before, &case.edits) else { continue };
        let mut text = case.before.clone();
        for edit in &case.edits {
            text = apply(&text, std::slice::from_ref(edit)).unwrap_or_else(|refusal| panic!("{}: {refusal}", case.name));
        }
        assert_eq!(value(&text), value(&after), "{}", case.name);
    }
}

#[test]
fn the_diff_of_every_case_is_applied_by_patch() {
    for case in cases() {
        let Ok(after) = apply(&case.before, &case.edits) else { continue };
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("m.yaml"), &case.before).expect("to write");
        fs::write(
            place.path().join("d.patch"),
            unified_diff_between(&case.before, &after, "m.yaml", ["(declared)", "(observed)"]),
        )
        .expect("to write");
        let output = std::process::Command::new("patch")
            .args(["-p0", "--binary", "--fuzz=0", "-i", "d.patch"])
            .current_dir(place.path())
            .output()
            .expect("patch");
        assert!(output.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&output.stdout));
        assert_eq!(fs::read_to_string(place.path().join("m.yaml")).expect("to read"), after, "{}", case.name);
    }
}

#[test]
fn no_folder_holds_two_expectations() {
    for case in cases() {
        let files: BTreeSet<String> = fs::read_dir(&case.folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        assert!(files.contains("after.yaml") != files.contains("refused.txt"), "{}: {files:?}", case.name);
    }
}
