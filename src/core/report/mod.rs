//! The report of a pass, version 1. Pure: values in, values out; rendering is elsewhere.

pub mod describe;
pub mod explain;
pub mod history;
pub mod make;
pub mod rows;
pub mod said;
pub mod screen;
pub mod status;
pub mod task;
mod would_change;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::drift::{Class, Evidence};
use super::ids::{AgentKind, SessionKey};
use super::text::seconds;

/// The value of a report's `schema` field. Within `v1` fields are only ever added.
pub const SCHEMA: &str = "headcount/report/v1";

/// What one pass found and did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always `headcount/report/v1`.
    pub schema: String,
    /// The absolute path of the manifest.
    pub manifest: String,
    /// The host that was observed.
    pub host: String,
    /// When it was observed, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub observed_at: DateTime<Utc>,
    /// Whether the pass was a dry run.
    pub dry_run: bool,
    /// No drift and nothing unknown.
    pub in_sync: bool,
    /// How many of what.
    pub counts: Counts,
    /// The drifts, in the order of the manifest, then the unregistered sessions.
    pub drifts: Vec<DriftReport>,
    /// What is unknown, and why.
    pub unknown: Vec<UnknownReport>,
    /// The unified diff of the manifest that was, or would be, written; empty if nothing changes. `patch` applies it.
    pub diff: String,
}

/// The counts of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Entries judged on this host.
    pub declared: usize,
    /// Of those, the ones alive with their agent.
    pub running: usize,
    /// Drifts, without ignored ones.
    pub drifts: usize,
    /// Drifts not yet reported to this consumer.
    pub new: usize,
    /// Drifts recorded by this pass.
    pub applied: usize,
    /// Entries with an unknown fact that kept a class from being judged.
    pub unknown: usize,
}

/// One drift as reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftReport {
    /// A fingerprint that stays the same as long as it is the same drift.
    pub id: String,
    /// Its class.
    pub class: Class,
    /// The letter of the class, A to I.
    pub code: char,
    /// What became of it.
    pub state: DriftState,
    /// The session it is about.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// One line, ready to post as a comment.
    pub message: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// The edits that answer it.
    pub edits: Vec<EditReport>,
    /// When a settling drift will be decided.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub settles_at: Option<DateTime<Utc>>,
    /// Why a refused drift was refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<String>,
    /// Whether this consumer has not been told of it yet.
    pub new: bool,
    /// When it was first seen, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub first_seen: DateTime<Utc>,
}

/// What became of a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftState {
    /// A pass that records would record it.
    Pending,
    /// It waits until the world or a person has settled.
    Settling,
    /// It was recorded.
    Applied,
    /// It is only shown.
    Flagged,
    /// It could not be recorded; the reason is beside it.
    Refused,
    /// The entry says to ignore it.
    Ignored,
}

/// One edit as reported. `null` stands both for a null value and for a node that is not there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EditReport {
    /// Where, for instance `sessions[2].status`.
    pub path: String,
    /// What stands there.
    pub from: Value,
    /// What shall stand there.
    pub to: Value,
}

/// An unknown fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnknownReport {
    /// What it is about: `tmux:canary`, or a session's name.
    pub scope: String,
    /// Why.
    pub why: String,
}
