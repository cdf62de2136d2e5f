//! `headcount check`: a valid manifest in one line, an invalid one with a picture of each mistake.

use crate::support::Place;

#[test]
fn a_valid_manifest_is_said_to_be_valid_on_stdout() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions:\n  - { name: a-creator-claude, agent: claude, cwd: /w }\n");
    let ran = place.run(&["check"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.stdout, "agent-sessions.yaml: valid, 1 session\n");
}

#[test]
fn a_mistake_is_shown_in_its_place_on_stderr_and_nothing_on_stdout() {
    let place = Place::new();
    place.write("m.yaml", "version: 1\nsessions:\n  - name: a\n    agent: clawde\n    cwd: /w\n    status: runing\n");
    let ran = place.run(&["check", "m.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    insta::assert_snapshot!("check_mistakes", ran.stderr);
}

#[test]
fn a_warning_is_shown_and_becomes_an_error_when_strict() {
    let place = Place::new();
    place.write("m.yaml", "version: 1\nsessions:\n  - name: a\n    agent: claude\n    cdw: /w\n");
    let ran = place.run(&["check", "m.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "m.yaml: valid, 1 session, 1 warning\n"));
    insta::assert_snapshot!("check_warning", ran.stderr);
    let strict = place.run(&["check", "--strict", "m.yaml"]);
    assert_eq!((strict.code, strict.stdout.as_str()), (Some(1), ""));
    assert!(strict.stderr.contains("error: m.yaml has 1 warning; --strict makes each an error"), "{}", strict.stderr);
}

#[test]
fn what_is_no_text_and_what_is_no_file_is_named_as_such() {
    let place = Place::new();
    place.write("latin.yaml", b"sessions:\n  - name: caf\xe9\n");
    std::fs::create_dir(place.work().join("dir")).unwrap();
    for (arguments, part) in [
        (["check", "latin.yaml"], "latin.yaml cannot be used"),
        (["check", "dir"], "is a directory"),
        (["check", "gone"], "no such file (named by the argument)"),
    ] {
        let ran = place.run(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_hostile_manifest_cannot_reach_the_terminal() {
    let place = Place::new();
    place.write("m.yaml", "version: 1\nsessions:\n  - name: \"x\u{9b}31m\u{202e}\"\n    agent: \u{9b}2J\n");
    let ran = place.run(&["check", "m.yaml"]);
    assert_eq!(ran.code, Some(1));
    let hostile = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!ran.stderr.contains(hostile), "{:?}", ran.stderr);
}

#[test]
fn checking_leaves_every_file_as_it_was() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\r\nsessions: []");
    place.run(&["check"]);
    assert_eq!(std::fs::read(place.work().join("agent-sessions.yaml")).unwrap(), b"version: 1\r\nsessions: []");
    assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(place.home()).unwrap().count(), 0);
}
