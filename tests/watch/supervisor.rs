//! What systemd is told: ready, alive, ending.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::run::{PATIENCE, Watch, declare, headcount, running};
use crate::support::World;

#[test]
fn the_supervisor_is_told_when_it_is_ready_that_it_lives_and_when_it_ends() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let path = world.root().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = headcount(&world, &["watch", "--json", "--settle", "0s", "--on-drift", "env >&2"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let watch = Watch::start(command);
    let receive = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let until = |wanted: &str| {
        let mut all = Vec::new();
        loop {
            let said = receive();
            all.push(said.clone());
            if said.lines().any(|line| line == wanted) {
                return all;
            }
            assert!(all.len() < 1000, "{wanted} not in {all:?}");
        }
    };
    let ready = until("READY=1");
    assert!(ready.last().unwrap().contains("STATUS="), "{ready:?}");
    until("WATCHDOG=1");
    let first = std::time::Instant::now();
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    assert!(first.elapsed() < Duration::from_secs(10));
    watch.signal(rustix::process::Signal::TERM);
    until("STOPPING=1");
    let done = watch.end();
    assert!(done.stderr.contains("HOME="), "the command ran");
    assert!(!done.stderr.contains("NOTIFY_SOCKET"), "a command must not speak for the watch: {}", done.stderr);
}
