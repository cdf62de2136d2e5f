//! What goes wrong around a pass: nothing is lost, no verdict is wrong, and the message says what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::run::{Headcount, lines, report};
use crate::support::World;

/// A running entry.
fn running(name: &str) -> String {
    format!("  - {{ name: {}, agent: claude, status: running }}\n", serde_json::to_string(name).unwrap())
}

fn manifest(entries: &[&str]) -> String {
    let entries: String = entries.iter().map(|name| running(name)).collect();
    format!("version: 1\nsessions:\n{entries}")
}

/// A world with one live server and one entry whose session is gone.
fn one_gone() -> World {
    let world = World::new();
    world.session("keeper", world.root(), "exec sleep 1000");
    world.declare(&manifest(&["gone"]));
    world
}

/// Sends a signal to the tmux server of a world, and only to it.
fn signal_server(world: &World, signal: &str) {
    let pid = world.tmux(["display-message", "-p", "#{pid}"]);
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
}

#[test]
fn a_wedged_server_is_unknown_and_nobody_is_dead() {
    let world = one_gone();
    let pid = world.tmux(["display-message", "-p", "#{pid}"]);
    signal_server(&world, "STOP");
    let wedged = world.run(&["diff", "--json", "--settle", "0s"]);
    let written = world.run(&["reconcile"]);
    assert!(Command::new("kill").args(["-s", "CONT", &pid]).status().unwrap().success());
    assert_eq!((wedged.code, written.code), (4, 0), "{wedged:?} {written:?}");
    let wedged = report(&wedged);
    assert_eq!(lines(&wedged), [] as [&str; 0]);
    assert_eq!(wedged["counts"]["unknown"], 1);
    assert_eq!(wedged["unknown"][0]["scope"], "tmux:default");
    assert!(wedged["unknown"][0]["why"].as_str().unwrap().contains("2 s"), "{wedged}");
    assert_eq!(world.text(), manifest(&["gone"]));
    assert_eq!(lines(&world.diff(&[])), ["dead pending gone"], "it answers again");
}

#[test]
fn the_socket_of_a_dead_server_means_dead_and_a_removed_one_means_unknown() {
    let dead = one_gone();
    signal_server(&dead, "KILL");
    crate::support::await_some("the end of the server", || {
        let refused = std::os::unix::net::UnixStream::connect(dead.socket()).is_err();
        refused.then_some(())
    });
    assert!(dead.socket().exists());
    assert_eq!(lines(&dead.diff(&[])), ["dead pending gone"]);

    let removed = one_gone();
    let away = removed.root().join("away");
    std::fs::rename(removed.socket(), &away).unwrap();
    let unknown = removed.diff(&[]);
    std::fs::rename(&away, removed.socket()).unwrap();
    assert_eq!(lines(&unknown), [] as [&str; 0]);
    assert!(unknown["unknown"][0]["why"].as_str().unwrap().contains("socket removed"), "{unknown}");
}

#[test]
fn without_tmux_a_live_server_is_unknown_and_the_reason_is_said() {
    let world = one_gone();
    let output = world.headcount(&["diff", "--json"]).env("PATH", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["unknown"][0]["why"].as_str().unwrap().contains("PATH"), "{report}");
}

#[test]
fn a_tmux_that_is_too_old_is_unknown_with_its_version() {
    let world = one_gone();
    world.program("tmux", "#!/bin/sh\necho '2.8|1|||||||||'\n");
    let unknown = world.diff(&[]);
    assert_eq!(lines(&unknown), [] as [&str; 0]);
    let why = unknown["unknown"][0]["why"].as_str().unwrap();
    assert!(why.contains("3.2"), "{why}");
}

#[test]
fn inside_a_pane_of_another_server_the_default_server_is_still_the_default_one() {
    let world = World::new();
    let other = world.named_socket("other");
    world.session_on(&other, "gone", world.root(), "exec sleep 1000");
    world.session("keeper", world.root(), "exec sleep 1000");
    world.declare(&manifest(&["gone"]));
    let output = world
        .headcount(&["diff", "--json", "--settle", "0s"])
        .env("TMUX", format!("{},1,0", other.display()))
        .env("TMUX_PANE", "%0")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(lines(&report), ["dead pending gone"]);
}

#[test]
fn hostile_names_are_told_apart_and_never_reach_the_terminal_raw() {
    let world = World::new();
    // tmux itself calls the last two `a_b` and `my_app-creator-claude`.
    let names = ["with space", "q'uo\"te", "pi|pe", "ünï-漢", "lane-1", "lane-10", "a:b", "my.app-creator-claude"];
    let cwd = world.workspace("new\nline");
    for name in names {
        world.claude_session(name, &cwd);
    }
    let evil = "evil\u{1b}[31m\u{202e}";
    let entries: Vec<&str> = names.into_iter().chain([evil]).collect();
    world.declare(&manifest(&entries));
    for locale in ["C.UTF-8", "C"] {
        let output = world.headcount(&["diff", "--json", "--settle", "0s"]).env("LC_ALL", locale).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for name in names {
            assert!(lines(&report).contains(&format!("moved pending {name}")), "{locale} {name}: {:?}", lines(&report));
        }
        assert!(lines(&report).contains(&format!("dead pending {evil}")), "{:?}", lines(&report));
    }
    for verb in [&["status"][..], &["diff"], &["explain", "*"], &["reconcile"], &["history"], &["status", "-o", "name"]] {
        let ran = world.run(&[verb, if verb[0] == "history" { &[] } else { &["--settle", "0s"][..] }].concat());
        assert!(!ran.stdout.contains('\u{1b}'), "{verb:?}: {ran:?}");
        // A patch on a pipe is for `patch`: its bytes are those of the file.
        let for_people = ran.stdout.split("\n--- ").next().unwrap();
        assert!(!for_people.contains('\u{202e}'), "{verb:?}: {ran:?}");
        assert!(!ran.stdout.is_empty());
    }
    let quiet = world.diff(&[]);
    assert_eq!(quiet["in_sync"], true, "{quiet}");
}

#[test]
fn a_renamed_session_is_told_with_its_new_name_and_nothing_is_written() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.claude_session("shop", &shop);
    world.declare(&manifest(&["shop"]));
    world.reconcile(&[]);
    let before = world.text();
    world.tmux(["rename-session", "-t", "=shop", "x-creator-claude"]);
    let renamed = world.reconcile(&[]);
    assert_eq!(lines(&renamed), ["moved flagged shop"]);
    assert!(crate::run::message(&renamed).contains("x-creator-claude"), "{renamed}");
    assert_eq!(world.text(), before);
}

#[test]
fn a_manifest_that_does_not_load_is_never_written_and_its_place_is_shown() {
    let world = one_gone();
    let huge = "x".repeat(10 << 20);
    let cases: [(&[u8], &str); 9] = [
        (b"sessions: [\n", "agent-sessions.yaml"),
        (b"version: 1\nsessions: [{ name: 12, agent: claude }]\n", "agent-sessions.yaml:2"),
        (b"version: 1\nsessions: [{ name: a, agent: claude }, { name: a, agent: claude }]\n", "declared twice"),
        (b"version: 1\nversion: 1\n", "version"),
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"version: 1\n# \xff\xfe\n", "UTF-8"),
        (b"version: 1\nsessions: [{ name: a, agent: cluade }]\n", "did you mean `claude`"),
        (huge.as_bytes(), "too large"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(world.manifest(), bytes).unwrap();
        for verb in ["status", "diff", "reconcile", "check"] {
            let ran = world.run(&[verb]);
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            assert_eq!(ran.code, 1, "{verb} {shown}: {}", ran.stderr);
            assert!(ran.stderr.contains(expected), "{verb} {shown}: {}", ran.stderr);
            assert_eq!(ran.stdout, "", "{verb} {shown}");
        }
        assert_eq!(std::fs::read(world.manifest()).unwrap(), bytes);
    }
}

#[test]
fn a_file_far_too_large_for_a_manifest_is_refused_without_reading_it() {
    let world = World::new();
    // A terabyte of nothing: whoever read it would not come back.
    std::fs::File::create(world.manifest()).unwrap().set_len(1 << 40).unwrap();
    for verb in ["status", "reconcile", "check"] {
        let ran = world.run(&[verb]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{verb}");
        assert!(ran.stderr.contains("too large: 1099511627776 bytes") && ran.stderr.contains("the right file?"), "{ran:?}");
    }
}

#[test]
fn what_is_no_manifest_is_named_for_what_it_is() {
    let world = World::new();
    let directory = world.root().to_str().unwrap();
    for (path, expected) in
        [(directory, "is a directory"), ("/nowhere/at-all.yaml", "no such file"), ("/dev/null", "not a regular file")]
    {
        let ran = world.run(&["diff", "-f", path]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{path}: {}", ran.stderr);
    }
}

#[test]
fn what_may_not_be_written_is_refused_with_the_reason_and_left_alone() {
    let hard_linked = one_gone();
    std::fs::hard_link(hard_linked.manifest(), hard_linked.root().join("other-name")).unwrap();
    let read_only = one_gone();
    std::fs::set_permissions(read_only.manifest(), std::fs::Permissions::from_mode(0o444)).unwrap();
    for (world, expected) in [(hard_linked, "link"), (read_only, "read-only")] {
        let ran = world.run(&["reconcile", "--settle", "0s"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
        assert_eq!(world.text(), manifest(&["gone"]));
        assert_eq!(litter(&world.home()), [] as [&str; 0]);
        assert_eq!(lines(&world.diff(&[])), ["dead pending gone"], "looking still works");
    }
}

#[test]
fn an_alias_is_not_written_and_the_rest_still_is() {
    let world = one_gone();
    let text = "version: 1\nx-state: &state running\nsessions:\n  - { name: aliased, agent: claude, status: *state }\n  - { name: plain, agent: claude, status: running }\n";
    world.declare(text);
    let ran = world.run(&["reconcile", "--emit-diff", "--settle", "0s"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let report = report(&ran);
    assert_eq!(lines(&report), ["dead refused aliased", "dead applied plain"]);
    assert!(report["drifts"][0]["refusal"].as_str().unwrap().contains("alias"), "{report}");
    assert!(world.text().contains("status: *state }") && world.text().contains("&state running"), "{}", world.text());
}

#[test]
fn a_lock_that_is_held_ends_with_75_and_names_the_holder() {
    let world = one_gone();
    let lock = world.manifest().with_file_name("agent-sessions.yaml.lock");
    std::fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
    let file = std::fs::File::open(&lock).unwrap();
    fs4::FileExt::lock(&file).unwrap();
    let ran = world.run(&["reconcile", "--settle", "0s", "--lock-timeout", "100ms"]);
    assert_eq!(ran.code, 75, "{ran:?}");
    assert!(ran.stderr.contains(&format!("process {}", std::process::id())), "{ran:?}");
    assert_eq!(lines(&world.diff(&[])), ["dead pending gone"], "looking needs no lock");
    drop(file);
    assert_eq!(world.run(&["reconcile", "--settle", "0s"]).code, 0);
}

#[test]
fn a_person_who_saves_during_passes_loses_nothing() {
    let world = World::new();
    world.session("keeper", world.root(), "exec sleep 1000");
    let names: Vec<String> = (0..6).map(|index| format!("gone-{index}")).collect();
    let declared = manifest(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.declare(&declared);
    let passes = std::thread::scope(|scope| {
        let passes: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..6).map(|_| world.run(&["reconcile", "--settle", "0s"])).collect::<Vec<_>>()))
            .collect();
        for save in 0..12 {
            // The way vim and most editors save: a whole new file renamed over the old one.
            let text = format!("{}# save {save}\n", world.text());
            let draft = world.home().join("draft");
            std::fs::write(&draft, &text).unwrap();
            std::fs::rename(&draft, world.manifest()).unwrap();
            let kept = || {
                let beside = std::fs::read_dir(world.home()).unwrap().flatten().map(|entry| entry.path());
                beside
                    .filter(|path| path.is_file())
                    .filter_map(|path| std::fs::read_to_string(path).ok())
                    .any(|text| text.contains(&format!("# save {save}\n")))
            };
            assert!(kept(), "save {save} is nowhere");
        }
        passes.into_iter().flat_map(|pass| pass.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(passes.iter().all(|ran| matches!(ran.code, 0 | 75)), "{passes:?}");
    assert!(world.text().contains("# save 11\n"));
    assert_eq!(world.run(&["reconcile", "--settle", "0s"]).code, 0);
    assert_eq!(world.text().matches("status: terminated").count(), 6, "{}", world.text());
}

/// Files beside a manifest that are neither it nor its lock.
fn litter(home: &Path) -> Vec<String> {
    let names = std::fs::read_dir(home).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.contains("agent-sessions") && name != "agent-sessions.yaml" && !name.ends_with(".lock")).collect()
}

#[test]
fn a_conversation_in_a_database_that_cannot_be_read_is_unknown_and_not_stale() {
    let world = one_gone();
    let data = world.home().join(".local/share/opencode");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("opencode.db"), "x".repeat(10_000)).unwrap();
    world.declare("version: 1\nsessions:\n  - { name: s, agent: opencode, status: stopped, session_id: ses_1 }\n");
    let report = world.diff(&[]);
    assert_eq!((&report["in_sync"], &report["counts"]["drifts"]), (&false.into(), &0.into()), "{report}");
    assert!(report["unknown"][0]["why"].as_str().unwrap().contains("opencode.db: "), "{report}");
}

#[test]
fn a_running_session_of_a_server_whose_key_is_mistyped_is_never_recorded_as_terminated() {
    let world = one_gone();
    let work = world.named_socket("work");
    world.session_on(&work, "lab", world.root(), "exec sleep 1000");
    let text = "version: 1\nsessions:\n  - name: lab\n    agent: claude\n    tmux_sever: work\n    status: running\n";
    world.declare(text);
    let ran = world.run(&["reconcile", "--emit-diff", "--exit-code", "--settle", "0s"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("did you mean `tmux_server`?"), "{}", ran.stderr);
    let said = report(&ran);
    assert_eq!(lines(&said), [] as [&str; 0]);
    assert_eq!(said["unknown"][0]["scope"], "lab");
    assert!(said["unknown"][0]["why"].as_str().unwrap().contains("`tmux_sever`"), "{said}");
    assert_eq!(world.text(), text, "nothing is recorded");
    world.declare(&text.replace("tmux_sever", "tmux_server"));
    assert_eq!(lines(&world.diff(&[])), ["agent-gone flagged lab"], "corrected it is found and judged");
}
