//! `headcount fleet status` against a real broker: who is online, lost or offline, and when everything has come.

use headcount::bus::BusOptions;
use headcount::core::fleet::{HOST_SCHEMA, HostState};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::broker::{Broker, Client, PATIENCE};
use crate::run::{declare, headcount};
use crate::watch::Place;

const OPEN: &str = "allow_anonymous true\n";

/// What a run of `fleet status` said and how it ended.
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Told {
    fn json(&self) -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/fleet.schema.json");
        let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let view: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stderr));
        jsonschema::validator_for(&schema).unwrap().validate(&view).unwrap();
        view
    }

    /// The status of each host.
    fn hosts(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.json()["hosts"].as_array().unwrap().iter().map(|host| (text(&host["host"]), text(&host["status"]))).collect()
    }
}

fn fleet(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Told {
    let mut command = headcount(&place.world, &[&["fleet", "status"], arguments].concat());
    command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", place.broker.port.to_string()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Waits until the only host is like this.
fn becomes(place: &Place, status: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let told = fleet(place, &["--json"], &[]).hosts();
        if matches!(told.as_slice(), [(_, is)] if is == status) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{told:?} and not {status}");
    }
}

fn presence(host: &str) -> HostState {
    let state = json!({"schema": HOST_SCHEMA, "host": host, "online": true, "boot_id": "b", "seq": 0, "version": "0",
        "since": chrono::Utc::now(), "manifest": "/m", "interval": 30.0});
    serde_json::from_value(state).unwrap()
}

fn state(host: &str, declared: usize) -> Vec<u8> {
    let mut state = serde_json::to_value(presence(host)).unwrap();
    state["counts"] = json!({"declared": declared, "running": declared, "drifts": 0, "unknown": 0});
    state.to_string().into_bytes()
}

fn session(host: &str, name: &str) -> Vec<u8> {
    let key = json!({"host": host, "mux": "tmux", "server": "default", "name": name});
    json!({"schema": "headcount/session/v1", "manifest": "/m", "session": key, "agent": "claude", "declared": "running",
        "observed": "alive", "drifts": []})
    .to_string()
    .into_bytes()
}

/// A host and its sessions, retained.
fn publish(broker: &Broker, host: &str, declared: usize, came: usize) {
    broker.publish(&format!("headcount/{host}/state"), &state(host, declared), &["-r"]);
    let all = (0..came).map(|n| (format!("headcount/{host}/session/tmux:default:s{n}"), session(host, &format!("s{n}"))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::start(BusOptions { client_id: format!("fill-{host}"), ..broker.options(&[]) });
        all.for_each(|(topic, payload)| client.bus.publisher().set(&topic, payload));
        let mut client = client;
        client.subscribed().await;
        client.stop().await;
    });
}

#[test]
fn a_view_in_which_nothing_came_is_never_called_complete() {
    let Some(mut place) = Place::new("allow_anonymous true\nacl_file DIR/none\n") else { return };
    let empty = |place: &Place| {
        let told = fleet(place, &[], &[]);
        assert_eq!(told.code, Some(4), "{}", told.stdout);
        assert!(told.stdout.starts_with("No host came from 127.0.0.1:"), "{}", told.stdout);
        assert!(told.stderr.contains("may not read headcount/#"), "{}", told.stderr);
        let told = fleet(place, &["--json"], &[]);
        assert_eq!((told.code, &told.json()["complete"], told.hosts()), (Some(4), &json!(false), vec![]));
    };
    let acl = |place: &mut Place, text: &str| {
        std::fs::write(place.broker.dir.path().join("none"), text).unwrap();
        place.broker.end(Signal::TERM);
        assert!(place.broker.start());
    };
    acl(&mut place, "topic readwrite #\n");
    empty(&place);
    // mosquitto grants the subscription and delivers nothing: to a reader it looks the same.
    acl(&mut place, "topic write headcount/#\ntopic readwrite jobs/#\n");
    place.broker.publish("headcount/h/state", &state("h", 0), &["-r"]);
    empty(&place);
    acl(&mut place, "topic readwrite #\n");
    place.broker.publish("headcount/h/state", &state("h", 0), &["-r"]);
    assert_eq!(fleet(&place, &["--json"], &[]).json()["complete"], true);
}

#[test]
fn a_watch_that_is_killed_is_lost_and_online_once_it_is_back_and_offline_once_it_has_ended() {
    let Some(place) = Place::new(OPEN) else { return };
    declare(&place.world, "version: 1\nsessions:\n  - { name: lab, agent: claude, status: running }\n");
    let first = place.watch(&["--publish"], &[]);
    becomes(&place, "online");
    let before = fleet(&place, &["--json"], &[]).json();
    first.signal(Signal::KILL);
    becomes(&place, "lost");
    let lost = fleet(&place, &["--json"], &[]).json();
    assert_eq!(lost["hosts"][0]["since"], before["hosts"][0]["since"]);
    assert_eq!(lost["hosts"][0]["sessions"][0]["name"], "lab", "what it last said is still known");
    assert!(lost["hosts"][0]["ended_at"].is_null() && lost["hosts"][0]["last_known"].is_string(), "{lost}");
    let shown = fleet(&place, &[], &[]).stdout;
    let row = shown.lines().find(|line| line.contains("lost")).unwrap();
    assert!(row.contains("  ?  ") && row.contains("last seen "), "since when it is lost nobody here saw: {shown}");
    let again = place.watch(&["--publish"], &[]);
    becomes(&place, "online");
    let host = fleet(&place, &["--json"], &[]).hosts().remove(0).0;
    again.terminate();
    becomes(&place, "offline");
    let told = fleet(&place, &[&host], &[]);
    assert!(told.code == Some(0) && told.stdout.contains("offline") && told.stdout.contains("was gone"), "{}", told.stdout);
    let told = fleet(&place, &["nobody-*"], &[]);
    assert!(told.code == Some(1) && told.stdout.starts_with("No host of that name"), "{}", told.stdout);
}

#[test]
fn of_two_hosts_only_the_one_that_was_lost_is_lost_and_a_late_last_will_changes_nothing_for_who_watches() {
    let Some(place) = Place::new(OPEN) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    // The clients go on while this thread waits for the program.
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let runtime = handle;
    let start = |host: &str| {
        let presence = Some(presence(host));
        let client_id = format!("publishes-{host}");
        let _guard = runtime.enter();
        Client::start(BusOptions { presence, client_id, ..place.broker.options(&[]) })
    };
    let (mut one, mut two) = (start("one"), start("two"));
    runtime.block_on(async {
        one.subscribed().await;
        two.subscribed().await;
    });
    place.broker.retains("headcount/one/state", |value| !value.is_empty());
    place.broker.retains("headcount/two/state", |value| !value.is_empty());
    let mut watched = follow(&place, &["--json"]);
    let view = watched.next("view");
    assert_eq!(view["counts"]["online"], 2);
    let old = place.broker.retained("headcount/two/state");
    drop(two);
    let lost = watched.next("host");
    assert_eq!((&lost["host"]["host"], &lost["host"]["status"]), (&json!("two"), &json!("lost")));
    assert!(lost["host"]["ended_at"].is_string(), "{lost}");
    let mut two = start("two");
    runtime.block_on(two.subscribed());
    assert_eq!(watched.next("host")["host"]["status"], "online");
    let mut late: HostState = HostState::parse(old.as_bytes()).unwrap();
    (late.online, late.lost) = (false, true);
    place.broker.publish("headcount/two/state", &serde_json::to_vec(&late).unwrap(), &[]);
    let new = "headcount/one/session/tmux:default:new";
    one.bus.publisher().set(new, session("one", "new"));
    let next = watched.any();
    assert_eq!((&next["type"], &next["session"]["name"]), (&json!("session"), &json!("new")), "the late will was told");
    one.bus.publisher().set(new, Vec::new());
    assert_eq!(watched.next("gone")["session"]["name"], "new");
    runtime.block_on(async {
        one.stop().await;
        assert_eq!(watched.next("host")["host"]["status"], "offline");
        drop(two);
    });
    assert_eq!(watched.end(), Some(0));
}

#[test]
fn a_watch_of_a_fleet_reads_everything_anew_after_a_restart_of_the_broker() {
    let Some(mut place) = Place::new(OPEN) else { return };
    publish(&place.broker, "h", 2, 2);
    let mut watched = follow(&place, &["--json"]);
    assert_eq!(watched.next("view")["counts"]["sessions"], 2);
    place.broker.end(Signal::TERM);
    watched.next("broker");
    assert!(place.broker.start());
    assert_eq!(watched.next("view")["counts"]["sessions"], 2);
    assert_eq!(watched.end(), Some(0));
}

#[test]
fn more_than_a_broker_sends_at_once_comes_whole_without_any_of_its_settings_changed() {
    let Some(place) = Place::new(OPEN) else { return };
    for host in ["a", "b", "c"] {
        publish(&place.broker, host, 900, 900);
    }
    let told = fleet(&place, &["--json", "--timeout", "20s"], &[]);
    assert_eq!((told.code, &told.json()["counts"]["sessions"]), (Some(0), &json!(2700)), "{}", told.stderr);
}

/// A broker with one host that drops others (what it cannot send at once, and with it the answer that would have come after), or
/// that `denies` to read.
fn stingy(denies: bool) -> u16 {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut drops = false;
        loop {
            // None of these packets is longer than 127 bytes.
            let mut head = [0; 2];
            if stream.read_exact(&mut head).is_err() {
                return;
            }
            let mut body = vec![0; usize::from(head[1])];
            stream.read_exact(&mut body).unwrap();
            let has = |text: &[u8]| body.windows(text.len()).any(|part| part == text);
            let answer = match head[0] {
                0x10 => vec![0x20, 2, 0, 0],
                0x82 if denies => vec![0x90, 3, body[0], body[1], 0x80],
                0x82 if has(b"headcount/+/state") => {
                    drops = true;
                    let (topic, payload) = (b"headcount/h/state", state("h", 0));
                    let length = 2 + topic.len() + payload.len();
                    let length = [u8::try_from(length % 128).unwrap() | 0x80, u8::try_from(length / 128).unwrap()];
                    [&[0x31][..], &length, &[0, 17], topic, &payload].concat()
                }
                0x82 => vec![0x90, 3, body[0], body[1], 0],
                0xa2 if std::mem::take(&mut drops) => Vec::new(),
                0xa2 => vec![0xb0, 2, body[0], body[1]],
                0xc0 => vec![0xd0, 0],
                _ => Vec::new(),
            };
            stream.write_all(&answer).unwrap();
        }
    });
    port
}

#[test]
fn hosts_that_the_broker_had_to_drop_make_the_view_incomplete() {
    let Some(place) = Place::new(OPEN) else { return };
    let port = stingy(false).to_string();
    let told = fleet(&place, &["--json", "--timeout", "20s"], &[("MQTT_PORT", &port)]);
    assert_eq!((told.code, &told.json()["complete"]), (Some(4), &json!(false)));
    assert!(told.stderr.contains("dropped some of the hosts"), "{}", told.stderr);
    assert_eq!(told.hosts(), [("h".to_owned(), "online".to_owned())], "what came is shown");
}

#[test]
fn a_broker_that_denies_reading_is_said_to_at_once() {
    let Some(place) = Place::new(OPEN) else { return };
    let port = stingy(true).to_string();
    let before = std::time::Instant::now();
    let told = fleet(&place, &["--json", "--timeout", "60s"], &[("MQTT_PORT", &port)]);
    assert_eq!((told.code, &told.json()["complete"]), (Some(4), &json!(false)));
    assert_eq!(told.json()["incomplete"], json!(["the broker denies access to headcount/+/state"]));
    assert!(told.stderr.contains("this user must be allowed to read headcount/#"), "{}", told.stderr);
    assert!(before.elapsed() < PATIENCE, "waiting would not better it");
}

#[test]
fn sessions_that_are_counted_and_do_not_come_make_the_view_incomplete() {
    let acl = "topic write headcount/#\ntopic read headcount/+/state\ntopic readwrite jobs/#\n";
    let config = "allow_anonymous true\nacl_file DIR/none\n";
    let Some(mut place) = Place::new(config) else { return };
    std::fs::write(place.broker.dir.path().join("none"), acl).unwrap();
    place.broker.end(Signal::TERM);
    assert!(place.broker.start());
    publish(&place.broker, "h", 2, 2);
    let told = fleet(&place, &["--timeout", "1s"], &[]);
    assert_eq!(told.code, Some(4));
    assert!(told.stderr.contains("2 of the 2 sessions of h are missing"), "{}", told.stderr);
    assert!(told.stdout.contains("online"), "what came is shown: {}", told.stdout);
    assert_eq!(fleet(&place, &["--json", "--timeout", "1s"], &[]).json()["complete"], false);
}

#[test]
fn what_strangers_keep_on_the_broker_reaches_no_terminal_and_hides_no_host() {
    let Some(place) = Place::new(OPEN) else { return };
    publish(&place.broker, "h", 1, 1);
    let big = vec![b'x'; 200_000];
    let (evil, nothing) = ("\u{1b}]0;owned\u{7}\n\u{202e}", "headcount/h/session/tmux:default:evil");
    let hostile = String::from_utf8(state("x", 0)).unwrap().replace("\"/m\"", &json!(evil).to_string());
    for (topic, payload) in [
        ("headcount/h/session/tmux:default:s1", &big[..]),
        (nothing, b"\x1b[2J\xff"),
        ("headcount/big/state", &big),
        ("headcount/\u{202e}odd/state", b"{}"),
        ("headcount/x/state", hostile.as_bytes()),
        ("headcount/h/session/tmux:default:s9/deeper", b"x"),
    ] {
        place.broker.publish(topic, payload, &["-r"]);
    }
    let told = fleet(&place, &["--color", "never"], &[]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.chars().all(|c| c == '\n' || !c.is_control()) && !told.stdout.contains('\u{202e}'), "{}", told.stdout);
    let hosts = fleet(&place, &["--json"], &[]).hosts();
    assert!(
        hosts.contains(&("h".to_owned(), "online".to_owned())) && hosts.contains(&("big".to_owned(), "unreadable".to_owned()))
    );
    // Beyond what is read at all: said, and not waited for.
    place.broker.publish("headcount/huge/state", &vec![b'x'; 2 << 20], &["-r"]);
    let told = fleet(&place, &["--timeout", "60s"], &[]);
    assert_eq!(told.code, Some(4));
    assert!(
        told.stderr.contains("2097152 bytes") || told.stderr.contains("bytes, and headcount reads at most"),
        "{}",
        told.stderr
    );
}

#[test]
fn who_is_not_let_in_or_finds_nobody_is_told_at_once() {
    let Some(mut place) = Place::new("allow_anonymous false\npassword_file DIR/none\n") else { return };
    let told = fleet(&place, &["--timeout", "60s"], &[]);
    assert!(told.code == Some(1) && told.stderr.contains("not authorized"), "{}", told.stderr);
    place.broker.end(Signal::TERM);
    for more in [&[][..], &["--watch"]] {
        let told = fleet(&place, &[&["--timeout", "60s"], more].concat(), &[]);
        assert!(told.code == Some(1) && told.stderr.contains("refused") && told.stdout.is_empty(), "{}", told.stderr);
    }
    assert!(fleet(&place, &[], &[("MQTT_BROKER", "")]).stderr.contains("no MQTT broker is configured"));
}

/// A running `fleet status --watch`.
struct Followed {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

fn follow(place: &Place, arguments: &[&str]) -> Followed {
    let mut command = headcount(&place.world, &[&["fleet", "status", "--watch"], arguments].concat());
    command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", place.broker.port.to_string());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let (send, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || std::io::BufRead::lines(stdout).map_while(Result::ok).all(|line| send.send(line).is_ok()));
    Followed { child, lines }
}

impl Followed {
    fn any(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("nothing was told");
        let event: Value = serde_json::from_str(&line).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/fleet-events.schema.json");
        let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap().validate(&event).unwrap();
        event
    }

    fn next(&mut self, kind: &str) -> Value {
        loop {
            let event = self.any();
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Ends it by SIGTERM.
    fn end(mut self) -> Option<i32> {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
