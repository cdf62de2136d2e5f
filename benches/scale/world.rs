//! A thousand sessions on four tmux servers and in twenty zellij sessions, a hundred thousand transcripts laid out as Claude Code and
//! Codex lay them out, and a manifest of five thousand entries. Built once per run, ended by its guard however the run ends.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Utc};

use crate::support::guard::Guard;
use crate::support::ticks;

/// The tmux servers, by `-L`.
pub(crate) const SERVERS: [&str; 4] = ["default", "second", "third", "fourth"];
/// How many sessions there are in all, and how many of them are zellij's, where there is one.
pub(crate) const SESSIONS: usize = 1000;
const ZELLIJ: usize = 20;
/// Entries of the manifest: those of the sessions, and those of sessions that ended long ago.
pub(crate) const ENTRIES: usize = 5000;
const PROJECTS: usize = 500;
/// Claude Code's conversations, those of them that had subagents, and Codex's, over so many days.
const CLAUDE: usize = 50_000;
const SUBAGENTS: usize = 10_000;
const CODEX: usize = 40_000;
const DAYS: usize = 200;
/// Every fifth session of tmux is one of Codex.
const EVERY_CODEX: usize = 5;

/// A session that is declared and runs.
pub(crate) struct Lane {
    pub(crate) name: String,
    /// The tmux server; `None` for zellij.
    pub(crate) server: Option<&'static str>,
    pub(crate) is_codex: bool,
    index: usize,
    pub(crate) pid: u32,
}

/// The world.
pub(crate) struct Scale {
    root: PathBuf,
    now: DateTime<Utc>,
    zellij: Option<PathBuf>,
    pub(crate) lanes: Vec<Lane>,
    _guard: Guard,
}

/// The conversation of Claude Code of that number.
pub(crate) fn claude_id(index: usize) -> String {
    format!("{index:08x}-0000-4000-8000-000000000000")
}

impl Scale {
    pub(crate) fn new(zellij: Option<PathBuf>) -> Self {
        // Short: a socket's path has room for a hundred characters.
        let root = tempfile::Builder::new().prefix("hc").tempdir().unwrap().keep().canonicalize().unwrap();
        let mut world = Self { _guard: Guard::over(&root), root, now: Utc::now(), zellij, lanes: Vec::new() };
        for directory in ["bin", "tmux", "tmp", "config/zellij", "home/.claude/sessions", "home/.codex/thread-writer-locks"] {
            fs::create_dir_all(world.path(directory)).unwrap();
        }
        for program in ["claude", "codex"] {
            symlink("/bin/sleep", world.path("bin").join(program)).unwrap();
        }
        world.write_transcripts();
        // What appeared within a second before a process began may be its own.
        std::thread::sleep(Duration::from_millis(1200));
        world.start();
        world.register();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.home().join("agent-sessions.yaml")
    }

    pub(crate) fn has_zellij(&self) -> bool {
        self.zellij.is_some()
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home());
        command.env("TMUX_TMPDIR", self.path("tmux")).env("ZELLIJ_SOCKET_DIR", self.path("zellij"));
        for (name, directory) in [("CONFIG", "config"), ("CACHE", "cache"), ("DATA", "data")] {
            command.env(format!("XDG_{name}_HOME"), self.path(directory));
        }
        command.env("TMPDIR", self.path("tmp")).env("HEADCOUNT_MANIFEST", self.manifest());
        command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm").env("SHELL", "/bin/sh").current_dir(self.home());
        command
    }

    pub(crate) fn headcount(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_headcount"))
    }

    pub(crate) fn tmux(&self, server: &str) -> Command {
        let mut command = self.command("tmux");
        command.args(["-u", "-f", "/dev/null", "-L", server]);
        command
    }

    pub(crate) fn zellij(&self) -> Option<Command> {
        // A client whose server died while it was being set up would wait for ever.
        let mut command = self.command("timeout");
        command.arg("20").arg(self.zellij.as_ref()?).stdin(Stdio::null());
        Some(command)
    }

    fn workspace(&self, index: usize) -> PathBuf {
        self.home().join(format!("w{}", index % PROJECTS))
    }

    fn project(&self, index: usize) -> PathBuf {
        let encode = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = self.workspace(index).to_string_lossy().chars().map(encode).collect();
        self.home().join(".claude/projects").join(name)
    }

    /// The id and the file of a rollout of that number. An id of Codex begins with its time.
    fn rollout(&self, index: usize) -> (String, PathBuf) {
        let at = self.now - Days::new((index % DAYS) as u64);
        let millis = at.timestamp_millis();
        let id = format!("{:08x}-{:04x}-7000-8000-{index:012x}", millis >> 16, millis & 0xffff);
        let name = format!("{}/rollout-{}-{id}.jsonl", at.format("%Y/%m/%d"), at.format("%Y-%m-%dT%H-%M-%S"));
        (id, self.home().join(".codex/sessions").join(name))
    }

    fn write_transcripts(&self) {
        let line = |id: &str, cwd: &Path| {
            let cwd = cwd.to_string_lossy();
            let user = format!(
                "{{\"type\":\"user\",\"sessionId\":\"{id}\",\"cwd\":{cwd:?},\"timestamp\":\"2026-01-01T00:00:00Z\"}}\n"
            );
            format!("{{\"type\":\"mode\",\"mode\":\"normal\",\"sessionId\":\"{id}\"}}\n{}", user.repeat(4))
        };
        for index in 0..PROJECTS {
            fs::create_dir_all(self.workspace(index)).unwrap();
            fs::create_dir_all(self.project(index)).unwrap();
        }
        for index in 0..CLAUDE {
            let id = claude_id(index);
            fs::write(self.project(index).join(format!("{id}.jsonl")), line(&id, &self.workspace(index))).unwrap();
        }
        for index in 0..SUBAGENTS {
            let id = claude_id(index);
            let directory = self.project(index).join(&id).join("subagents");
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(format!("agent-{index:08x}.jsonl")), line(&id, &self.workspace(index))).unwrap();
        }
        for index in 0..CODEX {
            let (id, path) = self.rollout(index);
            if index < DAYS {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
            }
            let cwd = self.workspace(index);
            let at = self.now.to_rfc3339();
            let meta = format!(
                "{{\"type\":\"session_meta\",\"payload\":{{\"id\":\"{id}\",\"timestamp\":\"{at}\",\"cwd\":{cwd:?}}}}}\n"
            );
            fs::write(path, meta + &"{\"type\":\"response_item\",\"payload\":{}}\n".repeat(8)).unwrap();
        }
    }

    fn start(&mut self) {
        let of_zellij = if self.has_zellij() { ZELLIJ } else { 0 };
        for index in 0..SESSIONS {
            let is_zellij = index >= SESSIONS - of_zellij;
            let is_codex = !is_zellij && index % EVERY_CODEX == 0;
            let name = format!("lane-{index}-creator-{}", if is_codex { "codex" } else { "claude" });
            let server = (!is_zellij).then(|| SERVERS[index % SERVERS.len()]);
            self.lanes.push(Lane { name, server, is_codex, index, pid: 0 });
        }
        for server in SERVERS {
            let script = self.path("sessions.conf");
            let lanes = self.lanes.iter().filter(|lane| lane.server == Some(server));
            let text: String = lanes.map(|lane| self.new_session(lane)).collect();
            fs::write(&script, text).unwrap();
            // A server without a session would end before it had read them.
            let keeper = self.tmux(server).args(["new-session", "-d", "-s", "keeper", "exec sleep 100000"]).status();
            let sourced = self.tmux(server).arg("source-file").arg(&script).status();
            let rid = self.tmux(server).args(["kill-session", "-t", "=keeper"]).status();
            assert!([keeper, sourced, rid].into_iter().all(|it| it.unwrap().success()), "the server {server} cannot be filled");
        }
        fs::write(self.path("config/zellij/config.kdl"), "show_startup_tips false\nshow_release_notes false\n").unwrap();
        for lane in self.lanes.iter().filter(|lane| lane.server.is_none()) {
            let mut command = self.zellij().unwrap();
            command.args(["attach", "--create-background", &lane.name, "--"]).arg(self.path("bin/claude")).arg("100000");
            let output = command.current_dir(self.workspace(lane.index)).output().unwrap();
            assert!(output.status.success(), "{}: {}", lane.name, String::from_utf8_lossy(&output.stderr));
        }
    }

    /// The tmux command that begins a session.
    fn new_session(&self, lane: &Lane) -> String {
        let (name, cwd, bin) = (&lane.name, self.workspace(lane.index), self.path("bin"));
        let bin = bin.display();
        let run = if lane.is_codex {
            let (id, rollout) = self.rollout(self.thread(lane));
            let lock = self.home().join(format!(".codex/thread-writer-locks/{id}.lock"));
            format!("exec 9>>{} 8>>{}; exec {bin}/codex 100000", lock.display(), rollout.display())
        } else {
            format!("exec {bin}/claude 100000")
        };
        format!("new-session -d -s {name} -c {cwd:?} '{run}'\n")
    }

    /// The rollout of a lane: of today.
    fn thread(&self, lane: &Lane) -> usize {
        lane.index / EVERY_CODEX * DAYS
    }

    /// Waits until every session has become its agent, then writes what Claude Code would have written.
    fn register(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        let pids = loop {
            let pids = self.agents();
            if pids.len() == SESSIONS {
                break pids;
            }
            assert!(Instant::now() < deadline, "only {} of {SESSIONS} sessions started", pids.len());
            std::thread::sleep(Duration::from_millis(50));
        };
        for lane in &mut self.lanes {
            lane.pid = pids[&lane.name];
        }
        for lane in self.lanes.iter().filter(|lane| !lane.is_codex) {
            self.enter(lane, &claude_id(lane.index));
        }
    }

    /// The process of each session that has become its agent, by the name of the session.
    fn agents(&self) -> HashMap<String, u32> {
        let mut found = HashMap::new();
        let is_agent = |pid: u32| {
            let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let first = argv.split(|byte| *byte == 0).next().unwrap_or_default();
            first.ends_with(b"/claude") || first.ends_with(b"/codex")
        };
        for server in SERVERS {
            let output = self.tmux(server).args(["list-panes", "-a", "-F", "#{session_name} #{pane_pid}"]).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let panes =
                text.lines().filter_map(|line| line.split_once(' ')).map(|(name, pid)| (name.to_owned(), pid.parse().unwrap()));
            found.extend(panes.filter(|(_, pid)| is_agent(*pid)));
        }
        if self.has_zellij() {
            let home = format!("HOME={}", self.home().display());
            let pids =
                fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
            for pid in pids.filter(|pid| is_agent(*pid)) {
                let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                let variables = || environ.split(|byte| *byte == 0).filter_map(|it| std::str::from_utf8(it).ok());
                let session = variables().find_map(|it| it.strip_prefix("ZELLIJ_SESSION_NAME="));
                if let Some(session) = session.filter(|_| variables().any(|it| it == home)) {
                    found.insert(session.to_owned(), pid);
                }
            }
        }
        found
    }

    /// Writes what an agent enters in its registry, as agents do: whole, by a rename.
    pub(crate) fn enter(&self, lane: &Lane, id: &str) {
        let (pid, cwd, ticks) = (lane.pid, self.workspace(lane.index), ticks(lane.pid));
        let entry = format!(
            "{{\"pid\":{pid},\"sessionId\":\"{id}\",\"cwd\":{cwd:?},\"procStart\":\"{ticks}\",\"kind\":\"interactive\",\"status\":\"idle\"}}"
        );
        let directory = self.home().join(".claude/sessions");
        fs::write(directory.join(".new"), entry).unwrap();
        fs::rename(directory.join(".new"), directory.join(format!("{pid}.json"))).unwrap();
    }

    /// Ends a session.
    pub(crate) fn kill(&self, lane: &Lane) {
        let status = match lane.server {
            Some(server) => self.tmux(server).args(["kill-session", "-t", &format!("={}", lane.name)]).status(),
            None => self.zellij().unwrap().args(["kill-session", &lane.name]).stdout(Stdio::null()).status(),
        };
        assert!(status.unwrap().success(), "{} cannot be ended", lane.name);
    }

    /// The manifest: nothing recorded of what runs, everything of what ended.
    pub(crate) fn declared(&self) -> String {
        let mut text = String::from("version: 1\nsessions:\n");
        for lane in &self.lanes {
            let agent = if lane.is_codex { "codex" } else { "claude" };
            let place = match lane.server {
                Some("default") => String::new(),
                Some(server) => format!("    server: {server}\n"),
                None => "    mux: zellij\n".to_owned(),
            };
            let cwd = self.workspace(lane.index);
            write!(
                text,
                "  - name: {}   # lane {}\n    agent: {agent}\n    cwd: {}\n{place}",
                lane.name,
                lane.index,
                cwd.display()
            )
            .unwrap();
        }
        for index in 0..ENTRIES - SESSIONS {
            let (agent, id, at) = match index % EVERY_CODEX {
                0 => ("codex", self.rollout(10 * index + 1).0, 10 * index + 1),
                _ => ("claude", claude_id(SESSIONS + index), SESSIONS + index),
            };
            let cwd = self.workspace(at);
            writeln!(
                text,
                "  - name: ended-{index}-creator-{agent}\n    agent: {agent}\n    cwd: {}\n    status: terminated\n    terminated_at: \
                 2026-01-01T00:00:00Z\n    termination_mode: auto-detected\n    session_id: {id}",
                cwd.display()
            )
            .unwrap();
        }
        text
    }

    /// How many transcripts there are, by a walk over all of them: the floor of looking for one.
    pub(crate) fn walk(&self) -> usize {
        fn count(directory: &Path) -> usize {
            let of = |entry: fs::DirEntry| if entry.file_type().unwrap().is_dir() { count(&entry.path()) } else { 1 };
            fs::read_dir(directory).unwrap().flatten().map(of).sum()
        }
        count(&self.home().join(".claude/projects")) + count(&self.home().join(".codex/sessions"))
    }
}
