//! Which manifest is used, and what is said if there is none.

use crate::support::Place;

const GOOD: &str = "version: 1\nsessions: []\n";
const BAD: &str = "version: 1\nsessions: {}\n";

#[test]
fn without_a_manifest_every_verb_that_needs_one_fails_and_names_the_places() {
    for verb in [&[][..], &["status"], &["diff"], &["reconcile"], &["explain", "x"], &["history"], &["check"]] {
        let place = Place::new();
        let ran = place.run(verb);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{verb:?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!("no_manifest", place.scrub(&ran.stderr));
        }
        assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 0, "{verb:?}");
        assert_eq!(std::fs::read_dir(place.home()).unwrap().count(), 0, "{verb:?}");
    }
}

#[test]
fn a_named_manifest_that_is_missing_is_an_error_even_if_another_could_be_found() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let ran = place.run(&["check", "-f", "gone.yaml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error: manifest gone.yaml: no such file (named by --manifest)\n"), "{}", ran.stderr);
    let output = place.command().arg("check").env("AGENT_SESSIONS_YAML", "gone.yaml").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("named by $AGENT_SESSIONS_YAML"));
}

#[test]
fn the_option_beats_the_variables_and_they_beat_the_directory() {
    let place = Place::new();
    place.write("agent-sessions.yaml", BAD);
    place.write("option.yaml", GOOD);
    assert_eq!(place.run(&["check"]).code, Some(1));
    assert_eq!(place.run(&["check", "-f", "option.yaml"]).code, Some(0));
    assert_eq!(place.run(&["-f", "option.yaml", "check"]).code, Some(0));
    for variable in ["HEADCOUNT_MANIFEST", "AGENT_SESSIONS_YAML"] {
        let code = |extra: &[&str]| place.command().args(extra).env(variable, "option.yaml").output().unwrap().status.code();
        assert_eq!(code(&["check"]), Some(0), "{variable}");
        assert_eq!(code(&["check", "-f", "agent-sessions.yaml"]), Some(1), "{variable}");
    }
}

#[test]
fn the_directory_of_multi_agent_mux_and_the_configuration_directory_are_searched() {
    let place = Place::new();
    place.write(".mam/agent-sessions.yaml", GOOD);
    assert_eq!(place.run(&["check"]).code, Some(0));

    let place = Place::new();
    let configured = place.home().join(".config/headcount/agent-sessions.yaml");
    std::fs::create_dir_all(configured.parent().unwrap()).unwrap();
    std::fs::write(configured, GOOD).unwrap();
    assert_eq!(place.run(&["check"]).code, Some(0));
}

#[test]
fn a_manifest_is_written_where_every_other_verb_will_look_for_it() {
    let place = Place::new();
    let named = place.home().join("named.yaml");
    for verb in ["init", "check"] {
        let output = place.command().arg(verb).env("HEADCOUNT_MANIFEST", &named).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(named.exists());
    assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 0);
}

#[test]
fn a_broker_in_a_manifest_that_cannot_be_read_or_under_a_mistyped_key_is_not_just_missing() {
    let place = Place::new();
    for (text, why) in [
        ("version: 1\nmqtt: { broker: localhost, port: 99999 }\n", "is not valid"),
        ("version: 1\nmqtt: [\n", "is not valid"),
        ("version: 1\nmqtt: { brokr: localhost }\n", "mistyped key"),
    ] {
        place.write("m.yaml", text);
        for verb in [&["fleet", "status"][..], &["watch", "--publish"], &["job", "publish", "abc12345", "started", "--mqtt"]] {
            let ran = place.run(&[verb, &["-f", "m.yaml"]].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{verb:?}");
            assert!(
                ran.stderr.contains("no MQTT broker is configured") && ran.stderr.contains(why),
                "{verb:?}: {}",
                ran.stderr
            );
            assert!(ran.stderr.contains("`headcount check m.yaml`"), "{}", ran.stderr);
        }
    }
    let ran = Place::new().command().args(["fleet", "status"]).env("HEADCOUNT_MANIFEST", "gone.yaml").output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.starts_with("error: manifest gone.yaml: no such file (named by $HEADCOUNT_MANIFEST)"), "{said}");
}

#[test]
fn a_file_that_is_to_end_a_watch_and_cannot_appear_where_it_is_named_is_said() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let watch = |file: &str| place.run(&["watch", "--until-file", file, "--max-runtime", "100ms"]);
    let ran = watch("/nowhere/at/all/stop");
    assert!(ran.code == Some(0) && ran.stderr.contains("--until-file: /nowhere/at/all is not there"), "{ran:?}");
    assert_eq!(watch("stop").stderr, "");
}

#[test]
fn a_manifest_that_is_unreadable_for_no_want_of_permission_gets_no_advice_about_permission() {
    let place = Place::new();
    std::os::unix::fs::symlink("loop.yaml", place.work().join("loop.yaml")).unwrap();
    let ran = place.run(&["check", "loop.yaml"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("symbolic links") && !ran.stderr.contains("hint"), "{ran:?}");
}
