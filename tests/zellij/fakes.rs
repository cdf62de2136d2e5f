//! Servers that are no zellij, and a zellij program that is missing or in the way: nothing of it is ever started for a look.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use crate::support::entries;
use crate::zellij::Zellij;
use crate::{agents, entry, look_with, server, session};

#[test]
fn no_zellij_is_started_for_a_look_so_one_that_is_missing_or_hangs_changes_nothing() {
    let Some(zellij) = Zellij::new() else { return };
    let world = zellij.world();
    zellij.session("lost", &world.home(), &["sleep", "600"]);
    zellij.claude_session("alive", &world.home());
    let manifest = entries([
        "name: lost, agent: claude, mux: zellij, status: running",
        "name: alive, agent: claude, mux: zellij, status: running",
    ]);
    let fake = world.root().join("fake");
    fs::create_dir(&fake).unwrap();
    let called = world.root().join("called");
    fs::write(fake.join("zellij"), format!("#!/bin/sh\necho x > '{}'\nexec sleep 600\n", called.display())).unwrap();
    fs::set_permissions(fake.join("zellij"), fs::Permissions::from_mode(0o755)).unwrap();
    for path in [format!("{}:/usr/bin:/bin", fake.display()), String::new()] {
        let seen = look_with(world, &[("PATH", &path)], &manifest);
        let found = &seen.servers[&server("default")];
        assert_eq!(agents(session(found, "alive")).len(), 1);
        assert!(agents(session(found, "lost")).is_empty());
    }
    assert!(!called.exists());
}

#[test]
fn a_socket_that_answers_nonsense_or_hangs_up_is_a_session_nothing_can_be_told_about() {
    let world = crate::support::World::new();
    let sockets = world.root().join("zellij/contract_version_1");
    fs::create_dir_all(&sockets).unwrap();
    for answer in [&b""[..], b"\x02\0\0\0\x12\0", b"\xff\xff", b"HTTP/1.1 400 Bad Request"] {
        let path = sockets.join("odd");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // In a container one that is new is not spoken to.
        let long_ago = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: long_ago, last_modification: long_ago };
        rustix::fs::utimensat(rustix::fs::CWD, &path, &times, rustix::fs::AtFlags::empty()).unwrap();
        let server_side = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut greeting = [0; 6];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(answer).unwrap();
        });
        let seen = look_with(&world, &[], &entry("name: odd"));
        server_side.join().unwrap();
        fs::remove_file(&path).unwrap();
        let why = crate::doubt(session(&seen.servers[&server("default")], "odd"));
        assert!(why.contains("cannot parse"), "{answer:?}: {why}");
    }
}
