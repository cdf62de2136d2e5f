//! Which steps may not be taken together, held against the rule as one would write it down.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::drift::{Class, EntryVerdict, Presence, Recording};
use crate::core::edit::Path;
use crate::core::ids::AgentKind;
use crate::core::manifest::names::top;
use crate::core::manifest::{Environment, read};
use crate::core::observe::MuxSession;

/// One entry: the id it records, whether it lives, and the id it is to get.
#[derive(Debug, Clone)]
struct Lane {
    recorded: Option<u8>,
    lives: bool,
    gets: Option<u8>,
}

fn name(id: u8) -> String {
    format!("id-{id}")
}

fn manifest(lanes: &[Lane]) -> Manifest {
    let entry = |(index, lane): (usize, &Lane)| {
        let id = lane.recorded.map_or_else(|| "null".to_owned(), name);
        format!("  - {{ name: s{index}, agent: claude, cwd: /w, session_id: {id} }}\n")
    };
    let text = format!("version: 1\nsessions:\n{}", lanes.iter().enumerate().map(entry).collect::<String>());
    let raw: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    read(&raw, &raw, &Environment { home: "/h".into(), host: "h".into() }).unwrap().0
}

fn verdict(manifest: &Manifest, lanes: &[Lane]) -> Verdict {
    let session = Arc::new(MuxSession { id: "$1".into(), name: "s".into(), created: None, process: None, panes: Vec::new() });
    let entry = |lane: &Lane| {
        let alive = Presence::Several { session: Arc::clone(&session), candidates: Vec::new() };
        let gone = Presence::Absent { how: "gone".into() };
        EntryVerdict::at(true, if lane.lives { alive } else { gone })
    };
    let drift = |(session, lane): (&Session, &Lane)| {
        let path = Path::root().key(top::SESSIONS).index(session.index).key("session_id");
        let edit = Edit::new(path, session.recorded.session_id.as_ref().map(|id| json!(id)), Some(json!(name(lane.gets?))));
        Some(Drift {
            class: Class::NewId,
            session: session.key.clone(),
            agent: AgentKind::Claude,
            matter: String::new(),
            remedy: Remedy::Record { edits: vec![edit], how: Recording::Id },
            detail: String::new(),
            evidence: Vec::new(),
            disposition: Disposition::Record,
        })
    };
    let drifts = manifest.entries().zip(lanes).filter_map(drift).collect();
    Verdict { entries: lanes.iter().map(entry).collect(), found: Vec::new(), drifts, unknown: Vec::new() }
}

/// The entries that may not get their id, by the rule itself: again and again the first one that would get what an earlier one
/// gets, or what another live entry would hold once all that is left was given.
fn refused(lanes: &[Lane]) -> BTreeSet<usize> {
    let mut gifts: BTreeMap<usize, u8> = lanes.iter().enumerate().filter_map(|(at, lane)| Some((at, lane.gets?))).collect();
    let mut refused = BTreeSet::new();
    loop {
        let held = |at: usize| gifts.get(&at).copied().or(lanes[at].recorded);
        let twice = gifts.iter().find(|(at, id)| gifts.iter().any(|(other, same)| other < at && same == *id));
        let stolen = || {
            gifts
                .iter()
                .find(|(at, id)| (0..lanes.len()).any(|other| other != **at && lanes[other].lives && held(other) == Some(**id)))
        };
        let Some(at) = twice.or_else(stolen).map(|(at, _)| *at) else { return refused };
        gifts.remove(&at);
        refused.insert(at);
    }
}

fn lane() -> impl Strategy<Value = Lane> {
    let id = || proptest::option::of(0..5_u8);
    (id(), any::<bool>(), id()).prop_map(|(recorded, lives, gets)| Lane { recorded, lives, gets })
}

proptest! {
    #[test]
    fn no_step_gives_an_entry_what_another_live_one_goes_on_holding(lanes in prop::collection::vec(lane(), 0..9)) {
        let manifest = manifest(&lanes);
        let verdict = verdict(&manifest, &lanes);
        let plan = make(&manifest, &verdict, &Selection::default());
        let index_of = |fingerprint: &Fingerprint| {
            let drift = verdict.drifts.iter().find(|drift| drift.fingerprint() == *fingerprint).unwrap();
            manifest.find(&drift.session).unwrap().index
        };
        let got: BTreeSet<usize> = plan.refused.keys().map(index_of).collect();
        prop_assert_eq!(got, refused(&lanes));
        prop_assert_eq!(plan.steps.len() + plan.refused.len(), verdict.drifts.len());
    }
}

#[test]
fn an_exchange_is_one_plan_and_falls_whole_where_one_of_a_chain_cannot_be_given() {
    let lane = |recorded, lives, gets| Lane { recorded, lives, gets };
    let exchange = [lane(Some(0), true, Some(1)), lane(Some(1), true, Some(0))];
    assert_eq!(refused(&exchange), BTreeSet::new());
    let chain = [lane(Some(0), true, Some(1)), lane(Some(1), true, Some(2)), lane(Some(2), true, None)];
    assert_eq!(refused(&chain), BTreeSet::from([0, 1]));
}
