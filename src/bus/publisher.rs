//! What publishes and acknowledges, from any thread. Never waits: what cannot go now goes when it can.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use rumqttc::{AsyncClient, ClientError, Publish, QoS};
use tokio::sync::Notify;

use super::outbox::PublishQueue;
use super::{Message, Receipt};
use crate::core::fleet::HostState;
use crate::core::mqtt::HostTopics;

/// What publishes and acknowledges. Clones are one.
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<Held>,
    flushed: Notify,
}

struct Held {
    client: Option<AsyncClient>,
    /// Whether the broker has taken the client in.
    is_connected: bool,
    connection: u64,
    outbox: PublishQueue,
    presence: Option<HostState>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    pub(super) fn new(presence: Option<HostState>) -> Self {
        let state = Held { client: None, is_connected: false, connection: 0, outbox: PublishQueue::default(), presence };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), flushed: Notify::new() }) }
    }

    /// Publishes the value of a retained topic, now and at every connection, unless it has that value already. An empty
    /// payload takes it away.
    pub fn set(&self, topic: &str, payload: Vec<u8>) {
        let mut held = self.held();
        held.outbox.set(topic, payload);
        held.pump();
    }

    /// Publishes an event. While the broker is lost the newest are kept.
    pub fn event(&self, topic: &str, payload: Vec<u8>) {
        let mut held = self.held();
        held.outbox.push(topic, payload);
        held.pump();
    }

    /// Changes what is said of this host.
    pub fn host(&self, change: impl FnOnce(&mut HostState)) {
        let mut held = self.held();
        let Some(presence) = &mut held.presence else { return };
        change(presence);
        if held.is_connected {
            held.announce();
            held.pump();
        }
    }

    /// Says again how this host is if the broker now has the end of another of its connections at that topic: a Last Will that
    /// came late.
    pub fn outlive(&self, kept: &HostState) {
        let mut held = self.held();
        let Some(presence) = &held.presence else { return };
        if held.is_connected && presence.outlives(kept) {
            let topic = HostTopics::new(&presence.host).state();
            held.outbox.again(&topic);
            held.pump();
        }
    }

    /// How many statements were left out so far: too many while the broker was away, or too long.
    pub fn left_out(&self) -> u64 {
        self.held().outbox.left_out()
    }

    /// Acknowledges messages: the broker may forget them. One of a connection that was lost is delivered again instead.
    pub fn acknowledge(&self, messages: &[Message]) {
        let held = self.held();
        let Some(client) = held.client.as_ref().filter(|_| held.is_connected) else { return };
        for Receipt { connection, packet } in messages.iter().map(|message| message.receipt) {
            if connection != held.connection || packet == 0 {
                continue;
            }
            let mut publish = Publish::new("", QoS::AtLeastOnce, Vec::new());
            publish.pkid = packet;
            // There is room for an acknowledgement of every packet id there is; without one, it is delivered again.
            if client.try_ack(&publish).is_err() {
                tracing::debug!(packet, "a message could not be acknowledged");
            }
        }
    }

    /// Takes a new client into use.
    pub(super) fn renew(&self, client: AsyncClient) -> u64 {
        let mut held = self.held();
        (held.client, held.is_connected) = (Some(client), false);
        held.connection += 1;
        held.connection
    }

    /// What is said of this host by the next connection: born now, and numbered above every one before.
    pub(super) fn born(&self, now: DateTime<Utc>) -> Option<HostState> {
        let mut held = self.held();
        let presence = held.presence.as_mut()?;
        presence.seq = u64::try_from(now.timestamp_millis()).unwrap_or_default().max(presence.seq + 1);
        (presence.since, presence.online) = (now, true);
        Some(presence.clone())
    }

    /// The connection stands: everything goes out that may.
    pub(super) fn connected(&self) {
        let mut held = self.held();
        held.is_connected = true;
        held.announce();
        held.outbox.begin();
        held.pump();
    }

    pub(super) fn written(&self, packet: u16) {
        self.held().outbox.written(packet);
    }

    pub(super) fn acknowledged(&self, packet: u16) {
        let mut held = self.held();
        held.outbox.acknowledged(packet);
        held.pump();
        if held.outbox.is_empty() {
            self.inner.flushed.notify_waiters();
        }
    }

    /// The connection is no more.
    pub(super) fn lost(&self) {
        let mut held = self.held();
        (held.client, held.is_connected) = (None, false);
        self.inner.flushed.notify_waiters();
    }

    /// Says that this host is offline.
    pub(super) fn leave(&self) {
        self.host(|presence| presence.online = false);
    }

    /// Waits until the broker has everything; not at all if there is none.
    pub(super) async fn flushed(&self) {
        loop {
            let flushed = self.inner.flushed.notified();
            let is_done = {
                let held = self.held();
                held.outbox.is_empty() || !held.is_connected
            };
            if is_done {
                return;
            }
            flushed.await;
        }
    }

    /// Ends the connection in order: no Last Will is published.
    pub(super) fn disconnect(&self) {
        if let Some(client) = &self.held().client {
            let _ = client.try_disconnect();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What it holds is whole after every step, so a panic elsewhere leaves it usable.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn announce(&mut self) {
        let Some(presence) = &self.presence else { return };
        if let Ok(payload) = serde_json::to_vec(presence) {
            self.outbox.set(&HostTopics::new(&presence.host).state(), payload);
        }
    }

    fn pump(&mut self) {
        let Some(client) = self.client.as_ref().filter(|_| self.is_connected) else { return };
        while let Some(letter) = self.outbox.next() {
            match client.try_publish(letter.topic, QoS::AtLeastOnce, letter.retain, letter.payload) {
                Ok(()) => self.outbox.handed(letter.flight),
                // It goes when something else has been acknowledged, or at the next connection.
                Err(ClientError::TryRequest(_) | ClientError::Request(_)) => break,
            }
        }
    }
}
