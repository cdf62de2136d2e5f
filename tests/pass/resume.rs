//! How an ended session is resumed by hand: from the directory and the home its conversation lived in, or why it cannot be.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{Headcount, lines};
use crate::support::{World, await_end, await_some};

const ID: &str = "33333333-2222-4333-8444-555555555555";

/// The row of `status --json` of a session.
fn row(world: &World, name: &str) -> Value {
    let ran = world.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let rows = status["sessions"].as_array().unwrap().iter();
    rows.into_iter().find(|row| row["session"]["name"] == name).unwrap_or_else(|| panic!("{status}")).clone()
}

/// The command everywhere it is shown, which is the same everywhere.
fn command(world: &World, name: &str) -> String {
    let row = row(world, name);
    let command = row["resume"].as_str().unwrap_or_else(|| panic!("none: {row}")).to_owned();
    assert_eq!(row["no_resume"], Value::Null, "{row}");
    for arguments in [["status", "-o", "wide"].as_slice(), &["explain", name]] {
        let shown = world.run(arguments).stdout;
        assert!(shown.contains(&command), "{command}: {shown}");
    }
    command
}

/// Why there is none, everywhere it would be shown.
fn reason(world: &World, name: &str) -> String {
    let row = row(world, name);
    let why = row["no_resume"].as_str().unwrap_or_else(|| panic!("no reason: {row}")).to_owned();
    assert_eq!(row["resume"], Value::Null, "{row}");
    assert!(world.run(&["status", "-o", "wide"]).stdout.contains(&format!("none: {why}")), "{why}");
    let explained = world.run(&["explain", name]).stdout;
    let shown = explained.split("To resume it by hand").nth(1).unwrap_or_else(|| panic!("{explained}"));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert!(words(shown).contains(&words(&why)), "{why}: {shown}");
    why
}

/// A transcript of Claude's that says where it was.
fn transcript(home: &Path, cwd: &Path) -> PathBuf {
    let encoded: String = cwd.to_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let path = home.join("projects").join(encoded).join(format!("{ID}.jsonl"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let line = serde_json::json!({ "type": "user", "cwd": cwd, "sessionId": ID, "timestamp": "2026-11-21T03:23:43.477Z" });
    fs::write(&path, format!("{line}\n")).unwrap();
    path
}

fn ended(name: &str, agent: &str, cwd: &Path, id: &str) -> String {
    format!("  - {{ name: {name}, agent: {agent}, cwd: {}, status: terminated, session_id: {id} }}\n", cwd.display())
}

#[test]
fn a_home_of_its_own_is_remembered_and_its_conversation_found_there_or_missed() {
    let world = World::new();
    let cwd = world.workspace("shop front");
    world.session("keeper", &cwd, "exec sleep 600");
    let home = world.root().join("my claude");
    let pid = world.session("s", &cwd, &format!("CLAUDE_CONFIG_DIR='{}' exec claude", home.display()));
    await_some("the registry", || home.join(format!("sessions/{pid}.json")).exists().then_some(()));
    world.type_line("s", "hello");
    let files =
        || fs::read_dir(home.join("projects")).ok().and_then(|mut dirs| fs::read_dir(dirs.next()?.ok()?.path()).ok()?.next());
    let file = await_some("the transcript", files).unwrap().path();
    // No workspace is declared: where it was is in its pane.
    world.declare("version: 1\nsessions:\n  - { name: s, agent: claude }\n");
    world.reconcile(&[]);
    let id = row(&world, "s")["session_id"].as_str().unwrap().to_owned();
    let expected = format!("cd '{}' && CLAUDE_CONFIG_DIR='{}' claude --resume {id}", cwd.display(), home.display());
    assert_eq!(command(&world, "s"), expected);

    world.tmux(["kill-session", "-t", "=s"]);
    await_end(pid);
    assert_eq!(lines(&world.reconcile(&[])), ["dead applied s"]);
    assert_eq!(command(&world, "s"), expected);
    let row = row(&world, "s");
    assert_eq!((&row["transcript"], row["last_activity"].is_string()), (&Value::Bool(true), true), "{row}");

    fs::rename(&file, world.root().join("taken away")).unwrap();
    assert!(reason(&world, "s").contains("no transcript in"));
    assert_eq!(lines(&world.diff(&[])), ["stale-id flagged s"], "and it was there");
    // It was put back where an agent without a home of its own keeps it.
    let usual = world.home().join(".claude").join(file.strip_prefix(&home).unwrap());
    fs::create_dir_all(usual.parent().unwrap()).unwrap();
    fs::rename(world.root().join("taken away"), usual).unwrap();
    assert_eq!(command(&world, "s"), format!("cd '{}' && claude --resume {id}", cwd.display()));
    assert_eq!(lines(&world.diff(&[])), [""; 0]);
}

#[test]
fn a_conversation_is_resumed_where_its_transcript_lies_and_not_from_a_directory_that_is_gone() {
    let world = World::new();
    let repository = world.workspace("repository");
    let worktree = repository.join(".claude/worktrees/x");
    fs::create_dir_all(&worktree).unwrap();
    world.session("keeper", &repository, "exec sleep 600");
    transcript(&world.home().join(".claude"), &worktree);
    world.declare(&format!("version: 1\nsessions:\n{}", ended("s", "claude", &repository, ID)));
    assert_eq!(command(&world, "s"), format!("cd {} && claude --resume {ID}", worktree.display()));

    fs::rename(&worktree, repository.join("elsewhere")).unwrap();
    let why = reason(&world, "s");
    assert!(why.contains(worktree.to_str().unwrap()) && why.contains("is gone"), "{why}");
}

#[test]
fn what_is_archived_or_in_use_or_elsewhere_is_not_offered() {
    let world = World::new();
    let cwd = world.workspace("shop");
    let claude = world.claude_session("live", &cwd);
    world.prompt("live", &cwd, &claude);
    let archived = world.home().join(".codex/archived_sessions");
    fs::create_dir_all(&archived).unwrap();
    let id = "01a224db-9dc7-7001-8002-6f92d4bc3cdb";
    fs::write(archived.join(format!("rollout-2026-11-29T01-11-43-{id}.jsonl")), "{}\n").unwrap();
    let live = claude.id.as_str();
    world.declare(&format!(
        "version: 1\nagents:\n  goose: {{ programs: [goose] }}\nsessions:\n  - {{ name: live, agent: claude, cwd: {} }}\n{}{}{}  \
         - {{ name: far, agent: claude, host: elsewhere, status: terminated, session_id: {ID} }}\n",
        cwd.display(),
        ended("old", "codex", &cwd, id),
        ended("former", "claude", &cwd, live),
        ended("bird", "goose", &cwd, "one"),
    ));
    for (name, needle) in [
        ("old", format!("`codex unarchive {id}` brings it back").as_str()),
        ("former", "session live is in it"),
        ("bird", "how goose resumes a conversation is not known"),
        ("far", "it is on host elsewhere"),
    ] {
        let why = reason(&world, name);
        assert!(why.contains(needle), "{name}: {why}");
    }
    assert!(command(&world, "live").ends_with(&format!("claude --resume {live}")));
}
