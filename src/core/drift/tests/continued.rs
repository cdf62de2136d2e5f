//! Conversations that went on elsewhere, and new ones in which nothing was said yet.

use super::world::*;
use crate::core::drift::{Continued, classify};
use crate::core::fact::Fact;
use crate::core::manifest::Manifest;
use crate::core::observe::identity::Rung;
use crate::core::observe::{MuxSession, Transcript};

fn entries(all: &[(&str, &str, &str)]) -> Manifest {
    let line = |(name, status, id): &(&str, &str, &str)| {
        format!("  - {{ name: {name}, agent: claude, cwd: /w, status: {status}, session_id: {id} }}\n")
    };
    manifest(&format!("version: 1\nsessions:\n{}", all.iter().map(line).collect::<String>()))
}

fn alive(name: &str, rung: Rung, id: &str) -> MuxSession {
    session(name, vec![pane(7, vec![agent(7).proves(rung, id)])])
}

fn ids(scene: &Scene) -> Vec<String> {
    scene.edits().into_iter().filter(|edit| edit.contains("session_id")).collect()
}

fn new_ids(scene: &Scene) -> Vec<String> {
    scene.words().into_iter().filter(|word| word.starts_with("new-id")).collect()
}

#[test]
fn an_entry_without_a_proven_agent_gets_the_id_its_conversation_went_on_in() {
    let bare = || session("s", vec![pane(7, Vec::new())]);
    let unproven = || session("s", vec![pane(7, vec![agent(7)])]);
    for (status, there, expected) in [
        ("running", vec![], true),
        ("terminated", vec![], true),
        ("stopped", vec![], true),
        ("running", vec![bare()], true),
        ("running", vec![unproven()], true),
        // It was resumed, and its process says so.
        ("running", vec![alive("s", Rung::Registry, "old")], false),
    ] {
        let scene = scene(entries(&[("s", status, "old")]), there.clone()).continued("old", Fact::Seen(id("heir")));
        let recorded: &[&str] = if expected { &["sessions[0].session_id=\"heir\""] } else { &[] };
        assert_eq!(ids(&scene), recorded, "{status}, {there:?}");
        let verdict = classify(&scene.world());
        let continued = expected.then(|| Continued { id: id("heir"), owner: None });
        assert_eq!(verdict.entries[0].continued, continued, "{status}");
    }
}

#[test]
fn what_another_live_session_has_is_not_taken_and_what_cannot_be_told_is_unknown() {
    let manifest = entries(&[("s", "terminated", "old"), ("t", "running", "other")]);
    let owned = scene(manifest.clone(), vec![alive("t", Rung::Registry, "heir")]).continued("old", Fact::Seen(id("heir")));
    assert!(ids(&owned).iter().all(|edit| edit.starts_with("sessions[1]")), "{:?}", ids(&owned));
    let verdict = classify(&owned.world());
    assert_eq!(verdict.entries[0].continued, Some(Continued { id: id("heir"), owner: Some("t".to_owned()) }));

    let ended = entries(&[("s", "terminated", "old"), ("t", "terminated", "heir")]);
    let history = scene(ended, Vec::new()).continued("old", Fact::Seen(id("heir")));
    assert_eq!(ids(&history), ["sessions[0].session_id=\"heir\""], "an ended entry keeps its copy as history");

    let unspoken = entries(&[("s", "terminated", "old")]);
    let unspoken = scene(unspoken, Vec::new()).continued("old", Fact::Seen(id("heir"))).transcript("heir", Fact::Absent);
    assert_eq!((new_ids(&unspoken), ids(&unspoken)), (vec!["new-id:flag".to_owned()], Vec::new()), "nothing was said in it");

    let circle = scene(manifest, Vec::new()).continued("old", Fact::Unknown("a circle".to_owned()));
    assert!(ids(&circle).is_empty());
    assert_eq!(classify(&circle.world()).entries[0].unknown.as_deref(), Some("a circle"));
}

#[test]
fn a_conversation_with_a_transcript_is_kept_until_something_is_said_in_the_new_one() {
    let there = || Fact::Seen(Transcript { path: "/t".into(), modified: ago(60), is_archived: false });
    for (old, new, expected) in [
        (there(), Fact::Absent, "new-id:flag"),
        (there(), there(), "new-id:record"),
        (Fact::Absent, Fact::Absent, "new-id:record"),
        (there(), Fact::Unknown("permission denied".to_owned()), "new-id:record"),
    ] {
        let scene = scene(entries(&[("s", "running", "old")]), vec![alive("s", Rung::Registry, "new")])
            .transcript("old", old.clone())
            .transcript("new", new.clone());
        assert_eq!(new_ids(&scene), [expected], "{old:?}, {new:?}");
        assert_eq!(ids(&scene).is_empty(), expected.ends_with("flag"), "{old:?}, {new:?}");
    }
    // Another agent proves to be in the recorded one: that one has it, and this entry lets it go.
    let taken = scene(
        entries(&[("s", "running", "old"), ("t", "running", "null")]),
        vec![alive("s", Rung::Registry, "new"), session("t", vec![pane(8, vec![agent(8).proves(Rung::Registry, "old")])])],
    );
    let taken = taken.transcript("new", Fact::Absent);
    assert_eq!(ids(&taken), ["sessions[0].session_id=\"new\"", "sessions[1].session_id=\"old\""]);
}
