//! A place such as a container's: no home, no locale, nothing in PATH, a home that nobody can write to.

use crate::support::{Place, Ran, program};

/// A manifest of one session that is wanted to run.
const MANIFEST: &str = "version: 1\nsessions:\n  - { name: lab, agent: claude, cwd: /tmp, desired: running }\n";

/// Runs the program with these variables, and no others.
fn run(place: &Place, variables: &[(&str, &str)], line: &str) -> Ran {
    let mut command = std::process::Command::new(program());
    command.env_clear().current_dir(place.work()).stdin(std::process::Stdio::null());
    command.env("TMUX_TMPDIR", place.tmux()).env("ZELLIJ_SOCKET_DIR", place.tmux().join("zellij"));
    command.envs(variables.iter().copied()).args(line.split(' '));
    Ran::from(command.output().unwrap())
}

fn scene() -> Place {
    let place = Place::new();
    place.write("agent-sessions.yaml", MANIFEST);
    place
}

#[test]
fn without_a_home_whatever_keeps_state_says_what_to_set_and_the_rest_works() {
    let place = scene();
    for line in
        ["status", "diff", "record", "plan", "start lab", "send lab hi", "job list", "queue", "import", "init --dry-run"]
    {
        let ran = run(&place, &[], line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("neither XDG_STATE_HOME nor HOME is an absolute path"), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: set $XDG_STATE_HOME"), "{line}: {}", ran.stderr);
        let relative = run(&place, &[("HOME", "home"), ("XDG_STATE_HOME", "state")], line);
        assert_eq!(relative.stderr, ran.stderr, "{line}");
    }
    for line in ["check", "schema report", "man status", "completions bash", "--help", "status --help"] {
        let ran = run(&place, &[], line);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}: {ran:?}");
    }
    let doctor = run(&place, &[], "doctor");
    assert!(doctor.code == Some(1) && doctor.stdout.contains("neither XDG_STATE_HOME nor HOME"), "{doctor:?}");
    let state = place.work().join("state");
    let ran = run(&place, &[("XDG_STATE_HOME", state.to_str().unwrap())], "status");
    assert!(ran.code == Some(0) && ran.stdout.contains("1 declared"), "{ran:?}");
}

#[test]
fn where_the_home_cannot_be_written_looking_works_and_acting_names_the_directory() {
    let place = scene();
    let home = [("HOME", "/proc/self")];
    for (line, code) in
        [("status", 0), ("diff", 0), ("record", 0), ("history", 0), ("job list", 0), ("queue", 0), ("describe lab", 0)]
    {
        let ran = run(&place, &home, line);
        assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
        assert!(!ran.stdout.is_empty(), "{line}");
    }
    for line in ["allow --yes", "consent bypass --yes", "handoff lab", "job submit --prompt x"] {
        let ran = run(&place, &home, line);
        assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("/proc/self/.local/state/headcount"), "{line}: {said}");
    }
    let ran = run(&place, &home, "allow --yes");
    assert!(ran.stderr.contains("  lab: cwd /tmp\n") && ran.stderr.contains("hint: set $XDG_STATE_HOME"), "{}", ran.stderr);
}

#[test]
fn without_tmux_and_in_a_narrow_place_the_table_is_still_read() {
    let place = scene();
    let home = place.home();
    for columns in ["1", "10", "80"] {
        let ran = run(&place, &[("HOME", home.to_str().unwrap()), ("COLUMNS", columns), ("PATH", "")], "status");
        assert_eq!(ran.code, Some(0), "{columns}: {ran:?}");
        assert!(ran.stdout.contains("lab") && ran.stdout.contains("1 declared"), "{columns}: {}", ran.stdout);
    }
}
