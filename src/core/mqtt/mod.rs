//! How the MQTT broker is named and what is called what there, as values. Never reads a file or the environment and never
//! connects.

mod broker;
mod section;
mod topic;

pub use broker::{Broker, BrokerError, Password, Secret, VARIABLES};
pub use section::Section;
pub use topic::{HostTopics, client_id, encode_level, events_filter};
