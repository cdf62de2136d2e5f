//! One connection, from its first packet to its end: forwards what comes and does nothing else. Never waits for anybody but the
//! broker and, if messages are taken more slowly than they come, for whoever takes them.

use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Outgoing, Packet, Publish, QoS, StateError,
    SubscribeFilter, SubscribeReasonCode, mqttbytes,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::publisher::Publisher;
use super::{ConnectionState, MAX_PAYLOAD, Message, Payload, Receipt};
use crate::core::text::printable;

/// Where things go and come from.
#[derive(Debug, Clone)]
pub(super) struct ConnectionChannels {
    pub(super) tell: mpsc::UnboundedSender<ConnectionState>,
    pub(super) forward: mpsc::Sender<Message>,
    pub(super) stop: watch::Receiver<bool>,
}

impl ConnectionChannels {
    pub(super) fn say(&self, state: ConnectionState) {
        tracing::debug!(?state, "broker");
        let _ = self.tell.send(state);
    }
}

/// The longest reason that is handed on, in characters.
const LONGEST_REASON: usize = 300;

/// How long the broker may take to close a connection.
const LINGER: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug)]
pub(super) struct ConnectionEnd {
    /// How long it stood; `None` if it never did.
    pub(super) stood: Option<Duration>,
    pub(super) how: EndReason,
}

#[derive(Debug)]
pub(super) enum EndReason {
    /// As we wished.
    Disconnected,
    /// The broker does not let us in.
    Refused(String),
    /// Anything else that went wrong.
    Lost(String),
    /// A packet came that is too long to be read.
    TooLong(usize),
}

pub(super) struct Connection {
    pub(super) client: AsyncClient,
    pub(super) events: EventLoop,
    pub(super) subscribe: Vec<String>,
    pub(super) number: u64,
    /// Whether it is made only to have the broker forget what it kept for us.
    pub(super) is_clean: bool,
}

impl Connection {
    pub(super) async fn run(mut self, publisher: Publisher, ends: ConnectionChannels) -> ConnectionEnd {
        let mut since = None;
        let how = loop {
            match self.events.poll().await {
                Ok(Event::Incoming(packet)) => match packet {
                    Packet::ConnAck(ack) => {
                        since = Some(Instant::now());
                        if self.is_clean {
                            let _ = self.client.try_disconnect();
                            continue;
                        }
                        ends.say(ConnectionState::Connected { session_present: ack.session_present });
                        // Each time: a broker that was restarted without its store has forgotten what we asked for.
                        let filters =
                            self.subscribe.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
                        if !self.subscribe.is_empty() && self.client.try_subscribe_many(filters).is_err() {
                            ends.say(ConnectionState::SubscribeFailed { why: "the subscription could not be sent".to_owned() });
                        }
                        publisher.connected();
                    }
                    Packet::Publish(publish) => {
                        forward(self.number, publish, &ends).await;
                    }
                    Packet::SubAck(ack) => {
                        let asked = self.subscribe.iter().zip(&ack.return_codes);
                        let denied: Vec<&str> = asked
                            .filter(|(_, code)| **code == SubscribeReasonCode::Failure)
                            .map(|(filter, _)| filter.as_str())
                            .collect();
                        ends.say(match denied.as_slice() {
                            [] => ConnectionState::Subscribed,
                            denied => ConnectionState::SubscribeFailed {
                                why: format!("the broker denies access to {}", denied.join(" and ")),
                            },
                        });
                    }
                    Packet::PubAck(ack) => publisher.acknowledged(ack.pkid),
                    _ => {}
                },
                Ok(Event::Outgoing(Outgoing::Publish(packet))) => publisher.written(packet),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => {
                    self.linger().await;
                    break EndReason::Disconnected;
                }
                Ok(Event::Outgoing(_)) => {}
                Err(error) => break how(error),
            }
        };
        publisher.lost();
        ConnectionEnd { stood: since.map(|since: Instant| since.elapsed()), how }
    }

    /// Waits until the broker has closed the connection. Closed from here with something unread, it would be reset, and the
    /// broker would lose our last acknowledgements.
    async fn linger(&mut self) {
        let closed = async { while self.events.poll().await.is_ok() {} };
        let _ = tokio::time::timeout(LINGER, closed).await;
    }
}

/// Hands a message on. While nobody takes them, the network is not read: the broker keeps what is not acknowledged. Once nobody
/// ever will, the connection still has its farewell to say: to break it off would make the broker say that it was lost.
async fn forward(connection: u64, publish: Publish, ends: &ConnectionChannels) {
    let length = publish.payload.len();
    let payload = match length > MAX_PAYLOAD {
        true => Payload::TooLong(length),
        false => Payload::Whole(publish.payload.to_vec()),
    };
    let receipt = Receipt { connection, packet: publish.pkid };
    let message = Message { topic: publish.topic, payload, retained: publish.retain, receipt };
    if let Err(TrySendError::Full(message)) = ends.forward.try_send(message) {
        let _ = ends.forward.send(message).await;
    }
}

pub(super) fn how(error: ConnectionError) -> EndReason {
    match error {
        ConnectionError::ConnectionRefused(code) => EndReason::Refused(refusal(code)),
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(length))) => {
            EndReason::TooLong(length)
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => EndReason::Lost("the broker stopped answering".to_owned()),
        ConnectionError::NetworkTimeout => EndReason::Lost("the broker does not answer".to_owned()),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            EndReason::Lost("the broker closed the connection".to_owned())
        }
        ConnectionError::NotConnAck(_) => EndReason::Lost("the server there does not speak MQTT".to_owned()),
        ConnectionError::Io(error) => EndReason::Lost(reason(&error.to_string())),
        other => EndReason::Lost(reason(&other.to_string())),
    }
}

fn refusal(code: ConnectReturnCode) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword => "the broker refuses the user name or password",
        ConnectReturnCode::NotAuthorized => "the broker refuses this client: not authorized",
        ConnectReturnCode::BadClientId => "the broker refuses the client id",
        ConnectReturnCode::ServiceUnavailable => "the broker is not available",
        ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 3.1.1",
        ConnectReturnCode::Success => "the broker refuses the connection without a reason",
    }
    .to_owned()
}

/// A reason that may hold what the other side sent.
fn reason(text: &str) -> String {
    printable(&text.chars().take(LONGEST_REASON).collect::<String>()).into_owned()
}
