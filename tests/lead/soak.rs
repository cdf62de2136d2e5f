//! headcount, its launcher, its watch, the agent and the tmux server killed at random moments of a start, a resume, a stop and a
//! restart, in worlds that go on: a few times as a test, thousands of times by `./x soak lead` (HEADCOUNT_SOAK_LEAD_KILLS).

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::scene::{Scene, is_alive};
use super::support::await_end;

/// What ends by a signal comes back at once, however often.
const ONE: &str = "  - name: one\n    agent: claude\n    cwd: LAB/one\n    desired: running\n    env: { TOKEN: a-secret }\n    \
    restart: { policy: always, first: 0s, most: 0s, attempts: 1000000 }\n";

/// Worlds beside each other: most of the time is waiting. A watch acts in every other one.
const AT_ONCE: usize = 4;

/// The longest that headcount is left alone before something is killed; a start takes about half of it.
const LONGEST: u64 = 600;

const DEEDS: [&[&str]; 4] = [&["start", "one"], &["stop", "one", "--yes"], &["restart", "one", "--yes"], &["apply", "--yes"]];

const VICTIMS: [&str; 8] = ["headcount", "headcount", "headcount", "headcount", "watch", "launcher", "agent", "server"];

/// A session in a conversation that never changes, whatever happens to headcount.
struct Soak {
    scene: Scene,
    conversation: String,
    is_watched: bool,
    watch: Option<Child>,
    dice: u64,
}

impl Drop for Soak {
    fn drop(&mut self) {
        self.end_watch();
    }
}

impl Soak {
    fn new(seed: u64, is_watched: bool) -> Self {
        let scene = Scene::new(ONE);
        scene.watch_for_a_second();
        scene.run(&["apply", "--yes"]).is(0);
        scene.prompt("one", &scene.world.workspace("one"));
        scene.run(&["record"]).is(0);
        let conversation = scene.agents().remove(0).1;
        Self { scene, conversation, is_watched, watch: None, dice: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// A number below `most`.
    fn dice(&mut self, most: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from(self.dice % most as u64).unwrap()
    }

    fn end_watch(&mut self) -> bool {
        self.watch.take().is_some_and(|mut watch| watch.kill().is_ok() & watch.wait().is_ok())
    }

    /// Begins something, and kills somebody. `None`: whoever was meant was gone.
    fn kill(&mut self) -> Option<&'static str> {
        if self.is_watched && self.watch.is_none() {
            let mut watch = self.scene.command(&["watch", "--enforce", "--json", "--interval", "5s"]);
            self.watch = Some(watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        if self.dice(4) == 0 && !self.scene.agents().is_empty() {
            let agents = self.scene.agents();
            self.scene.world.tmux(["kill-server"]);
            agents.into_iter().for_each(|(pid, _)| await_end(pid));
        }
        let deed = DEEDS[self.dice(DEEDS.len())];
        let mut child = self.scene.command(deed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(self.dice(usize::try_from(LONGEST).unwrap()) as u64));
        let victim = VICTIMS[self.dice(VICTIMS.len())];
        let is_killed = match victim {
            "watch" => self.end_watch(),
            // Whatever is in the pane is headcount as well.
            "launcher" => kill(self.asked(&["list-panes", "-a", "-F", "#{pane_pid}"])),
            "server" => kill(self.asked(&["display-message", "-p", "#{pid}"])),
            "agent" => kill(self.scene.agents().first().map(|(pid, _)| *pid)),
            _ => child.try_wait().unwrap().is_none() && child.kill().is_ok(),
        };
        // What is left of it goes on, and ends.
        let until = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(child.try_wait().unwrap().is_some(), "{deed:?}, {victim} killed, does not end: {}", self.history());
        is_killed.then_some(if victim == "headcount" { deed[0] } else { victim })
    }

    /// The first number that tmux answers with; none if it does not run.
    fn asked(&self, words: &[&str]) -> Option<u32> {
        let mut command = std::process::Command::new("tmux");
        command.arg("-S").arg(self.scene.world.socket()).args(words);
        let output = command.env_clear().envs(self.scene.world.variables()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().next()?.parse().ok()
    }

    /// Applies until all is as it should be. Gives how often, and how long that took.
    fn settle(&mut self) -> Result<(usize, Duration), String> {
        if self.watch.is_some() {
            // It has some time for itself, or none.
            std::thread::sleep(Duration::from_millis([0, 0, 1500][self.dice(3)]));
        }
        let begun = Instant::now();
        let mut applied = 0;
        loop {
            // One whose launcher was killed may have begun something without being recorded.
            let ran = self.scene.run(&["apply", "--yes", "--json"]);
            applied += 1;
            let wrong = self.wrong();
            if self.scene.saw_a_second() {
                return Err(format!("two agents at once: {ran:?}\n{}", self.history()));
            }
            match wrong {
                None if ran.code == Some(0) => return Ok((applied, begun.elapsed())),
                _ if begun.elapsed() > Duration::from_secs(30) => {
                    return Err(format!("{wrong:?}: {ran:?}\n{}", self.history()));
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// What was done last, for whoever has to find out why.
    fn history(&self) -> String {
        let ran = self.scene.run(&["history", "--json"]);
        let operations = ran.json()["operations"].as_array().cloned().unwrap_or_default();
        let last: Vec<String> = operations.iter().rev().take(8).map(ToString::to_string).collect();
        format!("{}\n{}", self.scene.text(), last.join("\n"))
    }

    fn wrong(&self) -> Option<String> {
        let agents = self.scene.agents();
        let is_wanted = self.scene.text().contains("desired: running");
        if agents.len() != usize::from(is_wanted) {
            return Some(format!("wanted {is_wanted}: {agents:?}"));
        }
        if agents.iter().any(|(_, id)| *id != self.conversation) {
            return Some(format!("not in {}: {agents:?}", self.conversation));
        }
        if self.scene.left("begun.json") != self.scene.left("receipt.json") {
            return Some("an operation is open".to_owned());
        }
        (self.scene.left("launch.json") > 0).then(|| "a launch with a secret is left".to_owned())
    }
}

fn kill(pid: Option<u32>) -> bool {
    let pid = pid.filter(|pid| is_alive(*pid)).and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

#[test]
fn killed_at_random_moments_it_loses_and_doubles_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let (wanted, seed) = (number("HEADCOUNT_SOAK_LEAD_KILLS").unwrap_or(24), number("HEADCOUNT_SOAK_SEED").unwrap_or(1));
    let (kills, tallies, begun) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<&str, usize>::new()), Instant::now());
    let slowest = Mutex::new((0, Duration::ZERO));
    let failed: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for at in 0..AT_ONCE {
            let (kills, tallies, slowest, failed) = (&kills, &tallies, &slowest, &failed);
            scope.spawn(move || {
                let mut soak = Soak::new((seed * AT_ONCE + at + 1) as u64, at % 2 == 1);
                let mut history: Vec<String> = Vec::new();
                while kills.load(Ordering::Relaxed) < wanted && failed.lock().unwrap().is_empty() {
                    let Some(killed) = soak.kill() else {
                        // It was done already; what it left is judged all the same.
                        if let Err(why) = soak.settle() {
                            failed.lock().unwrap().push(why);
                        }
                        continue;
                    };
                    let count = kills.fetch_add(1, Ordering::Relaxed) + 1;
                    *tallies.lock().unwrap().entry(killed).or_default() += 1;
                    history.push(killed.to_owned());
                    match soak.settle() {
                        Ok(took) => {
                            let mut slowest = slowest.lock().unwrap();
                            *slowest = (slowest.0.max(took.0), slowest.1.max(took.1));
                        }
                        Err(why) => {
                            let last = &history[history.len().saturating_sub(6)..];
                            failed.lock().unwrap().push(format!("kill {count}, after {last:?}: {why}"));
                        }
                    }
                    if count.is_multiple_of(100) {
                        eprintln!("{count} kills, {} s", begun.elapsed().as_secs());
                    }
                }
            });
        }
    });
    let slowest = slowest.into_inner().unwrap();
    eprintln!(
        "{} kills {:?} in {} s: at most {} applies and {} ms until all was as it should be",
        kills.load(Ordering::Relaxed),
        tallies.into_inner().unwrap(),
        begun.elapsed().as_secs(),
        slowest.0,
        slowest.1.as_millis()
    );
    assert_eq!(failed.into_inner().unwrap(), [] as [String; 0]);
}
