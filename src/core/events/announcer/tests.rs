//! Who is told what, by tables of reports.

use super::*;
use crate::core::drift::Class;
use crate::core::ids::{AgentKind, MuxKind};
use crate::core::report::{Counts, SCHEMA, UnknownReport};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default()
}

fn drift(id: &str, name: &str, state: DriftState) -> DriftReport {
    DriftReport {
        id: id.to_owned(),
        class: Class::Dead,
        code: 'A',
        state,
        session: SessionKey { name: name.to_owned(), mux: MuxKind::Tmux, server: "default".into(), host: "h".into() },
        agent: AgentKind::Claude,
        message: format!("{name}: gone."),
        evidence: Vec::new(),
        edits: Vec::new(),
        settles_at: None,
        refusal: None,
        new: true,
        first_seen: at(0),
    }
}

fn told(drift: DriftReport) -> DriftReport {
    DriftReport { new: false, ..drift }
}

fn report(drifts: Vec<DriftReport>) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        manifest: "/m".into(),
        host: "h".into(),
        observed_at: at(0),
        dry_run: false,
        in_sync: drifts.is_empty(),
        counts: Counts::default(),
        drifts,
        unknown: Vec::new(),
        diff: String::new(),
    }
}

/// `drift s applied`, `resolved s recorded`, with what was left out or held back.
fn words(events: &[Event]) -> Vec<String> {
    let more = |left_out: usize, muted: Option<DateTime<Utc>>| {
        let left_out = if left_out > 0 { format!(" -{left_out}") } else { String::new() };
        format!("{left_out}{}", if muted.is_some() { " muted" } else { "" })
    };
    let word = |event: &Event| match event {
        Event::Drift(event) => {
            let state = format!("{:?}", event.drift.state).to_lowercase();
            format!("drift {} {state}{}", event.drift.session.name, more(event.left_out, event.muted_until))
        }
        Event::Resolved(event) => {
            let how = format!("{:?}", event.how).to_lowercase();
            format!("resolved {} {how}{}", event.session.name, more(event.left_out, event.muted_until))
        }
        other => other.word().to_owned(),
    };
    events.iter().map(word).collect()
}

/// What is said after each of these reports, one second apart.
fn after(announcer: &mut Announcer, reports: Vec<Vec<DriftReport>>) -> Vec<Vec<String>> {
    let say = |(second, drifts): (i64, Vec<DriftReport>)| words(&announcer.after(&report(drifts), &[], at(second)));
    (0..).zip(reports).map(say).collect()
}

#[test]
fn a_drift_that_stands_is_told_once_resolved_once_and_told_again_when_it_returns() {
    let stands = || vec![drift("1", "s", DriftState::Flagged)];
    let known = || vec![told(drift("1", "s", DriftState::Flagged))];
    let said = after(&mut Announcer::default(), vec![stands(), known(), known(), vec![], vec![], stands(), known()]);
    let none = Vec::<String>::new();
    assert_eq!(
        said,
        [
            vec!["drift s flagged".to_owned()],
            none.clone(),
            none.clone(),
            vec!["resolved s gone".to_owned()],
            none.clone(),
            vec!["drift s flagged".to_owned()],
            none
        ]
    );
}

#[test]
fn a_drift_that_is_recorded_at_once_is_told_once_and_needs_no_resolving() {
    let said = after(&mut Announcer::default(), vec![vec![drift("1", "s", DriftState::Applied)], vec![]]);
    assert_eq!(said, [vec!["drift s applied".to_owned()], vec![]]);
}

#[test]
fn a_refused_drift_that_is_recorded_later_is_resolved_and_not_told_again() {
    let later = vec![told(drift("1", "s", DriftState::Applied))];
    let said = after(&mut Announcer::default(), vec![vec![drift("1", "s", DriftState::Refused)], later, vec![]]);
    assert_eq!(said, [vec!["drift s refused".to_owned()], vec!["resolved s recorded".to_owned()], vec![]]);
}

#[test]
fn what_settles_or_is_ignored_is_not_told_and_what_has_settled_is_even_if_a_report_showed_it_before() {
    let settling = || vec![drift("1", "s", DriftState::Settling), drift("2", "t", DriftState::Ignored)];
    let decided = vec![told(drift("1", "s", DriftState::Applied))];
    let said = after(&mut Announcer::default(), vec![settling(), settling(), decided]);
    assert_eq!(said, [vec![], vec![], vec!["drift s applied".to_owned()]]);
}

#[test]
fn a_restart_says_nothing_twice_but_resolves_what_it_took_over() {
    let standing = || vec![told(drift("1", "s", DriftState::Flagged))];
    let said = after(&mut Announcer::default(), vec![standing(), standing(), vec![], standing()]);
    let none = Vec::<String>::new();
    assert_eq!(
        said,
        [
            none.clone(),
            none,
            vec!["resolved s gone".to_owned()],
            // It was gone in this run, whatever another reader of the same memory was told.
            vec!["drift s flagged".to_owned()]
        ]
    );
}

#[test]
fn what_is_out_of_sight_is_not_resolved() {
    let mut announcer = Announcer::default();
    announcer.after(&report(vec![drift("1", "s", DriftState::Flagged), drift("2", "t", DriftState::Flagged)]), &[], at(0));
    for scope in ["tmux:default", "s"] {
        let unknown = vec![UnknownReport { scope: scope.to_owned(), why: "timed out".to_owned() }];
        let seen = vec![told(drift("2", "t", DriftState::Flagged))];
        assert_eq!(announcer.after(&Report { unknown, ..report(seen) }, &[], at(1)), [], "{scope}");
    }
    let unknown = vec![UnknownReport { scope: "tmux:canary".to_owned(), why: "timed out".to_owned() }];
    let seen = vec![told(drift("2", "t", DriftState::Flagged))];
    assert_eq!(words(&announcer.after(&Report { unknown, ..report(seen) }, &[], at(2))), ["resolved s gone"]);
}

#[test]
fn a_flapping_session_is_held_back_and_its_newest_event_is_told_when_the_window_is_over() {
    let mut announcer = Announcer::new(EventLimit { events: 3, window: TimeDelta::seconds(60) });
    let mut said = Vec::new();
    for second in 0..10 {
        let drifts = if second % 2 == 0 { vec![drift("1", "s", DriftState::Flagged)] } else { vec![] };
        said.extend(words(&announcer.after(&report(drifts), &[], at(second))));
    }
    assert_eq!(said, ["drift s flagged", "resolved s gone", "drift s flagged muted"]);
    let fits = |announcer: &Announcer, name: &str, events: usize, second: i64| {
        let of = drift("0", name, DriftState::Flagged).session;
        announcer.room(at(second)).has(&of, events)
    };
    assert!(announcer.is_full() && !fits(&announcer, "s", 1, 10) && fits(&announcer, "quiet", 3, 10));
    assert!(!fits(&announcer, "quiet", 4, 10), "it would be held back as well");
    assert!(fits(&announcer, "s", 2, 60) && !fits(&announcer, "s", 3, 60), "what was held back comes first");
    // Others are not held back by it.
    let quiet = vec![drift("2", "quiet", DriftState::Flagged)];
    assert_eq!(words(&announcer.after(&report(quiet), &[], at(10))), ["drift quiet flagged"]);
    assert_eq!(announcer.due(at(59)), []);
    assert_eq!(announcer.due_at(), Some(at(60)));
    assert_eq!(words(&announcer.due(at(60))), ["resolved s gone -6"]);
    assert_eq!((announcer.due_at(), announcer.due(at(300))), (None, vec![]));
    let again = vec![drift("1", "s", DriftState::Flagged), told(drift("2", "quiet", DriftState::Flagged))];
    assert_eq!(words(&announcer.after(&report(again), &[], at(400))), ["drift s flagged"]);
    assert_eq!(announcer.told(), 4);
}

#[test]
fn of_a_session_that_was_held_back_the_newest_of_each_class_is_told_so_that_nothing_that_stands_stays_untold() {
    let limit = EventLimit { events: 2, window: TimeDelta::seconds(60) };
    let of = |class, id: &str| DriftReport { class, ..drift(id, "s", DriftState::Flagged) };
    let flap = |announcer: &mut Announcer| {
        let mut said = Vec::new();
        for second in 0..7 {
            let stands = vec![of(Class::AgentGone, "gone"), of(Class::StaleId, "stale")];
            let drifts = if second % 2 == 0 { stands } else { vec![] };
            said.extend(words(&announcer.after(&report(drifts), &[], at(second))));
        }
        said
    };
    let classes = |events: &[Event]| events.iter().filter_map(class).collect::<Vec<_>>();
    let mut announcer = Announcer::new(limit);
    assert_eq!(flap(&mut announcer), ["drift s flagged", "drift s flagged muted"]);
    let events = announcer.due(at(60));
    assert_eq!(words(&events), ["drift s flagged", "drift s flagged -10"]);
    assert_eq!(classes(&events), [Class::AgentGone, Class::StaleId]);
    // Nobody waits for the window of a watch that ends.
    let mut announcer = Announcer::new(limit);
    flap(&mut announcer);
    assert_eq!(classes(&announcer.ending(at(7))), [Class::AgentGone, Class::StaleId]);
    assert_eq!(announcer.ending(at(7)), []);
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_a_session_for_ever() {
    let mut announcer = Announcer::new(EventLimit { events: 1, window: TimeDelta::seconds(60) });
    announcer.after(&report(vec![drift("1", "s", DriftState::Flagged)]), &[], at(100_000));
    announcer.after(&report(vec![]), &[], at(100_001));
    assert_eq!(words(&announcer.due(at(0))), ["resolved s gone"]);
}
