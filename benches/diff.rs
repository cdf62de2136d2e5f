//! `headcount diff` over 1, 100 and 1000 tmux sessions with 10,000 transcripts on disk, paired with one bare
//! `tmux -u list-panes -a` on the same server: prints both medians, their ratio and the budget (2.0 × floor + 3 ms).
//!
//! Owns its world: a private tmux server below a temp directory, a temp HOME. Never touches the default server.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Transcripts on disk, and the project directories they are spread over.
const TRANSCRIPTS: usize = 10_000;
const PROJECTS: usize = 200;
/// Budget of design §12: a multiple of the floor, and a constant.
const MULTIPLE: f64 = 2.0;
const CONSTANT: Duration = Duration::from_millis(3);

fn main() {
    if let Some(sessions) = std::env::var("BENCH_KEEP").ok().and_then(|text| text.parse().ok()) {
        keep(sessions);
        return;
    }
    let pairs = std::env::var("BENCH_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(41);
    println!("headcount diff, {TRANSCRIPTS} transcripts on disk, paired with `tmux -u list-panes -a`, {pairs} pairs, medians");
    println!(
        "{:>9} {:>10} {:>11} {:>11} {:>7} {:>11}  budget",
        "sessions", "world", "floor ms", "diff ms", "ratio", "budget ms"
    );
    let mut missed = false;
    for sessions in [1, 100, 1000] {
        let world = World::new(sessions);
        for (label, manifest) in [("in sync", &world.recorded), ("unrecorded", &world.declared)] {
            fs::write(world.manifest(), manifest).unwrap();
            age(&world.manifest());
            missed |= measure(&world, sessions, label, pairs);
        }
    }
    if missed {
        println!("\nA budget was missed; `perf record -g -- headcount diff` in such a world shows where the time goes.");
    }
}

/// Builds a world of so many sessions, says how to use it, and keeps it until a line is typed: for a profiler.
fn keep(sessions: usize) {
    let world = World::new(sessions);
    fs::write(world.manifest(), &world.recorded).unwrap();
    fs::write(world.home().join("unrecorded.yaml"), &world.declared).unwrap();
    let (home, tmux, manifest) = (world.home(), world.path("tmux"), world.manifest());
    println!("export HOME={home:?} TMUX_TMPDIR={tmux:?} HEADCOUNT_MANIFEST={manifest:?}");
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Times both commands in turn and prints a row; true if the budget was missed.
fn measure(world: &World, sessions: usize, label: &str, pairs: usize) -> bool {
    let expected = if label == "in sync" { 0 } else { 2 };
    let (mut floors, mut diffs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs + 3 {
        let (floor, _) = time(world.tmux().args(["-u", "list-panes", "-a"]));
        let (diff, code) = time(world.command(env!("CARGO_BIN_EXE_headcount")).arg("diff"));
        assert_eq!(code, expected, "headcount diff over {sessions} sessions, {label}");
        if pair >= 3 {
            floors.push(floor);
            diffs.push(diff);
            ratios.push(diff.as_secs_f64() / floor.as_secs_f64());
        }
    }
    let (floor, diff) = (median(&mut floors), median(&mut diffs));
    ratios.sort_by(f64::total_cmp);
    let budget = floor.mul_f64(MULTIPLE) + CONSTANT;
    let kept = diff <= budget;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{sessions:>9} {label:>10} {:>11.2} {:>11.2} {:>7.2} {:>11.2}  {}",
        ms(floor),
        ms(diff),
        ratios[ratios.len() / 2],
        ms(budget),
        if kept { "kept" } else { "MISSED" }
    );
    !kept
}

fn time(command: &mut Command) -> (Duration, i32) {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    (start.elapsed(), status.code().unwrap_or(-1))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Makes a file look long finished, so that reading it does not wait for an editor.
fn age(path: &Path) {
    let then = std::time::SystemTime::now() - Duration::from_secs(60);
    fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

/// A tmux server with so many sessions, each with a process named `claude` that the registry knows.
struct World {
    root: tempfile::TempDir,
    /// The manifest with everything recorded.
    recorded: String,
    /// The same with nothing recorded.
    declared: String,
}

impl World {
    fn new(sessions: usize) -> Self {
        let root = tempfile::Builder::new().prefix("headcount-bench-").tempdir().unwrap();
        let mut world = Self { root, recorded: String::new(), declared: String::new() };
        fs::create_dir_all(world.home().join(".claude/sessions")).unwrap();
        fs::create_dir_all(world.path("tmux")).unwrap();
        std::os::unix::fs::symlink("/bin/sleep", world.path("claude")).unwrap();
        world.write_transcripts();
        world.start(sessions);
        world.register(sessions);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    fn manifest(&self) -> PathBuf {
        self.home().join("agent-sessions.yaml")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("TMUX_TMPDIR", self.path("tmux")).env("LC_ALL", "C.UTF-8");
        command.env("HEADCOUNT_MANIFEST", self.manifest()).env("TERM", "xterm").env("SHELL", "/bin/sh");
        command
    }

    fn tmux(&self) -> Command {
        self.command("tmux")
    }

    fn workspace(&self, index: usize) -> PathBuf {
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
        for index in 0..TRANSCRIPTS {
            let cwd = self.workspace(index);
            let line = format!("{{\"type\":\"user\",\"sessionId\":\"{}\",\"cwd\":{:?}}}\n", id(index), cwd.to_string_lossy());
            fs::write(self.project(index).join(format!("{}.jsonl", id(index))), line).unwrap();
        }
    }

    fn start(&self, sessions: usize) {
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

    fn panes(&self) -> Vec<(String, String, u32)> {
        let format = "#{session_name} #{pane_id} #{pane_pid}";
        let output = self.tmux().args(["-u", "list-panes", "-a", "-F", format]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let parse = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
        };
        text.lines().filter_map(parse).filter(|(name, ..)| name.starts_with("lane-")).collect()
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
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let ticks = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap();
            let id = id(index);
            let entry = format!(
                "{{\"pid\":{pid},\"sessionId\":\"{id}\",\"cwd\":{cwd:?},\"procStart\":\"{ticks}\",\"kind\":\"interactive\",\"status\":\"idle\"}}"
            );
            fs::write(self.home().join(format!(".claude/sessions/{pid}.json")), entry).unwrap();
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

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").stderr(Stdio::null()).status();
    }
}

fn id(index: usize) -> String {
    format!("{index:08x}-0000-4000-8000-000000000000")
}
