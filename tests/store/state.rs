//! What is remembered between passes: whole, private, and never a reason to stop.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use chrono::DateTime;
use headcount::core::ids::{ConversationId, MuxKind, SessionKey};
use headcount::core::memory::Memory;
use headcount::store::manifest::UpdateOptions;
use headcount::store::paths::StateHome;
use headcount::store::state::{StateFile, StateWarning};

use crate::support::Place;

fn memory() -> Memory {
    let key = SessionKey { name: "lab".into(), mux: MuxKind::Tmux, server: "default".into(), host: "dev1".into() };
    let mut memory = Memory::default();
    let session = memory.sessions.entry(&key);
    session.boot_id = Some("b".into());
    session.last_alive = DateTime::from_timestamp(1_700_000_000, 0);
    session.note_recorded_id(Some(&ConversationId("id".into())), DateTime::UNIX_EPOCH, None);
    memory.first_seen.insert("f".into(), DateTime::UNIX_EPOCH);
    memory.reported.entry("watch".into()).or_default().insert("f".into());
    memory
}

fn state(place: &Place) -> StateFile {
    StateFile::new(&StateHome::at(place.dir.path().join("state/headcount")).of_manifest(&place.path))
}

#[test]
fn what_is_saved_is_loaded_and_loading_creates_nothing() {
    let place = Place::new("text\n");
    let state = state(&place);
    let loaded = state.load();
    assert!(loaded.warning.is_none() && loaded.memory == Memory::default());
    assert!(!place.dir.path().join("state").exists());
    let locked = place.manifest().lock(&UpdateOptions::default()).unwrap();
    state.save(&memory(), &locked).unwrap();
    let loaded = state.load();
    assert!(loaded.warning.is_none());
    assert_eq!(loaded.memory, memory());
    assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(state.path().parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let names = crate::support::names(state.path().parent().unwrap());
    assert_eq!(names.len(), 1, "litter: {names:?}");
}

/// The memory after `n` more passes, each of which saw and told something.
fn later(n: usize) -> Memory {
    let mut memory = memory();
    for n in 0..n {
        let key = SessionKey { name: format!("s{}", n % 7), ..memory.sessions.keys().next().unwrap().clone() };
        memory.sessions.entry(&key).last_alive = DateTime::from_timestamp(1_700_000_000 + i64::try_from(n).unwrap(), 0);
        memory.first_seen.insert(format!("f{n}"), DateTime::UNIX_EPOCH);
        memory.first_seen.remove(&format!("f{}", n.wrapping_sub(3)));
        memory.about.insert(format!("f{n}"), key);
        let told = memory.reported.get_mut("watch").unwrap();
        told.insert(format!("f{n}"));
        told.remove(&format!("f{}", n.wrapping_sub(3)));
    }
    memory
}

#[test]
fn what_changed_is_appended_and_nothing_where_nothing_did() {
    let place = Place::new("text\n");
    let state = state(&place);
    let locked = place.manifest().lock(&UpdateOptions::default()).unwrap();
    state.save(&memory(), &locked).unwrap();
    let (first, whole) = (fs::metadata(state.path()).unwrap().ino(), fs::read(state.path()).unwrap());
    state.save(&memory(), &locked).unwrap();
    assert_eq!(fs::read(state.path()).unwrap(), whole);
    state.save(&later(1), &locked).unwrap();
    let appended = fs::read(state.path()).unwrap();
    assert!(appended.starts_with(&whole) && appended.len() > whole.len() && appended.ends_with(b"\n"));
    assert_eq!(fs::metadata(state.path()).unwrap().ino(), first);
    assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o777, 0o600);
    // Whoever else reads it sees the same, with and without what this reader knows.
    for reader in [&state, &crate::state::state(&place)] {
        assert_eq!(reader.load().memory, later(1));
    }
    // A consumer that is forgotten cannot be said by a change.
    state.save(&Memory::default(), &locked).unwrap();
    assert_ne!(fs::metadata(state.path()).unwrap().ino(), first);
    assert_eq!(state.load().memory, Memory::default());
}

#[test]
fn a_file_that_is_mostly_changes_is_written_anew() {
    let place = Place::new("text\n");
    let state = state(&place);
    let locked = place.manifest().lock(&UpdateOptions::default()).unwrap();
    let (mut longest, mut written) = (0, 0);
    for n in 0..2000 {
        let before = fs::metadata(state.path()).map_or(0, |file| file.ino());
        state.save(&later(n % 50), &locked).unwrap();
        let file = fs::metadata(state.path()).unwrap();
        longest = longest.max(file.len());
        written += usize::from(file.ino() != before);
    }
    assert!(longest < 100_000, "{longest} bytes");
    assert!((2..100).contains(&written), "written {written} times");
    assert_eq!(crate::state::state(&place).load().memory, later(1999 % 50));
}

#[test]
fn a_crash_at_any_byte_leaves_what_was_noted_before_and_the_next_writer_goes_on() {
    let place = Place::new("text\n");
    let state = state(&place);
    let locked = place.manifest().lock(&UpdateOptions::default()).unwrap();
    let mut ends = Vec::new();
    for n in 0..4 {
        state.save(&later(n), &locked).unwrap();
        ends.push(usize::try_from(fs::metadata(state.path()).unwrap().len()).unwrap());
    }
    let bytes = fs::read(state.path()).unwrap();
    assert_eq!(bytes.len(), ends[3]);
    for cut in ends[0]..=bytes.len() {
        // Blocks that were never written read as noughts.
        for lost in [&[][..], &[0; 16]] {
            fs::write(state.path(), [&bytes[..cut], lost].concat()).unwrap();
            let loaded = crate::state::state(&place).load();
            let last = ends.iter().rposition(|end| *end <= cut).unwrap();
            assert!(loaded.warning.is_none() && loaded.memory == later(last), "cut at {cut}");
        }
        state.save(&later(5), &locked).unwrap();
        let again = crate::state::state(&place).load();
        assert!(again.warning.is_none() && again.memory == later(5), "cut at {cut}");
    }
}

#[test]
fn a_file_of_an_earlier_version_is_read_and_goes_on() {
    let old = include_bytes!("../data/state/one-line.json");
    for text in [old.to_vec(), serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(old).unwrap()).unwrap()] {
        let place = Place::new("text\n");
        let state = state(&place);
        let locked = place.manifest().lock(&UpdateOptions::default()).unwrap();
        state.save(&memory(), &locked).unwrap();
        fs::write(state.path(), text).unwrap();
        let mut memory = crate::state::state(&place).load().memory;
        assert_eq!(memory.sessions.len(), 2);
        let (key, known) = memory.sessions.iter().next().map(|(key, known)| (key.clone(), known.clone())).unwrap();
        assert_eq!((key.name.as_str(), key.server.as_str(), key.host.as_str()), ("lab \"x\"/é", "/tmp/a b", "dev1"));
        assert!(known.transcript_seen && known.known_in.is_some() && memory.reported["watch"].len() == 1);
        memory.sessions.entry(&key).transcript_seen = false;
        state.save(&memory, &locked).unwrap();
        assert_eq!(crate::state::state(&place).load().memory, memory);
    }
}

#[test]
fn a_damaged_or_newer_file_counts_as_empty_is_warned_about_and_kept() {
    type Check = fn(&StateWarning) -> bool;
    let cases: [(&str, Check); 6] = [
        ("{\"version\":1,\"sessions\":{}}\nnonsense\n", |w| matches!(w, StateWarning::Damaged { .. })),
        ("{\"version\":1,\"sessions\":{}}\n\0\0\n{}\n", |w| matches!(w, StateWarning::Damaged { .. })),
        ("", |w| matches!(w, StateWarning::Damaged { .. })),
        (r#"{"version":1,"sessions":[]}"#, |w| matches!(w, StateWarning::Damaged { .. })),
        (r#"{"sessions":{}}"#, |w| matches!(w, StateWarning::Damaged { .. })),
        (r#"{"version":2,"anything":true}"#, |w| matches!(w, StateWarning::Newer { version: 2, .. })),
    ];
    for (text, expected) in cases {
        let place = Place::new("text\n");
        let state = state(&place);
        let locked = place.manifest().lock(&UpdateOptions::default()).unwrap();
        state.save(&memory(), &locked).unwrap();
        fs::write(state.path(), text).unwrap();
        let loaded = state.load();
        assert_eq!(loaded.memory, Memory::default());
        assert!(loaded.warning.as_ref().is_some_and(expected), "{text:?}: {:?}", loaded.warning);
        state.save(&memory(), &locked).unwrap();
        assert!(state.load().warning.is_none());
        assert_eq!(fs::read_to_string(state.path().with_file_name("state.json.unread")).unwrap(), text);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_warning() {
    let place = Place::new("text\n");
    let state = state(&place);
    fs::create_dir_all(state.path()).unwrap();
    assert!(matches!(state.load().warning, Some(StateWarning::Unreadable { .. })));
}
