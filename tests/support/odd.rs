//! This machine as a host that can be made odd: a clock that is moved, a failure that is ordered, processes that are hidden.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use headcount::core::fact::Fact;
use headcount::core::observe::Boot;
use headcount::host::{
    Command, CommandOutput, Environ, Host, Listener, LocalHost, ProcessInfo, ProcessRow, Rights, RunError, SocketReply,
    SocketRequest,
};

/// This machine, odd in what it is told to be.
pub struct Odd {
    /// What it is otherwise.
    pub local: LocalHost,
    /// By how many seconds its clock is ahead.
    pub ahead: Arc<AtomicI64>,
    /// How many boots may still be asked for before one panics.
    pub panic_in: Arc<AtomicUsize>,
    /// Processes of this name are another user's, who hides them.
    pub hidden: Option<&'static str>,
}

impl Odd {
    /// Not odd yet.
    pub fn new(local: LocalHost) -> Self {
        Self { local, ahead: Arc::default(), panic_in: Arc::new(AtomicUsize::new(usize::MAX)), hidden: None }
    }

    fn hides(&self, pid: u32) -> bool {
        self.hidden.is_some_and(|name| self.local.stat(pid).seen().is_some_and(|process| process.name == name))
    }

    fn unless_hidden<T>(&self, pid: u32, fact: Fact<T>) -> Fact<T> {
        if self.hides(pid) { Fact::Unknown(format!("process {pid}: hidden from this user")) } else { fact }
    }
}

impl Host for Odd {
    fn name(&self) -> &str {
        self.local.name()
    }
    fn now(&self) -> DateTime<Utc> {
        self.local.now() + TimeDelta::seconds(self.ahead.load(Ordering::SeqCst))
    }
    fn boot(&self) -> Fact<Boot> {
        assert!(self.panic_in.fetch_sub(1, Ordering::SeqCst) != 0, "an ordered failure");
        self.local.boot()
    }
    fn run(&self, command: &Command) -> Result<CommandOutput, RunError> {
        self.local.run(command)
    }
    fn process(&self, pid: u32) -> Fact<ProcessInfo> {
        self.unless_hidden(pid, self.local.process(pid))
    }
    fn stat(&self, pid: u32) -> Fact<ProcessInfo> {
        self.unless_hidden(pid, self.local.stat(pid))
    }
    fn exe(&self, pid: u32) -> Option<String> {
        self.local.exe(pid)
    }
    fn cwd(&self, pid: u32) -> Fact<PathBuf> {
        self.local.cwd(pid)
    }
    fn former_cwd(&self, pid: u32) -> Option<PathBuf> {
        self.local.former_cwd(pid)
    }
    fn rights(&self, pid: u32) -> Fact<Rights> {
        self.local.rights(pid)
    }
    fn open_files(&self, pid: u32) -> Fact<Vec<PathBuf>> {
        self.local.open_files(pid)
    }
    fn lockers(&self, path: &Path) -> Fact<Vec<u32>> {
        self.local.lockers(path)
    }
    fn environ(&self, pid: u32) -> Fact<Environ> {
        self.local.environ(pid)
    }
    fn shares(&self, pid: u32, path: &Path) -> Fact<bool> {
        self.local.shares(pid, path)
    }
    fn children(&self, pid: u32) -> Vec<u32> {
        self.local.children(pid)
    }
    fn table(&self) -> Fact<Vec<ProcessRow>> {
        self.local.table().map(|all| all.into_iter().filter(|process| self.hidden != Some(process.name.as_str())).collect())
    }
    fn listener(&self, socket: &Path) -> Listener {
        self.local.listener(socket)
    }
    fn is_bound(&self, socket: &Path) -> bool {
        self.local.is_bound(socket)
    }
    fn listening(&self) -> Fact<Vec<PathBuf>> {
        self.local.listening()
    }
    fn ask(&self, sockets: &[PathBuf], question: &SocketRequest<'_>, deadline: Duration) -> Vec<SocketReply> {
        self.local.ask(sockets, question, deadline)
    }
}
