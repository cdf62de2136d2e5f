//! Whatever the world: a second pass is quiet, Unknown yields no edit, no conversation is given to two entries.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::*;
use crate::core::drift::{Class, Disposition, Presence, classify};
use crate::core::edit::{Edit, Segment};
use crate::core::fact::Fact;
use crate::core::manifest::select::Selection;
use crate::core::manifest::{Environment, Manifest, read};
use crate::core::observe::identity::Rung;
use crate::core::observe::{MuxSession, Server};
use crate::core::plan;

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// Status, id, pid of the pane, suspended.
type Recorded = (Option<&'static str>, Option<&'static str>, Option<u32>, bool);

/// What a live agent's ladder proves, and how many seconds after its start a transcript appeared.
type Living = (Option<(Rung, &'static str)>, Option<i64>);

/// One session of a random world, with or without an entry, alive or not.
#[derive(Debug, Clone)]
struct Lane {
    entry: Option<Recorded>,
    alive: Option<Vec<Living>>,
    hidden: bool,
    /// Whether another session, without an entry, shows the same windows.
    grouped: bool,
}

fn an_id() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&IDS[..])
}

fn lane() -> impl Strategy<Value = Lane> {
    let status = proptest::option::of(proptest::sample::select(&["running", "stopped", "terminated", "archived"][..]));
    let entry = (status, proptest::option::of(an_id()), proptest::option::of(1u32..9), proptest::bool::weighted(0.1));
    let rung = proptest::sample::select(&Rung::ALL[..4]);
    let agent = (proptest::option::of((rung, an_id())), proptest::option::of(-3i64..40));
    let alive = proptest::collection::vec(agent, 0..3);
    let (entry, alive) = (proptest::option::weighted(0.8, entry), proptest::option::weighted(0.7, alive));
    (entry, alive, proptest::bool::weighted(0.1), proptest::bool::weighted(0.2))
        .prop_map(|(entry, alive, hidden, grouped)| Lane { entry, alive, hidden, grouped })
}

fn document(lanes: &[Lane], old: bool) -> Value {
    let mut sessions = Vec::new();
    for (index, lane) in lanes.iter().enumerate() {
        let Some((status, id, pane, suspend)) = &lane.entry else { continue };
        let key = if old { "claude_session_id_own" } else { "session_id" };
        let mut entry = json!({ "name": format!("x{index}-creator-claude"), "agent": "claude", "cwd": "/w", key: id });
        if let Some(status) = status {
            entry["status"] = json!(status);
        }
        if let Some(pid) = pane {
            entry["pane"] = json!({ "id": format!("%{pid}"), "pid": pid, "note": "kept" });
        }
        if *suspend {
            entry["suspend"] = json!(true);
        }
        sessions.push(entry);
    }
    if old { json!({ "sessions": sessions }) } else { json!({ "version": 1, "sessions": sessions }) }
}

pub(super) fn model(document: &Value) -> Manifest {
    let value = serde_yaml::to_value(document).unwrap();
    let environment = Environment { home: "/home/dev".into(), host: HOST.to_owned() };
    read(&value, &value, &environment).unwrap().0
}

fn sessions(lanes: &[Lane]) -> Vec<MuxSession> {
    let mut all = Vec::new();
    let mut pid = 0;
    for (index, lane) in lanes.iter().enumerate() {
        let Some(agents) = &lane.alive else { continue };
        let mut panes = Vec::new();
        for (proof, appeared) in agents {
            pid += 1;
            let mut one = agent(pid);
            if let Some((rung, text)) = proof {
                one = one.proves(*rung, text);
            }
            if let Some(after) = appeared {
                one = one.appeared(&[(IDS[pid as usize % IDS.len()], *after)]);
            }
            panes.push(pane(pid, vec![one]));
        }
        pid += 1;
        panes.push(pane(pid, Vec::new()));
        if lane.hidden {
            panes.last_mut().unwrap().agents = Fact::Unknown("hidden".to_owned());
        }
        if lane.grouped {
            all.push(session(&format!("view{index}-creator-claude"), panes.clone()));
        }
        all.push(session(&format!("x{index}-creator-claude"), panes));
    }
    all
}

/// Applies edits to a document the way they are meant.
pub(super) fn apply(document: &mut Value, edits: &[Edit]) {
    for edit in edits {
        let (parent, last) = edit.path.split_last().unwrap();
        let node = parent.0.iter().fold(&mut *document, |node, segment| match segment {
            Segment::Key(key) => node.get_mut(key).unwrap(),
            Segment::Index(index) => node.get_mut(index).unwrap(),
        });
        let to = edit.to.clone().unwrap();
        match last {
            Segment::Key(key) => {
                assert_eq!(node.get(key).cloned(), edit.from, "{}", edit.path);
                node[key] = to;
            }
            Segment::Index(index) => {
                assert_eq!(node.as_array().unwrap().len(), *index, "a new entry goes to the end");
                node.as_array_mut().unwrap().push(to);
            }
        }
    }
}

fn pass(scene: &Scene, selection: &Selection) -> plan::Plan {
    let world = scene.world();
    let verdict = classify(&world);
    plan::make(&scene.manifest, &verdict, selection)
}

/// What the next pass knows of the one made on this scene.
fn remembered(scene: &Scene) -> crate::core::memory::Memory {
    let world = scene.world();
    let verdict = classify(&world);
    let outcome = crate::core::report::make::ReportInputs {
        manifest: "/m",
        dry_run: false,
        plan: &plan::Plan::default(),
        diff: "",
        reported: &std::collections::BTreeSet::new(),
        first_seen: &std::collections::BTreeMap::new(),
        selection: &Selection::default(),
    };
    let report = crate::core::report::make::make(&world, &verdict, &outcome);
    let mut memory = crate::core::drift::remember(&world, &verdict, report.drifts.iter().map(|drift| drift.id.as_str()), None);
    let plan = plan::make(&scene.manifest, &verdict, &Selection::default());
    crate::core::drift::note_written(&mut memory, &world, &verdict, &plan.given_ids(&scene.manifest, &verdict));
    memory
}

/// Ids held by two live entries, by the entries' names.
fn shared_ids(scene: &Scene) -> Vec<String> {
    let all = &scene.manifest.sessions;
    let name = |(one, other): (usize, usize)| {
        format!("{} {} {:?}", all[one].key.name, all[other].key.name, all[one].recorded.session_id)
    };
    live_pairs(scene).into_iter().map(name).collect()
}

/// The pairs of live entries that record one id.
fn live_pairs(scene: &Scene) -> Vec<(usize, usize)> {
    let world = scene.world();
    let verdict = classify(&world);
    let lives = |index: usize| matches!(verdict.entries[index].presence, Presence::Alive(_) | Presence::Several { .. });
    let mut shared = Vec::new();
    for one in &scene.manifest.sessions {
        for other in &scene.manifest.sessions {
            let same = one.recorded.session_id.is_some() && one.recorded.session_id == other.recorded.session_id;
            if same && one.index < other.index && lives(one.index) && lives(other.index) {
                shared.push((one.index, other.index));
            }
        }
    }
    shared
}

fn rebuilt(document: &Value, sessions: Vec<MuxSession>, server: Option<Fact<Server>>) -> Scene {
    let scene = scene(model(document), sessions);
    match server {
        Some(server) => scene.server(server),
        None => scene,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_second_pass_is_quiet_and_no_pass_shares_a_conversation(
        lanes in proptest::collection::vec(lane(), 1..5),
        old in any::<bool>(),
        only in proptest::option::weighted(0.3, 0usize..5),
    ) {
        let mut text = document(&lanes, old);
        let selection = Selection {
            names: only.map(|index| format!("x{index}-*")).into_iter().collect(),
            ..Selection::default()
        };
        let before = rebuilt(&text, sessions(&lanes), None);
        let shared_before = shared_ids(&before);
        let first = pass(&before, &selection);
        apply(&mut text, &first.edits());
        let mut after = rebuilt(&text, sessions(&lanes), None);
        after.memory = remembered(&before);
        for shared in shared_ids(&after) {
            prop_assert!(shared_before.contains(&shared), "{shared} after {:?}", first.edits());
        }
        let world = after.world();
        let verdict = classify(&world);
        let has = |index: usize, class: Class| {
            let key = &after.manifest.sessions[index].key;
            verdict.drifts.iter().any(|drift| drift.session == *key && drift.class == class)
        };
        for (one, other) in live_pairs(&after) {
            // One that is proven to be in another conversation, and not yet recorded there, contests nothing.
            let leaves = |index| has(index, Class::NewId);
            let is_reported = |index: usize| {
                has(index, Class::Ambiguous)
                    || leaves(index)
                    || verdict.entries[index].unknown.is_some()
                    || after.manifest.sessions[index].suspend
            };
            let is_told = is_reported(one) && is_reported(other) || leaves(one) || leaves(other);
            prop_assert!(is_told, "{:?} share their conversation and are in order", shared_ids(&after));
        }
        let second = pass(&after, &selection);
        prop_assert_eq!(second.edits(), Vec::new(), "second pass after {:?}", first.edits());
    }

    #[test]
    fn a_server_that_does_not_answer_yields_no_edit(lanes in proptest::collection::vec(lane(), 1..5)) {
        let text = document(&lanes, false);
        let scene = rebuilt(&text, Vec::new(), Some(Fact::Unknown("timed out".to_owned())));
        prop_assert!(pass(&scene, &Selection::default()).edits().is_empty());
        prop_assert!(scene.drifts().iter().all(|drift| drift.disposition != Disposition::Record));
    }

    #[test]
    fn every_edit_starts_from_what_stands_in_the_manifest(lanes in proptest::collection::vec(lane(), 1..5), old in any::<bool>()) {
        let mut text = document(&lanes, old);
        let edits = pass(&rebuilt(&text, sessions(&lanes), None), &Selection::default()).edits();
        apply(&mut text, &edits);
        model(&text);
    }
}
