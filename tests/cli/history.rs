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
