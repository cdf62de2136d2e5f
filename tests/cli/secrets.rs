//! The value of a variable in an `env` is in no output of any verb, however it is written and whatever is wrong around it.

use std::hash::{BuildHasher as _, RandomState};

use crate::support::{Place, Ran};

/// Ways to write an `env` in an entry, with anchors that later entries may set again. `SECRET` stands for the value.
const GOOD: [&str; 20] = [
    "    env:\n      T: SECRET\n",
    "    env: { T: SECRET }\n",
    "    env: {\"T\":\"SECRET\"}\n",
    "    env:\n      T: 'SECRET'\n",
    "    env:\n      T: >-\n        a\n        SECRET\n\n        SECRET b\n",
    "    env:\n      T: |2\n          SECRET\n        SECRET\n",
    "    env:\n      T: aaa\n        SECRET\n        SECRET b\n",
    "    env:\n      T: \"aaa\n        SECRET\\\n        SECRET b\"\n",
    "    env: &e\n      T: &t SECRET\n      U: *t\n",
    "    x-t: &t SECRET\n    env: { T: *t }\n",
    "    x-a: &a SECRET\n    x-b: &b { T: *a }\n    env: *b\n",
    "    x-c: &c { T: SECRET }\n    x-b: &b\n      <<: *c\n    env:\n      <<: [*b]\n",
    "    <<: { env: { T: SECRET } }\n",
    "    ? env\n    : T: SECRET\n",
    "    env:\n      ? T\n      : SECRET\n",
    "    env: !!map { T: !!str SECRET }\n",
    "    x-k: &k env\n    *k : { T: SECRET }\n",
    "    \"\\x65nv\": { T: SECRET }\n",
    "    env: { T: { file: /SECRET } }\n",
    "    evn: { T: SECRET }\n",
];

/// Ways in which a manifest with one is wrong, there or right beside it.
const BAD: [&str; 34] = [
    "    env: [SECRET]\n",
    "    env: SECRET\n",
    "    env: { T: { U: SECRET } }\n",
    "    env: { T: [SECRET, SECRET] }\n",
    "    env: { TMUX: SECRET }\n",
    "    env: { 'A=B': SECRET }\n",
    "    env: { T: { file: SECRET } }\n",
    "    env: { T: SECRET }\n    labels: 5\n",
    "    env: { T: SECRET, T: SECRET2 }\n",
    "    env: { T: SECRET }\n    env: { T: SECRET }\n",
    "    env: { T: *SECRET }\n",
    "    env: *SECRET\n",
    "    env: { T: !SECRET x }\n",
    "    env: { T: @SECRET }\n",
    "    env:\n      T: %SECRET\n",
    "    env: { T: \"SECRET }\n",
    "    env:\n      T: 'SECRET\n",
    "    env: { T: SECRET\n",
    "    env: { T: { SECRET }\n",
    "    env: {\n      T: SECRET,\n      U: SECRET\n    } status: x\n",
    "    env:\n      T: SECRET: x: y\n",
    "    env: { T: \"\\qSECRET\" }\n",
    "    env: { T: \"\\ud83dSECRET\" }\n",
    "    env: { T: \"SECRET\" SECRET }\n",
    "    env:\n\tT: SECRET\n",
    "    env:\n      T: SECRET\n\t  U: SECRET\n",
    "    env:\n      T: SECRET\n     U: SECRET\n",
    "    env:\n      T SECRET\n",
    "    env:\n      T: SECRET\n---\n",
    "    env: { T: SECRET\u{1} }\n",
    "    env: { T: SECRET }, status: running\n",
    "    \"env\": { T: \"SECRET\n",
    "    evn: { T: \"SECRET }\n",
    "    env:\n      T: SECRET\n    statsu: [running\n",
];

/// A word that nobody has written anywhere.
fn secret() -> String {
    format!("q{:016x}z", RandomState::new().hash_one("env"))
}

fn assert_silent(ran: &Ran, secret: &str, what: &dyn std::fmt::Display) {
    for output in [&ran.stdout, &ran.stderr] {
        assert!(!output.contains(secret), "{what}\n---\n{output}");
    }
}

#[test]
fn no_verb_shows_a_value_of_an_env() {
    let secret = secret();
    let entries = GOOD.iter().enumerate().map(|(index, env)| {
        format!(
            "  - name: s{index}\n    agent: claude\n    status: running\n{}    promt: typo\n",
            env.replace("SECRET", &secret)
        )
    });
    let defaults = "defaults:\n  env: { D: SECRET }\n".replace("SECRET", &secret);
    let text = format!("version: 1\n{defaults}sessions:\n{}", entries.collect::<String>());
    let place = Place::new();
    place.write("agent-sessions.yaml", &text);
    let read = place.run(&["check"]);
    assert_eq!(read.code, Some(0), "{}", read.stderr);
    let verbs = "check|doctor|status|status -o wide|status -o json|status -o yaml|diff|diff -o json|diff -o yaml|explain s0|explain s10|\
                 -vvv record --dry-run --settle 0s|-v record --json --settle 0s|history|history --json|undo 1|\
                 watch --json --max-runtime 300ms|-vvv status|init --dry-run";
    for verb in verbs.split('|') {
        let ran = place.run(&verb.split_whitespace().collect::<Vec<_>>());
        assert_ne!(ran.code, Some(64), "{verb}: {}", ran.stderr);
        assert_silent(&ran, &secret, &verb);
        if verb.contains("record --json") {
            assert!(ran.stdout.contains("+    status: terminated"), "nothing was recorded beside them: {}", ran.stdout);
        }
    }
    assert!(std::fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap().contains(&secret));
}

#[test]
fn no_error_shows_a_value_of_an_env() {
    for (index, env) in BAD.iter().enumerate() {
        let secret = secret();
        let env = env.replace("SECRET", &secret);
        let text = match index % 3 {
            0 => format!("version: 1\nsessions:\n  - name: a\n    agent: claude\n{env}"),
            1 => format!("version: 1\nsessions:\n  - name: a\n{env}    agent: claude\n  - name: b\n    agent: pi\n"),
            _ => format!("version: 1\ndefaults:\n{env}sessions:\n  - name: a\n    agent: claude\n"),
        };
        let place = Place::new();
        place.write("agent-sessions.yaml", &text);
        let ran = place.run(&["check", "--strict"]);
        assert_ne!(ran.code, Some(0), "{text}");
        assert_silent(&ran, &secret, &text);
        assert_silent(&place.run(&["diff", "-o", "json"]), &secret, &text);
    }
}
