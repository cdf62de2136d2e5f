//! A world with a manifest, in which headcount acts.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

pub(crate) use super::support::is_alive;
use super::support::{self, World};
use serde_json::Value;

/// A world with a manifest.
pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    /// What headcount is told beside what the world says.
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// How a run of headcount ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The outcome of the operation on a session.
    pub(crate) fn outcome(&self, session: &str) -> (String, String) {
        let report = self.json();
        let operations = report["operations"].as_array().unwrap();
        let one = operations.iter().find(|one| one["session"]["name"] == session);
        let one = one.unwrap_or_else(|| panic!("nothing about {session}: {self:?}"));
        let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
        (format!("{} {}", text("action"), text("outcome")), text("code"))
    }

    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Scene {
    /// A world whose manifest has these entries.
    pub(crate) fn new(entries: &str) -> Self {
        let scene = Self { world: Arc::new(World::new()), variables: Vec::new() };
        scene.write(entries);
        scene
    }

    /// From here on agents notice if there are two of them: each holds a lock for as long as it lives.
    pub(crate) fn watch_for_a_second(&self) {
        let text = std::fs::read_to_string(self.world.claude()).unwrap();
        let alone = "exec 9>>\"$HOME/alone\"\nflock -n 9 || echo $$ >> \"$HOME/second\"\nid=;";
        self.world.program("claude", &text.replacen("id=;", alone, 1));
    }

    /// Whether there ever were two agents at once.
    pub(crate) fn saw_a_second(&self) -> bool {
        self.world.home().join("second").exists()
    }

    /// How many operations have left a file of this name.
    pub(crate) fn left(&self, name: &str) -> usize {
        let operations = std::fs::read_dir(self.state().join("operations"));
        operations.into_iter().flatten().filter(|entry| entry.as_ref().unwrap().path().join(name).exists()).count()
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.world.root().join("agents.yaml")
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.manifest()).unwrap()
    }

    pub(crate) fn write(&self, entries: &str) {
        self.write_with("", entries);
    }

    /// The same, with more at the top of the manifest.
    pub(crate) fn write_with(&self, top: &str, entries: &str) {
        let lab = self.world.workspace("one");
        let entries = entries.replace("LAB", lab.parent().unwrap().to_str().unwrap());
        std::fs::write(self.manifest(), format!("version: 1\n{top}lead: {{ spacing: 0s, ready: 10s }}\nsessions:\n{entries}"))
            .unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command
            .env_clear()
            .envs(self.world.variables())
            .envs(self.variables.iter().cloned())
            .stdin(std::process::Stdio::null());
        command.current_dir(self.world.root().join("lab")).args(arguments).arg("-f").arg(self.manifest());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Every live stand-in of this world, by the conversation it is in.
    pub(crate) fn agents(&self) -> Vec<(u32, String)> {
        let directory = self.world.home().join(".claude/sessions");
        let mut agents: Vec<(u32, String)> = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .filter_map(|file| {
                let text = std::fs::read_to_string(file.ok()?.path()).ok()?;
                let entry: Value = serde_json::from_str(&text).ok()?;
                let pid = u32::try_from(entry["pid"].as_u64()?).ok()?;
                // Or it would be whoever has that number by now.
                let is_it = is_alive(pid) && started(pid).is_some_and(|ticks| entry["procStart"] == ticks.as_str());
                is_it.then(|| (pid, entry["sessionId"].as_str().unwrap_or_default().to_owned()))
            })
            .collect();
        agents.sort();
        agents
    }

    /// The recorded value of a field of a session's entry.
    pub(crate) fn recorded(&self, session: &str, field: &str) -> Value {
        let manifest: Value = serde_yaml::from_str(&self.text()).unwrap();
        let all = manifest["sessions"].as_array().unwrap().clone();
        all.into_iter().find(|entry| entry["name"] == session).unwrap()[field].clone()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.world.home().join(".local/state/headcount")
    }

    /// Gives the stand-in of a session a prompt, so that its conversation has a transcript.
    pub(crate) fn prompt(&self, session: &str, cwd: &Path) {
        let id = self.recorded(session, "session_id").as_str().unwrap().to_owned();
        self.world.type_line(session, "hello");
        let path = self.world.transcript(cwd, &headcount::core::ids::ConversationId(id));
        support::await_some("the transcript", || path.exists().then_some(()));
    }
}

/// When a process began, in clock ticks since the boot, as Claude Code's registry writes it.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Does something with each of them, in worlds of their own, several at once: most of the time is waiting.
pub(crate) fn each<'a, T: Sync>(all: &'a [T], act: impl Fn(&'a T) + Sync) {
    const AT_ONCE: usize = 8;
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    act(one);
                }
            });
        }
    });
}
