//! Which sessions need a person first, and in which words. Pure; never draws.

use chrono::{DateTime, Utc};

use crate::core::lead::conditions::{Condition, ConditionReport, headline, holds};
use crate::core::observe::Activity;
use crate::core::report::status::{Observed, SessionRow};

/// Why a session stands where it does, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attention {
    NeedsInput,
    Crashed,
    Limited,
    Unseen,
    Working,
    Idle,
    Stopped,
    Unknown,
}

impl Attention {
    pub(super) const ALL: [Self; 8] =
        [Self::NeedsInput, Self::Crashed, Self::Limited, Self::Unseen, Self::Working, Self::Idle, Self::Stopped, Self::Unknown];

    /// One column that tells it without colours.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::NeedsInput => "?",
            Self::Crashed => "x",
            Self::Limited => "!",
            Self::Unseen => "*",
            Self::Working => ">",
            Self::Idle => "·",
            Self::Stopped => "-",
            Self::Unknown => "~",
        }
    }

    /// How many of them are counted in the header.
    pub(super) const fn counted(self) -> &'static str {
        match self {
            Self::NeedsInput => "need you",
            Self::Crashed => "crashed",
            Self::Limited => "stuck",
            Self::Unseen => "done, unseen",
            Self::Working => "working",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }
}

/// How a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowNotice {
    pub(super) attention: Attention,
    /// The word for it.
    pub(super) word: &'static str,
    pub(super) since: Option<DateTime<Utc>>,
    /// What tells it, one line; words from outside.
    pub(super) evidence: String,
}

/// How a session stands for somebody who looked at it then.
pub(super) fn notice(row: &SessionRow, seen: Option<DateTime<Utc>>) -> RowNotice {
    let of = |attention, word, report: Option<&ConditionReport>| RowNotice {
        attention,
        word,
        since: report.and_then(|it| it.since),
        evidence: report.map(|it| it.evidence.clone()).or_else(|| row.note.clone()).unwrap_or_default(),
    };
    let report = |condition| row.conditions.iter().find(|it| it.condition == condition);
    if row.observed == Observed::Alive && row.turn == Some(Activity::Waiting) && report(Condition::NeedsInput).is_none() {
        let evidence = row.turn_note.clone().unwrap_or_default();
        return RowNotice { evidence, ..of(Attention::NeedsInput, Condition::NeedsInput.as_str(), None) };
    }
    let first = headline(&row.conditions);
    let ended = report(Condition::TurnEnded);
    let is_unseen = |at: Option<DateTime<Utc>>| match (at, seen) {
        (_, None) => true,
        (Some(at), Some(seen)) => at > seen,
        (None, Some(_)) => false,
    };
    match first.map(|it| it.condition) {
        Some(it @ Condition::NeedsInput) => of(Attention::NeedsInput, it.as_str(), first),
        Some(it @ Condition::Crashed) => of(Attention::Crashed, it.as_str(), first),
        Some(it @ (Condition::RateLimited | Condition::AuthFailed | Condition::Error)) => {
            of(Attention::Limited, it.as_str(), first)
        }
        Some(it @ (Condition::Working | Condition::Starting)) => of(Attention::Working, it.as_str(), first),
        Some(Condition::Idle | Condition::TurnEnded | Condition::Ready) => match ended {
            Some(it) if is_unseen(it.since) => of(Attention::Unseen, Condition::TurnEnded.as_str(), ended),
            _ => of(Attention::Idle, Condition::Idle.as_str(), first),
        },
        Some(it @ (Condition::Ended | Condition::Gone)) => of(Attention::Stopped, it.as_str(), first),
        Some(Condition::Unknown | Condition::Done) | None => untold(row, &of, first),
    }
}

/// The same where no condition tells.
fn untold(
    row: &SessionRow,
    of: &dyn Fn(Attention, &'static str, Option<&ConditionReport>) -> RowNotice,
    first: Option<&ConditionReport>,
) -> RowNotice {
    if holds(&row.conditions, Condition::Done) && first.is_none() {
        return of(Attention::Idle, Condition::Done.as_str(), None);
    }
    match (row.observed, row.turn) {
        (Observed::Alive, Some(Activity::Working)) => of(Attention::Working, Activity::Working.as_str(), first),
        (Observed::Alive, Some(Activity::Idle)) => of(Attention::Idle, Activity::Idle.as_str(), first),
        (Observed::Gone | Observed::NoAgent, _) => of(Attention::Stopped, row.observed.as_str(), first),
        (Observed::Alive, _) => of(Attention::Unknown, Condition::Unknown.as_str(), first),
        (other, _) => of(Attention::Unknown, other.as_str(), first),
    }
}
