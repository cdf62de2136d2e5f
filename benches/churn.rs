//! `headcount watch` over random churn for `HEADCOUNT_SOAK_MINUTES` minutes, against an oracle that knows the truth: after every
//! few changes (sessions made and killed, conversations cleared, comments saved by a person) the manifest must say what is so,
//! within ten seconds, and keep every comment. Prints steps, wrong verdicts, and how memory and open files went.
//!
//! Run by `./x soak`; without the variable it says that it was skipped.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{World, age, ticks};

const SESSIONS: usize = 40;
/// How long the manifest may take to say what is so.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let Some(minutes) = std::env::var("HEADCOUNT_SOAK_MINUTES").ok().and_then(|text| text.parse::<f64>().ok()) else {
        println!("SKIPPED churn: HEADCOUNT_SOAK_MINUTES is not set");
        return;
    };
    let seed = std::env::var("HEADCOUNT_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut churn = Churn::new(seed);
    let until = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    // Warmed up: every session has been changed about once.
    for _ in 0..SESSIONS {
        let told = churn.change();
        churn.settle(&told);
    }
    let (mut marks, mut next_mark) = (vec![churn.mark()], Instant::now() + Duration::from_secs(60));
    while Instant::now() < until && churn.wrong == 0 {
        let changes = 1 + churn.dice(5);
        let told: Vec<String> = (0..changes).map(|_| churn.change()).collect();
        churn.settle(&told.join(", "));
        if Instant::now() > next_mark {
            next_mark += Duration::from_secs(60);
            marks.push(churn.mark());
        }
    }
    marks.push(churn.mark());
    println!(
        "churn over {SESSIONS} sessions, {minutes} min, seed {seed}: {} changes, {} wrong or missed",
        churn.steps, churn.wrong
    );
    for (at, (rss, files)) in marks.iter().enumerate() {
        println!("  mark {at:>3}  RSS {:>6.1} MiB  open files {files:>4}", *rss as f64 / 1024.0);
    }
    assert_eq!(churn.wrong, 0, "the manifest was wrong");
}

/// A world in motion, and what is true of it.
struct Churn {
    world: World,
    watch: Child,
    /// The conversation of each session that is alive.
    alive: BTreeMap<String, Option<String>>,
    comments: usize,
    steps: usize,
    wrong: usize,
    random: u64,
}

impl Churn {
    fn new(seed: u64) -> Self {
        let world = World::new(SESSIONS);
        fs::write(world.manifest(), &world.recorded).unwrap();
        age(&world.manifest());
        let mut alive = BTreeMap::new();
        for (name, ..) in world.panes() {
            let index: usize = name.trim_start_matches("lane-").parse().unwrap();
            alive.insert(name, Some(support::id(index)));
        }
        let mut command = world.command(env!("CARGO_BIN_EXE_headcount"));
        command.args(["watch", "--json", "--settle", "0s", "--interval", "1h"]).stdin(Stdio::null());
        let log = fs::File::create(world.path("events")).unwrap();
        let watch = command.stdout(log).stderr(Stdio::null()).spawn().unwrap();
        Self { world, watch, alive, comments: 0, steps: 0, wrong: 0, random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn dice(&mut self, sides: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % sides
    }

    /// Changes something, and says what.
    fn change(&mut self) -> String {
        self.steps += 1;
        let index = usize::try_from(self.dice(SESSIONS as u64)).unwrap();
        let name = format!("lane-{index}");
        let is_alive = self.alive.get(&name).is_some_and(Option::is_some);
        match (self.dice(10), is_alive) {
            (0, _) => self.comment(),
            (1..=4, true) => {
                let status = self.world.tmux().args(["kill-session", "-t", &format!("={name}")]).status().unwrap();
                assert!(status.success());
                self.alive.insert(name.clone(), None);
                format!("kill {name}")
            }
            (_, true) => {
                let pid = self.world.panes().into_iter().find(|(pane, ..)| *pane == name).map(|(.., pid)| pid).unwrap();
                self.enter(&name, index, pid);
                format!("clear {name}")
            }
            (_, false) => {
                let program = format!("exec {} 100000", self.world.path("claude").display());
                let cwd = self.world.workspace(index);
                let mut command = self.world.tmux();
                command.args(["new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", &name, "-c"]).arg(cwd).arg(program);
                let output = command.output().unwrap();
                let pid: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
                let until = Instant::now() + PATIENCE;
                while !fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().windows(7).any(|part| part == b"/claude") {
                    assert!(Instant::now() < until, "{name} did not start");
                }
                self.enter(&name, index, pid);
                format!("create {name}")
            }
        }
    }

    /// The agent of a session enters a new conversation.
    fn enter(&mut self, name: &str, index: usize, pid: u32) {
        let id = format!("{:08x}-1111-4111-8111-{index:012x}", self.steps);
        let cwd = self.world.workspace(index).canonicalize().unwrap();
        self.world.enter(pid, &ticks(pid), &id, &cwd.to_string_lossy());
        self.alive.insert(name.to_owned(), Some(id));
    }

    /// A person adds a comment and saves, as an editor does: a new file renamed over the old one.
    fn comment(&mut self) -> String {
        self.comments += 1;
        let text = fs::read_to_string(self.world.manifest()).unwrap();
        let draft = self.world.home().join("draft");
        fs::write(&draft, format!("# comment {}.\n{text}", self.comments)).unwrap();
        fs::rename(&draft, self.world.manifest()).unwrap();
        format!("comment {}", self.comments)
    }

    /// Waits until the manifest says what is so.
    fn settle(&mut self, after: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let differences = self.differences();
            if differences.is_empty() {
                return;
            }
            if Instant::now() > until {
                println!("WRONG after {after}: {}", differences.join("; "));
                self.wrong += 1;
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn differences(&self) -> Vec<String> {
        let text = fs::read_to_string(self.world.manifest()).unwrap_or_default();
        let Ok(manifest) = serde_yaml::from_str::<Value>(&text) else { return vec!["the manifest does not parse".to_owned()] };
        let mut differences = Vec::new();
        for entry in manifest["sessions"].as_array().map_or(&[][..], Vec::as_slice) {
            let Some(truth) = entry["name"].as_str().and_then(|name| self.alive.get(name)) else { continue };
            let (status, id) = (entry["status"].as_str(), entry["session_id"].as_str());
            let is_so = match truth {
                Some(alive) => status == Some("running") && id == Some(alive),
                None => status == Some("terminated"),
            };
            if !is_so {
                differences.push(format!("{} is {truth:?}, the manifest says {status:?} {id:?}", entry["name"]));
            }
        }
        let lost = |number: &usize| !text.contains(&format!("# comment {number}.\n"));
        differences.extend((1..=self.comments).filter(lost).map(|number| format!("comment {number} is lost")));
        differences
    }

    /// Resident memory in KiB and open files of the watch.
    fn mark(&self) -> (u64, usize) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.watch.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let rss = line.trim().trim_end_matches(" kB").parse().unwrap();
        (rss, fs::read_dir(format!("/proc/{}/fd", self.watch.id())).unwrap().count())
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        let pid = i32::try_from(self.watch.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.watch.wait();
    }
}
