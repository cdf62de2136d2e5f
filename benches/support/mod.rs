//! What the benchmarks share: how they report, and a world. That is a private tmux server below a temp directory, a temp HOME with many transcripts, and processes
//! named `claude` that the registry knows. Never touches the default server.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use guard::Guard;

pub mod budgets;
pub mod guard;
pub mod program;
pub mod report;
pub mod watch;

/// Transcripts on disk, and the project directories they are spread over.
pub const TRANSCRIPTS: usize = 10_000;
const PROJECTS: usize = 200;

/// Makes a file look long finished, so that reading it does not wait for an editor.
pub fn age(path: &Path) {
    let then = std::time::SystemTime::now() - Duration::from_secs(60);
    fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

/// A tmux server with so many sessions, each with a process named `claude` that the registry knows.
pub struct World {
    root: PathBuf,
    _guard: Guard,
    /// The manifest with everything recorded.
    pub recorded: String,
    /// The same with nothing recorded.
    pub declared: String,
}

impl World {
    pub fn new(sessions: usize) -> Self {
        let root = tempfile::Builder::new().prefix("headcount-bench-").tempdir().unwrap().keep();
        let mut world = Self { _guard: Guard::over(&root), root, recorded: String::new(), declared: String::new() };
        fs::create_dir_all(world.home().join(".claude/sessions")).unwrap();
        fs::create_dir_all(world.path("tmux")).unwrap();
        std::os::unix::fs::symlink("/bin/sleep", world.path("claude")).unwrap();
        world.write_transcripts();
        world.start(sessions);
        world.register(sessions);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub fn manifest(&self) -> PathBuf {
        self.home().join("agent-sessions.yaml")
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("TMUX_TMPDIR", self.path("tmux")).env("LC_ALL", "C.UTF-8");
        command.env("HEADCOUNT_MANIFEST", self.manifest()).env("TERM", "xterm").env("SHELL", "/bin/sh");
        command
    }

    pub fn tmux(&self) -> Command {
        self.command("tmux")
    }

    pub fn workspace(&self, index: usize) -> PathBuf {
        self.home().join(format!("w{}", index % PROJECTS))
    }

    fn project(&self, index: usize) -> PathBuf {
        let encode = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = self.workspace(index).canonicalize().unwrap().to_string_lossy().chars().map(encode).collect();
        self.home().join(".claude/projects").join(name)
    }

    fn write_transcripts(&self) {
        for index in 0..PROJECTS {
            fs::create_dir_all(self.workspace(index)).unwrap();
            fs::create_dir_all(self.project(index)).unwrap();
        }
        (0..TRANSCRIPTS).for_each(|index| self.write_transcript(index, &id(index)));
        // What appeared within a second before a process began may be its own.
        std::thread::sleep(Duration::from_millis(1200));
    }

    /// Writes the transcript of a conversation in the workspace of a session.
    pub fn write_transcript(&self, index: usize, id: &str) {
        let cwd = self.workspace(index);
        let line = format!("{{\"type\":\"user\",\"sessionId\":\"{id}\",\"cwd\":{:?}}}\n", cwd.to_string_lossy());
        fs::write(self.project(index).join(format!("{id}.jsonl")), line).unwrap();
    }

    pub fn start(&self, sessions: usize) {
        let script = self.path("sessions.conf");
        for batch in (0..sessions).collect::<Vec<_>>().chunks(250) {
            let mut text = String::new();
            for index in batch {
                let cwd = self.workspace(*index);
                let program = self.path("claude");
                writeln!(text, "new-session -d -s lane-{index} -c {cwd:?} 'exec {} 100000'", program.display()).unwrap();
            }
            fs::write(&script, text).unwrap();
            let status = if self.path("tmux").read_dir().unwrap().next().is_none() {
                self.tmux().args(["-f"]).arg(&script).args(["new-session", "-d", "-s", "keeper", "exec sleep 100000"]).status()
            } else {
                self.tmux().arg("source-file").arg(&script).status()
            };
            assert!(status.unwrap().success(), "cannot start the sessions");
        }
    }

    pub fn panes(&self) -> Vec<(String, String, u32)> {
        let format = "#{session_name} #{pane_id} #{pane_pid}";
        let output = self.tmux().args(["-u", "list-panes", "-a", "-F", format]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let parse = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
        };
        text.lines().filter_map(parse).filter(|(name, ..)| name.starts_with("lane-")).collect()
    }

    /// Writes what an agent enters in its registry, as agents do: whole, by a rename.
    pub fn enter(&self, pid: u32, ticks: &str, id: &str, cwd: &str) {
        let entry = format!(
            "{{\"pid\":{pid},\"sessionId\":\"{id}\",\"cwd\":{cwd:?},\"procStart\":\"{ticks}\",\"kind\":\"interactive\",\"status\":\"idle\"}}"
        );
        let directory = self.home().join(".claude/sessions");
        fs::write(directory.join(".new"), entry).unwrap();
        fs::rename(directory.join(".new"), directory.join(format!("{pid}.json"))).unwrap();
    }

    /// Waits until every pane has become its agent, then writes what the agents would have written.
    fn register(&mut self, sessions: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let is_agent = |pid: u32| {
            let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            argv.split(|byte| *byte == 0).next().is_some_and(|name| name.ends_with(b"/claude"))
        };
        let panes = loop {
            let panes = self.panes();
            if panes.len() == sessions && panes.iter().all(|(_, _, pid)| is_agent(*pid)) {
                break panes;
            }
            assert!(Instant::now() < deadline, "the sessions did not start");
            std::thread::sleep(Duration::from_millis(50));
        };
        let mut recorded = String::from("version: 1\nsessions:\n");
        let mut declared = recorded.clone();
        for (name, pane, pid) in panes {
            let index: usize = name.trim_start_matches("lane-").parse().unwrap();
            let cwd = self.workspace(index).canonicalize().unwrap();
            let cwd = cwd.to_string_lossy();
            let ticks = &ticks(pid);
            let id = id(index);
            self.enter(pid, ticks, &id, &cwd);
            let own = format!("  - name: {name}   # lane {index}\n    agent: claude\n    cwd: {cwd}\n");
            declared += &own;
            writeln!(
                recorded,
                "{own}    status: running\n    session_id: {id}\n    pane: {{ id: \"{pane}\", pid: {pid}, cmd: claude, cwd: {cwd} }}"
            )
            .unwrap();
        }
        (self.recorded, self.declared) = (recorded, declared);
    }
}

/// The conversation of a session.
pub fn id(index: usize) -> String {
    format!("{index:08x}-0000-4000-8000-000000000000")
}

/// When a process started, in clock ticks since boot.
pub fn ticks(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned()
}

/// A number from the environment.
pub fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The kinds of processor time a process has used, in clock ticks: its own, and that of the children it has reaped.
pub fn processor(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(4).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// A value of `/proc/PID/status`, in MiB; `None` once the process is gone.
pub fn memory(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// Writes a file as programs do that do not want to lose it: synced, renamed, its directory synced. The floor of all that is
/// recorded.
pub fn write_synced(path: &Path, text: &[u8]) -> Duration {
    let begun = Instant::now();
    let draft = path.with_extension("new");
    let mut file = fs::File::create(&draft).unwrap();
    file.write_all(text).unwrap();
    file.sync_all().unwrap();
    fs::rename(&draft, path).unwrap();
    fs::File::open(path.parent().unwrap()).unwrap().sync_all().unwrap();
    begun.elapsed()
}
