//! placeholder until merge
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::ConversationId;

/// x
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// x
    pub sessions: BTreeMap<String, SessionMemory>,
    /// x
    pub first_seen: BTreeMap<String, DateTime<Utc>>,
    /// x
    pub reported: BTreeMap<String, BTreeSet<String>>,
}

/// x
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionMemory {
    /// x
    pub boot_id: Option<String>,
    /// x
    pub last_alive: Option<DateTime<Utc>>,
    /// x
    pub session_id: Option<ConversationId>,
    /// x
    pub id_since: Option<DateTime<Utc>>,
    /// x
    pub transcript_seen: bool,
}
/// x
pub fn session_key(key: &super::ids::SessionKey) -> String {
    format!("{}\u{1f}{}\u{1f}{}\u{1f}{}", key.host, key.mux, key.server, key.name)
}
