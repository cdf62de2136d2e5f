//! `headcount hooks`: what it puts into agents' own settings, and that it comes out again.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, Ran};

const MINE: &str = "{\n    \"model\": \"opus\",\n    \"hooks\": {\n        \"Stop\": [\n            { \"hooks\": [ { \"type\": \"command\", \"command\": \"say done\" } ] }\n        ]\n    } ,\n    \"env\": {\"A\": \"\\u0042\"}\n}";

fn settings(place: &Place, text: &str) -> PathBuf {
    let path = place.home().join(".claude/settings.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[track_caller]
fn ends(ran: Ran, code: i32) -> Ran {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    ran
}

#[test]
fn hooks_come_beside_those_of_a_person_and_go_again_to_the_byte() {
    let place = Place::new();
    let path = settings(&place, MINE);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let asked = ends(place.run(&["hooks", "install", "claude"]), 3);
    assert!(asked.stderr.contains("+        \"UserPromptSubmit\"") && asked.stderr.contains("--yes"), "{asked:?}");
    assert_eq!(read(&path), MINE);
    assert!(ends(place.run(&["hooks", "status", "claude"]), 0).stdout.contains("none"));
    ends(place.run(&["hooks", "install", "claude", "--yes"]), 0);
    let after = read(&path);
    assert!(after.starts_with(&MINE[..129]) && after.ends_with(&MINE[MINE.len() - 37..]), "{after}");
    let value: Value = serde_json::from_str(&after).unwrap();
    let stop = value["hooks"]["Stop"].as_array().unwrap();
    assert_eq!((stop.len(), &stop[0]["hooks"][0]["command"]), (2, &Value::from("say done")));
    assert!(stop[1]["hooks"][0]["command"].as_str().unwrap().contains(" hook emit "));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(ends(place.run(&["hooks", "status"]), 0).stdout.contains("installed"));
    let told: Value = serde_json::from_str(&ends(place.run(&["hooks", "status", "--json"]), 0).stdout).unwrap();
    let of = |agent: &str| told["agents"].as_array().unwrap().iter().find(|it| it["agent"] == agent).unwrap().clone();
    assert_eq!(of("claude"), serde_json::json!({ "agent": "claude", "standing": "installed", "path": path }));
    assert_eq!(of("antigravity")["standing"], "unsupported");
    assert_eq!(of("codex")["standing"], "no-home");
    ends(place.run(&["hooks", "install", "claude", "--yes"]), 0);
    assert_eq!(read(&path), after, "they are there already");
    ends(place.run(&["hooks", "remove", "--yes"]), 0);
    assert_eq!(read(&path), MINE);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_a_person_changed_meanwhile_stays() {
    let place = Place::new();
    let path = settings(&place, MINE);
    ends(place.run(&["hooks", "install", "claude", "--yes"]), 0);
    std::fs::write(&path, read(&path).replace("opus", "haiku")).unwrap();
    ends(place.run(&["hooks", "remove", "claude", "--yes"]), 0);
    assert_eq!(read(&path), MINE.replace("opus", "haiku"));
}

#[test]
fn a_file_that_was_made_goes_again() {
    let place = Place::new();
    for home in [".claude", ".codex", ".copilot", ".pi/agent", ".gemini"] {
        std::fs::create_dir_all(place.home().join(home)).unwrap();
    }
    let ran = ends(place.run(&["hooks", "install", "--yes"]), 0);
    assert!(ran.stderr.contains("Codex asks"), "{ran:?}");
    let files = [
        ".claude/settings.json",
        ".codex/hooks.json",
        ".copilot/hooks/headcount.json",
        ".pi/agent/extensions/headcount.js",
        ".gemini/settings.json",
    ];
    for file in files {
        assert!(read(&place.home().join(file)).contains("emit"), "{file}");
    }
    assert_eq!(ends(place.run(&["hooks", "status"]), 0).stdout.matches("installed").count(), 5);
    ends(place.run(&["hooks", "remove", "--yes"]), 0);
    for file in files {
        assert!(!place.home().join(file).exists(), "{file}");
    }
    // A person's own of that name is left alone.
    let own = place.home().join(".pi/agent/extensions/headcount.js");
    std::fs::write(&own, "// mine\n").unwrap();
    ends(place.run(&["hooks", "install", "pi", "--yes"]), 3);
    ends(place.run(&["hooks", "remove", "pi", "--yes"]), 0);
    assert_eq!(read(&own), "// mine\n");
}

#[test]
fn what_could_not_be_put_back_is_left_alone() {
    let place = Place::new();
    let path = settings(&place, MINE);
    let elsewhere = place.home().join("dotfiles");
    std::fs::create_dir(&elsewhere).unwrap();
    let real = elsewhere.join("settings.json");
    std::fs::rename(&path, &real).unwrap();
    let refused = |why: &str| {
        let ran = ends(place.run(&["hooks", "install", "claude", "--yes"]), 3);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    };
    symlink(&real, &path).unwrap();
    refused("link");
    std::fs::remove_file(&path).unwrap();
    std::fs::hard_link(&real, &path).unwrap();
    refused("other names");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read(&real), MINE);
    for text in ["{ // mine\n}", "{\"hooks\": []}", "\u{0}", "[]"] {
        std::fs::write(&path, text).unwrap();
        refused("left alone");
        assert_eq!(read(&path), text);
    }
    std::fs::write(&path, b"{\"a\": \"\xff\"}").unwrap();
    refused("UTF-8");
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused("no regular file");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    symlink(&elsewhere, path.parent().unwrap()).unwrap();
    refused("link");
    assert_eq!(read(&real), MINE);
    // As root a file of another user can be made.
    if rustix::process::geteuid().is_root() {
        std::fs::remove_file(path.parent().unwrap()).unwrap();
        let path = settings(&place, MINE);
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        refused("another user");
    }
    ends(place.run(&["hooks", "install", "antigravity", "--yes"]), 3);
    ends(place.run(&["hooks", "install", "codex", "--yes"]), 1);
}

#[test]
fn two_at_once_do_not_edit_one_file() {
    let place = Place::new();
    let path = settings(&place, MINE);
    let lock = std::fs::File::open(path.parent().unwrap()).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    ends(place.run(&["hooks", "install", "claude", "--yes"]), 75);
    assert_eq!(read(&path), MINE);
    drop(lock);
    let children: Vec<_> = (0..6)
        .map(|_| {
            place
                .command()
                .args(["hooks", "install", "claude", "--yes"])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let codes: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap().status.code()).collect();
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 75))), "{codes:?}");
    let value: Value = serde_json::from_str(&read(&path)).unwrap();
    assert_eq!(value["hooks"]["Stop"].as_array().unwrap().len(), 2);
    ends(place.run(&["hooks", "remove", "claude", "--yes"]), 0);
    assert_eq!(read(&path), MINE);
}

#[test]
fn one_that_is_killed_leaves_a_whole_file() {
    let place = Place::new();
    let path = settings(&place, MINE);
    ends(place.run(&["hooks", "install", "claude", "--yes"]), 0);
    let after = read(&path);
    ends(place.run(&["hooks", "remove", "claude", "--yes"]), 0);
    for round in 0..40 {
        let verb = if read(&path) == MINE { "install" } else { "remove" };
        let mut child = place
            .command()
            .args(["hooks", verb, "claude", "--yes"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = read(&path);
        assert!(now == MINE || now == after, "{round}: {now}");
    }
    ends(place.run(&["hooks", "remove", "claude", "--yes"]), 0);
    assert_eq!(read(&path), MINE);
}
