//! What differs between a manifest and an observation. Pure: decides, never acts; one file per class.

mod agent_gone;
mod ambiguous;
mod classify;
mod dead;
mod delegated;
mod identity;
mod locate;
mod moved;
mod new_id;
mod ownership;
mod presence;
mod remember;
mod revived;
mod settle;
mod stale_id;
#[cfg(test)]
mod tests;
mod unregistered;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use super::class::Class;
use super::edit::Edit;
use super::ids::{AgentKind, SessionKey};
use super::job::Job;
use super::manifest::{Manifest, Session, Status};
use super::memory::Memory;
use super::observe::Observation;
use super::text::printable;
pub use classify::{About, Continued, EntryVerdict, Unknown, Unregistered, Verdict, classify};
pub use delegated::delegations;
pub use identity::{Candidate, Identity};
pub use presence::{LiveAgent, Presence};
pub use remember::{note_written, remember};

/// Everything a classification looks at. Equal values give equal verdicts: the time is that of the observation.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What is declared and recorded.
    pub manifest: &'a Manifest,
    /// When the manifest's text was last changed: everything in it was written by then.
    pub manifest_modified: Option<DateTime<Utc>>,
    /// What was seen.
    pub observation: &'a Observation,
    /// What earlier passes saw.
    pub memory: &'a Memory,
    /// The delegated jobs of the registry; none if it could not be read.
    pub jobs: &'a [Job],
    /// How long the world and people are given to settle (`--settle`).
    pub settle: TimeDelta,
    /// When a person was seen to have changed an entry, beside what the entry's own stamps say.
    pub touched: &'a BTreeMap<SessionKey, DateTime<Utc>>,
    /// When headcount stopped a session last, of those that it ever did.
    pub stops: &'a BTreeMap<SessionKey, DateTime<Utc>>,
    /// The sessions without an entry that a person left running when their entries were taken out.
    pub left: &'a BTreeSet<SessionKey>,
}

impl Inputs<'_> {
    /// When headcount stopped the session of an entry, if nobody saw it alive since.
    pub(crate) fn stopped_at(&self, entry: &Session) -> Option<DateTime<Utc>> {
        // The look before the end of the agent may have begun a moment before that was noted.
        const SLACK: TimeDelta = TimeDelta::seconds(2);
        let at = *self.stops.get(&entry.key)?;
        let last_alive = self.memory.session(&entry.key).and_then(|memory| memory.last_alive);
        last_alive.is_none_or(|alive| alive <= at + SLACK).then_some(at)
    }
}

/// One difference between the manifest and the world, with the change that would answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Its class.
    pub class: Class,
    /// The session it is about.
    pub session: SessionKey,
    /// The agent of that session.
    pub agent: AgentKind,
    /// What is the matter, one line without the session's name, for instance `tmux gone (was pane 201132, cmd claude)`.
    pub matter: String,
    /// What answers it.
    pub remedy: Remedy,
    /// What tells this drift from another of the same class on the same session: the new id, the new pane.
    pub detail: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// What a pass may do about it now.
    pub disposition: Disposition,
}

impl Drift {
    /// What stays the same as long as it is the same drift.
    pub fn fingerprint(&self) -> Fingerprint {
        let SessionKey { name, mux, server, host } = &self.session;
        let text = [self.class.as_str(), host, mux.as_str(), server, name, &self.detail].join("\u{0}");
        let digest = Sha256::digest(text.as_bytes());
        let mut hex = String::with_capacity(12);
        for byte in digest.iter().take(6) {
            let _ = write!(hex, "{byte:02x}");
        }
        Fingerprint(hex)
    }

    /// One line, ready to post as a comment.
    pub fn message(&self, recorded: bool) -> String {
        let name = printable(&self.session.name);
        let matter = printable(&self.matter);
        match (&self.remedy, recorded) {
            (Remedy::Flag, _) => format!("{name}: {matter}."),
            (Remedy::Record { how, .. }, true) => format!("{name}: {matter}. {}.", how.done()),
            (Remedy::Record { how, .. }, false) => format!("{name}: {matter}. {}.", how.to_do()),
        }
    }

    /// The changes that would record the truth; none if it is only flagged.
    pub fn edits(&self) -> &[Edit] {
        match &self.remedy {
            Remedy::Flag => &[],
            Remedy::Record { edits, .. } => edits,
        }
    }
}

/// What stays the same as long as a drift is the same: 12 hexadecimal digits of the SHA-256 over its class, its session's key
/// and its detail. Reports, memory and plans name a drift by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What answers a drift.
#[derive(Debug, Clone, PartialEq)]
pub enum Remedy {
    /// Nothing: it is only shown.
    Flag,
    /// The manifest is made to say what is true.
    Record {
        /// The changes. The entry of an unregistered session is an insertion whose index the plan decides.
        edits: Vec<Edit>,
        /// What they come to.
        how: Recording,
    },
}

/// What recording a drift does, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// The status becomes this one.
    Mark(Status),
    /// The conversation id is written.
    Id,
    /// The pane is written.
    Pane,
    /// An entry is added.
    Register,
    /// The job is written.
    Job,
}

impl Recording {
    /// Once it is recorded: `Marked terminated`.
    pub fn done(self) -> String {
        match self {
            Self::Mark(status) => format!("Marked {}", status.as_str()),
            Self::Id => "Id recorded".to_owned(),
            Self::Pane => "Pane recorded".to_owned(),
            Self::Register => "Registered".to_owned(),
            Self::Job => "Job recorded".to_owned(),
        }
    }

    /// Before: `To be marked terminated`.
    pub fn to_do(self) -> String {
        match self {
            Self::Mark(status) => format!("To be marked {}", status.as_str()),
            Self::Id => "Id to be recorded".to_owned(),
            Self::Pane => "Pane to be recorded".to_owned(),
            Self::Register => "To be registered".to_owned(),
            Self::Job => "Job to be recorded".to_owned(),
        }
    }
}

/// One fact a drift rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Where it was seen: `tmux`, `process`, `registry`, `transcript`, `manifest`, …
    pub source: String,
    /// What was seen, one line.
    pub fact: String,
}

impl Evidence {
    /// The source of what another tool's file said; the fact stands as a comment behind the entry.
    pub const IMPORT: &str = "import";

    /// A fact and its source.
    pub fn new(source: impl Into<String>, fact: impl Into<String>) -> Self {
        Self { source: source.into(), fact: fact.into() }
    }
}

/// What a pass may do about a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Record it.
    Record,
    /// Only say so.
    Flag,
    /// Wait until then: the world or a person is still at it.
    Settling(DateTime<Utc>),
    /// The entry says to ignore this class.
    Ignored,
}
