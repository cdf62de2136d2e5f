//! Sessions that an enforcing watch leads, while it, their server and their agents are killed at random moments: once nobody kills any
//! more, each is back in a while without being asked for. A few rounds as a test, hundreds by `./x soak lead` (HEADCOUNT_SOAK_ROUNDS).

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::crew_soak::{Dice, server};
use super::scene::{Scene, is_alive};

const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];
/// So long a round without a kill may take until all is as it should be.
const AT_MOST: Duration = Duration::from_secs(120);

struct Soak {
    scene: Scene,
    watch: Child,
    /// Who was killed in this round, and when.
    killed: Vec<(Duration, &'static str)>,
    begun: Instant,
}

fn watch(scene: &Scene) -> Child {
    let log = |name: &str| std::fs::File::options().append(true).create(true).open(scene.world.root().join(name)).unwrap();
    let mut command = scene.command(&["watch", "--enforce", "--json", "--interval", "2s"]);
    command.stdout(log("watch.out")).stderr(log("watch.err")).spawn().unwrap()
}

impl Soak {
    fn new() -> Self {
        let restart = "restart: { policy: on-failure, first: 0s, most: 0s, attempts: 1000000 }";
        let entries =
            NAMES.map(|name| format!("  - {{ name: {name}, agent: claude, cwd: LAB/{name}, desired: running, {restart} }}\n"));
        let scene = Scene::new("");
        let lead = "lead: { spacing: 0s, ready: 20s, parallel: 4, backoff: { first: 0s, most: 0s, attempts: 1000000 } }";
        scene.write(&entries.concat());
        let text = scene.text();
        let (top, sessions) = (text.split("lead:").next().unwrap(), text.split_once("sessions:").unwrap().1);
        std::fs::write(scene.manifest(), format!("{top}{lead}\nsessions:{sessions}")).unwrap();
        for name in NAMES {
            scene.world.workspace(name);
        }
        scene.run(&["apply", "--yes"]).is(0);
        for name in NAMES {
            scene.prompt(name, &scene.world.workspace(name));
        }
        scene.run(&["record"]).is(0);
        let watch = watch(&scene);
        Self { scene, watch, killed: Vec::new(), begun: Instant::now() }
    }

    fn kill(&mut self, victim: &'static str, dice: &mut Dice) {
        let pid = match victim {
            "watch" => Some(self.watch.id()),
            "server" => server(&self.scene),
            _ => {
                let agents = self.scene.agents();
                let which = dice.roll(agents.len().max(1) as u64);
                agents.get(usize::try_from(which).unwrap()).map(|(pid, _)| *pid)
            }
        };
        let pid = pid.filter(|pid| is_alive(*pid)).and_then(|pid| Pid::from_raw(pid.cast_signed()));
        if pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
            self.killed.push((self.begun.elapsed(), victim));
        }
        if victim == "watch" {
            self.watch.wait().unwrap();
        }
    }

    /// Kills somebody a few times, and then nobody.
    fn round(&mut self, dice: &mut Dice) {
        (self.killed, self.begun) = (Vec::new(), Instant::now());
        let said = self.events().len();
        for _ in 0..=dice.roll(8) {
            // Mostly in the middle of what the last one has begun.
            let longest = [150, 600, 2500][usize::try_from(dice.roll(3)).unwrap()];
            std::thread::sleep(Duration::from_millis(dice.roll(longest)));
            match dice.roll(6) {
                0 => self.kill("agent", dice),
                1 | 2 => self.kill("server", dice),
                3 => {
                    self.kill("watch", dice);
                    self.watch = watch(&self.scene);
                }
                // Nobody looks for a while.
                4 => {
                    self.kill("watch", dice);
                    std::thread::sleep(Duration::from_millis(dice.roll(400)));
                    self.kill("server", dice);
                    self.watch = watch(&self.scene);
                }
                _ => {
                    self.kill("server", dice);
                    std::thread::sleep(Duration::from_millis(dice.roll(400)));
                    self.kill("watch", dice);
                    self.watch = watch(&self.scene);
                }
            }
        }
        let quiet = Instant::now();
        while self.scene.agents().len() != NAMES.len() {
            assert!(self.watch.try_wait().unwrap().is_none(), "the watch has ended by itself: {}", self.story(said));
            let count = self.scene.agents().len();
            assert!(quiet.elapsed() < AT_MOST, "{count} run: {}", self.story(said));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.scene.world.root().join("watch.out")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn story(&self, said: usize) -> String {
        let events: Vec<String> = self.events()[said..].iter().map(ToString::to_string).collect();
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let (ledger, errors) = (read(self.scene.state().join("ledger.json")), read(self.scene.world.root().join("watch.err")));
        let history = self.scene.run(&["history", "--json"]).stdout;
        let (plan, killed) = (self.scene.run(&["plan"]).stdout, &self.killed);
        format!("{killed:?}\n{plan}\n{ledger}\n{history}\n{}\n{errors}", events.join("\n"))
    }
}

#[test]
fn what_a_watch_leads_is_back_after_kills_at_random_moments() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (rounds, seed) = (number("HEADCOUNT_SOAK_ROUNDS").unwrap_or(4), number("HEADCOUNT_SOAK_SEED").unwrap_or(1));
    let (mut soak, mut dice) = (Soak::new(), Dice::new(seed));
    let (begun, mut kills) = (Instant::now(), 0);
    for round in 1..=rounds {
        soak.round(&mut dice);
        kills += soak.killed.len();
        if round.is_multiple_of(10) || round == rounds {
            eprintln!("{round} rounds, {kills} kills, {} s", begun.elapsed().as_secs());
        }
    }
    let _ = soak.watch.kill();
    let _ = soak.watch.wait();
}
