//! Who is given time.

use super::world::*;
use crate::core::ids::{MuxKind, SessionKey};
use crate::core::observe::identity::Rung;

const PANE: &str = ", pane: { id: \"%7\", pid: 7 }";

#[test]
fn a_young_session_is_neither_registered_nor_missed_its_agent() {
    for (age, expected) in [(4, "settling"), (5, "record"), (6, "record"), (-60, "record")] {
        let mut young = claude("x-creator-claude", 7);
        young.created = Some(ago(age));
        let scene = scene(manifest("version: 1\nsessions: []\n"), vec![young]);
        assert_eq!(scene.words(), [format!("unregistered:{expected}")], "{age}");
    }
    for (age, expected) in [(4, "settling"), (6, "flag")] {
        let mut young = session("s", vec![pane(7, Vec::new())]);
        young.created = Some(ago(age));
        assert_eq!(scene(one(", status: running"), vec![young]).words(), [format!("agent-gone:{expected}")], "{age}");
    }
}

#[test]
fn a_fresh_end_is_not_reverted_by_a_stale_probe() {
    for (at, expected) in [("11:59:57", "settling"), ("11:59:54", "record"), ("12:00:30", "record"), ("10:00:00", "record")] {
        for mode in ["auto-detected", "manual"] {
            let fields = format!(", status: terminated, terminated_at: \"2026-11-21T{at}Z\", termination_mode: {mode}{PANE}");
            assert_eq!(scene(one(&fields), vec![claude("s", 7)]).words(), [format!("revived:{expected}")], "{at} {mode}");
        }
    }
}

#[test]
fn what_a_person_has_just_changed_is_not_contradicted_but_may_be_completed() {
    let touched = ", updated_at: \"2026-11-21T11:59:57Z\"";
    assert_eq!(scene(one(&format!(", status: running{touched}")), Vec::new()).words(), ["dead:settling"]);
    let live = || vec![session("s", vec![pane(7, vec![agent(7).proves(Rung::Registry, "new")])])];
    let filled = scene(one(touched), live());
    assert_eq!(filled.words(), ["revived:record", "new-id:record", "moved:record"]);
    let contradicted = scene(one(&format!(", status: running, session_id: old{PANE}{touched}")), live());
    assert_eq!(contradicted.words(), ["new-id:settling"]);
}

#[test]
fn a_stamp_in_the_future_hides_no_fresh_one() {
    let future = ", status: running, delivery_due_at: \"2027-01-01T00:00:00Z\"";
    assert_eq!(scene(one(future), Vec::new()).words(), ["dead:record"]);
    let both = format!("{future}, updated_at: \"2026-11-21T11:59:57Z\"");
    assert_eq!(scene(one(&both), Vec::new()).words(), ["dead:settling"]);
}

#[test]
fn an_entry_that_was_just_deleted_is_not_added_again_at_once() {
    let removed = |seconds| {
        let mut scene = scene(manifest("version: 1\nsessions: []\n"), vec![claude("x-creator-claude", 7)]);
        let key = scene.drifts()[0].session.clone();
        scene.touched.insert(key, ago(seconds));
        scene.words()
    };
    assert_eq!(removed(3), ["unregistered:settling"]);
    assert_eq!(removed(6), ["unregistered:record"]);
}

#[test]
fn dead_new_id_and_moved_are_recorded_at_once() {
    assert_eq!(scene(one(", status: running"), Vec::new()).words(), ["dead:record"]);
    let mut young = session("s", vec![pane(7, vec![agent(7).proves(Rung::Registry, "new")])]);
    young.created = Some(ago(0));
    assert_eq!(scene(one(", status: running, session_id: old"), vec![young]).words(), ["new-id:record", "moved:record"]);
}

#[test]
fn our_own_record_of_an_end_opens_no_window() {
    let ours = ", status: running, terminated_at: \"2026-11-21T11:59:58Z\", termination_mode: auto-detected";
    assert_eq!(scene(one(ours), Vec::new()).words(), ["dead:record"]);
    let theirs = ", status: running, terminated_at: \"2026-11-21T11:59:58Z\"";
    assert_eq!(scene(one(theirs), Vec::new()).words(), ["dead:settling"]);
}

#[test]
fn sessions_of_a_manifest_that_has_just_shrunk_are_not_taken_for_unregistered() {
    let found = || vec![claude("x-creator-claude", 7)];
    let empty = || scene(manifest("version: 1\nsessions: []\n"), found());
    let populated = |scene: Scene| {
        let mut scene = scene;
        let key = SessionKey { name: "earlier".into(), mux: MuxKind::Tmux, server: "default".into(), host: "dev1".into() };
        scene.memory.sessions.insert(key, Default::default());
        scene
    };
    let mut fresh = populated(empty());
    fresh.modified = Some(ago(2));
    assert_eq!(fresh.words(), ["unregistered:settling"]);
    fresh.memory = fresh.remembered();
    assert_eq!(fresh.words(), ["unregistered:settling"], "the next pass knows no more");
    fresh.observation.at += chrono::TimeDelta::seconds(5);
    assert_eq!(fresh.words(), ["unregistered:record"]);
    assert_eq!(populated(empty()).words(), ["unregistered:record"], "saved five minutes ago");
    let mut known_empty = empty();
    known_empty.modified = Some(ago(2));
    assert_eq!(known_empty.words(), ["unregistered:record"], "it never had more");
}
