//! Wakes from multiplexer servers: one control client for each of tmux, and polling where there can be none. Owns the clients;
//! changes no server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval_at, sleep_until};

use super::outbox::WakeSender;
use super::timer::{chance, spread};
use super::{ServerWatch, SourceOptions, Watched};
use crate::control::watch::wake::{Reason, Scope};
use crate::core::ids::{MuxKind, ServerKey};
use crate::host::pidfd;
use crate::mux::tmux::control::{Client, ControlError, Notice};

/// The first and the longest wait before a client is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));
/// A client that lived so long did not fail at once.
const STEADY: Duration = Duration::from_secs(5);

/// The clients.
#[derive(Debug, Clone, Default)]
struct Clients {
    states: Arc<Mutex<BTreeMap<ServerKey, State>>>,
}

#[derive(Debug, Default)]
struct State {
    #[expect(dead_code, reason = "it lives as long as this")]
    client: Option<Client>,
    /// Why the server is polled.
    why: Option<String>,
}

impl Clients {
    fn states(&self) -> MutexGuard<'_, BTreeMap<ServerKey, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, server: &ServerKey, client: Option<Client>, why: Option<String>) {
        let before = self.states().insert(server.clone(), State { client, why });
        drop(before);
    }
}

/// The keepers of the clients, one task for each server.
#[derive(Debug)]
pub(super) struct Servers {
    options: Arc<SourceOptions>,
    outbox: WakeSender,
    clients: Clients,
    keepers: BTreeMap<ServerKey, Keeper>,
}

#[derive(Debug)]
struct Keeper {
    wanted: watch::Sender<ServerWatch>,
    task: AbortHandle,
}

impl Servers {
    /// Keeps none yet.
    pub(super) fn new(options: Arc<SourceOptions>, outbox: WakeSender) -> Self {
        Self { options, outbox, clients: Clients::default(), keepers: BTreeMap::new() }
    }

    /// Keeps clients of these servers from now on. Needs a tokio runtime.
    pub(super) fn watch(&mut self, watched: &Watched) {
        let gone: Vec<ServerKey> = self.keepers.keys().filter(|key| !watched.servers.contains_key(*key)).cloned().collect();
        for key in gone {
            if let Some(keeper) = self.keepers.remove(&key) {
                keeper.task.abort();
            }
            if let Some(state) = self.clients.states().remove(&key) {
                tokio::task::spawn_blocking(move || drop(state));
            }
        }
        for (key, server) in &watched.servers {
            match self.keepers.get(key) {
                Some(keeper) => drop(keeper.wanted.send_if_modified(|known| {
                    let is_new = known != server;
                    known.clone_from(server);
                    is_new
                })),
                None => {
                    let (sender, receiver) = watch::channel(server.clone());
                    let task = keep(key.clone(), receiver, self.options.clone(), self.outbox.clone(), self.clients.clone());
                    let task = tokio::spawn(task).abort_handle();
                    self.keepers.insert(key.clone(), Keeper { wanted: sender, task });
                }
            }
        }
    }

    /// What is polled, and why.
    pub(super) fn degraded(&self) -> Vec<String> {
        self.clients.states().values().filter_map(|state| state.why.clone()).collect()
    }

    /// Ends the keepers; gives what ends the clients when it is dropped, which takes a moment.
    pub(super) fn stop(&mut self) -> impl Send + 'static + use<> {
        for keeper in std::mem::take(&mut self.keepers).into_values() {
            keeper.task.abort();
        }
        std::mem::take(&mut *self.clients.states())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

/// Keeps a client of one server, for ever.
async fn keep(
    key: ServerKey,
    mut wanted: watch::Receiver<ServerWatch>,
    options: Arc<SourceOptions>,
    outbox: WakeSender,
    clients: Clients,
) {
    let mut failures: u32 = 0;
    let mut was_just_lost = false;
    loop {
        let server = wanted.borrow_and_update().clone();
        let is_running = server.pid.is_some();
        let retry = if !is_running {
            clients.set(&key, None, None);
            None
        } else if key.mux == MuxKind::Zellij {
            // It tells nobody that a pane came. That is no degraded state but how zellij is; looking at it starts no program.
            clients.set(&key, None, None);
            None
        } else if !options.control_client {
            clients.set(
                &key,
                None,
                Some(format!("{key} is polled every {:?}: the control client is switched off", options.poll)),
            );
            None
        } else {
            let begun = Instant::now();
            let is_second_try = std::mem::take(&mut was_just_lost);
            match connect(&key, &server, &options, &outbox).await {
                Ok((client, over)) => {
                    clients.set(&key, Some(client), None);
                    // What happened while nobody listened was not heard of.
                    outbox.send(Reason::Mux(key.clone()), Scope::server(key.clone()));
                    let is_same = |now: &ServerWatch| now.socket == server.socket && now.pid == server.pid;
                    loop {
                        tokio::select! {
                            () = over.notified() => break,
                            changed = wanted.changed() => match changed {
                                Ok(()) if is_same(&wanted.borrow_and_update()) => {}
                                Ok(()) => break,
                                Err(_) => return,
                            },
                        }
                    }
                    let state = clients.states().remove(&key);
                    let _ = tokio::task::spawn_blocking(move || drop(state)).await;
                    outbox.send(Reason::Mux(key.clone()), Scope::server(key.clone()));
                    failures = if begun.elapsed() >= STEADY { 0 } else { failures + 1 };
                    // The first time at once: the client's session may just have been closed.
                    if failures <= 1 {
                        was_just_lost = true;
                        continue;
                    }
                    // A second one may have come upon a server that was just ending.
                    let keeps = failures > 2 && server.pid.is_none_or(|pid| pidfd::is_running(pid, None));
                    clients.set(&key, None, keeps.then(|| format!("{key} is polled: its control client keeps ending")));
                }
                Err(error) => {
                    failures += 1;
                    // A server that ends takes its client first and then lets nobody in. That is told by the next pass and is
                    // no trouble; one that lives on says so at the next try.
                    let is_ending = is_second_try || server.pid.is_some_and(|pid| !pidfd::is_running(pid, None));
                    let why = format!("{key} is polled every {:?}: {error}", options.poll);
                    tracing::debug!(server = %key, %error, is_ending, "no control client");
                    clients.set(&key, None, (!is_ending).then_some(why));
                }
            }
            Some(Instant::now() + backoff(failures))
        };
        // Until something changes or it is time to try again.
        let mut poll = interval_at(Instant::now() + options.poll, options.poll);
        loop {
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                _ = poll.tick(), if is_running => outbox.send(Reason::Mux(key.clone()), Scope::server(key.clone())),
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => break,
            }
        }
    }
}

/// A client, and what is notified at its end.
async fn connect(
    key: &ServerKey,
    server: &ServerWatch,
    options: &Arc<SourceOptions>,
    outbox: &WakeSender,
) -> Result<(Client, Arc<Notify>), ControlError> {
    let over = Arc::new(Notify::new());
    let hears = {
        let (key, outbox, over) = (key.clone(), outbox.clone(), over.clone());
        move |notice| match notice {
            Notice::Changed => outbox.send(Reason::Mux(key.clone()), Scope::server(key.clone())),
            Notice::Ended => over.notify_one(),
        }
    };
    let (socket, options) = (server.socket.clone(), options.clone());
    let started = tokio::task::spawn_blocking(move || Client::listen(&options.env, &socket, hears)).await;
    Ok((started.map_err(|_| ControlError::Silent)??, over))
}

fn backoff(failures: u32) -> Duration {
    let (first, longest) = BACKOFF;
    spread(first.saturating_mul(1 << failures.min(12)).min(longest), 0.3, chance())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_before_another_try_grows_and_has_an_end() {
        for failures in 0..10 {
            let expected = BACKOFF.0 * 2_u32.pow(failures);
            let expected = expected.min(BACKOFF.1);
            let waited = backoff(failures);
            assert!(waited >= expected.mul_f64(0.69) && waited <= expected.mul_f64(1.31), "{failures}: {waited:?}");
        }
        assert!(backoff(u32::MAX) <= BACKOFF.1.mul_f64(1.31));
    }
}
