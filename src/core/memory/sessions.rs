//! What is remembered of sessions, by their keys, and how such a key is written. Copies are cheap: what does not change is shared.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::SessionMemory;
use crate::core::ids::{MuxKind, SessionKey};

/// What is remembered of each session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sessions(Arc<BTreeMap<SessionKey, Arc<SessionMemory>>>);

impl Sessions {
    /// Remembers this of a session from now on.
    pub fn insert(&mut self, key: SessionKey, session: SessionMemory) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(session));
    }

    /// Remembers nothing of a session any more.
    pub fn remove(&mut self, key: &SessionKey) {
        if self.0.contains_key(key) {
            Arc::make_mut(&mut self.0).remove(key);
        }
    }

    /// What is remembered of a session, to be changed.
    pub fn entry(&mut self, key: &SessionKey) -> &mut SessionMemory {
        let session = Arc::make_mut(&mut self.0).entry(key.clone()).or_default();
        Arc::make_mut(session)
    }

    /// Whether it is the very same, at no cost.
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Sessions {
    type Target = BTreeMap<SessionKey, Arc<SessionMemory>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Serialize for Sessions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, session)| (text(key), session.as_ref())))
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = BTreeMap::<String, SessionMemory>::deserialize(deserializer)?;
        // What has no key that headcount would write is no session's.
        let known = read.into_iter().filter_map(|(text, session)| Some((key(&text)?, Arc::new(session))));
        Ok(Self(Arc::new(known.collect())))
    }
}

/// A key as it is written: its four parts, each quoted so that no two keys can read the same.
pub(super) fn text(key: &SessionKey) -> String {
    format!("{:?}/{}/{:?}/{:?}", key.host, key.mux, key.server, key.name)
}

/// The key that was written so.
pub(super) fn key(text: &str) -> Option<SessionKey> {
    let (host, rest) = unquoted(text)?;
    let (mux, rest) = rest.strip_prefix('/')?.split_once('/')?;
    let mux = MuxKind::ALL.into_iter().find(|kind| kind.to_string() == mux)?;
    let (server, rest) = unquoted(rest)?;
    let (name, rest) = unquoted(rest.strip_prefix('/')?)?;
    rest.is_empty().then_some(SessionKey { name, mux, server, host })
}

/// A quoted part, its escapes undone, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?.chars();
    let mut part = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((part, rest.as_str())),
            '\\' => part.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let (code, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    rest = after.chars();
                    char::from_u32(u32::from_str_radix(code, 16).ok()?)?
                }
                other => other,
            }),
            other => part.push(other),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(host: &str, server: &str, name: &str) -> SessionKey {
        SessionKey { name: name.into(), mux: MuxKind::Tmux, server: server.into(), host: host.into() }
    }

    #[test]
    fn sessions_whose_parts_contain_the_separator_keep_different_keys() {
        assert_ne!(text(&of("a/b", "c", "d")), text(&of("a", "b/c", "d")));
        assert_ne!(text(&of("a", "b\"/\"c", "d")), text(&of("a", "b", "c\"/\"d")));
        assert_eq!(text(&of("dev1", "default", "lab")), r#""dev1"/tmux/"default"/"lab""#);
    }

    #[test]
    fn what_nobody_wrote_is_no_key() {
        for text in
            ["", "k", r#""h"/tmux/"s"/"n"x"#, r#""h"/screen/"s"/"n""#, r#""h"/tmux/"s"/"n"#, r#""h"/tmux/"s"/"\u{110000}""#]
        {
            assert_eq!(key(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_written(host in any::<String>(), server in any::<String>(), name in any::<String>()) {
            for mux in MuxKind::ALL {
                let one = SessionKey { mux, ..of(&host, &server, &name) };
                prop_assert_eq!(key(&text(&one)), Some(one));
            }
        }
    }
}
