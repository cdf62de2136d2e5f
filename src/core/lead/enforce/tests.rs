//! What an enforcing watch decides, row by row.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::ledger::{LastStart, LastStop, Placed};
use super::super::operation::{OperationId, Outcome};
use super::super::series::RunEnd;
use super::*;
use crate::core::drift::LiveAgent;
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;
use crate::core::manifest::{Environment, Manifest, read};
use crate::core::observe::identity::Ladder;
use crate::core::observe::{Agent, MuxSession, Pane, Process, Transcript};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// What a story is about: an entry, what the ledger knows, what is seen.
#[derive(Clone)]
struct Story {
    manifest: Arc<Manifest>,
    acted: ActedOn,
    presence: Presence,
    boot: Boot,
    listed: Option<u32>,
    server: Option<u32>,
    now: i64,
    runs: Vec<Run>,
    /// When its transcript last changed.
    said: Option<i64>,
}

fn manifest(fields: &str) -> Arc<Manifest> {
    let text = format!("version: 1\nsessions:\n- {{name: one, agent: claude, cwd: /w, {fields}}}\n");
    let value = serde_yaml::from_str(&text).unwrap();
    let environment = Environment { home: PathBuf::from("/h"), host: "h".into() };
    Arc::new(read(&value, &value, &environment).unwrap().0)
}

fn absent() -> Presence {
    Presence::Absent { how: "it is not there".to_owned() }
}

fn alive(pane: u32) -> Presence {
    let agent = Agent {
        kind: AgentKind::Claude,
        process: Process { pid: pane + 1, started: at(0) },
        cwd: Fact::Absent,
        home: Fact::Absent,
        ladder: Ladder::default(),
    };
    let pane = Pane {
        id: "%1".to_owned(),
        pid: Some(pane),
        dead: None,
        runs: "claude".to_owned(),
        agents: Fact::Absent,
        unread: None,
    };
    let (id, name) = ("$1".to_owned(), "one".to_owned());
    let session = MuxSession { id, name, created: None, process: None, panes: Vec::new() };
    Presence::Alive(LiveAgent { session: Arc::new(session), pane: Arc::new(pane), agent: Arc::new(agent) })
}

impl Story {
    /// Started by headcount in pane process 50 of server 9 at second 0, ready a second later, and seen alive since.
    fn new(fields: &str) -> Self {
        let manifest = manifest(fields);
        let digest = wanted(&manifest.sessions[0]);
        let operation = OperationId::new(at(0), 1, 0);
        let placed = Placed {
            server: 9,
            server_start: None,
            session: "$1".to_owned(),
            pane: "%1".to_owned(),
            pid: 50,
            is_new_session: true,
        };
        let boot = Boot { id: "boot".to_owned(), at: at(-10_000) };
        let started = LastStart {
            operation: operation.clone(),
            at: at(0),
            boot: Some("boot".to_owned()),
            placed,
            fields: [].into(),
            is_asking: false,
        };
        let acted = ActedOn {
            led_by: Some("m".to_owned()),
            desired: Some(("running".to_owned(), at(-100))),
            wanted: Some((digest.clone(), at(-100))),
            met: Some(digest),
            alive: Some(AliveIn { at: at(2), boot: Some("boot".to_owned()), server: Some(9), pane: Some(50), is_over: false }),
            started: Some(started),
            ..ActedOn::default()
        };
        let run = Run {
            operation,
            cause: None,
            begun: at(0),
            boot: Some("boot".to_owned()),
            receipt: Some((Outcome::Done, at(1))),
            asked: None,
            failure: None,
            resets: None,
            is_going: true,
            launcher: Some(50),
            server: Some(9),
            end: None,
        };
        Self { manifest, acted, presence: alive(50), boot, listed: None, server: Some(9), now: 5, runs: vec![run], said: None }
    }

    fn with<T>(&self, tell: impl FnOnce(&LedEntry<'_>) -> T) -> T {
        let mut verdict = EntryVerdict::at(true, self.presence.clone());
        verdict.transcript =
            self.said.map(|said| Fact::Seen(Transcript { path: PathBuf::from("/t"), modified: at(said), is_archived: false }));
        let asked = RefCell::new(0);
        let runs = || {
            *asked.borrow_mut() += 1;
            self.runs.clone()
        };
        tell(&LedEntry {
            session: &self.manifest.sessions[0],
            verdict: &verdict,
            acted: Some(&self.acted),
            policy: &self.manifest.lead,
            boot: Some(&self.boot),
            listed: self.listed.or(self.server),
            server: self.server,
            now: at(self.now),
            runs: &runs,
        })
    }

    /// A look: what is seen is noted, then decided on.
    fn look(&mut self) -> String {
        let mut acted = self.acted.clone();
        self.with(|entry| entry.remember(&mut acted));
        self.acted = acted;
        match self.with(|entry| entry.decide()) {
            Decision::Leave => "leave".to_owned(),
            Decision::Act(cause) => cause.as_str().to_owned(),
            Decision::Unsure(blocked) => format!("unsure: {}", blocked.code.as_str()),
            Decision::Wait(blocked) => {
                let until = blocked.until.map(|until| format!(" until {}", (until - at(0)).num_seconds()));
                format!("{}{}", blocked.code.as_str(), until.unwrap_or_default())
            }
        }
    }

    /// Its agent ends at this second.
    fn ends(mut self, second: i64, code: Option<i32>, signal: Option<i32>, told: Option<i32>) -> Self {
        let run = self.runs.last_mut().unwrap();
        (run.is_going, run.end) = (false, Some(RunEnd { at: at(second), code, signal, told }));
        (self.presence, self.now) = (absent(), second + 1);
        self
    }

    /// It is started once more by the watch, in pane process 60.
    fn again(&mut self, cause: LeadCause) {
        let operation = OperationId::new(at(self.now), 1, 0);
        self.runs.push(Run {
            operation,
            cause: Some(cause),
            begun: at(self.now),
            boot: Some(self.boot.id.clone()),
            receipt: Some((Outcome::Done, at(self.now))),
            asked: None,
            failure: None,
            resets: None,
            is_going: true,
            launcher: Some(60),
            server: self.server,
            end: None,
        });
        self.acted.started.as_mut().unwrap().placed.pid = 60;
        self.acted.alive = Some(AliveIn {
            at: at(self.now),
            boot: Some(self.boot.id.clone()),
            server: self.server,
            pane: Some(60),
            is_over: false,
        });
        self.presence = alive(60);
    }
}

const RUNNING: &str = "desired: running";
const ON_FAILURE: &str = "desired: running, restart: on-failure";
const ALWAYS: &str = "desired: running, restart: always";

#[test]
fn an_end_is_answered_as_restart_says() {
    for (fields, code, signal, told, expected) in [
        (RUNNING, Some(1), None, None, "gave-up"),
        (RUNNING, None, Some(9), None, "gave-up"),
        (RUNNING, Some(0), None, None, "leave"),
        (ON_FAILURE, Some(1), None, None, "backoff until 190"),
        (ON_FAILURE, None, Some(9), None, "backoff until 190"),
        (ON_FAILURE, Some(0), None, None, "leave"),
        (ALWAYS, Some(0), None, None, "backoff until 190"),
        // Its pane was closed while its server lives.
        (ALWAYS, Some(1), None, Some(1), "settling until 12"),
        // Somebody ended it.
        (ALWAYS, Some(143), None, None, "ended-by-hand"),
        (ON_FAILURE, None, Some(15), None, "ended-by-hand"),
    ] {
        let mut story = Story::new(fields).ends(10, code, signal, told);
        assert_eq!(story.look(), expected, "{fields} {code:?} {signal:?} {told:?}");
    }
    let mut story = Story::new(ON_FAILURE).ends(10, Some(1), None, None);
    story.now = 190;
    assert_eq!(story.look(), "failed");
}

#[test]
fn a_question_of_its_start_that_a_person_refused_is_not_asked_again() {
    let mut story = Story::new("desired: running, restart: always");
    let run = story.runs.last_mut().unwrap();
    (run.receipt, run.asked) = (Some((Outcome::Unverified, at(1))), Some(BlockCode::Untrusted));
    for code in [0, 1] {
        assert_eq!(story.clone().ends(9, Some(code), None, None).look(), "untrusted");
        // What an earlier run said is no answer.
        assert_eq!(Story { said: Some(-5), ..story.clone() }.ends(9, Some(code), None, None).look(), "untrusted");
        let expected = ["quit", "failed"][usize::from(code == 1)];
        let answered = Story { said: Some(5), ..story.clone() }.ends(9, Some(code), None, None);
        assert!(answered.clone().look().starts_with("backoff"), "{}", answered.clone().look());
        assert_eq!(Story { now: 9 + 181, ..answered }.look(), expected);
    }
    assert_eq!(story.ends(9, None, Some(15), None).look(), "ended-by-hand");
}

#[test]
fn what_is_alive_or_unknown_is_left_alone() {
    let mut story = Story::new(ALWAYS);
    assert_eq!(story.look(), "leave");
    story.presence = Presence::Unknown("its server does not answer".to_owned());
    assert_eq!(story.look(), "unsure: unknown");
    let mut unled = story.clone();
    unled.acted.led_by = None;
    assert_eq!(unled.look(), "leave");
    assert_eq!(Story { manifest: manifest("desired: stopped"), ..story.clone() }.look(), "unsure: unknown");
    assert_eq!(Story { manifest: manifest("desired: archived"), ..story.clone() }.look(), "leave");
    // The launcher has not written down yet how it ended.
    story.presence = absent();
    assert_eq!(story.look(), "settling until 6");
    // It never did.
    story.runs[0].is_going = false;
    assert_eq!(story.look(), "settling until 6");
    story.now = 6;
    assert_eq!(story.look(), "unknown");
}

#[test]
fn a_lost_server_and_a_boot_bring_it_back_whatever_restart_says() {
    for fields in [RUNNING, ON_FAILURE, ALWAYS] {
        // The server was replaced, and the terminal hung up.
        for server in [None, Some(10)] {
            let mut story = Story::new(fields).ends(10, Some(129), None, Some(1));
            story.server = server;
            assert_eq!(story.look(), "server-lost");
            // So it is in an engine that has just begun, and after days.
            story.now = 100_000;
            assert_eq!(story.look(), "server-lost");
        }
        let mut story = Story::new(fields);
        (story.presence, story.now) = (absent(), 20);
        story.runs[0].is_going = false;
        story.boot = Boot { id: "next".to_owned(), at: at(15) };
        assert_eq!(story.look(), "rebooted");
        // The shutdown ends what runs.
        let mut story = Story::new(fields).ends(10, Some(143), None, Some(15));
        story.boot = Boot { id: "next".to_owned(), at: at(15) };
        assert_eq!(story.look(), "rebooted");
    }
}

#[test]
fn what_dies_with_its_server_in_the_middle_of_a_look_is_lost_with_it() {
    let mut story = Story::new(RUNNING);
    // The server listed its sessions and died before the end of that look, and it was the first one at this pane.
    story.acted.alive = None;
    (story.listed, story.server) = (Some(9), None);
    assert_eq!(story.look(), "leave");
    let mut story = story.ends(10, Some(0), None, Some(1));
    story.listed = None;
    assert_eq!(story.look(), "server-lost");
}

#[test]
fn a_look_that_began_before_a_start_says_nothing_of_its_end() {
    let mut story = Story::new(ON_FAILURE);
    // The list of its server is older than what was just started in it.
    (story.presence, story.now) = (absent(), 1);
    assert_eq!(story.look(), "settling until 2");
    (story.presence, story.now) = (absent(), 4);
    assert_eq!(story.look(), "settling until 5");
    let mut story = story.ends(10, Some(129), None, Some(1));
    story.server = None;
    assert_eq!(story.look(), "server-lost");
}

#[test]
fn the_terminals_of_a_server_that_is_killed_hang_up_before_it_is_gone() {
    let mut story = Story::new(RUNNING).ends(10, Some(129), None, Some(1));
    assert_eq!(story.look(), "settling until 12");
    story.server = None;
    assert_eq!(story.look(), "server-lost");
    // It went on, and ended later.
    let mut story = Story::new(RUNNING).ends(10, Some(129), None, Some(1));
    assert_eq!(story.look(), "settling until 12");
    story.now = 12;
    assert_eq!(story.look(), "ended-by-hand");
    (story.server, story.now) = (None, 20);
    assert_eq!(story.look(), "ended-by-hand");
}

#[test]
fn what_was_started_by_a_watch_that_was_killed_before_it_noted_that_is_its_own_all_the_same() {
    // Its agent failed and was seen to be over, and a watch started it again in server 9.
    let mut story = Story::new("desired: running, restart: {policy: on-failure, first: 0s}").ends(10, Some(1), None, None);
    story.look();
    story.now = 20;
    let noted = story.acted.clone();
    story.again(LeadCause::Failed);
    story.acted = noted;
    let mut hung_up = story.clone().ends(30, Some(129), None, Some(1));
    hung_up.server = None;
    assert_eq!(hung_up.look(), "server-lost");
    // Another watch sees it alive, and then it fails.
    story.now = 25;
    assert_eq!(story.look(), "leave");
    let mut failed = story.ends(30, Some(1), None, None);
    failed.now = 10_000;
    assert_eq!(failed.look(), "failed");
}

#[test]
fn what_had_ended_before_the_boot_or_the_loss_is_not_brought_back_by_them() {
    // It quit; later its server ended, later the host was booted.
    let all = [(Some(0), None, "leave"), (Some(1), Some(15), "ended-by-hand"), (Some(1), Some(1), "ended-by-hand")];
    for (code, told, expected) in all {
        let mut story = Story::new(RUNNING).ends(10, code, None, told);
        story.look();
        story.now = 12;
        assert_eq!(story.look(), expected);
        story.server = None;
        assert_eq!(story.look(), expected, "its server ended later");
        (story.boot, story.now) = (Boot { id: "next".to_owned(), at: at(1000) }, 1001);
        assert_eq!(story.look(), expected, "the host was booted later");
    }
    // Nobody looked in between.
    for (code, told, expected) in all {
        let mut story = Story::new(RUNNING).ends(10, code, None, told);
        (story.boot, story.now) = (Boot { id: "next".to_owned(), at: at(1000) }, 1001);
        assert_eq!(story.look(), expected);
    }
}

#[test]
fn an_agent_that_a_person_started_says_nothing_when_it_ends() {
    let mut story = Story::new(ALWAYS).ends(10, Some(1), None, None);
    // Somebody starts it by hand in another pane.
    (story.presence, story.now) = (alive(70), 20);
    assert_eq!(story.look(), "leave");
    (story.presence, story.now) = (absent(), 30);
    assert_eq!(story.look(), "settling until 31");
    story.now = 31;
    assert_eq!(story.look(), "unknown");
    let mut story = Story::new(ALWAYS);
    story.acted.stopped =
        Some(LastStop { operation: OperationId::new(at(8), 1, 0), at: at(10), is_asked: false, is_restart: false });
    let mut story = story.ends(10, Some(143), None, Some(15));
    assert_eq!(story.look(), "leave", "headcount stopped it");
}

#[test]
fn a_change_of_the_entry_acts_once_and_a_person_who_ends_it_later_wins() {
    let mut story = Story::new(RUNNING);
    story.manifest = manifest("desired: stopped");
    assert_eq!(story.look(), "settling until 7");
    story.now = 7;
    assert_eq!(story.look(), "edited");
    // It was stopped, and a person starts it by hand.
    (story.presence, story.server) = (absent(), None);
    assert_eq!(story.look(), "leave");
    story.presence = alive(70);
    assert_eq!(story.look(), "leave");
    // Running is wanted again while it runs; then it goes, and nobody knows why.
    story.manifest = manifest(RUNNING);
    assert_eq!(story.look(), "leave");
    story.presence = absent();
    story.server = Some(9);
    story.now = 50;
    assert_eq!(story.look(), "unknown");
    story.manifest = manifest("desired: running, args: [--verbose]");
    assert_eq!(story.look(), "settling until 52");
    story.now = 52;
    assert_eq!(story.look(), "edited");
}

#[test]
fn nothing_is_done_to_what_was_never_led_is_not_judged_or_was_renamed() {
    let mut story = Story::new(ALWAYS).ends(10, Some(1), None, None);
    story.acted.led_by = None;
    assert_eq!(story.look(), "never-led");
    let mut story = Story::new("suspend: true, desired: running");
    story.presence = absent();
    let verdict = EntryVerdict::at(false, absent());
    story.with(|entry| assert_eq!(LedEntry { verdict: &verdict, ..*entry }.decide(), Decision::Leave));
    let verdict = EntryVerdict { renamed_to: Some("two".to_owned()), ..EntryVerdict::at(true, absent()) };
    story.with(|entry| assert_eq!(LedEntry { verdict: &verdict, ..*entry }.decide(), Decision::Leave));
}

#[test]
fn failures_wait_longer_and_longer_and_then_it_is_given_up() {
    let fields = "desired: running, restart: {policy: on-failure, first: 10s, attempts: 3}, deadline: 1h";
    let mut story = Story::new(fields).ends(10, Some(1), None, None);
    assert_eq!(story.look(), "backoff until 20");
    story.now = 20;
    assert_eq!(story.look(), "failed");
    story.again(LeadCause::Failed);
    story = story.ends(25, Some(1), None, None);
    assert_eq!(story.look(), "backoff until 45");
    story.now = 45;
    assert_eq!(story.look(), "failed");
    story.again(LeadCause::Failed);
    let mut late = story.clone().ends(46 + 3600, Some(1), None, None);
    assert_eq!(late.look(), "gave-up", "the count is never reset");
    story = story.ends(46, Some(1), None, None);
    assert_eq!(story.look(), "gave-up");
    // A person's start begins anew.
    story.again(LeadCause::Failed);
    story.runs.last_mut().unwrap().cause = None;
    story = story.ends(100, Some(1), None, None);
    assert_eq!(story.look(), "backoff until 110");
    story.now = 100 + 3600;
    assert_eq!(story.look(), "deadline");
}

#[test]
fn the_decision_is_the_same_for_an_engine_that_has_just_begun() {
    // All of it is in the ledger and the operations, so a copy of both decides alike, at any moment.
    let stories = [
        Story::new(ON_FAILURE).ends(10, Some(1), None, None),
        Story::new(ALWAYS).ends(10, Some(0), None, None),
        Story { server: None, ..Story::new(RUNNING).ends(10, Some(129), None, Some(1)) },
    ];
    for story in stories {
        let mut one = story.clone();
        for now in [11, 12, 50, 200, 4000] {
            one.now = now;
            let told = one.look();
            let text = serde_json::to_string(&one.acted).unwrap();
            let mut other = Story { acted: serde_json::from_str(&text).unwrap(), ..one.clone() };
            assert_eq!(other.look(), told, "at {now}");
        }
    }
}
