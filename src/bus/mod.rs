//! MQTT in and out: one connection to one broker, kept up. What it brings is a hint and never truth; nothing here decides
//! whether a message is believed, and no failure of the broker ever fails its caller.
//!
//! The connection is made anew after every loss, client included: rumqttc 0.25.1 has states it does not get out of by itself
//! (rumqtt#1056). Nothing is lost by that: what was not acknowledged to us is published again, and what we have not
//! acknowledged is delivered again.

mod backoff;
mod connection;
mod files;
mod once;
mod options;
mod outbox;
mod publisher;
mod reader;
mod task;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use files::exposed_secret;
pub use once::{NotTaken, once};
pub use publisher::Publisher;
pub use reader::{BusReader, Down, News};

use crate::core::fleet::HostState;
use crate::core::mqtt::Broker;

/// The longest payload that is handed on or published, in bytes. Of a longer message only the length is.
pub const MAX_PAYLOAD: usize = 64 << 10;

/// The longest packet that is read at all, in bytes. A message beyond it cannot even be refused alone: see
/// [`ConnectionState::Discarded`].
pub const MAX_PACKET: usize = 1 << 20;

/// How many messages may wait to be taken. Beyond it the network is not read.
const WAITING: usize = 256;

/// What a bus is run with.
#[derive(Debug, Clone)]
pub struct BusOptions {
    /// The broker.
    pub broker: Broker,
    /// What this client is called there; the broker keeps for it what comes while it is away.
    pub client_id: String,
    /// The topic filters to subscribe to.
    pub subscribe: Vec<String>,
    /// What is said of this host when the connection is made, ended or lost; its `seq` and `since` are set by each connection.
    pub presence: Option<HostState>,
    /// After how long a silence the broker is asked whether it is there. It is lost after twice that.
    pub keep_alive: Duration,
    /// The first and the longest wait before the next attempt.
    pub backoff: (Duration, Duration),
}

impl BusOptions {
    /// The usual times; nothing is subscribed to and nothing published.
    pub fn new(broker: Broker, client_id: String) -> Self {
        let backoff = (Duration::from_millis(500), Duration::from_secs(30));
        Self { broker, client_id, subscribe: Vec::new(), presence: None, keep_alive: Duration::from_secs(10), backoff }
    }
}

/// What became of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionState {
    /// It stands.
    Connected {
        /// Whether the broker kept what came meanwhile.
        session_present: bool,
    },
    /// The broker will deliver what was asked for.
    Subscribed,
    /// The broker will not deliver it.
    SubscribeFailed {
        /// Why, one line.
        why: String,
    },
    /// The broker does not let us in.
    Refused {
        /// Why, one line.
        why: String,
    },
    /// There is no connection.
    Lost {
        /// Why, one line.
        why: String,
    },
    /// It cannot be tried: a file that is named cannot be read or used.
    Unusable {
        /// Why, one line.
        why: String,
    },
    /// What the broker kept for us was thrown away, because a message in it is too long to be read and would be sent again
    /// for ever.
    Discarded {
        /// Why, one line.
        why: String,
    },
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic, from outside.
    pub topic: String,
    /// What it says.
    pub payload: Payload,
    /// Whether the broker kept it from earlier.
    pub retained: bool,
    /// What to give back once nothing of it can be lost any more.
    pub receipt: Receipt,
}

/// The payload of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// As it came.
    Whole(Vec<u8>),
    /// It had so many bytes, more than [`MAX_PAYLOAD`].
    TooLong(usize),
}

/// Stands for a message until it is acknowledged; one of a connection that was lost acknowledges nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    connection: u64,
    packet: u16,
}

/// What a bus brings.
#[derive(Debug)]
pub struct Inbox {
    /// What becomes of the connection.
    pub states: mpsc::UnboundedReceiver<ConnectionState>,
    /// The messages.
    pub messages: mpsc::Receiver<Message>,
}

/// A connection that is kept up until it is stopped or dropped.
#[derive(Debug)]
pub struct Bus {
    publisher: Publisher,
    stopping: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Bus {
    /// Starts to connect. Needs a tokio runtime.
    pub fn start(options: BusOptions) -> (Self, Inbox) {
        let (tell, states) = mpsc::unbounded_channel();
        let (forward, messages) = mpsc::channel(WAITING);
        let publisher = Publisher::new(options.presence.clone());
        let (stopping, stop) = watch::channel(false);
        let task =
            tokio::spawn(task::keep_up(options, publisher.clone(), connection::ConnectionChannels { tell, forward, stop }));
        (Self { publisher, stopping, task }, Inbox { states, messages })
    }

    /// What publishes and acknowledges, from any thread.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Says that this host is offline, lets what waits be published, and ends the connection in order, as far as that can be
    /// done within `patience`.
    pub async fn stop(mut self, patience: Duration) {
        let orderly = async {
            self.publisher.leave();
            self.publisher.flushed().await;
            let _ = self.stopping.send(true);
            self.publisher.disconnect();
            let _ = (&mut self.task).await;
        };
        if tokio::time::timeout(patience, orderly).await.is_err() {
            tracing::debug!("the broker did not acknowledge the last message in time");
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.task.abort();
    }
}
