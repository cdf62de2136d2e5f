//! What headcount remembers of one manifest between passes, as a value. Never reads or writes it; `store::state` does.

mod change;
mod sessions;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::ids::{ConversationId, SessionKey};
use super::job::{EventKind, Job, JobId, JobStatus, TimeOut, timed_out};
use super::manifest::Session;
use super::observe::{Boot, Observation, Process};
pub use change::MemoryChange;
pub use sessions::Sessions;

/// Everything remembered of one manifest. It may be lost at any time: then drifts are new again, and what only it knew is
/// unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What is remembered of each session.
    pub sessions: Sessions,
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
    /// The PID namespace, see [`Viewpoint::pids`](super::observe::Viewpoint::pids).
    pub pids: String,
    /// The directory of its server's socket, see [`Viewpoint::directories`](super::observe::Viewpoint::directories).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// What is remembered of one session, for [`SessionMemory::KEPT`] after its entry is gone. What says where and when it was alive
/// is only true while an entry declares it; see [`SessionMemory::forget_where_it_was`].
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
    /// The same by the clock of the boot, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_since_boot: Option<SinceBoot>,
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
    /// Since when no entry declares it. An entry that comes back, or has another name, is still the one it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undeclared_since: Option<DateTime<Utc>>,
}

/// A moment by a clock that nobody sets: the boot's id, and the milliseconds since it began.
pub type SinceBoot = (String, i64);

/// A moment by the clock of a boot.
pub fn since_boot(at: DateTime<Utc>, boot: &Boot) -> SinceBoot {
    (boot.id.clone(), (at - boot.at).num_milliseconds())
}

/// A conversation and the process that was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownIn {
    /// The conversation.
    pub id: ConversationId,
    /// The process.
    pub pid: u32,
    /// When the process started, by the clock of the time; `None` if only the process of its pane is known, whose id it is then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<DateTime<Utc>>,
    /// The same by the clock of the boot, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_boot: Option<SinceBoot>,
    /// The PID namespace its id is of; `None` where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<String>,
}

impl KnownIn {
    /// A process that is in a conversation now. `pids` is the PID namespace it was seen in.
    pub fn new(id: ConversationId, process: Process, boot: Option<&Boot>, pids: Option<&str>) -> Self {
        let since_boot = boot.map(|boot| since_boot(process.started, boot));
        Self { id, pid: process.pid, started: Some(process.started), since_boot, pids: pids.map(str::to_owned) }
    }

    /// A process of which nothing is known but that its pane was this process's: no process is it.
    pub fn of_pane(id: ConversationId, pid: u32) -> Self {
        Self { id, pid, started: None, since_boot: None, pids: None }
    }

    /// Whether it is this process: the same id and the same start, which may be read a little apart. Of the two clocks the boot's
    /// tells where both know it: nobody sets that.
    pub fn is(&self, process: Process, boot: Option<&Boot>, pids: Option<&str>) -> bool {
        let Some(started) = self.started else { return false };
        let is_near = |apart: TimeDelta| apart.abs() <= TimeDelta::seconds(2);
        let is_as_old = match self.since_boot.as_ref().zip(boot) {
            Some(((then, since), boot)) => {
                *then == boot.id && is_near(TimeDelta::milliseconds(*since) - (process.started - boot.at))
            }
            None => is_near(started - process.started),
        };
        // An id says nothing among those of another namespace.
        let is_other_namespace = self.pids.as_deref().zip(pids).is_some_and(|(then, now)| then != now);
        is_as_old && (self.pid == process.pid || is_other_namespace)
    }
}

impl SessionMemory {
    /// How many former ids are remembered.
    pub const MOST_FORMER: usize = 64;
    /// How long a session without an entry is remembered.
    pub const KEPT: TimeDelta = TimeDelta::days(30);

    /// Forgets what proves that it ended: nobody looks at a session that no entry declares, so it may have lived on in another
    /// boot and behind another socket. The namespace stays, because it only ever makes a session unknown.
    pub fn forget_where_it_was(&mut self) {
        self.boot_id = None;
        if let Some(seen_from) = &mut self.seen_from {
            seen_from.directory = None;
        }
    }

    /// Notes the id the entry holds now. Another id than before starts afresh: since `now`, its transcript not yet seen.
    pub fn note_recorded_id(&mut self, id: Option<&ConversationId>, now: DateTime<Utc>, boot: Option<&Boot>) {
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
            self.id_since_boot = id.and(boot).map(|boot| since_boot(now, boot));
            self.transcript_seen = false;
            self.doubt = None;
        }
    }
}

impl Memory {
    /// What is remembered of a session, if anything is.
    pub fn session(&self, key: &SessionKey) -> Option<&SessionMemory> {
        self.sessions.get(key).map(AsRef::as_ref)
    }

    /// Remembers of a session what was remembered of it under another name.
    pub fn rename(&mut self, from: &SessionKey, to: &SessionKey) {
        let known = self.sessions.get(from).map(|known| known.as_ref().clone());
        self.sessions.remove(from);
        match known {
            Some(known) => self.sessions.insert(to.clone(), known),
            None => self.sessions.remove(to),
        }
    }

    /// The homes that the conversation of an entry without a live agent may be in: where its agent kept its files last, and
    /// where it would if started now.
    pub fn homes_at_rest<'a>(&'a self, entry: &Session, seen: &'a Observation) -> impl Iterator<Item = &'a PathBuf> {
        homes_at_rest(self.session(&entry.key).and_then(|session| session.home.as_ref()), entry, seen)
    }

    /// The sessions that are, or once were, in each conversation.
    pub fn holders(&self) -> HashMap<&ConversationId, Vec<&SessionKey>> {
        let mut holders: HashMap<&ConversationId, Vec<&SessionKey>> = HashMap::new();
        for (key, session) in self.sessions.iter() {
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

/// The same with the home that was used `last`.
pub fn homes_at_rest<'a>(
    last: Option<&'a PathBuf>,
    entry: &Session,
    seen: &'a Observation,
) -> impl Iterator<Item = &'a PathBuf> {
    let usual = seen.fallback_homes.get(entry.index).and_then(Fact::seen).filter(|usual| last != Some(usual));
    last.into_iter().chain(usual)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn another_recorded_id_forgets_the_transcript_of_the_old_one() {
        let (then, now) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp(60, 0).expect("a time"));
        let (one, two) = (ConversationId("one".into()), ConversationId("two".into()));
        let mut memory = SessionMemory::default();
        memory.note_recorded_id(Some(&one), then, None);
        memory.transcript_seen = true;
        memory.note_recorded_id(Some(&one), now, None);
        assert_eq!((memory.id_since, memory.transcript_seen), (Some(then), true));
        let known_in = |id: &ConversationId| Some(KnownIn::new(id.clone(), Process { pid: 1, started: then }, None, None));
        memory.known_in = known_in(&two);
        memory.note_recorded_id(Some(&two), now, None);
        assert_eq!((memory.id_since, memory.transcript_seen), (Some(now), false));
        assert_eq!(memory.known_in, known_in(&two), "it was known before it was recorded");
        memory.note_recorded_id(None, now, None);
        assert_eq!(memory.known_in, None);
        assert_eq!((memory.recorded_id, memory.id_since), (None, None));
    }

    #[test]
    fn a_process_stays_the_same_whatever_becomes_of_the_wall_clock() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let boot = |id: &str, seconds| Boot { id: id.to_owned(), at: at(seconds) };
        let process = |pid, seconds| Process { pid, started: at(seconds) };
        let (first, ours) = (boot("a", 1000), Some("pid:[1]"));
        let known = KnownIn::new(ConversationId("x".to_owned()), process(7, 1600), Some(&first), ours);
        for (is_it, now, boot, pids, why) in [
            (true, process(7, 1600), Some(first.clone()), ours, "nothing has changed"),
            (true, process(7, 5200), Some(boot("a", 4600)), ours, "the clock was set an hour ahead"),
            (true, process(7, 700), Some(boot("a", 100)), ours, "and back"),
            (false, process(7, 1600), Some(boot("a", 4600)), ours, "its start was read by another clock"),
            (true, process(7, 1602), Some(first.clone()), ours, "the clock was corrected a little"),
            (true, process(7, 1600), None, ours, "the boot could not be read"),
            (true, process(9, 1600), Some(first.clone()), Some("pid:[2]"), "its id outside of a container"),
            (false, process(9, 1600), Some(first.clone()), ours, "another that started in the same moment"),
            (false, process(9, 1600), Some(first.clone()), None, "another, as far as that can be told"),
            (false, process(7, 1900), Some(first.clone()), ours, "a reused id"),
            (false, process(9, 1900), Some(first.clone()), Some("pid:[2]"), "another in a container"),
            (false, process(7, 1600), Some(boot("b", 1000)), ours, "the host was booted meanwhile"),
        ] {
            assert_eq!(known.is(now, boot.as_ref(), pids), is_it, "{why}");
        }
        let old: KnownIn =
            serde_json::from_str(r#"{"id":"x","pid":7,"started":"1970-01-01T00:26:40Z"}"#).expect("older memory");
        assert!(old.is(process(7, 1600), Some(&first), ours) && !old.is(process(7, 1700), Some(&first), ours));
    }

    #[test]
    fn memory_written_with_fewer_fields_is_still_read() {
        let of = |fields: &str| {
            let text = format!(r#"{{"sessions":{{"\"h\"/tmux/\"default\"/\"k\"":{{{fields}}}}},"later":1}}"#);
            let memory: Memory = serde_json::from_str(&text).expect("memory");
            assert!(memory.reported.is_empty());
            memory.sessions.values().next().expect("a session").as_ref().clone()
        };
        assert_eq!(of(r#""boot_id":"b""#).boot_id.as_deref(), Some("b"));
        assert_eq!(of(r#""doubt":"recorded for pid 7""#).doubt.as_deref(), Some("recorded for pid 7"));
    }
}
