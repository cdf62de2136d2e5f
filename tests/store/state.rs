//! What is remembered between passes: whole, private, and never a reason to stop.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use chrono::DateTime;
use headcount::core::ids::{ConversationId, MuxKind, SessionKey};
use headcount::core::memory::Memory;
use headcount::store::manifest::Options;
use headcount::store::paths::StateHome;
use headcount::store::state::{StateFile, StateWarning};

use crate::support::Place;

fn memory() -> Memory {
    let key = SessionKey { name: "lab".into(), mux: MuxKind::Tmux, server: "default".into(), host: "dev1".into() };
    let mut memory = Memory::default();
    let session = memory.session_mut(&key);
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
    let locked = place.manifest().lock(&Options::default()).unwrap();
    state.save(&memory(), &locked).unwrap();
    let loaded = state.load();
    assert!(loaded.warning.is_none());
    assert_eq!(loaded.memory, memory());
    assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(state.path().parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let names = crate::support::names(state.path().parent().unwrap());
    assert_eq!(names.len(), 1, "litter: {names:?}");
}

#[test]
fn the_file_is_replaced_only_if_it_would_change() {
    let place = Place::new("text\n");
    let state = state(&place);
    let locked = place.manifest().lock(&Options::default()).unwrap();
    state.save(&memory(), &locked).unwrap();
    let first = fs::metadata(state.path()).unwrap().ino();
    state.save(&memory(), &locked).unwrap();
    assert_eq!(fs::metadata(state.path()).unwrap().ino(), first);
    state.save(&Memory::default(), &locked).unwrap();
    assert_ne!(fs::metadata(state.path()).unwrap().ino(), first);
    assert_eq!(state.load().memory, Memory::default());
}

#[test]
fn a_damaged_or_newer_file_counts_as_empty_is_warned_about_and_kept() {
    type Check = fn(&StateWarning) -> bool;
    let cases: [(&str, Check); 4] = [
        ("", |w| matches!(w, StateWarning::Damaged { .. })),
        (r#"{"version":1,"sessions":[]}"#, |w| matches!(w, StateWarning::Damaged { .. })),
        (r#"{"sessions":{}}"#, |w| matches!(w, StateWarning::Damaged { .. })),
        (r#"{"version":2,"anything":true}"#, |w| matches!(w, StateWarning::Newer { version: 2, .. })),
    ];
    for (text, expected) in cases {
        let place = Place::new("text\n");
        let state = state(&place);
        let locked = place.manifest().lock(&Options::default()).unwrap();
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
