//! From a broker to the client's options. Reads the files they need; never connects.

use std::time::Duration;

use rumqttc::{LastWill, MqttOptions, NetworkOptions, QoS, Transport};

use super::files::{self, FileError};
use super::{BusOptions, MAX_PACKET};
use crate::core::fleet::HostState;
use crate::core::mqtt::{Broker, HostTopics};

/// How many of our messages the client lets be on their way; more than the outbox ever hands it.
const IN_FLIGHT: u16 = 100;

/// How long the broker may take to answer, in seconds.
const PATIENCE: u64 = 5;

/// Why no connection can be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum OptionsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] super::tls::TlsError),
    #[cfg(not(feature = "tls"))]
    #[error("this headcount was built without TLS (feature `tls`)")]
    NoTls,
}

/// The options of one connection. `born` is what is said of this host; its end becomes the Last Will. `is_clean` asks the broker
/// to forget what it kept for us.
pub(super) fn make(options: &BusOptions, born: Option<&HostState>, is_clean: bool) -> Result<MqttOptions, OptionsError> {
    let broker = &options.broker;
    // The client joins host and port with a colon and has them looked up.
    let host = if broker.host.contains(':') && !broker.tls { format!("[{}]", broker.host) } else { broker.host.clone() };
    let mut made = MqttOptions::new(&options.client_id, host, broker.port);
    made.set_transport(transport(broker)?)
        .set_keep_alive(options.keep_alive.max(Duration::from_secs(1)))
        .set_clean_session(is_clean)
        .set_max_packet_size(MAX_PACKET, MAX_PACKET)
        .set_inflight(IN_FLIGHT)
        .set_manual_acks(true);
    if let Some(user) = &broker.username {
        let password = files::password(broker)?;
        made.set_credentials(user, password.as_ref().map_or("", |secret| secret.expose()));
    }
    if let Some(born) = born
        && let Ok(payload) = serde_json::to_vec(&born.last_will())
    {
        made.set_last_will(LastWill::new(HostTopics::new(&born.host).state(), payload, QoS::AtLeastOnce, true));
    }
    Ok(made)
}

pub(super) fn network() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(PATIENCE);
    network
}

#[cfg(feature = "tls")]
fn transport(broker: &Broker) -> Result<Transport, OptionsError> {
    if !broker.tls {
        return Ok(Transport::tcp());
    }
    Ok(Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(super::tls::config(broker)?)))
}

#[cfg(not(feature = "tls"))]
fn transport(broker: &Broker) -> Result<Transport, OptionsError> {
    if broker.tls { Err(OptionsError::NoTls) } else { Ok(Transport::tcp()) }
}
