//! What casts doubt on a recorded conversation: another process than the one it was recorded for. What keeps the doubt, and what
//! ends it.

use super::world::*;
use crate::core::drift::Class;
use crate::core::manifest::Manifest;
use crate::core::memory::{KnownIn, Memory, SessionMemory};
use crate::core::observe::identity::Rung;
use crate::core::observe::{Agent, MuxSession, Process};

/// What is remembered of a process of this pid that started so many seconds ago and was in `x`.
fn in_x(pid: u32, seconds: i64) -> SessionMemory {
    let process = Process { pid, started: ago(seconds) };
    let boot = scene(entries(&[]), Vec::new()).observation.boot;
    let known_in = Some(KnownIn::new(id("x"), process, boot.seen(), None));
    SessionMemory { recorded_id: Some(id("x")), known_in, ..SessionMemory::default() }
}

#[test]
fn an_id_recorded_for_another_process_is_ambiguous_until_something_proves_it() {
    let seen = |agent, memory| scene(entries(&[("a", "x")]), vec![alive("a", agent)]).remembers("a", memory).words();
    assert_eq!(seen(agent(1), in_x(1, 600)), [""; 0], "the same process");
    assert_eq!(seen(agent(1), in_x(1, 601)), [""; 0], "a corrected clock");
    assert_eq!(seen(agent(1), in_x(1, 9000)), ["ambiguous:flag"], "a reused pid");
    assert_eq!(seen(agent(1), in_x(7, 9000)), ["ambiguous:flag"]);
    assert_eq!(seen(agent(1).proves(Rung::Start, "x"), in_x(7, 9000)), [""; 0], "it was started with the id");
    assert_eq!(seen(agent(1), SessionMemory::default()), [""; 0], "a person recorded it, and nothing contradicts it");
    let resumed = agent(1).proves(Rung::Registry, "y");
    assert_eq!(seen(resumed, in_x(1, 600)), ["new-id:record"], "another conversation in the same, proven agent");
    let by_hand = scene(entries(&[("a", "x")]), vec![alive("a", agent(1))]).remembers("a", in_x(7, 9000));
    let matter = by_hand.drifts()[0].matter.clone();
    assert!(matter.contains("started without it") && matter.contains("write it again"), "{matter}");
}

#[test]
fn an_id_that_a_new_entry_began_with_is_that_of_the_process_it_was_registered_with() {
    let name = "s-creator-claude";
    let first = scene(entries(&[]), vec![session(name, vec![pane(1, vec![agent(7).proves(Rung::Registry, "x")])])]);
    assert_eq!(first.words(), ["unregistered:record"]);
    let memory = first.remembered();
    let then = |pid: u32| {
        let mut scene = scene(entries(&[(name, "x")]), vec![session(name, vec![pane(1, vec![agent(pid)])])]);
        scene.memory = memory.clone();
        scene.words()
    };
    assert_eq!(then(7), [""; 0]);
    assert_eq!(then(8), ["ambiguous:flag"], "another one in the same pane, before anybody looked again");
}

#[test]
fn a_clock_that_was_set_makes_no_other_process_of_an_agent_and_a_reboot_does() {
    let set = |by: i64, boot: &str| {
        let mut scene = scene(entries(&[("a", "x")]), vec![alive("a", agent(1))]).remembers("a", in_x(1, 600 + by));
        let at = scene.observation.boot.seen().unwrap().at;
        let key = scene.memory.sessions.keys().next().unwrap().clone();
        let known = scene.memory.sessions.entry(&key).known_in.as_mut().unwrap();
        // Read when the clock was `by` seconds behind: so was the beginning of the boot.
        known.since_boot = Some((boot.to_owned(), (ago(600) - at).num_milliseconds()));
        scene.words()
    };
    assert_eq!(set(3600, "boot-2"), [""; 0]);
    assert_eq!(set(-3600, "boot-2"), [""; 0]);
    assert_eq!(set(0, "boot-1"), ["ambiguous:flag"], "ids and starts come again");
    // By the wall clock another process with its id is as old as it was, because that clock was set back meanwhile.
    let mut scene = scene(entries(&[("a", "x")]), vec![alive("a", agent(1))]).remembers("a", in_x(1, 600));
    let at = scene.observation.boot.seen().unwrap().at;
    let key = scene.memory.sessions.keys().next().unwrap().clone();
    scene.memory.sessions.entry(&key).known_in.as_mut().unwrap().since_boot =
        Some(("boot-2".to_owned(), (ago(600 + 73) - at).num_milliseconds()));
    assert_eq!(scene.words(), ["ambiguous:flag"]);
}

/// A pass over these entries and sessions that knows what an earlier one left: its words, and what it leaves.
fn pass(manifest: Manifest, sessions: Vec<MuxSession>, memory: &Memory) -> (Vec<String>, Memory) {
    let mut scene = scene(manifest, sessions);
    scene.memory = memory.clone();
    (scene.words(), scene.remembered())
}

#[test]
fn a_change_that_leaves_the_conversation_settles_nothing_and_writing_it_again_does() {
    let again = || vec![alive("a", agent(2))];
    let (_, known) = pass(entries(&[("a", "x")]), vec![alive("a", agent(1))], &Memory::default());
    let moved = || {
        let mut manifest = entries(&[("a", "x")]);
        entry(&mut manifest, 0).recorded.pane.as_mut().unwrap().pid = Some(2);
        entry(&mut manifest, 0).recorded.pane.as_mut().unwrap().id = Some("%2".to_owned());
        manifest
    };
    let (words, doubted) = pass(moved(), again(), &known);
    assert_eq!(words, ["ambiguous:flag"]);
    let mut labelled = scene(moved(), again());
    labelled.memory = doubted.clone();
    labelled.touched.insert(labelled.manifest.sessions[0].key.clone(), ago(3));
    assert_eq!(labelled.words(), ["ambiguous:flag"], "a person, or a tool, changed something else");
    let mut without = moved();
    entry(&mut without, 0).recorded.session_id = None;
    let (_, taken) = pass(without, again(), &doubted);
    let (words, settled) = pass(moved(), again(), &taken);
    assert_eq!(words, [""; 0]);
    assert_eq!(pass(moved(), again(), &settled).0, [""; 0], "and it stays so");
    let contested = vec![alive("a", agent(2)), alive("other", agent(3).proves(Rung::Registry, "x"))];
    assert_eq!(pass(moved(), contested, &settled).0, ["ambiguous:flag"], "but takes nothing from who proves it");
}

#[test]
fn of_an_entry_that_nobody_here_has_seen_the_recorded_pane_tells_that_its_agent_is_another_process() {
    let look = |agent: Agent, memory: &Memory| pass(entries(&[("a", "x")]), vec![alive("a", agent)], memory);
    assert_eq!(look(agent(1), &Memory::default()).0, [""; 0]);
    let (words, doubted) = look(agent(5), &Memory::default());
    assert_eq!(words, ["ambiguous:flag", "moved:record"]);
    let mut moved = entries(&[("a", "x")]);
    let pane = entry(&mut moved, 0).recorded.pane.as_mut().unwrap();
    (pane.id, pane.pid) = (Some("%5".to_owned()), Some(5));
    assert_eq!(pass(moved, vec![alive("a", agent(5))], &doubted).0, ["ambiguous:flag"], "the pane of today says nothing of it");
    for rung in &Rung::ALL[..4] {
        assert_eq!(look(agent(5).proves(*rung, "x"), &Memory::default()).0, ["moved:record"], "{rung:?}");
    }
    let (_, ended) = pass(entries(&[("a", "x")]), Vec::new(), &Memory::default());
    assert_eq!(look(agent(5), &ended).0, ["ambiguous:flag", "moved:record"], "it was seen, and never alive");
    let (_, other) = pass(entries(&[("a", "y")]), Vec::new(), &Memory::default());
    assert_eq!(look(agent(5), &other).0, ["moved:record"], "the conversation was written since");
    let mut unrecorded = entries(&[("a", "x")]);
    entry(&mut unrecorded, 0).recorded.pane = None;
    assert_eq!(pass(unrecorded, vec![alive("a", agent(5))], &Memory::default()).0, ["moved:record"], "nothing contradicts it");
}

#[test]
fn an_agent_that_has_left_its_recorded_conversation_is_not_back_in_it_because_nothing_proves_the_other_any_more() {
    let ignoring = || {
        let mut manifest = entries(&[("a", "x")]);
        entry(&mut manifest, 0).ignore = vec![Class::NewId];
        manifest
    };
    let (_, known) = pass(ignoring(), vec![alive("a", agent(1))], &Memory::default());
    let (words, left) = pass(ignoring(), vec![alive("a", agent(1).proves(Rung::Registry, "y"))], &known);
    assert_eq!(words, ["new-id:ignored"]);
    assert_eq!(pass(ignoring(), vec![alive("a", agent(1))], &left).0, ["ambiguous:flag"]);
    assert_eq!(pass(ignoring(), vec![alive("a", agent(2))], &left).0, ["ambiguous:flag", "moved:record"]);
}

#[test]
fn an_entry_that_gets_another_name_or_was_away_keeps_what_is_known_of_it() {
    let (_, known) = pass(entries(&[("a", "x")]), vec![alive("a", agent(1))], &Memory::default());
    let again = |name: &str| vec![alive(name, agent(2))];
    let here = |name: &str| {
        let mut manifest = entries(&[(name, "x")]);
        entry(&mut manifest, 0).recorded.pane = None;
        manifest
    };
    for away in [entries(&[]), entries(&[("b", "null")])] {
        let (_, meanwhile) = pass(away, Vec::new(), &known);
        assert_eq!(pass(here("a"), again("a"), &meanwhile).0, ["ambiguous:flag", "moved:record"], "commented out for a while");
        let (words, renamed) = pass(here("z"), again("z"), &meanwhile);
        assert_eq!(words, ["ambiguous:flag", "moved:record"], "and back under another name");
        assert_eq!(pass(here("z"), again("z"), &renamed).0, ["ambiguous:flag", "moved:record"]);
        assert_eq!(renamed.sessions.keys().filter(|key| key.name == "a").count(), 0, "{renamed:?}");
    }
    assert_eq!(pass(here("z"), vec![alive("z", agent(1))], &known).0, ["moved:record"], "the process is the same");
    let (_, doubted) = pass(entries(&[("a", "x")]), again("a"), &known);
    let scene = Scene { memory: doubted, ..scene(here("z"), Vec::new()) };
    let world = scene.world();
    let doubt = |scene: &Scene| world.remembered(&scene.manifest.sessions[0])?.doubt.clone();
    assert!(doubt(&scene).is_some_and(|why| why.contains("recorded for pid 1")), "a doubt outlives the name");
}

#[test]
fn an_entry_that_is_given_the_name_of_another_brings_its_conversation_into_no_other_session() {
    let (_, known) = pass(
        entries(&[("a", "x"), ("b", "null")]),
        vec![alive("a", agent(1).proves(Rung::Registry, "x")), alive("b", agent(2))],
        &Memory::default(),
    );
    let sessions = || vec![alive("a", agent(1).proves(Rung::Registry, "y")), alive("b", agent(2))];
    // The entry of b is deleted and that of a is called b, before anybody looks.
    let (words, after) = pass(entries(&[("b", "x")]), sessions(), &known);
    assert_eq!(words, ["ambiguous:flag", "moved:record"]);
    let with_its_pane = || {
        let mut manifest = entries(&[("b", "x")]);
        let pane = entry(&mut manifest, 0).recorded.pane.as_mut().unwrap();
        (pane.id, pane.pid) = (Some("%2".to_owned()), Some(2));
        manifest
    };
    assert_eq!(pass(with_its_pane(), sessions(), &after).0, ["ambiguous:flag"], "the pane of today says nothing of it");
    assert_eq!(pass(with_its_pane(), sessions(), &known).0, [""; 0], "a person has written it there");
}

#[test]
fn a_copy_of_an_entry_takes_nothing_from_it_and_what_is_long_gone_is_forgotten() {
    let (_, known) = pass(entries(&[("a", "x")]), vec![alive("a", agent(1))], &Memory::default());
    let both = || vec![alive("a", agent(1)), alive("b", agent(2))];
    let (words, after) = pass(entries(&[("a", "x"), ("b", "x")]), both(), &known);
    assert_eq!(words, ["ambiguous:flag", "ambiguous:flag"]);
    let known_of = |name: &str| {
        let key = after.sessions.keys().find(|key| key.name == name).unwrap();
        after.sessions[key].known_in.as_ref().map(|known| known.pid)
    };
    assert_eq!((known_of("a"), known_of("b")), (Some(1), None));
    let mut later = scene(entries(&[]), Vec::new());
    later.memory = known;
    let gone = later.remembered();
    assert_eq!(gone.sessions.values().map(|session| session.undeclared_since).collect::<Vec<_>>(), [Some(now())]);
    later.memory = gone.clone();
    assert_eq!(later.remembered(), gone, "a quiet world");
    later.observation.at += SessionMemory::KEPT;
    assert!(later.remembered().sessions.is_empty());
}
