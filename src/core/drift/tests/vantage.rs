//! What may be out of sight from where one looks, and is then neither dead nor in sync.

use super::world::*;
use crate::core::drift::{Presence, classify, remember};
use crate::core::fact::Fact;
use crate::core::memory::{Memory, SeenFrom, SessionMemory};
use crate::core::observe::{Server, Viewpoint};

const RUNNING: &str = ", status: running, pane: { id: \"%7\", pid: 7 }";

/// Seen alive in this boot, or in another, from a namespace by a directory.
fn seen(boot: &str, pids: &str, directory: &str) -> SessionMemory {
    let seen_from = Some(SeenFrom { pids: pids.to_owned(), directory: Some(directory.to_owned()) });
    SessionMemory { boot_id: Some(boot.to_owned()), seen_from, ..SessionMemory::default() }
}

/// Here: a namespace, and the directory of the default server's socket, if it is there.
fn here(pids: &str, directory: Option<&str>) -> Viewpoint {
    let directories = directory.map(|it| (default_server(), it.to_owned())).into_iter().collect();
    Viewpoint { pids: Some(pids.to_owned()), directories, is_guest: false }
}

/// What is said of an entry without a session: that it is dead, in order, or cannot be told.
fn told(mut scene: Scene, vantage: &Viewpoint) -> &'static str {
    scene.observation.vantage = vantage.clone();
    let verdict = classify(&scene.world());
    match (&verdict.entries[0].presence, verdict.drifts.len()) {
        (Presence::Unknown(_), 0) => "unknown",
        (Presence::Absent { .. }, 0) => "in order",
        (Presence::Absent { .. }, 1) => "dead",
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_is_gone_only_for_who_sees_the_sockets_it_was_seen_by() {
    let nobody = || scene(one(RUNNING), Vec::new()).server(Fact::Absent);
    let another = || scene(one(RUNNING), vec![claude("other", 9)]);
    for (memory, vantage, without_server, without_session) in [
        (seen("boot-2", "p", "d"), here("p", Some("d")), "dead", "dead"),
        (seen("boot-2", "p", "d"), here("p", None), "dead", "dead"),
        (seen("boot-2", "p", "d"), here("q", Some("d")), "dead", "dead"),
        (seen("boot-2", "p", "d"), here("q", Some("e")), "unknown", "unknown"),
        (seen("boot-2", "p", "d"), here("q", None), "unknown", "unknown"),
        (seen("boot-1", "p", "d"), here("q", None), "dead", "dead"),
        (SessionMemory::default(), here("q", Some("e")), "dead", "dead"),
        (SessionMemory::default(), here("q", None), "unknown", "dead"),
        (SessionMemory::default(), here(Viewpoint::WHOLE, None), "dead", "dead"),
    ] {
        let case = format!("{memory:?} {vantage:?}");
        assert_eq!(told(nobody().remembers("s", memory.clone()), &vantage), without_server, "{case}");
        assert_eq!(told(another().remembers("s", memory), &vantage), without_session, "{case}");
    }
    let never_recorded = scene(one(", status: running"), Vec::new()).server(Fact::Absent);
    assert_eq!(told(never_recorded, &here("q", None)), "dead", "nobody ever saw it elsewhere");
    let ended = scene(one(", status: terminated"), Vec::new()).remembers("s", seen("boot-2", "p", "d"));
    assert_eq!(told(ended, &here("q", None)), "in order", "nothing has to be told of an entry that has ended");
}

#[test]
fn what_another_user_declares_is_on_that_user_s_servers() {
    let guest = |directory| Viewpoint { is_guest: true, ..here("p", directory) };
    let nobody = |fields: &str| scene(one(&format!("{RUNNING}{fields}")), Vec::new()).server(Fact::Absent);
    assert_eq!(told(nobody(""), &guest(Some("e"))), "unknown");
    assert_eq!(told(scene(one(RUNNING), vec![claude("other", 9)]), &guest(Some("e"))), "unknown");
    let known = nobody("").remembers("s", seen("boot-2", "p", "d"));
    assert_eq!(told(known, &guest(Some("d"))), "dead", "it was seen alive on our own");
    let mut named = nobody(", server: /run/x");
    named.observation.servers.insert(named.manifest.sessions[0].key.server_key(), Fact::<Server>::Absent);
    let guest = Viewpoint { is_guest: true, ..here(Viewpoint::WHOLE, None) };
    assert_eq!(told(named, &guest), "dead", "a path is the same for everybody");
}

#[test]
fn from_where_a_session_was_seen_alive_is_remembered_and_no_look_without_its_agent_changes_that() {
    let pass = |scene: &Scene| -> Memory { remember(&scene.world(), &classify(&scene.world()), std::iter::empty(), None) };
    let mut alive = scene(one(RUNNING), vec![claude("s", 7)]);
    alive.observation.vantage = here("p", Some("d"));
    let memory = pass(&alive);
    assert_eq!(memory.sessions.values().next().unwrap().seen_from, seen("boot-2", "p", "d").seen_from);
    let mut gone = scene(one(RUNNING), Vec::new()).server(Fact::Absent);
    (gone.observation.vantage, gone.memory) = (here("q", None), memory.clone());
    assert_eq!(pass(&gone), memory);
    alive.observation.vantage = here("q", Some("d"));
    assert_eq!(pass(&alive).sessions.values().next().unwrap().seen_from, seen("boot-2", "q", "d").seen_from);
}

#[test]
fn what_was_known_of_a_session_before_its_entry_was_away_does_not_end_it() {
    let nobody = || scene(one(RUNNING), Vec::new()).server(Fact::Absent);
    let away = |memory: SessionMemory| -> SessionMemory {
        let before = nobody().remembers("s", memory);
        let without = Scene { memory: before.memory, ..scene(entries(&[]), Vec::new()) };
        without.remembered().sessions.values().next().unwrap().as_ref().clone()
    };
    for (memory, vantage, said) in [
        // The host was booted since, and the session may have begun again in a namespace that is not this one.
        (seen("boot-1", "p", "d"), here("q", None), "unknown"),
        (seen("boot-1", "q", "d"), here("q", None), "unknown"),
        (seen("boot-1", "p", "d"), here("q", Some("d")), "unknown"),
        (seen("boot-2", "p", "d"), here("q", None), "unknown"),
        (seen("boot-1", Viewpoint::WHOLE, "d"), here(Viewpoint::WHOLE, Some("d")), "dead"),
        (seen("boot-2", Viewpoint::WHOLE, "d"), here(Viewpoint::WHOLE, None), "dead"),
    ] {
        let case = format!("{memory:?} {vantage:?}");
        assert_eq!(told(nobody().remembers("s", away(memory)), &vantage), said, "{case}");
    }
    let mut back = nobody().remembers("s", away(seen("boot-1", Viewpoint::WHOLE, "d")));
    back.observation.vantage = here(Viewpoint::WHOLE, Some("d"));
    assert!(!back.drifts()[0].matter.contains("rebooted"), "it may have been alive after the reboot");
}

#[test]
fn a_home_is_that_of_the_session_of_its_own_server() {
    let both = "version: 1\nsessions:\n  - { name: s, agent: claude }\n  - { name: s, agent: claude, server: canary }\n";
    let mut scene = scene(manifest(both), Vec::new());
    let canary = scene.manifest.sessions[1].key.clone();
    scene.memory.sessions.entry(&canary).home = Some("/canary".into());
    let homes = |index: usize| {
        let entry = &scene.manifest.sessions[index];
        scene.memory.homes_at_rest(entry, &scene.observation).filter(|home| home.ends_with("canary")).count()
    };
    assert_eq!((homes(0), homes(1)), (0, 1));
}

#[test]
fn what_appears_beside_an_agent_that_cannot_be_seen_is_not_given_to_the_one_that_can() {
    let both = "version: 1\nsessions:\n  - { name: s, agent: claude, cwd: /w, status: running }\n  - { name: out, agent: claude, cwd: /w, status: running }\n";
    let inside = session("s", vec![pane(7, vec![agent(7).appeared(&[("new", 60)])])]);
    let words = |vantage: Viewpoint| {
        let mut scene = scene(manifest(both), vec![inside.clone()]).remembers("out", seen("boot-2", "p", "d"));
        scene.observation.vantage = vantage;
        scene.words()
    };
    assert_eq!(words(here("q", Some("e"))), ["ambiguous:flag", "moved:record"]);
    assert_eq!(words(here("q", Some("d"))), ["new-id:record", "moved:record", "dead:record"]);
}
