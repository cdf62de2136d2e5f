//! zellij servers of a test's own: in its world's directories, known by their processes, ended with it also when it panics.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::missing_panics_doc)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::support::{Claude, World, await_some};
pub use installed::zellij as program;

#[path = "installed.rs"]
mod installed;

/// Nothing that a person would be shown at the first start.
const CONFIG: &str = "show_startup_tips false\nshow_release_notes false\n";

/// A world with zellij in its PATH.
pub struct Zellij {
    world: Arc<World>,
}

impl Zellij {
    /// A world with the real program; `None`, said aloud, where there is none.
    pub fn new() -> Option<Self> {
        Self::in_world(Arc::new(World::new()))
    }

    /// The same in a world that is there.
    pub fn in_world(world: Arc<World>) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!(
                "SKIPPED a test against a real zellij: there is none; `./x test` builds it, HEADCOUNT_TEST_ZELLIJ names it"
            );
            return None;
        };
        std::os::unix::fs::symlink(program, world.root().join("bin/zellij")).unwrap();
        for directory in ["tmp", "config/zellij"] {
            fs::create_dir_all(world.root().join(directory)).unwrap();
        }
        fs::write(world.root().join("config/zellij/config.kdl"), CONFIG).unwrap();
        Some(Self { world })
    }

    /// The world around it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The same, to be kept.
    pub fn shared(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// What zellij is told in this world beside its sockets.
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        let home = |(name, directory): (&str, &str)| {
            (OsString::from(format!("XDG_{name}_HOME")), self.world.root().join(directory).into_os_string())
        };
        let homes = [("CONFIG", "config"), ("CACHE", "cache"), ("DATA", "data")].map(home);
        homes.into_iter().chain([("TMPDIR".into(), self.world.root().join("tmp").into_os_string())]).collect()
    }

    /// The same for a shell.
    pub fn assignments(&self) -> String {
        let pair = |(name, value): (OsString, OsString)| format!("{}='{}'", name.display(), value.display());
        let pairs: Vec<String> = self.variables().into_iter().map(pair).collect();
        format!("export {};", pairs.join(" "))
    }

    /// The default socket directory of this world.
    pub fn base(&self) -> PathBuf {
        self.world.root().join("zellij")
    }

    /// The socket of a session there.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.base().join("contract_version_1").join(name)
    }

    fn command<I: AsRef<OsStr>>(&self, base: &Path, args: impl IntoIterator<Item = I>) -> Command {
        // A client whose server died while it was being set up would wait for ever.
        let mut command = Command::new("timeout");
        command.arg("20").arg(self.world.root().join("bin/zellij"));
        command.env_clear().envs(self.world.variables()).env("ZELLIJ_SOCKET_DIR", base);
        command.envs(self.variables()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs zellij in this world.
    pub fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Output {
        self.command(&self.base(), args).output().unwrap()
    }

    /// An action on a session, once zellij finds it.
    pub fn action(&self, session: &str, words: &[&str]) {
        self.action_in(&self.base(), session, words);
    }

    fn action_in(&self, base: &Path, session: &str, words: &[&str]) {
        let session = format!("--session={session}");
        await_some("the action's success", || {
            let mut command = self.command(base, [session.as_str(), "action"].iter().chain(words));
            command.output().unwrap().status.success().then_some(())
        });
    }

    /// Starts a detached session that runs a program, and gives its process.
    pub fn session(&self, name: &str, cwd: &Path, words: &[&str]) -> u32 {
        self.session_in(&self.base(), name, cwd, words)
    }

    /// The same in another socket directory.
    pub fn session_in(&self, base: &Path, name: &str, cwd: &Path, words: &[&str]) -> u32 {
        // A name that begins with a dash would be an option.
        let mut all = vec!["attach", "--create-background", "--", name];
        if !name.starts_with('-') {
            all.remove(2);
            all.push("--");
        }
        all.extend(words);
        // The server of a session that was renamed still calls itself by the old name.
        let before = self.panes_in(base, name, 0);
        let output = self.command(base, all).current_dir(cwd).output().unwrap();
        assert!(output.status.success(), "{name:?}: {}", String::from_utf8_lossy(&output.stderr));
        let new = || self.panes_in(base, name, 0).into_iter().find(|pid| !before.contains(pid));
        let pane = await_some("the pane of a new session", new);
        // Its server may be busy with its own start for longer than headcount waits for an answer.
        self.action_in(base, name, &["list-panes"]);
        pane
    }

    /// Starts the stand-in for Claude Code in a session of its own.
    pub fn claude_session(&self, name: &str, cwd: &Path) -> Claude {
        let pid = self.session(name, cwd, &["claude"]);
        self.world.registered(pid)
    }

    /// The process of a pane, from what zellij told it.
    pub fn pane(&self, session: &str, id: u32) -> Option<u32> {
        self.pane_in(&self.base(), session, id)
    }

    fn pane_in(&self, base: &Path, session: &str, id: u32) -> Option<u32> {
        self.panes_in(base, session, id).into_iter().next()
    }

    fn panes_in(&self, base: &Path, session: &str, id: u32) -> Vec<u32> {
        let servers = self.servers_in(base, session);
        let is_it = |pid: &u32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let told = format!("ZELLIJ_PANE_ID={id}");
            parent(*pid).is_some_and(|parent| servers.contains(&parent))
                && words_of(*pid).get(1).is_none_or(|word| word != "--server")
                && environ.split(|byte| *byte == 0).any(|variable| variable == told.as_bytes())
        };
        pids().into_iter().filter(is_it).collect()
    }

    /// The server of a session, by the name it was started with.
    pub fn server(&self, session: &str) -> u32 {
        self.server_in(&self.base(), session).unwrap_or_else(|| panic!("no server of {session:?}"))
    }

    fn server_in(&self, base: &Path, session: &str) -> Option<u32> {
        self.servers_in(base, session).into_iter().next()
    }

    fn servers_in(&self, base: &Path, session: &str) -> Vec<u32> {
        let socket = base.join("contract_version_1").join(session);
        let mut servers = self.servers();
        servers.retain(|pid| words_of(*pid).get(2).is_some_and(|word| **word == *socket));
        servers
    }

    /// Every server of this world.
    pub fn servers(&self) -> Vec<u32> {
        let is_ours = |pid: &u32| {
            let words = words_of(*pid);
            words.get(1).is_some_and(|word| word == "--server")
                && words.get(2).is_some_and(|socket| Path::new(socket).starts_with(self.world.root()))
        };
        pids().into_iter().filter(is_ours).collect()
    }

    /// Types a line into the first pane of a session.
    pub fn type_line(&self, session: &str, line: &str) {
        self.action(session, &["write-chars", "--pane-id", "terminal_0", line]);
        self.action(session, &["write", "--pane-id", "terminal_0", "13"]);
    }

    /// Ends a session as a person does and waits until its server is gone. On a busy machine a zellij 0.45 that was told to end
    /// now and then never does; then it is killed, as that person would.
    pub fn kill_session(&self, name: &str) {
        let server = self.server(name);
        self.run(["kill-session", name]);
        if !is_gone(server) {
            eprintln!("the server of {name:?} did not end when it was told to: killed");
            signal(server, Signal::KILL);
            gone(server);
        }
    }
}

impl Drop for Zellij {
    fn drop(&mut self) {
        let servers = self.servers();
        let panes: Vec<u32> = pids().into_iter().filter(|pid| parent(*pid).is_some_and(|it| servers.contains(&it))).collect();
        for pid in servers.into_iter().chain(panes) {
            signal(pid, Signal::KILL);
        }
    }
}

/// Sends a signal to a process of this test's own.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Waits for the end of a process and of all its threads. Its arguments are gone earlier, while its sockets are still open.
pub fn gone(pid: u32) {
    assert!(is_gone(pid), "the end of process {pid} did not come");
}

fn is_gone(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return true,
        Err(error) => panic!("no handle on process {pid:?}: {error}"),
    };
    let mut fds = [PollFd::new(&handle, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })) == Ok(1)
}

fn pids() -> Vec<u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn words_of(pid: u32) -> Vec<OsString> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = text.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| std::os::unix::ffi::OsStringExt::from_vec(word.to_vec())).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
