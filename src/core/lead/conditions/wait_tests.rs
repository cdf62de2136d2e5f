//! What a wait makes of one look after another.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use chrono::TimeDelta;

use super::super::ConditionSource;
use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn of(condition: Condition, since: i64) -> ConditionReport {
    ConditionReport { condition, since: Some(at(since)), source: ConditionSource::Registry, evidence: "why".into() }
}

fn scene(conditions: &[ConditionReport]) -> WaitScene<'_> {
    WaitScene { conditions, is_being_started: false, is_job_lost: false, is_own_turn_over: None }
}

fn aim(conditions: &[Condition], begin: WaitBegin) -> WaitAim {
    WaitAim { conditions: conditions.iter().copied().collect(), begin }
}

fn is_met(verdict: &WaitVerdict) -> bool {
    matches!(verdict, WaitVerdict::Met(_))
}

use Condition::{Crashed, Done, Ended, Gone, Idle, NeedsInput, Ready, TurnEnded, Unknown, Working};

#[test]
fn what_an_agent_asks_after_a_text_counts_also_where_nothing_tells_since_when() {
    let after = aim(&[NeedsInput, TurnEnded], WaitBegin::After(at(10)));
    let asks = [ConditionReport { since: None, ..of(NeedsInput, 0) }];
    let own = WaitScene { is_own_turn_over: Some(false), ..scene(&asks) };
    assert!(is_met(&SessionWait::of_idle_agent().look(&after, &own)));
    assert_eq!(SessionWait::default().look(&after, &own), WaitVerdict::NotYet, "it may have asked before");
    // The turn before has ended before, whatever is known of the agent.
    let ended = [of(TurnEnded, 5)];
    let own = WaitScene { is_own_turn_over: Some(false), ..scene(&ended) };
    assert_eq!(SessionWait::of_idle_agent().look(&after, &own), WaitVerdict::NotYet);
}

#[test]
fn what_holds_already_counts_unless_only_what_begins_does() {
    let idle = [of(Idle, 5), of(TurnEnded, 5), of(Ready, 1)];
    let holds = aim(&[Idle], WaitBegin::Holds);
    assert!(is_met(&SessionWait::default().look(&holds, &scene(&idle))));
    let next = aim(&[Idle], WaitBegin::After(at(10)));
    let mut wait = SessionWait::default();
    assert_eq!(wait.look(&next, &scene(&idle)), WaitVerdict::NotYet, "it held before");
    assert_eq!(wait.look(&next, &scene(&[of(Working, 11)])), WaitVerdict::NotYet);
    assert!(is_met(&wait.look(&next, &scene(&idle))), "it was seen not to hold, whatever it says since when it does");
    // A turn that came and went between two looks is told by its time.
    let mut wait = SessionWait::default();
    assert_eq!(wait.look(&next, &scene(&idle)), WaitVerdict::NotYet);
    let later = [of(Idle, 12), of(TurnEnded, 12)];
    assert!(is_met(&wait.look(&next, &scene(&later))));
    assert!(is_met(&wait.look(&next, &scene(&[of(Working, 13)]))), "what was met stays met");
}

#[test]
fn a_look_that_tells_nothing_is_no_proof_that_it_does_not_hold() {
    let next = aim(&[Idle], WaitBegin::After(at(10)));
    let mut wait = SessionWait::default();
    assert_eq!(wait.look(&next, &scene(&[of(Unknown, 0)])), WaitVerdict::Untold("why".into()));
    assert_eq!(wait.look(&next, &scene(&[of(Idle, 5)])), WaitVerdict::NotYet);
}

#[test]
fn after_a_receipt_only_the_turn_that_took_the_text_in_counts() {
    let after = aim(&[TurnEnded, NeedsInput], WaitBegin::After(at(10)));
    let (ended, asks) = ([of(TurnEnded, 12)], [of(NeedsInput, 12)]);
    let with = |conditions, is_own_turn_over| {
        let scene = WaitScene { is_own_turn_over, ..scene(conditions) };
        SessionWait::default().look(&after, &scene)
    };
    assert_eq!(with(&ended, Some(false)), WaitVerdict::NotYet, "another turn ended");
    assert!(is_met(&with(&ended, Some(true))));
    assert!(is_met(&with(&asks, Some(false))), "it asks in the middle of its turn");
    assert_eq!(with(&[of(TurnEnded, 9)], Some(true)), WaitVerdict::NotYet);
}

#[test]
fn what_can_no_longer_come_is_said_at_once() {
    let of_end = |condition| [of(condition, 5)];
    for over in [Crashed, Ended, Gone] {
        for wanted in [Idle, Working, NeedsInput, TurnEnded, Ready] {
            let wanted = aim(&[wanted], WaitBegin::Holds);
            let (conditions, mut wait) = (of_end(over), SessionWait::default());
            assert!(matches!(wait.look(&wanted, &scene(&conditions)), WaitVerdict::Never(_)), "{over}");
            let starting = WaitScene { is_being_started: true, ..scene(&conditions) };
            assert_eq!(wait.look(&wanted, &starting), WaitVerdict::NotYet, "{over}");
        }
        let wanted = aim(&[over], WaitBegin::Holds);
        assert!(is_met(&SessionWait::default().look(&wanted, &scene(&of_end(over)))), "{over}");
        let next = aim(&[over], WaitBegin::After(at(10)));
        assert!(matches!(SessionWait::default().look(&next, &scene(&of_end(over))), WaitVerdict::Never(_)), "{over}");
        let job = aim(&[Done], WaitBegin::Holds);
        assert_eq!(SessionWait::default().look(&job, &scene(&of_end(over))), WaitVerdict::NotYet, "its job may end elsewhere");
    }
    let lost = WaitScene { is_job_lost: true, ..scene(&[]) };
    assert!(matches!(SessionWait::default().look(&aim(&[Done], WaitBegin::Holds), &lost), WaitVerdict::Never(_)));
    assert_eq!(SessionWait::default().look(&aim(&[Done, Idle], WaitBegin::Holds), &lost), WaitVerdict::NotYet);
}

#[test]
fn of_several_sessions_one_or_each_has_to_meet_it() {
    let (met, not, untold, never) = (
        WaitVerdict::Met(of(Idle, 1)),
        WaitVerdict::NotYet,
        WaitVerdict::Untold("why".into()),
        WaitVerdict::Never("why".into()),
    );
    let end = |mode, all: &[&WaitVerdict], late| {
        let all: Vec<WaitVerdict> = all.iter().map(|it| (*it).clone()).collect();
        wait_end(mode, &all, late)
    };
    use WaitMode::{All, Any};
    for (mode, all, early, late) in [
        (Any, vec![&met, &not], Some(WaitEnd::Met), Some(WaitEnd::Met)),
        (All, vec![&met, &not], None, Some(WaitEnd::TimedOut)),
        (All, vec![&met, &met], Some(WaitEnd::Met), Some(WaitEnd::Met)),
        (Any, vec![&never, &not], None, Some(WaitEnd::TimedOut)),
        (All, vec![&never, &not], Some(WaitEnd::Never), Some(WaitEnd::Never)),
        (Any, vec![&never, &never], Some(WaitEnd::Never), Some(WaitEnd::Never)),
        (Any, vec![&untold], None, Some(WaitEnd::Unknown)),
        (All, vec![&met, &untold], None, Some(WaitEnd::Unknown)),
        (All, vec![&not, &untold], None, Some(WaitEnd::TimedOut)),
        (Any, vec![&never, &untold], None, Some(WaitEnd::Unknown)),
    ] {
        assert_eq!(end(mode, &all, false), early, "{mode:?} {all:?}");
        assert_eq!(end(mode, &all, true), late, "{mode:?} {all:?}");
    }
}
