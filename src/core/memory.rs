//! What headcount remembers of one manifest between passes, as a value. Never reads or writes it; `store::state` does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{ConversationId, SessionKey};
use super::job::{EventKind, Job, JobId, JobStatus, TimeOut, timed_out};

/// Everything remembered of one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What is remembered of each session, by [`session_key`].
    pub sessions: BTreeMap<String, SessionMemory>,
    /// When each drift that stands now was first seen, by its fingerprint.
    pub first_seen: BTreeMap<String, DateTime<Utc>>,
    /// The session each of those drifts is about, by its fingerprint. Older versions did not note it.
    pub about: BTreeMap<String, SessionKey>,
    /// The fingerprints each consumer has been told of and that have stood ever since.
    pub reported: BTreeMap<String, BTreeSet<String>>,
    /// How the delegated jobs were when each consumer was last told of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<String, BTreeMap<JobId, JobTold>>,
}

/// What of a job is told when it changes, as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTold {
    /// Its status.
    pub status: JobStatus,
    /// The number of the event by which it asks for permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<u64>,
    /// Whether it has run out of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timed_out: Option<TimeOut>,
}

impl JobTold {
    /// Once so many jobs are known, those that are gone are forgotten.
    pub const MOST: usize = 4096;

    /// What there is to tell of a job.
    pub fn of(job: &Job, at: DateTime<Utc>) -> Self {
        let asks = !job.status.is_final() && job.last_event == Some(EventKind::PermissionRequired);
        Self { status: job.status, asks: asks.then_some(job.last_seq), timed_out: timed_out(job, at) }
    }

    /// Forgets the jobs that are gone, if too many are known.
    pub fn forget_gone(known: &mut BTreeMap<JobId, Self>, jobs: &[Job]) {
        if known.len() > Self::MOST {
            let there: BTreeSet<&JobId> = jobs.iter().map(|job| &job.id).collect();
            known.retain(|id, _| there.contains(id));
        }
    }
}

/// From where a session was seen alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFrom {
    /// The PID namespace, see [`Vantage::pids`](super::observe::Vantage::pids).
    pub pids: String,
    /// The directory of its server's socket, see [`Vantage::directories`](super::observe::Vantage::directories).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionMemory {
    /// The boot in which it was last seen alive (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: Option<String>,
    /// When it was last seen alive.
    pub last_alive: Option<DateTime<Utc>>,
    /// From where it was last seen alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_from: Option<SeenFrom>,
    /// The conversation id its entry held when last looked at.
    pub recorded_id: Option<ConversationId>,
    /// Since when the entry has held that id: evidence of a process started before it cannot replace it.
    pub id_since: Option<DateTime<Utc>>,
    /// The ids it held before, newest last, at most [`SessionMemory::MOST_FORMER`]: they were its conversations, so they are
    /// never guessed to be another's.
    pub former_ids: Vec<ConversationId>,
    /// Whether the transcript of that id was ever on disk. Only a transcript that was there can be gone.
    pub transcript_seen: bool,
    /// Where its agent kept its files when it was last seen alive: it may have been started with a home of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<PathBuf>,
    /// Which process the agent was when it was last known to be in a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_in: Option<KnownIn>,
    /// Why the recorded conversation may not be the one its agent was in last, one line. It outlives the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// A conversation and the process that was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownIn {
    /// The conversation.
    pub id: ConversationId,
    /// The process.
    pub pid: u32,
    /// When the process started.
    pub started: DateTime<Utc>,
}

impl SessionMemory {
    /// How many former ids are remembered.
    pub const MOST_FORMER: usize = 64;

    /// Notes the id the entry holds now. Another id than before starts afresh: since `now`, its transcript not yet seen.
    pub fn note_recorded_id(&mut self, id: Option<&ConversationId>, now: DateTime<Utc>) {
        if self.recorded_id.as_ref() != id {
            if let Some(former) = std::mem::replace(&mut self.recorded_id, id.cloned()) {
                // Whoever takes a record away, or puts another in its place, settles whose it was.
                self.known_in.take_if(|known| known.id == former);
                self.former_ids.retain(|known| *known != former);
                self.former_ids.push(former);
                let surplus = self.former_ids.len().saturating_sub(Self::MOST_FORMER);
                self.former_ids.drain(..surplus);
            }
            self.id_since = id.map(|_| now);
            self.transcript_seen = false;
            self.doubt = None;
        }
    }
}

impl Memory {
    /// What is remembered of a session, if anything is.
    pub fn session(&self, key: &SessionKey) -> Option<&SessionMemory> {
        self.sessions.get(&session_key(key))
    }

    /// What is remembered of a session, to be added to.
    pub fn session_mut(&mut self, key: &SessionKey) -> &mut SessionMemory {
        self.sessions.entry(session_key(key)).or_default()
    }

    /// The sessions that are, or once were, in each conversation, by [`session_key`].
    pub fn holders(&self) -> HashMap<&ConversationId, Vec<&str>> {
        let mut holders: HashMap<&ConversationId, Vec<&str>> = HashMap::new();
        for (key, session) in &self.sessions {
            for id in session.recorded_id.iter().chain(&session.former_ids) {
                holders.entry(id).or_default().push(key);
            }
        }
        holders
    }

    /// Notes that a consumer is told how these jobs are.
    pub fn note_jobs(&mut self, consumer: &str, jobs: &[Job], at: DateTime<Utc>) {
        let told = self.jobs.entry(consumer.to_owned()).or_default();
        told.extend(jobs.iter().map(|job| (job.id.clone(), JobTold::of(job, at))));
        JobTold::forget_gone(told, jobs);
    }
}

/// A session's key as one stable text: its four parts, each quoted so that no two keys can read the same.
pub fn session_key(key: &SessionKey) -> String {
    format!("{:?}/{}/{:?}/{:?}", key.host, key.mux, key.server, key.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::core::ids::MuxKind;

    fn key(host: &str, server: &str, name: &str) -> SessionKey {
        SessionKey { name: name.into(), mux: MuxKind::Tmux, server: server.into(), host: host.into() }
    }

    #[test]
    fn sessions_whose_parts_contain_the_separator_keep_different_keys() {
        assert_ne!(session_key(&key("a/b", "c", "d")), session_key(&key("a", "b/c", "d")));
        assert_ne!(session_key(&key("a", "b\"/\"c", "d")), session_key(&key("a", "b", "c\"/\"d")));
    }

    #[test]
    fn another_recorded_id_forgets_the_transcript_of_the_old_one() {
        let (then, now) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp(60, 0).expect("a time"));
        let (one, two) = (ConversationId("one".into()), ConversationId("two".into()));
        let mut memory = SessionMemory::default();
        memory.note_recorded_id(Some(&one), then);
        memory.transcript_seen = true;
        memory.note_recorded_id(Some(&one), now);
        assert_eq!((memory.id_since, memory.transcript_seen), (Some(then), true));
        let known_in = |id: &ConversationId| Some(KnownIn { id: id.clone(), pid: 1, started: then });
        memory.known_in = known_in(&two);
        memory.note_recorded_id(Some(&two), now);
        assert_eq!((memory.id_since, memory.transcript_seen), (Some(now), false));
        assert_eq!(memory.known_in, known_in(&two), "it was known before it was recorded");
        memory.note_recorded_id(None, now);
        assert_eq!(memory.known_in, None);
        assert_eq!((memory.recorded_id, memory.id_since), (None, None));
    }

    #[test]
    fn memory_written_with_fewer_fields_is_still_read() {
        let memory: Memory = serde_json::from_str(r#"{"sessions":{"k":{"boot_id":"b"}},"later":1}"#).expect("memory");
        assert_eq!(memory.sessions["k"].boot_id.as_deref(), Some("b"));
        assert!(memory.reported.is_empty());
    }
}
