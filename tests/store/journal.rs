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
use headcount::store::journal::{Entry, Journal, JournalError, NewEntry};
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

fn shown(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.id, entry.session.name)).collect()
}

fn file(directory: &ManifestDir) -> std::path::PathBuf {
    directory.path().join("journal.jsonl")
}

#[test]
fn what_was_recorded_is_shown_newest_first_and_found_by_number() {
    let (_temp, directory, journal) = place();
    assert!(journal.entries(None, None).unwrap().is_empty());
    assert_eq!(journal.resolve(hash("0")).unwrap(), headcount::store::journal::Resolved::default());
    assert!(!directory.path().exists(), "a reader creates nothing");
    record(&journal, &["a", "b"], "0", "1");
    record(&journal, &["a"], "1", "2");
    assert_eq!(shown(&journal.entries(None, None).unwrap()), ["000003 a", "000002 b", "000001 a"]);
    assert_eq!(shown(&journal.entries(Some("a"), None).unwrap()), ["000003 a", "000001 a"]);
    assert_eq!(shown(&journal.entries(Some("a"), Some(1)).unwrap()), ["000003 a"]);
    let found = journal.find("2".parse().unwrap()).unwrap().unwrap();
    assert_eq!((found.before, found.after), (hash("0"), hash("1")));
    assert_eq!(found.evidence, [Evidence::new("tmux", "no such session")]);
    let inverse: Vec<Edit> = entry("b").edits.iter().rev().map(Edit::inverse).collect();
    assert_eq!(found.inverse(), inverse);
    assert!(journal.find("9".parse().unwrap()).unwrap().is_none());
    for name in ["journal.jsonl", "journal.lock"] {
        assert_eq!(fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_entry_counts_only_when_its_change_happened() {
    let (_temp, _directory, journal) = place();
    let intent = journal.begin(vec![entry("a")], hash("0"), hash("1")).unwrap();
    assert!(journal.entries(None, None).unwrap().is_empty());
    journal.abort(intent).unwrap();
    assert!(journal.entries(None, None).unwrap().is_empty());
    record(&journal, &["b"], "0", "1");
    assert_eq!(shown(&journal.entries(None, None).unwrap()), ["000002 b"], "a number is never given twice");
}

#[test]
fn a_death_between_entry_and_commit_is_decided_by_what_the_manifest_holds() {
    for (holds, committed) in [("1", true), ("0", false), ("somebody's", false)] {
        let (_temp, _directory, journal) = place();
        let intent = journal.begin(vec![entry("a"), entry("b")], hash("0"), hash("1")).unwrap();
        let ids = intent.ids().to_vec();
        drop(intent);
        let resolved = journal.resolve(hash(holds)).unwrap();
        assert_eq!(if committed { &resolved.committed } else { &resolved.aborted }, &ids);
        assert_eq!(journal.entries(None, None).unwrap().len(), if committed { 2 } else { 0 });
        assert_eq!(journal.resolve(hash("1")).unwrap(), Default::default(), "decided once");
        assert_eq!(journal.entries(None, None).unwrap().len(), if committed { 2 } else { 0 });
    }
}

#[test]
fn the_next_update_decides_what_a_death_left_open() {
    let (_temp, _directory, journal) = place();
    drop(journal.begin(vec![entry("happened")], hash("0"), hash("1")).unwrap());
    drop(journal.begin(vec![entry("did not")], hash("1"), hash("2")).unwrap());
    record(&journal, &["last"], "1", "3");
    assert_eq!(shown(&journal.entries(None, None).unwrap()), ["000003 last", "000001 happened"]);
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
        assert_eq!(shown(&journal.entries(None, None).unwrap()), ["000001 a"]);
        record(&journal, &["c"], "1", "3");
        let entries = journal.entries(None, None).unwrap();
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
    assert!(journal.entries(None, None).unwrap().is_empty());
    journal.resolve(hash("1")).unwrap();
    assert_eq!(shown(&journal.entries(None, None).unwrap()), ["000001 a"]);
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
    assert_eq!(shown(&journal.entries(None, None).unwrap()), ["000001 a"], "readers need no lock");
    let patient = journal.waiting(Duration::from_secs(60));
    let waiting = std::thread::spawn(move || record(&patient, &["c"], "1", "3"));
    drop(stopped);
    waiting.join().unwrap();
    assert_eq!(shown(&hasty.entries(None, None).unwrap()), ["000002 c", "000001 a"]);
}

#[test]
fn old_files_are_kept_up_to_a_number_and_numbers_go_on() {
    let (_temp, directory, journal) = place();
    let journal = journal.with_rotation(2000, 2);
    for round in 0..40 {
        record(&journal, &[&format!("s{round}")], &round.to_string(), &(round + 1).to_string());
    }
    let files: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files.iter().filter(|name| name.ends_with(".jsonl")).count(), 3, "{files:?}");
    for name in files.iter().filter(|name| name.ends_with(".jsonl")) {
        assert!(fs::metadata(directory.path().join(name)).unwrap().len() < 3500);
    }
    let entries = journal.entries(None, None).unwrap();
    assert_eq!(shown(&entries[..1]), ["000040 s39"]);
    assert!(entries.len() < 40 && entries.windows(2).all(|pair| pair[0].id > pair[1].id));
    // A death just after a rotation: the new file is not there yet.
    fs::rename(file(&directory), directory.path().join("journal.1.jsonl")).unwrap();
    record(&journal, &["next"], "40", "41");
    assert_eq!(shown(&journal.entries(None, Some(1)).unwrap()), ["000041 next"]);
}

#[test]
fn an_update_with_more_entries_than_one_look_back_reads_is_decided_whole() {
    let (_temp, directory, journal) = place();
    record(&journal, &["first"], "0", "1");
    let many: Vec<NewEntry> = (0..1000).map(|number| entry(&format!("s{number}"))).collect();
    drop(journal.begin(many, hash("1"), hash("2")).unwrap());
    assert!(fs::metadata(file(&directory)).unwrap().len() > 4 * 64 * 1024);
    assert_eq!(journal.resolve(hash("2")).unwrap().committed.len(), 1000);
    assert_eq!(journal.entries(None, None).unwrap().len(), 1001);
}

#[test]
fn an_undo_names_what_it_takes_back() {
    let (_temp, _directory, journal) = place();
    record(&journal, &["a"], "0", "1");
    let undone = journal.entries(None, None).unwrap().remove(0);
    let undo = NewEntry { edits: undone.inverse(), undoes: Some(undone.id), ..entry("a") };
    let intent = journal.begin(vec![undo], hash("1"), hash("0")).unwrap();
    journal.commit(intent).unwrap();
    let newest = journal.entries(None, Some(1)).unwrap().remove(0);
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
