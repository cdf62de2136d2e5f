//! The journal: only what happened is shown, whatever died in between.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use headcount::core::drift::{Class, Evidence};
use headcount::core::edit::{Edit, Path as EditPath};
use headcount::core::ids::{AgentKind, MuxKind, SessionKey};
use headcount::store::TextHash;
use headcount::store::journal::{EntryRecord, Journal, JournalEntry, JournalError, NewEntry, NewNote, Note};
use headcount::store::paths::{ManifestDir, StateHome};
use serde_json::json;
use tempfile::TempDir;

fn place() -> (TempDir, ManifestDir, Journal) {
    let temp = tempfile::tempdir().unwrap();
    let directory = StateHome::at(temp.path().join("headcount")).of_manifest(Path::new("/m/agent-sessions.yaml"));
    let journal = Journal::new(&directory);
    (temp, directory, journal)
}

fn hash(text: &str) -> TextHash {
    TextHash::of(text.as_bytes())
}

fn entry(session: &str) -> NewEntry {
    let path = EditPath::root().key("sessions").index(2).key("status");
    NewEntry {
        at: DateTime::<Utc>::UNIX_EPOCH,
        boot: Some("b1".into()),
        manifest: "/m/agent-sessions.yaml".into(),
        class: Class::Dead,
        session: SessionKey { name: session.into(), mux: MuxKind::Tmux, server: "default".into(), host: "dev1".into() },
        agent: AgentKind::Claude,
        message: format!("{session}: tmux gone"),
        evidence: vec![Evidence::new("tmux", "no such session")],
        edits: vec![
            Edit::new(path.clone(), Some(json!("running")), Some(json!("terminated"))),
            Edit::new(path.key("x"), None, Some(json!(null))),
        ],
        undoes: None,
    }
}

fn record(journal: &Journal, sessions: &[&str], before: &str, after: &str) {
    let intent = journal.begin(sessions.iter().map(|name| entry(name)).collect(), hash(before), hash(after)).unwrap();
    journal.commit(intent).unwrap();
}

/// What whoever updates next does about entries left open, where the manifest holds this.
fn decide(journal: &Journal, holds: &str) {
    assert!(journal.begin(Vec::new(), hash(holds), hash(holds)).unwrap().ids().is_empty());
}

fn shown(entries: &[JournalEntry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.id, entry.session.name)).collect()
}

fn file(directory: &ManifestDir) -> std::path::PathBuf {
    directory.path().join("journal.jsonl")
}

#[test]
fn what_was_recorded_is_shown_newest_first_and_found_by_number() {
    let (_temp, directory, journal) = place();
    assert!(journal.entries().unwrap().is_empty());
    assert!(!directory.path().exists(), "a reader creates nothing");
    record(&journal, &["a", "b"], "0", "1");
    record(&journal, &["a"], "1", "2");
    assert_eq!(shown(&journal.entries().unwrap()), ["000003 a", "000002 b", "000001 a"]);
    let found = journal.entries().unwrap().remove(1);
    assert_eq!((found.before, found.after), (hash("0"), hash("1")));
    assert_eq!(found.evidence, [Evidence::new("tmux", "no such session")]);
    let inverse: Vec<Edit> = entry("b").edits.iter().rev().map(Edit::inverse).collect();
    assert_eq!(found.inverse(), inverse);
    for name in ["journal.jsonl", "journal.lock"] {
        assert_eq!(fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_entry_counts_only_when_its_change_happened() {
    let (_temp, _directory, journal) = place();
    let intent = journal.begin(vec![entry("a")], hash("0"), hash("1")).unwrap();
    assert!(journal.entries().unwrap().is_empty());
    journal.abort(intent).unwrap();
    assert!(journal.entries().unwrap().is_empty());
    record(&journal, &["b"], "0", "1");
    assert_eq!(shown(&journal.entries().unwrap()), ["000002 b"], "a number is never given twice");
}

#[test]
fn a_death_between_entry_and_commit_is_decided_by_what_the_manifest_holds() {
    for (holds, committed) in [("1", true), ("0", false), ("somebody's", false)] {
        let (_temp, _directory, journal) = place();
        drop(journal.begin(vec![entry("a"), entry("b")], hash("0"), hash("1")).unwrap());
        for current in [holds, "1"] {
            decide(&journal, current);
            assert_eq!(journal.entries().unwrap().len(), if committed { 2 } else { 0 }, "decided once");
        }
    }
}

#[test]
fn the_next_update_decides_what_a_death_left_open() {
    let (_temp, _directory, journal) = place();
    drop(journal.begin(vec![entry("happened")], hash("0"), hash("1")).unwrap());
    drop(journal.begin(vec![entry("did not")], hash("1"), hash("2")).unwrap());
    record(&journal, &["last"], "1", "3");
    assert_eq!(shown(&journal.entries().unwrap()), ["000003 last", "000001 happened"]);
}

#[test]
fn a_line_cut_short_at_any_byte_hides_nothing_that_counted() {
    let (_temp, directory, journal) = place();
    record(&journal, &["a"], "0", "1");
    let whole = fs::read(file(&directory)).unwrap();
    drop(journal.begin(vec![entry("b")], hash("1"), hash("2")).unwrap());
    let longer = fs::read(file(&directory)).unwrap();
    for length in whole.len()..longer.len() {
        fs::write(file(&directory), &longer[..length]).unwrap();
        assert_eq!(shown(&journal.entries().unwrap()), ["000001 a"]);
        record(&journal, &["c"], "1", "3");
        let entries = journal.entries().unwrap();
        assert_eq!(entries.len(), 2, "cut at {length}");
        assert_eq!((entries[0].session.name.as_str(), entries[1].session.name.as_str()), ("c", "a"));
        assert!(entries[0].id > entries[1].id);
    }
}

#[test]
fn a_commit_cut_short_is_made_up_for_by_the_next_holder_of_the_lock() {
    let (_temp, directory, journal) = place();
    drop(journal.begin(vec![entry("a")], hash("0"), hash("1")).unwrap());
    OpenOptions::new().append(true).open(file(&directory)).unwrap().write_all(br#"{"committed":["0000"#).unwrap();
    assert!(journal.entries().unwrap().is_empty());
    decide(&journal, "1");
    assert_eq!(shown(&journal.entries().unwrap()), ["000001 a"]);
}

#[test]
fn a_lock_that_another_keeps_is_waited_for_and_not_for_ever() {
    let (_temp, directory, journal) = place();
    record(&journal, &["a"], "0", "1");
    let open = || OpenOptions::new().append(true).open(directory.path().join("journal.lock")).unwrap();
    let stopped = open();
    fs4::FileExt::lock(&stopped).unwrap();
    let hasty = journal.clone().waiting(Duration::from_millis(50));
    match hasty.begin(vec![entry("b")], hash("1"), hash("2")) {
        Err(error @ JournalError::Locked { .. }) => assert!(error.is_busy()),
        other => panic!("{other:?}"),
    }
    assert_eq!(shown(&journal.entries().unwrap()), ["000001 a"], "readers need no lock");
    let patient = journal.waiting(Duration::from_secs(60));
    let waiting = std::thread::spawn(move || record(&patient, &["c"], "1", "3"));
    drop(stopped);
    waiting.join().unwrap();
    assert_eq!(shown(&hasty.entries().unwrap()), ["000002 c", "000001 a"]);
}

#[test]
fn old_files_are_kept_up_to_a_number_and_numbers_go_on() {
    let (_temp, directory, journal) = place();
    let long = |number: usize| NewEntry { message: "x".repeat(3 << 20), ..entry(&format!("s{number}")) };
    for round in 0..13_usize {
        let (before, after) = (hash(&round.to_string()), hash(&(round + 1).to_string()));
        let intent = journal.begin(vec![long(round)], before, after).unwrap();
        journal.commit(intent).unwrap();
    }
    let files: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files.iter().filter(|name| name.ends_with(".jsonl")).count(), 6, "{files:?}");
    for name in files.iter().filter(|name| name.ends_with(".jsonl")) {
        assert!(fs::metadata(directory.path().join(name)).unwrap().len() < 7 << 20);
    }
    let entries = journal.entries().unwrap();
    assert_eq!(shown(&entries[..1]), ["000013 s12"]);
    assert!(entries.len() < 13 && entries.windows(2).all(|pair| pair[0].id > pair[1].id));
    // A death just after a rotation: the new file is not there yet.
    fs::rename(file(&directory), directory.path().join("journal.1.jsonl")).unwrap();
    record(&journal, &["next"], "13", "14");
    assert_eq!(shown(&journal.entries().unwrap()[..1]), ["000014 next"]);
}

#[test]
fn an_update_with_more_entries_than_one_look_back_reads_is_decided_whole() {
    let (_temp, directory, journal) = place();
    record(&journal, &["first"], "0", "1");
    let many: Vec<NewEntry> = (0..1000).map(|number| entry(&format!("s{number}"))).collect();
    drop(journal.begin(many, hash("1"), hash("2")).unwrap());
    assert!(fs::metadata(file(&directory)).unwrap().len() > 4 * 64 * 1024);
    decide(&journal, "2");
    assert_eq!(journal.entries().unwrap().len(), 1001);
}

#[test]
fn an_undo_names_what_it_takes_back() {
    let (_temp, _directory, journal) = place();
    record(&journal, &["a"], "0", "1");
    let undone = journal.entries().unwrap().remove(0);
    let undo = NewEntry { edits: undone.inverse(), undoes: Some(undone.id), ..entry("a") };
    let intent = journal.begin(vec![undo], hash("1"), hash("0")).unwrap();
    journal.commit(intent).unwrap();
    let newest = journal.entries().unwrap().remove(0);
    assert_eq!(newest.undoes, Some(undone.id));
    assert_eq!(newest.inverse(), entry("a").edits, "taking back what was taken back");
}

#[test]
fn the_name_of_a_new_journal_is_made_safe_with_its_first_entry() {
    use rustix::fs::inotify;
    let (_temp, directory, journal) = place();
    directory.create().unwrap();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, directory.path(), inotify::WatchFlags::OPEN).unwrap();
    // That the directory was opened itself, which is to sync it.
    let synced = || {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        let mut count = 0;
        while let Ok(event) = reader.next() {
            count += usize::from(event.events().contains(inotify::ReadFlags::ISDIR) && event.file_name().is_none());
        }
        count
    };
    let first = journal.begin(vec![entry("a")], hash("old"), hash("new")).unwrap();
    assert_eq!(synced(), 1, "before the manifest is replaced");
    journal.commit(first).unwrap();
    let second = journal.begin(vec![entry("b")], hash("new"), hash("newer")).unwrap();
    journal.commit(second).unwrap();
    assert_eq!(synced(), 0, "its name is safe already");
}

/// What the first version of the journal wrote: two changes, one that never happened, an undo, and a line cut short.
const FIRST_VERSION: &str = include_str!("../data/journals/first-version.jsonl");

#[test]
fn a_journal_of_the_first_version_is_read_and_written_on() {
    let (_temp, directory, journal) = place();
    directory.create().unwrap();
    fs::write(file(&directory), FIRST_VERSION).unwrap();
    let entries = journal.entries().unwrap();
    assert_eq!(shown(&entries), ["000004 gone", "000002 new", "000001 gone"]);
    assert!(entries.iter().all(|entry| entry.boot.is_none()), "it did not note the boot");
    assert_eq!((entries[0].undoes, entries[2].undoes), (Some(entries[2].id), None));
    assert_eq!(entries[2].inverse()[0].path.to_string(), "sessions[0].termination_mode");
    assert_eq!(entries[2].evidence, [Evidence::new("tmux", "no server on tmux:default")]);
    record(&journal, &["next"], "0", "1");
    // The line cut short was the fifth entry, of which nobody can say the number.
    assert_eq!(shown(&journal.entries().unwrap()[..2]), ["000005 next", "000004 gone"]);
}

#[test]
fn an_entry_that_is_no_edit_counts_at_once_and_is_kept_whatever_kind_it_is() {
    let (_temp, directory, journal) = place();
    record(&journal, &["a"], "0", "1");
    let kept = |message: &str| NewNote {
        kind: Note::KEPT,
        at: DateTime::<Utc>::UNIX_EPOCH,
        boot: Some("b1".into()),
        session: None,
        message: message.into(),
        undoes: None,
        former: None,
    };
    journal.note(vec![kept("one"), kept("two")]).unwrap();
    // What a newer headcount may write: other kinds, fields nobody here knows, and a change that is told by its hash.
    let (happened, did_not) = (hash("2"), hash("3"));
    let later = format!(
        concat!(
            r#"{{"id":"000004","kind":"operation","at":"1960-01-01T00:00:00Z","boot":"b2","session":{{"name":"x","mux":"tmux","#,
            r#""server":"default","host":"dev1"}},"message":"x: started.","action":{{"start":{{"argv":[1]}}}}}}"#,
            "
",
            r#"{{"id":"000005","kind":"operation","at":"2026-11-21T08:00:05Z","session":{{"task":"t"}}}}"#,
            "
",
            r#"{{"ended":["000004"],"receipt":{{"outcome":"done"}}}}"#,
            "
",
            r#"{{"id":"000006","kind":"moved-list","at":"2026-11-21T08:00:05Z","after":"{}"}}"#,
            "
",
            r#"{{"id":"000007","kind":"moved-list","at":"2026-11-21T08:00:05Z","after":"{}"}}"#,
            "
",
            r#"{{"id":"000008","kind":"opera"#
        ),
        happened, did_not
    );
    OpenOptions::new().append(true).open(file(&directory)).unwrap().write_all(later.as_bytes()).unwrap();
    decide(&journal, "2");
    record(&journal, &["b"], "2", "4");
    let all: Vec<String> = journal
        .records()
        .unwrap()
        .iter()
        .map(|record| match record {
            EntryRecord::Edit(entry) => format!("{} {}", entry.id, entry.session.name),
            EntryRecord::Note(note) => {
                let session = note.session.as_ref().map_or("-", |session| session.name.as_str());
                format!("{} {} {session} {}", note.id, note.kind, note.message)
            }
        })
        .collect();
    assert_eq!(
        all,
        [
            "000008 b",
            "000006 moved-list - ",
            "000005 operation - ",
            "000004 operation x x: started.",
            "000003 kept - two",
            "000002 kept - one",
            "000001 a"
        ],
        "by number, whatever the clock said"
    );
    assert_eq!(shown(&journal.entries().unwrap()), ["000008 b", "000001 a"]);
    let text = fs::read_to_string(file(&directory)).unwrap();
    assert!(text.contains(r#""action":{"start":{"argv":[1]}}"#), "nothing of it is lost");
}
