//! The faces under faults: a ui and an MCP server that go on, and the verbs of other tools. What cannot be told is said, nothing breaks
//! off, and once the fault is over everything is seen again.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::mcp::Client;
use super::sending::Talker;
use super::ui::Desk;
use super::zellij::signal;

/// Something that goes wrong, and how it ends.
struct FaceFault {
    name: &'static str,
    strike: fn(&Talker),
    heal: fn(&Talker),
    /// What a look says of it; empty: it sees everything all the same.
    says: &'static str,
}

const FAULTS: &[FaceFault] = &[
    FaceFault {
        name: "tmux server stopped",
        strike: |talker| signal(server(talker), Signal::STOP),
        heal: |talker| signal(server(talker), Signal::CONT),
        says: "timed out",
    },
    FaceFault {
        name: "tmux says what nobody understands",
        strike: |talker| {
            let path = std::env::var_os("PATH").unwrap();
            let real = std::env::split_paths(&path).map(|dir| dir.join("tmux")).find(|it| it.exists()).unwrap();
            let socket = talker.scene.world.socket();
            let odd = format!("case \"$*\" in *{}*) echo what; exit 0;; esac", socket.display());
            talker.scene.world.program("tmux", &format!("#!/bin/sh\n{odd}\nexec {} \"$@\"\n", real.display()));
        },
        heal: |talker| std::fs::remove_file(talker.scene.world.root().join("bin/tmux")).unwrap(),
        says: "tmux",
    },
    FaceFault {
        name: "manifest invalid",
        strike: |talker| write(talker, &format!("{}broken: [\n", kept(talker))),
        heal: |talker| write(talker, &kept(talker)),
        says: "expected",
    },
    FaceFault {
        name: "manifest deleted",
        strike: |talker| std::fs::remove_file(talker.scene.manifest()).unwrap(),
        heal: |talker| write(talker, &kept(talker)),
        says: "manifest",
    },
    FaceFault {
        name: "own files are garbage",
        strike: |talker| {
            for name in ["ledger.json", "seen.json", "jobs/abc12345.json", "jobs/abc12345/spec.json", "jobs/abc12345/done"] {
                let path = talker.scene.state().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "{\"half\": ").unwrap();
            }
        },
        heal: |talker| {
            let _ = std::fs::remove_file(talker.scene.state().join("ledger.json"));
        },
        says: "",
    },
];

fn kept(talker: &Talker) -> String {
    std::fs::read_to_string(talker.scene.world.root().join("kept.yaml")).unwrap()
}

fn write(talker: &Talker, text: &str) {
    std::fs::write(talker.scene.manifest(), text).unwrap();
}

fn server(talker: &Talker) -> u32 {
    let path: PathBuf = talker.scene.world.root().join("server");
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// How a look of the MCP server says that the session is, or why that cannot be told.
fn listed(client: &mut Client) -> String {
    let answer = client.call("list", &json!({}));
    let document = &answer["structuredContent"];
    let unknown: Vec<&str> = document["unknown"].as_array().into_iter().flatten().filter_map(|it| it["why"].as_str()).collect();
    let row = document["sessions"].as_array().into_iter().flatten().find(|row| row["session"]["name"] == "one");
    match row.and_then(|row| row["observed"].as_str()) {
        Some(observed) => format!("{observed} {}", unknown.join(" ")),
        None => answer["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The verbs of jobs, crews and of other tools do what they can, and say what they cannot.
fn verbs(talker: &Talker, fault: &str) {
    let csd = talker.scene.world.root().join("csd");
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_headcount"), &csd);
    let ran = |mut command: Command| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code().is_some_and(|code| [0, 1, 3, 4].contains(&code)), "{fault}: {output:?}");
        assert!(!said.contains("panicked") && !said.contains("internal error"), "{fault}: {said}");
        assert!(output.status.success() || !said.trim().is_empty(), "{fault}: it failed and said nothing");
    };
    for words in [&["job", "list"][..], &["crew", "status", "crew"], &["describe", "one"], &["plan"], &["screen", "one"]] {
        ran(talker.scene.command(words));
    }
    let mut tool = Command::new(csd);
    tool.env_clear().envs(talker.scene.world.variables()).env("CSD_WORKER_DIR", talker.scene.world.root().join("workers"));
    tool.arg("list");
    ran(tool);
}

#[test]
fn every_face_says_what_it_cannot_see_and_sees_it_again_afterwards() {
    let talker = Talker::new();
    let pid = talker.scene.world.tmux(["display", "-p", "#{pid}"]);
    std::fs::write(talker.scene.world.root().join("server"), pid).unwrap();
    std::fs::copy(talker.scene.manifest(), talker.scene.world.root().join("kept.yaml")).unwrap();
    talker.scene.run(&["crew", "init", "crew"]).is(0);
    let desk = Desk::new(&talker, 100, 30, "");
    desk.await_screen("· one");
    let mut client = Client::start(&talker.scene, &[]);
    for FaceFault { name, strike, heal, says } in FAULTS {
        eprintln!("{name}");
        strike(&talker);
        if !says.is_empty() {
            desk.await_screen("blind (m)");
            desk.keys(&["m"]);
            desk.await_screen(says);
            desk.keys(&["q"]);
            let said = listed(&mut client);
            assert!(said.contains(says) && !said.starts_with("alive"), "{name}: {said}");
        }
        verbs(&talker, name);
        heal(&talker);
        desk.await_that("the session", |screen| screen.contains("· one") && !screen.contains("blind"));
        let said =
            super::support::await_some("its list", || Some(listed(&mut client)).filter(|said| said.starts_with("alive")));
        assert_eq!(said.trim(), "alive", "{name}");
        verbs(&talker, name);
    }
    desk.keys(&["q"]);
    desk.await_screen("left with 0");
    let tools: Value = client.request("tools/list", &json!({}));
    assert!(tools["result"]["tools"].is_array());
}
