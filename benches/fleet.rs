//! `headcount fleet status` of many hosts: time until the view is complete, memory and bytes, beside `mosquitto_sub` taking the
//! same retained messages from the same broker.
//!
//! `BENCH_HOSTS` (1,000) hosts with `BENCH_SESSIONS` (100) sessions each; `BENCH_TRIES` (5) readings, of which the median is told.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "shared with the tests of the bus")]
#[path = "../tests/bus/broker.rs"]
mod broker;
#[path = "support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use broker::Broker;
use serde_json::{Value, json};
use support::report::{Measure, Reporter, median, millis};
use support::{memory, number};

/// What the view is told beside.
const FLOOR: &str = "mosquitto_sub, everything at once";

fn main() {
    let mut report = Reporter::begin("fleet");
    // Wide enough for the floor, which asks for everything at once; headcount is measured with the usual settings as well.
    let Some(wide) = broker::with("allow_anonymous true\nmax_queued_messages 1000000\n", |_| {}) else {
        report.skipped("the fleet", "mosquitto is not installed");
        return;
    };
    let (hosts, sessions, tries) =
        (number("BENCH_HOSTS", 1000), number("BENCH_SESSIONS", 100), number("BENCH_TRIES", 5).clamp(1, 20));
    let bytes = fill(&wide, hosts, sessions);
    let messages = hosts * (sessions + 1);
    report.note(&format!("{hosts} hosts x {sessions} sessions: {messages} retained messages, {} KiB with topics", bytes >> 10));
    let floors: Vec<f64> = (0..tries).map(|_| millis(floor(&wide, messages))).collect();
    let floor = median(&floors);
    tell(&mut report, "fleet.wide", "`headcount fleet status --json`", floor, tries, || view(&wide, hosts, sessions));
    drop(wide);
    let usual = broker::open().unwrap();
    fill(&usual, hosts, sessions);
    tell(&mut report, "fleet.usual", "the same, mosquitto as it comes", floor, tries, || view(&usual, hosts, sessions));
}

fn tell(report: &mut Reporter, id: &str, says: &str, floor: f64, tries: usize, mut run: impl FnMut() -> (Duration, f64)) {
    let (taken, memories): (Vec<f64>, Vec<f64>) = (0..tries).map(|_| run()).map(|(took, peak)| (millis(took), peak)).unzip();
    let peak = memories.into_iter().fold(0.0, f64::max);
    report.measured(id, says, "ms", Measure::median(&taken).over(FLOOR, floor).because(&format!("peak {peak:.1} MiB")));
}

/// Publishes with bare packets: a program for each message would take an hour. Gives the bytes of topics and payloads.
fn fill(broker: &Broker, hosts: usize, sessions: usize) -> usize {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", broker.port)).unwrap();
    stream.write_all(b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04fill").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    let mut bytes = 0;
    let now = chrono::Utc::now();
    for h in 0..hosts {
        let host = format!("host-{h:04}");
        let counts = json!({"declared": sessions, "running": sessions, "drifts": 0, "unknown": 0});
        let state = json!({"schema": "headcount/host/v1", "host": host, "online": true, "boot_id": "b", "seq": 1, "version": "0.1.0",
            "since": now, "manifest": "/home/dev/agent-sessions.yaml", "interval": 30.0, "observed_at": now, "counts": counts});
        let mut batch = Vec::new();
        bytes += packet(&mut batch, &format!("headcount/{host}/state"), &state);
        for s in 0..sessions {
            let name = format!("lab-service-{s:03}-creator-claude");
            let key = json!({"host": host, "mux": "tmux", "server": "default", "name": name});
            let session = json!({"schema": "headcount/session/v1", "manifest": "/home/dev/agent-sessions.yaml", "session": key,
                "agent": "claude", "declared": "running", "observed": "alive", "drifts": [],
                "session_id": format!("{h:08x}-0000-4000-8000-{s:012x}")});
            bytes += packet(&mut batch, &format!("headcount/{host}/session/tmux:default:{name}"), &session);
        }
        stream.write_all(&batch).unwrap();
    }
    // An answer to a ping comes after everything before it was taken in.
    stream.write_all(b"\xc0\0").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    bytes
}

fn packet(batch: &mut Vec<u8>, topic: &str, payload: &Value) -> usize {
    let payload = payload.to_string();
    let mut left = 2 + topic.len() + payload.len();
    batch.push(0x31);
    loop {
        let low = u8::try_from(left % 128).unwrap();
        left /= 128;
        batch.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    batch.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
    batch.extend(topic.bytes());
    batch.extend(payload.bytes());
    topic.len() + payload.len()
}

fn floor(broker: &Broker, messages: usize) -> Duration {
    let since = Instant::now();
    let mut command = Command::new("mosquitto_sub");
    command.args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-t", "headcount/#", "-W", "60"]);
    let status = command.args(["-C", &messages.to_string()]).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "mosquitto_sub did not get everything");
    since.elapsed()
}

/// One reading, checked: how long it took, and the most memory it had.
fn view(broker: &Broker, hosts: usize, sessions: usize) -> (Duration, f64) {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let since = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_headcount"))
        .args(["fleet", "status", "--json", "--timeout", "60s"])
        .env_clear()
        .env("HOME", home.path())
        .env("MQTT_BROKER", "127.0.0.1")
        .env("MQTT_PORT", broker.port.to_string())
        .current_dir(home.path())
        .stdout(std::fs::File::create(&out).unwrap())
        .spawn()
        .unwrap();
    let mut peak = 0.0_f64;
    let status = loop {
        peak = memory(child.id(), "VmHWM").unwrap_or(0.0).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let taken = since.elapsed();
    let view: Value = serde_json::from_reader(std::fs::File::open(&out).unwrap()).unwrap();
    let counts = (&view["counts"]["hosts"], &view["counts"]["sessions"], &view["complete"]);
    assert!(status.success() && counts == (&json!(hosts), &json!(hosts * sessions), &json!(true)), "{counts:?}");
    (taken, peak)
}
