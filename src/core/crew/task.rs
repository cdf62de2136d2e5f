//! What becomes of a task: one record after another, each judged against all before it. The log is the truth: the same records make the
//! same crew, whoever reads them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::CrewRefusal;
use super::{CrewVerb, is_task_name, is_token};

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// It waits for its worker.
    Queued,
    /// Its worker has a lease.
    Assigned,
    /// The worker is at it.
    Running,
    /// The worker asks something.
    Blocked,
    /// Its worker was lost; it waits for another try.
    RetryWait,
    /// The worker has given a result.
    Done,
    /// The worker gave up, or was lost too often.
    Failed,
    /// The manager called it off.
    Cancelled,
}

impl TaskState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Assigned,
        Self::Running,
        Self::Blocked,
        Self::RetryWait,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::RetryWait => "retry-wait",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it stays so unless the manager begins it anew.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Whether a worker has a lease.
    pub const fn is_leased(self) -> bool {
        matches!(self, Self::Assigned | Self::Running | Self::Blocked)
    }
}

/// What has happened to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum CrewEvent {
    /// The manager wants it done.
    Queued {
        /// What is to be done.
        goal: String,
        /// With what.
        input: String,
        /// By whom: a REF.
        worker: String,
        /// How many workers may be lost over it.
        attempts: u32,
        /// How long it waits after the first of them, in seconds.
        #[serde(default = "usual_wait")]
        retry: u32,
    },
    /// A worker has it, and nobody else.
    Assigned {
        /// The token that each reply has to carry.
        lease: String,
        /// How much of the context there was.
        context_seq: u64,
        /// The process of its agent, which alone has the lease.
        #[serde(default)]
        agent: Option<String>,
    },
    /// What became of the message that hands it out.
    Sent {
        /// Of which lease.
        lease: String,
        /// The outcome of its receipt.
        outcome: String,
        /// The receipt.
        receipt: Option<String>,
        /// Why it was not delivered.
        why: Option<String>,
    },
    /// Its worker replied.
    Reply {
        /// The token of the reply.
        lease: String,
        /// Its number: higher than that of the reply before it.
        seq: u64,
        /// What it says.
        verb: CrewVerb,
        /// The same in words.
        note: String,
        /// A file that belongs to it.
        artifact: Option<String>,
    },
    /// The manager answered what the worker asked.
    Answered {
        /// Of which lease.
        lease: String,
    },
    /// Its worker is seen to be gone.
    Freed {
        /// Of which lease.
        lease: String,
        /// What shows it.
        why: String,
    },
    /// The manager hands it out again.
    Requeued {
        /// To somebody else.
        worker: Option<String>,
    },
    /// The manager called it off.
    Cancelled {
        /// Why.
        why: String,
    },
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrewRecord {
    /// Its number, from 1.
    pub n: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub by: String,
    /// The task.
    pub task: String,
    /// What.
    #[serde(flatten)]
    pub event: CrewEvent,
}

/// Whether something that may happen is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is to be written down.
    New,
    /// It was written down already.
    Duplicate,
}

/// A task of a crew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrewTask {
    /// Its name.
    pub task: String,
    /// How far it is.
    pub state: TaskState,
    /// Who does it, or is to do it.
    pub worker: String,
    /// What is to be done.
    pub goal: String,
    /// With what.
    pub input: String,
    /// The lease, while somebody has one.
    pub lease: Option<String>,
    /// How often it was handed out.
    pub attempt: u32,
    /// How often it may be before it has failed.
    pub attempts: u32,
    /// The number of its worker's last reply.
    pub seq: u64,
    /// Since when it stands as it does.
    pub since: DateTime<Utc>,
    /// Not to be handed out again before then.
    pub retry_at: Option<DateTime<Utc>>,
    /// What its worker said last.
    pub note: Option<String>,
    /// The file that its worker named last.
    pub artifact: Option<String>,
    /// Why it stands as it does.
    pub why: Option<String>,
    /// What became of the message that hands it out; none: nobody has sent it yet.
    pub sent: Option<String>,
    /// The receipt of that.
    pub receipt: Option<String>,
    /// The process of the agent that has the lease.
    #[serde(skip)]
    pub agent: Option<String>,
    /// What was known when it was handed out.
    #[serde(skip)]
    pub context_seq: u64,
    /// The last reply, with its lease.
    #[serde(skip)]
    last: Option<(CrewVerb, String, String)>,
    /// The workers that were lost over it since it was queued.
    #[serde(skip)]
    losses: u32,
    /// How long it waits after the first of them, in seconds.
    #[serde(skip)]
    retry: u32,
}

/// All tasks of a crew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrewTasks {
    /// By their names.
    pub tasks: BTreeMap<String, CrewTask>,
    /// The number of the last record.
    pub last: u64,
}

/// How long a task waits after the first worker that was lost over it, in seconds.
const fn usual_wait() -> u32 {
    60
}

/// How long a task waits after so many workers were lost over it: twice as long each time, at most an hour, or as long as the first.
pub fn retry_wait(losses: u32, first: u32) -> TimeDelta {
    let first = i64::from(first);
    TimeDelta::seconds((first << losses.saturating_sub(1).min(20)).min(first.max(3600)))
}

impl CrewTasks {
    /// What the records of a log make.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a CrewRecord>) -> Self {
        let mut crew = Self::default();
        records.into_iter().for_each(|record| crew.apply(record));
        crew
    }

    /// The task of a name.
    ///
    /// # Errors
    /// [`CrewRefusal::NoSuchTask`].
    pub fn task(&self, task: &str) -> Result<&CrewTask, CrewRefusal> {
        self.tasks.get(task).ok_or_else(|| CrewRefusal::NoSuchTask(task.to_owned()))
    }

    /// Whether this may happen now.
    ///
    /// # Errors
    /// [`CrewRefusal`]: why not.
    pub fn judge(&self, task: &str, event: &CrewEvent) -> Result<Judgement, CrewRefusal> {
        if let CrewEvent::Queued { worker, .. } = event {
            let bad =
                Some(task).filter(|task| !is_task_name(task)).or(Some(worker.as_str()).filter(|worker| !is_token(worker)));
            if let Some(bad) = bad {
                return Err(CrewRefusal::BadName(bad.to_owned()));
            }
            return match self.tasks.contains_key(task) {
                true => Err(CrewRefusal::Taken(task.to_owned())),
                false => Ok(Judgement::New),
            };
        }
        let it = self.task(task)?;
        let state = |is_so: bool, what: &'static str| match is_so {
            true => Ok(Judgement::New),
            false => Err(CrewRefusal::State { task: task.to_owned(), state: it.state, what }),
        };
        let holds = |lease: &str| match it.lease.as_deref() == Some(lease) {
            true => Ok(()),
            false => {
                let now = Some(it.state.as_str().to_owned());
                Err(CrewRefusal::OldLease { task: task.to_owned(), lease: lease.to_owned(), now })
            }
        };
        match event {
            CrewEvent::Queued { .. } => Ok(Judgement::New),
            CrewEvent::Assigned { .. } => state(matches!(it.state, TaskState::Queued | TaskState::RetryWait), "assigned"),
            CrewEvent::Freed { lease, .. } => holds(lease).map(|()| Judgement::New),
            CrewEvent::Sent { lease, outcome, why, .. } => {
                holds(lease)?;
                let is_same = it.sent.as_ref() == Some(outcome) && (it.why == *why || it.seq > 0);
                Ok(if is_same { Judgement::Duplicate } else { Judgement::New })
            }
            CrewEvent::Answered { lease } => {
                holds(lease)?;
                state(it.state == TaskState::Blocked, "answered")
            }
            CrewEvent::Reply { lease, seq, verb, note, .. } => {
                if !CrewVerb::REPLIES.contains(verb) {
                    return Err(CrewRefusal::NoReply(*verb));
                }
                // What was its last word may be said again, also when that ended the lease.
                if *seq == it.seq && it.was_last(*verb, note, lease) {
                    return Ok(Judgement::Duplicate);
                }
                holds(lease)?;
                if *seq <= it.seq {
                    return Err(CrewRefusal::OldReply { task: task.to_owned(), seq: *seq, last: it.seq });
                }
                Ok(Judgement::New)
            }
            CrewEvent::Requeued { .. } => state(!matches!(it.state, TaskState::Queued | TaskState::Done), "queued again"),
            CrewEvent::Cancelled { .. } => match it.state {
                TaskState::Cancelled => Ok(Judgement::Duplicate),
                _ => state(!it.state.is_final(), "cancelled"),
            },
        }
    }

    /// Takes in a record. One that should never have been written changes nothing.
    pub fn apply(&mut self, record: &CrewRecord) {
        self.last = self.last.max(record.n);
        if self.judge(&record.task, &record.event) != Ok(Judgement::New) {
            return;
        }
        if let CrewEvent::Queued { goal, input, worker, attempts, retry } = &record.event {
            let task = CrewTask {
                task: record.task.clone(),
                state: TaskState::Queued,
                worker: worker.clone(),
                goal: goal.clone(),
                input: input.clone(),
                lease: None,
                attempt: 0,
                attempts: (*attempts).max(1),
                seq: 0,
                since: record.at,
                retry_at: None,
                note: None,
                artifact: None,
                why: None,
                sent: None,
                receipt: None,
                agent: None,
                context_seq: 0,
                last: None,
                losses: 0,
                retry: *retry,
            };
            self.tasks.insert(record.task.clone(), task);
            return;
        }
        if let Some(task) = self.tasks.get_mut(&record.task) {
            task.take(record);
        }
    }

    /// The task that a worker has, or had last, by any of its names.
    pub fn of_worker(&self, names: &[String]) -> Option<&CrewTask> {
        let its = self.tasks.values().filter(|task| names.contains(&task.worker) && task.attempt > 0);
        its.max_by_key(|task| (task.state.is_leased(), task.since))
    }

    /// The tasks that wait for their worker: it has no other lease, and they may be handed out by now. One a worker, the earliest first.
    pub fn due(&self, now: DateTime<Utc>) -> Vec<&CrewTask> {
        let leased = self.tasks.values().filter(|task| task.state.is_leased());
        let mut taken: BTreeSet<&str> = leased.map(|task| task.worker.as_str()).collect();
        let mut due: Vec<&CrewTask> = self
            .tasks
            .values()
            .filter(|task| match task.state {
                TaskState::Queued => true,
                TaskState::RetryWait => task.retry_at.is_none_or(|at| at <= now),
                _ => false,
            })
            .collect();
        due.sort_by_key(|task| task.since);
        due.retain(|task| taken.insert(&task.worker));
        due
    }
}

impl CrewTask {
    /// Whether that was the last word under this lease, also one that ended it.
    fn was_last(&self, verb: CrewVerb, note: &str, lease: &str) -> bool {
        self.last.as_ref().is_some_and(|(was, said, had)| *was == verb && said == note && had == lease)
    }

    /// The number of a reply that names none: the same again for the same word, unless that says only that its worker is still at it.
    pub fn reply_number(&self, verb: CrewVerb, note: &str, lease: &str) -> u64 {
        let is_again = !matches!(verb, CrewVerb::Heartbeat | CrewVerb::Status) && self.was_last(verb, note, lease);
        if is_again { self.seq } else { self.seq + 1 }
    }

    fn take(&mut self, record: &CrewRecord) {
        let stands = |task: &mut Self, state: TaskState, why: Option<&str>| {
            if task.state != state {
                task.since = record.at;
            }
            task.state = state;
            task.why = why.map(str::to_owned);
        };
        match &record.event {
            CrewEvent::Queued { .. } => {}
            CrewEvent::Assigned { lease, context_seq, agent } => {
                (self.lease, self.context_seq, self.seq, self.last) = (Some(lease.clone()), *context_seq, 0, None);
                (self.attempt, self.retry_at, self.agent) = (self.attempt + 1, None, agent.clone());
                (self.sent, self.receipt) = (None, None);
                stands(self, TaskState::Assigned, None);
            }
            CrewEvent::Sent { outcome, receipt, why, .. } => {
                (self.sent, self.receipt) = (Some(outcome.clone()), receipt.clone());
                // Once its worker has said something, that is why it stands as it does.
                if self.seq == 0 {
                    self.why.clone_from(why);
                }
            }
            CrewEvent::Answered { .. } => stands(self, TaskState::Running, None),
            CrewEvent::Reply { lease, seq, verb, note, artifact } => {
                (self.seq, self.last) = (*seq, Some((*verb, note.clone(), lease.clone())));
                if !note.is_empty() {
                    self.note = Some(note.clone());
                }
                if artifact.is_some() {
                    self.artifact.clone_from(artifact);
                }
                match verb {
                    CrewVerb::Ask => stands(self, TaskState::Blocked, Some(note)),
                    CrewVerb::Result => stands(self, TaskState::Done, None),
                    CrewVerb::Fail => stands(self, TaskState::Failed, Some(note)),
                    _ => stands(self, TaskState::Running, None),
                }
                if self.state.is_final() {
                    self.lease = None;
                }
            }
            CrewEvent::Freed { why, .. } => {
                (self.lease, self.losses) = (None, self.losses + 1);
                if self.losses >= self.attempts {
                    let why = format!("{} workers were lost over it, the last time: {why}", self.losses);
                    stands(self, TaskState::Failed, Some(&why));
                } else {
                    self.retry_at = record.at.checked_add_signed(retry_wait(self.losses, self.retry));
                    stands(self, TaskState::RetryWait, Some(why));
                }
            }
            CrewEvent::Requeued { worker } => {
                (self.lease, self.losses, self.retry_at) = (None, 0, None);
                if let Some(worker) = worker.as_ref().filter(|worker| is_token(worker)) {
                    self.worker.clone_from(worker);
                }
                stands(self, TaskState::Queued, None);
            }
            CrewEvent::Cancelled { why } => {
                self.lease = None;
                stands(self, TaskState::Cancelled, Some(why).filter(|why| !why.is_empty()).map(String::as_str));
            }
        }
    }
}
