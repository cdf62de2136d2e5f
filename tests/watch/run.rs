//! Runs `headcount watch --json` in a world and waits for what it says. Every line is checked against the published schema.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::support::World;

/// No event takes longer; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running watch; killed if the test ends first.
pub(crate) struct Watch {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<std::thread::JoinHandle<String>>,
    /// Every event so far.
    pub(crate) seen: Vec<Value>,
}

/// How a watch ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: ExitStatus,
    pub(crate) seen: Vec<Value>,
    pub(crate) stderr: String,
}

/// The manifest of a world.
pub(crate) fn manifest(world: &World) -> PathBuf {
    world.home().join("agent-sessions.yaml")
}

/// Writes the manifest, long finished.
pub(crate) fn declare(world: &World, text: &str) {
    save(&manifest(world), text);
}

/// Replaces a file as an editor does, with an old time so that nobody waits for it to settle.
pub(crate) fn save(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(60);
    std::fs::File::options().append(true).open(&new).unwrap().set_modified(then).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// What the manifest says now.
pub(crate) fn text(world: &World) -> String {
    std::fs::read_to_string(manifest(world)).unwrap()
}

/// The program, about to run in a world.
pub(crate) fn headcount(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.env_clear().envs(world.variables()).env("HEADCOUNT_MANIFEST", manifest(world)).args(arguments);
    command.current_dir(world.root()).stdin(Stdio::null());
    command
}

/// Starts a watch that looks often, decides at once and says nothing of itself.
pub(crate) fn watch(world: &World, arguments: &[&str]) -> Watch {
    let mut all = vec!["watch", "--json", "--interval", "200ms", "--settle", "0s"];
    if !arguments.contains(&"--heartbeat") {
        all.extend(["--heartbeat", "0"]);
    }
    all.extend(arguments);
    Watch::start(headcount(world, &all))
}

impl Watch {
    /// Starts a command that prints events.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut pipe = child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            text
        });
        Self { child, lines, stderr: Some(stderr), seen: Vec::new() }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// The next event; `None` once there will be none.
    pub(crate) fn next(&mut self) -> Option<Value> {
        self.next_until(Instant::now() + PATIENCE)
    }

    fn next_until(&mut self, until: Instant) -> Option<Value> {
        match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let event = checked(&line);
                self.seen.push(event.clone());
                Some(event)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no event came after {:#?}", self.seen),
        }
    }

    /// The next event that is described so, as [`word`] does; others before it are passed over.
    pub(crate) fn until(&mut self, wanted: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let event = self.next_until(until).unwrap_or_else(|| panic!("ended without {wanted}: {:#?}", self.seen));
            if word(&event) == wanted {
                return event;
            }
        }
    }

    /// Waits until so many more passes were made; needs `--heartbeat`.
    pub(crate) fn passes(&mut self, more: u64) {
        let first = self.until("heartbeat")["passes"].as_u64().unwrap();
        while self.until("heartbeat")["passes"].as_u64().unwrap() < first + more {}
    }

    /// Ends it with SIGTERM.
    pub(crate) fn terminate(self) -> Done {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Waits for its end, whatever it says meanwhile.
    pub(crate) fn end(mut self) -> Done {
        let until = Instant::now() + PATIENCE;
        while self.next_until(until).is_some() {
            assert!(Instant::now() < until, "it does not end: {:#?}", self.seen.iter().rev().take(9).collect::<Vec<_>>());
        }
        let status = self.child.wait().unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Done { status, seen: std::mem::take(&mut self.seen), stderr }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    /// What it said, without heartbeats.
    pub(crate) fn words(&self) -> Vec<String> {
        self.seen.iter().filter(|event| event["type"] != "heartbeat").map(word).collect()
    }
}

/// `drift dead applied gone`, `resolved agent-gone s`, `error pass`, `stopped SIGTERM`.
pub(crate) fn word(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = match event["type"].as_str().unwrap() {
        "drift" => vec![&event["type"], &event["class"], &event["state"], &event["session"]["name"]],
        "resolved" => vec![&event["type"], &event["class"], &event["session"]["name"]],
        "error" => vec![&event["type"], &event["source"]],
        "stopped" => vec![&event["type"], &event["reason"]],
        _ => vec![&event["type"]],
    };
    parts.into_iter().map(text).collect::<Vec<_>>().join(" ")
}

fn checked(line: &str) -> Value {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let validator = SCHEMA.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/events.schema.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    });
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    if let Err(error) = validator.validate(&event) {
        panic!("the event is not as its schema says: {error}: {line}");
    }
    event
}

/// A manifest of entries said to be running, each given as `name` alone.
pub(crate) fn running(world: &World, names: &[&str]) -> String {
    let entry = |name: &&str| {
        format!("  - name: {name}\n    agent: claude\n    cwd: {}\n    status: running\n", world.workspace("shop").display())
    };
    format!("version: 1\nsessions:\n{}", names.iter().map(entry).collect::<String>())
}
