//! The demo's private world: a temp HOME, a tmux server of its own, stand-in agents. Everything in it goes when it is dropped.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program that stands in for Claude Code.
const STAND_IN: &str = include_str!("stand_in.sh");

/// How long a session may take to show its agent.
const PATIENCE: Duration = Duration::from_secs(10);

/// A private world.
#[derive(Debug)]
pub(super) struct DemoWorld {
    root: tempfile::TempDir,
}

impl DemoWorld {
    /// An empty world: no session yet.
    pub(super) fn new() -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix("headcount-demo-").tempdir()?;
        let world = Self { root };
        for directory in [world.home(), world.tmux_directory()] {
            fs::create_dir_all(&directory)?;
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
        }
        let program = world.stand_in();
        fs::write(&program, STAND_IN)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(world)
    }

    /// Its HOME.
    pub(super) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Its manifest.
    pub(super) fn manifest(&self) -> PathBuf {
        self.home().join("agent-sessions.yaml")
    }

    /// Its registry of jobs.
    pub(super) fn jobs(&self) -> PathBuf {
        self.root.path().join("jobs")
    }

    /// The stand-in for Claude Code.
    pub(super) fn stand_in(&self) -> PathBuf {
        self.root.path().join("claude")
    }

    /// What TMUX_TMPDIR is in this world, so that its default server is a private one.
    fn tmux_directory(&self) -> PathBuf {
        self.root.path().join("tmux")
    }

    /// A workspace below HOME.
    pub(super) fn workspace(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.home().join(name);
        fs::create_dir_all(&path)?;
        path.canonicalize()
    }

    /// A command that sees this world and nothing of the real one.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        // What headcount starts is looked up by its name.
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(self.root.path().to_path_buf()).chain(std::env::split_paths(&paths));
        command.env("PATH", std::env::join_paths(paths).unwrap_or_default());
        for name in ["LANG", "LC_ALL", "TERM", "COLUMNS", "NO_COLOR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.home()).env("TMUX_TMPDIR", self.tmux_directory());
        command
            .env("SHELL", "/bin/sh")
            .env("HEADCOUNT_MANIFEST", self.manifest())
            .env("HEADCOUNT_JOBS", self.jobs())
            .current_dir(self.root.path());
        command
    }

    /// Runs tmux on the private server.
    ///
    /// # Errors
    /// tmux could not be started, or said no.
    pub(super) fn tmux(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.command("tmux").args(["-f", "/dev/null"]).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| io::Error::new(error.kind(), format!("cannot run tmux: {error}")))?;
        said(arguments, &output)
    }

    /// Starts a session that runs a shell line in a workspace.
    pub(super) fn session(&self, name: &str, workspace: &Path, line: &str) -> io::Result<()> {
        self.tmux(&["new-session", "-d", "-s", name, "-c", &workspace.to_string_lossy(), line]).map(drop)
    }

    /// Ends the server, and with it every session and agent in it, as a crash does.
    pub(super) fn end_server(&self) -> io::Result<()> {
        let agents = self.agents();
        self.tmux(&["kill-server"])?;
        let deadline = Instant::now() + PATIENCE;
        while agents.iter().any(|pid| Path::new("/proc").join(pid).exists()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The processes that have registered themselves.
    fn agents(&self) -> Vec<String> {
        let names = fs::read_dir(self.home().join(".claude/sessions")).into_iter().flatten().flatten();
        names.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned)).collect()
    }

    /// The shell line that runs the stand-in in a conversation.
    pub(super) fn agent_line(&self, id: &str) -> String {
        format!("exec {} --session-id {id}", shell_words::quote(&self.stand_in().to_string_lossy()))
    }

    /// Waits until so many agents have registered themselves.
    pub(super) fn await_agents(&self, count: usize) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.agents().len() >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the demo's stand-in agents did not start"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for DemoWorld {
    fn drop(&mut self) {
        // The server is named by its private directory; nothing else is ever ended.
        let _ = self.tmux(&["kill-server"]);
    }
}

fn said(arguments: &[&str], output: &Output) -> io::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = arguments.first().copied().unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("tmux {words}: {}", stderr.trim())))
}
