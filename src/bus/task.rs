//! Keeps a connection up: makes one, waits until it ends, says so, waits a little, makes the next. Never gives up.

use chrono::Utc;
use rumqttc::AsyncClient;

use super::backoff::ReconnectDelay;
use super::connection::{Connection, ConnectionChannels, ConnectionEnd, EndReason};
use super::publisher::Publisher;
use super::{BusOptions, ConnectionState, MAX_PACKET, options};

/// Requests that may wait in the client: as many as there are packet ids, so that an acknowledgement always has room.
const REQUESTS: usize = 1 << 17;

pub(super) async fn keep_up(options: BusOptions, publisher: Publisher, ends: ConnectionChannels) {
    let mut backoff = ReconnectDelay::new(options.backoff);
    let mut stop = ends.stop.clone();
    let mut is_clean = false;
    while !*stop.borrow() {
        let was_clean = std::mem::take(&mut is_clean);
        let stood = match attempt(&options, was_clean, &publisher, &ends).await {
            Err(why) => {
                ends.say(ConnectionState::Unusable { why });
                None
            }
            Ok(ConnectionEnd { stood, how }) => {
                match how {
                    // The broker has forgotten; the connection that stays is made at once.
                    EndReason::Disconnected if was_clean => continue,
                    EndReason::Disconnected => return,
                    EndReason::Refused(why) => ends.say(ConnectionState::Refused { why }),
                    EndReason::Lost(why) => {
                        is_clean = was_clean;
                        ends.say(ConnectionState::Lost { why });
                    }
                    EndReason::TooLong(length) => {
                        is_clean = true;
                        let why = format!("a message of {length} bytes is longer than {MAX_PACKET}");
                        ends.say(ConnectionState::Discarded { why });
                    }
                }
                stood
            }
        };
        let wait = backoff.after(stood);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One connection from beginning to end.
async fn attempt(
    options: &BusOptions,
    is_clean: bool,
    publisher: &Publisher,
    ends: &ConnectionChannels,
) -> Result<ConnectionEnd, String> {
    let born = publisher.born(Utc::now());
    let made = options::make(options, born.as_ref(), is_clean).map_err(|error| error.to_string())?;
    let (client, mut events) = AsyncClient::new(made, REQUESTS);
    events.set_network_options(options::network());
    let number = publisher.renew(client.clone());
    let connection = Connection { client, events, subscribe: options.subscribe.clone(), number, is_clean };
    // The client has places where a broker that breaks the protocol makes it panic; that is one more way to lose it.
    let run = tokio::spawn(connection.run(publisher.clone(), ends.clone()));
    let guard = AbortOnDrop(run.abort_handle());
    let ended = run.await;
    drop(guard);
    Ok(ended.unwrap_or_else(|_| {
        publisher.lost();
        ConnectionEnd { stood: None, how: EndReason::Lost("the broker breaks the protocol".to_owned()) }
    }))
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
