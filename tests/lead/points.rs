//! headcount and its launcher killed at every point, one after the other: before and after each effect and each file they write.
//! Whatever was interrupted, the next apply finishes it, and no conversation ever has two agents.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::scene::each;
use super::support::await_some;
use super::{Ran, Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, env: { TOKEN: a-secret } }\n";

/// A point that is passed more often is tried this often.
const TIMES: u32 = 2;

/// What is interrupted.
struct Deed {
    name: &'static str,
    /// Makes the world in which it is done.
    prepare: fn(&PointScene),
    /// It.
    arguments: &'static [&'static str],
    /// What finishes it.
    again: fn(&Scene) -> Ran,
    /// The points at which it is killed; none: all that it passes.
    only: &'static [&'static str],
    /// Whether the session runs in the end.
    runs: bool,
}

/// A scene whose agents notice if there are two of them.
struct PointScene {
    scene: Scene,
    points: PathBuf,
}

impl PointScene {
    fn new() -> Self {
        let scene = Scene::new(ONE);
        let points = scene.world.root().join("points");
        std::fs::create_dir(&points).unwrap();
        scene.watch_for_a_second();
        Self { scene, points }
    }

    /// Runs headcount, and gives the points that it and its launchers passed by its end.
    fn run(&self, arguments: &[&str], kill: Option<&str>) -> (Ran, Vec<String>) {
        let _ = std::fs::remove_file(self.points.join("passed"));
        if let Some(point) = kill {
            std::fs::write(self.points.join("kill"), point).unwrap();
        }
        let mut command = self.scene.command(arguments);
        let ran = Ran::from(command.env("FAULTS_OF_HEADCOUNT", &self.points).output().unwrap());
        (ran, self.passed())
    }

    fn passed(&self) -> Vec<String> {
        std::fs::read_to_string(self.points.join("passed")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn was_killed(&self) -> bool {
        self.points.join("killed").exists()
    }

    /// What is wrong after something was interrupted, and applied again.
    fn faults(&self, deed: &Deed) -> Option<String> {
        let agents = self.scene.agents();
        let panes = || self.scene.world.tmux(["list-panes", "-a", "-F", "#{pane_id}"]).lines().count();
        let wanted = usize::from(deed.runs);
        if self.scene.saw_a_second() {
            return Some(format!("there was a second agent beside: {agents:?}"));
        }
        if agents.len() != wanted || deed.runs && panes() != 1 {
            return Some(format!("{wanted} agent wanted: {agents:?}"));
        }
        let (begun, ended) = (self.scene.left("begun.json"), self.scene.left("receipt.json"));
        if begun != ended {
            return Some(format!("{} operations are open", begun - ended));
        }
        (self.scene.left("launch.json") > 0).then(|| "a launch that may hold secrets was left".to_owned())
    }
}

/// Its server ends, and with it every process in it.
fn end_server(one: &PointScene) {
    let launchers = one.scene.world.tmux(["list-panes", "-a", "-F", "#{pane_pid}"]);
    let agents = one.scene.agents().into_iter().map(|(pid, _)| pid);
    let all: Vec<u32> = launchers.lines().map(|pid| pid.parse().unwrap()).chain(agents).collect();
    one.scene.world.tmux(["kill-server"]);
    await_some("the end of all in it", || all.iter().all(|pid| !is_alive(*pid)).then_some(()));
}

/// It runs and was spoken to.
fn spoken(one: &PointScene) {
    one.run(&["apply", "--yes"], None).0.is(0);
    one.scene.prompt("one", &one.scene.world.workspace("one"));
}

const APPLY: &[&str] = &["apply", "--yes", "--json"];
const ENDING: &[&str] = &["stop", "one", "--yes", "--kill", "--json"];

fn apply(scene: &Scene) -> Ran {
    scene.run(APPLY)
}

const START: Deed = Deed { name: "start", prepare: |_| (), arguments: APPLY, again: apply, only: &[], runs: true };

const RESUME: Deed = Deed {
    name: "resume",
    prepare: |one| {
        spoken(one);
        end_server(one);
    },
    arguments: APPLY,
    again: apply,
    only: &[],
    runs: true,
};

const STOP: Deed = Deed {
    name: "stop",
    prepare: |one| {
        one.run(&["apply", "--yes"], None).0.is(0);
        one.scene.write(&ONE.replace("running", "stopped"));
    },
    arguments: APPLY,
    again: apply,
    only: &[],
    runs: false,
};

const RESTART: Deed = Deed {
    name: "restart",
    prepare: spoken,
    arguments: &["restart", "one", "--yes", "--json"],
    again: apply,
    only: &[],
    runs: true,
};

/// An agent that does not end when it is asked to.
const KILL: Deed = Deed {
    name: "kill",
    prepare: |one| {
        let text = std::fs::read_to_string(one.scene.world.claude()).unwrap();
        one.scene.world.program("claude", &text.replace("exit 0' HUP TERM INT", "' INT\ntrap '' TERM"));
        one.run(&["apply", "--yes"], None).0.is(0);
        one.scene.write(&ONE.replace("running", "stopped"));
    },
    arguments: ENDING,
    again: |scene| scene.run(ENDING),
    // The first two are those of an ordinary stop: the signal, and that it goes on to hear it.
    only: &["engine before signal the agent 3", "engine after signal the agent 3"],
    runs: false,
};

/// What an earlier one left open is closed first.
const RECOVERY: Deed = Deed {
    name: "recovery",
    prepare: |one| {
        one.run(&["apply", "--yes"], Some("engine before make the pane 1"));
        assert!(one.was_killed());
        std::fs::remove_file(one.points.join("killed")).unwrap();
    },
    arguments: APPLY,
    again: apply,
    only: &[],
    runs: true,
};

const RENAME: Deed = Deed {
    name: "rename",
    prepare: spoken,
    arguments: &["rename", "one", "two", "--json"],
    again: |scene| {
        if scene.text().contains("name: one") {
            return scene.run(&["rename", "one", "two", "--json"]);
        }
        assert_eq!(scene.world.tmux(["list-sessions", "-F", "#{session_name}"]), "two");
        scene.run(APPLY)
    },
    only: &[],
    runs: true,
};

/// The points that are passed where nobody is killed, in their order.
fn points(deed: &Deed) -> Vec<String> {
    if !deed.only.is_empty() {
        return deed.only.iter().map(|point| (*point).to_owned()).collect();
    }
    let whole = PointScene::new();
    (deed.prepare)(&whole);
    let (ran, _) = whole.run(deed.arguments, None);
    ran.is(0);
    // A launcher passes its last ones after that.
    if deed.runs && deed.name != RENAME.name {
        await_some("the launcher", || whole.passed().iter().any(|it| it == "launcher after begin the agent 1").then_some(()));
    }
    let mut points: Vec<String> = whole.passed();
    if !deed.runs {
        points = await_some("the launcher", || {
            let passed = whole.passed();
            passed.iter().any(|it| it == "launcher after ended.json 1").then_some(passed)
        });
    }
    if deed.name == RECOVERY.name {
        // What comes after that is a start like any other.
        let rest = points.iter().position(|point| point.ends_with("before make the pane 1"));
        points.truncate(rest.expect("a start"));
    }
    points.retain(|point| {
        let count = point.rsplit(' ').next().and_then(|count| count.parse::<u32>().ok());
        count.is_some_and(|it| it <= TIMES)
    });
    assert!(!points.is_empty(), "{}", deed.name);
    points
}

#[test]
fn killed_at_any_point_it_leaves_what_the_next_one_finishes() {
    // The first is the longest.
    let deeds = [KILL, RESTART, RESUME, STOP, START, RECOVERY, RENAME];
    let all = Mutex::new(Vec::new());
    each(&deeds, |deed| all.lock().unwrap().push((deed, points(deed))));
    let mut all = all.into_inner().unwrap();
    all.sort_by_key(|(deed, _)| deeds.iter().position(|other| other.name == deed.name));
    let trials: Vec<(&Deed, &String)> =
        all.iter().flat_map(|(deed, points)| points.iter().map(|point| (*deed, point))).collect();
    each(&trials, |(deed, point)| at(deed, point));
    all.iter().for_each(|(deed, points)| eprintln!("{}: killed at {} points", deed.name, points.len()));
    every_point_is_one_of(&all);
}

fn at(deed: &Deed, point: &str) {
    let one = PointScene::new();
    (deed.prepare)(&one);
    let (killed, _) = one.run(deed.arguments, Some(point));
    // Or somebody could pass it later.
    let _ = std::fs::remove_file(one.points.join("kill"));
    let until = Instant::now() + Duration::from_secs(20);
    let wrong = loop {
        let next = (deed.again)(&one.scene);
        let wrong = one.faults(deed);
        if next.code == Some(0) && wrong.is_none() {
            break None;
        }
        if Instant::now() > until {
            break Some(format!("{wrong:?}\n{next:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(wrong.is_none(), "{}, killed {point}: {}\n{killed:?}", deed.name, wrong.unwrap_or_default());
    // Whether it is read depends on how long the start takes.
    assert!(one.was_killed() || point.contains("read the screen"), "{}: {point} was not passed again: {killed:?}", deed.name);
}

/// What a deed comes to only where something else is so: many old operations, a full disk, an agent that asks, a slow start, a hold,
/// another conversation, zellij.
const BESIDE: [&str; 42] = [
    "prune",
    "take the operation away",
    "list the clients",
    "read the screen",
    "press a key",
    "look at its use",
    "close the pane",
    "take away what was left",
    "ask who made the server",
    "name the tab",
    // Of a conversation that its agent has left: nothing is begun yet, and what is let go already need not be again.
    "let a conversation go",
    "lock what lets a conversation go",
    // Of texts: killed against real agents, by `tests/e2e/drive.sh`.
    "close the session",
    "claim a key",
    "give back a key",
    "look at a composer",
    "paste",
    "press a key behind a text",
    // Of texts that wait, and of jobs that are followed: killed by `waiting.rs`.
    "keep a record",
    "note about a record",
    "take a record out",
    // Of crews: what one leaves half done, the next round does.
    "make a crew",
    "keep the key of a crew",
    "note where a crew is",
    "lock a crew",
    "write a line of a crew",
    "note what was read of a crew",
    "keep a text of a crew",
    // Of other tools' words for one key, one label or one mark: whoever is killed there has no more to finish.
    "keep a document of a crew",
    "label a pane",
    "mark a pane as read",
    "take the mark of a pane",
    "press keys by name",
    "type letters",
    // Of jobs: killed at random moments, by `tests/lead/jobs.rs`.
    "listen for signals",
    "make the job's directory",
    "output",
    "remove a file of the job",
    "session-id",
    "signal the agent of a job",
    "tell of the job",
    "told",
];

fn every_point_is_one_of(all: &[(&Deed, Vec<String>)]) {
    let names_of =
        |points: &Vec<String>| points.iter().map(|point| point.rsplit_once(' ').unwrap().0.to_owned()).collect::<Vec<_>>();
    let passed: BTreeSet<String> = all.iter().flat_map(|(_, points)| names_of(points)).collect();
    let names = |root: &str| -> BTreeSet<String> {
        let output = std::process::Command::new("grep").args(["-rhoE", "around\\(\"[^\"]+\"", root]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
    };
    let all = names(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let is_passed = |name: &String| passed.iter().any(|point| point.ends_with(name.as_str()));
    let missing: Vec<&String> = all.iter().filter(|name| !is_passed(name) && !BESIDE.contains(&name.as_str())).collect();
    assert!(missing.is_empty() && all.len() > 10, "{missing:?}");
    eprintln!(
        "{} points, {} of them in the launcher",
        passed.len(),
        passed.iter().filter(|it| it.starts_with("launcher")).count()
    );
}
