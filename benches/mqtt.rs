//! `headcount watch --subscribe` against the budgets of the design: from an event's publication until it is in the registry and
//! told, beside a bare publish→receive through the same broker in the same run; and a burst, of which nothing may be lost.
//!
//! `BENCH_TRIES` sets how often each latency is taken (60), `BENCH_BURST` how many events the burst has (50,000; mosquitto
//! 2.0.11 disconnects a sender once 65,535 wait for one client).
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "shared with the tests of the bus")]
#[path = "../tests/bus/broker.rs"]
mod broker;
#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::Utc;
use headcount::bus::{Bus, BusOptions, ConnectionState};
use headcount::core::job::{DEFAULT_ROOT, EventKind, Job, JobEvent, NewJob};
use headcount::store::jobs::Registry;
use serde_json::Value;

use broker::{Broker, Client};
use support::report::{Measure, Reporter, median, millis};
use support::{memory, number};

/// A broker that keeps everything for a client that is slower than the publisher. By default mosquitto keeps 1,000 messages.
const KEEPS: &str = "allow_anonymous true\nmax_queued_messages 0\n";

fn main() {
    let mut report = Reporter::begin("mqtt");
    let Some(broker) = broker::with(KEEPS, |_| {}) else {
        report.skipped("everything about MQTT", "mosquitto is not installed");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clients = runtime.handle().clone();
    // The clients go on while this thread waits for the watch.
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let tries = number("BENCH_TRIES", 60);
    let floor = clients.block_on(floor(&broker, tries));
    let mut watch = Watch::start(&broker);
    let told = latency(&broker, &mut watch, tries, &clients);
    report.budget("mqtt.event.p50", Measure::median(&told).over("a bare publish -> receive", median(&floor)));
    let events = number("BENCH_BURST", 50_000);
    let resident = |watch: &Watch| memory(watch.child.id(), "VmRSS").unwrap();
    let before = resident(&watch);
    let (lost, written) = burst(&broker, &mut watch, events);
    let first = resident(&watch);
    let (lost_again, _) = burst(&broker, &mut watch, events);
    let second = resident(&watch);
    report.budget("mqtt.burst.lost", Measure::single((lost + lost_again) as f64));
    // The first burst brings the heap to the size it keeps; a second one makes it larger only by what is kept for each event.
    let peak = memory(watch.child.id(), "VmHWM").unwrap();
    let why =
        format!("{before:.1} MiB before, {first:.1} MiB after the first, {second:.1} MiB after the second, peak {peak:.1} MiB");
    report.budget("mqtt.burst.growth", Measure::single(second - first).because(&why));
    let each = "a burst of events, until the last is durable: each";
    report.measured("mqtt.burst.each", each, "ms", Measure::single(millis(written) / events as f64));
}

async fn publishing(broker: &Broker) -> Client {
    let options = BusOptions { client_id: "bench".into(), subscribe: vec!["bench/back".into()], ..broker.options(&[]) };
    let (bus, inbox) = Bus::start(options);
    let mut client = Client { bus, inbox };
    client.until(|state| *state == ConnectionState::Subscribed).await;
    client
}

async fn floor(broker: &Broker, tries: usize) -> Vec<f64> {
    let mut client = publishing(broker).await;
    let mut taken = Vec::new();
    for _ in 0..tries {
        let since = Instant::now();
        client.bus.publisher().event("bench/back", vec![b'x'; 200]);
        client.message().await;
        taken.push(millis(since.elapsed()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.stop().await;
    taken
}

struct Watch {
    child: Child,
    lines: Receiver<String>,
    registry: Registry,
    _home: tempfile::TempDir,
}

impl Watch {
    fn start(broker: &Broker) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("agent-sessions.yaml"), "version: 1\nsessions: []\n").unwrap();
        let registry = Registry::at(home.path().join("jobs"));
        std::fs::create_dir(registry.path()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_headcount"))
            .args(["watch", "--json", "--subscribe", "--interval", "1h", "--heartbeat", "100ms", "--settle", "0s"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMUX_TMPDIR", home.path())
            .env("HEADCOUNT_JOBS", registry.path())
            .env("MQTT_BROKER", "127.0.0.1")
            .env("MQTT_PORT", broker.port.to_string())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        // Always read: a watch waits for whoever reads its events.
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        let mut watch = Self { child, lines, registry, _home: home };
        // What the first pass finds is told by nobody.
        watch.until(|event| event["passes"].as_u64() > Some(0) && event["mqtt"]["connected"] == true);
        watch
    }

    fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        loop {
            let line = self.lines.recv().expect("the watch ended");
            if wanted(&serde_json::from_str(&line).unwrap()) {
                return;
            }
        }
    }

    fn submit(&mut self) -> Job {
        let make = |id| NewJob {
            id,
            at: Utc::now(),
            prompt: None,
            agent: None,
            agent_session: None,
            timeout: None,
            idle_timeout: None,
            expected_artifacts: Vec::new(),
            auth_token: None,
            root: None,
            broker: None,
        };
        let job = self.registry.add(false, |id, _| Job::new(make(id))).unwrap();
        self.until(|event| event["job"] == job.id.as_str());
        job
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn payload(job: &Job, seq: u64, kind: EventKind) -> Vec<u8> {
    let mut job = job.clone();
    job.last_seq = seq - 1;
    serde_json::to_vec(&JobEvent::next(&job, kind, "so far so good".into(), None, Utc::now()).unwrap()).unwrap()
}

fn latency(broker: &Broker, watch: &mut Watch, tries: usize, clients: &tokio::runtime::Handle) -> Vec<f64> {
    let client = clients.block_on(publishing(broker));
    let mut taken = Vec::new();
    for _ in 0..tries {
        let job = watch.submit();
        // The submission has woken a pass as well; it is over before the clock runs.
        std::thread::sleep(Duration::from_millis(100));
        let topic = format!("{DEFAULT_ROOT}/{}/events", job.id);
        let since = Instant::now();
        client.bus.publisher().event(&topic, payload(&job, 1, EventKind::Started));
        watch.until(|event| event["job"] == job.id.as_str() && event["status"] == "running");
        taken.push(millis(since.elapsed()));
        let registered = watch.registry.find(&job.id).unwrap().unwrap();
        assert_eq!(registered.last_seq, 1, "told before it was durable");
        std::thread::sleep(Duration::from_millis(20));
    }
    clients.block_on(client.stop());
    taken
}

/// So many events of one job at once: how many were lost, and how long it took until the last was in the registry.
fn burst(broker: &Broker, watch: &mut Watch, events: usize) -> (usize, Duration) {
    let job = watch.submit();
    let last = events as u64;
    let lines: Vec<u8> = (1..=last).flat_map(|seq| [payload(&job, seq, EventKind::Progress), vec![b'\n']].concat()).collect();
    let since = Instant::now();
    let topic = format!("{DEFAULT_ROOT}/{}/events", job.id);
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-q", "1", "-l", "-t", &topic])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = publisher.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(&lines).unwrap());
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let seen = watch.registry.find(&job.id).unwrap().unwrap().last_seq;
        if seen >= last {
            break;
        }
        assert!(Instant::now() < deadline, "stuck at {seen}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let written = since.elapsed();
    writing.join().unwrap();
    assert!(publisher.wait().unwrap().success());
    let mut log = watch.registry.events(&job.id);
    let mut numbers = Vec::new();
    loop {
        let read = log.news().unwrap();
        if read.events.is_empty() {
            break;
        }
        numbers.extend(read.events.iter().map(|logged| logged.event.seq));
    }
    let in_order = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(in_order, "events out of order or twice");
    (events - numbers.len(), written)
}
