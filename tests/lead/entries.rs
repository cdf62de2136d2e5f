//! What is taken out of the manifest, and what comes back.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::support::{await_end, await_some};
use super::{Scene, is_alive};

const TWO: &str = "  # the first one\n  - name: one-creator-claude # its name\n    agent: claude\n    cwd: LAB/one\n    desired: running\n    \
    env: { TOKEN: a-secret }\n      # and a remark\n\n  # the second one\n  - { name: two, agent: claude, cwd: LAB/two }\n";
const NAME: &str = "one-creator-claude";

fn entry_of(ran: &super::Ran) -> String {
    let why = ran.json()["operations"][0]["why"].as_str().unwrap().to_owned();
    why.split('`').find_map(|text| text.strip_prefix("headcount undo ")).unwrap().to_owned()
}

#[test]
fn a_removed_session_is_stopped_and_undo_brings_its_entry_back_byte_for_byte() {
    let scene = Scene::new(TWO);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt(NAME, &scene.world.workspace("one"));
    let before = scene.text();
    let pid = scene.agents().remove(0).0;
    let removed = scene.run(&["rm", NAME, "--json"]).is(0);
    assert_eq!(removed.outcome(NAME).0, "remove done");
    assert!(!is_alive(pid));
    let after = scene.text();
    assert!(!after.contains("its name") && !after.contains("and a remark") && !after.contains("TOKEN"), "{after}");
    assert!(after.contains("# the first one") && after.contains("# the second one\n  - { name: two"), "{after}");
    let ledger = std::fs::read_to_string(scene.state().join("ledger.json")).unwrap();
    assert!(!ledger.contains(NAME), "what comes back was never led: {ledger}");
    // The secret is where undo finds it, and nowhere else.
    for path in walk(&scene.state()) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let is_removed = path.parent().unwrap().ends_with("removed");
        assert_eq!(text.contains("a-secret"), is_removed, "{}", path.display());
        assert!(!is_removed || path.metadata().unwrap().permissions().mode() & 0o777 == 0o600);
    }
    let history = scene.run(&["history", "--json"]).is(0).json();
    let note = history["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "removed").unwrap().clone();
    assert!(note["message"].as_str().unwrap().contains("(by a program)"), "{note}");
    let entry = entry_of(&removed);
    let dry = scene.run(&["undo", &entry, "--dry-run"]).is(0);
    assert!(dry.stdout.contains("+  - name: one-creator-claude") && !dry.stdout.contains("a-secret"), "{}", dry.stdout);
    assert_eq!(scene.text(), after);
    assert!(!scene.run(&["undo", &entry]).is(0).stdout.contains("a-secret"));
    // But for what was recorded of its end, every byte is there again.
    let back = scene.text();
    for line in before.lines().filter(|line| !line.contains("status:") && !line.contains("pane:")) {
        assert!(back.contains(line), "{line:?} is not in\n{back}");
    }
    scene.run(&["undo", &entry]).is(3);
    assert_eq!(scene.recorded(NAME, "status"), "stopped");
}

pub(super) fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    all.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn what_was_changed_meanwhile_stays_when_an_entry_comes_back() {
    let scene = Scene::new(TWO);
    let entry = entry_of(&scene.run(&["rm", NAME, "--json"]).is(0));
    std::fs::write(scene.manifest(), scene.text().replace("agent: claude, cwd", "agent: codex, cwd") + "# more\n").unwrap();
    scene.run(&["undo", &entry]).is(0);
    let back = scene.text();
    assert!(back.contains("agent: codex, cwd") && back.ends_with("# more\n") && back.contains("# and a remark"), "{back}");
    assert!(back.find("its name").unwrap() < back.find("name: two").unwrap(), "{back}");
    // An entry of its key that is there by now is somebody else's.
    let entry = entry_of(&scene.run(&["rm", NAME, "--json"]).is(0));
    std::fs::write(scene.manifest(), scene.text() + "  - { name: one-creator-claude, agent: claude }\n").unwrap();
    assert!(scene.run(&["undo", &entry]).is(3).stderr.contains("has an entry again"));
}

#[test]
fn an_agent_that_is_not_stopped_keeps_its_entry() {
    let scene = Scene::new(TWO);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt(NAME, &scene.world.workspace("one"));
    let pid = scene.agents().remove(0).0;
    scene.world.type_line(NAME, "/turn busy");
    let registry = scene.world.home().join(format!(".claude/sessions/{pid}.json"));
    await_some("the turn", || std::fs::read_to_string(&registry).ok()?.contains("busy").then_some(()));
    let refused = scene.run(&["rm", NAME, "--yes", "--timeout", "200ms", "--json"]).is(75);
    assert_eq!(refused.outcome(NAME), ("remove refused".to_owned(), "working".to_owned()));
    assert!(is_alive(pid) && scene.text().contains(NAME));
    assert!(scene.run(&["rm", "*", "--json"]).is(3).stderr.contains("nobody is here to be asked"));
    assert!(is_alive(pid) && scene.text().contains("name: two"));
    scene.run(&["rm", NAME, "--yes", "--now"]).is(0);
    await_end(pid);
}

#[test]
fn what_is_left_running_is_not_discovered_again_and_another_of_its_name_is() {
    let scene = Scene::new(TWO);
    scene.run(&["apply", "--yes"]).is(0);
    let pid = scene.agents().remove(0).0;
    let removed = scene.run(&["rm", NAME, "--keep-running", "--json"]).is(0);
    assert_eq!(removed.outcome(NAME).0, "remove done");
    assert!(is_alive(pid) && !scene.text().contains(NAME));
    let before = scene.text();
    scene.run(&["record", "--settle", "0s"]).is(0);
    assert_eq!(scene.text(), before, "discovery leaves it alone");
    scene.run(&["diff"]).is(0);
    // Another session of that name is another session.
    scene.world.tmux(["kill-session", "-t", NAME]);
    await_end(pid);
    scene.world.session(NAME, &scene.world.workspace("one"), "exec claude");
    await_some("the new one", || {
        scene.run(&["record", "--settle", "0s"]).is(0);
        scene.text().contains(NAME).then_some(())
    });
}

#[test]
fn a_manifest_whose_server_does_not_answer_keeps_its_entries() {
    let scene = Scene::new(TWO);
    let _server = std::os::unix::net::UnixListener::bind(scene.world.socket()).unwrap();
    for arguments in [&["rm", NAME, "--json"][..], &["rm", NAME, "--keep-running", "--json"], &["forget", NAME, "--json"]] {
        let before = scene.text();
        let code = scene.run(arguments).code;
        assert!(matches!(code, Some(3 | 4)), "{arguments:?}: {code:?}");
        assert_eq!(scene.text(), before);
    }
}

#[test]
fn open_jobs_are_for_somebody_to_decide() {
    let scene = Scene::new(TWO);
    let submitted =
        scene.run(&["job", "submit", "--agent-session", &format!("tmux:{NAME}"), "--prompt", "work", "--json"]).is(0).json();
    let id = submitted["job_id"].as_str().or(submitted["id"].as_str()).unwrap().to_owned();
    let refused = scene.run(&["rm", NAME]).is(3);
    assert!(refused.stderr.contains(&id) && refused.stderr.contains("--drop"), "{}", refused.stderr);
    assert!(scene.text().contains(NAME));
    scene.run(&["rm", NAME, "--drop"]).is(0);
    assert!(scene.run(&["job", "show", &id]).is(0).stdout.contains("cancelled"));
}

#[test]
fn a_conversation_is_forgotten_once_its_agent_has_ended_and_undo_brings_it_back() {
    let scene = Scene::new(TWO);
    scene.run(&["apply", "--yes"]).is(0);
    let cwd = scene.world.workspace("one");
    scene.prompt(NAME, &cwd);
    let (pid, id) = scene.agents().remove(0);
    let before = scene.text();
    let refused = scene.run(&["forget", NAME, "--json"]).is(3);
    assert_eq!(refused.outcome(NAME).0, "forget refused");
    assert_eq!((scene.text(), is_alive(pid)), (before, true));
    let done = scene.run(&["stop", NAME, "--purge-conversation", "--yes", "--json"]).is(0).json();
    assert_eq!((&done["operations"][0]["action"], &done["operations"][1]["action"]), (&"stop".into(), &"forget".into()));
    assert_eq!(scene.recorded(NAME, "session_id"), serde_json::Value::Null);
    assert!(scene.world.transcript(&cwd, &headcount::core::ids::ConversationId(id.clone())).exists());
    assert_eq!(scene.run(&["start", NAME, "--json"]).is(3).outcome(NAME).1, "no-id");
    let why = done["operations"][1]["why"].as_str().unwrap();
    let entry = why.split('`').find_map(|text| text.strip_prefix("headcount undo ")).unwrap();
    scene.run(&["undo", entry]).is(0);
    assert_eq!(scene.run(&["start", NAME, "--json"]).is(0).outcome(NAME).0, "resume done");
    assert_eq!(scene.agents().remove(0).1, id);
}

#[test]
fn killed_at_any_moment_a_removal_leaves_the_entry_or_not_and_the_next_finishes() {
    for step in 0..8 {
        let scene = Scene::new(TWO);
        scene.run(&["apply", "--yes"]).is(0);
        let pid = scene.agents().remove(0).0;
        let mut child = scene.command(&["rm", NAME, "--yes"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(step * 40));
        let _ = child.kill();
        child.wait().unwrap();
        scene.run(&["check"]).is(0);
        let ran = scene.run(&["rm", NAME, "--yes"]);
        assert!(ran.code == Some(0) || ran.stderr.contains("no session"), "after {} ms: {ran:?}", step * 40);
        await_end(pid);
        let text = scene.text();
        assert!(!text.contains(NAME) && text.contains("name: two"), "{text}");
    }
}

#[test]
fn two_at_once_take_it_out_once() {
    let scene = Scene::new(TWO);
    scene.run(&["apply", "--yes"]).is(0);
    let mut both: Vec<_> = (0..3).map(|_| scene.command(&["rm", NAME, "--yes"]).spawn().unwrap()).collect();
    let codes: Vec<_> = both.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 1 | 75))), "{codes:?}");
    assert!(!scene.text().contains(NAME) && scene.text().contains("name: two"));
    let history = scene.run(&["history", "--json"]).is(0).json();
    assert_eq!(history["notes"].as_array().unwrap().iter().filter(|note| note["kind"] == "removed").count(), 1);
}

#[test]
fn where_the_manifest_takes_no_edit_nothing_is_done() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n");
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.run(&["record"]).is(0);
    // Replacing it would part the two.
    std::fs::hard_link(scene.manifest(), scene.world.root().join("other.yaml")).unwrap();
    let (agents, text) = (scene.agents(), scene.text());
    for words in [
        &["stop", "one", "--yes"][..],
        &["stop", "one", "--yes", "--purge-conversation"],
        &["rm", "one", "--yes"],
        &["rm", "one", "--yes", "--keep-running"],
        &["rename", "one", "two"],
        &["move", "one", "--server", "other", "--yes"],
        &["new", "two", "--agent", "claude", "--cwd", scene.world.workspace("two").to_str().unwrap()],
    ] {
        let ran = scene.run(words).is(3);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("hard-linked"), "{words:?}: {ran:?}");
        assert_eq!((scene.agents(), scene.text()), (agents.clone(), text.clone()), "{words:?}");
    }
    // What its entry says already needs no edit.
    scene.write(&text.split_once("sessions:\n").unwrap().1.replace("desired: running, ", ""));
    assert_eq!(scene.run(&["stop", "one", "--yes", "--purge-conversation"]).is(3).code, Some(3));
    assert_eq!(scene.agents(), agents);
}
