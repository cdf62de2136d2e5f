//! Tables and properties of the fold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::fleet::report::FleetReport;
use crate::core::fleet::report::HostStatus::{Lost, Offline, Online, Stale, Unreadable};
use crate::core::report::status::Observed;

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOW + seconds, 0).unwrap()
}

/// A message, with its own copies of what it holds.
#[derive(Debug, Clone)]
struct Letter {
    topic: String,
    payload: Vec<u8>,
    retained: bool,
}

impl Letter {
    fn live(topic: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.to_owned(), payload: payload.into(), retained: false }
    }

    fn kept(self) -> Self {
        Self { retained: true, ..self }
    }
}

fn host(host: &str, boot: &str, seq: u64, how: HostStatus) -> Letter {
    counted(host, boot, seq, how, None)
}

fn counted(host: &str, boot: &str, seq: u64, how: HostStatus, declared: Option<usize>) -> Letter {
    let counts = declared.map(|declared| json!({"declared": declared, "running": 0, "drifts": 0, "unknown": 0}));
    let observed = declared.map(|n| crate::core::text::stamp(at(i64::try_from(n).unwrap())));
    let state = json!({"schema": "headcount/host/v1", "host": host, "online": how == Online, "lost": how == Lost, "boot_id": boot,
        "seq": seq, "version": "0", "since": crate::core::text::stamp(at(0)), "manifest": "/m", "interval": 30.0,
        "observed_at": observed, "counts": counts});
    Letter::live(&HostTopics::new(host).state(), state.to_string())
}

fn session(host: &str, name: &str, observed: &str) -> Letter {
    let key = json!({"host": host, "mux": "tmux", "server": "default", "name": name});
    let state = json!({"schema": "headcount/session/v1", "manifest": "/m", "session": key, "agent": "claude",
        "declared": "running", "observed": observed, "drifts": []});
    Letter::live(&format!("headcount/{}/session/tmux:default:{}", encode_level(host), encode_level(name)), state.to_string())
}

fn hear(fold: &mut Fold, letter: &Letter) -> FleetChange {
    let payload = Some(letter.payload.as_slice());
    fold.hear(FleetMessage { topic: &letter.topic, payload, retained: letter.retained, at: at(1) })
}

fn heard(letters: &[Letter]) -> FleetReport {
    let mut fold = Fold::new(Bounds::default());
    for letter in letters {
        hear(&mut fold, letter);
    }
    let report = report(&fold);
    assert_eq!(fold.into_report("b:1", &[], Vec::new(), at(2)), report, "the last view is another one");
    report
}

fn report(fold: &Fold) -> FleetReport {
    fold.report("b:1", &[], Vec::new(), at(2))
}

fn statuses(letters: &[Letter]) -> Vec<HostStatus> {
    heard(letters).hosts.iter().map(|host| host.status).collect()
}

#[test]
fn a_host_that_came_back_is_online_however_late_its_last_will_arrives() {
    let (first, will, again) = (host("h", "a", 5, Online), host("h", "a", 5, Lost), host("h", "a", 6, Online));
    assert_eq!(statuses(&[first.clone(), will.clone()]), [Lost]);
    assert_eq!(statuses(&[first.clone(), will.clone(), again.clone()]), [Online]);
    assert_eq!(statuses(&[first, again.clone(), will.clone()]), [Online]);
    assert_eq!(statuses(&[will, again.kept()]), [Online]);
    // After a boot with a clock that is behind.
    assert_eq!(statuses(&[host("h", "b", 2, Online), host("h", "a", 9, Lost)]), [Online]);
    assert_eq!(statuses(&[host("h", "a", 9, Lost), host("h", "b", 2, Online), host("h", "b", 2, Offline)]), [Lost]);
}

#[test]
fn a_host_that_ended_in_order_is_offline_and_one_that_was_lost_says_since_when_only_if_that_was_heard() {
    assert_eq!(statuses(&[host("h", "a", 5, Online), host("h", "a", 5, Offline)]), [Offline]);
    let lost = |letter| heard(&[host("h", "a", 5, Online).kept(), letter]).hosts[0].ended_at;
    assert_eq!(lost(host("h", "a", 5, Lost)), Some(at(1)));
    assert_eq!(lost(host("h", "a", 5, Lost).kept()), None);
    assert_eq!(lost(host("h", "a", 6, Online)), None);
}

#[test]
fn when_a_host_went_is_still_known_once_everything_was_read_anew_unless_it_was_back_meanwhile() {
    let mut fold = Fold::new(Bounds::default());
    hear(&mut fold, &host("h", "b", 1, Online));
    hear(&mut fold, &host("h", "b", 1, Lost));
    fold.begin_anew();
    assert_eq!(report(&fold).hosts, []);
    hear(&mut fold, &host("h", "b", 1, Lost).kept());
    assert_eq!(report(&fold).hosts[0].ended_at, Some(at(1)));
    fold.begin_anew();
    hear(&mut fold, &host("h", "b", 1, Lost).kept());
    assert_eq!(report(&fold).hosts[0].ended_at, Some(at(1)), "after the second time");
    fold.begin_anew();
    hear(&mut fold, &host("h", "b", 2, Lost).kept());
    assert_eq!(report(&fold).hosts[0].ended_at, None, "that is the end of another connection");
}

#[test]
fn a_host_that_has_not_said_for_long_that_it_looks_is_stale_and_never_lost() {
    let mut fold = Fold::new(Bounds::default());
    hear(&mut fold, &host("h", "a", 5, Online));
    let status = |fold: &Fold, seconds| fold.status("h", at(seconds)).unwrap();
    assert_eq!((status(&fold, 900), status(&fold, 901)), (Online, Stale));
    hear(&mut fold, &counted("h", "a", 5, Online, Some(100)));
    assert_eq!((status(&fold, 1000), status(&fold, 1001)), (Online, Stale));
    // A clock that is ahead, and an interval nobody can mean.
    assert_eq!(status(&fold, -100_000), Online);
    let mad = String::from_utf8(host("m", "a", 5, Online).payload).unwrap().replace("30.0", "1e308");
    hear(&mut fold, &Letter::live("headcount/m/state", mad));
    assert_eq!(fold.status("m", at(86_400)), Some(Online));
}

#[test]
fn a_statement_that_is_not_understood_is_said_to_be_and_outdoes_none_that_is() {
    let newer = Letter::live("headcount/h/state", r#"{"schema":"headcount/host/v9\u001b"}"#);
    let view = heard(std::slice::from_ref(&newer)).hosts.remove(0);
    assert_eq!((view.host.as_str(), view.status), ("h", Unreadable));
    assert!(view.note.unwrap().contains("headcount/host/v9"));
    assert_eq!(statuses(&[newer.clone(), host("h", "a", 5, Online)]), [Online]);
    assert_eq!(statuses(&[host("h", "a", 5, Online), newer]), [Online]);
}

#[test]
fn nobody_speaks_for_another_host_or_session() {
    let (mut host_of_another, mut session_of_another) = (host("evil", "a", 9, Lost), session("evil", "s", "gone"));
    host_of_another.topic = "headcount/h/state".to_owned();
    session_of_another.topic = "headcount/h/session/tmux:default:s".to_owned();
    let mut misplaced = session("h", "other", "gone");
    misplaced.topic = "headcount/h/session/tmux:default:s".to_owned();
    let told = [host("h", "a", 5, Online), session("h", "s", "alive"), host_of_another, session_of_another, misplaced];
    let report = heard(&told);
    assert_eq!((report.hosts.len(), report.hosts[0].status, report.counts.rejected), (1, Online, 3));
    assert_eq!(report.hosts[0].sessions[0].observed, Observed::Alive);
}

#[test]
fn a_session_that_was_taken_back_does_not_come_back_from_what_the_broker_had_kept() {
    let told = [host("h", "a", 5, Online), session("h", "s", "alive")];
    let gone = Letter::live(&told[1].topic, "");
    let mut fold = Fold::new(Bounds::default());
    for letter in &told {
        hear(&mut fold, letter);
    }
    assert!(matches!(hear(&mut fold, &gone), FleetChange::Gone(host, _) if host == "h"));
    hear(&mut fold, &told[1].clone().kept());
    assert_eq!(report(&fold).counts.sessions, 0);
    fold.settled();
    hear(&mut fold, &told[1].clone().kept());
    assert_eq!(report(&fold).counts.sessions, 1, "what is repeated on request is what there is");
    let cleared = Letter::live("headcount/h/state", "");
    assert_eq!(hear(&mut fold, &cleared), FleetChange::Forgotten("h".to_owned()));
    assert_eq!(report(&fold).hosts, []);
}

#[test]
fn sessions_that_a_host_counts_and_that_did_not_come_are_missed() {
    let told = [counted("h", "a", 5, Online, Some(2)), session("h", "s", "alive")];
    assert_eq!(heard(&told).hosts[0].missing, 1);
    let mut elsewhere = session("h", "t", "alive");
    elsewhere.payload = String::from_utf8(elsewhere.payload).unwrap().replace("\"/m\"", "\"/other\"").into();
    let report = heard(&[&told[..], &[elsewhere]].concat());
    assert_eq!((report.hosts[0].missing, report.hosts[0].sessions[1].manifest.as_deref()), (1, Some("/other")));
    assert_eq!(heard(&[&told[..], &[session("h", "t", "gone")]].concat()).hosts[0].missing, 0);
}

#[test]
fn what_is_more_than_is_held_is_counted_and_what_goes_makes_room() {
    let bounds = Bounds { hosts: 2, sessions: 3, bytes: 1 << 20 };
    let mut fold = Fold::new(bounds);
    for n in 0..5 {
        hear(&mut fold, &host(&format!("h{n}"), "a", 5, Online));
        hear(&mut fold, &session("h0", &format!("s{n}"), "alive"));
    }
    assert_eq!((report(&fold).counts.hosts, report(&fold).counts.sessions, fold.left_out()), (2, 3, 5));
    hear(&mut fold, &Letter::live(&session("h0", "s0", "alive").topic, ""));
    fold.settled();
    assert!(matches!(hear(&mut fold, &session("h0", "s4", "alive")), FleetChange::Session(..)));
    let mut fold = Fold::new(Bounds { bytes: 1000, ..Bounds::default() });
    hear(&mut fold, &host("h", "a", 5, Online));
    for n in 0..100 {
        hear(&mut fold, &session("h", &format!("s{n}"), "alive"));
        hear(&mut fold, &session("h", "s0", "gone"));
    }
    assert!(fold.bytes <= 1000 && fold.left_out() > 90 && report(&fold).counts.sessions > 1);
    for n in 0..1000 {
        hear(&mut fold, &host("h", &format!("boot {n}"), n, Online));
    }
    assert!(fold.hosts["h"].boots.len() <= MOST_BOOTS);
}

#[test]
fn a_host_is_selected_by_its_name_and_not_by_its_topic() {
    let mut fold = Fold::new(Bounds::default());
    hear(&mut fold, &host("bü/1", "a", 5, Online));
    hear(&mut fold, &host("c", "a", 5, Online));
    let levels = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        fold.levels(&patterns).map(str::to_owned).collect()
    };
    assert_eq!(levels(&["b*1"]), ["b%C3%BC%2F1"]);
    assert_eq!(levels(&["c", "x"]), ["c"]);
    assert_eq!(levels(&[]).len(), 2);
}

/// What two hosts say in the course of time, each stream in its own order: births, ends, counts, sessions that come and go.
fn story() -> impl Strategy<Value = Vec<Vec<Letter>>> {
    let connection = (any::<bool>(), 0..4_usize);
    let lives = prop::collection::vec(connection, 1..4);
    let observed = prop::sample::select(vec!["alive", "gone", "unknown", ""]);
    let sessions = prop::collection::vec((0..3_usize, observed), 0..8);
    (prop::collection::vec((lives, sessions), 1..3)).prop_map(|hosts| {
        let mut streams = Vec::new();
        for (h, (lives, sessions)) in hosts.into_iter().enumerate() {
            let name = format!("h{h}");
            let last = lives.len() - 1;
            for (n, (is_lost, passes)) in lives.into_iter().enumerate() {
                let (boot, seq) = (format!("boot{}", n % 2), u64::try_from(n).unwrap());
                let mut stream = vec![host(&name, &boot, seq, Online)];
                stream.extend((1..=passes).map(|pass| counted(&name, &boot, seq, Online, Some(n * 10 + pass))));
                if n < last || is_lost {
                    stream.push(host(&name, &boot, seq, if is_lost { Lost } else { Offline }));
                }
                streams.push(stream);
            }
            for s in 0..3 {
                let of = |(_, observed): &(usize, &str)| {
                    let told = session(&name, &format!("s{s}"), "alive");
                    if observed.is_empty() { Letter::live(&told.topic, "") } else { session(&name, &format!("s{s}"), observed) }
                };
                streams.push(sessions.iter().filter(|(which, _)| *which == s).map(of).collect());
            }
        }
        streams
    })
}

/// The streams mixed, with doubles in their places and what a broker may have kept anywhere.
fn mixed(streams: &[Vec<Letter>], picks: &[usize], kept: &[(usize, usize)]) -> Vec<Letter> {
    let mut left: Vec<&[Letter]> = streams.iter().map(Vec::as_slice).filter(|stream| !stream.is_empty()).collect();
    let mut all = Vec::new();
    let mut picks = picks.iter().cycle();
    while !left.is_empty() {
        let pick = picks.next().unwrap() % left.len();
        all.push(left[pick][0].clone());
        if picks.next().unwrap() % 3 == 2 {
            all.push(left[pick][0].clone());
        }
        left[pick] = &left[pick][1..];
        left.retain(|stream| !stream.is_empty());
    }
    // Sessions are only asked for once a host is known.
    let births = streams.iter().filter_map(|stream| stream.first()).filter(|letter| letter.topic.ends_with("/state"));
    let mut told: Vec<Letter> = births.cloned().map(Letter::kept).collect();
    let begin = told.len();
    told.extend(all.iter().cloned());
    for (which, place) in kept {
        let letter = all[which % all.len()].clone();
        if !letter.payload.is_empty() {
            // Kept before it was replaced, and delivered after the live one that replaced it.
            let after = told.iter().position(|it| it.topic == letter.topic && !it.retained && it.payload == letter.payload);
            let from = after.unwrap_or(begin) + 1;
            told.insert(from + place % (told.len() + 1 - from), letter.kept());
        }
    }
    told
}

/// A view without when things were heard.
fn timeless(mut report: FleetReport) -> FleetReport {
    report.hosts.iter_mut().for_each(|host| host.ended_at = None);
    report.counts.rejected = 0;
    report
}

proptest! {
    #[test]
    fn any_order_doubles_and_late_kept_statements_give_the_same_view(
        streams in story(),
        picks in prop::collection::vec(0..1000_usize, 7..40),
        kept in prop::collection::vec((0..1000_usize, 0..1000_usize), 0..6),
    ) {
        let straight: Vec<Letter> = mixed(&streams, &[0], &[]);
        let other = mixed(&streams, &picks, &kept);
        prop_assert_eq!(timeless(heard(&other)), timeless(heard(&straight)));
    }

    #[test]
    fn nothing_a_stranger_sends_changes_what_a_host_says(
        payload in prop_oneof![prop::collection::vec(any::<u8>(), 1..200), "\\{.{0,80}\\}".prop_map(String::into_bytes)],
        topic in prop_oneof!["headcount/[a-z%/:+#]{0,30}", "\\PC{0,40}", Just("headcount/h/session/tmux:default:s".to_owned()),
            Just("headcount/h/state".to_owned()), Just("headcount/h/drift".to_owned())],
        retained: bool,
    ) {
        let told = [host("h", "a", 5, Online), session("h", "s", "alive")];
        let stranger = Letter { topic, payload, retained };
        let expected = timeless(heard(&told)).hosts;
        let is_of_h = |view: &HostView| view.host == "h";
        let found = heard(&[&told[..], &[stranger]].concat()).hosts;
        prop_assert_eq!(found.into_iter().filter(is_of_h).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_is_wanted_of_a_session_and_what_was_done_to_it_last_is_kept() {
    let mut letter = session("h", "one", "gone");
    let mut state: serde_json::Value = serde_json::from_slice(&letter.payload).unwrap();
    let operation = json!({"id": "01a22b916176-4256-1", "action": "resume", "at": crate::core::text::stamp(at(0)),
        "cause": "server-lost", "outcome": "failed", "code": "dialog"});
    (state["desired"], state["operation"]) = (json!("running"), operation.clone());
    letter.payload = state.to_string().into_bytes();
    let report = heard(&[host("h", "b", 1, Online), letter]);
    let shown = serde_json::to_value(&report.hosts[0].sessions[0]).unwrap();
    assert_eq!((&shown["desired"], &shown["operation"]), (&json!("running"), &operation));
}
