//! Acting on sessions, against a real tmux and a stand-in for Claude Code: what is started, resumed and stopped, what is refused, and
//! what is left when something goes wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod apply;
mod dialogs;
mod enforce;
mod entries;
mod faults;
mod launcher;
mod pi;
mod refusals;
mod rename;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::World;

/// A world with a manifest.
struct Scene {
    world: World,
}

/// How a run of headcount ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The outcome of the operation on a session.
    fn outcome(&self, session: &str) -> (String, String) {
        let report = self.json();
        let operations = report["operations"].as_array().unwrap();
        let one = operations.iter().find(|one| one["session"]["name"] == session);
        let one = one.unwrap_or_else(|| panic!("nothing about {session}: {self:?}"));
        let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
        (format!("{} {}", text("action"), text("outcome")), text("code"))
    }

    #[track_caller]
    fn is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Scene {
    /// A world whose manifest has these entries.
    fn new(entries: &str) -> Self {
        let scene = Self { world: World::new() };
        scene.write(entries);
        scene
    }

    fn manifest(&self) -> PathBuf {
        self.world.root().join("agents.yaml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.manifest()).unwrap()
    }

    fn write(&self, entries: &str) {
        let lab = self.world.workspace("one");
        let entries = entries.replace("LAB", lab.parent().unwrap().to_str().unwrap());
        std::fs::write(self.manifest(), format!("version: 1\nlead: {{ spacing: 0s, ready: 10s }}\nsessions:\n{entries}"))
            .unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(self.world.variables()).stdin(std::process::Stdio::null());
        command.current_dir(self.world.root().join("lab")).args(arguments).arg("-f").arg(self.manifest());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Every live stand-in of this world, by the conversation it is in.
    fn agents(&self) -> Vec<(u32, String)> {
        let directory = self.world.home().join(".claude/sessions");
        let mut agents: Vec<(u32, String)> = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .filter_map(|file| {
                let text = std::fs::read_to_string(file.ok()?.path()).ok()?;
                let entry: Value = serde_json::from_str(&text).ok()?;
                let pid = u32::try_from(entry["pid"].as_u64()?).ok()?;
                is_alive(pid).then(|| (pid, entry["sessionId"].as_str().unwrap_or_default().to_owned()))
            })
            .collect();
        agents.sort();
        agents
    }

    /// The recorded value of a field of a session's entry.
    fn recorded(&self, session: &str, field: &str) -> Value {
        let manifest: Value = serde_yaml::from_str(&self.text()).unwrap();
        let all = manifest["sessions"].as_array().unwrap().clone();
        all.into_iter().find(|entry| entry["name"] == session).unwrap()[field].clone()
    }

    fn state(&self) -> PathBuf {
        self.world.home().join(".local/state/headcount")
    }

    /// Gives the stand-in of a session a prompt, so that its conversation has a transcript.
    fn prompt(&self, session: &str, cwd: &Path) {
        let id = self.recorded(session, "session_id").as_str().unwrap().to_owned();
        self.world.type_line(session, "hello");
        let path = self.world.transcript(cwd, &headcount::core::ids::ConversationId(id));
        support::await_some("the transcript", || path.exists().then_some(()));
    }
}

fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
