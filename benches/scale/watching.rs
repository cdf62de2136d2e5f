//! What a watch over all of it costs: until its first report, per change, and while nothing happens; and a watch that the kernel
//! allows only a few inotify watches.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::commands::{Floors, LIST, SYNCED};
use crate::support::age;
use crate::support::report::{Measure, Reporter, millis};
use crate::support::watch::{Taken, Watch};
use crate::world::{Lane, Scale};

/// How long an idle watch is observed.
const IDLE: Duration = Duration::from_secs(60);
/// How many inotify watches the poor one may have. A thousand sessions ask for more than five hundred.
const FEW: u32 = 100;
/// How often it looks at everything instead.
const OFTEN: &str = "5s";

pub(crate) fn run(report: &mut Reporter, world: &Scale, floors: &Floors, tries: usize) {
    let shim = world.path("shim");
    let log = world.path("started");
    shims(world, &["tmux", "ps", "zellij"]);
    let path = format!("{}:{}", shim.display(), std::env::var("PATH").unwrap());
    let mut lanes = world.lanes.iter();
    let mut tmux = world.lanes.iter().filter(|lane| lane.server.is_some() && !lane.is_codex);
    let first = tmux.next().unwrap();
    world.kill(first);
    let mut command = world.headcount();
    command.env("PATH", path);
    let begun = Instant::now();
    let watch = Watch::start(command, &[]);
    let told = watch
        .until(Duration::from_secs(60), |event| event["type"] == "drift" && event["session"]["name"] == first.name.as_str());
    let took = millis(begun.elapsed());
    assert!(told.is_some(), "a watch said nothing of what ended before it began");
    report.measured("scale.watch.first", "watch started -> first report", "ms", Measure::single(took).over(LIST, floors.list));
    watch.until(Duration::from_secs(60), |event| event["type"] == "heartbeat" && event["passes"].as_u64() > Some(0));

    let mut killed = Taken::default();
    let _ = tmux.by_ref().take(tries).all(|lane| killed.take(&watch, "dead", &lane.name, || world.kill(lane)));
    said(report, "scale.watch.killed", "a tmux session killed -> manifest durable", &killed, floors);
    let mut entered = Taken::default();
    let enter = |(at, lane): (usize, &Lane)| {
        let id = format!("{at:08x}-1111-4000-8000-000000000000");
        entered.take(&watch, "new-id", &lane.name, || world.enter(lane, &id))
    };
    let _ = tmux.by_ref().take(tries).enumerate().all(enter);
    said(report, "scale.watch.registry", "registry changed -> id recorded", &entered, floors);
    if world.has_zellij() {
        let mut ended = Taken::default();
        let zellij = lanes.by_ref().filter(|lane| lane.server.is_none()).take(tries.min(8));
        let _ = { zellij }.all(|lane| ended.take(&watch, "dead", &lane.name, || world.kill(lane)));
        said(report, "scale.watch.zellij", "a zellij session killed -> manifest durable", &ended, floors);
    }
    idle(report, &watch, || fs::read_to_string(&log).unwrap_or_default().lines().count());
    drop(watch);
    age(&world.manifest());
    poor(report, world, tmux.next().unwrap());
}

fn said(report: &mut Reporter, id: &str, says: &str, taken: &Taken, floors: &Floors) {
    let measure = match taken.trouble() {
        Some(why) => Measure::none(&why),
        None => Measure::median(&taken.times).over(SYNCED, floors.synced),
    };
    report.measured(id, says, "ms", measure);
}

/// Programs that note each start before they become the real one. headcount finds what it starts in PATH.
fn shims(world: &Scale, programs: &[&str]) {
    let (shim, log) = (world.path("shim"), world.path("started"));
    fs::create_dir(&shim).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for program in programs {
        let Some(real) = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|it| it.exists()) else { continue };
        let script = format!("#!/bin/sh\necho {program} >> '{}'\nexec '{}' \"$@\"\n", log.display(), real.display());
        fs::write(shim.join(program), script).unwrap();
        fs::set_permissions(shim.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn idle(report: &mut Reporter, watch: &Watch, starts: impl Fn() -> usize) {
    // What follows the last change (the events of our own writes) is not idleness.
    std::thread::sleep(Duration::from_secs(3));
    let (before, started, begun) = (watch.processor(), starts(), Instant::now());
    std::thread::sleep(IDLE);
    let used = (watch.processor() - before) as f64 / rustix::param::clock_ticks_per_second() as f64;
    let mut say = |id, says, unit, value| report.measured(id, says, unit, Measure::single(value));
    let share = used / begun.elapsed().as_secs_f64() * 100.0;
    say("scale.idle.processor", "an idle watch over 1,000 sessions, two intervals long", "% of a core", share);
    say("scale.idle.forks", "programs it starts in 60 s", "programs", (starts() - started) as f64);
    say("scale.idle.memory", "its resident memory", "MiB", watch.memory());
    let (files, watches) = watch.files();
    say("scale.idle.files", "its open files", "files", files as f64);
    say("scale.idle.watches", "its inotify watches", "watches", watches as f64);
}

/// A watch in a user namespace of its own that may have only a few inotify watches: it says so, and what it does not hear of it finds
/// when it looks at everything.
fn poor(report: &mut Reporter, world: &Scale, lane: &Lane) {
    let id = "scale.poor.registry";
    let says = "with 100 inotify watches allowed, an interval of 5 s: registry changed -> id recorded";
    let script = format!("echo {FEW} > /proc/sys/user/max_inotify_watches && exec \"$@\"");
    let confined = || -> Command {
        let mut command = world.headcount();
        let program = command.get_program().to_owned();
        let mut outer = world.command("unshare");
        outer.args(["--user", "--map-current-user", "--keep-caps", "sh", "-c", &script, "sh"]);
        command = outer;
        command.arg(program);
        command
    };
    let can =
        confined().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !can {
        report.skipped("a watch with few inotify watches", "a user namespace with a limit of its own cannot be made here");
        return;
    }
    let watch = Watch::settled(confined(), &["--interval", OFTEN]);
    let degraded = watch.until(Duration::from_secs(10), |event| event["type"] == "heartbeat");
    let lines = degraded.map_or(0, |event| event["degraded"].as_array().map_or(0, Vec::len));
    let (_, watches) = watch.files();
    let begun = Instant::now();
    world.enter(lane, "ffffffff-1111-4000-8000-000000000000");
    let is_it = |event: &serde_json::Value| event["type"] == "drift" && event["session"]["name"] == lane.name.as_str();
    let measure = match watch.until(Duration::from_secs(30), is_it) {
        None => Measure::none("it was not recorded within 30 s"),
        Some(_) => Measure::single(millis(begun.elapsed())),
    };
    report.measured(id, says, "ms", measure.because(&format!("{watches} watches, {lines} lines of `degraded`")));
}
