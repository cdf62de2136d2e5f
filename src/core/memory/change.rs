//! What one memory has unlike another, as a value that can be written down. Pure; never decides what to remember.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{JobTold, Memory, SessionMemory, sessions};
use crate::core::ids::SessionKey;
use crate::core::job::JobId;

/// From one memory to another: what is new or other, and what is no more (`null`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryChange {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sessions: BTreeMap<String, Option<SessionMemory>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    first_seen: BTreeMap<String, Option<DateTime<Utc>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    about: BTreeMap<String, Option<SessionKey>>,
    /// By consumer, whether it has been told of a drift.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    reported: BTreeMap<String, BTreeMap<String, bool>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    jobs: BTreeMap<String, BTreeMap<JobId, Option<JobTold>>>,
}

impl MemoryChange {
    /// The change from one memory to another; `None` if it cannot be said so, because a consumer is forgotten.
    pub fn between(before: &Memory, after: &Memory) -> Option<Self> {
        let is_kept = |consumer: &String| after.reported.contains_key(consumer);
        if !before.reported.keys().all(is_kept) || !before.jobs.keys().all(|consumer| after.jobs.contains_key(consumer)) {
            return None;
        }
        let mut change = Self {
            first_seen: changed(&before.first_seen, &after.first_seen),
            about: changed(&before.about, &after.about),
            ..Self::default()
        };
        if !before.sessions.is_shared_with(&after.sessions) {
            let changed = changed(&before.sessions, &after.sessions).into_iter();
            change.sessions = changed.map(|(key, session)| (sessions::text(&key), session.map(Arc::unwrap_or_clone))).collect();
        }
        for (consumer, now) in &after.reported {
            let then = before.reported.get(consumer);
            let was = then.unwrap_or(&EMPTY);
            let news = now.difference(was).map(|told| (told.clone(), true));
            let told: BTreeMap<_, _> = news.chain(was.difference(now).map(|told| (told.clone(), false))).collect();
            if then.is_none() || !told.is_empty() {
                change.reported.insert(consumer.clone(), told);
            }
        }
        for (consumer, now) in &after.jobs {
            let then = before.jobs.get(consumer);
            let told = changed(then.unwrap_or(&BTreeMap::new()), now);
            if then.is_none() || !told.is_empty() {
                change.jobs.insert(consumer.clone(), told);
            }
        }
        Some(change)
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is about more than what somebody has been told, which costs no more than to tell it again.
    pub fn is_about_sessions(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Makes it.
    pub fn apply(self, memory: &mut Memory) {
        for (text, session) in self.sessions {
            if let Some(key) = sessions::key(&text) {
                match session {
                    Some(session) => memory.sessions.insert(key, session),
                    None => memory.sessions.remove(&key),
                }
            }
        }
        make(&mut memory.first_seen, self.first_seen);
        make(&mut memory.about, self.about);
        for (consumer, told) in self.reported {
            let known = memory.reported.entry(consumer).or_default();
            for (fingerprint, is_told) in told {
                let _ = if is_told { known.insert(fingerprint) } else { known.remove(&fingerprint) };
            }
        }
        for (consumer, told) in self.jobs {
            make(memory.jobs.entry(consumer).or_default(), told);
        }
    }
}

static EMPTY: BTreeSet<String> = BTreeSet::new();

/// What one map has unlike another.
fn changed<K: Ord + Clone, V: PartialEq + Clone>(before: &BTreeMap<K, V>, after: &BTreeMap<K, V>) -> BTreeMap<K, Option<V>> {
    let other = after.iter().filter(|(key, value)| before.get(key) != Some(value));
    let other = other.map(|(key, value)| (key.clone(), Some(value.clone())));
    let gone = before.keys().filter(|key| !after.contains_key(key)).map(|key| (key.clone(), None));
    other.chain(gone).collect()
}

fn make<K: Ord, V>(map: &mut BTreeMap<K, V>, change: BTreeMap<K, Option<V>>) {
    for (key, value) in change {
        match value {
            Some(value) => drop(map.insert(key, value)),
            None => drop(map.remove(&key)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    use super::*;
    use crate::core::ids::{ConversationId, MuxKind};
    use crate::core::job::JobStatus;

    fn session(name: String) -> SessionKey {
        SessionKey { name, mux: MuxKind::Tmux, server: "default".into(), host: "h".into() }
    }

    fn memory() -> impl Strategy<Value = Memory> {
        let name = || "[ab\"/]{0,2}";
        let time = || (0..3_i64).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap());
        let sessions = btree_map(name(), (name(), time()), 0..4);
        let jobs = btree_map(name(), btree_map(name(), prop::bool::ANY, 0..3), 0..2);
        let maps = (
            btree_map(name(), time(), 0..4),
            btree_map(name(), name(), 0..4),
            btree_map(name(), btree_set(name(), 0..3), 0..3),
        );
        (sessions, maps, jobs).prop_map(|(sessions, (first_seen, about, reported), jobs)| {
            let mut memory = Memory { first_seen, reported, ..Memory::default() };
            for (name, (id, at)) in sessions {
                let known = SessionMemory { recorded_id: Some(ConversationId(id)), last_alive: Some(at), ..Default::default() };
                memory.sessions.insert(session(name), known);
            }
            memory.about = about.into_iter().map(|(key, name)| (key, session(name))).collect();
            let told = |is_done| JobTold {
                status: if is_done { JobStatus::Completed } else { JobStatus::Running },
                asks: None,
                timed_out: None,
            };
            let of = |jobs: BTreeMap<String, bool>| {
                jobs.into_iter().map(|(id, done)| (format!("job-{}", id.len()).parse().unwrap(), told(done))).collect()
            };
            memory.jobs = jobs.into_iter().map(|(consumer, jobs)| (consumer, of(jobs))).collect();
            memory
        })
    }

    proptest! {
        #[test]
        fn a_change_leads_from_one_memory_to_the_other_also_once_it_was_written(before in memory(), after in memory()) {
            match MemoryChange::between(&before, &after) {
                Some(change) => {
                    prop_assert_eq!(change.is_empty(), before == after);
                    let written = serde_json::to_string(&change).unwrap();
                    prop_assert!(!written.contains('\n'));
                    let mut made = before;
                    serde_json::from_str::<MemoryChange>(&written).unwrap().apply(&mut made);
                    prop_assert_eq!(made, after);
                }
                None => prop_assert!(
                    before.reported.keys().any(|consumer| !after.reported.contains_key(consumer))
                        || before.jobs.keys().any(|consumer| !after.jobs.contains_key(consumer))
                ),
            }
        }
    }
}
