//! What ends a watch, and how it says so.

use std::process::Stdio;

use rustix::process::Signal;

use crate::run::{Watch, declare, headcount, manifest, running, text, watch};
use crate::support::{World, await_some};

fn quiet() -> World {
    let world = World::new();
    declare(&world, "version: 1\nsessions: []\n");
    world
}

#[test]
fn each_end_has_its_reason_and_its_exit_code() {
    let world = quiet();
    for (signal, reason, code) in [(Signal::TERM, "SIGTERM", 0), (Signal::INT, "SIGINT", 130)] {
        let mut watch = watch(&world, &["--heartbeat", "50ms"]);
        watch.until("heartbeat");
        watch.signal(signal);
        let done = watch.end();
        assert_eq!(done.status.code(), Some(code), "{}", done.stderr);
        assert_eq!(done.words(), ["started", &format!("stopped {reason}")]);
        assert_eq!(done.stderr, "");
    }
    let done = watch(&world, &["--max-runtime", "300ms"]).end();
    assert_eq!((done.status.code(), done.words().last().unwrap().as_str()), (Some(0), "stopped max-runtime"));
}

#[test]
fn a_file_ends_it_whether_it_is_there_already_or_comes_later_and_the_first_pass_is_made_in_any_case() {
    let world = quiet();
    let stop = world.root().join("stop");
    let mut running = watch(&world, &["--until-file", stop.to_str().unwrap(), "--heartbeat", "50ms"]);
    running.until("heartbeat");
    std::fs::write(&stop, "").unwrap();
    let done = running.end();
    assert_eq!((done.status.code(), done.words()), (Some(0), vec!["started".to_owned(), "stopped until-file".to_owned()]));
    declare(&world, &crate::run::running(&world, &["gone"]));
    let done = watch(&world, &["--until-file", stop.to_str().unwrap()]).end();
    assert_eq!(done.words(), ["started", "drift dead applied gone", "stopped until-file"]);
}

#[test]
fn it_ends_silently_when_nobody_reads_it_any_more_even_if_it_has_nothing_to_say() {
    let world = quiet();
    let mut command = headcount(&world, &["watch", "--json", "--interval", "1h", "--heartbeat", "0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert!(line.contains("started"), "{line}");
    drop(reader);
    let status = await_some("the end", || child.try_wait().unwrap());
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut stderr).unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_second_signal_does_not_wait_for_the_pass() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    // The pass waits for a lock that somebody holds.
    let lock = world.home().join("agent-sessions.yaml.lock");
    let held = std::fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let mut watch = watch(&world, &["--lock-timeout", "1h", "--heartbeat", "50ms"]);
    watch.until("heartbeat");
    let before = text(&world);
    watch.signal(Signal::TERM);
    // It goes on living, waiting for its pass. What was said before may only be read now, and two signals that nobody has taken yet
    // are one: the second comes once it has had several occasions to take the first.
    let sent = chrono::Utc::now().format("%FT%TZ").to_string();
    for _ in 0..4 {
        while watch.until("heartbeat")["at"].as_str().unwrap() <= sent.as_str() {}
    }
    watch.signal(Signal::TERM);
    let done = watch.end();
    assert_eq!((done.status.code(), done.words().last().unwrap().as_str()), (Some(0), "stopped SIGTERM"));
    assert_eq!(text(&world), before);
}

#[test]
fn a_lock_that_is_held_is_told_once_and_what_it_held_up_is_recorded_when_it_is_free() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let held = std::fs::File::create(world.home().join("agent-sessions.yaml.lock")).unwrap();
    held.lock().unwrap();
    let mut watch = watch(&world, &["--lock-timeout", "50ms", "--heartbeat", "100ms"]);
    watch.until("error pass");
    watch.passes(3);
    drop(held);
    watch.until("drift dead applied gone");
    let words = watch.terminate().words();
    assert!(words.iter().filter(|word| *word == "error pass").count() == 1, "{words:?}");
}

#[test]
fn people_get_one_line_an_event_and_a_hostile_name_stays_on_it() {
    let world = World::new();
    let name = "\"evil\\e]0;owned\\a\\nforged\"";
    declare(&world, &format!("version: 1\nsessions:\n  - {{name: {name}, agent: claude, cwd: /x, status: running}}\n"));
    let output =
        headcount(&world, &["watch", "--max-runtime", "700ms", "--heartbeat", "200ms", "--settle", "0s"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    let words: Vec<&str> = said.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!((words[0], words[1], *words.last().unwrap()), ("started", "drift", "stopped"), "{said}");
    assert!(words.contains(&"heartbeat"), "{said}");
    assert!(said.contains("Marked terminated. (dead)"), "{said}");
}

/// A watch of a manifest on a disk that is filled to the brim, and where that disk is seen from here; `None`, and said, where there
/// can be none.
fn on_a_full_disk(world: &World, interval: &str) -> Option<(Watch, std::path::PathBuf)> {
    // A disk of 64 KiB in a namespace of its own.
    let script = "mkdir small && mount -t tmpfs -o size=64k none small && cp home/agent-sessions.yaml small/ && \
                  { head -c 1000000 /dev/zero > small/fill 2>/dev/null; : > ready; exec \"$0\" \"$@\"; }";
    let program = env!("CARGO_BIN_EXE_headcount");
    let mut probe = std::process::Command::new("unshare");
    let probed = probe.args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    if !probed.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED a full disk: no private mount namespace here");
        return None;
    }
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, program, "watch", "--json", "-f", "small/agent-sessions.yaml"]);
    command.args(["--interval", interval, "--settle", "0s", "--heartbeat", "100ms"]);
    command.env_clear().envs(world.variables()).current_dir(world.root());
    let watch = Watch::start(command);
    let small = format!("/proc/{}/root{}/small", watch.pid().as_raw_nonzero(), world.root().display());
    Some((watch, small.into()))
}

#[test]
fn a_full_disk_is_told_once_and_leaves_the_manifest_whole() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let before = text(&world);
    let Some((mut watch, small)) = on_a_full_disk(&world, "100ms") else { return };
    let error = watch.until("error pass");
    assert!(error["message"].as_str().unwrap().contains("space"), "{error}");
    watch.passes(2);
    assert_eq!(std::fs::read_to_string(small.join("agent-sessions.yaml")).unwrap(), before);
    let words = watch.terminate().words();
    assert_eq!(words.iter().filter(|word| *word == "error pass").count(), 1, "{words:?}");
    assert!(!words.iter().any(|word| word.contains("applied")), "{words:?}");
    assert!(manifest(&world).exists());
}

#[test]
fn what_a_full_disk_kept_from_being_recorded_is_recorded_soon_after_there_is_room_again() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let Some((mut watch, small)) = on_a_full_disk(&world, "1h") else { return };
    watch.until("error pass");
    // What follows the first looks, such as sources being set up, is over.
    for _ in 0..20 {
        watch.until("heartbeat");
    }
    std::fs::remove_file(small.join("fill")).unwrap();
    watch.until("drift dead applied gone");
    assert!(std::fs::read_to_string(small.join("agent-sessions.yaml")).unwrap().contains("status: terminated"));
    let words = watch.terminate().words();
    assert_eq!(words.iter().filter(|word| *word == "error pass").count(), 1, "{words:?}");
}

#[test]
fn nonsense_intervals_are_usage_errors() {
    let world = quiet();
    for arguments in [["--interval", "0"], ["--interval", "1ms"], ["--heartbeat", "soon"], ["--consumer", "a b"]] {
        let output = headcount(&world, &[&["watch"][..], &arguments].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_does_not_read_holds_up_neither_the_recording_nor_the_end() {
    let world = quiet();
    let mut command = headcount(&world, &["watch", "--json", "--interval", "100ms", "--settle", "0s", "--heartbeat", "1ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdout.take().unwrap();
    await_some("a full pipe", || (rustix::io::ioctl_fionread(&pipe).unwrap() > 60_000).then_some(()));
    declare(&world, &running(&world, &["gone"]));
    await_some("the record", || text(&world).contains("terminated").then_some(()));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    await_some("the end", || child.try_wait().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
