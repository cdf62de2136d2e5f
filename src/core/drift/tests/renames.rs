//! Where the session of an absent entry went: by its pane, or by the conversation its agent proves.

use super::world::*;
use crate::core::drift::Class;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ServerKey};
use crate::core::memory::SessionMemory;
use crate::core::observe::identity::Rung;
use crate::core::observe::{Agent, MuxSession, Server};

/// An entry whose pane is recorded as the one [`claude`] makes of pid 7.
const PANE: &str = ", pane: { id: \"%7\", pid: 7 }";

#[test]
fn a_renamed_session_is_moved_and_neither_dead_nor_unregistered() {
    let running = format!(", status: running{PANE}");
    let renamed = scene(one(&running), vec![claude("x-creator-claude", 7)]);
    assert_eq!(renamed.words(), ["moved:flag"]);
    assert!(renamed.drifts()[0].matter.contains("x-creator-claude"));
    let by_id = session("t", vec![pane(9, vec![agent(9).proves(Rung::Registry, "b3a7")])]);
    assert_eq!(scene(one(", status: running, session_id: b3a7"), vec![by_id]).words(), ["moved:flag"]);
    let reused = scene(one(", status: running, pane: { id: \"%7\", pid: 6 }"), vec![claude("t", 7)]);
    assert_eq!(reused.words(), ["dead:record"], "the pane id alone was reused");
}

#[test]
fn a_session_whose_name_only_tmux_can_tell_is_unknown_and_neither_dead_nor_registered() {
    let text = |fields: &str| {
        manifest(&format!(
            "version: 1\nsessions:\n  - {{ name: 'x#{{pid}}-creator-claude', agent: claude, cwd: /w{fields} }}\n"
        ))
    };
    let mut made = scene(text(", status: running"), vec![claude("x18-creator-claude", 7)]);
    assert_eq!(made.words(), Vec::<String>::new());
    let verdict = crate::core::drift::classify(&made.world());
    let why: Vec<String> = verdict.unknown.iter().map(|unknown| format!("{}: {}", unknown.scope(), unknown.why)).collect();
    assert_eq!(why.len(), 2, "{why:#?}");
    assert!(why.iter().all(|why| why.contains("give the entry the name that tmux lists")), "{why:#?}");
    let other = scene(text(", status: running"), vec![claude("y18-creator-claude", 7)]);
    assert_eq!(other.words(), ["dead:record", "unregistered:record"], "tmux keeps how a name begins");
    let end = scene(text(", status: running"), vec![claude("x18-maker-claude", 7)]);
    assert_eq!(end.words(), ["dead:record"], "and how it ends");
    let by_pane = scene(text(&format!(", status: running{PANE}")), vec![claude("x18-creator-claude", 7)]);
    assert_eq!(by_pane.words(), ["moved:flag"], "its pane proves it");
    let as_given = scene(text(&format!(", status: running{PANE}")), vec![claude("x#{pid}-creator-claude", 7)]);
    assert_eq!(as_given.words(), Vec::<String>::new(), "`##` made it");
    made.manifest = manifest(
        "version: 1\nsessions:\n  - { name: 'x#{pid}-creator-claude', agent: claude, mux: zellij, cwd: /w, status: running }\n",
    );
    assert_eq!(made.words(), ["unregistered:record"], "zellij puts nothing into a name");
}

#[test]
fn a_conversation_that_lives_on_another_server_is_no_rename() {
    let manifest = manifest(
        "version: 1\nsessions:\n  - { name: x-creator-claude, agent: claude, cwd: /w, status: running, session_id: b3a7 }\n  - { name: far, agent: claude, server: canary, status: terminated }\n",
    );
    let mut scene = scene(manifest, Vec::new());
    let sessions =
        vec![std::sync::Arc::new(session("y-creator-claude", vec![pane(9, vec![agent(9).proves(Rung::Registry, "b3a7")])]))];
    let canary = ServerKey { server: "canary".to_owned(), ..default_server() };
    scene.observation.servers.insert(canary, Fact::Seen(Server { sessions, ..Server::default() }));
    let drifts = scene.drifts();
    let dead = drifts.iter().find(|drift| drift.session.name == "x-creator-claude").map(|drift| drift.class);
    assert_eq!(dead, Some(Class::Dead), "no session changes its server: {drifts:?}");
}

#[test]
fn a_conversation_shows_a_rename_only_where_one_agent_of_the_same_server_proves_it() {
    let canary = || ServerKey { server: "canary".to_owned(), ..default_server() };
    let server = |sessions: Vec<MuxSession>| {
        Fact::Seen(Server { sessions: sessions.into_iter().map(Into::into).collect(), ..Server::default() })
    };
    let proving = |name: &str, pid| alive(name, agent(pid).proves(Rung::Registry, "b3a7"));
    let weak = |name: &str, pid| alive(name, agent(pid).appeared(&[("b3a7", 30)]));
    // The sessions of the entry's server, of another one that an entry names, and what is said of the entry.
    let table: [(Vec<MuxSession>, Vec<MuxSession>, &str); 9] = [
        (vec![], vec![], "dead:record"),
        (vec![proving("t", 9)], vec![], "moved:flag"),
        (vec![], vec![proving("t", 9)], "dead:record"),
        (vec![alive("t", agent(9))], vec![], "dead:record"),
        (vec![weak("t", 9)], vec![], "dead:record"),
        (vec![proving("t", 9), proving("u", 10)], vec![], "dead:record"),
        // Of the two only one can be it: no session changes its server.
        (vec![proving("t", 9)], vec![proving("u", 10)], "moved:flag"),
        (vec![proving("t", 9)], vec![alive("u", agent(10))], "moved:flag"),
        (vec![proving("t", 9), alive("u", agent(10))], vec![], "moved:flag"),
    ];
    for (here, there, expected) in table {
        let entry = "{ name: s, agent: claude, cwd: /w, status: running, session_id: b3a7 }";
        let text = format!("version: 1\nsessions:\n  - {entry}\n  - {{ name: far, agent: claude, server: canary }}\n");
        let shown = format!("{:?} {:?}", here.len(), there.len());
        let mut scene = scene(manifest(&text), here);
        scene.observation.servers.insert(canary(), server(there));
        assert_eq!(scene.words().first().map(String::as_str), Some(expected), "{shown} {:?}", scene.drifts());
    }
    let other = session("t", vec![pane(9, vec![agent(9).kind(AgentKind::Codex).proves(Rung::Held, "b3a7")])]);
    assert_eq!(scene(one(", status: running, session_id: b3a7"), vec![other]).words(), ["dead:record"], "another agent's");
}

#[test]
fn a_pane_is_followed_across_names_by_its_process_whatever_was_remembered_under_the_name() {
    let entry = || one(&format!(", status: running{PANE}"));
    let alive_in = |boot: &str| SessionMemory { boot_id: Some(boot.to_owned()), ..SessionMemory::default() };
    for boot in ["boot-1", "boot-2"] {
        // What is remembered may be older than the recorded pane: the entry was away, or had another name.
        let renamed = scene(entry(), vec![claude("t", 7)]).remembers("s", alive_in(boot));
        assert_eq!(renamed.words(), ["moved:flag"], "{boot}");
    }
    assert_eq!(scene(entry(), vec![claude("t", 8)]).words(), ["dead:record"]);
    let mut elsewhere = scene(entry(), Vec::new());
    let far = ServerKey { server: "canary".to_owned(), ..default_server() };
    let sessions = vec![std::sync::Arc::new(claude("t", 7))];
    elsewhere.observation.servers.insert(far, Fact::Seen(Server { sessions, ..Server::default() }));
    assert_eq!(elsewhere.words()[0], "dead:record", "no pane changes its server");
}

#[test]
fn processes_that_cannot_be_read_show_a_rename_by_their_pane_and_never_by_a_conversation() {
    let hidden = || {
        let mut hidden = pane(7, Vec::new());
        hidden.agents = Fact::Unknown("cannot read process 7".to_owned());
        vec![session("t", vec![hidden])]
    };
    let by_pane = scene(one(&format!(", status: running, session_id: b3a7{PANE}")), hidden());
    assert_eq!(by_pane.words(), ["moved:flag"]);
    let by_id = scene(one(", status: running, session_id: b3a7"), hidden());
    assert_eq!(by_id.words(), ["dead:record"], "nothing says that it is this one");
}

#[test]
fn an_entry_whose_pane_lives_on_in_several_sessions_is_never_dead_and_no_name_is_proposed() {
    let running = format!(", status: running{PANE}");
    let grouped = scene(one(&running), vec![claude("t-creator-claude", 7), claude("u", 7)]);
    assert_eq!(grouped.words(), ["moved:flag"]);
    let matter = &grouped.drifts()[0].matter;
    assert!(
        matter.contains("t-creator-claude") && matter.contains("\"u\"") && !matter.contains("gives its entry that name"),
        "{matter}"
    );
}

#[test]
fn a_session_is_the_new_name_of_one_entry_only() {
    let entry = |name: &str, fields: &str| format!("  - {{ name: {name}, agent: claude, cwd: /w, status: running{fields} }}\n");
    let two = |fields| manifest(&format!("version: 1\nsessions:\n{}{}", entry("a", fields), entry("b", fields)));
    let by_pane = scene(two(PANE), vec![claude("t", 7)]);
    assert_eq!(by_pane.words(), ["moved:flag", "moved:flag"], "its pane lives: neither is dead");
    let proposed = by_pane.drifts().iter().filter(|drift| drift.matter.contains("gives its entry that name")).count();
    assert_eq!(proposed, 1);
    let alive = session("t", vec![pane(7, vec![agent(7).proves(Rung::Registry, "b3a7")])]);
    assert_eq!(scene(two(", session_id: b3a7"), vec![alive]).words(), ["moved:flag", "dead:record"]);
}

#[test]
fn a_conversation_resumed_in_a_new_session_is_registered_and_the_ended_entry_keeps_its_copy() {
    let resumed = || session("x-creator-claude", vec![pane(7, vec![agent(7).proves(Rung::Registry, "b3a7")])]);
    for ended in ["status: terminated", "status: stopped", "status: archived", "status: running, suspend: true"] {
        let scene = scene(one(&format!(", {ended}, session_id: b3a7{PANE}")), vec![resumed()]);
        assert_eq!(scene.words(), ["unregistered:record"], "{ended}");
        assert!(scene.edits()[0].contains(r#""session_id":"b3a7""#), "{ended}: {:?}", scene.edits());
        let message = scene.drifts()[0].message(true);
        assert!(message.contains("; s, which has ended, keeps its conversation as history"), "{message}");
    }
    let unseen = |fields: &str| scene(one(fields), vec![resumed()]).words();
    assert_eq!(unseen(PANE), ["moved:flag"], "an entry without a status is followed by its pane");
    assert_eq!(unseen(", session_id: b3a7"), ["unregistered:record"], "but not by its conversation");
}

#[test]
fn a_session_that_takes_the_name_of_one_that_has_just_ended_brings_its_own_conversation_and_no_other() {
    let both = || entries(&[("a", "x"), ("b", "y")]);
    let mut before = scene(both(), vec![alive("a", agent(1)), alive("b", agent(2))]);
    before.memory = before.remembered();
    let named_b = |agent: Agent| {
        let mut after = scene(both(), vec![alive("b", agent)]);
        after.memory = before.memory.clone();
        after
    };
    let proving = named_b(agent(1).proves(Rung::Registry, "x"));
    assert_eq!(proving.words(), ["dead:record", "new-id:record", "moved:record"]);
    assert!(proving.drifts()[1].matter.contains("; a, which has ended, keeps its conversation as history"));
    let silent = named_b(agent(1));
    assert_eq!(silent.words(), ["dead:record", "ambiguous:flag", "moved:record"], "whose it is cannot be told");
}
