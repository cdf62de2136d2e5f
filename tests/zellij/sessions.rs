//! Which sessions are alive, under which names, and in which socket directory.

use std::fs;
use std::os::unix::net::UnixListener;

use headcount::core::fact::Fact;

use crate::support::{World, entries, manifest_with_remarks};
use crate::zellij::Zellij;
use crate::{entry, look, look_with, names, server, session};

/// Names that break whoever reads the list of `list-sessions`. A line break is among them: that list cannot be told from two.
const NAMES: [&str; 9] = [
    "with space",
    "a|b",
    "quote'\"`$x",
    "漢字 é 😀",
    "x [Created 1s ago] (EXITED - attach to resurrect)",
    "two\nlines [Created 1s ago]",
    "esc\u{1b}[31mred",
    "a.b:c",
    "(EXITED",
];

#[test]
fn any_name_is_read_as_it_is() {
    let Some(zellij) = Zellij::new() else { return };
    for name in NAMES {
        zellij.session(name, &zellij.world().home(), &["sleep", "600"]);
    }
    let found = look(&zellij, &entry("name: x"));
    let mut expected = NAMES.to_vec();
    expected.sort_unstable();
    assert_eq!(names(&found), expected);
    for name in NAMES {
        assert_eq!(session(&found, name).panes[0].pid, zellij.pane(name, 0), "{name:?}");
    }
}

#[test]
fn a_session_has_its_servers_process_its_start_and_its_panes_by_id() {
    let Some(zellij) = Zellij::new() else { return };
    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    let first = zellij.session("lane-10", &zellij.world().home(), &["sleep", "600"]);
    zellij.run(["--session=lane-10", "run", "--", "sleep", "601"]);
    let second = crate::support::await_some("the second pane", || zellij.pane("lane-10", 1));
    let found = look(&zellij, &entry("name: lane-1"));
    assert_eq!(names(&found), ["lane-10"], "one name that begins another is not mistaken for it");
    let seen = session(&found, "lane-10");
    assert_eq!(seen.process, Some(zellij.server("lane-10")), "{seen:?}");
    assert!(seen.created.unwrap() >= before && seen.created.unwrap() <= chrono::Utc::now());
    let panes: Vec<_> = seen.panes.iter().map(|pane| (pane.id.as_str(), pane.pid)).collect();
    assert_eq!(panes, [("terminal_0", Some(first)), ("terminal_1", Some(second))], "and no plugin among them");
}

#[test]
fn socket_directories_are_told_apart_and_the_zellij_around_us_is_not_asked_instead() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let other = world.root().join("other dir");
    zellij.session("ours", &world.home(), &["sleep", "600"]);
    zellij.session_in(&other, "theirs", &world.home(), &["sleep", "600"]);
    let manifest = entries([
        "name: a, agent: claude, mux: zellij".to_owned(),
        format!("name: b, agent: claude, mux: zellij, server: {:?}", other.display().to_string()),
    ]);
    let around = [("ZELLIJ", "0"), ("ZELLIJ_SESSION_NAME", "theirs"), ("ZELLIJ_PANE_ID", "0")];
    let seen = look_with(world, &around, &manifest);
    assert_eq!(names(&seen.servers[&server("default")]), ["ours"]);
    assert_eq!(names(&seen.servers[&server(other.to_str().unwrap())]), ["theirs"]);
    let elsewhere = look_with(world, &[("ZELLIJ_SOCKET_DIR", other.to_str().unwrap())], &entry("name: a"));
    assert_eq!(names(&elsewhere.servers[&server("default")]), ["theirs"]);
}

#[test]
fn a_server_is_known_by_whichever_symlink_it_was_started_and_is_looked_at() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    let (real, link) = (world.root().join("real"), world.root().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let pane = zellij.session_in(&link, "s", &world.home(), &["sleep", "600"]);
    let listed = |dir: &std::path::Path| {
        let dir = dir.to_str().unwrap();
        let manifest = entries([format!("name: s, agent: claude, mux: zellij, server: {dir:?}")]);
        look_with(world, &[], &manifest).servers[&server(dir)].clone()
    };
    for dir in [&real, &link] {
        let seen = listed(dir).into_seen().unwrap();
        assert_eq!(seen.sessions[0].panes[0].pid, Some(pane), "{}", dir.display());
    }
    fs::remove_file(real.join("contract_version_1/s")).unwrap();
    for dir in [&real, &link] {
        let seen = listed(dir);
        assert!(seen.why_unknown().is_some_and(|why| why.contains("socket was removed")), "{}: {seen:?}", dir.display());
    }
}

#[test]
fn a_directory_that_was_never_made_is_absent_and_is_not_asked_about_unless_an_entry_is_there() {
    let world = World::new();
    let declared = look_with(&world, &[], &entry("name: s"));
    assert_eq!(declared.servers[&server("default")], Fact::Absent);
    let undeclared = look_with(&world, &[], &entries(["name: s, agent: claude"]));
    assert!(!undeclared.servers.contains_key(&server("default")), "{:?}", undeclared.servers);
}

#[test]
fn a_server_that_zellij_cannot_have_is_unknown_with_the_reason() {
    let text = "version: 1\nsessions: [{ name: s, agent: claude, mux: zellij, server: canary }]\n";
    let seen = look_with(&World::new(), &[], &manifest_with_remarks(text).0);
    let why = seen.servers[&server("canary")].why_unknown().unwrap();
    assert!(why.contains("\"canary\" is no zellij server"), "{why}");
}

#[test]
fn sessions_of_a_zellij_before_0_44_are_unknown_and_named() {
    let world = World::new();
    let old = world.root().join("zellij/0.43.1");
    fs::create_dir_all(&old).unwrap();
    let _listener = UnixListener::bind(old.join("s")).unwrap();
    let seen = look_with(&world, &[], &entry("name: s"));
    let why = seen.servers[&server("default")].why_unknown().unwrap();
    assert!(why.starts_with("zellij 0.43.1 is older than 0.44"), "{why}");
}
