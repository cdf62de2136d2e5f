//! Which classes an entry gets, and in which order.

use super::world::*;
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;
use crate::core::memory::SessionMemory;
use crate::core::observe::identity::Rung;
use crate::core::observe::{MuxSession, OrphanPane, Pane, Process};

/// An entry whose pane is recorded as the one [`claude`] makes of pid 7.
const PANE: &str = ", pane: { id: \"%7\", pid: 7 }";

#[test]
fn each_status_meets_each_state_of_the_session() {
    let gone = Vec::new;
    let alive = || vec![claude("s", 7)];
    let bare = || vec![session("s", vec![pane(7, Vec::new())])];
    let table: [(&str, Vec<_>, &[&str]); 15] = [
        ("running", gone(), &["dead:record"]),
        ("stopped", gone(), &[]),
        ("terminated", gone(), &[]),
        ("archived", gone(), &[]),
        ("null", gone(), &[]),
        ("running", bare(), &["agent-gone:flag"]),
        ("stopped", bare(), &[]),
        ("terminated", bare(), &[]),
        ("archived", bare(), &[]),
        ("null", bare(), &[]),
        ("running", alive(), &[]),
        ("stopped", alive(), &["revived:record"]),
        ("terminated", alive(), &["revived:record"]),
        ("archived", alive(), &["revived:flag"]),
        ("null", alive(), &["revived:record"]),
    ];
    for (status, sessions, expected) in table {
        let shown = format!("{status} with {sessions:?}");
        let scene = scene(one(&format!(", status: {status}{PANE}")), sessions);
        assert_eq!(scene.words(), expected, "{shown}");
    }
}

#[test]
fn a_failed_tmux_probe_never_marks_a_session_dead() {
    let scene = scene(one(", status: running"), Vec::new()).server(Fact::Unknown("timed out after 2 s".to_owned()));
    let world = scene.world();
    let verdict = super::super::classify(&world);
    assert!(verdict.drifts.is_empty());
    assert_eq!(verdict.unknown.len(), 1, "one line for the server, none for the entry: {:?}", verdict.unknown);
    assert_eq!(verdict.unknown[0].scope(), "tmux:default");
    assert!(verdict.entries[0].unknown.is_some());
}

#[test]
fn a_missing_session_is_dead_unless_the_recorded_process_still_runs_the_agent_on_a_terminal() {
    let process = Process { pid: 7, started: ago(600) };
    let stray = |kind, has_terminal| OrphanPane { process, agents: vec![(kind, process)], has_terminal };
    let running = format!(", status: running{PANE}");
    let without_server = || scene(one(&running), Vec::new()).server(Fact::Absent);
    let answered_without_it = || scene(one(&running), vec![session("other", vec![pane(9, Vec::new())])]);
    assert_eq!(without_server().words(), ["dead:record"]);
    assert_eq!(answered_without_it().words(), ["dead:record"]);
    for (fact, expected) in [
        (Fact::Seen(stray(AgentKind::Claude, true)), 0),
        (Fact::Seen(stray(AgentKind::Claude, false)), 1),
        (Fact::Seen(stray(AgentKind::Codex, true)), 1),
        (Fact::Absent, 1),
        (Fact::Unknown("no permission".to_owned()), 0),
    ] {
        for mut scene in [without_server(), answered_without_it()] {
            let shown = format!("{fact:?} {:?}", scene.observation.servers);
            scene.observation.strays.insert(7, fact.clone());
            assert_eq!(scene.words().len(), expected, "{shown}");
            let verdict = super::super::classify(&scene.world());
            assert_eq!(verdict.entries[0].unknown.is_some(), expected == 0, "{shown}");
        }
    }
}

#[test]
fn a_death_is_recorded_with_its_time_and_told_with_its_pane() {
    let fields = ", status: running, pane: { id: \"%7\", pid: 201132, cmd: claude }";
    let scene = scene(one(fields), Vec::new());
    assert_eq!(
        scene.edits(),
        [
            "sessions[0].status=\"terminated\"",
            "sessions[0].terminated_at=\"2026-11-21T12:00:00Z\"",
            "sessions[0].termination_mode=\"auto-detected\""
        ]
    );
    let drift = &scene.drifts()[0];
    assert_eq!(drift.message(true), "s: tmux gone (was pane 201132, cmd claude). Marked terminated.");
    assert_eq!(drift.message(false), "s: tmux gone (was pane 201132, cmd claude). To be marked terminated.");
}

#[test]
fn a_death_after_a_reboot_names_the_reboot() {
    let memory = |boot: &str| SessionMemory { boot_id: Some(boot.to_owned()), ..SessionMemory::default() };
    let told = |boot: &str| {
        let scene = scene(one(", status: running"), Vec::new()).remembers("s", memory(boot));
        scene.drifts()[0].matter.contains("rebooted")
    };
    assert!(told("boot-1"));
    assert!(!told("boot-2"), "seen alive in this very boot");
}

#[test]
fn a_hand_written_entry_is_filled_in_by_one_pass() {
    let alive = session("s", vec![pane(7, vec![agent(7).proves(Rung::Registry, "b3a7")])]);
    let scene = scene(one(""), vec![alive]);
    assert_eq!(scene.words(), ["revived:record", "new-id:record", "moved:record"]);
    assert_eq!(
        scene.edits(),
        [
            "sessions[0].status=\"running\"",
            "sessions[0].session_id=\"b3a7\"",
            "sessions[0].pane={\"id\":\"%7\",\"pid\":7,\"cmd\":\"claude\",\"cwd\":\"/w\"}"
        ]
    );
}

#[test]
fn reviving_nulls_the_end_only_where_it_stands() {
    let fields = format!(", status: terminated, terminated_at: \"2026-11-20T00:00:00Z\"{PANE}");
    let scene = scene(one(&fields), vec![claude("s", 7)]);
    assert_eq!(scene.edits(), ["sessions[0].status=\"running\"", "sessions[0].terminated_at=null"]);
}

#[test]
fn the_agent_is_found_in_a_split_and_told_from_other_agents() {
    let running = format!(", status: running{PANE}");
    let codex = || agent(8).kind(AgentKind::Codex);
    let split = session("s", vec![pane(6, Vec::new()), pane(7, vec![agent(7)])]);
    assert!(scene(one(&running), vec![split]).words().is_empty());
    let other = session("s", vec![pane(7, vec![codex()])]);
    let scene = scene(one(&running), vec![other]);
    assert_eq!(scene.words(), ["agent-gone:flag"]);
    assert!(scene.drifts()[0].matter.contains("codex runs there"), "{}", scene.drifts()[0].matter);
}

#[test]
fn of_several_agents_the_recorded_pane_wins_then_the_only_one_at_home() {
    let two = |a: &str, b: &str| session("s", vec![pane(7, vec![agent(7).works_in(a)]), pane(8, vec![agent(8).works_in(b)])]);
    let recorded = format!(", status: running{PANE}");
    assert!(scene(one(&recorded), vec![two("/w", "/w")]).words().is_empty());
    assert_eq!(scene(one(", status: running"), vec![two("/w", "/w")]).words(), ["ambiguous:flag"]);
    assert_eq!(scene(one(", status: running"), vec![two("/x", "/w")]).words(), ["moved:record"]);
    let half = ", status: running, pane: { id: \"%7\", pid: 9 }";
    assert_eq!(scene(one(half), vec![two("/w", "/w")]).words(), ["ambiguous:flag"], "a pane id with another pid is no pane");
}

#[test]
fn a_workspace_behind_a_symlink_is_the_same_workspace() {
    let text = "version: 1\nsessions:\n  - { name: s, agent: claude, cwd: /link, status: running }\n";
    let two = session("s", vec![pane(7, vec![agent(7).works_in("/x")]), pane(8, vec![agent(8)])]);
    let mut scene = scene(manifest(text), vec![two]);
    assert_eq!(scene.words(), ["ambiguous:flag"]);
    scene.observation.real_paths.insert("/link".into(), "/w".into());
    assert_eq!(scene.words(), ["moved:record"]);
}

#[test]
fn a_process_that_cannot_be_read_keeps_the_agent_unknown() {
    let mut hidden = pane(7, Vec::new());
    hidden.agents = Fact::Unknown("cannot read process 7".to_owned());
    let scene = scene(one(&format!(", status: running{PANE}")), vec![session("s", vec![hidden])]);
    let world = scene.world();
    let verdict = super::super::classify(&world);
    assert!(verdict.drifts.is_empty());
    assert_eq!(verdict.unknown[0].scope(), "s");
}

#[test]
fn only_sessions_whose_name_and_agent_are_ours_are_registered() {
    let empty = || manifest("version: 1\nsessions: []\n");
    assert_eq!(scene(empty(), vec![claude("x-creator-claude", 7)]).words(), ["unregistered:record"]);
    assert!(scene(empty(), vec![claude("x", 7)]).words().is_empty());
    assert!(scene(empty(), vec![claude("x-creator-codex", 7)]).words().is_empty());
    assert!(scene(empty(), vec![session("x-creator-claude", vec![pane(7, Vec::new())])]).words().is_empty());
}

#[test]
fn of_the_sessions_that_show_one_agent_only_the_oldest_is_registered_and_none_if_an_entry_has_it() {
    let shown = |name: &str, age| {
        let panes = vec![pane(7, vec![agent(7).proves(Rung::Registry, "b3a7")])];
        MuxSession { created: Some(ago(age)), ..session(name, panes) }
    };
    let group = || vec![shown("a-creator-claude", 60), shown("b-creator-claude", 90), shown("c-creator-claude", 90)];
    let found = scene(manifest("version: 1\nsessions: []\n"), group());
    let drifts = found.drifts();
    assert_eq!(drifts.iter().map(|drift| drift.session.name.as_str()).collect::<Vec<_>>(), ["b-creator-claude"]);
    assert!(found.edits()[0].contains(r#""session_id":"b3a7""#));
    let verdict = super::super::classify(&found.world()).found.into_iter().map(|found| found.view_of);
    assert_eq!(verdict.collect::<Vec<_>>(), [Some("b-creator-claude".to_owned()), None, Some("b-creator-claude".to_owned())]);
    for suspend in ["", ", suspend: true"] {
        let fields = format!(", status: running, session_id: b3a7{PANE}{suspend}");
        let declared = scene(one(&fields), group().into_iter().chain([shown("s", 30)]).collect());
        assert!(declared.words().is_empty(), "{:?}", declared.words());
    }
}

#[test]
fn a_session_that_also_shows_another_session_s_window_is_registered_with_its_own_agent_in_the_same_pass() {
    let linked = session("a-creator-claude", vec![pane(7, vec![agent(7)]), pane(8, vec![agent(8)])]);
    let scene = scene(manifest("version: 1\nsessions: []\n"), vec![linked, claude("b-creator-claude", 8)]);
    assert_eq!(scene.words(), ["unregistered:record", "unregistered:record"]);
    assert!(scene.edits()[0].contains(r#""pid":7"#) && scene.edits()[1].contains(r#""pid":8"#), "{:?}", scene.edits());
}

#[test]
fn a_session_whose_conversation_could_not_be_told_is_not_registered_yet() {
    let hidden = agent(7).reads(Rung::Registry, Fact::Unknown("no permission".to_owned()));
    let scene = scene(manifest("version: 1\nsessions: []\n"), vec![session("x-creator-claude", vec![pane(7, vec![hidden])])]);
    let world = scene.world();
    let verdict = super::super::classify(&world);
    assert!(verdict.drifts.is_empty());
    assert_eq!(verdict.unknown[0].scope(), "x-creator-claude");
    assert!(verdict.unknown[0].why.contains("no permission"), "{:?}", verdict.unknown);
}

#[test]
fn a_registered_session_is_written_in_the_dialect_of_the_file() {
    let found = || session("x-creator-claude", vec![pane(7, vec![agent(7).proves(Rung::Registry, "b3a7")])]);
    assert_eq!(
        scene(manifest("version: 1\nsessions: []\n"), vec![found()]).edits(),
        [concat!(
            r#"sessions[0]={"name":"x-creator-claude","agent":"claude","cwd":"/w","status":"running","session_id":"b3a7","#,
            r#""pane":{"id":"%7","pid":7,"cmd":"claude","cwd":"/w"},"last_visible_status":"auto-registered"}"#
        )]
    );
    assert_eq!(
        scene(manifest("sessions: []\n"), vec![found()]).edits(),
        [concat!(
            r#"sessions[0]={"tmux_session":"x-creator-claude","agent":"claude","workspace":"/w","status":"running","#,
            r#""claude_session_id_own":"b3a7","pane":{"id":"%7","pid":7,"cmd":"claude","cwd":"/w"},"#,
            r#""last_visible_status":"auto-registered"}"#
        )]
    );
}

#[test]
fn suspended_and_foreign_entries_are_not_judged_but_keep_their_names() {
    for fields in [", suspend: true, status: running", ", host: elsewhere, status: running"] {
        assert!(scene(one(fields), Vec::new()).words().is_empty(), "{fields}");
    }
    let text = "version: 1\nsessions:\n  - { name: x-creator-claude, agent: claude, suspend: true }\n";
    assert!(scene(manifest(text), vec![claude("x-creator-claude", 7)]).words().is_empty());
}

#[test]
fn an_ignored_class_is_still_listed() {
    assert_eq!(scene(one(", status: running, ignore: [dead]"), Vec::new()).words(), ["dead:ignored"]);
}

#[test]
fn a_server_known_under_two_names_is_one_server() {
    let text = "version: 1\nsessions:\n  - { name: x-creator-claude, agent: claude, server: /tmp/s, status: running, pane: { id: \"%7\", pid: 7 } }\n";
    let mut scene = scene(manifest(text), vec![claude("x-creator-claude", 7)]);
    let same = scene.observation.servers[&default_server()].clone();
    let mut key = default_server();
    key.server = "/tmp/s".to_owned();
    scene.observation.servers.insert(key, same);
    assert!(scene.words().is_empty(), "{:?}", scene.words());
}

#[test]
fn a_lost_transcript_is_flagged_unless_a_live_process_vouches_for_an_id_never_written() {
    let fields = format!(", status: running, session_id: b3a7{PANE}");
    let with = |agent| scene(one(&fields), vec![session("s", vec![pane(7, vec![agent])])]);
    let vouching = || agent(7).proves(Rung::Registry, "b3a7");
    assert!(with(vouching()).words().is_empty(), "the transcript is there");
    assert!(with(vouching()).transcript("b3a7", Fact::Absent).words().is_empty(), "no transcript yet");
    assert_eq!(with(agent(7)).transcript("b3a7", Fact::Absent).words(), ["stale-id:flag"]);
    let seen = SessionMemory { recorded_id: Some(id("b3a7")), transcript_seen: true, ..SessionMemory::default() };
    assert_eq!(with(vouching()).transcript("b3a7", Fact::Absent).remembers("s", seen.clone()).words(), ["stale-id:flag"]);
    // Only what was seen is called gone: an agent that was never prompted may never have written one.
    let matter = |scene: &Scene| super::super::classify(&scene.world()).drifts[0].matter.clone();
    assert!(matter(&with(agent(7)).transcript("b3a7", Fact::Absent)).ends_with("is nowhere on disk"));
    assert!(matter(&with(agent(7)).transcript("b3a7", Fact::Absent).remembers("s", seen)).ends_with("is gone"));
    let unreadable = with(agent(7)).transcript("b3a7", Fact::Unknown("no permission".to_owned()));
    assert!(unreadable.words().is_empty());
    assert_eq!(super::super::classify(&unreadable.world()).unknown.len(), 1);
}

#[test]
fn a_lost_transcript_accompanies_an_end_but_not_an_archive() {
    for (status, expected) in
        [("running", vec!["dead:record", "stale-id:flag"]), ("terminated", vec!["stale-id:flag"]), ("archived", vec![])]
    {
        let scene = scene(one(&format!(", status: {status}, session_id: b3a7")), Vec::new()).transcript("b3a7", Fact::Absent);
        assert_eq!(scene.words(), expected, "{status}");
    }
}

#[test]
fn a_transcript_is_not_missed_where_the_agent_that_ended_did_not_keep_its_files() {
    let gone = || scene(one(", status: running, session_id: b3a7"), Vec::new()).transcript("b3a7", Fact::Absent);
    let kept_in = |home: &str| SessionMemory { home: Some(home.into()), transcript_seen: true, ..SessionMemory::default() };
    assert_eq!(gone().remembers("s", kept_in(HOME)).words(), ["dead:record", "stale-id:flag"]);
    assert_eq!(gone().remembers("s", kept_in("/home/dev/other")).words(), ["dead:record"]);
    let alive = || scene(one(&format!(", status: running, session_id: b3a7{PANE}")), vec![claude("s", 7)]);
    let missing = alive().transcript("b3a7", Fact::Absent).remembers("s", kept_in("/home/dev/other"));
    assert_eq!(missing.words(), ["stale-id:flag"], "where a live one keeps its files is known");
    let world = missing.world();
    let memory = crate::core::drift::remember(&world, &super::super::classify(&world), std::iter::empty(), None);
    assert_eq!(memory.session(&world.manifest.sessions[0].key).and_then(|it| it.home.clone()), Some(HOME.into()));
}

#[test]
fn a_top_level_identity_is_checked_once_under_its_own_path() {
    let text = "agent_identities:\n  claude: { session_id: b3a7, project_cwd: /w }\nsessions:\n  - { tmux_session: s, agent: claude, workspace: /w, status: terminated }\n";
    let scene = scene(manifest(text), Vec::new()).transcript("b3a7", Fact::Absent);
    let drifts = scene.drifts();
    assert_eq!(drifts.len(), 1);
    assert_eq!(drifts[0].session.name, "agent_identities.claude.session_id");
    assert!(drifts[0].edits().is_empty());
}

#[test]
fn a_registered_session_is_written_so_that_the_defaults_do_not_move_it() {
    let text = "version: 1\ndefaults: { mux: zellij, server: canary, host: other }\nsessions: []\n";
    let mut scene = scene(manifest(text), vec![claude("x-creator-claude", 7)]);
    let edit = scene.edits().remove(0);
    for field in [r#""mux":"tmux""#, r#""server":"default""#, r#""host":"dev1""#] {
        assert!(edit.contains(field), "{field} in {edit}");
    }
    let entry: serde_json::Value = serde_json::from_str(edit.split_once('=').unwrap().1).unwrap();
    let document = serde_json::json!({ "version": 1, "defaults": { "mux": "zellij", "server": "canary", "host": "other" }, "sessions": [entry] });
    scene.manifest = manifest(&document.to_string());
    scene.observation.fallback_homes.push(Fact::Absent);
    assert!(scene.words().is_empty(), "{:?}", scene.words());
}

#[test]
fn a_name_tmux_spells_otherwise_is_the_same_session_unless_one_is_called_so_exactly() {
    let text = |names: &[&str]| {
        let entries: String =
            names.iter().map(|name| format!("  - {{ name: {name:?}, agent: claude, cwd: /w, status: running }}\n")).collect();
        manifest(&format!("version: 1\nsessions:\n{entries}"))
    };
    let there = || vec![claude("my_app-creator-claude", 7)];
    for name in ["my.app-creator-claude", "my:app-creator-claude", "my_app-creator-claude"] {
        assert_eq!(scene(text(&[name]), there()).words(), ["moved:record"], "{name}");
    }
    assert_eq!(scene(text(&["my-app-creator-claude"]), there()).words(), ["dead:record", "unregistered:record"]);
    // No tmux makes one, but if a server shows it, it is meant.
    let both = vec![claude("my_app-creator-claude", 7), claude("my.app-creator-claude", 8)];
    assert_eq!(scene(text(&["my.app-creator-claude"]), both).words(), ["moved:record", "unregistered:record"]);
}

#[test]
fn an_agent_is_not_gone_while_a_process_beside_another_agent_could_not_be_read() {
    let running = format!(", status: running{PANE}");
    let with = |unread: Option<&str>| {
        let other = pane(7, vec![agent(9).kind(AgentKind::Codex)]);
        scene(one(&running), vec![session("s", vec![Pane { unread: unread.map(str::to_owned), ..other }])])
    };
    assert_eq!(with(None).words(), ["agent-gone:flag"]);
    let scene = with(Some("permission denied"));
    assert!(scene.words().is_empty());
    let verdict = super::super::classify(&scene.world());
    assert_eq!(verdict.entries[0].unknown.as_deref(), Some("permission denied"));
}

#[test]
fn an_entry_with_a_mistyped_key_for_its_place_is_unknown_whatever_is_seen_there() {
    let alive_elsewhere = session("s", vec![pane(9, vec![agent(9).kind(AgentKind::Codex)])]);
    for sessions in [Vec::new(), vec![claude("s", 8)], vec![alive_elsewhere]] {
        let scene = scene(one(&format!(", tmux_sever: work, status: running{PANE}")), sessions);
        let world = scene.world();
        let verdict = super::super::classify(&world);
        assert!(verdict.drifts.is_empty(), "{:?}", verdict.drifts);
        let [unknown] = verdict.unknown.as_slice() else { panic!("{:?}", verdict.unknown) };
        assert_eq!(unknown.scope(), "s");
        assert!(unknown.why.contains("`tmux_sever`"), "{}", unknown.why);
    }
}

#[test]
fn nothing_is_registered_while_a_mistyped_key_may_say_that_it_has_an_entry_or_should_have_none() {
    let sessions = || vec![claude("ours-creator-claude", 7)];
    let words = |text: &str| scene(manifest(&format!("version: 1\n{text}")), sessions()).words();
    for text in [
        "sesions: {}\n",
        "discovry: { names: [mine-*] }\n",
        "discovery: { nams: [mine-*] }\n",
        "defaults: { tmux_sever: work }\n",
        "hostname: dev1\n",
    ] {
        assert_eq!(words(text), [] as [&str; 0], "{text}");
    }
    for text in ["sessions: []\nsession: x\n", "defaults: { tmux_sever: work, server: default }\n", "discovery: {}\n"] {
        assert_eq!(words(text), ["unregistered:record"], "{text}");
    }
}

#[test]
fn a_session_that_an_entry_in_doubt_may_mean_is_not_registered_beside_it() {
    let entry = |fields: &str| {
        manifest(&format!("version: 1\nsessions:\n  - {{ agent: claude, cwd: /w, status: running, {fields} }}\n"))
    };
    let ours = || vec![claude("ours-creator-claude", 7)];
    assert_eq!(scene(entry("name: other"), ours()).words(), ["dead:record", "unregistered:record"]);
    for fields in ["name: ours-creator-claude, server: /x/y, hots: z", "name: other, tmux_sesion: ours-creator-claude"] {
        let scene = scene(entry(fields), ours());
        assert_eq!(scene.words(), [] as [&str; 0], "{fields}");
        let world = scene.world();
        let unknown = super::super::classify(&world).unknown;
        let about: Vec<String> = unknown.iter().map(super::super::Unknown::scope).collect();
        assert!(about.contains(&"ours-creator-claude".to_owned()) && unknown.len() == 2, "{unknown:?}");
    }
}
