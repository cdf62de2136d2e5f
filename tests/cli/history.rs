//! `headcount history`: what the journal says.

use crate::support::Place;

#[test]
fn a_manifest_nothing_was_recorded_in_has_an_empty_history_and_no_file_is_made() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions: []\n");
    let ran = place.run(&["history"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "Nothing has been recorded.\n", ""));
    assert_eq!(std::fs::read_dir(place.home()).unwrap().count(), 0);
}
