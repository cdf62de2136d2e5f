//! `headcount watch` against the budgets of the design: how long a change takes until it is recorded, what an idle watch costs,
//! what one change costs among many, and whether a burst is seen whole.
//!
//! Every latency ends with the event on the watch's output, which is printed after manifest, journal and state are durable.
//! `BENCH_TRIES` sets how often each latency is taken (60); `BENCH_ONLY` names one part: latency, idle, scale or burst.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{World, age, ticks};

/// A change that is not recorded within this was not noticed, only found at the next look.
const UNNOTICED: Duration = Duration::from_secs(2);
/// Between two changes: a manifest younger than 100 ms is read twice, also the one the watch has just written.
const APART: Duration = Duration::from_millis(250);
/// How long an idle watch is observed.
const IDLE: Duration = Duration::from_secs(20);

fn main() {
    let tries = std::env::var("BENCH_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let only = std::env::var("BENCH_ONLY").ok();
    let is_asked = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if is_asked("latency") {
        latency(tries);
    }
    if is_asked("idle") {
        idle();
    }
    if is_asked("scale") {
        scale(tries.min(20));
    }
    if is_asked("burst") {
        burst();
    }
}

/// A running watch and what it says.
struct Watch {
    child: Child,
    events: Receiver<Value>,
}

impl Watch {
    /// Starts one and waits until its first look is over.
    fn start(world: &World, path: Option<&str>) -> Self {
        let mut command = world.command(env!("CARGO_BIN_EXE_headcount"));
        if let Some(path) = path {
            command.env("PATH", path);
        }
        command.args(["watch", "--json", "--settle", "0s", "--heartbeat", "1s"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, events) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let watch = Self { child, events };
        watch.until(Duration::from_secs(60), |event| event["type"] == "heartbeat" && event["passes"].as_u64() > Some(0));
        watch
    }

    /// Waits for an event; `None` if it does not come.
    fn until(&self, most: Duration, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + most;
        loop {
            let event = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            if is_it(&event) {
                return Some(event);
            }
        }
    }

    /// Clock ticks of processor time used by it and the children it has reaped.
    fn cpu(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(4).map(|field| field.parse::<u64>().unwrap()).sum()
    }

    fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A world with everything recorded, and a watch over it.
fn watched(sessions: usize) -> (World, Watch) {
    let world = World::new(sessions);
    fs::write(world.manifest(), &world.recorded).unwrap();
    age(&world.manifest());
    let watch = Watch::start(&world, None);
    (world, watch)
}

/// Latencies; those that were only found at the next look are counted apart.
#[derive(Default)]
struct Taken {
    times: Vec<Duration>,
    unnoticed: usize,
}

impl Taken {
    fn at(&mut self, share: f64) -> f64 {
        self.times.sort();
        let last = self.times.len().saturating_sub(1) as f64;
        self.times.get((last * share).round() as usize).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }

    fn row(&mut self, what: &str, budget: &str) {
        let (p50, p99, n) = (self.at(0.5), self.at(0.99), self.times.len());
        let unnoticed = match self.unnoticed {
            0 => String::new(),
            some => format!("  {some} NOT NOTICED within {UNNOTICED:?}"),
        };
        println!("{what:<44} p50 {p50:>7.2} ms  p99 {p99:>7.2} ms  n {n:>3}  {budget}{unnoticed}");
    }
}

/// Takes one latency: `act`, then the drift of that class about that session. False once nothing is noticed any more.
fn take(watch: &Watch, taken: &mut Taken, class: &str, name: &str, act: impl FnOnce()) -> bool {
    let begun = Instant::now();
    act();
    let is_it = |event: &Value| {
        event["type"] == "drift" && event["class"] == class && event["state"] == "applied" && event["session"]["name"] == name
    };
    match watch.until(UNNOTICED, is_it) {
        Some(_) => taken.times.push(begun.elapsed()),
        None => taken.unnoticed += 1,
    }
    std::thread::sleep(APART);
    taken.unnoticed < 3
}

fn kill(world: &World, name: &str) {
    let status = world.tmux().args(["kill-session", "-t", &format!("={name}")]).status().unwrap();
    assert!(status.success());
}

fn latency(tries: usize) {
    let (world, watch) = watched(2 * tries.max(50));
    let panes = world.panes();
    let mut floor = Taken::default();
    let text = fs::read(world.manifest()).unwrap();
    for _ in 0..tries {
        let begun = Instant::now();
        let (path, temp) = (world.home().join("floor.yaml"), world.home().join("floor.new"));
        let mut file = fs::File::create(&temp).unwrap();
        file.write_all(&text).unwrap();
        file.sync_all().unwrap();
        fs::rename(&temp, &path).unwrap();
        fs::File::open(world.home()).unwrap().sync_all().unwrap();
        floor.times.push(begun.elapsed());
    }
    floor.row("floor: the same file written and synced", "");
    let (mut killed, mut changed) = (Taken::default(), Taken::default());
    for (name, ..) in panes.iter().take(tries) {
        if !take(&watch, &mut killed, "dead", name, || kill(&world, name)) {
            break;
        }
    }
    killed.row("session killed -> recorded", "budget p50 30, p99 80");
    for (at, (name, _, pid)) in panes.iter().skip(tries).take(tries).enumerate() {
        let cwd = world.workspace(at).canonicalize().unwrap();
        let id = format!("{at:08x}-1111-4000-8000-000000000000");
        if !take(&watch, &mut changed, "new-id", name, || world.enter(*pid, &ticks(*pid), &id, &cwd.to_string_lossy())) {
            break;
        }
    }
    changed.row("registry changed -> id recorded", "budget p50 40");
}

/// 100 sessions and nothing happens. Programs started are counted by a `tmux` in PATH that notes each start: headcount starts
/// nothing else here. Processor time has the kernel's grain of a clock tick.
fn idle() {
    let world = World::new(100);
    fs::write(world.manifest(), &world.recorded).unwrap();
    age(&world.manifest());
    let (shim, log) = (world.path("shim"), world.path("started"));
    fs::create_dir(&shim).unwrap();
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|dir| dir.join("tmux")).find(|tmux| tmux.exists()).unwrap();
    let script = format!("#!/bin/sh\necho started >> '{}'\nexec '{}' \"$@\"\n", log.display(), real.display());
    fs::write(shim.join("tmux"), script).unwrap();
    fs::set_permissions(shim.join("tmux"), fs::Permissions::from_mode(0o755)).unwrap();
    let watch = Watch::start(&world, Some(&format!("{}:{path}", shim.display())));
    // What follows the first look (sources being set up, the events of our own writes) is not idleness.
    std::thread::sleep(Duration::from_secs(3));
    let starts = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let (cpu, started, begun) = (watch.cpu(), starts(), Instant::now());
    std::thread::sleep(IDLE);
    let used = (watch.cpu() - cpu) as f64 / rustix::param::clock_ticks_per_second() as f64;
    let share = used / begun.elapsed().as_secs_f64() * 100.0;
    let rss = watch.rss_kib() as f64 / 1024.0;
    let forks = starts() - started;
    println!(
        "idle, 100 sessions, {IDLE:?}                      {share:.3} % of a core (budget 0.1), {forks} programs started (budget 0), {rss:.1} MiB (budget 16)"
    );
}

fn scale(tries: usize) {
    let mut medians = Vec::new();
    for sessions in [10, 1000] {
        // Ten sessions are used up soon: as many more worlds of ten.
        let per_world = tries.min(sessions / 2);
        let (mut killed, mut cpu, mut n) = (Taken::default(), 0, 0);
        while n < tries {
            let (world, watch) = watched(sessions);
            let before = watch.cpu();
            let panes = world.panes();
            for (name, ..) in panes.iter().take(per_world) {
                n += 1;
                if !take(&watch, &mut killed, "dead", name, || kill(&world, name)) {
                    n = tries;
                    break;
                }
            }
            cpu += watch.cpu() - before;
        }
        killed.row(&format!("one change among {sessions}"), "");
        let each = cpu as f64 * 1000.0 / rustix::param::clock_ticks_per_second() as f64 / n as f64;
        println!("{:<44} {each:>11.2} ms of processor time each", "");
        medians.push(killed.at(0.5));
    }
    println!("{:<44} {:>11.2} times (budget 3)", "1000 against 10", medians[1] / medians[0]);
}

/// A thousand sessions that are declared begin at once and end at once. Counted is what the manifest says of them.
fn burst() {
    const SESSIONS: usize = 1000;
    let world = World::new(SESSIONS);
    // The same sessions again, after the server was emptied: declared, never seen.
    let names: Vec<String> = world.panes().into_iter().map(|(name, ..)| name).collect();
    let script = world.path("kill.conf");
    let lines: String = names.iter().map(|name| format!("kill-session -t ={name}\n")).collect();
    fs::write(&script, lines).unwrap();
    let end_all = || assert!(world.tmux().arg("source-file").arg(&script).status().unwrap().success());
    end_all();
    fs::write(world.manifest(), &world.declared).unwrap();
    age(&world.manifest());
    let _watch = Watch::start(&world, None);
    let count = |word: &str| {
        let text = fs::read_to_string(world.manifest()).unwrap();
        text.lines().filter(|line| line.trim_start() == format!("status: {word}")).count()
    };
    let wait = |word: &str| {
        let (begun, mut found) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(90) && found < SESSIONS {
            std::thread::sleep(Duration::from_millis(20));
            found = count(word);
        }
        (begun.elapsed(), found)
    };
    world.start(SESSIONS);
    let (took, found) = wait("running");
    println!("{SESSIONS} sessions begun in a burst                {found} recorded, the last after {took:.2?}");
    end_all();
    let (took, found) = wait("terminated");
    println!("{SESSIONS} sessions ended in a burst                {found} recorded, the last after {took:.2?}");
}
