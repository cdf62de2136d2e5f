//! The journal and the state of a manifest, found in any condition: entries come newest first and once, writing goes on after what
//! is torn and loses nothing that counted, and a damaged state is an empty one that is said.

use std::path::{Path, PathBuf};

use headcount::core::drift::Class;
use headcount::core::edit::Edit;
use headcount::core::ids::{AgentKind, MuxKind, SessionKey};
use headcount::core::memory::Memory;
use headcount::store::TextHash;
use headcount::store::journal::{EntryRecord, Journal, JournalEntry, NewEntry};
use headcount::store::manifest::{ManifestFile, UpdateOptions};
use headcount::store::paths::StateHome;
use headcount::store::state::StateFile;
use serde_json::json;

use super::choice;
use super::desk::when;

thread_local! {
    static HOME: tempfile::TempDir = tempfile::Builder::new().prefix("headcount-fuzz-").tempdir().unwrap();
}

pub fn run(data: &[u8]) {
    let (how, rest) = choice(data);
    HOME.with(|dir| {
        let manifest = dir.path().join("m.yaml");
        if !manifest.exists() {
            std::fs::write(&manifest, "version: 1\n").unwrap();
        }
        let directory = StateHome::at(dir.path().join("state")).of_manifest(&manifest);
        directory.create().unwrap();
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        match how % 3 {
            0 => state(&StateFile::new(&directory), &manifest, rest),
            how => {
                // As it is, or just after it was put aside because it was long.
                let name = if how == 1 { "journal.jsonl" } else { "journal.1.jsonl" };
                std::fs::write(directory.path().join(name), rest).unwrap();
                write(&Journal::new(&directory));
            }
        }
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let hash = TextHash::of(b"a");
    let entry = JournalEntry::read_back(hash);
    let line = serde_json::to_string(&entry).unwrap();
    let memory = json!({ "version": 1, "sessions": { "k": { "boot_id": "b", "transcript_seen": true } }, "reported": { "c": ["f"] },
        "first_seen": { "f": "2026-11-21T10:00:00Z" }, "about": { "f": key() } });
    vec![
        format!("\u{1}{line}\n{{\"committed\":[\"{}\"]}}\n", entry.id).into_bytes(),
        format!("\u{2}{line}\n{{\"aborted\":[\"{}\"]}}\n{line}", entry.id).into_bytes(),
        format!("\u{1}{line}\n{line}\n").into_bytes(),
        format!("\u{1}{line}\n{}\n", line.replace("\"edit\"", "\"later\"")).into_bytes(),
        format!("\0{memory}").into_bytes(),
        b"\0{\"version\":2}".to_vec(),
    ]
}

fn key() -> SessionKey {
    SessionKey { name: "lane".into(), mux: MuxKind::Tmux, server: "default".into(), host: "h".into() }
}

fn new() -> NewEntry {
    let path = headcount::core::edit::Path::root().key("sessions").index(0).key("status");
    NewEntry {
        at: when(),
        boot: Some("b".to_owned()),
        manifest: PathBuf::from("/m.yaml"),
        class: Class::Dead,
        session: key(),
        agent: AgentKind::Claude,
        message: "lane: tmux gone".to_owned(),
        evidence: Vec::new(),
        edits: vec![Edit::new(path, Some(json!("running")), None)],
        undoes: None,
    }
}

/// An entry as the journal writes it.
trait ReadBack {
    fn read_back(hash: TextHash) -> Self;
}

impl ReadBack for JournalEntry {
    fn read_back(hash: TextHash) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(&StateHome::at(dir.path()).of_manifest(Path::new("/m.yaml")));
        let intent = journal.begin(vec![new()], hash, hash).unwrap();
        journal.commit(intent).unwrap();
        journal.entries().unwrap().remove(0)
    }
}

fn write(journal: &Journal) {
    let before = journal.records().unwrap();
    let falls = |entries: &[EntryRecord]| entries.windows(2).all(|pair| pair[0].id() > pair[1].id());
    assert!(falls(&before), "not newest first, or one twice");
    for entry in journal.entries().unwrap().iter().take(5) {
        assert_eq!(entry.inverse().len(), entry.edits.len());
    }
    let now = TextHash::of(b"now");
    let Ok(intent) = journal.begin(vec![new()], now, TextHash::of(b"then")) else { return };
    let id = intent.ids()[0];
    assert!(before.iter().all(|entry| entry.id() < id), "a number was given again");
    journal.commit(intent).unwrap();
    let after = journal.records().unwrap();
    assert_eq!(after[0].id(), id, "what was recorded counts");
    assert!(falls(&after) && before.iter().all(|entry| after.contains(entry)), "an entry was lost");
    // Nothing is open: what the manifest holds now makes none of it count late.
    let intent = journal.begin(Vec::new(), now, now).unwrap();
    assert!(intent.ids().is_empty());
    let counted: Vec<_> = journal.records().unwrap().into_iter().filter(|entry| entry.id().to_string() != "000000").collect();
    // No writer ever gives the number 0: an entry that says it has it is nobody's, and may be decided late.
    assert!(counted.iter().all(|entry| after.contains(entry)), "left open");
}

fn state(file: &StateFile, manifest: &Path, text: &[u8]) {
    std::fs::write(file.path(), text).unwrap();
    let loaded = file.load();
    assert!(loaded.warning.is_none() || loaded.memory == Memory::default(), "damaged, and not empty");
    let locked = ManifestFile::open(manifest).unwrap().lock(&UpdateOptions::default()).unwrap();
    file.save(&loaded.memory, &locked).unwrap();
    let again = file.load();
    assert!(again.warning.is_none(), "{:?}", again.warning);
    assert_eq!(again.memory, loaded.memory, "written again it says something else");
    let unread = file.path().with_file_name("state.json.unread");
    assert_eq!(loaded.warning.is_some(), unread.exists(), "what could not be read is kept, and nothing else");
}
