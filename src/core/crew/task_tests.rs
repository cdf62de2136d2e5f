//! Tables and properties of what becomes of a task.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::task::*;
use super::{CrewRefusal, CrewVerb};
use chrono::{DateTime, TimeDelta, Utc};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

struct Log(CrewTasks, Vec<CrewRecord>);

impl Log {
    fn new() -> Self {
        Self(CrewTasks::default(), Vec::new())
    }

    fn happen(&mut self, task: &str, event: CrewEvent) -> Result<Judgement, CrewRefusal> {
        let judged = self.0.judge(task, &event)?;
        if judged == Judgement::New {
            let n = self.0.last + 1;
            let record = CrewRecord { n, at: at(i64::try_from(n).unwrap()), by: "test".into(), task: task.into(), event };
            self.0.apply(&record);
            self.1.push(record);
        }
        Ok(judged)
    }

    fn state(&self, task: &str) -> TaskState {
        self.0.tasks[task].state
    }
}

fn queued(worker: &str) -> CrewEvent {
    CrewEvent::Queued { goal: "g".into(), input: String::new(), worker: worker.into(), attempts: 2, retry: 60 }
}

fn assigned(lease: &str) -> CrewEvent {
    CrewEvent::Assigned { lease: lease.into(), context_seq: 0, agent: None }
}

fn reply(lease: &str, seq: u64, verb: CrewVerb) -> CrewEvent {
    CrewEvent::Reply { lease: lease.into(), seq, verb, note: format!("n{seq}"), artifact: None }
}

fn freed(lease: &str) -> CrewEvent {
    CrewEvent::Freed { lease: lease.into(), why: "gone".into() }
}

#[test]
fn a_task_goes_its_way_and_ends_once() {
    use CrewVerb::{Ask, Heartbeat, Result, TaskAccept};
    let mut log = Log::new();
    log.happen("t", queued("w")).unwrap();
    assert_eq!(log.happen("t", queued("w")), Err(CrewRefusal::Taken("t".into())));
    log.happen("t", assigned("a")).unwrap();
    assert!(matches!(log.happen("t", assigned("b")), Err(CrewRefusal::State { .. })), "one lease at a time");
    for (seq, verb, state) in
        [(1, TaskAccept, TaskState::Running), (2, Heartbeat, TaskState::Running), (3, Ask, TaskState::Blocked)]
    {
        assert_eq!(log.happen("t", reply("a", seq, verb)), Ok(Judgement::New));
        assert_eq!(log.state("t"), state);
    }
    log.happen("t", CrewEvent::Answered { lease: "a".into() }).unwrap();
    assert_eq!(log.state("t"), TaskState::Running);
    assert_eq!(log.happen("t", reply("a", 4, Result)), Ok(Judgement::New));
    assert_eq!((log.state("t"), log.0.tasks["t"].lease.clone()), (TaskState::Done, None));
    assert_eq!(log.happen("t", reply("a", 4, Result)), Ok(Judgement::Duplicate), "the same word again");
    assert!(matches!(log.happen("t", reply("a", 5, CrewVerb::Fail)), Err(CrewRefusal::OldLease { .. })));
    assert!(log.happen("t", CrewEvent::Requeued { worker: None }).is_err(), "what is done is done");
}

#[test]
fn an_old_lease_is_refused_after_each_way_to_lose_it() {
    let mut log = Log::new();
    for (task, end) in [
        ("freed", freed("a")),
        ("requeued", CrewEvent::Requeued { worker: Some("other".into()) }),
        ("cancelled", CrewEvent::Cancelled { why: String::new() }),
    ] {
        log.happen(task, queued("w")).unwrap();
        log.happen(task, assigned("a")).unwrap();
        log.happen(task, end).unwrap();
        let late = log.happen(task, reply("a", 1, CrewVerb::Result));
        assert!(matches!(late, Err(CrewRefusal::OldLease { .. })), "{task}: {late:?}");
    }
    assert_eq!(log.state("freed"), TaskState::RetryWait);
    log.happen("freed", assigned("b")).unwrap();
    assert!(matches!(log.happen("freed", reply("a", 1, CrewVerb::Result)), Err(CrewRefusal::OldLease { .. })));
    log.happen("freed", freed("b")).unwrap();
    assert_eq!(log.state("freed"), TaskState::Failed, "two workers were lost over it");
    log.happen("freed", CrewEvent::Requeued { worker: None }).unwrap();
    assert_eq!(log.state("freed"), TaskState::Queued, "the manager may have it tried again");
    assert_eq!(log.0.tasks["requeued"].worker, "other");
}

#[test]
fn a_worker_has_one_task_at_a_time_and_a_lost_one_waits() {
    let mut log = Log::new();
    for task in ["a", "b", "c"] {
        log.happen(task, queued(if task == "c" { "v" } else { "w" })).unwrap();
    }
    let due = |log: &Log, now| log.0.due(at(now)).iter().map(|task| task.task.clone()).collect::<Vec<_>>();
    assert_eq!(due(&log, 10), ["a", "c"]);
    log.happen("a", assigned("1")).unwrap();
    assert_eq!(due(&log, 10), ["c"]);
    log.happen("a", freed("1")).unwrap();
    assert_eq!(due(&log, 10), ["b", "c"]);
    assert_eq!(due(&log, 500), ["b", "c"], "b was there first");
    log.happen("b", CrewEvent::Cancelled { why: "no".into() }).unwrap();
    assert_eq!((due(&log, 10), due(&log, 500)), (vec!["c".to_owned()], vec!["c".to_owned(), "a".to_owned()]));
}

#[test]
fn replies_have_rising_numbers_and_only_workers_words() {
    let mut log = Log::new();
    log.happen("t", queued("w")).unwrap();
    log.happen("t", assigned("a")).unwrap();
    log.happen("t", reply("a", 5, CrewVerb::TaskAccept)).unwrap();
    assert_eq!(log.happen("t", reply("a", 5, CrewVerb::TaskAccept)), Ok(Judgement::Duplicate));
    assert!(matches!(log.happen("t", reply("a", 5, CrewVerb::Ask)), Err(CrewRefusal::OldReply { .. })));
    assert!(matches!(log.happen("t", reply("a", 4, CrewVerb::Ask)), Err(CrewRefusal::OldReply { .. })));
    for verb in [CrewVerb::TaskAssign, CrewVerb::Hello] {
        assert_eq!(log.happen("t", reply("a", 6, verb)), Err(CrewRefusal::NoReply(verb)));
    }
    for name in ["x y", "../x", "a/b", ".x", ""] {
        assert!(matches!(log.happen(name, queued("w")), Err(CrewRefusal::BadName(_))), "{name}");
    }
    assert!(matches!(log.happen("x", reply("a", 1, CrewVerb::Ask)), Err(CrewRefusal::NoSuchTask(_))));
}

#[test]
fn a_reply_that_names_no_number_is_the_same_again_if_its_words_are() {
    let mut log = Log::new();
    log.happen("t", queued("w")).unwrap();
    log.happen("t", assigned("a")).unwrap();
    let number = |log: &Log, verb, note: &str, lease: &str| log.0.tasks["t"].reply_number(verb, note, lease);
    assert_eq!(number(&log, CrewVerb::TaskAccept, "n1", "a"), 1);
    log.happen("t", reply("a", 1, CrewVerb::TaskAccept)).unwrap();
    assert_eq!(number(&log, CrewVerb::TaskAccept, "n1", "a"), 1);
    assert_eq!(number(&log, CrewVerb::Ask, "n1", "a"), 2);
    log.happen("t", reply("a", 2, CrewVerb::Status)).unwrap();
    assert_eq!(number(&log, CrewVerb::Status, "n2", "a"), 3, "it is still at it");
    log.happen("t", reply("a", 3, CrewVerb::Result)).unwrap();
    // Whoever was killed before it heard that this was taken says it again.
    assert_eq!(number(&log, CrewVerb::Result, "n3", "a"), 3);
    assert_eq!(log.happen("t", reply("a", 3, CrewVerb::Result)), Ok(Judgement::Duplicate));
    assert!(log.happen("t", reply("b", 3, CrewVerb::Result)).is_err(), "not under another lease");
}

fn events() -> impl Strategy<Value = (String, CrewEvent)> {
    let lease = prop::sample::select(vec!["a", "b", "c"]);
    let verb = prop::sample::select(CrewVerb::ALL.to_vec());
    let event = prop_oneof![
        Just(queued("w")),
        lease.clone().prop_map(assigned),
        (lease.clone(), 0..5_u64, verb).prop_map(|(lease, seq, verb)| reply(lease, seq, verb)),
        lease.prop_map(freed),
        Just(CrewEvent::Requeued { worker: None }),
        Just(CrewEvent::Cancelled { why: "x".into() }),
    ];
    (prop::sample::select(vec!["t", "u"]).prop_map(str::to_owned), event)
}

proptest! {
    /// Whatever is tried, in whatever order: a lease exists exactly where one is held, what has ended stays, and the log replays.
    #[test]
    fn no_order_of_events_takes_a_result_under_an_old_lease(events in prop::collection::vec(events(), 0..60)) {
        let mut log = Log::new();
        for (task, event) in events {
            let before = log.0.tasks.get(&task).cloned();
            let judged = log.happen(&task, event.clone());
            let after = log.0.tasks.get(&task);
            if judged != Ok(Judgement::New) {
                prop_assert_eq!(before.as_ref(), after);
            }
            if let (CrewEvent::Reply { lease, .. }, Ok(Judgement::New)) = (&event, &judged) {
                prop_assert_eq!(before.as_ref().unwrap().lease.as_ref(), Some(lease));
            }
            if let Some(task) = after {
                prop_assert_eq!(task.lease.is_some(), task.state.is_leased());
                let was_done = before.is_some_and(|before| before.state == TaskState::Done);
                prop_assert!(!was_done || task.state == TaskState::Done);
            }
            let leased = log.0.tasks.values().filter(|task| task.worker == "w").count();
            prop_assert!(log.0.due(at(1_000_000)).len() <= leased.min(1));
        }
        prop_assert_eq!(&CrewTasks::of(&log.1), &log.0);
        let text: Vec<String> = log.1.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let read: Vec<CrewRecord> = text.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(&CrewTasks::of(&read), &log.0);
    }
}
