//! A connection that only reads what a broker keeps, for as long as somebody looks: nothing is acknowledged, kept by the broker
//! or published. Never decides whether a message is believed.
//!
//! MQTT does not say where the retained messages of a subscription end. A broker answers on one connection in the order it is
//! asked in; mosquitto 2.0 writes them all before it acknowledges the next request, which the tests pin down. A mark is such a
//! request: taking back a subscription nobody made, which changes nothing and needs no permission. They are read with QoS 0:
//! with QoS 1, mosquitto lets 20 go and queues 1,000, answers other requests meanwhile, and drops the rest.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, Outgoing, Packet, QoS, SubscribeFilter, SubscribeReasonCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::backoff::ReconnectDelay;
use super::connection::{EndReason, how};
use super::{BusOptions, MAX_PACKET, MAX_PAYLOAD, Payload, options};
use crate::core::mqtt::Broker;

/// What is subscribed to by nobody, and taken back as a mark.
const MARK: &str = "headcount/-/mark";

/// Requests that may wait to be written.
const REQUESTS: usize = 4096;

/// News that may wait to be taken. Beyond it the network is not read.
const WAITING: usize = 4096;

/// What a reader brings, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The connection stands; nothing is subscribed to.
    Connected,
    /// A message came.
    Message {
        /// Its topic, from outside.
        topic: String,
        /// What it says.
        payload: Payload,
        /// Whether the broker had kept it from earlier.
        retained: bool,
    },
    /// Everything that was asked for before this mark was answered.
    Marked(u64),
    /// The broker does not let these be read.
    Denied(Vec<String>),
    /// There is no connection; another is tried.
    Down(Down),
}

/// Why there is no connection, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// It was lost, or could not be made.
    Lost(String),
    /// The broker does not let us in.
    Refused(String),
    /// It cannot be tried: a file that is named cannot be used.
    Unusable(String),
    /// The broker keeps a message that is too long to be read.
    TooLong(String),
}

impl Down {
    /// The line.
    pub fn why(&self) -> &str {
        match self {
            Self::Lost(why) | Self::Refused(why) | Self::Unusable(why) | Self::TooLong(why) => why,
        }
    }
}

/// A connection that reads, kept up until it is stopped or dropped.
#[derive(Debug)]
pub struct BusReader {
    held: Arc<Mutex<Held>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Held {
    client: Option<AsyncClient>,
    /// Requests that were not written yet, in their order.
    asked: VecDeque<Vec<String>>,
    marks: VecDeque<u64>,
}

/// Requests that were written, by packet: a broker that drops what it cannot send also drops answers.
#[derive(Debug, Default)]
struct Written {
    asked: HashMap<u16, Vec<String>>,
    marks: HashMap<u16, u64>,
}

impl BusReader {
    /// Starts to connect. Needs a tokio runtime.
    pub fn start(broker: Broker, client_id: String) -> (Self, mpsc::Receiver<News>) {
        let held = Arc::new(Mutex::new(Held::default()));
        let (tell, news) = mpsc::channel(WAITING);
        let task = tokio::spawn(keep_up(BusOptions::new(broker, client_id), Arc::clone(&held), tell));
        (Self { held, task }, news)
    }

    /// Asks for what is kept and will be said at these topic filters. Says whether it could be asked.
    pub fn subscribe(&self, filters: Vec<String>) -> bool {
        let mut held = lock(&self.held);
        let Some(client) = &held.client else { return false };
        let many = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtMostOnce));
        let asked = filters.is_empty() || client.try_subscribe_many(many).is_ok();
        if asked && !filters.is_empty() {
            held.asked.push_back(filters);
        }
        asked
    }

    /// Sets a mark. Says whether it could be set.
    pub fn mark(&self, number: u64) -> bool {
        let mut held = lock(&self.held);
        let is_set = held.client.as_ref().is_some_and(|client| client.try_unsubscribe(MARK).is_ok());
        if is_set {
            held.marks.push_back(number);
        }
        is_set
    }

    /// Ends the connection in order, as far as that can be done within `patience`.
    pub async fn stop(mut self, patience: Duration) {
        if let Some(client) = lock(&self.held).client.take() {
            let _ = client.try_disconnect();
        }
        let _ = tokio::time::timeout(patience, &mut self.task).await;
    }
}

impl Drop for BusReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    // What it holds is whole after every step, so a panic elsewhere leaves it usable.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keep_up(options: BusOptions, held: Arc<Mutex<Held>>, tell: mpsc::Sender<News>) {
    let mut backoff = ReconnectDelay::new(options.backoff);
    loop {
        let (down, stood) = match options::make(&options, None, true) {
            Err(error) => (Down::Unusable(error.to_string()), None),
            Ok(made) => {
                let (client, mut events) = AsyncClient::new(made, REQUESTS);
                events.set_network_options(options::network());
                // The client has places where a broker that breaks the protocol makes it panic; that is one more way to lose it.
                let run = tokio::spawn(read(client, events, Arc::clone(&held), tell.clone()));
                let guard = AbortOnDrop(run.abort_handle());
                let ended = run.await;
                drop(guard);
                ended.unwrap_or_else(|_| (Down::Lost("the broker breaks the protocol".to_owned()), None))
            }
        };
        *lock(&held) = Held::default();
        if tell.send(News::Down(down)).await.is_err() {
            return;
        }
        tokio::time::sleep(backoff.after(stood)).await;
    }
}

/// One connection from beginning to end: why it ended, and how long it stood.
async fn read(
    client: AsyncClient,
    mut events: EventLoop,
    held: Arc<Mutex<Held>>,
    tell: mpsc::Sender<News>,
) -> (Down, Option<Duration>) {
    let mut since: Option<Instant> = None;
    let mut written = Written::default();
    loop {
        let news = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                since = Some(Instant::now());
                *lock(&held) = Held { client: Some(client.clone()), ..Held::default() };
                Some(News::Connected)
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let length = publish.payload.len();
                let payload = match length > MAX_PAYLOAD {
                    true => Payload::TooLong(length),
                    false => Payload::Whole(publish.payload.to_vec()),
                };
                Some(News::Message { topic: publish.topic, payload, retained: publish.retain })
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let asked = written.asked.remove(&ack.pkid).unwrap_or_default();
                let both = asked.into_iter().zip(&ack.return_codes);
                let denied = both.filter(|(_, code)| **code == SubscribeReasonCode::Failure).map(|(filter, _)| filter);
                Some(denied.collect::<Vec<_>>()).filter(|denied| !denied.is_empty()).map(News::Denied)
            }
            Ok(Event::Incoming(Packet::UnsubAck(ack))) => written.marks.remove(&ack.pkid).map(News::Marked),
            Ok(Event::Outgoing(Outgoing::Subscribe(packet))) => {
                written.asked.extend(lock(&held).asked.pop_front().map(|asked| (packet, asked)));
                None
            }
            Ok(Event::Outgoing(Outgoing::Unsubscribe(packet))) => {
                written.marks.extend(lock(&held).marks.pop_front().map(|mark| (packet, mark)));
                None
            }
            Ok(_) => None,
            Err(error) => return (down(error), since.map(|since| since.elapsed())),
        };
        if let Some(news) = news
            && tell.send(news).await.is_err()
        {
            return (Down::Lost("nobody reads".to_owned()), None);
        }
    }
}

fn down(error: ConnectionError) -> Down {
    match how(error) {
        EndReason::Refused(why) => Down::Refused(why),
        EndReason::Lost(why) => Down::Lost(why),
        EndReason::TooLong(length) => {
            Down::TooLong(format!("the broker has a message of {length} bytes, and headcount reads at most {MAX_PACKET}"))
        }
        EndReason::Disconnected => Down::Lost("the connection was closed".to_owned()),
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
