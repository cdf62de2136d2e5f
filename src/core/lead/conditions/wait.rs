//! Waiting for conditions: whether what is waited for has begun, may still come, or never will. Values only; looks and sleeps nowhere.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Condition, ConditionReport, headline};
use crate::core::ids::{AgentKind, SessionKey};

/// The value of a `wait` document's `schema` field. Within `v1` fields are only ever added.
pub const WAIT_SCHEMA: &str = "headcount/wait/v1";

/// From when on a condition counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitBegin {
    /// Also if it holds already.
    Holds,
    /// Only if it begins after this moment.
    After(DateTime<Utc>),
}

/// Of how many sessions it must be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitMode {
    /// Of one.
    Any,
    /// Of each, at one time or another.
    All,
}

/// What is waited for in each session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitAim {
    /// One of these.
    pub conditions: BTreeSet<Condition>,
    /// From when on.
    pub begin: WaitBegin,
}

/// One look at a session.
#[derive(Debug, Clone, Copy)]
pub struct WaitScene<'a> {
    /// What holds.
    pub conditions: &'a [ConditionReport],
    /// Whether headcount is about to start it.
    pub is_being_started: bool,
    /// Whether its job has ended without being done.
    pub is_job_lost: bool,
    /// Whether the turn that took the text of a receipt in is over. `None`: no receipt is waited for.
    pub is_own_turn_over: Option<bool>,
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitVerdict {
    /// It has begun.
    Met(ConditionReport),
    /// It may still come.
    NotYet,
    /// It may still come, and nothing tells at the moment.
    Untold(String),
    /// It can no longer come, and why.
    Never(String),
}

/// What was seen of a session while it is waited for.
#[derive(Debug, Clone, Default)]
pub struct SessionWait {
    /// Those of the aim that were seen not to hold.
    missed: BTreeSet<Condition>,
    met: Option<ConditionReport>,
}

impl SessionWait {
    /// Of a session whose agent was seen to take a prompt when this wait begins to count: it neither worked nor asked then.
    pub fn of_idle_agent() -> Self {
        Self { missed: BTreeSet::from([Condition::NeedsInput, Condition::Working]), met: None }
    }

    /// Takes a look in. What was met once stays met.
    pub fn look(&mut self, aim: &WaitAim, scene: &WaitScene<'_>) -> WaitVerdict {
        if let Some(met) = &self.met {
            return WaitVerdict::Met(met.clone());
        }
        let of = |wanted: Condition| scene.conditions.iter().find(|it| it.condition == wanted);
        let unknown = of(Condition::Unknown);
        let begins = |it: &ConditionReport| match aim.begin {
            WaitBegin::Holds => true,
            WaitBegin::After(moment) => self.missed.contains(&it.condition) || it.since.is_some_and(|since| since > moment),
        };
        let is_own = |it: &ConditionReport| scene.is_own_turn_over != Some(false) || !it.condition.is_of_a_turn();
        let met = aim.conditions.iter().filter_map(|wanted| of(*wanted)).find(|it| begins(it) && is_own(it));
        if let Some(met) = met {
            self.met = Some(met.clone());
            return WaitVerdict::Met(met.clone());
        }
        // What nobody could tell was not seen not to hold.
        if unknown.is_none() {
            self.missed.extend(aim.conditions.iter().filter(|wanted| of(**wanted).is_none()));
        }
        let over = scene.conditions.iter().find(|it| it.condition.is_over());
        let may_come = |wanted: &Condition| match wanted {
            Condition::Done => !scene.is_job_lost,
            _ => over.is_none() || scene.is_being_started,
        };
        if !aim.conditions.iter().any(may_come) {
            let why = match over {
                Some(over) => format!("it is {}: {}", over.condition, over.evidence),
                None => "its job has ended, and is not done".to_owned(),
            };
            return WaitVerdict::Never(why);
        }
        unknown.map_or(WaitVerdict::NotYet, |unknown| WaitVerdict::Untold(unknown.evidence.clone()))
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitEnd {
    /// What was waited for has come.
    Met,
    /// It had not come in time.
    TimedOut,
    /// It can no longer come.
    Never,
    /// It had not come in time, and of no session that it was waited for in could it be told.
    Unknown,
}

/// What the last looks at all sessions come to; `None`: waiting goes on.
pub fn wait_end(mode: WaitMode, verdicts: &[WaitVerdict], is_late: bool) -> Option<WaitEnd> {
    let is = |wanted: fn(&WaitVerdict) -> bool| (verdicts.iter().any(wanted), verdicts.iter().all(wanted));
    let (any_met, all_met) = is(|it| matches!(it, WaitVerdict::Met(_)));
    let (any_never, all_never) = is(|it| matches!(it, WaitVerdict::Never(_)));
    let (_, all_untold) = is(|it| !matches!(it, WaitVerdict::NotYet));
    let (is_met, is_never) = match mode {
        WaitMode::Any => (any_met, all_never),
        WaitMode::All => (all_met, any_never),
    };
    match (is_met, is_never, is_late) {
        (true, ..) => Some(WaitEnd::Met),
        (_, true, _) => Some(WaitEnd::Never),
        (.., true) if all_untold => Some(WaitEnd::Unknown),
        (.., true) => Some(WaitEnd::TimedOut),
        _ => None,
    }
}

/// One session that was waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitSession {
    /// Which.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The condition that was waited for, where it has come.
    pub met: Option<ConditionReport>,
    /// Why it can no longer come, or cannot be told.
    pub why: Option<String>,
    /// What held when it was looked at last, the most telling first.
    pub conditions: Vec<ConditionReport>,
}

impl WaitSession {
    /// What the last look at a session came to.
    pub fn new((session, agent): (SessionKey, AgentKind), verdict: &WaitVerdict, conditions: Vec<ConditionReport>) -> Self {
        let (met, why) = match verdict {
            WaitVerdict::Met(met) => (Some(met.clone()), None),
            WaitVerdict::NotYet => (None, None),
            WaitVerdict::Untold(why) | WaitVerdict::Never(why) => (None, Some(why.clone())),
        };
        Self { session, agent, met, why, conditions }
    }

    /// How it stands, in a word and a line.
    pub fn state(&self) -> Option<&ConditionReport> {
        self.met.as_ref().or_else(|| headline(&self.conditions))
    }
}

/// What `wait` prints as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitReport {
    /// Always `headcount/wait/v1`.
    pub schema: String,
    /// How it ended.
    pub end: WaitEnd,
    /// The sessions, in the order of the manifest.
    pub sessions: Vec<WaitSession>,
    /// How long it was waited, in milliseconds.
    pub took_ms: u64,
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
