//! A crew whose workers, watch, manager and tmux server are killed at random moments: each task ends once, no result under an old lease is
//! taken, and the queue agrees with the log. A few tasks as a test, a thousand by `./x soak crew` (HEADCOUNT_SOAK_TASKS).

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::scene::{Scene, is_alive};

/// Who is killed; most often a worker.
const VICTIMS: [&str; 8] = ["worker", "worker", "worker", "manager", "manager", "watch", "watch", "server"];

pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn roll(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

struct Soak {
    scene: Scene,
    workers: usize,
    tasks: usize,
    /// What a killer may meet.
    manager: std::sync::Mutex<Option<u32>>,
    is_over: AtomicBool,
}

fn worker(at: usize) -> String {
    format!("w{at}")
}

fn task(at: usize) -> String {
    format!("task-{at}")
}

impl Soak {
    fn new(workers: usize, tasks: usize) -> Self {
        let scene = Scene::new("");
        scene.world.program("claude", include_str!("../support/talking_claude.py"));
        // What the messages say is what the stand-ins run.
        scene.world.program("headcount", &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_headcount")));
        std::fs::write(scene.world.home().join("works"), "").unwrap();
        let entry = |at: usize| {
            let (name, cwd) = (worker(at), scene.world.workspace(worker(at)));
            format!(
                "  - name: {name}\n    agent: claude\n    cwd: {}\n    desired: running\n    crew: {{ name: soak, role: worker }}\n    \
                 restart: {{ policy: always, first: 0s, most: 0s, attempts: 1000000 }}\n",
                cwd.display()
            )
        };
        let lead = "lead: { spacing: 0s, ready: 60s, parallel: 4, backoff: { first: 0s, most: 0s, attempts: 1000000 } }";
        let entries: String = (0..workers).map(entry).collect();
        std::fs::write(scene.manifest(), format!("version: 1\n{lead}\nsessions:\n{entries}")).unwrap();
        scene.run(&["apply", "--yes"]).is(0);
        Self { scene, workers, tasks, manager: std::sync::Mutex::new(None), is_over: AtomicBool::new(false) }
    }

    fn watch(&self) -> Child {
        let mut command = self.scene.command(&["watch", "--enforce", "--json", "--interval", "2s"]);
        let log = |name: &str| {
            std::fs::OpenOptions::new().append(true).create(true).open(self.scene.world.root().join(name)).unwrap()
        };
        command.stdout(log("watch.out")).stderr(log("watch.err")).spawn().unwrap()
    }

    /// What the manager does: it may be killed at it.
    fn managed(&self, words: &[&str]) -> Option<i32> {
        let words = [&["crew"], words].concat();
        let mut child = self.scene.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        *self.manager.lock().unwrap() = Some(child.id());
        let code = child.wait().unwrap().code();
        *self.manager.lock().unwrap() = None;
        code
    }

    fn status(&self) -> Vec<Value> {
        let ran = self.scene.run(&["crew", "status", "soak", "--json"]).is(0);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        document["tasks"].as_array().unwrap().clone()
    }

    /// Hands out, answers, and waits for the end.
    fn manage(&self, at_most: Duration) -> Result<(), String> {
        for at in 0..self.tasks {
            let goal = format!("number {at}{}", ["", "", "", " @@asks", "", " @@fails", ""][at % 7]);
            let (name, worker) = (task(at), worker(at % self.workers));
            let words = ["assign", "soak", &worker, &goal, "--task", &name, "--retry", "0s", "--attempts", "4"];
            // Whoever was killed may have queued it: then it is there already.
            while !matches!(self.managed(&words), Some(0 | 3)) {}
        }
        let begun = Instant::now();
        loop {
            let tasks = self.status();
            if tasks.len() == self.tasks && tasks.iter().all(is_final) {
                return Ok(());
            }
            for blocked in tasks.iter().filter(|task| task["state"] == "blocked") {
                self.managed(&["answer", "soak", blocked["task"].as_str().unwrap(), "go on"]);
            }
            if begun.elapsed() > at_most {
                let open: Vec<String> = tasks.iter().filter(|task| !is_final(task)).map(ToString::to_string).collect();
                return Err(format!("{} tasks are open: {}", open.len(), open.join("\n")));
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Kills somebody now and then. Gives how often whom.
    fn kill(&self, dice: &mut Dice) -> BTreeMap<&'static str, usize> {
        let mut watch = self.watch();
        let mut killed = BTreeMap::new();
        while !self.is_over.load(Ordering::SeqCst) {
            // A while without anybody's death, so that something gets done.
            std::thread::sleep(Duration::from_millis(500 + dice.roll(3000)));
            let victim = VICTIMS[usize::try_from(dice.roll(VICTIMS.len() as u64)).unwrap()];
            let pid = match victim {
                "worker" => {
                    let agents = self.scene.agents();
                    let which = dice.roll(agents.len().max(1) as u64);
                    agents.get(usize::try_from(which).unwrap()).map(|(pid, _)| *pid)
                }
                "manager" => *self.manager.lock().unwrap(),
                "watch" => Some(watch.id()),
                _ => server(&self.scene),
            };
            let pid = pid.filter(|pid| is_alive(*pid)).and_then(|pid| Pid::from_raw(pid.cast_signed()));
            if pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
                *killed.entry(victim).or_default() += 1;
            }
            if victim == "watch" {
                watch.wait().unwrap();
                watch = self.watch();
            }
            assert!(watch.try_wait().unwrap().is_none(), "the watch has ended by itself: {}", self.said());
        }
        let _ = watch.kill();
        let _ = watch.wait();
        killed
    }

    fn said(&self) -> String {
        let text = |name: &str| std::fs::read_to_string(self.scene.world.root().join(name)).unwrap_or_default();
        let events = text("watch.out");
        let last: Vec<&str> = events.lines().filter(|line| line.contains("\"error\"")).collect();
        format!("{}\n{}", last[last.len().saturating_sub(10)..].join("\n"), text("watch.err"))
    }

    /// Reads the log as its rules say, without headcount, and compares.
    fn judge(&self) -> (usize, usize, usize) {
        let log = self.scene.run(&["crew", "bus", "soak"]).is(0).stdout;
        let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut told: BTreeMap<String, Told> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            assert_eq!(record["n"], at as u64 + 1, "no number is missing and none is there twice");
            let it = told.entry(record["task"].as_str().unwrap().to_owned()).or_default();
            let lease = record["lease"].as_str().unwrap_or_default();
            assert_eq!(it.end, None, "something happened after its end: {record}");
            match record["event"].as_str().unwrap() {
                "queued" => it.lease = None,
                "assigned" => {
                    assert_eq!(it.lease.replace(lease.to_owned()), None, "two leases: {record}");
                    it.leases += 1;
                }
                "freed" => {
                    assert_eq!(it.lease.take().as_deref(), Some(lease), "{record}");
                    it.losses += 1;
                    if it.losses == 4 {
                        it.end = Some(("failed", String::new()));
                    }
                }
                "reply" => {
                    assert_eq!(it.lease.as_deref(), Some(lease), "a reply under an old lease was taken: {record}");
                    match record["verb"].as_str().unwrap() {
                        "RESULT" => it.end = Some(("done", lease.to_owned())),
                        "FAIL" => it.end = Some(("failed", lease.to_owned())),
                        _ => {}
                    }
                }
                "sent" | "answered" => assert_eq!(it.lease.as_deref(), Some(lease), "{record}"),
                other => panic!("{other}: {record}"),
            }
        }
        let status = self.status();
        assert_eq!((status.len(), told.len()), (self.tasks, self.tasks));
        for task in &status {
            let it = &told[task["task"].as_str().unwrap()];
            let end = it.end.as_ref().unwrap_or_else(|| panic!("{task} has not ended by its log"));
            assert_eq!(task["state"], end.0, "{task}");
            assert_eq!(task["attempt"], it.leases, "{task}");
            assert!(end.0 == "done" || task["why"].as_str().is_some_and(|why| !why.is_empty()), "no reason: {task}");
        }
        // What a worker was told is taken is in the log, and nothing else is.
        let worked = std::fs::read_to_string(self.scene.world.home().join("worked")).unwrap();
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        for line in worked.lines().filter(|line| line.ends_with(" 0")) {
            let words: Vec<&str> = line.split(' ').collect();
            if ["RESULT", "FAIL"].contains(&words[2]) {
                assert_eq!(told[words[0]].end.as_ref().unwrap().1, words[1], "{line}");
                *taken.entry(words[0]).or_default() += 1;
            }
        }
        assert!(taken.values().all(|count| *count == 1), "{taken:?}");
        self.is_said_once(&records);
        let count = |state: &str| status.iter().filter(|task| task["state"] == state).count();
        let refused = worked.lines().filter(|line| line.ends_with(" 3")).count();
        (count("done"), count("failed"), refused)
    }

    /// No assignment was typed twice.
    fn is_said_once(&self, records: &[Value]) {
        let mut said = String::new();
        for at in 0..self.workers {
            let cwd = self.scene.world.workspace(worker(at));
            let place = cwd.to_str().unwrap().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            let files = std::fs::read_dir(self.scene.world.home().join(".claude/projects").join(place));
            for file in files.into_iter().flatten() {
                said.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
            }
        }
        let prompts: Vec<&str> = said.lines().filter(|line| line.contains("\"type\": \"user\"")).collect();
        for record in records.iter().filter(|record| record["event"] == "assigned") {
            let token = format!("lease_token:{}]", record["lease"].as_str().unwrap());
            let times = prompts.iter().filter(|prompt| prompt.contains(&token)).count();
            assert!(times <= 1, "{record} was said {times} times");
        }
    }
}

/// The process of the tmux server.
pub(super) fn server(scene: &Scene) -> Option<u32> {
    let mut command = Command::new("tmux");
    command.arg("-S").arg(scene.world.socket()).args(["display-message", "-p", "#{pid}"]);
    let output = command.env_clear().envs(scene.world.variables()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn is_final(task: &Value) -> bool {
    ["done", "failed"].contains(&task["state"].as_str().unwrap())
}

/// What the log says of a task.
#[derive(Default)]
struct Told {
    lease: Option<String>,
    leases: u64,
    losses: u64,
    /// How it ended, and under which lease.
    end: Option<(&'static str, String)>,
}

#[test]
fn a_crew_that_is_killed_at_random_moments_ends_each_task_once() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let (tasks, seed) = (number("HEADCOUNT_SOAK_TASKS").unwrap_or(24), number("HEADCOUNT_SOAK_SEED").unwrap_or(1));
    let workers = if tasks < 200 { 4 } else { 10 };
    let (soak, begun) = (Soak::new(workers, tasks), Instant::now());
    let mut dice = Dice::new(seed as u64);
    let at_most = Duration::from_secs(240 + 10 * tasks as u64);
    let (managed, killed) = std::thread::scope(|scope| {
        let manager = scope.spawn(|| {
            let managed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| soak.manage(at_most)));
            soak.is_over.store(true, Ordering::SeqCst);
            managed.unwrap_or_else(|_| Err("the manager panicked".to_owned()))
        });
        let killed = soak.kill(&mut dice);
        (manager.join().unwrap(), killed)
    });
    if let Err(why) = managed {
        panic!("after {killed:?}: {why}\n{}", soak.said());
    }
    let (done, failed, refused) = soak.judge();
    eprintln!(
        "{tasks} tasks of {workers} workers in {} s, killed {killed:?}: {done} done, {failed} failed, {refused} replies refused",
        begun.elapsed().as_secs()
    );
    assert_eq!(done + failed, tasks);
}
