//! What systemd is told: ready, alive, ending.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::run::{PATIENCE, Watch, declare, headcount, manifest, running};
use crate::support::World;

const UNIT: &str = include_str!("../../examples/headcount.service");
const AGENT: &str = include_str!("../../examples/dev.headcount.plist");
const EXE: &str = env!("CARGO_BIN_EXE_headcount");

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

/// The arguments of an example's command, with this world's manifest in place of the one it names.
fn arguments(world: &World, words: &[&str]) -> Vec<String> {
    let (program, rest) = words.split_first().unwrap();
    assert!(program.ends_with("/headcount"), "{program}");
    let manifest = manifest(world).to_string_lossy().into_owned();
    let own = |word: &&str| if word.ends_with("/agent-sessions.yaml") { manifest.clone() } else { (*word).to_owned() };
    rest.iter().map(own).collect()
}

/// Whether a program is here to judge an example; it says so if not.
fn is_here(program: &str, what: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("SKIPPED {what}: {program} is not here");
    }
    here
}

#[test]
fn what_the_systemd_unit_starts_says_that_it_is_ready() {
    let world = World::new();
    declare(&world, &running(&world, &[]));
    assert!(UNIT.lines().any(|line| line == "Type=notify"));
    let line = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let path = world.root().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let arguments = arguments(&world, &words);
    let mut command = headcount(&world, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    command.env("NOTIFY_SOCKET", &path);
    let watch = Watch::start(command);
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"READY=1\n"), "{:?}", String::from_utf8_lossy(&buffer[..length]));
    assert_eq!(watch.terminate().status.code(), Some(0), "an orderly end is no failure to restart after");
}

#[test]
fn the_systemd_unit_is_one_that_systemd_accepts() {
    if !is_here("systemd-analyze", "systemd unit") {
        return;
    }
    let world = World::new();
    // Neither the program nor its manual page is installed where tests run.
    let here = |line: &str| match line.strip_prefix("ExecStart=").and_then(|line| line.split_once(' ')) {
        Some((_, arguments)) => format!("ExecStart={EXE} {arguments}\n"),
        None if line.starts_with("Documentation=") => String::new(),
        None => format!("{line}\n"),
    };
    let judge = |text: String| {
        let path = world.root().join("headcount.service");
        std::fs::write(&path, text).unwrap();
        let output = Command::new("systemd-analyze")
            .args(["verify", "--user"])
            .env("XDG_RUNTIME_DIR", world.root())
            .arg(&path)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let unit: String = UNIT.lines().map(here).collect();
    let (accepted, said) = judge(unit.replace("Type=notify", "Type=nonsense"));
    if !said.contains("nonsense") {
        eprintln!("SKIPPED systemd unit: systemd-analyze judges nothing here (accepted: {accepted}): {said}");
        return;
    }
    let (accepted, said) = judge(unit);
    assert!(accepted && !said.contains("headcount.service"), "{said}");
}

#[test]
fn the_launchd_agent_is_a_property_list_and_starts_a_watch() {
    if !is_here("python3", "launchd agent") {
        return;
    }
    let script = "import plistlib, sys\n\
                  agent = plistlib.load(sys.stdin.buffer)\n\
                  assert agent['RunAtLoad'] is True and agent['KeepAlive'] == {'SuccessfulExit': False}\n\
                  print('\\n'.join(agent['ProgramArguments']))";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dev.headcount.plist");
    let output = Command::new("python3").args(["-c", script]).stdin(std::fs::File::open(path).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}\n{AGENT}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).unwrap();
    let world = World::new();
    declare(&world, &running(&world, &[]));
    let arguments = arguments(&world, &words.lines().collect::<Vec<_>>());
    let mut watch = Watch::start(headcount(&world, &arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    watch.until("started");
    assert_eq!(watch.terminate().status.code(), Some(0));
}
