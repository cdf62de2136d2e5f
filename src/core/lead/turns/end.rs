//! When a turn has ended for whoever waits for its answer. An event that says so is not enough, and a finished answer without the
//! agent's own mark must stand for a while.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Turn, TurnEnd, TurnStepKind};

/// How long an answer without a mark must stand, with the agent idle, to be the last.
pub const SETTLED_AFTER: TimeDelta = TimeDelta::milliseconds(300);

/// A finished answer without a mark, as it was seen for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerSeen {
    steps: usize,
    text: String,
    at: DateTime<Utc>,
}

impl AnswerSeen {
    /// A turn as it has stood since then.
    pub fn of(turn: &Turn, at: DateTime<Utc>) -> Self {
        Self { steps: turn.steps.len(), text: turn.text.clone(), at }
    }
}

/// Whether a turn has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndVerdict {
    /// It has, and what says so.
    Ended(&'static str),
    /// It seems so. The same must be seen again, not before [`SETTLED_AFTER`] has passed; `None`: the agent is not idle.
    Settling(AnswerSeen),
    /// It goes on.
    GoesOn,
}

/// Whether a turn has ended. `is_idle`: something other than the transcript says now that the agent waits for a prompt (its title, a
/// hook, its registry). `before`: what the last look at the same turn gave to keep.
pub fn judge_end(turn: &Turn, is_idle: bool, before: Option<&AnswerSeen>, now: DateTime<Utc>) -> EndVerdict {
    let is_waiting_for_a_tool = turn.pending > 0 && turn.end == TurnEnd::Done;
    match turn.mark {
        Some(mark) if turn.end != TurnEnd::Open && !is_waiting_for_a_tool => return EndVerdict::Ended(mark),
        _ => {}
    }
    let last = turn.steps.iter().rev().find(|step| step.kind != TurnStepKind::Thinking);
    let is_over = match turn.end {
        TurnEnd::Done => turn.pending == 0 && last.is_some_and(|step| step.kind == TurnStepKind::Text),
        // It may be tried again.
        TurnEnd::Error | TurnEnd::Interrupted => true,
        TurnEnd::Open => false,
    };
    if !is_over || !is_idle {
        return EndVerdict::GoesOn;
    }
    let same = before.filter(|seen| seen.steps == turn.steps.len() && seen.text == turn.text);
    match same {
        // A clock that was set back proves nothing: it begins again.
        Some(seen) if now - seen.at >= SETTLED_AFTER => EndVerdict::Ended("the same end twice, and an idle agent"),
        Some(seen) if now >= seen.at => EndVerdict::Settling(seen.clone()),
        _ => EndVerdict::Settling(AnswerSeen::of(turn, now)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::TurnDraft;
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    fn answered(mark: Option<&'static str>) -> Turn {
        let mut draft = TurnDraft::begun(None);
        draft.ask("x".into(), None, 0);
        draft.write("y".into(), None);
        draft.end(TurnEnd::Done, mark, None);
        draft.finish()
    }

    #[test]
    fn the_agents_own_mark_ends_a_turn_unless_a_tool_is_still_to_come() {
        assert_eq!(judge_end(&answered(Some("task_complete")), false, None, at(0)), EndVerdict::Ended("task_complete"));
        let waiting = Turn { pending: 1, ..answered(Some("task_complete")) };
        assert_eq!(judge_end(&waiting, true, None, at(0)), EndVerdict::GoesOn);
        let interrupted = Turn { end: TurnEnd::Interrupted, ..answered(Some("turn_aborted")) };
        assert_eq!(judge_end(&interrupted, false, None, at(0)), EndVerdict::Ended("turn_aborted"));
        let open = Turn { end: TurnEnd::Open, mark: None, ..answered(None) };
        assert_eq!(judge_end(&open, true, None, at(0)), EndVerdict::GoesOn, "an idle agent alone is no end");
    }

    #[test]
    fn without_a_mark_the_same_answer_is_seen_twice_beside_an_idle_agent() {
        let turn = answered(None);
        assert_eq!(judge_end(&turn, false, None, at(0)), EndVerdict::GoesOn);
        let EndVerdict::Settling(seen) = judge_end(&turn, true, None, at(0)) else { panic!() };
        assert_eq!(judge_end(&turn, true, Some(&seen), at(299)), EndVerdict::Settling(seen.clone()));
        assert_eq!(judge_end(&turn, false, Some(&seen), at(400)), EndVerdict::GoesOn);
        assert!(matches!(judge_end(&turn, true, Some(&seen), at(300)), EndVerdict::Ended(_)));
        let failed = Turn { end: TurnEnd::Error, steps: Vec::new(), ..turn.clone() };
        assert!(matches!(judge_end(&failed, true, None, at(0)), EndVerdict::Settling(_)), "it may be tried again");
        let longer = Turn { text: "y and more".into(), ..turn.clone() };
        assert!(matches!(judge_end(&longer, true, Some(&seen), at(400)), EndVerdict::Settling(new) if new.at == at(400)));
        assert!(matches!(judge_end(&turn, true, Some(&seen), at(-1)), EndVerdict::Settling(new) if new.at == at(-1)));
    }
}
