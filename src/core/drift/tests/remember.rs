//! What is forgotten and what counts while something is out of sight.

use std::collections::{BTreeMap, BTreeSet};

use super::world::*;
use crate::core::drift::{Class, classify, remember};
use crate::core::fact::Fact;
use crate::core::ids::ServerKey;
use crate::core::manifest::select::Selection;
use crate::core::memory::Memory;
use crate::core::observe::identity::Rung;
use crate::core::plan::Plan;
use crate::core::report::Report;
use crate::core::report::make::{ReportInputs, make};

/// What a pass leaves, told to the consumer `c`; and how much it told as new.
fn pass(scene: &Scene) -> (Memory, usize) {
    let world = scene.world();
    let report = report(scene, &Selection::default());
    (remember(&world, &classify(&world), report.drifts.iter().map(|drift| drift.id.as_str()), Some("c")), report.counts.new)
}

fn report(scene: &Scene, selection: &Selection) -> Report {
    let world = scene.world();
    let verdict = classify(&world);
    let none = BTreeSet::new();
    let outcome = ReportInputs {
        manifest: "/m",
        dry_run: true,
        plan: &Plan::default(),
        diff: "",
        reported: scene.memory.reported.get("c").unwrap_or(&none),
        first_seen: &BTreeMap::new(),
        selection,
    };
    make(&world, &verdict, &outcome)
}

#[test]
fn a_silent_server_counts_only_for_what_was_asked_about_it() {
    let silent = || Fact::Unknown("timed out".to_owned());
    let named = |name: &str| Selection { names: vec![name.to_owned()], ..Selection::default() };
    let of = |scene: &Scene, selection: &Selection| {
        let report = report(scene, selection);
        (report.unknown.len(), report.in_sync)
    };
    let all = Selection::default();
    let recorded = "version: 1\nsessions:\n  - { name: s, agent: claude, status: running, pane: { id: \"%7\", pid: 7 } }\n  - { name: far, agent: claude, server: canary, status: running }\n";
    let mut scene = two(vec![claude("s", 7)], silent());
    scene.manifest = manifest(recorded);
    assert_eq!(of(&scene, &all), (1, false));
    assert_eq!(of(&scene, &named("s")), (0, true));
    assert_eq!(of(&scene, &named("f*")), (1, false));
    entry(&mut scene.manifest, 1).suspend = true;
    assert_eq!(of(&scene, &all), (0, true), "nothing that is judged needs it");
    let scene = scene.server(silent());
    assert_eq!(of(&scene, &named("s")), (1, false));
    let mut scene = scene;
    entry(&mut scene.manifest, 0).suspend = true;
    assert_eq!(of(&scene, &all), (1, false), "discovery needs the default server");
    assert_eq!(of(&scene, &named("s")), (0, true));
    let deaths = Selection { classes: vec![Class::Dead], ..Selection::default() };
    assert_eq!(of(&scene, &deaths), (0, true), "discovery was not asked for");
}

fn two(sessions: Vec<crate::core::observe::MuxSession>, other: Fact<crate::core::observe::Server>) -> Scene {
    let text = "version: 1\nsessions:\n  - { name: s, agent: claude, status: running }\n  - { name: far, agent: claude, server: canary, status: running }\n";
    let mut scene = scene(manifest(text), sessions);
    scene.observation.servers.insert(ServerKey { server: "canary".to_owned(), ..default_server() }, other);
    scene
}

#[test]
fn a_server_that_does_not_answer_holds_back_only_its_own_sessions() {
    let bare = || vec![session("s", vec![pane(7, Vec::new())])];
    let silent = || Fact::Unknown("timed out".to_owned());
    let run = |sessions, other, memory| {
        let mut scene = two(sessions, other);
        scene.memory = memory;
        pass(&scene)
    };
    let (memory, new) = run(bare(), Fact::Absent, Memory::default());
    assert_eq!((memory.reported["c"].len(), new), (2, 2), "agent-gone and dead");
    let (memory, new) = run(vec![claude("s", 7)], silent(), memory);
    assert_eq!(new, 1, "its pane");
    let about = |memory: &Memory| memory.about.values().map(|key| key.name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(about(&memory), BTreeSet::from(["far".to_owned(), "s".to_owned()]));
    let (memory, new) = run(bare(), silent(), memory);
    assert_eq!(new, 1, "it went away in plain sight, and came back");
    let (memory, new) = run(bare(), Fact::Absent, memory);
    assert_eq!(new, 0, "this one was only out of sight");
    assert_eq!((memory.about.len(), memory.first_seen.len(), memory.reported["c"].len()), (2, 2, 2));
}

#[test]
fn what_an_older_version_remembered_is_kept_until_everything_is_in_sight() {
    let old =
        || Memory { reported: BTreeMap::from([("c".to_owned(), BTreeSet::from(["f00".to_owned()]))]), ..Memory::default() };
    for (other, kept) in [(Fact::Unknown("timed out".to_owned()), true), (Fact::Absent, false)] {
        let mut scene = two(Vec::new(), other);
        scene.memory = old();
        assert_eq!(pass(&scene).0.reported["c"].contains("f00"), kept);
    }
}

#[test]
fn a_doubt_outlives_the_session_until_something_proves_its_conversation_or_a_person_writes_another() {
    let entry = |id: &str| one(&format!(", status: running, session_id: {id}"));
    let pass = |text: &str, sessions, memory: &Memory| {
        let mut scene = scene(entry(text), sessions);
        scene.memory = memory.clone();
        let world = scene.world();
        remember(&world, &classify(&world), std::iter::empty(), None)
    };
    let doubt = |memory: &Memory| memory.sessions.values().next().and_then(|session| session.doubt.clone());
    let first = pass("x", vec![claude("s", 1)], &Memory::default());
    assert_eq!(doubt(&first), None);
    let doubted = pass("x", vec![claude("s", 2)], &first);
    assert!(doubt(&doubted).is_some_and(|why| why.contains("recorded for pid 1")), "{doubted:?}");
    let ended = pass("x", Vec::new(), &doubted);
    assert_eq!(doubt(&ended), doubt(&doubted));
    let mut scene = scene(entry("x"), Vec::new());
    scene.memory = ended.clone();
    let world = scene.world();
    let verdict = classify(&world);
    let plan = Plan::default();
    let outcome = ReportInputs {
        manifest: "/m",
        dry_run: true,
        plan: &plan,
        diff: "",
        reported: &BTreeSet::new(),
        first_seen: &BTreeMap::new(),
        selection: &Selection::default(),
    };
    let report = make(&world, &verdict, &outcome);
    let resume = |it: &crate::core::report::rows::Resumable<'_>| Ok(format!("claude --resume {}", it.id));
    let rows = crate::core::report::rows::rows(&world, &verdict, &report, &Selection::default(), &resume);
    let row = &rows[0].row;
    assert_eq!(row.doubt, doubt(&ended));
    assert!(row.resume.is_some() && row.note.as_ref().is_some_and(|note| note.contains("doubtful")), "{row:?}");
    let lines = crate::core::report::explain::explain(&world, &rows[0], &report).observed;
    assert!(lines.iter().any(|line| line.contains("doubtful")), "{lines:?}");
    let proven = session("s", vec![pane(3, vec![agent(3).proves(Rung::Registry, "x")])]);
    assert_eq!(doubt(&pass("x", vec![proven], &ended)), None);
    assert_eq!(doubt(&pass("y", Vec::new(), &ended)), None);
}
