//! Stdout is the answer only; everything else goes to stderr, in the form asked for.

use crate::support::{Place, Ran};

#[test]
fn verbose_runs_say_more_on_stderr_and_nothing_more_on_stdout() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions: []\n");
    let quiet = place.run(&["check"]);
    let verbose = place.run(&["-v", "check"]);
    assert_eq!(quiet.stdout, verbose.stdout);
    assert_eq!(quiet.stderr, "");
    assert!(verbose.stderr.contains("agent-sessions.yaml"), "{}", verbose.stderr);
}

#[test]
fn the_variable_raises_the_level_too_and_nonsense_in_it_is_no_failure() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions: []\n");
    let with = |value: &str| Ran::from(place.command().arg("check").env("RUST_LOG", value).output().unwrap());
    assert!(with("info").stderr.contains("agent-sessions.yaml"));
    let nonsense = with("a=b=c");
    assert_eq!(nonsense.code, Some(0));
    assert!(nonsense.stderr.starts_with("note: ignoring $RUST_LOG"), "{}", nonsense.stderr);
}

#[test]
fn a_log_for_programs_holds_nothing_but_json_even_for_errors_and_warnings() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsesions: []\nsessions: {}\n");
    for arguments in [&["-v", "--log-format", "json", "check"][..], &["--log-format=json", "status", "-f", "gone.yaml"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(1), "{arguments:?}");
        assert!(!ran.stderr.is_empty());
        for line in ran.stderr.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
        }
    }
}
