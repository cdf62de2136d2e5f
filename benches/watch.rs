//! `headcount watch` against the budgets of the design: how long a change takes until it is recorded, what an idle watch costs,
//! what one change costs among many, and whether a burst is seen whole.
//!
//! Every latency ends with the event on the watch's output, which is printed after manifest and journal are durable and the state is written.
//! `BENCH_TRIES` sets how often each latency is taken (60); `BENCH_ONLY` names one part: latency, idle, scale or burst.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::program::time;
use support::report::{Measure, Reporter, median, millis};
use support::watch::{Taken, Watch};
use support::{World, age, number, ticks, write_synced};

/// How long an idle watch is observed.
const IDLE: Duration = Duration::from_secs(20);
/// What every latency is told beside.
const SYNCED: &str = "the same file written and synced";

fn main() {
    let tries = number("BENCH_TRIES", 60);
    let only = std::env::var("BENCH_ONLY").ok();
    let is_asked = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut report = Reporter::begin("watch");
    if is_asked("latency") {
        latency(&mut report, tries);
    }
    if is_asked("idle") {
        idle(&mut report);
    }
    if is_asked("scale") {
        scale(&mut report, tries.min(20));
    }
    if is_asked("burst") {
        burst(&mut report);
    }
}

fn headcount(world: &World) -> Command {
    world.command(env!("CARGO_BIN_EXE_headcount"))
}

/// A world with everything recorded, and a watch over it.
fn watched(sessions: usize) -> (World, Watch) {
    let world = World::new(sessions);
    fs::write(world.manifest(), &world.recorded).unwrap();
    age(&world.manifest());
    let watch = Watch::settled(headcount(&world), &[]);
    (world, watch)
}

fn kill(world: &World, name: &str) {
    let status = world.tmux().args(["kill-session", "-t", &format!("={name}")]).status().unwrap();
    assert!(status.success());
}

fn latency(report: &mut Reporter, tries: usize) {
    // Each way takes sessions of its own, and a workspace has one session: by nothing else would its transcripts be told apart.
    let sessions = 3 * tries.min(65);
    let tries = tries.min(65);
    let world = World::new(sessions);
    let panes = world.panes();
    let (to_kill, rest) = panes.split_at(tries);
    let (to_enter, to_write) = rest.split_at(tries);
    let mut manifest = world.recorded.clone();
    for (name, _, pid) in to_write {
        manifest = manifest.replace(&format!("    session_id: {}\n", support::id(lane(name))), "");
        fs::remove_file(world.home().join(format!(".claude/sessions/{pid}.json"))).unwrap();
    }
    // A conversation in which nothing was said replaces none.
    let another = |name: &str| format!("{:08x}-1111-4000-8000-000000000000", lane(name));
    for (name, ..) in to_enter {
        world.write_transcript(lane(name), &another(name));
    }
    fs::write(world.manifest(), &manifest).unwrap();
    age(&world.manifest());
    let watch = Watch::settled(headcount(&world), &[]);
    let synced = || millis(write_synced(&world.home().join("floor.yaml"), manifest.as_bytes()));
    let floors: Vec<f64> = (0..tries).map(|_| synced()).collect();
    let floor = median(&floors);
    report.measured("floor.synced", SYNCED, "ms", Measure::median(&floors));
    let (mut killed, mut entered, mut written) = (Taken::default(), Taken::default(), Taken::default());
    let _ = to_kill.iter().all(|(name, ..)| killed.take(&watch, "dead", name, || kill(&world, name)));
    answer(report, &killed, floor, &[("watch.killed.p50", 50), ("watch.killed.p99", 99)]);
    let _ = to_enter.iter().all(|(name, _, pid)| {
        let (cwd, id) = (real(&world, name), another(name));
        entered.take(&watch, "new-id", name, || world.enter(*pid, &ticks(*pid), &id, &cwd.to_string_lossy()))
    });
    answer(report, &entered, floor, &[("watch.registry.p50", 50)]);
    let _ = to_write.iter().all(|(name, ..)| {
        let id = format!("{:08x}-2222-4000-8000-000000000000", lane(name));
        written.take(&watch, "new-id", name, || world.write_transcript(lane(name), &id))
    });
    answer(report, &written, floor, &[("watch.transcript.p50", 50)]);
}

fn lane(name: &str) -> usize {
    name.trim_start_matches("lane-").parse().unwrap()
}

fn real(world: &World, name: &str) -> PathBuf {
    world.workspace(lane(name)).canonicalize().unwrap()
}

/// Answers budgets about the same latencies, beside the floor of what is recorded.
fn answer(report: &mut Reporter, taken: &Taken, floor: f64, budgets: &[(&'static str, usize)]) {
    for (id, percent) in budgets {
        let measure = match taken.trouble() {
            Some(trouble) => Measure::none(&trouble),
            None => Measure::percentile(&taken.times, *percent).over(SYNCED, floor),
        };
        report.budget(id, measure);
    }
}

/// What a thread uses of a core that does nothing but write a line each second, in percent: to wake it is dear on a virtual machine.
fn beats(time: Duration) -> f64 {
    let used = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
    };
    let (before, begun) = (used(), Instant::now());
    let mut sink = fs::File::create("/dev/null").unwrap();
    while begun.elapsed() < time {
        std::thread::sleep(Duration::from_secs(1));
        writeln!(sink).unwrap();
    }
    (used() - before) / begun.elapsed().as_secs_f64() * 100.0
}

/// 100 sessions and nothing happens: to a watch that follows, and to one that leads them all. Programs started are counted by a `tmux`
/// in PATH that notes each start: headcount starts nothing else here. Processor time has the kernel's grain of a clock tick.
fn idle(report: &mut Reporter) {
    let world = World::new(100);
    idles(report, &world, &world.recorded, &[], ["idle.processor", "idle.forks", "idle.memory"]);
    let led =
        world.recorded.replace("    status: running\n", "    status: running\n    desired: running\n    restart: always\n");
    fs::write(world.manifest(), &led).unwrap();
    age(&world.manifest());
    let applied = headcount(&world).args(["apply", "--yes"]).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    idles(report, &world, &led, &["--enforce"], ["enforce.processor", "enforce.forks", "enforce.memory"]);
}

fn idles(report: &mut Reporter, world: &World, manifest: &str, options: &[&str], ids: [&'static str; 3]) {
    fs::write(world.manifest(), manifest).unwrap();
    age(&world.manifest());
    let (shim, log) = (world.path("shim"), world.path("started"));
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|dir| dir.join("tmux")).find(|tmux| tmux.exists()).unwrap();
    let script = format!("#!/bin/sh\necho started >> '{}'\nexec '{}' \"$@\"\n", log.display(), real.display());
    fs::create_dir_all(&shim).unwrap();
    fs::write(shim.join("tmux"), script).unwrap();
    fs::set_permissions(shim.join("tmux"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = headcount(world);
    command.env("PATH", format!("{}:{path}", shim.display()));
    let watch = Watch::settled(command, options);
    // What follows the first look (sources being set up, the events of our own writes) is not idleness.
    std::thread::sleep(Duration::from_secs(3));
    let starts = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let (before, started, begun) = (watch.processor(), starts(), Instant::now());
    let floor = beats(IDLE);
    let used = (watch.processor() - before) as f64 / rustix::param::clock_ticks_per_second() as f64;
    let share = used / begun.elapsed().as_secs_f64() * 100.0;
    report.budget(ids[0], Measure::single(share).over("a thread that writes a line each second", floor));
    report.budget(ids[1], Measure::single((starts() - started) as f64));
    report.budget(ids[2], Measure::single(watch.memory()));
}

fn scale(report: &mut Reporter, tries: usize) {
    let (ten, thousand) = (among(10, tries), among(1000, tries));
    let says = ["one session killed among 10 -> told", "one session killed among 1,000 -> told"];
    for ((id, change), says) in [("change.10", &ten), ("change.1000", &thousand)].into_iter().zip(says) {
        report.measured(id, says, "ms", change.measure().over(SYNCED, change.synced));
    }
    let says = "processor time of one change among 1,000";
    report.measured(
        "change.1000.processor",
        says,
        "ms",
        Measure::single(thousand.processor).over("one among 10", ten.processor),
    );
    let says = "one command to tmux that asks nothing, among 1,000 sessions";
    report.measured("floor.tmux.1000", says, "ms", Measure::single(thousand.tmux).over("among 10", ten.tmux));
    let (less, over) = match (ten.taken.trouble(), thousand.taken.trouble()) {
        (None, None) => {
            let rest: Vec<f64> = thousand.taken.times.iter().map(|took| took - thousand.synced).collect();
            let floor = thousand.list + 4.0 * thousand.synced;
            let over = thousand.measure().over("one list-panes -a and four synced writes", floor);
            // The kill itself, and the question whether it is so: tmux takes longer for either the more sessions it has.
            let theirs =
                format!("two commands of tmux take {:.1} ms of it, among 10 {:.1} ms", 2.0 * thousand.tmux, 2.0 * ten.tmux);
            (Measure::median(&rest).over("one among 10", median(&ten.taken.times)).because(&theirs), over)
        }
        (why, other) => {
            let why = why.or(other).unwrap_or_default();
            (Measure::none(&why), Measure::none(&why))
        }
    };
    report.budget("change.among.1000", less);
    report.budget("watch.killed.1000", over);
}

/// One change among so many sessions.
struct Change {
    /// Until it is told.
    taken: Taken,
    /// Its processor time in milliseconds.
    processor: f64,
    /// What one list of these sessions takes, one command to tmux, and one synced write of their manifest, in milliseconds.
    list: f64,
    tmux: f64,
    synced: f64,
}

impl Change {
    fn measure(&self) -> Measure {
        self.taken.trouble().map_or_else(|| Measure::median(&self.taken.times), |why| Measure::none(&why))
    }
}

/// What one change costs among so many sessions. The floors are taken between the changes, on the same server and file system.
fn among(sessions: usize, tries: usize) -> Change {
    // Ten sessions are used up soon: as many more worlds of ten.
    let per_world = tries.min(sessions / 2);
    let (mut taken, mut ticks, mut n) = (Taken::default(), 0, 0);
    let (mut lists, mut commands, mut synced) = (Vec::new(), Vec::new(), Vec::new());
    while n < tries {
        let (world, watch) = watched(sessions);
        for (name, ..) in world.panes().iter().take(per_world) {
            n += 1;
            let before = watch.processor();
            let is_noticed = taken.take(&watch, "dead", name, || kill(&world, name));
            ticks += watch.processor() - before;
            lists.push(millis(time(world.tmux().args(["-u", "list-panes", "-a"])).0));
            commands.push(millis(time(world.tmux().args(["-u", "display-message", "-p", "x"])).0));
            synced.push(millis(write_synced(&world.path("floor.yaml"), world.recorded.as_bytes())));
            if !is_noticed {
                n = tries;
                break;
            }
        }
    }
    let processor = ticks as f64 * 1000.0 / rustix::param::clock_ticks_per_second() as f64 / taken.times.len().max(1) as f64;
    Change { taken, processor, list: median(&lists), tmux: median(&commands), synced: median(&synced) }
}

/// A thousand sessions that are declared begin at once and end at once. Counted is what the manifest says of them.
fn burst(report: &mut Reporter) {
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
    let _watch = Watch::settled(headcount(&world), &[]);
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
    let mut say = |id, says, took: Duration, found| match found {
        SESSIONS => report.measured(id, says, "ms", Measure::single(millis(took))),
        _ => report.measured(
            id,
            says,
            "ms",
            Measure::none(&format!("only {found} of {SESSIONS} were recorded within {took:.0?}")),
        ),
    };
    world.start(SESSIONS);
    let (took, found) = wait("running");
    say("watch.burst.begun", "1,000 declared sessions begin at once -> all recorded", took, found);
    end_all();
    let (took, found) = wait("terminated");
    say("watch.burst.ended", "1,000 sessions end at once -> all recorded", took, found);
}
