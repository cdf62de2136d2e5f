//! Command lines that make no sense: 64, a reason on stderr, nothing on stdout, nothing touched.

use crate::support::Place;

#[test]
fn a_command_line_that_makes_no_sense_ends_with_64_and_says_why() {
    for (arguments, reason) in [
        (&["frobnicate"][..], "there is no command `headcount frobnicate`"),
        (&["statsu"], "did you mean `headcount status`?"),
        (&["status", "--jsn"], "'--json'"),
        (&["status", "--json", "-o", "wide"], "cannot be used with"),
        (&["status", "-o", "table"], "possible values: wide, name, json, yaml"),
        (&["diff", "-o", "wide"], "possible values: json, yaml"),
        (&["log"], "`headcount logs SESSION` shows"),
        (&["kill", "lab"], "`headcount stop SESSION` asks the agent to end"),
        (&["enter", "lab"], "`headcount attach SESSION`"),
        (&["-v", "spawn"], "`headcount start SESSION`"),
        (&["job", "kill", "abc12345"], "`headcount job cancel ID`"),
        (&["job", "lst"], "`headcount job list`"),
        (&["job", "frobnicate"], "`headcount job -h` lists the commands"),
        (&["status", "-l", "team"], "expected KEY=VALUE"),
        (&["status", "-l", "team!=web"], "`!=` is not supported"),
        (&["diff", "--class", "dead,gone"], "invalid value 'gone'"),
        (&["diff", "--agent", "cl_od"], "invalid value 'cl_od'"),
        (&["diff", "--settle", "5"], "5 needs a unit"),
        (&["reconcile", "--settle", "soon"], "expected a duration such as 500ms"),
        (&["record", "--consumer", "ci"], "--json"),
        (&["record", "--emit-diff", "--json"], "cannot be used with"),
        (&["reconcile", "--emit-diff", "--consumer", "a b"], "letters, digits"),
        (&["explain"], "<SESSION>"),
        (&["job", "run", "--agent", "pi"], "<--prompt <PROMPT>|--file <FILE>>"),
        (&["history", "-n", "many"], "invalid value 'many'"),
        (&["history", "-n", "0"], "expected a number such as 5"),
        (&["check", "a.yaml", "-f", "b.yaml"], "cannot be used with"),
        (&["schema"], "<DOCUMENT>"),
        (&["completions", "tcsh"], "possible values: bash"),
        (&["--color", "sometimes", "status"], "possible values: auto, always, never"),
        (&["--log-format", "xml"], "possible values: text, json"),
    ] {
        let place = Place::new();
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(64), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.starts_with("error: "), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{arguments:?}: {}", ran.stderr);
        assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 0, "{arguments:?}");
    }
}

#[test]
fn hostile_arguments_are_not_echoed_raw() {
    let place = Place::new();
    for arguments in [
        &["status", "-f", "a\u{1b}]0;owned\u{7}"][..],
        &["man", "\u{1b}[2J"],
        &["\u{1b}[2J"],
        &["status", "--settle", "\u{1b}[2J"],
    ] {
        let ran = place.run(arguments);
        assert_ne!(ran.code, Some(0));
        assert!(!ran.stderr.contains('\u{1b}'), "{arguments:?}: {:?}", ran.stderr);
    }
}
