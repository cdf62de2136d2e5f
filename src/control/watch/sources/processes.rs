//! Wakes from processes that end. Holds a handle on each where there is one to be had, and asks after the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::outbox::WakeSender;
use super::{ServerWatch, Watched};
use crate::control::watch::wake::{Reason, Scope};
use crate::core::ids::{ServerKey, SessionKey};
use crate::host::pidfd::{self, PidfdError};

/// A process: its id and its start in clock ticks since boot, 0 if that is not known.
type Identity = (u32, u64);

/// The watched processes.
#[derive(Debug, Clone)]
pub(super) struct Processes {
    known: Arc<Mutex<BTreeMap<Identity, Known>>>,
    /// Others are watched now.
    news: Arc<Notify>,
    outbox: WakeSender,
}

#[derive(Debug)]
struct Known {
    concern: Concern,
    by: By,
}

/// What the end of a process concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Concern {
    sessions: BTreeSet<SessionKey>,
    server: Option<ServerKey>,
}

/// How a process is watched.
#[derive(Debug)]
enum By {
    Handle(AbortHandle),
    /// No handle, and why.
    Asking(String),
    /// Not any more: it ended, and that was said. Kept so that it is not said again while it is still asked for.
    Nothing,
}

impl Processes {
    /// Watches none yet.
    pub(super) fn new(outbox: WakeSender) -> Self {
        Self { known: Arc::default(), news: Arc::default(), outbox }
    }

    /// Watches these from now on. Needs a tokio runtime.
    pub(super) fn watch(&self, watched: &Watched) {
        let is_server = |(key, server): (&ServerKey, &ServerWatch)| Some(((server.pid?, 0), key.clone()));
        let servers: BTreeMap<Identity, ServerKey> = watched.servers.iter().filter_map(is_server).collect();
        let nobody = BTreeSet::new();
        let mut known = self.known();
        let is_wanted = |identity: &Identity| watched.processes.contains_key(identity) || servers.contains_key(identity);
        known.retain(|identity, it| is_wanted(identity) || it.end());
        // Most processes are those of the pass before, and nothing is copied for them.
        let alone = servers.keys().filter(|identity| !watched.processes.contains_key(identity)).map(|it| (it, &nobody));
        for (identity, sessions) in watched.processes.iter().chain(alone) {
            let server = servers.get(identity);
            match known.get_mut(identity) {
                Some(it) if it.concern.sessions == *sessions && it.concern.server.as_ref() == server => {}
                entry => {
                    let concern = Concern { sessions: sessions.clone(), server: server.cloned() };
                    if let Some(it) = entry {
                        it.concern = concern;
                    } else {
                        let by = self.take_on(*identity, &concern);
                        known.insert(*identity, Known { concern, by });
                    }
                }
            }
        }
        drop(known);
        self.news.notify_one();
    }

    fn take_on(&self, identity: Identity, concern: &Concern) -> By {
        let (pid, ticks) = identity;
        let opened = pidfd::open(pid, (ticks != 0).then_some(ticks));
        // Its replacement is unsafe for types whose descriptor may change; that of an `OwnedFd` never does.
        #[allow(deprecated)]
        let handle = opened.and_then(|fd| {
            AsyncFd::with_interest(fd, Interest::READABLE).map_err(|source| PidfdError::Unavailable { pid, source })
        });
        match handle {
            Ok(handle) => {
                let this = self.clone();
                let watch = async move {
                    // An error here means that the runtime ends.
                    if handle.readable().await.is_ok() {
                        this.ended(identity);
                    }
                };
                By::Handle(tokio::spawn(watch).abort_handle())
            }
            // It ended between the pass and now, which the pass cannot know.
            Err(PidfdError::Ended(_)) => {
                self.say(pid, concern);
                By::Nothing
            }
            Err(PidfdError::Unavailable { source, .. }) => By::Asking(source.to_string()),
        }
    }

    fn ended(&self, identity: Identity) {
        let mut known = self.known();
        if let Some(it) = known.get_mut(&identity) {
            it.by = By::Nothing;
            self.say(identity.0, &it.concern);
        }
    }

    fn say(&self, pid: u32, concern: &Concern) {
        if let Some(server) = &concern.server {
            self.outbox.send(Reason::Server, Scope::server(server.clone()));
        }
        if !concern.sessions.is_empty() {
            self.outbox.send(Reason::Process(pid), Scope::sessions(concern.sessions.clone()));
        }
    }

    /// Asks after those without a handle, for ever; sleeps where there are none.
    pub(super) async fn ask(self, every: Duration) {
        loop {
            let asked: Vec<Identity> =
                self.known().iter().filter(|(_, it)| matches!(it.by, By::Asking(_))).map(|(identity, _)| *identity).collect();
            if asked.is_empty() {
                self.news.notified().await;
                continue;
            }
            tokio::time::sleep(every).await;
            for (pid, ticks) in asked {
                if !pidfd::is_running(pid, (ticks != 0).then_some(ticks)) {
                    self.ended((pid, ticks));
                }
            }
        }
    }

    /// Those without a handle, in one line for each reason.
    pub(super) fn degraded(&self) -> Vec<String> {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for it in self.known().values() {
            if let By::Asking(why) = &it.by {
                *reasons.entry(why.clone()).or_default() += 1;
            }
        }
        reasons
            .into_iter()
            .map(|(why, count)| match count {
                1 => format!("a process is polled only: {why}"),
                _ => format!("{count} processes are polled only: {why}"),
            })
            .collect()
    }

    /// Watches none any more.
    pub(super) fn stop(&self) {
        self.known().retain(|_, it| it.end());
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Identity, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Lets go of the handle; always `false`.
    fn end(&self) -> bool {
        if let By::Handle(task) = &self.by {
            task.abort();
        }
        false
    }
}
