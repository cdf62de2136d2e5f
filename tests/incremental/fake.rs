//! A world made of values: servers, panes and processes as a table, files in a temporary home.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use headcount::control::observe::Observer;
use headcount::core::fact::Fact;
use headcount::core::observe::{Boot, MuxSession, Pane, Server};
use headcount::host::{
    Command, CommandOutput, Environ, Hold, Host, Listener, Peer, ProcessInfo, ProcessRow, Rights, RunError, SocketReply,
    SocketRequest,
};

/// What the world holds.
#[derive(Debug, Default)]
pub struct Table {
    /// Each server's sessions: name and panes (the pane's process).
    pub servers: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
    /// The processes.
    pub processes: BTreeMap<u32, Running>,
    /// Processes that may not be read.
    pub hidden: Vec<u32>,
    /// Servers that do not answer.
    pub mute: Vec<String>,
    /// How far the clock is past the first day, had nobody set it.
    pub later: TimeDelta,
    /// How far it was set ahead, or back.
    pub set: TimeDelta,
    /// How often the host was booted before this time.
    pub boots: u32,
    /// When sessions were made, by the process of their first pane; all others on the first day.
    pub made: BTreeMap<u32, DateTime<Utc>>,
    /// The processes headcount has a handle on: when they started, by the clock then, and by the ticks.
    pub held: BTreeMap<(u32, DateTime<Utc>), u64>,
}

/// A process.
#[derive(Debug, Clone)]
pub struct Running {
    pub parent: u32,
    pub ticks: u64,
    pub argv: Vec<String>,
}

impl Running {
    /// When it started, by what the clock shows today.
    fn started(&self, table: &Table) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + table.set + TimeDelta::milliseconds(i64::try_from(self.ticks * 10).unwrap())
    }
}

/// The table, a home beside it, and a count of how often the arguments of a process were read.
#[derive(Debug, Clone)]
pub struct Fake {
    table: Arc<Mutex<Table>>,
    home: PathBuf,
    pub read: Arc<AtomicUsize>,
    pub listed: Arc<AtomicUsize>,
    /// How often a server was asked about some of its sessions.
    pub asked: Arc<AtomicUsize>,
    /// How often a process was looked at by itself, and how often all that are held at once.
    pub glanced: Arc<AtomicUsize>,
    pub polled: Arc<AtomicUsize>,
}

impl Fake {
    pub fn new(home: &Path) -> Self {
        fs::create_dir_all(home.join(".claude/sessions")).unwrap();
        let home = home.to_owned();
        Self {
            table: Arc::default(),
            home,
            read: Arc::default(),
            listed: Arc::default(),
            asked: Arc::default(),
            glanced: Arc::default(),
            polled: Arc::default(),
        }
    }

    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }

    /// The world to observe, with a memory of its own.
    pub fn world(&self) -> Observer {
        let env = self.env();
        Observer { host: Box::new(self.clone()), ..Observer::local(env) }
    }

    fn env(&self) -> Environ {
        [("HOME", self.home.as_os_str()), ("PATH", "/nowhere".as_ref()), ("TMUX_TMPDIR", self.home.as_os_str())]
            .into_iter()
            .map(|(name, value)| (OsString::from(name), value.to_owned()))
            .collect()
    }

    /// Where the registry of a process is.
    pub fn registry(&self, pid: u32) -> PathBuf {
        self.home.join(format!(".claude/sessions/{pid}.json"))
    }

    /// Where the transcript of a conversation is.
    pub fn transcript(&self, id: &str) -> PathBuf {
        self.home.join(".claude/projects/-w").join(format!("{id}.jsonl"))
    }

    fn find(&self, pid: u32) -> Fact<ProcessInfo> {
        let table = self.table();
        if table.hidden.contains(&pid) {
            return Fact::Unknown(format!("cannot read process {pid}: permission denied"));
        }
        let Some(process) = table.processes.get(&pid) else { return Fact::Absent };
        let name = process.argv[0].rsplit('/').next().unwrap().to_owned();
        Fact::Seen(ProcessInfo {
            pid,
            parent: process.parent,
            started: process.started(&table),
            start_ticks: Some(process.ticks),
            has_terminal: true,
            foreground: None,
            name,
            argv: process.argv.clone(),
        })
    }
}

impl Fake {
    /// A server that answers.
    fn server(&self, name: &str) -> Option<Server> {
        let table = self.table();
        let sessions = table.servers.get(name).filter(|_| !table.mute.iter().any(|mute| mute == name))?;
        let pane = |pid: &u32| Pane {
            id: format!("%{pid}"),
            pid: Some(*pid),
            dead: (!table.processes.contains_key(pid)).then(|| "exit status unknown".to_owned()),
            runs: String::new(),
            agents: Fact::Absent,
            unread: None,
        };
        let session = |(name, panes): (&String, &Vec<u32>)| MuxSession {
            id: format!("${name}"),
            name: name.clone(),
            created: Some(panes.first().and_then(|pid| table.made.get(pid)).copied().unwrap_or_default()),
            process: None,
            panes: panes.iter().map(pane).map(Into::into).collect(),
        };
        Some(Server {
            pid: Some(pid_of(name)),
            version: "3.5".to_owned(),
            sessions: sessions.iter().map(session).map(Into::into).collect(),
            unlisted: None,
        })
    }
}

/// The process of a server: one is not another under a second name.
fn pid_of(server: &str) -> u32 {
    server.bytes().map(u32::from).sum()
}

/// A server as `tmux list-panes` prints it.
fn rows(server: &Server) -> Vec<u8> {
    let mut text = format!("{}|{}\n", server.version, server.pid.unwrap());
    for session in &server.sessions {
        let (id, name) = (&session.id, &session.name);
        let created = session.created.unwrap().timestamp();
        for pane in &session.panes {
            let dead = u8::from(pane.dead.is_some());
            let place = format!("{id}|{created}|{}|{}|{dead}|||", pane.id, pane.pid.unwrap());
            text += &format!("{place}{}:{name}\n", name.len());
        }
    }
    text.into_bytes()
}

impl Host for Fake {
    fn name(&self) -> &str {
        crate::support::HOST
    }

    fn now(&self) -> DateTime<Utc> {
        let table = self.table();
        DateTime::UNIX_EPOCH + TimeDelta::days(1) + table.later + table.set
    }

    fn boot(&self) -> Fact<Boot> {
        let table = self.table();
        Fact::Seen(Boot { id: format!("boot {}", table.boots), at: DateTime::UNIX_EPOCH + table.set })
    }

    fn run(&self, command: &Command) -> Result<CommandOutput, RunError> {
        let program = || command.program.clone();
        let words: Vec<&str> = command.args.iter().map(|word| word.to_str().unwrap()).collect();
        let (["-u", "-S", socket], question) = words.split_at(3.min(words.len())) else {
            return Err(RunError::NotFound(program()));
        };
        let server = self.server(socket.rsplit('/').next().unwrap());
        match question {
            // The one question that is put beside a list.
            ["display-message", "-p", "#{pid}", targets @ ..] => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                let Some(server) = server else { return Err(RunError::NotFound(program())) };
                let mut text = format!("{}\n", server.pid.unwrap());
                for target in targets.chunks(6) {
                    let [";", "display-message", "-p", "-t", target, _] = target else { panic!("{target:?}") };
                    let target = target.strip_suffix(':').unwrap();
                    let is_it = |it: &&std::sync::Arc<MuxSession>| {
                        it.id == target || target.strip_prefix('=') == Some(it.name.as_str())
                    };
                    let shown = server.sessions.iter().find(is_it).map(|it| if it.id == target { &it.id } else { &it.name });
                    text += &format!("{}\n", shown.map_or("", String::as_str));
                }
                Ok(CommandOutput { code: Some(0), signal: None, stdout: text.into_bytes(), stderr: Vec::new() })
            }
            // One session is asked about by itself.
            ["display-message", "-p", "#{version}|#{pid}", ";", "list-panes", "-s", "-t", target, ..] => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                let mut server = server.ok_or_else(|| RunError::Deadline { program: program(), after: command.deadline })?;
                server.sessions.retain(|session| target.strip_suffix(':') == Some(session.id.as_str()));
                let code = Some(i32::from(server.sessions.is_empty()));
                Ok(CommandOutput { code, signal: None, stdout: rows(&server), stderr: Vec::new() })
            }
            ["display-message", "-p", "#{version}|#{pid}", ";", "list-panes", ..] => {
                self.listed.fetch_add(1, Ordering::Relaxed);
                match server {
                    Some(server) => {
                        Ok(CommandOutput { code: Some(0), signal: None, stdout: rows(&server), stderr: Vec::new() })
                    }
                    None => Err(RunError::Deadline { program: program(), after: command.deadline }),
                }
            }
            _ => Err(RunError::NotFound(program())),
        }
    }

    fn process(&self, pid: u32) -> Fact<ProcessInfo> {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.find(pid)
    }

    fn stat(&self, pid: u32) -> Fact<ProcessInfo> {
        self.glanced.fetch_add(1, Ordering::Relaxed);
        self.find(pid).map(|process| ProcessInfo { argv: Vec::new(), ..process })
    }

    fn hold(&self, pid: u32, started: DateTime<Utc>) -> Option<Hold> {
        let ticks = self.find(pid).seen().filter(|process| process.started == started)?.start_ticks?;
        self.table().held.insert((pid, started), ticks);
        Some(Hold { pid, started, handle: None })
    }

    fn live(&self, holds: &[&Hold]) -> Vec<bool> {
        self.polled.fetch_add(1, Ordering::Relaxed);
        let table = self.table();
        // A handle is on a process, whatever the clock was set to since.
        let ticks = |hold: &Hold| table.held.get(&(hold.pid, hold.started)).copied();
        let lives = |hold: &&Hold| table.processes.get(&hold.pid).is_some_and(|it| Some(it.ticks) == ticks(hold));
        holds.iter().map(lives).collect()
    }

    fn exe(&self, _: u32) -> Option<String> {
        None
    }

    fn cwd(&self, pid: u32) -> Fact<PathBuf> {
        self.find(pid).map(|_| PathBuf::from("/w"))
    }

    fn former_cwd(&self, _: u32) -> Option<PathBuf> {
        None
    }

    fn rights(&self, pid: u32) -> Fact<Rights> {
        self.find(pid).map(|_| Rights { users: [0; 4], has_capabilities: true })
    }

    fn open_files(&self, pid: u32) -> Fact<Vec<PathBuf>> {
        self.find(pid).map(|_| Vec::new())
    }

    fn lockers(&self, _: &Path) -> Fact<Vec<u32>> {
        Fact::Seen(Vec::new())
    }

    fn shares(&self, _: u32, _: &Path) -> Fact<bool> {
        Fact::Seen(true)
    }

    fn environ(&self, pid: u32) -> Fact<Environ> {
        self.find(pid).map(|_| self.env())
    }

    fn children(&self, pid: u32) -> Vec<u32> {
        let table = self.table();
        table.processes.iter().filter(|(_, process)| process.parent == pid).map(|(pid, _)| *pid).collect()
    }

    fn table(&self) -> Fact<Vec<ProcessRow>> {
        let table = self.table();
        let lineage = |(pid, process): (&u32, &Running)| ProcessRow {
            pid: *pid,
            parent: process.parent,
            name: process.argv[0].clone(),
            image: None,
        };
        Fact::Seen(table.processes.iter().map(lineage).collect())
    }

    fn listener(&self, socket: &Path) -> Listener {
        let name = socket.file_name().unwrap().to_string_lossy().into_owned();
        if self.table().servers.contains_key(&name) {
            Listener::Listening(Peer::Process(pid_of(&name)))
        } else {
            Listener::Nobody
        }
    }

    fn is_bound(&self, socket: &Path) -> bool {
        matches!(self.listener(socket), Listener::Listening(_))
    }

    fn listening(&self) -> Fact<Vec<PathBuf>> {
        Fact::Absent
    }

    fn ask(&self, sockets: &[PathBuf], _: &SocketRequest<'_>, _: Duration) -> Vec<SocketReply> {
        vec![SocketReply::Nobody; sockets.len()]
    }
}
