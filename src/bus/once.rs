//! One connection for one thing: whether the broker answers, or one message. Never stays, never tries again and leaves nothing of
//! itself at the broker.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Packet, QoS};

use super::connection::{EndReason, how};
use super::{BusOptions, options};
use crate::core::mqtt::Broker;

/// How long the broker may take to close the connection.
const LINGER: Duration = Duration::from_millis(500);

const BREAKS: &str = "it breaks the protocol";

/// The broker did not answer, or did not take the message.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Neither timer nor network can be used.
    #[error("cannot connect")]
    Runtime(#[source] std::io::Error),
    /// There was no connection, or it was lost.
    #[error("cannot use the broker {address}: {why}")]
    Unusable {
        /// The broker.
        address: String,
        /// Why, one line.
        why: String,
    },
    /// It took too long.
    #[error("the broker {address} did not answer within {:.1} s", patience.as_secs_f64())]
    Late {
        /// The broker.
        address: String,
        /// How long it was waited.
        patience: Duration,
    },
}

/// Connects, publishes a message (topic and payload, QoS 1, not retained) if there is one, waits until the broker has
/// acknowledged it, and goes. Not to be called on a tokio runtime.
///
/// # Errors
/// [`NotTaken`]. A message may have been taken all the same if only the answer was lost.
pub fn once(broker: &Broker, client_id: &str, message: Option<(&str, &[u8])>, patience: Duration) -> Result<(), NotTaken> {
    let address = broker.address();
    let unusable = |why: String| NotTaken::Unusable { address: address.clone(), why };
    let options = BusOptions::new(broker.clone(), client_id.to_owned());
    let made = options::make(&options, None, true).map_err(|error| unusable(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(NotTaken::Runtime)?;
    let message = message.map(|(topic, payload)| (topic.to_owned(), payload.to_vec()));
    let talked = runtime.block_on(async {
        // The client has places where a broker that breaks the protocol makes it panic.
        tokio::spawn(async move {
            let (client, mut events) = AsyncClient::new(made, 8);
            events.set_network_options(options::network());
            let outcome = tokio::time::timeout(patience, talk(&client, &mut events, message)).await;
            if matches!(outcome, Ok(Ok(()))) {
                let closed = async { while events.poll().await.is_ok() {} };
                let _ = tokio::time::timeout(LINGER, closed).await;
            }
            outcome
        })
        .await
    });
    // A name that is still being looked up must not hold us.
    runtime.shutdown_background();
    match talked {
        Err(_) => Err(unusable(BREAKS.to_owned())),
        Ok(Ok(said)) => said.map_err(unusable),
        Ok(Err(_)) => Err(NotTaken::Late { address, patience }),
    }
}

async fn talk(client: &AsyncClient, events: &mut EventLoop, mut message: Option<(String, Vec<u8>)>) -> Result<(), String> {
    loop {
        let asked = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => match message.take() {
                Some((topic, payload)) => client.try_publish(topic, QoS::AtLeastOnce, false, payload),
                None => client.try_disconnect(),
            },
            Ok(Event::Incoming(Packet::PubAck(_))) => client.try_disconnect(),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
            Ok(_) => Ok(()),
            Err(error) => {
                return Err(match how(error) {
                    EndReason::Refused(why) | EndReason::Lost(why) => why,
                    EndReason::TooLong(_) | EndReason::Disconnected => BREAKS.to_owned(),
                });
            }
        };
        asked.map_err(|error| error.to_string())?;
    }
}
