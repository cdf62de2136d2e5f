//! `headcount import`: what it reads of other tools' files, what it leaves alone, and what becomes of the manifest.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use crate::support::{Place, Ran};

const A: &str = "11111111-2222-4333-8444-555555555555";

/// Puts a file below the home.
fn put(place: &Place, path: &str, text: impl AsRef<[u8]>) {
    let path = place.home().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A place with files of every tool.
fn all() -> Place {
    let place = Place::new();
    let pane = |name: &str, command: &str| format!("pane\t{name}\t0\t1\t:*\t0\tt\t:/w/{name}\t1\tx\t:{command}\n");
    let saved = pane("r-shop", &format!("claude --resume {A}")) + &pane("r-notes", "vim");
    put(&place, ".tmux/resurrect/tmux_resurrect_20261129T100000.txt", saved);
    symlink("tmux_resurrect_20261129T100000.txt", place.home().join(".tmux/resurrect/last")).unwrap();
    put(&place, ".config/tmuxp/lab.yaml", "session_name: p-lab\nstart_directory: ~/lab\nwindows:\n- panes: [claude, htop]\n");
    let squad = r#"{"instances":[{"title":"one","path":"/w/one","program":"claude","worktree":{"worktree_path":"/t/one"}}]}"#;
    put(&place, ".claude-squad/state.json", squad);
    let empires = r#"[{"id":"0123456789","title":"two","tool":"codex","project_path":"/w/two"}]"#;
    put(&place, ".config/agent-of-empires/profiles/default/sessions.json", empires);
    let worker = format!(r#"{{"tmux_name":"w","session_id":"{A}","cwd":"/w/w","harness":"codex"}}"#);
    let workers = place.home().join("workers");
    fs::create_dir(&workers).unwrap();
    fs::set_permissions(&workers, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(workers.join(format!("{A}.meta")), worker).unwrap();
    deck(&place.home().join(".agent-deck/profiles/default/state.db"));
    place
}

/// The database of agent-deck, as version 1.14 makes it, as far as it matters.
fn deck(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let database = rusqlite::Connection::open(path).unwrap();
    let sql = "PRAGMA journal_mode = WAL;
        CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
        INSERT INTO metadata VALUES ('schema_version', '15');
        CREATE TABLE instances (id TEXT PRIMARY KEY, title TEXT NOT NULL, project_path TEXT NOT NULL,
            group_path TEXT NOT NULL DEFAULT 'my-sessions', sort_order INTEGER NOT NULL DEFAULT 0, command TEXT NOT NULL DEFAULT '',
            wrapper TEXT NOT NULL DEFAULT '', tool TEXT NOT NULL DEFAULT 'shell', tmux_session TEXT NOT NULL DEFAULT '',
            tmux_socket_name TEXT NOT NULL DEFAULT '', worktree_path TEXT NOT NULL DEFAULT '',
            archived_at INTEGER NOT NULL DEFAULT 0, tool_data TEXT NOT NULL DEFAULT '{}');
        INSERT INTO instances (id, title, project_path, group_path, tool, tmux_session, tool_data) VALUES
            ('1', 'Fix login', '/w/login', 'web', 'claude', 'agentdeck_fix_1a2b',
             '{\"claude_session_id\": \"22222222-2222-4333-8444-555555555555\"}'),
            ('2', 'Old', '/w/old', 'web', 'claude', '', '{}');";
    database.execute_batch(sql).unwrap();
}

fn run(place: &Place, words: &[&str]) -> Ran {
    Ran::from(place.command().env("CSD_WORKER_DIR", place.home().join("workers")).arg("import").args(words).output().unwrap())
}

/// Every file below a directory with what is in it.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    all.sort();
    all
}

#[test]
fn the_sessions_of_every_tool_become_entries_and_no_file_of_theirs_is_touched() {
    let place = all();
    let before = files(&place.home());
    let dry = run(&place, &["--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(dry.stdout.contains("Would import 6 sessions into agent-sessions.yaml"), "{}", dry.stdout);
    assert!(!place.work().join("agent-sessions.yaml").exists());
    let ran = run(&place, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap();
    let added: String = dry.stdout.lines().filter_map(|line| Some(line.strip_prefix('+')?.to_owned() + "\n")).collect();
    assert!(added.contains(&text), "what was shown is what was written:\n{added}\n{text}");
    for line in [
        "- name: agentdeck_fix_1a2b # from agent-deck \"Fix login\"; conversation as recorded there",
        "- name: aoe_two_01234567 # from agent-of-empires \"two\"",
        "- name: w # from csd; conversation that csd began",
        "- name: claudesquad_one # from claude-squad \"one\"",
        "- name: r-shop # from tmux-resurrect; conversation named by its command line",
        "- name: p-lab # from tmuxp",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(ran.stdout.contains("Old (agent-deck): it has no tmux session yet"), "{}", ran.stdout);
    assert!(ran.stdout.contains("one more session or pane (tmuxp): no coding agent"), "{}", ran.stdout);
    assert_eq!(place.run(&["check", "--strict"]).code, Some(0));
    let again = run(&place, &[]);
    assert!(again.stdout.contains("Nothing to import") && again.stdout.contains("has an entry already"), "{}", again.stdout);
    assert_eq!(fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap(), text);
    let after: Vec<_> = files(&place.home()).into_iter().filter(|(path, _)| !path.contains("/.local/state/")).collect();
    assert_eq!(after, before);
}

#[test]
fn a_manifest_that_is_there_keeps_every_byte_and_its_journal_says_what_came() {
    let place = all();
    let own = "# mine\nversion: 1\nsessions:\n    - {name: lab, agent: pi}   # keep\n    -   name: p-lab\n        agent: claude\n# end\n";
    let path = place.write("agent-sessions.yaml", own);
    let ran = run(&place, &["tmuxp", "agent-deck"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = fs::read_to_string(&path).unwrap();
    let mut rest = text.as_str();
    for line in own.lines() {
        let at = rest.find(line).unwrap_or_else(|| panic!("{line} is gone from:\n{text}"));
        rest = &rest[at + line.len()..];
    }
    assert!(text.contains("agentdeck_fix_1a2b # from agent-deck") && !text.contains("from tmuxp"), "{text}");
    let history = place.run(&["history"]).stdout;
    assert!(history.contains("imported from agent-deck"), "{history}");
    // It is taken back, byte for byte, and once.
    let undone = place.run(&["undo", "1"]);
    assert_eq!((undone.code, fs::read_to_string(&path).unwrap().as_str()), (Some(0), own), "{undone:?}");
    assert_eq!(place.run(&["undo", "1"]).code, Some(3));
    run(&place, &["agent-deck"]);
    let changed = fs::read_to_string(&path).unwrap().replace("/w/login", "/w/other");
    fs::write(&path, &changed).unwrap();
    assert_eq!(place.run(&["undo", "3"]).code, Some(3), "what somebody has changed since stays");
    assert_eq!(fs::read_to_string(&path).unwrap(), changed);
}

#[test]
fn an_import_into_no_manifest_is_taken_back_entry_by_entry() {
    let place = all();
    run(&place, &[]);
    for number in ["3", "1", "6", "2", "5", "4"] {
        let undone = place.run(&["undo", number]);
        assert_eq!(undone.code, Some(0), "{number}: {undone:?}");
    }
    assert!(place.run(&["check"]).stdout.contains("0 sessions"));
    assert_eq!(run(&place, &[]).code, Some(0));
}

#[test]
fn a_program_reads_what_was_taken_and_what_was_not() {
    let place = all();
    let ran = run(&place, &["--dry-run", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["schema"], "headcount/import/v1");
    assert_eq!((report["dry_run"].as_bool(), report["written"].as_bool()), (Some(true), Some(false)));
    let deck = report["sources"].as_array().unwrap().iter().find(|source| source["tool"] == "agent-deck").unwrap();
    assert_eq!(deck["version"], "schema 15");
    assert_eq!(report["imported"][0]["conversation"], "22222222-2222-4333-8444-555555555555");
    assert!(report["left_out"].as_array().unwrap().len() >= 3, "{report}");
}

#[test]
fn files_that_are_damaged_huge_pipes_or_not_ours_are_named_and_the_others_count() {
    let place = all();
    put(&place, ".claude-squad/state.json", "{\"instances\": [");
    put(&place, ".config/tmuxp/bomb.yaml", format!("session_name: b\nx: {}\n", "[".repeat(50_000)));
    let huge = fs::File::create(place.home().join(".config/agent-of-empires/profiles/default/sessions.json")).unwrap();
    huge.set_len(64 << 20).unwrap();
    let pipe = place.home().join(".config/tmuxp/pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink("/dev/zero", place.home().join(".config/tmuxp/zero.yaml")).unwrap();
    // In the directory of the workers, a link is nobody's worker.
    symlink("/etc/passwd", place.home().join("workers/x.meta")).unwrap();
    let ran = run(&place, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for (file, why) in [
        ("state.json", "EOF"),
        ("bomb.yaml", "recursion limit"),
        ("sessions.json", "larger than 32 MiB"),
        ("pipe.yaml", "no regular file"),
        ("zero.yaml", "no regular file"),
        ("x.meta", "symbolic links"),
    ] {
        let is_said = |line: &&str| line.contains(file) && line.contains("was not read") && line.contains(why);
        assert!(ran.stderr.lines().any(|line| is_said(&line)), "{file}: {why}\n{}", ran.stderr);
    }
    assert!(ran.stdout.contains("Imported 4 sessions"), "{}", ran.stdout);
    fs::set_permissions(place.home().join("workers"), fs::Permissions::from_mode(0o777)).unwrap();
    let ran = run(&place, &["csd"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("others can write into"), "{ran:?}");
}

#[test]
fn hostile_names_reach_neither_the_terminal_nor_the_manifest() {
    let place = Place::new();
    put(
        &place,
        ".claude-squad/state.json",
        r#"{"instances":[{"title":"a\u001b[2Jb","program":"claude"},{"title":"x # y: {z","program":"claude"}]}"#,
    );
    let ran = run(&place, &["claude-squad"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("does not take such a name"), "{}", ran.stdout);
    let text = fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap();
    assert!(text.contains("claudesquad_x#y:{z"), "{text}");
    assert_eq!(place.run(&["check", "--strict"]).code, Some(0), "{text}");
}

#[test]
fn one_file_is_read_if_it_is_named_and_a_manifest_that_cannot_take_entries_stays() {
    let place = Place::new();
    let file = place.write("x.yaml", "session_name: x\nwindows: [{panes: [claude]}]\n");
    let from = file.to_str().unwrap();
    assert_eq!(run(&place, &["--from", from]).code, Some(64));
    assert_eq!(run(&place, &["tmuxp", "--from", "gone.yaml"]).code, Some(1));
    let aliased = "version: 1\nx-list: &list [{name: a, agent: pi}]\nsessions: *list\n";
    let path = place.write("agent-sessions.yaml", aliased);
    let ran = run(&place, &["tmuxp", "--from", from]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), aliased);
    fs::write(&path, "version: 1\nsessions: []\n").unwrap();
    let lock = fs::File::create(place.work().join("agent-sessions.yaml.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(run(&place, &["tmuxp", "--from", from, "--lock-timeout", "50ms"]).code, Some(75));
    drop(lock);
    assert_eq!(run(&place, &["tmuxp", "--from", from]).code, Some(0));
    assert!(fs::read_to_string(&path).unwrap().contains("- name: x # from tmuxp\n"));
}

#[test]
fn a_thousand_sessions_are_taken_at_once() {
    let place = Place::new();
    let pane = |at: usize| format!("pane\ts{at}\t0\t1\t:*\t0\tt\t:/w\t1\tx\t:claude\n");
    put(&place, ".tmux/resurrect/last", (0..1000).map(pane).collect::<String>());
    let ran = run(&place, &["tmux-resurrect"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("Imported 1000 sessions"), "{}", ran.stderr);
    let text = fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap();
    assert_eq!(text.matches("# from tmux-resurrect").count(), 1000);
}
