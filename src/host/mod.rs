//! Where commands run and processes are read. Never interprets what it reads, never writes anything.

pub mod ancestry;
mod container;
pub mod cpu_ticks;
pub mod environ;
mod hold;
mod ids;
pub mod image;
pub mod limits;
mod local;
pub mod locks;
pub(crate) mod parallel;
pub mod pidfd;
mod procfs;
mod ps;
mod question;
mod run;
pub(crate) mod service;
mod socket;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::core::fact::Fact;
use crate::core::observe::Boot;

pub use environ::Environ;
pub use hold::Hold;
pub use ids::Peer;
pub(crate) use ids::leads_session;
pub use local::LocalHost;
pub use question::{SocketReply, SocketRequest};
pub use run::{Command, CommandOutput, RunError};
pub(crate) use run::{child, run};
pub use socket::Listener;
pub(crate) use socket::{NO_SIGNAL, unix_socket};

/// A machine on which sessions live.
pub trait Host: Send + Sync {
    /// The host's name, as manifests spell it.
    fn name(&self) -> &str;

    /// The host's clock.
    fn now(&self) -> DateTime<Utc>;

    /// The running boot.
    fn boot(&self) -> Fact<Boot>;

    /// Runs a command to its end or its deadline, whichever comes first.
    ///
    /// # Errors
    /// If it could not be started, outlived its deadline, or said more than a sane command says.
    fn run(&self, command: &Command) -> Result<CommandOutput, RunError>;

    /// The same with something on its standard input. A host that can give it none runs nothing.
    ///
    /// # Errors
    /// As for [`Host::run`].
    fn feed(&self, command: &Command, input: &[u8]) -> Result<CommandOutput, RunError> {
        if input.is_empty() { self.run(command) } else { Err(RunError::NotFound(command.program.clone())) }
    }

    /// A process. `Absent`: there is none of that id, or it is a zombie. `Unknown`: it is there and may not be read.
    fn process(&self, pid: u32) -> Fact<ProcessInfo>;

    /// The same without its arguments, which are left empty: they cost as much again as all the rest.
    fn stat(&self, pid: u32) -> Fact<ProcessInfo>;

    /// This process, and when it began, in clock ticks since boot, where that can be told.
    fn own_process(&self) -> (u32, Option<u64>) {
        let pid = std::process::id();
        (pid, self.stat(pid).into_seen().and_then(|own| own.start_ticks))
    }

    /// Whether the process of this id that began then has ended. Where that cannot be told, it has not.
    fn has_ended(&self, (pid, ticks): (u32, Option<u64>)) -> bool {
        match self.stat(pid) {
            Fact::Absent => true,
            Fact::Seen(process) => ticks.is_some() && process.start_ticks != ticks,
            Fact::Unknown(_) => false,
        }
    }

    /// A process that was glanced at, with its arguments.
    fn with_arguments(&self, process: ProcessInfo) -> Fact<ProcessInfo> {
        self.process(process.pid)
    }

    /// A hold on the process that started then; `None` if it is not there any more, or there is no hold to be had.
    fn hold(&self, _pid: u32, _started: DateTime<Utc>) -> Option<Hold> {
        None
    }

    /// Which of these processes still live, at the cost of one question. What is not known to live counts as ended.
    fn live(&self, holds: &[&Hold]) -> Vec<bool> {
        vec![false; holds.len()]
    }

    /// Whether a process is stopped, as by Ctrl-Z; `false` where that is unknown.
    fn is_stopped(&self, _pid: u32) -> bool {
        false
    }

    /// The path of the file a process executes; `None` if that is unknown.
    fn exe(&self, pid: u32) -> Option<String>;

    /// The working directory of a process, symlinks resolved.
    fn cwd(&self, pid: u32) -> Fact<PathBuf>;

    /// The path of the working directory of a process until that was deleted; `None` if it was not, or nobody can tell.
    fn former_cwd(&self, pid: u32) -> Option<PathBuf>;

    /// What a process takes itself for. A host without namespaces has one view for all.
    fn own_pid(&self, pid: u32) -> Fact<NamespacePid> {
        Fact::Seen(NamespacePid { pid, is_of_our_time: true })
    }

    /// The PID namespace in which all of this is seen; `None` where that is unknown.
    fn namespace(&self) -> Option<String> {
        None
    }

    /// On whose behalf a process acts.
    fn rights(&self, pid: u32) -> Fact<Rights>;

    /// The paths of the files a process holds open.
    fn open_files(&self, pid: u32) -> Fact<Vec<PathBuf>>;

    /// The processes that hold a file locked. Those of whom this may not be read are left out.
    fn lockers(&self, path: &Path) -> Fact<Vec<u32>>;

    /// The process group of a process, where that can be told.
    fn group(&self, pid: u32) -> Option<u32> {
        let _ = pid;
        None
    }

    /// The environment a process was started with.
    fn environ(&self, pid: u32) -> Fact<Environ>;

    /// Whether an absolute path leads a process where it leads us. It does not in a container, or below another root, that keeps
    /// other files there.
    fn shares(&self, pid: u32, path: &Path) -> Fact<bool>;

    /// The children of a process by the cheap route, which may miss some: who wants to conclude that something is *not*
    /// below a process has to look at [`Host::table`] as well.
    fn children(&self, pid: u32) -> Vec<u32>;

    /// Whether a process has no children for sure, by a cheap route. `false` says nothing.
    fn is_childless(&self, _pid: u32) -> bool {
        false
    }

    /// Every process of the host (zombies left out) with its parent.
    fn table(&self) -> Fact<Vec<ProcessRow>>;

    /// Whether a process listens on a Unix socket.
    fn listener(&self, socket: &Path) -> Listener;

    /// Whether a Unix socket is somebody's, in whichever namespace. Nobody hears that this was asked.
    fn is_bound(&self, socket: &Path) -> bool {
        let _ = socket;
        true
    }

    /// The paths of all Unix sockets somebody listens on, as they were when that began: a socket that was renamed or removed
    /// since keeps its first one. `Absent`: this system does not tell.
    fn listening(&self) -> Fact<Vec<PathBuf>>;

    /// Puts one question to each of these Unix sockets, to all of them at the same time; one answer for each, in order.
    fn ask(&self, sockets: &[PathBuf], question: &SocketRequest<'_>, deadline: Duration) -> Vec<SocketReply>;
}

/// A process and its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRow {
    /// The process.
    pub pid: u32,
    /// The process that made it, or adopted it.
    pub parent: u32,
    /// Its short name (`comm`).
    pub name: String,
    /// The program it executes, where the host tells one from another.
    pub image: Option<image::Image>,
}

/// What a process takes itself for, and so how the files it writes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespacePid {
    /// Its id in its own PID namespace.
    pub pid: u32,
    /// Whether the clock since boot is the same for it as for us, and so the start it reads of a process.
    pub is_of_our_time: bool,
}

/// On whose behalf a process acts, and so which files it may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Its real, effective, saved and file system user.
    pub users: [u32; 4],
    /// Whether it may take any capability, such as to write what is not its users'.
    pub has_capabilities: bool,
}

/// What a host tells of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// When it started.
    pub started: DateTime<Utc>,
    /// The same in clock ticks since boot (field 22 of `/proc/PID/stat`), where the host counts so.
    pub start_ticks: Option<u64>,
    /// Whether it has a controlling terminal.
    pub has_terminal: bool,
    /// The process group in the foreground of that terminal.
    pub foreground: Option<u32>,
    /// Its short name (`comm`).
    pub name: String,
    /// Its arguments, the program's own name first. Bytes that are not UTF-8 are replaced.
    pub argv: Vec<String>,
}
