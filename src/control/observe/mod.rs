//! Looking at the world once: servers, panes, processes, transcripts. Joins the adapters; decides nothing and writes nothing.

mod panes;
mod peers;
mod spread;
mod transcripts;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::mpsc;

use crate::agent::{self, Shelf};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey};
use crate::core::manifest::{Manifest, Session, Status};
use crate::core::observe::identity::Found;
use crate::core::observe::{Observation, Process, Server, Stray};
use crate::host::{Environ, Host, LocalHost};
use crate::mux;
use panes::{Inspector, PaneFacts};
use spread::spread;

/// Reads the newest hook event of a process: its agent, its pid, and its start in clock ticks since boot.
pub type HookReader = dyn Fn(AgentKind, u32, u64) -> Fact<Found> + Send + Sync;

/// What observation needs to know before it looks.
pub struct World {
    /// The host to look at.
    pub host: Box<dyn Host>,
    /// The environment headcount runs in: where the default server and our own agents' files are.
    pub env: Environ,
    /// The reader of hook events; without one no ladder has that rung.
    pub hook: Option<Box<HookReader>>,
    /// Whether ladders are read to the end, also where a strong rung makes the weak ones superfluous (for `explain`).
    pub every_rung: bool,
}

impl World {
    /// This machine, seen from this environment.
    pub fn local(env: Environ) -> Self {
        Self { host: Box::new(LocalHost::new(env.clone())), env, hook: None, every_rung: false }
    }

    /// The same with a reader of hook events.
    pub fn with_hooks(self, hook: Box<HookReader>) -> Self {
        Self { hook: Some(hook), ..self }
    }

    /// Where an agent keeps its files in an environment.
    fn home(kind: AgentKind, env: &Environ) -> Fact<PathBuf> {
        let why = || Fact::Unknown(format!("HOME is not set, so where {kind} keeps its files cannot be told"));
        agent::of(kind).home(env).map_or_else(why, Fact::Seen)
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("host", &self.host.name()).finish_non_exhaustive()
    }
}

/// Whether headcount has to say anything about an entry: it is of this host and not suspended.
fn is_judged(session: &Session, host: &str) -> bool {
    session.key.host == host && !session.suspend
}

/// Looks at everything the manifest makes it necessary to look at.
pub fn observe(world: &World, manifest: &Manifest) -> Observation {
    let host = world.host.as_ref();
    let at = host.now();
    let boot = host.boot();
    let judged: Vec<&Session> = manifest.sessions.iter().filter(|session| is_judged(session, host.name())).collect();
    let inspector = Inspector::new(world);

    let (mut servers, real_paths) = list(world, manifest, &judged, &inspector);
    let pids = wanted(manifest, &judged, &servers);
    let facts: HashMap<u32, PaneFacts> = pids.iter().copied().zip(spread(&pids, |pid| inspector.pane(*pid))).collect();
    fill(&mut servers, facts);
    inspector.count_peers(&mut servers);
    let strays = strays(&judged, &servers, &inspector);

    let own_homes: BTreeMap<_, _> = AgentKind::ALL.into_iter().map(|kind| (kind, World::home(kind, &world.env))).collect();
    let fallback_homes = manifest.sessions.iter().map(|session| fallback_home(world, &own_homes, session)).collect();
    let mut observation = Observation {
        at,
        host: host.name().to_owned(),
        boot,
        servers,
        strays,
        transcripts: BTreeMap::new(),
        real_paths,
        fallback_homes,
        own_homes,
    };
    observation.transcripts = transcripts::find(&Shelf::new(), manifest, &judged, &observation);
    observation
}

fn fallback_home(world: &World, own: &BTreeMap<AgentKind, Fact<PathBuf>>, session: &Session) -> Fact<PathBuf> {
    match own.get(&session.agent).filter(|_| session.env.is_empty()) {
        Some(home) => home.clone(),
        None => World::home(session.agent, &world.env.overlaid(&session.env)),
    }
}

/// Lists every server that holds a judged entry, and the default tmux server, where unregistered sessions are looked for.
/// Meanwhile workspaces are resolved and the processes behind recorded panes read: a quiet world's are the same.
fn list(
    world: &World,
    manifest: &Manifest,
    judged: &[&Session],
    inspector: &Inspector<'_>,
) -> (BTreeMap<ServerKey, Fact<Server>>, BTreeMap<PathBuf, PathBuf>) {
    let mut keys: BTreeSet<ServerKey> = judged.iter().map(|session| session.key.server_key()).collect();
    keys.insert(ServerKey::default_of(MuxKind::Tmux));
    let ask = |key: &ServerKey, heard: &mpsc::Sender<u32>| {
        let on_server = |pid| drop(heard.send(pid));
        mux::of(key.mux).list(world.host.as_ref(), &world.env, &key.server, &on_server)
    };
    let recorded: BTreeSet<u32> = judged.iter().filter_map(|session| session.recorded.pane.as_ref()?.pid).collect();
    let (sender, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        let ask = &ask;
        let probe = |key| {
            let sender = sender.clone();
            scope.spawn(move || ask(key, &sender))
        };
        let asked: Vec<_> = keys.iter().map(probe).collect();
        let real_paths = real_paths(manifest);
        let is_enough = || asked.iter().all(std::thread::ScopedJoinHandle::is_finished);
        inspector.read_ahead(recorded.iter().copied(), is_enough);
        // Where more panes are declared than recorded, the server's own children are most probably their processes. They are
        // not read for a few entries among many sessions: that would be work for nothing.
        drop(sender);
        for server in heard {
            let children = world.host.children(server);
            if 2 * judged.len() >= recorded.len() + children.len() {
                inspector.read_ahead(children.into_iter().filter(|pid| !recorded.contains(pid)), is_enough);
            }
        }
        let answer = |thread: std::thread::ScopedJoinHandle<'_, Fact<Server>>| {
            thread.join().unwrap_or_else(|_| Fact::Unknown("the probe of this server failed inside".to_owned()))
        };
        (keys.iter().cloned().zip(asked.into_iter().map(answer)).collect(), real_paths)
    })
}

/// The declared workspaces that are reached through a symlink, and where they really are.
fn real_paths(manifest: &Manifest) -> BTreeMap<PathBuf, PathBuf> {
    let sessions = manifest.sessions.iter().filter_map(|session| session.cwd.as_ref());
    let declared: BTreeSet<&PathBuf> =
        sessions.chain(manifest.identities.iter().map(|identity| &identity.project_cwd)).collect();
    let real = |path: &PathBuf| path.canonicalize().ok().filter(|real| real != path).map(|real| (path.clone(), real));
    declared.into_iter().filter_map(real).collect()
}

/// The processes of the panes that matter: those of judged entries and of sessions that may be ours, and those of every session
/// without an entry where a running entry's session is missing, because it may have been renamed.
fn wanted(manifest: &Manifest, judged: &[&Session], servers: &BTreeMap<ServerKey, Fact<Server>>) -> Vec<u32> {
    let mut entries: HashMap<ServerKey, HashMap<&str, bool>> = HashMap::new();
    let mut running: HashMap<ServerKey, Vec<&str>> = HashMap::new();
    for session in &manifest.sessions {
        entries.entry(session.key.server_key()).or_default().entry(&session.key.name).or_insert(false);
    }
    for session in judged {
        entries.entry(session.key.server_key()).or_default().insert(&session.key.name, true);
        if session.recorded.status == Some(Status::Running) {
            running.entry(session.key.server_key()).or_default().push(&session.key.name);
        }
    }
    let mut pids = Vec::new();
    for (key, server) in servers {
        let Fact::Seen(server) = server else { continue };
        let declared = entries.get(key);
        let there: BTreeSet<&str> = server.sessions.iter().map(|session| session.name.as_str()).collect();
        let is_missing = running.get(key).is_some_and(|names| names.iter().any(|name| !there.contains(name)));
        let is_wanted = |name: &str| match declared.and_then(|names| names.get(name)) {
            Some(judged) => *judged,
            None => is_missing || manifest.discovery.iter().any(|pattern| !pattern.agents(name).is_empty()),
        };
        let panes = server.sessions.iter().filter(|session| is_wanted(&session.name)).flat_map(|session| &session.panes);
        pids.extend(panes.filter(|pane| pane.dead.is_none()).filter_map(|pane| pane.pid));
    }
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Puts what was found of each process into the panes it belongs to.
fn fill(servers: &mut BTreeMap<ServerKey, Fact<Server>>, mut facts: HashMap<u32, PaneFacts>) {
    let mut shown: HashMap<u32, usize> = HashMap::with_capacity(facts.len());
    for pid in panes_of(servers).filter_map(|pane| pane.pid) {
        *shown.entry(pid).or_default() += 1;
    }
    for pane in panes_of(servers) {
        // Nothing runs in a dead pane, whatever its old process id stands for by now.
        if pane.dead.is_some() {
            pane.agents = Fact::Seen(Vec::new());
            continue;
        }
        // Grouped sessions show one pane several times; most panes are shown once, and then nothing is copied.
        let is_shared = |pid| shown.get(&pid).is_some_and(|count| *count > 1);
        let found = pane.pid.and_then(|pid| if is_shared(pid) { facts.get(&pid).cloned() } else { facts.remove(&pid) });
        if let Some(found) = found {
            (pane.agents, pane.runs) = (found.agents, found.runs);
        }
    }
}

/// Every pane of every server that answered.
fn panes_of(servers: &mut BTreeMap<ServerKey, Fact<Server>>) -> impl Iterator<Item = &mut crate::core::observe::Pane> {
    let seen = servers.values_mut().filter_map(|server| match server {
        Fact::Seen(server) => Some(server),
        Fact::Absent | Fact::Unknown(_) => None,
    });
    seen.flat_map(|server| &mut server.sessions).flat_map(|session| &mut session.panes)
}

/// The processes behind recorded panes whose server is absent: if they live, the server may only be somewhere else.
fn strays(
    judged: &[&Session],
    servers: &BTreeMap<ServerKey, Fact<Server>>,
    inspector: &Inspector<'_>,
) -> BTreeMap<u32, Fact<Stray>> {
    let is_absent = |session: &&&Session| servers.get(&session.key.server_key()).is_some_and(Fact::is_absent);
    let pids: BTreeSet<u32> =
        judged.iter().filter(is_absent).filter_map(|session| session.recorded.pane.as_ref()?.pid).collect();
    pids.into_iter().map(|pid| (pid, inspector.stray(pid))).collect()
}

impl From<&crate::host::ProcessInfo> for Process {
    fn from(process: &crate::host::ProcessInfo) -> Self {
        Self { pid: process.pid, started: process.started }
    }
}
