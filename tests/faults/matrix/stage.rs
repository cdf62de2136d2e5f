//! A private world in which the truth is known: four sessions, a manifest with a history, jobs. Owns what it starts and ends it;
//! never judges.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use headcount::core::ids::ConversationId;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Claude, World, await_some};
use crate::zellij::{Zellij, signal};

/// What else is in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// tmux and stand-ins for Claude Code.
    Tmux,
    /// The same sessions in zellij.
    Zellij,
    /// tmux, and an OpenCode whose conversation is in its database.
    Opencode,
}

/// What the names and paths of the world have in them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spice {
    /// Put in front of every session's name.
    pub(crate) name: &'static str,
    /// Put in front of the workspace's name.
    pub(crate) path: &'static str,
    /// Typed as the first prompt is, so that a transcript holds it.
    pub(crate) said: &'static str,
}

enum Bed {
    Tmux(World),
    Zellij(Zellij),
}

/// The world of one fault.
pub(crate) struct Stage {
    bed: Bed,
    /// Alive, recorded rightly, with a transcript.
    pub(crate) steady: String,
    /// Recorded as running; its session has ended.
    pub(crate) ended: String,
    /// Alive, in another conversation than the recorded one.
    pub(crate) renewed: String,
    /// Like `steady`, until the watch has to see it end.
    pub(crate) frail: String,
    /// Who is alive, and in which conversation.
    pub(crate) truth: BTreeMap<String, Option<Claude>>,
    /// The manifest before the fault.
    pub(crate) baseline: String,
    /// The conversations it records.
    pub(crate) recorded: BTreeMap<String, Option<String>>,
    /// Conversations that sessions were in before.
    pub(crate) past: BTreeMap<String, Vec<String>>,
    /// The recorded change that is taken back: that `steady` runs.
    pub(crate) undoable: String,
    /// An open job, delegated to `steady`.
    pub(crate) job: String,
    /// Set by a fault for the commands to come.
    pub(crate) variables: Vec<(String, String)>,
    /// Whether the transcripts are really gone.
    pub(crate) transcripts_gone: bool,
    /// Whether agents write into their transcripts meanwhile.
    pub(crate) transcripts_grow: bool,
    /// Versions of the manifest that a person saved, by the number in a comment.
    pub(crate) saves: Option<std::thread::JoinHandle<usize>>,
    /// Whether somebody saved it meanwhile.
    pub(crate) was_saved: bool,
    /// Tells what a fault started that it is over.
    pub(crate) stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    /// How long a command waits for the lock.
    pub(crate) lock_wait: &'static str,
    /// The settle window.
    pub(crate) settle: &'static str,
    /// Locks a fault holds.
    pub(crate) held: Vec<fs::File>,
    /// Sockets a fault listens on.
    pub(crate) sockets: Vec<std::os::unix::net::UnixListener>,
    /// Processes a fault stopped.
    pub(crate) stopped: Vec<u32>,
    /// File systems a fault mounted.
    pub(crate) mounts: Vec<PathBuf>,
    /// Programs a fault started.
    pub(crate) children: Vec<Child>,
}

/// The comments a person put into the manifest.
pub(crate) const COMMENTS: [&str; 3] = ["# Kept by a person.", "# the steady one", "# the end"];

/// The conversation of the stand-in for OpenCode.
const OPENCODE: &str = "ses_e03da5ce8ffe1oElFNqYhDS7Qe";

impl Stage {
    /// `None` if a program it takes is not there.
    pub(crate) fn new(kind: Kind, spice: Spice) -> Option<Self> {
        let bed = match kind {
            Kind::Zellij => Bed::Zellij(Zellij::new()?),
            Kind::Tmux | Kind::Opencode => Bed::Tmux(World::new()),
        };
        let name = |name: &str| format!("{}{name}", spice.name);
        let mut stage = Self {
            bed,
            steady: name("steady"),
            ended: name("ended"),
            renewed: name("renewed"),
            frail: name("frail"),
            truth: BTreeMap::new(),
            baseline: String::new(),
            recorded: BTreeMap::new(),
            past: BTreeMap::new(),
            undoable: String::new(),
            job: String::new(),
            variables: Vec::new(),
            transcripts_gone: false,
            transcripts_grow: false,
            saves: None,
            was_saved: false,
            settle: "0s",
            sockets: Vec::new(),
            stop: std::sync::Arc::default(),
            lock_wait: "30s",
            held: Vec::new(),
            stopped: Vec::new(),
            mounts: Vec::new(),
            children: Vec::new(),
        };
        for directory in ["desk", "state", "jobs", "keep"] {
            fs::create_dir(stage.root().join(directory)).unwrap();
        }
        stage.begin(kind, spice);
        stage.live(spice);
        for directory in ["state", "jobs"] {
            copy(&stage.root().join(directory), &stage.root().join("keep").join(directory));
        }
        Some(stage)
    }

    pub(crate) fn world(&self) -> &World {
        match &self.bed {
            Bed::Tmux(world) => world,
            Bed::Zellij(zellij) => zellij.world(),
        }
    }

    pub(crate) fn zellij(&self) -> &Zellij {
        match &self.bed {
            Bed::Zellij(zellij) => zellij,
            Bed::Tmux(_) => panic!("there is no zellij in this world"),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.world().root()
    }

    pub(crate) fn desk(&self) -> PathBuf {
        self.root().join("desk")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.desk().join("agent-sessions.yaml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// The directory of this manifest's journal and state.
    pub(crate) fn own_state(&self) -> PathBuf {
        let all = fs::read_dir(self.state().join("headcount")).unwrap().flatten().map(|entry| entry.path());
        all.into_iter().find(|path| path.join("journal.jsonl").exists()).expect("a journal")
    }

    pub(crate) fn jobs(&self) -> PathBuf {
        self.root().join("jobs")
    }

    /// The process of the tmux server.
    pub(crate) fn server(&self) -> u32 {
        self.world().tmux(["display-message", "-p", "#{pid}"]).parse().unwrap()
    }

    /// The manifest as it is now; empty if it cannot be read.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.manifest()).unwrap_or_default()
    }

    /// A program about to run here.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.world().variables()).current_dir(self.root()).stdin(Stdio::null());
        command.env("HEADCOUNT_MANIFEST", self.manifest()).env("XDG_STATE_HOME", self.state());
        command.env("HEADCOUNT_JOBS", self.jobs());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn headcount(&self, arguments: &[&str]) -> String {
        let output = self.command(env!("CARGO_BIN_EXE_headcount")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the sessions and declares them.
    fn begin(&mut self, kind: Kind, spice: Spice) {
        let workspace = self.world().workspace(format!("{}shop", spice.path));
        let mut text = format!("{}\nversion: 1\nsessions:\n", COMMENTS[0]);
        let mux = if kind == Kind::Zellij { "    mux: zellij\n" } else { "" };
        for name in [&self.steady, &self.ended, &self.renewed, &self.frail] {
            self.truth.insert(name.clone(), Some(self.start(name, &workspace)));
            let comment = if *name == self.steady { format!("   {}", COMMENTS[1]) } else { String::new() };
            let (name, cwd) = (quoted(name), quoted(&workspace.to_string_lossy()));
            text += &format!("  - name: {name}{comment}\n    agent: claude\n{mux}    cwd: {cwd}\n");
        }
        if kind == Kind::Opencode {
            let program = self.world().program("opencode", "#!/bin/bash\nread -r line\n");
            let pid = self.world().session("opener", &workspace, &format!("exec {}", program.display()));
            crate::support::opencode::record(&self.database());
            self.truth.insert("opener".to_owned(), Some(Claude { pid, id: ConversationId(OPENCODE.to_owned()) }));
            let cwd = quoted(&workspace.to_string_lossy());
            text += &format!("  - name: opener\n    agent: opencode\n    cwd: {cwd}\n    session_id: {OPENCODE}\n");
        }
        save(&self.manifest(), &format!("{text}{}\n", COMMENTS[2]));
    }

    /// The database of OpenCode.
    pub(crate) fn database(&self) -> PathBuf {
        self.world().home().join(".local/share/opencode/opencode.db")
    }

    /// Starts the stand-in for Claude Code in a session.
    pub(crate) fn start(&self, name: &str, workspace: &Path) -> Claude {
        match &self.bed {
            Bed::Tmux(world) => world.claude_session(name, workspace),
            Bed::Zellij(zellij) => zellij.claude_session(name, workspace),
        }
    }

    /// Records a first state, then lets the world go on without headcount.
    fn live(&mut self, spice: Spice) {
        // A zellij that was just started is not looked into at once.
        await_some("the first record", || {
            self.headcount(&["reconcile", "--settle", "0s"]);
            super::oracle::differences(self, &self.text()).is_empty().then_some(())
        });
        self.undoable = super::oracle::first_record(self, &self.steady);
        let mux = if matches!(self.bed, Bed::Zellij(_)) { "zellij" } else { "tmux" };
        let session = format!("{mux}:{}", self.steady);
        let submitted = self.headcount(&["job", "submit", "--agent", "claude", "--agent-session", &session, "--prompt", "p"]);
        self.job = submitted.trim().to_owned();
        for (name, state) in super::oracle::entries(&self.text()) {
            self.recorded.insert(name, state.id);
        }
        self.baseline = self.text();
        for name in [&self.steady, &self.ended, &self.renewed, &self.frail] {
            self.prompt(name, spice.said);
        }
        self.end(&self.ended.clone());
        let before = self.truth[&self.renewed].clone().unwrap();
        self.type_line(&self.renewed.clone(), "/clear");
        let now = await_some("another conversation", || {
            let now = self.world().registered(before.pid);
            (now.id != before.id).then_some(now)
        });
        self.truth.insert(self.renewed.clone(), Some(now));
    }

    /// Says something to an agent and waits for its transcript.
    pub(crate) fn prompt(&self, name: &str, said: &str) {
        self.type_line(name, &format!("hello {said}"));
        let file = format!("{}.jsonl", self.truth[name].as_ref().unwrap().id.as_str());
        await_some("the transcript", || files(&self.world().home()).into_iter().find(|path| path.ends_with(&file)));
    }

    fn type_line(&self, name: &str, line: &str) {
        match &self.bed {
            Bed::Zellij(zellij) => zellij.type_line(name, line),
            Bed::Tmux(world) => {
                let pane = self.pane(name);
                world.tmux(["send-keys", "-t", &pane, "-l", line]);
                world.tmux(["send-keys", "-t", &pane, "Enter"]);
            }
        }
    }

    /// The pane of a session, found by its process: not every name can be a target.
    fn pane(&self, name: &str) -> String {
        let pid = self.truth[name].as_ref().unwrap().pid.to_string();
        let panes = self.world().tmux(["list-panes", "-a", "-F", "#{pane_pid} #{pane_id}"]);
        let found = panes.lines().find_map(|line| line.strip_prefix(&format!("{pid} ")));
        found.expect("the pane").to_owned()
    }

    /// Ends a session as a person does, and waits until its agent is gone.
    pub(crate) fn end(&mut self, name: &str) {
        match &self.bed {
            Bed::Zellij(zellij) => zellij.kill_session(name),
            Bed::Tmux(world) => {
                let pane = self.pane(name);
                world.tmux(["kill-pane", "-t", &pane]);
            }
        }
        self.has_ended(name);
    }

    /// Waits until the agent of a session is gone.
    pub(crate) fn has_ended(&mut self, name: &str) {
        if let Some(Some(claude)) = self.truth.insert(name.to_owned(), None) {
            self.past.entry(name.to_owned()).or_default().push(claude.id.as_str().to_owned());
            crate::zellij::gone(claude.pid);
        }
    }

    /// Stops a process until the fault is healed.
    pub(crate) fn wedge(&mut self, pid: u32) {
        signal(pid, Signal::STOP);
        self.stopped.push(pid);
    }

    /// Puts the manifest, the state and the jobs back to what they were.
    pub(crate) fn reset(&mut self) {
        for directory in [self.desk(), self.state(), self.jobs()] {
            let _ = fs::set_permissions(&directory, fs::Permissions::from_mode(0o700));
            let _ = fs::remove_dir_all(&directory);
        }
        fs::create_dir(self.desk()).unwrap();
        for directory in ["state", "jobs"] {
            copy(&self.root().join("keep").join(directory), &self.root().join(directory));
        }
        save(&self.manifest(), &self.baseline.clone());
    }

    /// Undoes what every fault may have left running.
    pub(crate) fn release(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for pid in self.stopped.drain(..) {
            signal(pid, Signal::CONT);
        }
        for mut child in self.children.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
        for mount in self.mounts.drain(..) {
            let _ = Command::new("umount").arg("-l").arg(mount).status();
        }
        self.held.clear();
        self.sockets.clear();
        self.settle = "0s";
        self.variables.clear();
        self.lock_wait = "30s";
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.release();
    }
}

/// A string as YAML.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(&Value::from(text)).unwrap()
}

/// Saves a file as an editor does, long ago, so that nobody waits for it to settle.
pub(crate) fn save(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).unwrap();
    age(&draft);
    fs::rename(&draft, path).unwrap();
}

/// Makes a file look long finished.
pub(crate) fn age(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(60);
    fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

/// Every file below a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.flatten().flat_map(|entry| below(entry.path())).collect()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success(), "cannot copy {}", from.display());
}
