//! The manifests under `examples/` teach; so they must be right, to the letter of the schema too.

use std::path::{Path, PathBuf};

use headcount::core::drift::Class;

use crate::support::Place;

fn examples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 3);
    files
}

#[test]
fn every_example_is_valid_without_a_warning() {
    for path in examples() {
        let ran = Place::new().run(&["check", "--strict", path.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", path.display());
    }
}

#[test]
fn the_skill_knows_every_class_of_drift_and_every_state() {
    let skill = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/skills/headcount/SKILL.md");
    let text = std::fs::read_to_string(skill).unwrap();
    let states = ["pending", "settling", "applied", "flagged", "refused", "ignored"];
    for word in Class::ALL.map(Class::as_str).into_iter().chain(states) {
        assert!(text.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn whoever_reads_the_events_of_a_watch_is_told_of_every_type() {
    let schema: serde_json::Value = serde_json::from_str(&Place::new().run(&["schema", "events"]).stdout).unwrap();
    let types: Vec<&str> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["properties"]["type"]["const"].as_str().unwrap())
        .collect();
    assert!(types.contains(&"drift") && types.len() > 5, "{types:?}");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for page in ["skills/headcount/SKILL.md", "goal-mode-watcher.md"] {
        let text = std::fs::read_to_string(examples.join(page)).unwrap();
        for word in &types {
            assert!(text.contains(&format!("`{word}`")), "{page}: {word}");
        }
    }
    let help = Place::new().run(&["watch", "--help"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, listed) = help.split_once("one line per event:").unwrap();
    let (listed, _) = listed.split_once('.').unwrap();
    let listed: Vec<&str> = listed.split(',').map(str::trim).collect();
    assert_eq!(listed, types);
}

#[test]
fn every_example_agrees_with_the_schema_an_editor_would_use() {
    let schema = serde_json::from_str(&Place::new().run(&["schema", "manifest"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for path in examples() {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut document: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        document.apply_merge().unwrap();
        let document = serde_json::to_value(document).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}:\n{}", path.display(), errors.join("\n"));
    }
}
