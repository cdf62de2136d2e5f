//! Whose conversation is it: the ladder and the claims.

use super::world::*;
use crate::core::drift::Class;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey};
use crate::core::memory::{SessionMemory, since_boot};
use crate::core::observe::identity::{Rung, RungValue};
use crate::core::observe::{Agent, Boot, Server};

#[test]
fn rungs_one_to_three_replace_a_recorded_id_and_five_and_six_only_fill_a_null() {
    for (rung, null, recorded) in [
        (Rung::Registry, "new-id", "new-id"),
        (Rung::Held, "new-id", "new-id"),
        (Rung::Hook, "new-id", "new-id"),
        (Rung::Start, "new-id", "ambiguous"),
    ] {
        for (old, expected) in [("null", null), ("old", recorded)] {
            let scene = scene(entries(&[("s", old)]), vec![alive("s", agent(1).proves(rung, "new"))]);
            let classes: Vec<Class> = scene.drifts().iter().map(|drift| drift.class).collect();
            assert_eq!(classes, [expected.parse::<Class>().unwrap()], "{rung:?} over {old}");
        }
    }
    let mapped = |fact| agent(1).reads(Rung::WorkspaceMap, fact).peers(Fact::Seen(1));
    let changed = Fact::Seen(RungValue::Mapped { id: id("new"), changed: Some(ago(60)) });
    assert_eq!(scene(entries(&[("s", "null")]), vec![alive("s", mapped(changed.clone()))]).words(), ["new-id:record"]);
    assert!(scene(entries(&[("s", "old")]), vec![alive("s", mapped(changed))]).words().is_empty());
    let before = Fact::Seen(RungValue::Mapped { id: id("new"), changed: Some(ago(6000)) });
    assert!(scene(entries(&[("s", "null")]), vec![alive("s", mapped(before))]).words().is_empty());
    assert_eq!(
        scene(entries(&[("s", "null")]), vec![alive("s", agent(1).appeared(&[("new", 30)]))]).words(),
        ["new-id:record"]
    );
    assert!(scene(entries(&[("s", "old")]), vec![alive("s", agent(1).appeared(&[("new", 30)]))]).words().is_empty());
}

#[test]
fn arguments_replace_a_recorded_id_only_if_the_process_is_younger_than_the_record() {
    let young = || alive("s", agent(1).proves(Rung::Start, "new"));
    let mut old_file = scene(entries(&[("s", "old")]), vec![young()]);
    old_file.modified = Some(ago(601));
    assert_eq!(old_file.words(), ["new-id:record"]);
    let since =
        |seconds| SessionMemory { recorded_id: Some(id("old")), id_since: Some(ago(seconds)), ..SessionMemory::default() };
    assert_eq!(scene(entries(&[("s", "old")]), vec![young()]).remembers("s", since(601)).words(), ["new-id:record"]);
    assert_eq!(scene(entries(&[("s", "old")]), vec![young()]).remembers("s", since(599)).words(), ["ambiguous:flag"]);
}

#[test]
fn a_record_that_a_person_puts_back_right_after_a_pass_has_replaced_it_is_younger_than_the_process() {
    let started = || alive("s", agent(1).proves(Rung::Start, "new"));
    let before = scene(entries(&[("s", "old")]), Vec::new()).remembered();
    let mut replacing = scene(entries(&[("s", "old")]), vec![started()]);
    let key = replacing.manifest.sessions[0].key.clone();
    replacing.memory = before;
    replacing.memory.sessions.entry(&key).id_since = Some(ago(9000));
    replacing.memory.sessions.entry(&key).id_since_boot = None;
    assert_eq!(replacing.words(), ["new-id:record"]);
    let memory = replacing.remembered();
    let then = |recorded| {
        let mut scene = scene(entries(&[("s", recorded)]), vec![started()]);
        (scene.modified, scene.memory) = (Some(now()), memory.clone());
        scene.words()
    };
    assert_eq!(then("new"), [""; 0]);
    assert_eq!(then("old"), ["ambiguous:flag"]);
}

#[test]
fn a_clock_that_was_set_makes_no_process_younger_than_the_record() {
    // The process started 600 seconds ago by the clock of the boot, and the record was seen so many seconds ago by it. The clock of
    // the wall was `behind` when the record was seen.
    let words = |seen: i64, behind: i64, boot_then: &str| {
        let mut scene = scene(entries(&[("s", "old")]), vec![alive("s", agent(1).proves(Rung::Start, "new"))]);
        let boot = scene.observation.boot.seen().unwrap().clone();
        scene.modified = Some(ago(seen + behind));
        let memory = SessionMemory {
            recorded_id: Some(id("old")),
            id_since: Some(ago(seen + behind)),
            id_since_boot: Some(since_boot(ago(seen), &Boot { id: boot_then.to_owned(), ..boot })),
            ..SessionMemory::default()
        };
        scene.remembers("s", memory).words()
    };
    for behind in [0, 3600, -3600] {
        assert_eq!(words(500, behind, "boot-2"), ["ambiguous:flag"], "recorded since it started, clock {behind} behind");
        assert_eq!(words(700, behind, "boot-2"), ["new-id:record"], "recorded before, clock {behind} behind");
        assert_eq!(words(500, behind, "boot-1"), ["new-id:record"], "recorded in another boot, clock {behind} behind");
    }
}

#[test]
fn a_transcript_that_appeared_at_a_time_still_to_come_is_only_a_candidate() {
    let words = |after| scene(entries(&[("s", "null")]), vec![alive("s", agent(1).appeared(&[("x", after)]))]).words();
    assert_eq!(words(600), ["new-id:record"], "now");
    assert_eq!(words(660), ["ambiguous:flag"], "the clock was set back since");
}

#[test]
fn what_a_record_or_arguments_name_is_doubtful_once_something_was_said_later_elsewhere() {
    type Words = &'static [(&'static str, i64)];
    let words = |recorded: &str, agent: Agent| scene(entries(&[("s", recorded)]), vec![alive("s", agent)]).words();
    let table: [(Words, &[&str]); 7] = [
        (&[], &[]),
        (&[("a", 30)], &[]),
        (&[("a", 30), ("b", 20)], &[]),
        (&[("a", 30), ("b", 30)], &[]),
        (&[("b", 20)], &["ambiguous:flag"]),
        (&[("a", 30), ("b", 40)], &["ambiguous:flag"]),
        (&[("a", 30), ("b", 40), ("a", 50)], &[]),
    ];
    for (said, expected) in table {
        assert_eq!(words("a", agent(1).proves(Rung::Start, "a").said(said)), expected, "in the arguments, {said:?}");
        assert_eq!(words("a", agent(1).said(said)), expected, "recorded, {said:?}");
        assert_eq!(words("a", agent(1).appeared(&[("b", 10)]).said(said)), expected, "recorded beside a weak rung, {said:?}");
        let fresh = if expected.is_empty() { ["new-id:record"] } else { ["ambiguous:flag"] };
        assert_eq!(words("null", agent(1).proves(Rung::Start, "a").said(said)), fresh, "not recorded yet, {said:?}");
        assert_eq!(words("null", agent(1).appeared(&[("a", 10)]).said(said)), fresh, "it appeared, {said:?}");
    }
    for rung in [Rung::Registry, Rung::Held, Rung::Hook] {
        assert!(words("a", agent(1).proves(rung, "a").said(&[("b", 20)])).is_empty(), "{rung:?} is of the process itself");
    }
    let mut unread = agent(1).proves(Rung::Start, "a");
    unread.ladder.said = Fact::Unknown("torn".to_owned());
    let scene = scene(entries(&[("s", "a")]), vec![alive("s", unread)]);
    let world = scene.world();
    let verdict = super::super::classify(&world);
    assert!(verdict.drifts.is_empty() && verdict.unknown.len() == 1);
}

#[test]
fn a_record_made_since_the_start_says_which_conversation_the_arguments_were_left_for() {
    let words = |id_since: i64, said: &[(&str, i64)]| {
        let left = alive("s", agent(1).proves(Rung::Start, "a").said(said));
        let since = SessionMemory { recorded_id: Some(id("b")), id_since: Some(ago(id_since)), ..SessionMemory::default() };
        scene(entries(&[("s", "b")]), vec![left]).remembers("s", since).words()
    };
    assert!(words(599, &[("a", 10), ("b", 20)]).is_empty());
    assert_eq!(words(601, &[("a", 10), ("b", 20)]), ["ambiguous:flag"], "it is older than the process");
    assert_eq!(words(599, &[("a", 10), ("b", 20), ("c", 30)]), ["ambiguous:flag"], "left again");
    assert_eq!(words(599, &[("b", 10), ("a", 20)]), ["ambiguous:flag"], "gone back to");
}

#[test]
fn what_was_said_in_the_conversation_of_another_live_agent_casts_no_doubt() {
    let in_question = || alive("s", agent(1).proves(Rung::Start, "a").said(&[("a", 10), ("b", 20)]));
    let words = |other: Option<Agent>| {
        let sessions = [Some(in_question()), other.map(|other| alive("other", other))];
        scene(entries(&[("s", "a"), ("other", "b")]), sessions.into_iter().flatten().collect()).words()
    };
    assert!(words(Some(agent(2).works_in("/x"))).is_empty(), "it is recorded on a live one");
    assert_eq!(words(None), ["dead:record"], "on one that has just ended");
    for (ended, expected) in [(500, &[] as &[&str]), (590, &["ambiguous:flag"])] {
        // Said 580 seconds ago: before the end of who was in it, or after.
        let mut scene = scene(entries(&[("s", "a"), ("other", "b")]), vec![in_question()]);
        let other = &mut entry(&mut scene.manifest, 1).recorded;
        (other.status, other.terminated_at) = (Some(crate::core::manifest::Status::Terminated), Some(ago(ended)));
        assert_eq!(scene.words(), expected, "on one that ended {ended} seconds ago");
    }
    let named = |other| {
        let sessions = vec![in_question(), alive("other", other)];
        scene(entries(&[("s", "a"), ("other", "null")]), sessions).words()
    };
    assert_eq!(named(agent(2).proves(Rung::Start, "b").said(&[("a", 10), ("b", 20)])), ["new-id:record"]);
    assert_eq!(named(agent(2).works_in("/x")), ["ambiguous:flag"]);
}

#[test]
fn the_strongest_rung_decides_and_an_unreadable_one_stops_the_rest() {
    let both = agent(1).proves(Rung::Start, "argv").proves(Rung::Registry, "live");
    assert_eq!(scene(entries(&[("s", "live")]), vec![alive("s", both)]).words(), [] as [&str; 0]);
    let unread = agent(1).proves(Rung::Start, "argv").reads(Rung::Registry, Fact::Unknown("no permission".to_owned()));
    let scene = scene(entries(&[("s", "null")]), vec![alive("s", unread)]);
    let world = scene.world();
    let verdict = super::super::classify(&world);
    assert!(verdict.drifts.is_empty() && verdict.unknown.len() == 1);
}

#[test]
fn a_transcript_that_appeared_is_a_guess_only_when_alone_unclaimed_and_clearly_later() {
    type Appeared = &'static [(&'static str, i64)];
    let table: [(Appeared, &[&str]); 6] = [
        (&[("a", 30)], &["new-id:record"]),
        (&[("a", 30), ("b", 40)], &["ambiguous:flag"]),
        (&[("a", 0)], &["ambiguous:flag"]),
        (&[("a", 1), ("b", 30)], &["ambiguous:flag"]),
        (&[("a", -30)], &[]),
        (&[("other", 30)], &[]),
    ];
    for (appeared, expected) in table {
        let manifest = entries(&[("s", "null"), ("ended", "other")]);
        let mut scene = scene(manifest, vec![alive("s", agent(1).appeared(appeared))]);
        entry(&mut scene.manifest, 1).recorded.status = Some(crate::core::manifest::Status::Terminated);
        assert_eq!(scene.words(), expected, "{appeared:?}");
    }
    let crowded = agent(1).appeared(&[("a", 30)]).peers(Fact::Seen(2));
    assert_eq!(scene(entries(&[("s", "null")]), vec![alive("s", crowded)]).words(), ["ambiguous:flag"]);
    let unsure = agent(1).appeared(&[("a", 30)]).peers(Fact::Unknown("hidden processes".to_owned()));
    assert!(scene(entries(&[("s", "null")]), vec![alive("s", unsure)]).words().is_empty());
}

#[test]
fn an_agent_lives_in_its_recorded_conversation_only_if_that_would_be_recorded_now() {
    type Appeared = &'static [(&'static str, i64)];
    let lives_in = |recorded: &str, agents: Vec<Agent>| {
        let sessions = ["s", "twin"].iter().zip(agents).map(|(name, agent)| alive(name, agent)).collect();
        let scene = scene(entries(&[("s", recorded), ("twin", "null"), ("ended", "other")]), sessions);
        let verdict = &super::super::classify(&scene.world()).entries[0];
        verdict.lives_in.as_ref().map(|id| id.as_str().to_owned())
    };
    let table: [(&str, Appeared, Option<&str>); 7] = [
        ("a", &[("a", 30)], Some("a")),
        ("null", &[("a", 30)], Some("a")),
        ("a", &[("a", 30), ("other", 40)], Some("a")),
        ("a", &[("a", 30), ("b", 40)], None),
        ("a", &[("b", 30)], None),
        ("a", &[("a", 1)], None),
        ("a", &[], None),
    ];
    for (recorded, appeared, expected) in table {
        assert_eq!(lives_in(recorded, vec![agent(1).appeared(appeared)]).as_deref(), expected, "{recorded} {appeared:?}");
    }
    let alone = || agent(1).appeared(&[("a", 30)]);
    assert_eq!(lives_in("a", vec![alone().peers(Fact::Seen(2))]), None);
    assert_eq!(lives_in("a", vec![alone().peers(Fact::Unknown("hidden".to_owned()))]), None);
    assert_eq!(lives_in("a", vec![alone(), agent(2).proves(Rung::Held, "a")]), None, "another is in it");
    assert_eq!(lives_in("a", vec![alone().reads(Rung::Registry, Fact::Unknown("torn".to_owned()))]), None);
    assert_eq!(lives_in("a", vec![alone().proves(Rung::Start, "a")]).as_deref(), Some("a"));
}

#[test]
fn two_live_sessions_that_prove_one_id_are_both_ambiguous() {
    let scene = scene(
        entries(&[("a", "x"), ("b", "null")]),
        vec![alive("a", agent(1).proves(Rung::Registry, "x")), alive("b", agent(2).proves(Rung::Registry, "x"))],
    );
    assert_eq!(scene.words(), ["ambiguous:flag", "ambiguous:flag"]);
}

#[test]
fn two_live_sessions_of_one_name_on_two_servers_are_two_when_they_prove_one_id() {
    let zellij = ServerKey::default_of(MuxKind::Zellij);
    let text = |entries: &str| format!("version: 1\nsessions:\n{entries}");
    let (one, other) = (
        "  - { name: x-creator-claude, agent: claude, cwd: /w, status: running, pane: { id: \"%1\", pid: 1 } }\n",
        "  - { name: x-creator-claude, agent: claude, mux: zellij, cwd: /w, status: running, pane: { id: \"%2\", pid: 2 } }\n",
    );
    for (entries, expected) in [
        (format!("{one}{other}"), ["ambiguous:flag", "ambiguous:flag"]),
        (one.to_owned(), ["ambiguous:flag", "unregistered:record"]),
    ] {
        let mut scene = scene(manifest(&text(&entries)), vec![alive("x-creator-claude", agent(1).proves(Rung::Registry, "u"))]);
        let sessions = vec![alive("x-creator-claude", agent(2).proves(Rung::Registry, "u"))];
        scene.observation.servers.insert(
            zellij.clone(),
            Fact::Seen(Server { sessions: sessions.into_iter().map(Into::into).collect(), ..Server::default() }),
        );
        assert_eq!(scene.words(), expected, "{entries}");
        assert!(scene.edits().iter().all(|edit| !edit.contains("session_id")), "{:?}", scene.edits());
        assert!(scene.drifts()[0].matter.contains("x-creator-claude on zellij:default"), "{:?}", scene.drifts()[0]);
    }
}

#[test]
fn a_live_holder_keeps_its_id_and_an_ended_one_keeps_it_as_history() {
    let taker = || alive("b", agent(2).proves(Rung::Registry, "x"));
    let held = scene(entries(&[("a", "x"), ("b", "null")]), vec![alive("a", agent(1)), taker()]);
    assert_eq!(held.words(), ["ambiguous:flag", "ambiguous:flag"], "a record is the weakest evidence");
    let ended = scene(entries(&[("a", "x"), ("b", "null")]), vec![taker()]);
    assert_eq!(ended.words(), ["dead:record", "new-id:record"]);
    let message = ended.drifts()[1].message(true);
    assert!(message.contains('a') && message.contains("history") && message.starts_with("b:"), "{message}");
}

#[test]
fn a_chain_or_an_exchange_of_ids_is_recorded_whole() {
    let live = |name: &str, pid, id: &str| alive(name, agent(pid).proves(Rung::Registry, id));
    let chain = scene(entries(&[("a", "x"), ("b", "y")]), vec![live("a", 1, "z"), live("b", 2, "x")]);
    assert_eq!(chain.words(), ["new-id:record", "new-id:record"]);
    let exchange = scene(entries(&[("a", "x"), ("b", "y")]), vec![live("a", 1, "y"), live("b", 2, "x")]);
    assert_eq!(exchange.words(), ["new-id:record", "new-id:record"]);
    let mut blocked = scene(entries(&[("a", "x"), ("b", "y")]), vec![live("a", 1, "z"), live("b", 2, "x")]);
    entry(&mut blocked.manifest, 0).ignore = vec![Class::NewId];
    assert_eq!(blocked.words(), ["new-id:ignored", "ambiguous:flag"], "a keeps x, so b may not have it");
}

#[test]
fn one_process_shown_by_two_entries_gives_its_id_to_neither() {
    let shared = || pane(1, vec![agent(1).proves(Rung::Registry, "x")]);
    let scene =
        scene(entries(&[("a", "null"), ("b", "null")]), vec![session("a", vec![shared()]), session("b", vec![shared()])]);
    assert!(scene.edits().iter().all(|edit| !edit.contains("session_id")), "{:?}", scene.edits());
}

#[test]
fn a_suspended_live_entry_still_holds_its_id() {
    let mut scene = scene(
        entries(&[("a", "x"), ("b", "null")]),
        vec![alive("a", agent(1)), alive("b", agent(2).proves(Rung::Registry, "x"))],
    );
    entry(&mut scene.manifest, 0).suspend = true;
    assert_eq!(scene.words(), ["ambiguous:flag"]);
}

#[test]
fn a_conversation_another_session_has_left_is_not_guessed_to_be_this_one_s() {
    let left = |name: &str| {
        let memory = SessionMemory { recorded_id: Some(id("newer")), former_ids: vec![id("left")], ..SessionMemory::default() };
        let manifest = entries(&[("s", "null"), ("other", "newer")]);
        let guessing = alive("s", agent(1).appeared(&[("left", 30)]));
        scene(manifest, vec![guessing, alive("other", agent(2).works_in("/x"))]).remembers(name, memory)
    };
    assert!(left("other").words().is_empty(), "{:?}", left("other").words());
    assert_eq!(left("s").words(), ["new-id:record"], "its own former conversation may be");
}

#[test]
fn a_reason_that_names_the_file_is_not_given_it_again() {
    for (why, expected) in [
        ("the registry: not a registry file", "the registry: not a registry file"),
        ("not a registry file", "the registry: not a registry file"),
    ] {
        let agent = agent(7).reads(Rung::Registry, Fact::Unknown(why.to_owned()));
        assert_eq!(super::super::identity::proof_of(&agent), super::super::Identity::Unknown(expected.to_owned()), "{why}");
    }
}

#[test]
fn two_live_entries_that_record_one_conversation_are_both_reported_and_its_prover_keeps_it() {
    let both = || entries(&[("a", "x"), ("b", "x")]);
    let neither = scene(both(), vec![alive("a", agent(1)), alive("b", agent(2))]);
    assert_eq!(neither.words(), ["ambiguous:flag", "ambiguous:flag"]);
    for rung in [Rung::Registry, Rung::Held, Rung::Hook, Rung::Start] {
        let proven = scene(both(), vec![alive("a", agent(1)), alive("b", agent(2).proves(rung, "x"))]);
        assert_eq!(proven.words(), ["ambiguous:flag", "ambiguous:flag"], "{rung:?}");
        let world = proven.world();
        let verdict = crate::core::drift::classify(&world);
        assert_eq!(verdict.entries[0].proven, None);
        assert_eq!(verdict.entries[1].proven, Some((id("x"), rung)));
        assert!(proven.drifts()[0].matter.contains("session b"), "{}", proven.drifts()[0].matter);
    }
    let leaving = scene(both(), vec![alive("a", agent(1).proves(Rung::Registry, "y")), alive("b", agent(2))]);
    assert_eq!(leaving.words(), ["new-id:record"], "one that gives it up in this pass holds it no longer");
}

#[test]
fn whatever_the_agents_two_live_entries_never_hold_one_conversation_in_order() {
    let goose = AgentKind::named("goose").unwrap();
    for kind in AgentKind::ALL.into_iter().chain([goose]) {
        let both = || {
            let mut both = entries(&[("a", "x"), ("b", "x")]);
            (0..both.sessions.len()).for_each(|index| entry(&mut both, index).agent = kind);
            both
        };
        let words = |one: Agent, other: Agent| scene(both(), vec![alive("a", one), alive("b", other)]).words();
        let agent = |pid| agent(pid).kind(kind);
        let told = ["ambiguous:flag", "ambiguous:flag"];
        assert_eq!(words(agent(1), agent(2)), told, "{kind}: nobody proves anything");
        for rung in &Rung::ALL[..4] {
            assert_eq!(words(agent(1), agent(2).proves(*rung, "x")), told, "{kind}: {rung:?}");
        }
        for weak in [agent(2).appeared(&[("x", 30)]), agent(2).appeared(&[("y", 30)])] {
            assert_eq!(words(agent(1), weak), told, "{kind}: a weak rung");
        }
    }
}
