//! `headcount history`: what the journal says.

use crate::support::Place;

#[test]
fn a_manifest_nothing_was_recorded_in_has_an_empty_history_and_no_file_is_made() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions: []\n");
    let ran = place.run(&["history"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "Nothing has been recorded.\n", ""));
    let json: serde_json::Value = serde_json::from_str(&place.run(&["history", "--json"]).stdout).unwrap();
    assert_eq!((&json["schema"], &json["entries"]), (&"headcount/history/v1".into(), &serde_json::json!([])));
    assert_eq!(std::fs::read_dir(place.home()).unwrap().count(), 0);
}

const RUNNING: &str = "version: 1\nsessions:\n  - { name: lost, agent: claude, cwd: /, status: running }\n";

#[test]
fn history_shows_where_a_version_was_kept_that_another_program_saved() {
    let place = Place::new();
    place.write("agent-sessions.yaml", RUNNING);
    // What a kill in the middle of a write leaves: the version that an editor saved meanwhile.
    let swap = format!(".agent-sessions.yaml.{}.{}.swap", "1".repeat(32), "2".repeat(32));
    place.write(&swap, "version: 1\nsessions: []\n# an editor's\n");
    let ran = place.run(&["record"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let history = place.run(&["history"]).stdout;
    assert!(
        history.contains("000002  ") && history.contains("  kept") && history.contains("agent-sessions.yaml.saved-"),
        "{history}"
    );
    let json: serde_json::Value = serde_json::from_str(&place.run(&["history", "--json"]).stdout).unwrap();
    assert_eq!((&json["entries"][0]["id"], json["entries"].as_array().unwrap().len()), (&"000001".into(), 1), "{json}");
    assert_eq!((&json["notes"][0]["id"], &json["notes"][0]["kind"]), (&"000002".into(), &"kept".into()), "{json}");
    assert!(!place.run(&["history", "lost"]).stdout.contains("000002"), "it is about no session");
    let undo = place.run(&["undo", "2"]);
    assert_eq!(undo.code, Some(3), "{}", undo.stderr);
    assert!(undo.stderr.contains("entry 000002 cannot be taken back") && undo.stderr.contains("`kept`"), "{}", undo.stderr);
}

#[test]
fn entries_of_a_newer_headcount_are_kept_and_shown_by_what_they_say_of_themselves() {
    let place = Place::new();
    place.write("agent-sessions.yaml", RUNNING);
    assert_eq!(place.run(&["record"]).code, Some(0));
    let state = place.home().join(".local/state/headcount");
    let directory = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let journal = directory.join("journal.jsonl");
    let old = std::fs::read_to_string(&journal).unwrap();
    let session = r#"{"name":"lost","mux":"tmux","server":"default","host":"h"}"#;
    let later = format!(
        "{{\"id\":\"000002\",\"kind\":\"operation\",\"at\":\"2026-11-21T08:00:05Z\",\"session\":{session},\"message\":\"lost: started.\"}}\n\
         {{\"id\":\"000003\",\"kind\":\"hold\",\"at\":\"2026-11-21T08:00:06Z\",\"by\":\"nobody\"}}\n"
    );
    std::fs::write(&journal, format!("{old}{later}")).unwrap();
    let history = place.run(&["history"]).stdout;
    for part in ["000003", "hold", "A newer headcount wrote this entry", "000002", "operation", "started.", "000001", "dead"] {
        assert!(history.contains(part), "{part}: {history}");
    }
    assert!(place.run(&["history", "lost"]).stdout.contains("started."));
    assert_eq!(place.run(&["undo", "000001"]).code, Some(0));
    assert!(place.run(&["history", "-n", "1"]).stdout.contains("000004"), "numbers go on after those of the newer one");
    assert!(std::fs::read_to_string(&journal).unwrap().contains(&later), "nothing of it is lost");
}
