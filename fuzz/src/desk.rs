//! A host on which everything is as an input says: what commands print, what sockets answer, which processes there are.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use headcount::core::fact::Fact;
use headcount::core::observe::Boot;
use headcount::host::{
    Command, CommandOutput, Environ, Host, Listener, Peer, ProcessInfo, ProcessRow, Rights, RunError, SocketReply,
    SocketRequest,
};

/// The host.
#[derive(Default)]
pub struct Desk {
    /// What every command prints.
    pub stdout: Vec<u8>,
    /// What every command complains of.
    pub stderr: Vec<u8>,
    /// What a socket answers to a question that begins like this.
    pub answers: Vec<(&'static [u8], Vec<u8>)>,
    /// The processes.
    pub processes: BTreeMap<u32, ProcessInfo>,
    /// What each of them was started with.
    pub environs: BTreeMap<u32, Environ>,
    /// Where they all work.
    pub cwd: PathBuf,
    /// What they all hold open.
    pub open: Vec<PathBuf>,
    /// The sockets somebody listens on.
    pub listening: Vec<PathBuf>,
}

/// A process that stands alone.
pub fn process(pid: u32, argv: &[&str]) -> ProcessInfo {
    ProcessInfo {
        pid,
        parent: 1,
        started: when(),
        start_ticks: Some(100),
        has_terminal: true,
        foreground: None,
        name: argv[0].rsplit('/').next().unwrap().to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// When every process started.
pub fn when() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_230_000, 0).unwrap()
}

impl Desk {
    fn find<T>(&self, pid: u32, give: impl Fn(&ProcessInfo) -> T) -> Fact<T> {
        self.processes.get(&pid).map_or(Fact::Absent, |process| Fact::Seen(give(process)))
    }
}

// It is only ever asked from one thread at a time.
impl Host for Desk {
    fn name(&self) -> &str {
        "desk"
    }

    fn now(&self) -> DateTime<Utc> {
        when() + TimeDelta::hours(1)
    }

    fn boot(&self) -> Fact<Boot> {
        Fact::Seen(Boot { id: "boot".to_owned(), at: DateTime::UNIX_EPOCH })
    }

    fn run(&self, _: &Command) -> Result<CommandOutput, RunError> {
        Ok(CommandOutput { code: Some(0), signal: None, stdout: self.stdout.clone(), stderr: self.stderr.clone() })
    }

    fn process(&self, pid: u32) -> Fact<ProcessInfo> {
        self.find(pid, ProcessInfo::clone)
    }

    fn stat(&self, pid: u32) -> Fact<ProcessInfo> {
        self.find(pid, |process| ProcessInfo { argv: Vec::new(), ..process.clone() })
    }

    fn exe(&self, _: u32) -> Option<String> {
        None
    }

    fn cwd(&self, pid: u32) -> Fact<PathBuf> {
        self.find(pid, |_| self.cwd.clone())
    }

    fn former_cwd(&self, _: u32) -> Option<PathBuf> {
        None
    }

    fn rights(&self, pid: u32) -> Fact<Rights> {
        self.find(pid, |_| Rights { users: [0; 4], has_capabilities: true })
    }

    fn open_files(&self, pid: u32) -> Fact<Vec<PathBuf>> {
        self.find(pid, |_| self.open.clone())
    }

    fn lockers(&self, _: &Path) -> Fact<Vec<u32>> {
        Fact::Seen(Vec::new())
    }

    fn shares(&self, _: u32, _: &Path) -> Fact<bool> {
        Fact::Seen(true)
    }

    fn environ(&self, pid: u32) -> Fact<Environ> {
        self.find(pid, |process| self.environs.get(&process.pid).cloned().unwrap_or_default())
    }

    fn children(&self, pid: u32) -> Vec<u32> {
        self.processes.values().filter(|process| process.parent == pid).map(|process| process.pid).collect()
    }

    fn table(&self) -> Fact<Vec<ProcessRow>> {
        let lineage = |process: &ProcessInfo| ProcessRow {
            pid: process.pid,
            parent: process.parent,
            name: process.name.clone(),
            image: None,
        };
        Fact::Seen(self.processes.values().map(lineage).collect())
    }

    /// Whoever the first line of what it answers says it is.
    fn listener(&self, _: &Path) -> Listener {
        let told = self
            .stdout
            .split(|byte| matches!(byte, b'|' | b'\n'))
            .nth(1)
            .and_then(|pid| std::str::from_utf8(pid).ok()?.parse().ok());
        Listener::Listening(told.map_or(Peer::Elsewhere, Peer::Process))
    }

    fn listening(&self) -> Fact<Vec<PathBuf>> {
        Fact::Seen(self.listening.clone())
    }

    /// As from a connection: byte after byte, until that is enough. What was enough is never too little again.
    fn ask(&self, sockets: &[PathBuf], question: &SocketRequest<'_>, _: Duration) -> Vec<SocketReply> {
        let begins = |(words, _): &&(&[u8], Vec<u8>)| question.words.starts_with(words);
        let all = self.answers.iter().find(begins).map_or(&[][..], |(_, answer)| answer);
        let enough = Cell::new(None);
        for end in (0..=all.len()).filter(|end| *end < 512 || end % 61 == 0 || *end == all.len()) {
            let is_whole = (question.is_whole)(&all[..end]);
            assert!(is_whole || enough.get().is_none(), "{end} bytes are too little, {:?} were enough", enough.get());
            if is_whole && enough.get().is_none() {
                enough.set(Some(end));
            }
        }
        let heard = &all[..enough.get().unwrap_or(all.len())];
        sockets.iter().map(|_| SocketReply::Said(heard.to_vec(), Some(50))).collect()
    }
}
