//! Colour: only where it is wanted.

use std::process::{Command, Stdio};

use crate::support::{Place, Ran, program};

#[test]
fn a_pipe_gets_no_colour_unless_it_is_forced() {
    let place = Place::new();
    for arguments in [&["--help"][..], &["doctor"], &["status"], &["frobnicate"]] {
        let plain = place.run(arguments);
        assert!(!(plain.stdout + &plain.stderr).contains('\u{1b}'), "{arguments:?}");
        let mut forced = vec!["--color=always"];
        forced.extend(arguments);
        let coloured = place.run(&forced);
        assert!((coloured.stdout + &coloured.stderr).contains("\u{1b}["), "{arguments:?}");
    }
}

#[test]
fn forced_colour_beats_no_color_because_it_is_closer_at_hand() {
    let place = Place::new();
    let output = place.command().args(["--color", "always", "status"]).env("NO_COLOR", "1").output().unwrap();
    assert!(Ran::from(output).stderr.contains("\u{1b}["));
}

/// Runs the program with a terminal for its stdout and stderr.
fn on_a_terminal(place: &Place, environment: &[(&str, &str)], arguments: &str) -> String {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} {arguments}", program().display()), "/dev/null"]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", place.home()).env("TERM", "xterm");
    command.env("SHELL", "/bin/sh").envs(environment.iter().copied()).current_dir(place.work()).stdin(Stdio::null());
    String::from_utf8_lossy(&command.output().expect("script(1) of util-linux").stdout).into_owned()
}

#[test]
fn a_terminal_gets_colour_unless_no_color_or_a_dumb_terminal_says_otherwise() {
    let place = Place::new();
    assert!(on_a_terminal(&place, &[], "status").contains("\u{1b}["));
    assert!(on_a_terminal(&place, &[("NO_COLOR", "")], "status").contains("\u{1b}["));
    for (environment, arguments) in [
        (&[("NO_COLOR", "1")][..], "status"),
        (&[("TERM", "dumb")], "status"),
        (&[], "status --color never"),
        (&[("NO_COLOR", "1")], "--help"),
    ] {
        let text = on_a_terminal(&place, environment, arguments);
        assert!(!text.is_empty() && !text.contains('\u{1b}'), "{environment:?} {arguments}: {text:?}");
    }
}
