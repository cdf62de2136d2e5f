//! What follows from what was seen of a live agent, as tables and for all that can be seen.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::super::{headline, holds};
use super::*;
use crate::core::lead::turns::{PromptLine, TranscriptPosition, TurnDraft};

const NOW: i64 = 100_000;

fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
}

const OWN: ProcessMark = ProcessMark { pid: 7, start_ticks: 70 };

fn event(kind: HookKind, milliseconds: i64) -> HookEvent {
    HookEvent {
        at: at(milliseconds),
        agent: AgentKind::Claude,
        kind,
        process: OWN,
        ancestors: Vec::new(),
        session_id: Some(ConversationId("c".into())),
        transcript: None,
        cwd: None,
        prompt: None,
        detail: None,
        turn: None,
        background: None,
    }
}

/// A page of one turn that began a while ago and ended so, then.
fn page(end: TurnEnd, error: Option<TurnErrorKind>, mark: Option<&'static str>, ended: i64) -> TurnPage {
    let mut draft = TurnDraft::begun(Some(at(ended - 5000)));
    draft.ask("prompt".into(), Some(at(ended - 5000)), 1);
    draft.write("answer".into(), Some(at(ended - 100)));
    match (end, error) {
        (TurnEnd::Open, _) => {}
        (_, Some(kind)) => draft.fail(kind, "API Error:\n limit  reached".into(), mark, Some(at(ended))),
        (end, None) => draft.end(end, mark, Some(at(ended))),
    }
    let position = TranscriptPosition { file: 1, end: 1, at: at(NOW) };
    TurnPage { turns: vec![draft.finish()], aside: Vec::new(), queued: Vec::<PromptLine>::new(), position, is_all: true }
}

fn done(ended: i64) -> TurnPage {
    page(TurnEnd::Done, None, Some("mark"), ended)
}

fn signs<'a>(id: &'a ConversationId, own: &'a [ProcessMark]) -> LiveSigns<'a> {
    let agent = Some(AgentKind::Claude);
    LiveSigns { agent, now: at(NOW), started: at(1000), conversation: Some(id), own, ..LiveSigns::default() }
}

fn words(all: &[ConditionReport]) -> Vec<&'static str> {
    all.iter().map(|it| it.condition.as_str()).collect()
}

#[test]
fn what_its_registry_says_of_the_moment_is_said() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let of = |activity| signs(&id, &own).clone_with(activity).conditions();
    assert_eq!(words(&of(Some(Activity::Starting))), ["starting"]);
    assert_eq!(words(&of(Some(Activity::Working))), ["working", "ready"]);
    assert_eq!(words(&of(Some(Activity::Idle))), ["idle", "ready"], "nothing was said yet");
    assert_eq!(words(&of(Some(Activity::Waiting))), ["needs-input"]);
    assert_eq!(words(&of(Some(Activity::Suspended))), ["unknown"]);
    assert_eq!(words(&of(Some(Activity::Parked))), ["unknown"]);
    assert_eq!(words(&of(None)), ["unknown"], "no evidence");
    let asks = LiveSigns { beside: Some("permission prompt"), ..signs(&id, &own).clone_with(Some(Activity::Waiting)) };
    let told = asks.conditions().remove(0);
    assert_eq!((told.source, told.evidence.as_str()), (ConditionSource::Registry, "it waits for: permission prompt"));
}

impl LiveSigns<'_> {
    fn clone_with(&self, activity: Option<Activity>) -> Self {
        Self { activity, ..self.clone() }
    }
}

#[test]
fn a_turn_that_ended_in_an_error_is_not_idle() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    for (kind, word) in [
        (TurnErrorKind::RateLimited, "rate-limited"),
        (TurnErrorKind::AuthFailed, "auth-failed"),
        (TurnErrorKind::Error, "error"),
    ] {
        let page = page(TurnEnd::Error, Some(kind), Some("API error"), 50_000);
        let all = LiveSigns { activity: Some(Activity::Idle), turns: Some(&page), ..signs(&id, &own) };
        let all = LiveSigns { written: Some(at(50_000)), ..all };
        assert_eq!(words(&all.conditions()), [word, "turn-ended", "ready"]);
        let first = all.conditions().remove(0);
        assert_eq!((first.since, first.evidence.as_str()), (Some(at(50_000)), "API Error: limit reached"));
        // What an earlier process ran into says nothing of this one.
        let later = LiveSigns { started: at(60_000), ..all };
        assert_eq!(words(&later.conditions()), ["idle", "turn-ended", "ready"]);
    }
}

#[test]
fn a_turn_has_ended_by_the_agents_own_mark_and_until_the_next_prompt() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let page = done(50_000);
    let prompt = |milliseconds| vec![event(HookKind::UserPromptSubmit, milliseconds)];
    let with = |events: &[HookEvent], activity| {
        let signs = LiveSigns { turns: Some(&page), written: Some(at(50_000)), events, ..signs(&id, &own) };
        words(&signs.clone_with(activity).conditions())
    };
    assert_eq!(with(&prompt(45_000), Some(Activity::Idle)), ["idle", "turn-ended", "ready"]);
    assert_eq!(with(&prompt(99_900), Some(Activity::Idle)), ["working", "ready"], "a newer prompt");
    assert_eq!(with(&prompt(55_000), Some(Activity::Idle)), ["idle", "turn-ended", "ready"], "it was taken back at once");
    assert_eq!(with(&prompt(55_000), None), ["working", "ready"], "nothing but the hook tells");
    assert_eq!(with(&prompt(45_000), None), ["idle", "turn-ended", "ready"]);
    assert_eq!(with(&[], None), ["idle", "turn-ended", "ready"]);
}

#[test]
fn a_stop_is_no_end_of_a_turn() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let open = page(TurnEnd::Open, None, None, 50_000);
    let stop = |background| vec![HookEvent { background, ..event(HookKind::Stop, 60_000) }];
    let with = |events: &[HookEvent], turns| {
        let signs = LiveSigns { turns, written: Some(at(50_000)), events, ..signs(&id, &own) };
        words(&signs.conditions())
    };
    assert_eq!(with(&stop(None), Some(&open)), ["unknown"]);
    assert_eq!(with(&stop(Some(2)), Some(&open)), ["working", "ready"], "work goes on in the background");
    let done = done(50_000);
    assert_eq!(with(&stop(Some(2)), Some(&done)), ["working", "ready"]);
    assert_eq!(with(&stop(None), Some(&done)), ["idle", "turn-ended", "ready"]);
    assert_eq!(with(&stop(None), None), ["unknown"], "its transcript cannot be read");
    let unmarked = page(TurnEnd::Done, None, None, 50_000);
    assert_eq!(with(&stop(None), Some(&unmarked)), ["unknown"], "an answer without a mark, and nothing says that it is idle");
}

#[test]
fn an_answer_without_a_mark_has_to_stand_for_a_while_beside_an_idle_agent() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let page = page(TurnEnd::Done, None, None, 50_000);
    let with = |written| {
        let signs = LiveSigns { turns: Some(&page), written: Some(at(written)), ..signs(&id, &own) };
        words(&signs.clone_with(Some(Activity::Idle)).conditions())
    };
    assert_eq!(with(NOW - 299), ["idle", "ready"]);
    assert_eq!(with(NOW - 300), ["idle", "turn-ended", "ready"]);
    let settles = |written| {
        let signs = LiveSigns { turns: Some(&page), written: Some(at(written)), ..signs(&id, &own) };
        signs.clone_with(Some(Activity::Idle)).settles_in().map(|left| left.num_milliseconds())
    };
    assert_eq!((settles(NOW - 299), settles(NOW - 300)), (Some(1), None));
}

#[test]
fn an_idle_agent_whose_turn_is_just_being_written_down_is_at_work() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let open = page(TurnEnd::Open, None, None, 50_000);
    let with = |written| {
        let signs = LiveSigns { turns: Some(&open), written: Some(at(written)), ..signs(&id, &own) };
        words(&signs.clone_with(Some(Activity::Idle)).conditions())
    };
    assert_eq!(with(NOW - 900), ["working", "ready"]);
    assert_eq!(with(NOW - 1100), ["idle", "ready"], "interrupted before anything was written");
}

#[test]
fn a_permission_is_asked_for_until_something_follows() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let open = page(TurnEnd::Open, None, None, 50_000);
    let mut events = vec![event(HookKind::UserPromptSubmit, 49_000), event(HookKind::PermissionRequest, 50_200)];
    events[1].detail = Some("Bash".into());
    let with = |written, activity| {
        let signs = LiveSigns { turns: Some(&open), written: Some(at(written)), events: &events, ..signs(&id, &own) };
        signs.clone_with(activity).conditions()
    };
    assert_eq!(words(&with(50_000, None)), ["needs-input"]);
    assert_eq!(with(50_000, None)[0].evidence, "it asks for a permission for Bash");
    assert_eq!(words(&with(51_000, None)), ["unknown"], "something was written since");
    assert_eq!(words(&with(50_000, Some(Activity::Working))), ["working", "ready"], "its own files say more");
    assert_eq!(with(50_000, Some(Activity::Waiting))[0].since, Some(at(50_200)));
}

#[test]
fn a_failed_turn_is_told_by_its_hook_where_nothing_else_tells() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    for (word, expected) in
        [("rate_limit", "rate-limited"), ("authentication_failed", "auth-failed"), ("overloaded", "error"), ("", "error")]
    {
        let failed = [HookEvent { detail: Some(word.into()), ..event(HookKind::StopFailure, 60_000) }];
        let all = LiveSigns { events: &failed, ..signs(&id, &own) }.conditions();
        assert_eq!(words(&all), [expected, "turn-ended", "ready"]);
        assert_eq!(all[0].source, ConditionSource::Hooks);
    }
}

#[test]
fn a_dialog_of_a_start_needs_input_and_one_that_passes_does_not() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let with = |activity, dialog| {
        let signs = LiveSigns { dialog: Some(dialog), ..signs(&id, &own) };
        words(&signs.clone_with(activity).conditions())
    };
    for activity in [None, Some(Activity::Starting), Some(Activity::Idle)] {
        assert_eq!(with(activity, DialogSubject::Trust), ["needs-input"], "{activity:?}");
    }
    assert_eq!(with(Some(Activity::Starting), DialogSubject::Passing), ["starting"]);
    assert_eq!(with(Some(Activity::Working), DialogSubject::Trust), ["working", "ready"], "it says itself that it works");
}

#[test]
fn what_holds_nothing_yet_takes_prompts_if_something_says_so() {
    let (id, own) = (ConversationId("c".into()), [OWN]);
    let unspoken = LiveSigns { is_unspoken: true, ..signs(&id, &own) };
    assert_eq!(words(&unspoken.conditions()), ["idle", "ready"]);
    let shown = LiveSigns { is_ready_on_screen: true, ..signs(&id, &own) };
    assert_eq!((words(&shown.conditions()), shown.conditions()[0].source), (vec!["idle", "ready"], ConditionSource::Screen));
}

fn any_event() -> impl Strategy<Value = HookEvent> {
    (0..HookKind::ALL.len(), 0..NOW, proptest::option::of(0..3u32))
        .prop_map(|(kind, when, background)| HookEvent { background, ..event(HookKind::ALL[kind], when) })
}

fn any_activity() -> impl Strategy<Value = Option<Activity>> {
    use Activity::{Idle, Parked, Starting, Suspended, Waiting, Working};
    proptest::sample::select(vec![
        None,
        Some(Idle),
        Some(Working),
        Some(Waiting),
        Some(Starting),
        Some(Parked),
        Some(Suspended),
    ])
}

fn any_page() -> impl Strategy<Value = Option<TurnPage>> {
    (0..7usize, 2000..NOW).prop_map(|(which, ended)| {
        Some(match which {
            0 => return None,
            1 => page(TurnEnd::Open, None, None, ended),
            2 => page(TurnEnd::Error, Some(TurnErrorKind::RateLimited), Some("API error"), ended),
            3 => page(TurnEnd::Error, Some(TurnErrorKind::AuthFailed), Some("API error"), ended),
            4 => page(TurnEnd::Interrupted, None, Some("mark"), ended),
            5 => page(TurnEnd::Done, None, None, ended),
            _ => done(ended),
        })
    })
}

proptest! {
    /// An event of another process, of a child agent or of another conversation never counts.
    #[test]
    fn events_of_others_change_nothing(
        events in proptest::collection::vec(any_event(), 0..6),
        others in proptest::collection::vec((any_event(), 0..3u8), 0..6),
        activity in any_activity(),
        turns in any_page(),
        written in 0..NOW,
    ) {
        let (id, own) = (ConversationId("c".into()), [OWN]);
        let foreign = others.into_iter().map(|(event, what)| match what {
            // A child agent, below it.
            0 => HookEvent { process: ProcessMark { pid: 8, start_ticks: 80 }, ancestors: vec![OWN], ..event },
            // Another process under the same pid.
            1 => HookEvent { process: ProcessMark { pid: 7, start_ticks: 71 }, ..event },
            _ => HookEvent { session_id: Some(ConversationId("other".into())), ..event },
        });
        let mut all: Vec<HookEvent> = events.iter().cloned().chain(foreign).collect();
        all.sort_by_key(|event| event.at);
        let mut events = events;
        events.sort_by_key(|event| event.at);
        let base = LiveSigns { activity, turns: turns.as_ref(), written: Some(at(written)), ..signs(&id, &own) };
        let without = LiveSigns { events: &events, ..base.clone() }.conditions();
        let with = LiveSigns { events: &all, ..base }.conditions();
        prop_assert_eq!(without, with);
    }

    #[test]
    fn something_always_holds_and_contradictions_never_do(
        events in proptest::collection::vec(any_event(), 0..6),
        activity in any_activity(),
        turns in any_page(),
        written in 0..NOW,
        unspoken in any::<bool>(),
    ) {
        let (id, own) = (ConversationId("c".into()), [OWN]);
        let mut events = events;
        events.sort_by_key(|event| event.at);
        let base = LiveSigns { activity, turns: turns.as_ref(), written: Some(at(written)), events: &events, ..signs(&id, &own) };
        let all = LiveSigns { is_unspoken: unspoken, ..base }.conditions();
        prop_assert!(headline(&all).is_some());
        let has = |condition| holds(&all, condition);
        let failed = has(Condition::RateLimited) || has(Condition::AuthFailed) || has(Condition::Error);
        prop_assert!(!(failed && has(Condition::Idle)), "a limit is not idle: {all:?}");
        prop_assert!(!(has(Condition::Working) && (has(Condition::Idle) || has(Condition::TurnEnded))), "{all:?}");
        prop_assert!(!has(Condition::NeedsInput) || all.len() == 1, "{all:?}");
        prop_assert!(!has(Condition::Unknown) || all.len() == 1, "{all:?}");
        prop_assert!(!all.iter().any(|it| it.condition.is_over()), "it runs: {all:?}");
        prop_assert!(all.iter().all(|it| it.since.is_none_or(|since| since <= at(NOW))), "{all:?}");
    }
}
