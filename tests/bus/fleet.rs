//! `headcount watch --publish`: what a host says of itself, and what is left when it goes.

use headcount::core::fleet::{HostState, SessionState};
use rustix::process::Signal;

use crate::broker::Client;
use crate::run::declare;
use crate::watch::Place;

const OPEN: &str = "allow_anonymous true\n";

fn declared(names: &[&str]) -> String {
    let entries: String =
        names.iter().map(|name| format!("  - {{ name: \"{name}\", agent: claude, status: running }}\n")).collect();
    let list = if names.is_empty() { " []\n".to_owned() } else { format!("\n{entries}") };
    format!("version: 1\nsessions:{list}")
}

/// The topic of this host's state.
fn host(place: &Place) -> String {
    let output = crate::run::headcount(&place.world, &["status", "--json"]).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    format!("headcount/{}", headcount::core::mqtt::encode_level(status["host"].as_str().unwrap()))
}

#[test]
fn a_host_publishes_its_sessions_and_what_goes_is_taken_back() {
    let Some(place) = Place::new(OPEN) else { return };
    declare(&place.world, &declared(&["plain", "o/d+d#"]));
    let base = host(&place);
    let state = format!("{base}/state");
    let watch = place.watch(&["--publish"], &[]);
    let counted = place.broker.retains(&state, |value| value.contains("\"counts\""));
    let counted = HostState::parse(counted.as_bytes()).unwrap();
    assert!(counted.online && counted.counts.unwrap().declared == 2 && !counted.boot_id.is_empty());
    let topic = format!("{base}/session/tmux:default:o%2Fd%2Bd%23");
    let session = place.broker.retains(&topic, |value| value.contains("\"declared\":\"terminated\"") || value.contains("gone"));
    let session = SessionState::parse(session.as_bytes()).unwrap();
    assert_eq!(session.session.name, "o/d+d#");
    // An entry that goes while the watch runs.
    declare(&place.world, &declared(&["plain"]));
    place.broker.retains(&topic, str::is_empty);
    let plain = format!("{base}/session/tmux:default:plain");
    place.broker.retains(&plain, |value| !value.is_empty());
    assert_eq!(watch.terminate().status.code(), Some(0));
    let left = HostState::parse(place.broker.retained(&state).as_bytes()).unwrap();
    assert_eq!((left.online, left.boot_id, left.seq), (false, counted.boot_id, counted.seq));
    // And one that goes while none runs.
    declare(&place.world, &declared(&[]));
    let watch = place.watch(&["--publish"], &[]);
    place.broker.retains(&plain, str::is_empty);
    watch.terminate();
}

#[test]
fn a_watch_that_is_killed_leaves_its_host_offline() {
    let Some(place) = Place::new(OPEN) else { return };
    let state = format!("{}/state", host(&place));
    let watch = place.watch(&["--publish"], &[]);
    let born = HostState::parse(place.broker.retains(&state, |value| value.contains("\"online\":true")).as_bytes()).unwrap();
    watch.signal(Signal::KILL);
    let left = place.broker.retains(&state, |value| value.contains("\"online\":false"));
    let left = HostState::parse(left.as_bytes()).unwrap();
    assert!(left.replaces(&born) && left.seq == born.seq);
}

#[test]
fn a_late_last_will_of_an_earlier_connection_does_not_hide_a_host_that_lives() {
    let Some(place) = Place::new(OPEN) else { return };
    let state = format!("{}/state", host(&place));
    let first = place.watch(&["--publish"], &[]);
    place.broker.retains(&state, |value| value.contains("\"counts\""));
    first.signal(Signal::KILL);
    let will = place.broker.retains(&state, |value| value.contains("\"lost\":true"));
    let watch = place.watch(&["--publish"], &[]);
    let born = place.broker.retains(&state, |value| value.contains("\"counts\""));
    let born = HostState::parse(born.as_bytes()).unwrap();
    let earlier_boot = HostState { boot_id: "another".to_owned(), seq: born.seq + 1, ..born.last_will() };
    for late in [will.into_bytes(), serde_json::to_vec(&earlier_boot).unwrap()] {
        place.broker.publish(&state, &late, &["-r", "-q", "1"]);
        let kept = place.broker.retains(&state, |value| value.contains("\"online\":true"));
        assert_eq!(HostState::parse(kept.as_bytes()).unwrap().seq, born.seq);
    }
    assert_eq!(watch.terminate().status.code(), Some(0));
    let kept = HostState::parse(place.broker.retained(&state).as_bytes()).unwrap();
    assert!(!kept.online && !kept.lost, "it ended in order: {kept:?}");
}

#[test]
fn another_manifests_sessions_are_left_alone() {
    let Some(place) = Place::new(OPEN) else { return };
    let base = host(&place);
    let other = format!("{base}/session/tmux:default:elsewhere");
    let payload = br#"{"schema":"headcount/session/v1","manifest":"/other","session":{"host":"h","mux":"tmux","server":"default","name":"elsewhere"},"agent":"claude","declared":"running","observed":"alive","drifts":[]}"#;
    assert!(SessionState::parse(payload).is_ok());
    place.broker.publish(&other, payload, &["-r"]);
    place.broker.publish(&format!("{base}/session/tmux:default:odd"), b"not ours to read", &["-r"]);
    let mine =
        String::from_utf8(payload.to_vec()).unwrap().replace("/other", crate::run::manifest(&place.world).to_str().unwrap());
    let ghost = format!("{base}/session/tmux:default:ghost");
    place.broker.publish(&ghost, mine.as_bytes(), &["-r"]);
    let watch = place.watch(&["--publish"], &[]);
    place.broker.retains(&ghost, str::is_empty);
    watch.terminate();
    assert_eq!(place.broker.retained(&other).as_bytes(), payload);
    assert_eq!(place.broker.retained(&format!("{base}/session/tmux:default:odd")), "not ours to read");
}

#[test]
fn nothing_is_published_unless_asked_for() {
    let Some(place) = Place::new(OPEN) else { return };
    let base = host(&place);
    place.subscribed().terminate();
    assert_eq!(place.broker.retained(&format!("{base}/state")), "");
}

#[test]
fn drifts_are_told_as_they_are_found() {
    let Some(place) = Place::new(OPEN) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut options = place.broker.options(&[]);
    options.subscribe = vec![format!("{}/drift", host(&place))];
    options.keep_alive = std::time::Duration::from_secs(60);
    let mut listener = runtime.block_on(async { Client::start(options) });
    runtime.block_on(listener.subscribed());
    declare(&place.world, &declared(&["lost"]));
    let watch = place.watch(&["--publish"], &[]);
    let note = runtime.block_on(listener.text());
    let note = headcount::core::fleet::DriftNote::parse(note.as_bytes()).unwrap();
    assert_eq!((note.class.to_string().as_str(), note.session.name.as_str()), ("dead", "lost"));
    watch.terminate();
}
