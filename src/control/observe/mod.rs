//! Looking at the world once: servers, panes, processes, transcripts. Joins the adapters; decides nothing and writes nothing.

mod continued;
pub(in crate::control) mod lookup;
mod others;
mod outsiders;
mod panes;
mod peers;
mod titles;
mod transcripts;
mod tree;
mod turns;
pub(in crate::control) mod vantage;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::cache::facts::PaneFacts;
use super::cache::{Cache, LastLook};
use super::timing::timed;
use crate::agent::Agents;
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use crate::core::manifest::{Manifest, Session, Status};
use crate::core::memory::Memory;
use crate::core::observe::identity::RungValue;
use crate::core::observe::{MuxSession, Observation, OrphanPane, Pane, Process, Server};
use crate::host::parallel::{ScopedTask, alongside};
use crate::host::{Environ, Host, LocalHost};
use crate::mux;
use crate::store::terminal_path::TerminalPath;
pub(in crate::control) use panes::launched;
use panes::{Inspector, ReadAhead};

/// A server that is being asked on another thread.
type Asked<'scope> = ScopedTask<'scope, Told>;

/// What is known of a server.
struct Told {
    server: Fact<Server>,
    /// Whether that rests on a list of before.
    is_believed: bool,
}

/// The default server, being asked on another thread, with what was read of its processes so far.
pub(in crate::control) type Ahead<'scope> = ScopedTask<'scope, HeadStart>;

/// What was seen of the default server before it was known what is of interest.
pub struct HeadStart {
    told: Told,
    read: ReadAhead,
}

/// Reads the newest hook event of a process: its agent, its pid, and its start in clock ticks since boot.
pub type HookReader = dyn Fn(AgentKind, u32, u64) -> Fact<RungValue> + Send + Sync;

/// What observation needs to know before it looks.
pub struct Observer {
    /// The host to look at.
    pub host: Box<dyn Host>,
    /// The environment headcount runs in: where the default server and our own agents' files are.
    pub env: Environ,
    /// The reader of hook events; without one no ladder has that rung.
    pub hook: Option<Box<HookReader>>,
    /// Servers to look at beside those of the manifest and the default ones.
    pub also: Vec<ServerKey>,
    /// Whether ladders are read to the end, also where a strong rung makes the weak ones superfluous (for `explain`).
    pub every_rung: bool,
    /// Whether live agents are asked what they are doing, which reads files that nothing else needs (for `status` and
    /// `explain`).
    pub activity: bool,
    /// What earlier looks found, for passes that are about a few sessions only.
    pub cache: Cache,
    /// The PATH of servers that begin.
    pub terminal_path: TerminalPath,
}

impl Observer {
    /// This machine, seen from this environment.
    pub fn local(env: Environ) -> Self {
        Self {
            host: Box::new(LocalHost::new(env.clone())),
            env,
            hook: None,
            also: Vec::new(),
            every_rung: false,
            activity: false,
            cache: Cache::default(),
            terminal_path: TerminalPath::default(),
        }
    }

    /// The same with a reader of hook events.
    pub fn with_hooks(self, hook: Box<HookReader>) -> Self {
        Self { hook: Some(hook), ..self }
    }

    /// What this look may use of earlier ones. Who asks for every rung wants to see it all now.
    fn past(&self) -> Option<Arc<LastLook>> {
        if self.every_rung { None } else { self.cache.past(self.host.as_ref()) }
    }

    /// Where an agent keeps its files in an environment.
    fn home(agents: &Agents, kind: AgentKind, env: &Environ) -> Fact<PathBuf> {
        let why = || Fact::Unknown(format!("HOME is not set, so headcount cannot find the files of {kind}"));
        agents.of(kind).and_then(|agent| agent.home(env)).map_or_else(why, Fact::Seen)
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("host", &self.host.name()).finish_non_exhaustive()
    }
}

/// Asks the default tmux server, as every observation does, because unregistered sessions are looked for there; then reads the
/// processes of its panes until `enough` is set, by who then knows which ones matter.
pub fn look_ahead(world: &Observer, enough: &AtomicBool) -> HeadStart {
    let told = ask(world, &ServerKey::default_of(MuxKind::Tmux));
    // What it reads ahead is what files vouch for, and those of no declared agent do.
    let inspector = Inspector::new(world, &Declared::default());
    if inspector.past().is_none() {
        let sessions = told.server.seen().map_or(&[][..], |server| &server.sessions);
        let pids = sessions.iter().flat_map(|session| &session.panes).filter_map(|pane| pane.pid);
        inspector.read_ahead(pids, || enough.load(Ordering::Relaxed));
    }
    HeadStart { told, read: inspector.into_ahead() }
}

/// What is known of a server, by a list of before as far as that is beyond doubt.
fn ask(world: &Observer, key: &ServerKey) -> Told {
    let now = |server| Told { server, is_believed: false };
    let Some(past) = world.past() else { return now(ask_now(world, key)) };
    if let Some(server) = world.cache.compared(key) {
        return now(Fact::Seen(server));
    }
    let host = world.host.as_ref();
    let is_without = |pid: u32, lost: &[&MuxSession]| mux::of(key.mux).is_without(host, &world.env, (&key.server, pid), lost);
    let standing = || world.cache.standing(host, &past);
    let now_of = |pid: u32, session: &MuxSession| mux::of(key.mux).session(host, &world.env, (&key.server, pid), session);
    let believed = past.listing(key, standing).or_else(|| past.without_lost(host, key, is_without, standing));
    match believed.or_else(|| past.with_asked(key, now_of, standing)) {
        Some(server) => Told { server: Fact::Seen(server), is_believed: true },
        None => now(ask_now(world, key)),
    }
}

/// Asks a server, whatever an earlier look saw there.
fn ask_now(world: &Observer, key: &ServerKey) -> Fact<Server> {
    mux::of(key.mux).list(world.host.as_ref(), &world.env, &key.server)
}

/// Asks a server again whose list of before was believed, if a running entry that this look is not about is missing in it: that
/// its session is gone is for the server to say. A wake that was lost costs time, not a session.
fn doubt_absence(world: &Observer, local: &[&Session], past: Option<&LastLook>, key: &ServerKey, told: Told) -> Fact<Server> {
    let Told { server: Fact::Seen(listed), is_believed: true } = &told else { return told.server };
    let there: HashSet<&str> = listed.sessions.iter().map(|session| session.name.as_str()).collect();
    let is_missing = |entry: &&Session| {
        entry.recorded.status == Some(Status::Running)
            && entry.key.server_key() == *key
            && !entry.key.names().any(|name| there.contains(name.as_ref()))
            && !past.is_some_and(|past| past.is_in_scope(&entry.key))
    };
    if local.iter().any(is_missing) { ask_now(world, key) } else { told.server }
}

/// Whether a server that says something changed lists what the last look saw there, of agents that would wake us themselves: as
/// good as that look, for the same manifest. Only a listing can tell, so where panes come and go unlisted it never is.
pub(in crate::control) fn is_as_seen(world: &Observer, key: &ServerKey) -> bool {
    if key.mux != MuxKind::Tmux {
        return false;
    }
    let asked = Instant::now();
    let Fact::Seen(server) = ask_now(world, key) else { return false };
    let is_as_seen = world.cache.is_as_seen(key, &server);
    if !is_as_seen {
        world.cache.keep_compared(key, server, asked);
    }
    is_as_seen
}

/// The sessions of these servers whose panes' processes have all ended since the last look.
pub(in crate::control) fn ended<'a>(world: &Observer, keys: impl Iterator<Item = &'a ServerKey>) -> BTreeSet<SessionKey> {
    world.cache.ended(world.host.as_ref(), keys)
}

/// Looks at everything the manifest makes it necessary to look at.
pub fn observe(world: &Observer, manifest: &Manifest) -> Observation {
    observe_with(world, manifest, &Memory::default(), None)
}

/// The same with what is remembered of the sessions, and with the default server already being asked.
pub(in crate::control) fn observe_with(
    world: &Observer,
    manifest: &Manifest,
    memory: &Memory,
    default: Option<Ahead<'_>>,
) -> Observation {
    let host = world.host.as_ref();
    let at = host.now();
    let boot = host.boot();
    // Suspended entries are looked at too: a conversation they hold must not be given to another.
    let local: Vec<&Session> = manifest.entries().filter(|session| session.key.host == host.name()).collect();
    let inspector = Inspector::new(world, &manifest.agents);

    let Listed { mut servers, real_paths } = timed("list the servers", || list(world, manifest, &local, &inspector, default));
    let Wanted { pids, bystanders } = wanted(manifest, &local, &servers);
    let in_question = inspector.past().map(|past| past.pids_in_scope(host.name(), &servers)).unwrap_or_default();
    let standing = inspector.still_standing();
    let facts = timed("read the panes", || inspector.panes(pids.into_iter(), &standing, &in_question));
    let kept = world.cache.is_kept().then(|| {
        let mut kept = facts.clone();
        kept.retain(|pid, _| !bystanders.contains(pid));
        kept
    });
    fill(&mut servers, &facts);
    others::ask(world, &local, &mut servers);
    timed("count peers", || inspector.count_peers(&mut servers));
    let strays = strays(&local, &servers, &inspector);

    let vantage = vantage::of(world, &servers);
    let agents = inspector.families.agents();
    let own_homes: BTreeMap<_, _> =
        manifest.agents.kinds().map(|kind| (kind, Observer::home(agents, kind, &world.env))).collect();
    let fallback_homes = manifest.sessions.iter().map(|session| fallback_home(world, agents, &own_homes, session)).collect();
    let mut observation = Observation {
        at,
        host: host.name().to_owned(),
        boot,
        servers,
        strays,
        transcripts: BTreeMap::new(),
        turns: BTreeMap::new(),
        awaited: BTreeMap::new(),
        phases: BTreeMap::new(),
        continued: BTreeMap::new(),
        real_paths,
        fallback_homes,
        own_homes,
        vantage,
    };
    let shelf = world.cache.shelf(inspector.past().is_some());
    let find = || transcripts::find(agents, &shelf, manifest, (&local, memory), &observation, inspector.past());
    observation.transcripts = timed("find the transcripts", find);
    let (continued, transcripts) =
        timed("follow the moved", || continued::find(agents, &shelf, (&local, memory), &observation));
    observation.continued = continued;
    observation.transcripts.extend(transcripts);
    if world.activity {
        let (mut turns, awaited) = turns::ask(host, &inspector.families, &observation);
        titles::heed(world, &observation, &mut turns);
        (observation.turns, observation.awaited) = (turns, awaited);
        observation.phases = turns::phases(host, &inspector.families, &observation);
    }
    let roles = inspector.into_roles();
    if let Some(kept) = kept {
        timed("keep what was seen", || world.cache.keep((kept, roles), &observation, &manifest.agents));
    }
    observation
}

fn fallback_home(
    world: &Observer,
    agents: &Agents,
    own: &BTreeMap<AgentKind, Fact<PathBuf>>,
    session: &Session,
) -> Fact<PathBuf> {
    match own.get(&session.agent).filter(|_| session.env.is_empty()) {
        Some(home) => home.clone(),
        None => Observer::home(agents, session.agent, &world.env.overlaid(&session.env)),
    }
}

/// What is there, before the panes are looked into.
struct Listed {
    servers: BTreeMap<ServerKey, Fact<Server>>,
    real_paths: BTreeMap<PathBuf, PathBuf>,
}

/// Lists every server that holds a local entry, and the default servers, where unregistered sessions are looked for.
/// Meanwhile workspaces are resolved and the processes behind recorded panes read: a quiet world's are the same.
fn list(
    world: &Observer,
    manifest: &Manifest,
    local: &[&Session],
    inspector: &Inspector<'_>,
    default: Option<Ahead<'_>>,
) -> Listed {
    let mut keys: BTreeSet<ServerKey> = local.iter().map(|session| session.key.server_key()).collect();
    keys.extend(world.also.iter().cloned());
    let searched = MuxKind::ALL.into_iter().filter(|kind| mux::of(*kind).is_searched(&world.env));
    keys.extend(searched.map(ServerKey::default_of));
    let usual = ServerKey::default_of(MuxKind::Tmux);
    keys.remove(&usual);
    let recorded: BTreeSet<u32> = local.iter().filter_map(|session| session.recorded.pane.as_ref()?.pid).collect();
    // Who has the manifest already knows which processes matter.
    let enough = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let default = default.unwrap_or_else(|| alongside(scope, || look_ahead(world, &enough)));
        let asked: Vec<_> = keys.iter().map(|key| alongside(scope, move || ask(world, key))).collect();
        let real_paths = timed("resolve the workspaces", || real_paths(manifest));
        timed("see who still stands", || inspector.still_standing());
        let is_enough = || default.is_finished() && asked.iter().all(ScopedTask::is_finished);
        if inspector.past().is_none() {
            inspector.read_ahead(recorded.iter().copied(), is_enough);
        }
        // Where panes are not recorded yet, the default server's own children are most probably their processes. They are not
        // read for a few entries among many sessions: that would be work for nothing.
        let unrecorded = local.len().saturating_sub(recorded.len());
        if unrecorded > 0 && inspector.past().is_none() && !is_enough() {
            let tmux = mux::of(usual.mux).process(world.host.as_ref(), &world.env, &usual.server);
            let mut children = tmux.map(|pid| world.host.children(pid)).unwrap_or_default();
            children.retain(|pid| !recorded.contains(pid));
            if children.len() <= 2 * unrecorded {
                inspector.read_ahead(children.into_iter(), is_enough);
            }
        }
        let why = || Fact::Unknown("internal error: the probe of this server panicked".to_owned());
        let failed = || Told { server: why(), is_believed: false };
        let answer = |thread: Asked<'_>| thread.join().unwrap_or_else(failed);
        let default = default.join().map_or_else(failed, |HeadStart { told, read }| {
            inspector.take_over(read);
            told
        });
        let others = keys.iter().cloned().zip(asked.into_iter().map(answer));
        let sure = |(key, told)| {
            let server = doubt_absence(world, local, inspector.past(), &key, told);
            (key, server)
        };
        Listed { servers: others.chain([(usual, default)]).map(sure).collect(), real_paths }
    })
}

/// The declared workspaces that are reached through a symlink, and where they really are.
fn real_paths(manifest: &Manifest) -> BTreeMap<PathBuf, PathBuf> {
    let sessions = manifest.sessions.iter().filter_map(|session| session.cwd.as_ref());
    let declared: HashSet<&OsStr> =
        sessions.chain(manifest.identities.iter().map(|identity| &identity.project_cwd)).map(|path| path.as_os_str()).collect();
    let mut known = HashMap::new();
    let mut real = BTreeMap::new();
    for path in declared.into_iter().map(Path::new) {
        if !is_real(path, &mut known)
            && let Some(elsewhere) = path.canonicalize().ok().filter(|real| real != path)
        {
            real.insert(path.to_path_buf(), elsewhere);
        }
    }
    real
}

/// Whether no part of an absolute path is a symlink. Workspaces stand side by side, so each directory above them is looked at
/// once, where resolving every path by itself would look at all of them again.
fn is_real<'a>(path: &'a Path, known: &mut HashMap<&'a OsStr, bool>) -> bool {
    if let Some(known) = known.get(path.as_os_str()) {
        return *known;
    }
    let is_plain = matches!(path.components().next_back(), Some(Component::Normal(_)));
    let is = match path.parent() {
        None => path.has_root(),
        // Not a link (`EINVAL`), as against one, or nothing at all.
        Some(parent) => {
            is_plain
                && is_real(parent, known)
                && path.read_link().is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidInput)
        }
    };
    known.insert(path.as_os_str(), is);
    is
}

/// Processes of panes.
struct Wanted {
    /// All that matter to this look, in order.
    pids: Vec<u32>,
    /// Those among them that matter to no other.
    bystanders: HashSet<u32>,
}

/// The processes of the panes that matter: those of local entries and of sessions that may be ours, and those of every session
/// without an entry where a running entry's session is missing, because it may have been renamed.
fn wanted(manifest: &Manifest, local: &[&Session], servers: &BTreeMap<ServerKey, Fact<Server>>) -> Wanted {
    let mut entries: HashMap<ServerKey, HashSet<Cow<'_, str>>> = HashMap::new();
    let mut running: HashMap<ServerKey, Vec<&SessionKey>> = HashMap::new();
    for session in local {
        entries.entry(session.key.server_key()).or_default().extend(session.key.names());
        if session.recorded.status == Some(Status::Running) {
            running.entry(session.key.server_key()).or_default().push(&session.key);
        }
    }
    let (mut pids, mut bystanders) = (Vec::new(), HashSet::new());
    for (key, server) in servers {
        let Fact::Seen(server) = server else { continue };
        let declared = entries.get(key);
        let there: BTreeSet<&str> = server.sessions.iter().map(|session| session.name.as_str()).collect();
        let is_missing =
            running.get(key).is_some_and(|keys| keys.iter().any(|key| !key.names().any(|name| there.contains(name.as_ref()))));
        let may_be_ours =
            |name: &str| manifest.discovery.iter().any(|pattern| !pattern.agents(name, &manifest.agents).is_empty());
        for session in &server.sessions {
            let is_ours = declared.is_some_and(|names| names.contains(session.name.as_str())) || may_be_ours(&session.name);
            let live = session.panes.iter().filter(|pane| pane.dead.is_none()).filter_map(|pane| pane.pid);
            match (is_ours, is_missing) {
                (true, _) => pids.extend(live),
                (false, true) => bystanders.extend(live),
                (false, false) => {}
            }
        }
    }
    let ours: HashSet<u32> = pids.iter().copied().collect();
    bystanders.retain(|pid| !ours.contains(pid));
    pids.extend(&bystanders);
    pids.sort_unstable();
    pids.dedup();
    Wanted { pids, bystanders }
}

/// Puts what was found of each process into the panes it belongs to. Grouped sessions show one pane several times; a list of before
/// has most of it already.
fn fill(servers: &mut BTreeMap<ServerKey, Fact<Server>>, facts: &HashMap<u32, Arc<PaneFacts>>) {
    let found = |pane: &Pane| pane.pid.and_then(|pid| facts.get(&pid));
    let is_to_fill = |pane: &Pane| match (&pane.dead, found(pane)) {
        (Some(_), _) => !pane.agents.seen().is_some_and(Vec::is_empty),
        (None, Some(found)) => !found.is_in(pane),
        (None, None) => pane.pid.is_some() && pane.agents.seen().is_some(),
    };
    for pane in panes_where(servers, is_to_fill) {
        match found(pane) {
            // Nothing runs in a dead pane, whatever its old process id stands for by now.
            _ if pane.dead.is_some() => pane.agents = Fact::Seen(Vec::new()),
            Some(found) => {
                (pane.agents, pane.unread, pane.runs) = (found.agents.clone(), found.unread.clone(), found.runs.clone());
            }
            // It mattered to an earlier look.
            None => (pane.agents, pane.unread, pane.runs) = (Fact::Absent, None, String::new()),
        }
    }
}

/// The panes of every server that answered of which `is_it` holds. Only their sessions are copied, if another look has them too.
fn panes_where(
    servers: &mut BTreeMap<ServerKey, Fact<Server>>,
    is_it: impl Fn(&Pane) -> bool + Copy,
) -> impl Iterator<Item = &mut Pane> {
    let seen = servers.values_mut().filter_map(|server| match server {
        Fact::Seen(server) => Some(server),
        Fact::Absent | Fact::Unknown(_) => None,
    });
    let sessions = seen.flat_map(|server| &mut server.sessions);
    let meant = sessions.filter(move |session| session.panes.iter().any(|pane| is_it(pane)));
    let panes = meant.flat_map(|session| &mut Arc::make_mut(session).panes);
    panes.filter(move |pane| is_it(pane)).map(Arc::make_mut)
}

/// The processes behind recorded panes of sessions that are missing, if no server shows them: where such a process lives, its
/// server is only somewhere else, or another one answered in its place.
fn strays(
    local: &[&Session],
    servers: &BTreeMap<ServerKey, Fact<Server>>,
    inspector: &Inspector<'_>,
) -> BTreeMap<u32, Fact<OrphanPane>> {
    let answered = || servers.iter().filter_map(|(key, server)| Some((key, server.seen()?)));
    let names: HashSet<(&ServerKey, &str)> =
        answered().flat_map(|(key, server)| server.sessions.iter().map(move |session| (key, session.name.as_str()))).collect();
    let shown: HashSet<u32> = answered()
        .flat_map(|(_, server)| server.sessions.iter().flat_map(|session| &session.panes).filter_map(|pane| pane.pid))
        .collect();
    let is_missing = |session: &Session| match servers.get_key_value(&session.key.server_key()) {
        Some((_, Fact::Absent)) => true,
        Some((key, Fact::Seen(_))) => !session.key.names().any(|name| names.contains(&(key, name.as_ref()))),
        Some((_, Fact::Unknown(_))) | None => false,
    };
    let recorded = local.iter().filter_map(|session| Some((session, session.recorded.pane.as_ref()?.pid?)));
    let strays = recorded.filter(|(session, pid)| !shown.contains(pid) && is_missing(session));
    let pids: BTreeSet<u32> = strays.map(|(_, pid)| pid).collect();
    pids.into_iter().map(|pid| (pid, inspector.stray(pid))).collect()
}

impl From<&crate::host::ProcessInfo> for Process {
    fn from(process: &crate::host::ProcessInfo) -> Self {
        Self { pid: process.pid, started: process.started }
    }
}
