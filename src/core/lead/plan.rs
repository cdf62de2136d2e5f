//! What `apply` would do, as a document: one row per session that something is wanted of. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::{Action, ActionKind, BlockCode, Blocked, Standing, Target};
use super::hold::HoldReport;
use super::judge::Judged;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::manifest::{Manifest, Session};
use crate::core::report::{Report, UnknownReport};

/// The schema of what `plan` prints.
pub const PLAN_SCHEMA: &str = "headcount/plan/v1";

/// What `plan --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeadPlan {
    /// `headcount/plan/v1`.
    pub schema: String,
    /// The manifest.
    pub manifest: String,
    /// How many of each.
    pub counts: LeadCounts,
    /// What is planned, and what is blocked.
    pub actions: Vec<LeadRow>,
    /// What could not be told.
    #[serde(default)]
    pub unknown: Vec<UnknownReport>,
}

/// How many sessions stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LeadCounts {
    /// To be started.
    pub start: usize,
    /// To be resumed.
    pub resume: usize,
    /// To be stopped.
    pub stop: usize,
    /// To be restarted.
    pub restart: usize,
    /// Blocked.
    pub blocked: usize,
    /// Running with other lead fields than their entries say now.
    pub differs: usize,
    /// In somebody's hands, whatever else they are.
    #[serde(default)]
    pub held: usize,
    /// As wanted.
    pub met: usize,
}

/// Whether something will be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowState {
    /// It will.
    Planned,
    /// It may not.
    Blocked,
    /// It runs, with other lead fields than its entry says now. Only a restart changes that.
    Differs,
    /// It is as wanted, and somebody has it in hand.
    Held,
}

/// One session that something is wanted of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeadRow {
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// What is done; none where it is blocked or only differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionKind>,
    /// The conversation it is done with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// What says that this is its conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<String>,
    /// Whether it will be done.
    pub state: RowState,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// The lead fields that are others than at its start.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differs: Vec<String>,
    /// Who has it in hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<HoldReport>,
    /// What is run, without a first prompt and without what headcount adds for its hooks; none where nothing is started.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub command: Vec<String>,
    /// Where: `session` for a new one, `window` for a new window of its session.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// The plan for entries that were judged; some of them are in somebody's hands. `command` gives what an action would run.
pub fn lead_plan(
    manifest: &Manifest,
    report: &Report,
    judged: &[Judged],
    holds: &BTreeMap<SessionKey, HoldReport>,
    command: &dyn Fn(&Session, &Action) -> Vec<String>,
) -> LeadPlan {
    let mut counts = LeadCounts::default();
    let mut actions = Vec::new();
    for one in judged {
        let Some(session) = manifest.sessions.get(one.index) else { continue };
        let row = |state| LeadRow {
            session: session.key.clone(),
            agent: session.agent,
            action: None,
            conversation: None,
            rung: None,
            state,
            blocked: None,
            differs: one.differs.clone(),
            hold: holds.get(&session.key).cloned(),
            command: Vec::new(),
            place: None,
        };
        counts.held += usize::from(holds.contains_key(&session.key));
        match &one.standing {
            Standing::Unled => {}
            Standing::Met(_) if one.differs.is_empty() => {
                counts.met += 1;
                if holds.contains_key(&session.key) {
                    actions.push(row(RowState::Held));
                }
            }
            Standing::Met(_) => {
                counts.differs += 1;
                actions.push(row(RowState::Differs));
            }
            Standing::Blocked(blocked) => {
                counts.blocked += 1;
                actions.push(LeadRow { blocked: Some(blocked.clone()), ..row(RowState::Blocked) });
            }
            Standing::Planned(action) => {
                match action.kind {
                    ActionKind::Start => counts.start += 1,
                    ActionKind::Resume => counts.resume += 1,
                    ActionKind::Stop => counts.stop += 1,
                    ActionKind::Restart => counts.restart += 1,
                    // Nobody wants these by what an entry says.
                    ActionKind::Remove
                    | ActionKind::Forget
                    | ActionKind::Rename
                    | ActionKind::Move
                    | ActionKind::Handoff
                    | ActionKind::Send
                    | ActionKind::Answer
                    | ActionKind::Release => {}
                }
                let place = match action.target {
                    Target::NewSession => Some("session".to_owned()),
                    Target::NewWindow { .. } => Some("window".to_owned()),
                    Target::InPlace | Target::Renamed(_) => None,
                };
                actions.push(LeadRow {
                    action: Some(action.kind),
                    conversation: action.conversation.clone(),
                    rung: action.rung.map(str::to_owned),
                    command: command(session, action),
                    place,
                    ..row(RowState::Planned)
                });
            }
        }
    }
    let (manifest, unknown) = (report.manifest.clone(), report.unknown.clone());
    LeadPlan { schema: PLAN_SCHEMA.to_owned(), manifest, counts, actions, unknown }
}

impl LeadPlan {
    /// Whether something would be done.
    pub fn has_actions(&self) -> bool {
        self.actions.iter().any(|row| row.state == RowState::Planned)
    }

    /// Whether something waits for a person.
    pub fn needs_person(&self) -> bool {
        self.blocks().any(|blocked| !matches!(blocked.code, BlockCode::Unknown | BlockCode::Busy) && blocked.until.is_none())
    }

    /// Whether something is unknown.
    pub fn is_unsure(&self) -> bool {
        self.blocks().any(|blocked| blocked.code == BlockCode::Unknown)
    }

    fn blocks(&self) -> impl Iterator<Item = &Blocked> {
        self.actions.iter().filter_map(|row| row.blocked.as_ref())
    }
}
