//! From a verdict and what became of it to a [`Report`]. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Counts, DriftReport, DriftState, EditReport, Report, SCHEMA, UnknownReport};
use crate::core::drift::{About, Disposition, Drift, Fingerprint, Inputs, Unknown, Verdict};
use crate::core::edit::Edit;
use crate::core::manifest::select::Selection;
use crate::core::manifest::{Manifest, Session};
use crate::core::plan::{Plan, Selected, Step};
use crate::core::text::printable;

/// What a report needs to know beside the verdict.
#[derive(Debug, Clone, Copy)]
pub struct ReportInputs<'a> {
    /// The absolute path of the manifest.
    pub manifest: &'a str,
    /// Whether the pass was a dry run.
    pub dry_run: bool,
    /// What was planned; its steps were applied unless it is a dry run.
    pub plan: &'a Plan,
    /// The unified diff of the manifest.
    pub diff: &'a str,
    /// The fingerprints last reported to this consumer.
    pub reported: &'a BTreeSet<String>,
    /// When each fingerprint was first seen.
    pub first_seen: &'a BTreeMap<String, DateTime<Utc>>,
    /// What the command was asked about.
    pub selection: &'a Selection,
}

/// The report of a pass.
pub fn make(world: &Inputs<'_>, verdict: &Verdict, outcome: &ReportInputs<'_>) -> Report {
    let selected = Selected::new(world.manifest, outcome.selection);
    let steps = outcome.plan.by_drift();
    let drifts: Vec<DriftReport> = verdict
        .drifts
        .iter()
        .filter(|drift| selected.covers(drift))
        .map(|drift| drift_report(world, drift, &steps, outcome))
        .collect();
    let unknown: Vec<UnknownReport> = verdict
        .unknown
        .iter()
        .filter(|unknown| is_asked_about(world, unknown, &selected, outcome.selection))
        .map(|unknown| UnknownReport {
            scope: printable(&unknown.scope()).into_owned(),
            why: printable(&unknown.why).into_owned(),
        })
        .collect();
    let counted = drifts.iter().filter(|drift| drift.state != DriftState::Ignored);
    let counts = Counts {
        drifts: counted.clone().count(),
        new: counted.clone().filter(|drift| drift.new).count(),
        applied: counted.clone().filter(|drift| drift.state == DriftState::Applied).count(),
        ..entry_counts(world.manifest, verdict, outcome.selection)
    };
    Report {
        schema: SCHEMA.to_owned(),
        manifest: outcome.manifest.to_owned(),
        host: world.observation.host.clone(),
        observed_at: world.observation.at,
        dry_run: outcome.dry_run,
        in_sync: counts.drifts == 0 && counts.unknown == 0 && unknown.is_empty(),
        counts,
        drifts,
        unknown,
        diff: outcome.diff.to_owned(),
    }
}

/// Whether something unknown keeps a selected session from being told: its own, or its server. Discovery asks about a server only
/// if no sessions are named.
fn is_asked_about(world: &Inputs<'_>, unknown: &Unknown, selected: &Selected<'_>, selection: &Selection) -> bool {
    let covers = |entry: &Session| selection.covers(&entry.key.name, entry.agent, &entry.labels);
    match &unknown.about {
        About::Server(server) => {
            (selection.covers_discovery() && world.is_searched(server))
                || world.needs(server).any(|entry| world.is_judged(entry) && covers(entry))
        }
        About::Session(key, agents) => match selected.entry(key) {
            Some(entry) => covers(entry),
            None => agents.iter().any(|agent| selection.covers(&key.name, *agent, &BTreeMap::new())),
        },
    }
}

/// The counts of the selected entries.
fn entry_counts(manifest: &Manifest, verdict: &Verdict, selection: &Selection) -> Counts {
    let judged = || {
        manifest
            .sessions
            .iter()
            .zip(&verdict.entries)
            .filter(|(session, entry)| entry.judged && selection.covers(&session.key.name, session.agent, &session.labels))
    };
    Counts {
        declared: judged().count(),
        running: judged().filter(|(_, entry)| entry.presence.has_agent()).count(),
        unknown: judged().filter(|(_, entry)| entry.unknown.is_some()).count(),
        ..Counts::default()
    }
}

fn drift_report(
    world: &Inputs<'_>,
    drift: &Drift,
    steps: &HashMap<&Fingerprint, &Step>,
    outcome: &ReportInputs<'_>,
) -> DriftReport {
    let fingerprint = drift.fingerprint();
    let step = steps.get(&fingerprint);
    let refusal = outcome.plan.refused.get(&fingerprint);
    let (state, settles_at) = match (drift.disposition, step, refusal) {
        (Disposition::Ignored, ..) => (DriftState::Ignored, None),
        (Disposition::Flag, ..) => (DriftState::Flagged, None),
        (Disposition::Settling(until), ..) => (DriftState::Settling, Some(until)),
        (Disposition::Record, _, Some(_)) => (DriftState::Refused, None),
        (Disposition::Record, Some(_), None) if !outcome.dry_run => (DriftState::Applied, None),
        (Disposition::Record, ..) => (DriftState::Pending, None),
    };
    let id = fingerprint.to_string();
    let edits = step.map_or(drift.edits(), |step| step.edits());
    DriftReport {
        class: drift.class,
        code: drift.class.code(),
        state,
        session: drift.session.clone(),
        agent: drift.agent,
        message: drift.message(state == DriftState::Applied),
        evidence: drift.evidence.clone(),
        edits: edits.iter().map(edit_report).collect(),
        settles_at,
        refusal: refusal.map(|why| printable(why).into_owned()),
        new: !outcome.reported.contains(&id),
        first_seen: outcome.first_seen.get(&id).copied().unwrap_or(world.observation.at),
        id,
    }
}

/// An edit as reports and the journal show it.
pub fn edit_report(edit: &Edit) -> EditReport {
    let value = |value: &Option<Value>| value.clone().unwrap_or(Value::Null);
    EditReport { path: edit.path.to_string(), from: value(&edit.from), to: value(&edit.to) }
}
