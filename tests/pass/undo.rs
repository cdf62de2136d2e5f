//! Taking recorded changes back, and the journal they stand in.

use crate::run::Headcount;
use crate::support::World;

/// A world whose only pass recorded one death: the entry's own text and what it became.
fn one_death(fields: &str) -> (World, String) {
    let world = World::new();
    world.session("keeper", world.root(), "exec sleep 1000");
    let text = format!("version: 1\nsessions:\n  - name: gone   # mine\n    agent: claude\n    status: running\n{fields}");
    world.declare(&text);
    world.reconcile(&[]);
    assert!(world.text().contains("terminated"));
    (world, text)
}

#[test]
fn a_change_is_taken_back_to_the_byte_and_the_journal_says_so() {
    let (world, text) = one_death("");
    let undone = world.run(&["undo", "1"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(world.text(), text);
    let history = world.run(&["history"]).stdout;
    let entries: Vec<&str> = history.lines().filter(|line| line.starts_with("0000")).collect();
    assert!(entries.len() == 2 && entries[0].starts_with("000002"), "newest first: {history}");
    let schema = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/history.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let json: serde_json::Value = serde_json::from_str(&world.run(&["history", "--json"]).stdout).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&json).unwrap();
    let [undo, death] = json["entries"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!((&undo["id"], &undo["undoes"], &death["class"]), (&"000002".into(), &"000001".into(), &"dead".into()));
    assert_eq!(death["edits"][0]["path"], "sessions[0].status");
    assert_eq!((&death["edits"][0]["from"], &death["edits"][0]["to"]), (&"running".into(), &"terminated".into()));
    let some = |arguments: &[&str]| -> usize {
        let json: serde_json::Value = serde_json::from_str(&world.run(arguments).stdout).unwrap();
        json["entries"].as_array().unwrap().len()
    };
    assert_eq!((some(&["history", "--json", "-n", "1"]), some(&["history", "--json", "other-*"])), (1, 0));
    let twice = world.run(&["undo", "1"]);
    assert_eq!(twice.code, 3, "{twice:?}");
    assert!(
        twice.stderr.contains("entry 000002 already took back entry") && twice.stderr.contains("headcount undo 000002"),
        "{twice:?}"
    );
    let redone = world.run(&["undo", "2"]);
    assert_eq!(redone.code, 0, "{redone:?}");
    assert!(world.text().contains("status: terminated"), "an undo can itself be taken back: {}", world.text());
}

#[test]
fn undo_finds_an_entry_that_was_moved_and_refuses_one_that_was_changed() {
    let (world, text) = one_death("");
    let moved = world.text().replace("sessions:\n", "sessions:\n  - { name: above, agent: pi }\n");
    world.declare(&moved);
    assert_eq!(world.run(&["undo", "1"]).code, 0);
    assert_eq!(world.text(), text.replace("sessions:\n", "sessions:\n  - { name: above, agent: pi }\n"));

    let (world, _) = one_death("");
    let changed = world.text().replace("status: terminated", "status: archived");
    world.declare(&changed);
    let refused = world.run(&["undo", "1"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(world.text(), changed, "somebody else's work is not undone");
}

#[test]
fn a_registration_is_taken_back_whole_and_a_dry_run_changes_nothing() {
    for before in ["version: 1\nsessions: []\n", "version: 1\n", "version: 1\nsessions:   # none yet\n"] {
        let world = World::new();
        let shop = world.workspace("shop");
        world.claude_session("x-creator-claude", &shop);
        world.declare(before);
        world.reconcile(&[]);
        let registered = world.text();
        assert!(registered.contains("  - name: x-creator-claude\n"), "{registered}");
        let dry = world.run(&["undo", "1", "--dry-run"]);
        assert!(dry.code == 0 && dry.stdout.contains("-  - name: x-creator-claude"), "{dry:?}");
        assert_eq!(world.text(), registered);
        assert_eq!(world.run(&["undo", "1"]).code, 0);
        assert!(!world.text().contains("x-creator-claude"), "{}", world.text());
        assert_eq!(world.run(&["check"]).code, 0);
    }
}

#[test]
fn an_entry_that_is_not_in_the_journal_is_a_clear_error() {
    let (world, _) = one_death("");
    let missing = world.run(&["undo", "77"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("no entry 000077"), "{missing:?}");
    assert_eq!(world.run(&["undo", "latest"]).code, 64);
}

#[test]
fn what_a_person_noted_in_recorded_lines_stops_their_undo() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.claude_session("x-creator-claude", &shop);
    world.declare("version: 1\nsessions: []\n");
    world.reconcile(&[]);
    let registered = world.text();
    for noted in [
        registered.replace("    cwd:", "    # PRECIOUS NOTE\n    cwd:"),
        registered.replace("agent: claude\n", "agent: claude   # PRECIOUS NOTE\n"),
        format!("{registered}    # PRECIOUS NOTE\n"),
    ] {
        assert_ne!(noted, registered);
        world.declare(&noted);
        let line = 1 + noted[..noted.find("# PRECIOUS").unwrap()].matches('\n').count();
        let refused = world.run(&["undo", "1"]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(&format!("line {line}")), "{refused:?}");
        assert_eq!(world.text(), noted);
    }
    world.declare(&registered);
    assert_eq!(world.run(&["undo", "1"]).code, 0);

    let (world, _) = one_death("");
    let text = world.text();
    let stamp = text.lines().find(|line| line.contains("terminated_at:")).unwrap();
    let noted = text.replace(stamp, &format!("{stamp}   # power cut"));
    world.declare(&noted);
    let refused = world.run(&["undo", "1"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("terminated_at"), "{refused:?}");
    assert_eq!(world.text(), noted);
}

#[test]
fn an_id_that_another_entry_holds_by_now_is_not_put_back() {
    let world = World::new();
    let shop = world.workspace("shop");
    let claude = world.claude_session("x-creator-claude", &shop);
    let text = format!(
        "version: 1\nsessions:\n  - name: x-creator-claude\n    agent: claude\n    cwd: {}\n    status: running\n    \
         session_id: 11111111-2222-4333-8444-555555555555\n",
        shop.display()
    );
    world.declare(&text);
    world.reconcile(&[]);
    let recorded = world.text();
    assert!(recorded.contains(&claude.id.0) && !recorded.contains("11111111"), "{recorded}");
    let history = world.run(&["history"]).stdout;
    let entry = history.lines().find(|line| line.contains("new-id")).unwrap().split_whitespace().next().unwrap().to_owned();

    let other =
        "  - name: heir\n    agent: claude\n    session_id: 11111111-2222-4333-8444-555555555555\n    status: stopped\n";
    let held = format!("{recorded}{other}");
    world.declare(&held);
    for arguments in [&["undo", entry.as_str()][..], &["undo", entry.as_str(), "--dry-run"]] {
        let refused = world.run(arguments);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains("heir"), "{refused:?}");
        assert_eq!(world.text(), held);
    }
    world.declare(&held.replace(other, ""));
    let undone = world.run(&["undo", &entry]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(world.text().contains("session_id: 11111111-2222-4333-8444-555555555555"), "{}", world.text());
}
