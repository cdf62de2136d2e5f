//! What wakes the loop: a timer, files, processes, panes, multiplexer servers. A source only says that something may have happened; it
//! never says what is true and changes nothing.

mod files;
mod idle_panes;
mod interest;
mod outbox;
mod processes;
mod servers;
mod timer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::wake::Wake;
use crate::core::agents::Declared;
use crate::core::ids::{ServerKey, SessionKey};
use crate::host::{Environ, limits};
use files::Files;
use idle_panes::IdlePanes;
use outbox::WakeSender;
use processes::Processes;
use servers::Servers;

/// How often at most directories are looked at although what matters did not change.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How to watch.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Whether one control client is kept per tmux server. Without, servers are polled.
    pub control_client: bool,
    /// How often everything is looked at, whatever happened.
    pub interval: Duration,
    /// How often that is looked at which no event tells of.
    pub poll: Duration,
    /// The environment control clients run in.
    pub env: Environ,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            control_client: true,
            interval: Duration::from_secs(30),
            poll: Duration::from_secs(2),
            env: Environ::of_this_process(),
        }
    }
}

/// What matters now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// The manifest as it was named.
    pub manifest: PathBuf,
    /// The manifest with symlinks resolved.
    pub resolved: PathBuf,
    /// Transcripts, or the directories they are or will be in, with the sessions they concern. None needs to exist.
    pub files: BTreeMap<PathBuf, BTreeSet<SessionKey>>,
    /// Directories of registries of live agents. None needs to exist.
    pub registries: BTreeSet<PathBuf>,
    /// The registry of delegated jobs. It need not exist.
    pub jobs: Option<PathBuf>,
    /// The sessions jobs are done in.
    pub job_sessions: BTreeSet<SessionKey>,
    /// The servers that are looked at.
    pub servers: BTreeMap<ServerKey, ServerWatch>,
    /// Agent and pane processes (pid, start in clock ticks since boot; 0 if not known) with the sessions they are in.
    pub processes: BTreeMap<(u32, u64), BTreeSet<SessionKey>>,
    /// The processes of the panes of tmux that hold no agent, with the sessions they are in.
    pub bare: BTreeMap<u32, BTreeSet<SessionKey>>,
    /// The agents that the manifest declares.
    pub declared: Declared,
}

/// A multiplexer server that is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerWatch {
    /// Its socket, or the directory of its sockets, whether or not it exists.
    pub socket: PathBuf,
    /// Its process, if it runs.
    pub pid: Option<u32>,
}

/// The sources at work.
#[derive(Debug)]
pub struct Sources {
    watched: Watched,
    /// The names of the manifest, every link on the way included.
    names: Vec<PathBuf>,
    /// When the directories were last looked at.
    looked: Option<Instant>,
    files: Files,
    processes: Processes,
    bare: IdlePanes,
    servers: Servers,
    limit: Option<String>,
    tasks: JoinSet<()>,
}

impl Sources {
    /// Starts them; until [`Sources::watch`] is called there is only the timer. Needs a tokio runtime.
    pub fn start(options: SourceOptions, wakes: mpsc::Sender<Wake>) -> Self {
        let options = Arc::new(options);
        let outbox = WakeSender::default();
        let limit = limits::raise_open_files().err().map(|error| format!("few files may be held open: {error}"));
        let files = Files::start(outbox.clone());
        let processes = Processes::new(outbox.clone());
        let bare = IdlePanes::new(outbox.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(outbox.clone().pump(wakes));
        tasks.spawn(timer::resync(options.interval, outbox.clone()));
        tasks.spawn(files.clone().follow());
        tasks.spawn(processes.clone().ask(options.poll));
        tasks.spawn(bare.clone().look(options.env.clone(), options.poll));
        let servers = Servers::new(options, outbox);
        Self { watched: Watched::default(), names: Vec::new(), looked: None, files, processes, bare, servers, limit, tasks }
    }

    /// Watches this from now on and nothing else. Costs next to nothing where nothing changed. What happens between a pass and
    /// this call is not heard of by a source that is only then put in place; so each such source sends one wake.
    #[allow(clippy::unused_async, reason = "it has to be called on the runtime")]
    pub async fn watch(&mut self, watched: &Watched) {
        let known = &self.watched;
        let names = files::names(watched);
        let sockets = |of: &Watched| of.servers.values().map(|it| it.socket.clone()).collect::<Vec<_>>();
        let same_places = self.names == names
            && known.resolved == watched.resolved
            && known.files.keys().eq(watched.files.keys())
            && known.registries == watched.registries
            && (&known.jobs, &known.job_sessions) == (&watched.jobs, &watched.job_sessions)
            && known.servers.keys().eq(watched.servers.keys())
            && sockets(known) == sockets(watched);
        let is_same = same_places && known.files == watched.files;
        let (servers, processes) = (known.servers != watched.servers, known.processes != watched.processes);
        // A directory moved away by one above it is replaced unseen, so all are looked at now and then.
        if !same_places || self.looked.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
            self.files.watch(watched);
            self.looked = Some(Instant::now());
        } else if !is_same || processes {
            self.files.concern(watched);
        }
        if servers || processes {
            self.processes.watch(watched);
        }
        if servers {
            self.servers.watch(watched);
        }
        let bare = (&self.watched.bare, &self.watched.declared) != (&watched.bare, &watched.declared);
        if bare {
            self.bare.watch(watched);
        }
        if !is_same || servers || processes || bare {
            self.watched.clone_from(watched);
            self.names = names;
        }
    }
    /// The directories that are watched now.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        self.files.directories()
    }

    /// What is only polled, or not watched at all, and why: one line each.
    pub fn degraded(&self) -> Vec<String> {
        let lines = [self.files.degraded(), self.processes.degraded(), self.servers.degraded()];
        self.limit.iter().cloned().chain(lines.into_iter().flatten()).collect()
    }

    /// Ends the control clients until [`Sources::find_clients`].
    pub async fn lose_clients(&mut self) {
        let clients = self.servers.stop();
        let _ = tokio::task::spawn_blocking(move || drop(clients)).await;
    }

    /// Keeps control clients of the servers that are watched, again.
    pub fn find_clients(&mut self) {
        self.servers.watch(&self.watched);
    }

    /// Ends them all, and the control clients with them.
    pub async fn stop(mut self) {
        self.files.stop();
        self.processes.stop();
        self.lose_clients().await;
        self.tasks.shutdown().await;
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.files.stop();
        self.processes.stop();
    }
}
