//! `headcount doctor`: whether this machine will do.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Place, Ran};

const GOOD: &str = "version: 1\nsessions: []\n";

/// The row about `what`, with its hint.
fn row(ran: &Ran, what: &str) -> String {
    let mut lines =
        ran.stdout.lines().skip_while(|line| !line.get(6..).is_some_and(|rest| rest.starts_with(&format!("{what} "))));
    let first = lines.next().unwrap_or_else(|| panic!("no row {what} in:\n{}", ran.stdout));
    let hint = lines.next().filter(|line| line.starts_with("      ")).unwrap_or_default();
    format!("{first}\n{}", hint.trim_start())
}

#[test]
fn a_machine_with_a_manifest_will_do_and_every_check_has_its_row() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for what in [
        "tmux",
        "locale",
        "tmux sockets",
        "tmux server",
        "host",
        "processes",
        "manifest",
        "lock",
        "permissions",
        "exchange",
        "read leases",
        "state",
        "hook events",
    ] {
        assert!(!row(&ran, what).starts_with("fail"), "{what}");
    }
    assert!(row(&ran, "manifest").contains("agent-sessions.yaml (found in this directory), 0 sessions"), "{}", ran.stdout);
    assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 1, "nothing is left behind");
    assert_eq!(std::fs::read_dir(place.home()).unwrap().count(), 0);
}

#[test]
fn no_manifest_yet_is_a_warning_with_a_hint_and_one_that_was_named_and_is_not_there_a_failure() {
    let place = Place::new();
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(row(&ran, "manifest").starts_with("warn"));
    assert!(row(&ran, "manifest").contains("--manifest"), "{}", ran.stdout);
    let option = place.run(&["doctor", "-f", "nowhere.yaml"]);
    let variable = Ran::from(place.command().arg("doctor").env("HEADCOUNT_MANIFEST", "nowhere.yaml").output().unwrap());
    for ran in [option, variable] {
        assert_eq!(ran.code, Some(1), "{}", ran.stdout);
        assert!(row(&ran, "manifest").starts_with("fail"));
        assert!(ran.stdout.contains("1 check failed"), "{}", ran.stdout);
    }
}

#[test]
fn a_manifest_that_does_not_parse_is_a_failure_and_one_with_warnings_a_warning() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions: {}\n");
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    assert!(row(&ran, "manifest").starts_with("fail"));
    place.write("agent-sessions.yaml", "version: 1\nsesions: []\nsessions: []\n");
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(row(&ran, "manifest").starts_with("warn"));
}

#[test]
fn a_missing_tmux_is_a_failure_that_says_what_to_install() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let ran = Ran::from(place.command().arg("doctor").env("PATH", place.home()).output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(row(&ran, "tmux").starts_with("fail") && row(&ran, "tmux").contains("install tmux 3.2 or newer"), "{}", ran.stdout);
}

#[test]
fn whoever_has_a_zellij_needs_no_tmux() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let zellij = place.home().join("zellij");
    for (version, grade, code) in [("0.45.1", "ok", 0), ("0.40.0", "fail", 1)] {
        std::fs::write(&zellij, format!("#!/bin/sh\necho zellij {version}\n")).unwrap();
        std::fs::set_permissions(&zellij, std::fs::Permissions::from_mode(0o755)).unwrap();
        let ran = Ran::from(place.command().arg("doctor").env("PATH", place.home()).output().unwrap());
        assert!(row(&ran, "tmux").starts_with(grade), "{version}: {}", ran.stdout);
        assert_eq!(ran.code, Some(code), "{version}: {}", ran.stdout);
    }
}

#[test]
fn the_version_of_tmux_is_judged() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let tmux = place.home().join("tmux");
    for (version, grade) in [("2.9a", "fail"), ("3.2", "ok")] {
        std::fs::write(&tmux, format!("#!/bin/sh\necho tmux {version}\n")).unwrap();
        std::fs::set_permissions(&tmux, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", place.home().display());
        let ran = Ran::from(place.command().arg("doctor").env("PATH", path).output().unwrap());
        assert!(row(&ran, "tmux").starts_with(grade), "{version}: {}", ran.stdout);
    }
}

#[test]
fn a_lock_that_is_held_is_seen_with_its_holder_and_not_disturbed() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    assert!(row(&place.run(&["doctor"]), "lock").contains("free"));
    let sidecar = std::fs::File::create(place.work().join("agent-sessions.yaml.lock")).unwrap();
    assert!(row(&place.run(&["doctor"]), "lock").contains("free"));
    fs4::FileExt::try_lock(&sidecar).unwrap();
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(0));
    assert!(row(&ran, "lock").contains(&format!("held by process {}", std::process::id())), "{}", ran.stdout);
}

#[test]
fn a_manifest_that_cannot_be_replaced_is_a_failure() {
    let place = Place::new();
    let path = place.write("agent-sessions.yaml", GOOD);
    std::fs::hard_link(&path, place.work().join("other.yaml")).unwrap();
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    assert!(row(&ran, "permissions").contains("hard-linked (2 names)"), "{}", ran.stdout);
    std::fs::remove_file(place.work().join("other.yaml")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let ran = place.run(&["doctor"]);
    assert!(row(&ran, "permissions").contains("read-only"), "{}", ran.stdout);
}

#[test]
fn a_store_that_rewrites_the_manifest_is_a_warning_also_after_a_write() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "tmux_sessions:\n- name: lab-a-creator-hermes\n  status: running\n");
    place.write("agent-sessions.db", "SQLite format 3\0 and more");
    assert!(row(&place.run(&["doctor"]), "other store").starts_with("warn"));
    let ran = place.run(&["record", "--settle", "0s"]);
    assert!(ran.stderr.contains("its next write may overwrite this edit"), "{} {}", ran.stdout, ran.stderr);
    assert!(std::fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap().contains("status: terminated"));
    place.write("agent-sessions.yaml", GOOD);
    assert!(!place.run(&["doctor"]).stdout.contains("other store"), "headcount's own dialect is nobody else's");
}

#[test]
fn state_that_others_can_read_is_a_warning() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let state = place.home().join(".local/state/headcount");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(row(&place.run(&["doctor"]), "state").starts_with("warn"));
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(row(&place.run(&["doctor"]), "state").starts_with("ok"));
}

#[test]
fn state_that_cannot_be_reached_is_a_failure_and_not_taken_for_state_that_is_yet_to_be_made() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    std::fs::write(place.home().join(".local"), "").unwrap();
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    assert!(row(&ran, "state").starts_with("fail") && row(&ran, "state").contains("cannot be examined"), "{}", ran.stdout);
}

#[test]
fn agents_are_found_in_path_and_by_their_files() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    std::fs::create_dir(place.home().join(".claude")).unwrap();
    let codex = place.home().join("codex");
    std::fs::write(&codex, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&codex, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.home().display());
    let ran = Ran::from(place.command().arg("doctor").env("PATH", path).output().unwrap());
    assert!(row(&ran, "claude").contains(".claude"), "{}", ran.stdout);
    assert!(row(&ran, "codex").contains("codex is in PATH"), "{}", ran.stdout);
    assert!(row(&ran, "other agents").contains("gemini"), "{}", ran.stdout);
}

#[test]
fn a_locale_that_is_not_utf_8_and_a_lost_tmux_directory_are_warnings() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let ran = Ran::from(place.command().arg("doctor").env("LANG", "C").env("TMUX_TMPDIR", "/nonexistent").output().unwrap());
    assert!(row(&ran, "locale").starts_with("warn"), "{}", ran.stdout);
    assert!(row(&ran, "tmux sockets").starts_with("warn"), "{}", ran.stdout);
}

#[test]
fn a_shell_inside_another_tmux_server_is_told_so() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let ran = Ran::from(place.command().arg("doctor").env("TMUX", "/elsewhere/tmux-0/work,123,0").output().unwrap());
    assert!(row(&ran, "this shell").contains("/elsewhere/tmux-0/work"), "{}", ran.stdout);
}

#[test]
fn the_registry_of_jobs_has_a_row_that_says_who_can_write_it_and_what_in_it_is_broken() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let run = || place.run(&["doctor"]);
    assert!(row(&run(), "job registry").contains("creates when you submit a job"));
    std::fs::create_dir_all(place.work().join(".mam/jobs")).unwrap();
    let id = place.run(&["job", "submit", "--prompt", "x", "--auth"]).stdout.trim().to_owned();
    assert!(row(&run(), "job registry").contains(".mam/jobs, 1 job"), "{}", run().stdout);
    assert!(row(&run(), "job lock").contains("free"));
    let record = place.work().join(format!(".mam/jobs/{id}.json"));
    std::fs::set_permissions(&record, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(row(&run(), "job registry").starts_with("warn"), "{}", run().stdout);
    place.write(".mam/jobs/broken00.json", "{");
    assert!(row(&run(), "job registry").contains("broken00.json"), "{}", run().stdout);
    std::fs::set_permissions(place.work().join(".mam/jobs"), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(row(&run(), "job registry").contains("chmod go-w"), "{}", run().stdout);
    std::fs::remove_dir_all(place.work().join(".mam/jobs")).unwrap();
    std::fs::write(place.work().join(".mam/jobs"), "").unwrap();
    let ran = Ran::from(place.command().arg("doctor").env("HEADCOUNT_JOBS", "nosuch").output().unwrap());
    assert!(row(&ran, "job registry").starts_with("warn") && ran.stdout.contains("named by $HEADCOUNT_JOBS"), "{}", ran.stdout);
    let ran = Ran::from(place.command().arg("doctor").env("HEADCOUNT_JOBS", ".mam/jobs").output().unwrap());
    assert!(row(&ran, "job registry").starts_with("fail"), "{}", ran.stdout);
}

#[test]
fn the_broker_has_a_row_that_says_whether_it_answers_and_what_is_unsafe_about_it() {
    let place = Place::new();
    place.write("agent-sessions.yaml", GOOD);
    let run =
        |variables: &[(&str, &str)]| Ran::from(place.command().arg("doctor").envs(variables.iter().copied()).output().unwrap());
    assert!(row(&run(&[]), "broker").contains("none is configured"));
    // Nobody listens there.
    let ran = run(&[("MQTT_BROKER", "127.0.0.1"), ("MQTT_PORT", "1"), ("MQTT_USERNAME", "me"), ("MQTT_PASSWORD", "hunter2")]);
    let said = row(&ran, "broker");
    assert!(said.starts_with("warn") && said.contains("127.0.0.1:1 without TLS, with a user"), "{said}");
    assert!(said.contains("refused") && !ran.stdout.contains("hunter2"), "{said}");
    let ran = run(&[("MQTT_BROKER", "a b")]);
    assert!(row(&ran, "broker").starts_with("fail"), "{}", ran.stdout);
}

#[test]
fn the_tables_say_what_was_measured_and_what_differs_here() {
    let place = Place::new();
    let program = |path: &str| {
        let path = place.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Whoever runs it leaves something.
        std::fs::write(&path, format!("#!/bin/sh\ntouch {}/ran\n", place.home().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let bin = place.home().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let package = |name: &str, directory: &str, version: &str| {
        let text = format!("{{\"name\": \"{name}\", \"version\": \"{version}\"}}");
        std::fs::write(place.home().join(directory).join("package.json"), text).unwrap();
    };
    let link = |name: &str, to: &std::path::Path| std::os::unix::fs::symlink(to, bin.join(name)).unwrap();
    link("codex", &program("lib/node_modules/@openai/codex/bin/codex.js"));
    package("@openai/codex", "lib/node_modules/@openai/codex", "0.169.0");
    link("claude", &program("share/claude/versions/2.9.1"));
    // A package of somebody else's says nothing.
    link("gemini", &program("project/gemini"));
    package("my-own", "project", "0.61.0");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let ran = Ran::from(place.command().args(["doctor", "--tables"]).env("PATH", path).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for (agent, grade, text) in [
        ("codex", "ok", "the same version is here"),
        ("claude", "warn", "version 2.9.1 is here"),
        ("gemini", "warn", "nothing tells which version"),
        ("pi", "ok", "not in PATH here"),
        ("antigravity", "ok", "unsupported"),
    ] {
        let row = row(&ran, agent);
        assert!(row.starts_with(grade), "{row}");
        let words: Vec<&str> = ran.stdout.split_whitespace().collect();
        assert!(words.join(" ").contains(text), "{agent}: {}", ran.stdout);
    }
    let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let claude = "in tmux: start, stop, restart, fork, prompt, trust, send, ask";
    assert!(words.contains(claude) && words.contains("in zellij: start, stop, restart, fork, prompt, trust"), "{words}");
    assert_eq!(words.matches(": unsupported: start, stop, restart, fork, prompt, trust, send, ask").count(), 2, "{words}");
    assert!(!place.home().join("ran").exists(), "no agent is run");
}
