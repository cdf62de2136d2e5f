//! Names on the broker: topics and client ids made of names from outside. Never lets such a name add a level or a wildcard.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::core::ids::SessionKey;

/// The longest level made of one name, in bytes.
const LONGEST_LEVEL: usize = 160;

/// How many hex digits of a hash stand for what was cut off, or for a manifest.
const HASH: usize = 16;

/// A name as one level of a topic: everything but `A-Z a-z 0-9 . _ -` is percent-encoded, byte by byte. One that is too long
/// is cut, and ends in `~` and a hash of the whole.
pub fn encode_level(name: &str) -> String {
    let mut level = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            level.push(char::from(byte));
        } else {
            let _ = write!(level, "%{byte:02X}");
        }
    }
    if level.len() > LONGEST_LEVEL {
        let mut end = LONGEST_LEVEL - HASH - 1;
        // Not within an escape.
        while level.get(..end).is_some_and(|kept| kept.bytes().rev().take(2).any(|byte| byte == b'%')) {
            end -= 1;
        }
        level.truncate(end);
        let _ = write!(level, "~{}", hash(name));
    }
    level
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(HASH / 2).fold(String::with_capacity(HASH), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What a client that watches a manifest is called: always the same, and never as another host, manifest or consumer is.
pub fn client_id(prefix: &str, host: &str, manifest: &str, consumer: &str) -> String {
    format!("{prefix}-{}", hash(&format!("{}:{host}{}:{manifest}{consumer}", host.len(), manifest.len())))
}

/// The filter that holds the events of every job below a root.
pub fn events_filter(root: &str) -> String {
    format!("{root}/+/events")
}

/// The topics a host publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTopics {
    base: String,
}

impl HostTopics {
    /// Those of this host.
    pub fn new(host: &str) -> Self {
        Self { base: format!("headcount/{}", encode_level(host)) }
    }

    /// Whether it is online; retained.
    pub fn state(&self) -> String {
        format!("{}/state", self.base)
    }

    /// Its drifts; not retained.
    pub fn drift(&self) -> String {
        format!("{}/drift", self.base)
    }

    /// One session; retained. The last level is `<mux>:<server>:<name>`, each encoded.
    pub fn session(&self, key: &SessionKey) -> String {
        let SessionKey { mux, server, name, .. } = key;
        format!("{}/session/{mux}:{}:{}", self.base, encode_level(server), encode_level(name))
    }

    /// The filter that holds all its sessions.
    pub fn sessions(&self) -> String {
        format!("{}/session/+", self.base)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::ids::MuxKind;

    fn key(name: &str, server: &str) -> SessionKey {
        SessionKey { host: "h".into(), mux: MuxKind::Tmux, server: server.into(), name: name.into() }
    }

    #[test]
    fn a_hostile_name_is_one_harmless_level() {
        let topics = HostTopics::new("h/+");
        assert_eq!(topics.state(), "headcount/h%2F%2B/state");
        assert_eq!(topics.session(&key("a/#\n:é", "/run/x")), "headcount/h%2F%2B/session/tmux:%2Frun%2Fx:a%2F%23%0A%3A%C3%A9");
        assert_ne!(topics.session(&key("a:b", "c")), topics.session(&key("b", "c:a")));
    }

    #[test]
    fn a_name_of_any_length_stays_bounded_and_its_own() {
        let (one, other) = (encode_level(&"é".repeat(5000)), encode_level(&("é".repeat(5000) + "x")));
        assert_ne!(one, other);
        assert!(one.len() <= LONGEST_LEVEL && other.len() <= LONGEST_LEVEL);
    }

    #[test]
    fn a_client_id_is_stable_and_no_two_watches_share_one() {
        let id = client_id("headcount", "h", "/m", "watch");
        assert_eq!(id, client_id("headcount", "h", "/m", "watch"));
        for other in
            [("h2", "/m", "watch"), ("h", "/m2", "watch"), ("h", "/m", "other"), ("h/", "m", "watch"), ("h", "/mw", "atch")]
        {
            assert_ne!(id, client_id("headcount", other.0, other.1, other.2), "{other:?}");
        }
        assert!(id.len() < 128);
    }

    proptest! {
        #[test]
        fn no_name_ever_adds_a_level_or_a_wildcard(name in "\\PC{0,300}", other in "\\PC{0,300}") {
            let level = encode_level(&name);
            prop_assert!(level.len() <= LONGEST_LEVEL);
            prop_assert!(!level.contains(['/', '+', '#', ':', '\0']) && !level.chars().any(char::is_control));
            prop_assert_eq!(level == encode_level(&other), name == other);
        }
    }
}
