//! The manifest as people save it: half, broken, gone, suddenly small, just changed.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::run::{Watch, declare, headcount, manifest, running, save, text, watch};
use crate::support::{World, await_some};

#[test]
fn a_broken_manifest_is_told_once_and_the_last_good_one_stays_in_force_without_being_written() {
    let world = World::new();
    world.claude_session("s", &world.workspace("shop"));
    declare(&world, &running(&world, &["s"]));
    let mut watch = watch(&world, &["--heartbeat", "100ms"]);
    watch.until("drift moved applied s");
    let good = text(&world);
    let broken = "version: 1\nsessions:\n  - name: [s\n";
    declare(&world, broken);
    let error = watch.until("error pass");
    assert!(error["message"].as_str().unwrap().contains("is not valid; "), "{error}");
    world.tmux(["kill-session", "-t", "=s"]);
    // Judged by the last good one, and only looked at.
    watch.until("drift dead pending s");
    watch.passes(3);
    assert_eq!(text(&world), broken);
    declare(&world, &good);
    watch.until("resolved dead s");
    assert!(text(&world).contains("status: terminated"));
    let words = watch.terminate().words();
    assert_eq!(words.iter().filter(|word| *word == "error pass").count(), 1, "{words:?}");
}

#[test]
fn another_mistake_is_another_error_and_the_same_one_after_a_good_version_as_well() {
    let world = World::new();
    declare(&world, "version: 1\nsessions: {}\n");
    let mut watch = watch(&world, &[]);
    watch.until("error pass");
    declare(&world, "version: 1\nsessions: 7\n");
    watch.until("error pass");
    declare(&world, &running(&world, &["gone"]));
    watch.until("drift dead applied gone");
    declare(&world, "version: 1\nsessions: 7\n");
    watch.until("error pass");
}

#[test]
fn a_deleted_manifest_is_told_once_and_a_recreated_one_is_taken_up() {
    let world = World::new();
    declare(&world, &running(&world, &["one"]));
    let mut watch = watch(&world, &["--heartbeat", "100ms"]);
    watch.until("drift dead applied one");
    std::fs::remove_file(manifest(&world)).unwrap();
    watch.until("error pass");
    watch.passes(2);
    assert!(!manifest(&world).exists());
    declare(&world, &running(&world, &["one", "two"]));
    watch.until("drift dead applied two");
    let words = watch.terminate().words();
    assert_eq!(words.iter().filter(|word| *word == "error pass").count(), 1, "{words:?}");
}

#[test]
fn half_a_manifest_is_not_acted_on_while_its_writer_is_at_it() {
    let world = World::new();
    for name in ["a-creator-claude", "b-creator-claude", "c-creator-claude"] {
        world.claude_session(name, &world.workspace("shop"));
    }
    let names = ["a-creator-claude", "b-creator-claude", "c-creator-claude"];
    declare(&world, &running(&world, &names));
    let mut watch = watch(&world, &["--heartbeat", "100ms"]);
    for name in names {
        watch.until(&format!("drift moved applied {name}"));
    }
    let whole = text(&world);
    // An editor that writes in place has truncated the file and written only the first entry.
    let half = whole.find("  - name: b-creator").unwrap();
    let mut editor = File::create(manifest(&world)).unwrap();
    editor.write_all(&whole.as_bytes()[..half]).unwrap();
    watch.passes(1);
    assert_eq!(text(&world), &whole[..half], "nobody else wrote");
    editor.write_all(&whole.as_bytes()[half..]).unwrap();
    drop(editor);
    watch.passes(2);
    assert_eq!(text(&world), whole);
    let words = watch.terminate().words();
    assert!(!words.iter().any(|word| word.starts_with("drift unregistered")), "{words:?}");
}

#[test]
fn a_manifest_that_lost_most_of_its_entries_is_believed_only_after_the_settle_window() {
    let world = World::new();
    let names = ["a-creator-claude", "b-creator-claude", "c-creator-claude"];
    for name in names {
        world.claude_session(name, &world.workspace("shop"));
    }
    declare(&world, &running(&world, &names));
    let usual = ["watch", "--json", "--interval", "100ms", "--heartbeat", "100ms", "--settle", "3s"];
    let mut watch = Watch::start(headcount(&world, &usual));
    for name in names {
        watch.until(&format!("drift moved applied {name}"));
    }
    let whole = text(&world);
    let small = &whole[..whole.find("  - name: b-creator").unwrap()];
    let saved = std::time::Instant::now();
    // The file itself looks old; only that it is new to the watch counts.
    save(&manifest(&world), small);
    watch.passes(3);
    assert!(saved.elapsed() > Duration::from_secs(3) || text(&world) == small, "not believed yet");
    watch.until("drift unregistered applied b-creator-claude");
    assert!(saved.elapsed() >= Duration::from_secs(3), "{:?}", saved.elapsed());
    let words = watch.terminate().words();
    assert!(!words.iter().any(|word| word.starts_with("error")), "{words:?}");
}

#[test]
fn what_a_person_has_just_changed_is_not_contradicted_until_it_has_settled() {
    let world = World::new();
    declare(&world, &running(&world, &["mine", "other"]));
    let usual = ["watch", "--json", "--interval", "100ms", "--heartbeat", "100ms", "--settle", "2s"];
    let mut watch = Watch::start(headcount(&world, &usual));
    watch.until("drift dead applied mine");
    watch.until("drift dead applied other");
    // A person says it runs, and is about to start it.
    let declared = running(&world, &["mine"]) + &text(&world)[text(&world).find("  - name: other").unwrap()..];
    let saved = std::time::Instant::now();
    declare(&world, &declared);
    watch.passes(3);
    assert!(saved.elapsed() > Duration::from_secs(2) || text(&world) == declared, "{}", text(&world));
    watch.until("drift dead applied mine");
    assert!(saved.elapsed() >= Duration::from_secs(2), "{:?}", saved.elapsed());
}

#[test]
fn sigterm_during_a_write_leaves_a_whole_manifest_and_says_stopped() {
    let world = World::new();
    let names: Vec<String> = (0..400).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    declare(&world, &running(&world, &names));
    let watch = watch(&world, &[]);
    // The lock's sidecar appears when the pass begins to write.
    await_some("the write", || world.home().join("agent-sessions.yaml.lock").exists().then_some(()));
    watch.signal(Signal::TERM);
    let done = watch.end();
    assert_eq!(done.status.code(), Some(0), "{}", done.stderr);
    assert_eq!(done.words().last().unwrap(), "stopped SIGTERM");
    let now = text(&world);
    assert_eq!(now.matches("status: terminated").count(), 400, "the pass was finished");
    assert_eq!(done.words().iter().filter(|word| word.starts_with("drift dead applied")).count(), 400);
    let left: Vec<_> = std::fs::read_dir(world.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".swap")), "{left:?}");
}
