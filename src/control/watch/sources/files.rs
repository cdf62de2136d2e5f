//! Wakes from the file system. Watches directories, never files: a file's watch dies with the file when it is replaced. Reads no
//! file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::interest::{PathAnswer, PathChange, PathMeaning, WatchedPaths, links, place};
use super::outbox::WakeSender;
use super::{ServerWatch, Watched};
use crate::control::watch::wake::{Reason, Scope};
use crate::core::ids::ServerKey;

/// How long after its socket appeared a server is looked at again: it listens a little later, and has sessions later still. Of
/// the panes of a new zellij session nothing else tells.
const PROBES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(200)];
/// For how long what is written to a new file is urgent: the first lines tell whose it is.
const YOUTH: Duration = Duration::from_secs(2);
/// How many new files are remembered at most.
const MOST_YOUNG: usize = 256;
/// How often watches are placed again while directories come and go under them.
const ROUNDS: usize = 16;

/// The file watches.
#[derive(Debug, Clone)]
pub(super) struct Files {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    interest: Mutex<WatchedPaths>,
    /// The watcher and what it watches, by device and inode: a directory that was replaced has to be watched anew.
    placed: Mutex<Placed>,
    runtime: Handle,
    moved: Notify,
    outbox: WakeSender,
}

#[derive(Debug, Default)]
struct Placed {
    watcher: Option<RecommendedWatcher>,
    dirs: BTreeMap<PathBuf, (u64, u64)>,
    /// What could not be watched, and why.
    failed: BTreeMap<PathBuf, String>,
    is_over: bool,
}

impl Files {
    /// Watches nothing yet. Needs a tokio runtime.
    pub(super) fn start(outbox: WakeSender) -> Self {
        let (interest, placed, runtime) = (Mutex::default(), Mutex::default(), Handle::current());
        Self { shared: Arc::new(Shared { interest, placed, runtime, moved: Notify::new(), outbox }) }
    }

    /// Moves watches whenever a directory that matters came or went.
    pub(super) async fn follow(self) {
        loop {
            self.shared.moved.notified().await;
            self.shared.place();
        }
    }

    /// Watches for this from now on. Each directory is looked at, in case one was replaced unseen.
    pub(super) fn watch(&self, watched: &Watched) {
        *lock(&self.shared.interest) = interest(watched);
        self.shared.place();
    }

    /// The same places as before concern others from now on. Looks at no directory.
    pub(super) fn concern(&self, watched: &Watched) {
        *lock(&self.shared.interest) = interest(watched);
    }

    /// Watches nothing any more.
    pub(super) fn stop(&self) {
        let mut placed = lock(&self.shared.placed);
        placed.is_over = true;
        let watcher = placed.watcher.take();
        drop(placed);
        drop(watcher);
    }

    /// The directories that are watched now.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        lock(&self.shared.placed).dirs.keys().cloned().collect()
    }

    /// What could not be watched, and why.
    pub(super) fn degraded(&self) -> Vec<String> {
        let placed = lock(&self.shared.placed);
        let line = |(path, why): (&PathBuf, &String)| match path.as_os_str().is_empty() {
            true => format!("files are polled only, once an interval: {why}"),
            false => format!("{} is polled only, once an interval: {why}", path.display()),
        };
        placed.failed.iter().map(line).collect()
    }
}

/// Every name of the manifest, as the links lead now.
pub(super) fn names(watched: &Watched) -> Vec<PathBuf> {
    if watched.manifest.as_os_str().is_empty() {
        return Vec::new();
    }
    let manifest = std::path::absolute(&watched.manifest).unwrap_or_else(|_| watched.manifest.clone());
    links(&manifest, |path| std::fs::read_link(path).ok())
}

fn interest(watched: &Watched) -> WatchedPaths {
    let mut interest = WatchedPaths::default();
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    names(watched).into_iter().for_each(|path| interest.add(path, PathMeaning::Manifest));
    if !watched.resolved.as_os_str().is_empty() {
        interest.add(absolute(&watched.resolved), PathMeaning::Manifest);
    }
    for (path, sessions) in &watched.files {
        interest.add(absolute(path), PathMeaning::Transcript(sessions.clone()));
    }
    for path in &watched.registries {
        interest.add(absolute(path), PathMeaning::Registry);
    }
    for ((pid, _), sessions) in &watched.processes {
        interest.add_process(*pid, sessions);
    }
    if let Some(path) = &watched.jobs {
        interest.add(absolute(path), PathMeaning::Jobs(watched.job_sessions.clone()));
    }
    for (key, ServerWatch { socket, .. }) in &watched.servers {
        if !socket.as_os_str().is_empty() {
            interest.add(absolute(socket), PathMeaning::Socket(key.clone()));
        }
    }
    interest
}

impl Shared {
    /// Puts the watches where they belong by now. A directory that came to be watched is said to have changed, because what was
    /// put in it before was not heard of.
    fn place(self: &Arc<Self>) {
        let mut placed = lock(&self.placed);
        // Tried again each time: there may be too many watchers of others only now.
        if placed.watcher.is_none() && !placed.is_over {
            let handler = Handler { shared: Arc::downgrade(self), runtime: self.runtime.clone(), young: HashMap::new() };
            placed.take_on(RecommendedWatcher::new(handler, notify::Config::default()));
        }
        // Each round may find that a directory appeared below one that was only just watched.
        for _ in 0..ROUNDS {
            let interest = lock(&self.interest).clone();
            let wanted = places(&interest);
            let news = placed.change(&wanted);
            if news.is_empty() {
                return;
            }
            for dir in &news {
                interest.below(dir).for_each(|concern| self.send(concern));
            }
        }
        // They come and go faster than they can be followed.
        self.outbox.send(Reason::Overflow, Scope::ALL);
    }

    fn send(&self, concern: &PathMeaning) {
        let (reason, scope) = concern.wake();
        self.outbox.send(reason, scope);
    }
}

/// Why there is no watch, and which limit of the system to raise. Which path it is about is told anyway.
fn reason(error: &notify::Error) -> String {
    let is_out_of = |errno: rustix::io::Errno, error: &std::io::Error| error.raw_os_error() == Some(errno.raw_os_error());
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "this user has no file watches left (sysctl fs.inotify.max_user_watches)".to_owned()
        }
        notify::ErrorKind::Io(error) if is_out_of(rustix::io::Errno::MFILE, error) => {
            format!("{error}: either `ulimit -n` or sysctl fs.inotify.max_user_instances is too low")
        }
        _ => error.to_string(),
    }
}

/// The directories to watch, by device and inode.
fn places(interest: &WatchedPaths) -> BTreeMap<PathBuf, (u64, u64)> {
    let known: RefCell<HashMap<PathBuf, Option<(u64, u64)>>> = RefCell::default();
    let identity = |path: &Path| {
        if let Some(found) = known.borrow().get(path) {
            return *found;
        }
        let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir).map(|it| (it.dev(), it.ino()));
        known.borrow_mut().insert(path.to_path_buf(), found);
        found
    };
    let mut wanted = BTreeMap::new();
    for (path, has_children) in interest.paths() {
        // The directory around is watched as well: that a directory was replaced is seen only from there.
        for itself in [true, false] {
            if itself && !has_children {
                continue;
            }
            let dir = place(path, itself, |dir| identity(dir).is_some());
            if let Some(dir) = dir
                && let Some(identity) = identity(&dir)
            {
                wanted.insert(dir, identity);
            }
        }
    }
    wanted
}

impl Placed {
    fn take_on(&mut self, watcher: notify::Result<RecommendedWatcher>) {
        // Of no directory in particular.
        let nowhere = PathBuf::new();
        match watcher {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.failed.remove(&nowhere);
            }
            Err(error) => drop(self.failed.insert(nowhere, reason(&error))),
        }
    }

    /// Watches these directories and no others; gives those that are watched newly.
    fn change(&mut self, wanted: &BTreeMap<PathBuf, (u64, u64)>) -> Vec<PathBuf> {
        let Some(watcher) = &mut self.watcher else { return Vec::new() };
        let stale: Vec<PathBuf> =
            self.dirs.iter().filter(|(dir, identity)| wanted.get(*dir) != Some(identity)).map(|(dir, _)| dir.clone()).collect();
        for dir in stale {
            // That it is no longer watched (the directory is gone) is what is wanted.
            let _ = watcher.unwatch(&dir);
            self.dirs.remove(&dir);
        }
        self.failed.retain(|dir, _| wanted.contains_key(dir));
        let mut news = Vec::new();
        for (dir, identity) in wanted.iter().filter(|(dir, _)| !self.dirs.contains_key(*dir)).collect::<Vec<_>>() {
            match watcher.watch(dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.failed.remove(dir);
                    self.dirs.insert(dir.clone(), *identity);
                    news.push(dir.clone());
                }
                Err(error) => drop(self.failed.insert(dir.clone(), reason(&error))),
            }
        }
        news
    }
}

/// Takes the watcher's events on the watcher's thread; it must not call the watcher.
struct Handler {
    shared: std::sync::Weak<Shared>,
    runtime: Handle,
    young: HashMap<PathBuf, Instant>,
}

impl notify::EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            lost => {
                tracing::debug!(?lost, "the file watcher lost track");
                shared.outbox.send(Reason::Overflow, Scope::ALL);
                shared.moved.notify_one();
                return;
            }
        };
        let Some(happening) = happening(&event.kind) else { return };
        let now = Instant::now();
        for path in &event.paths {
            let answer = lock(&shared.interest).answer(path, happening);
            let moves = answer.moves_watches && !is_only_rewritten(path, &answer);
            if moves || happening == PathChange::Shape && shared.is_watched(path) {
                shared.moved.notify_one();
            }
            if answer.concerns.is_empty() {
                continue;
            }
            if event.kind.is_create() {
                self.remember(path, now);
            }
            let is_young = self.young.get(path).is_some_and(|born| now.duration_since(*born) < YOUTH);
            for (concern, may_wait) in answer.concerns {
                let (reason, scope) = concern.wake();
                if may_wait && !is_young {
                    shared.outbox.send_paced(reason, scope);
                } else {
                    shared.outbox.send(reason, scope);
                }
                if let PathMeaning::Socket(server) = concern {
                    self.runtime.spawn(probe_again(shared.outbox.clone(), server));
                }
            }
        }
    }
}

impl Handler {
    fn remember(&mut self, path: &Path, now: Instant) {
        if self.young.len() >= MOST_YOUNG {
            self.young.retain(|_, born| now.duration_since(*born) < YOUTH);
        }
        if self.young.len() < MOST_YOUNG {
            self.young.insert(path.to_path_buf(), now);
        }
    }
}

impl Shared {
    /// Whether a path is a directory that is watched. While watches are being placed that cannot be told, and `true` costs
    /// only another look; waiting for it here would be waiting for oneself.
    fn is_watched(&self, path: &Path) -> bool {
        self.placed.try_lock().map_or(true, |placed| placed.dirs.contains_key(path))
    }
}

/// Whether all that came or went is the manifest itself, as with each of our own writes: then the directories that matter are the
/// same. A link may lead elsewhere.
fn is_only_rewritten(path: &Path, answer: &PathAnswer) -> bool {
    answer.concerns.iter().all(|(concern, _)| *concern == PathMeaning::Manifest)
        && path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

async fn probe_again(outbox: WakeSender, server: ServerKey) {
    let begun = tokio::time::Instant::now();
    for after in PROBES {
        tokio::time::sleep_until(begun + after).await;
        outbox.send(Reason::Server, Scope::server(server.clone()));
    }
}

/// What an event says; `None` for one that changes nothing, such as our own reading.
fn happening(kind: &EventKind) -> Option<PathChange> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(PathChange::Content),
        EventKind::Access(_) => None,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => Some(PathChange::Shape),
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(PathChange::Metadata),
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => Some(PathChange::Content),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
