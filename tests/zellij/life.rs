//! Sessions that end, are wedged, renamed, hidden or kept as EXITED.

use std::fs;
use std::time::Instant;

use headcount::core::fact::Fact;
use rustix::process::Signal;

use crate::support::{await_some, entries, recorded};
use crate::zellij::{Zellij, gone, signal};
use crate::{agents, doubt, entry, look, names, session};

#[test]
fn a_killed_server_leaves_its_socket_and_is_absent() {
    let Some(zellij) = Zellij::new() else { return };
    let home = zellij.world().home();
    for name in ["stays", "killed"] {
        zellij.session(name, &home, &["sleep", "600"]);
    }
    let server = zellij.server("killed");
    signal(server, Signal::KILL);
    gone(server);
    assert!(zellij.socket("killed").exists());
    assert_eq!(names(&look(&zellij, &entry("name: killed"))), ["stays"]);
    assert!(zellij.socket("killed").exists(), "a look removes nothing");
    let last = zellij.server("stays");
    signal(last, Signal::KILL);
    gone(last);
    assert_eq!(look(&zellij, &entry("name: killed")), Fact::Absent);
}

#[test]
fn a_stopped_server_is_unknown_in_time_and_hides_no_other() {
    let Some(zellij) = Zellij::new() else { return };
    let home = zellij.world().home();
    zellij.claude_session("runs", &home);
    zellij.claude_session("stopped", &home);
    let both = entries(["stopped", "runs"].map(|name| format!("name: {name}, agent: claude, mux: zellij, status: running")));
    let server = zellij.server("stopped");
    signal(server, Signal::STOP);
    let begun = Instant::now();
    let found = look(&zellij, &both);
    let took = begun.elapsed();
    assert_eq!(doubt(session(&found, "stopped")), "its zellij server did not answer within 2 s");
    assert_eq!(agents(session(&found, "runs")).len(), 1);
    assert!(took.as_secs_f32() < 5.0, "{took:?}");
    // As many as there may be are waited for together.
    signal(zellij.server("runs"), Signal::STOP);
    let begun = Instant::now();
    let found = look(&zellij, &both);
    assert!(begun.elapsed().as_secs_f32() < 5.0, "{:?}", begun.elapsed());
    assert_eq!(names(&found), ["runs", "stopped"]);
    for name in ["runs", "stopped"] {
        signal(zellij.server(name), Signal::CONT);
    }
    assert_eq!(agents(session(&look(&zellij, &both), "stopped")).len(), 1);
}

#[test]
fn an_exited_session_is_not_alive_and_a_resurrected_one_is() {
    let Some(zellij) = Zellij::new() else { return };
    let home = zellij.world().home();
    zellij.session("s", &home, &["sleep", "600"]);
    zellij.kill_session("s");
    // What zellij leaves of a session it had the time to serialise.
    let kept = zellij.world().root().join("cache/zellij/contract_version_1/session_info/s");
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("session-layout.kdl"), "layout {\n    pane\n}\n").unwrap();
    let listed = zellij.run(["list-sessions", "-n"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("EXITED"), "{listed:?}");
    assert_eq!(look(&zellij, &entry("name: s")), Fact::Absent);
    zellij.run(["attach", "--create-background", "--force-run-commands", "s"]);
    // It stands in the list before it may be spoken to.
    await_some("the resurrected session", || {
        let found = look(&zellij, &entry("name: s"));
        (names(&found) == ["s"]).then(|| session(&found, "s").process).flatten()
    });
}

#[test]
fn a_renamed_session_has_its_new_name_its_panes_and_no_ghost() {
    let Some(zellij) = Zellij::new() else { return };
    let cwd = zellij.world().workspace("w");
    let claude = zellij.claude_session("old", &cwd);
    zellij.action("old", &["rename-session", "new"]);
    await_some("the new socket", || zellij.socket("new").exists().then_some(()));
    // What runs in sessions without an entry is asked for only where one that should run is missing.
    let found = look(&zellij, &entry("name: old, status: running"));
    assert_eq!(names(&found), ["new"]);
    assert_eq!(found.seen().unwrap().unlisted, None, "its old name in the kernel's table hides nobody");
    assert_eq!(agents(session(&found, "new"))[0].process.pid, claude.pid);
    // The old name is taken again: two sockets began under it.
    let other = zellij.world().workspace("other");
    let again = zellij.session("old", &other, &["sleep", "600"]);
    let found = look(&zellij, &entry("name: old"));
    assert_eq!(names(&found), ["new", "old"]);
    assert_ne!(again, claude.pid);
    assert_eq!(session(&found, "old").panes[0].pid, Some(again));
    assert_eq!(found.seen().unwrap().unlisted, None);
}

#[test]
fn a_server_whose_socket_was_removed_makes_missing_sessions_unknown_and_others_not() {
    let Some(zellij) = Zellij::new() else { return };
    let home = zellij.world().home();
    let hidden = zellij.session("hidden", &home, &["sleep", "600"]);
    fs::remove_file(zellij.socket("hidden")).unwrap();
    let why = |found: &Fact<_>| format!("{found:?}");
    let found = look(&zellij, &entry(&format!("name: hidden, status: running, {}", recorded("terminal_0", hidden))));
    assert!(found.why_unknown().is_some_and(|why| why.contains("socket was removed")), "{}", why(&found));
    zellij.claude_session("seen", &home);
    let found = look(&zellij, &entry("name: hidden"));
    assert_eq!(names(&found), ["seen"]);
    assert!(found.seen().unwrap().unlisted.as_deref().is_some_and(|why| why.contains("socket was removed")), "{}", why(&found));
}

/// Ends a loop on another thread, also on a panic.
struct OnDrop<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_session_being_started_survives_being_looked_at_all_the_time() {
    let Some(zellij) = Zellij::new() else { return };
    let home = zellij.world().home();
    let manifest = entry("name: new, status: running");
    for round in 0..3 {
        let name = format!("new{round}");
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _end = OnDrop(&is_over);
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    look(&zellij, &manifest);
                }
            });
            // It fails if the server it starts is gone before it has a pane.
            zellij.session(&name, &home, &["sleep", "600"]);
        });
        assert!(session(&look(&zellij, &manifest), &name).process.is_some());
    }
}
