//! The way of a message from the broker into the registry: taken in batches, written, and only then acknowledged. Never
//! decides whether an event is believed.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use chrono::Utc;
use rustix::fs::Access;
use rustix::io::Errno;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::bus::{Message, Payload, Publisher};
use crate::control::pass::PassError;
use crate::core::fleet::{HostState, SessionState};
use crate::core::job::DropReason;
use crate::store::jobs::{self, JobsError, Registry};

/// The most messages that are written at once: what may wait on the way here.
const BATCH: usize = 256;

/// The wait before what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// What became of a batch.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::control::watch) struct Heard {
    /// Events that are in the registry now.
    pub(super) written: u64,
    /// Those that were dropped, and one topic of each kind.
    pub(super) dropped: BTreeMap<DropReason, (u64, String)>,
    /// Why something could not be written; it is tried again, unless it is the job's own files that are broken.
    pub(super) trouble: Option<String>,
    /// Topics of sessions that an earlier run has left behind.
    pub(super) left: Vec<String>,
}

/// The task that does it.
pub(super) struct BrokerReceiver {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What of the topics that a host publishes is this watch's.
pub(super) struct Ours {
    /// The topic of the host's state.
    pub(super) state: String,
    /// What topics of sessions begin with.
    pub(super) sessions: String,
    /// The manifest whose sessions are ours.
    pub(super) manifest: String,
}

struct Work {
    publisher: Publisher,
    registry: Option<Registry>,
    root: String,
    ours: Option<Ours>,
    tell: mpsc::Sender<Heard>,
}

impl BrokerReceiver {
    pub(super) fn start(
        messages: mpsc::Receiver<Message>,
        publisher: Publisher,
        registry: Option<Registry>,
        root: String,
        ours: Option<Ours>,
    ) -> (Self, mpsc::Receiver<Heard>) {
        let (tell, heard) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let work = Work { publisher, registry, root, ours, tell };
        (Self { stop, task: tokio::spawn(work.go(messages, stopped)) }, heard)
    }

    /// Ends it once the batch that is being written is written.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

impl Work {
    async fn go(self, mut messages: mpsc::Receiver<Message>, mut stopped: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let taken = tokio::select! {
                biased;
                _ = stopped.changed() => return,
                taken = messages.recv_many(&mut batch, BATCH) => taken,
            };
            if taken == 0 {
                return;
            }
            let (events, mut heard) = self.sort(std::mem::take(&mut batch));
            if self.write(events, &mut heard, &mut stopped).await.is_err() {
                return;
            }
            tokio::select! {
                _ = stopped.changed() => return,
                told = self.tell.send(heard) => if told.is_err() { return },
            }
        }
    }

    /// What is no event is done with at once.
    fn sort(&self, batch: Vec<Message>) -> (Vec<Message>, Heard) {
        let mut heard = Heard::default();
        let mut events = Vec::with_capacity(batch.len());
        for message in batch {
            let ours = self.ours.as_ref();
            let session = ours.filter(|ours| message.topic.starts_with(&ours.sessions)).map(|ours| &ours.manifest);
            match (&message.payload, session) {
                (Payload::Whole(payload), None) if ours.is_some_and(|ours| ours.state == message.topic) => {
                    if let Ok(kept) = HostState::parse(payload) {
                        self.publisher.outlive(&kept);
                    }
                    self.publisher.acknowledge(&[message]);
                }
                (Payload::Whole(payload), Some(manifest)) => {
                    // Ours come back to us as well; only what the broker had kept can be an earlier run's.
                    let is_left =
                        message.retained && SessionState::parse(payload).is_ok_and(|state| state.manifest == *manifest);
                    if is_left {
                        heard.left.push(message.topic.clone());
                    }
                    self.publisher.acknowledge(&[message]);
                }
                (Payload::TooLong(_), _) => {
                    heard.drop(DropReason::TooLong, &message.topic);
                    self.publisher.acknowledge(&[message]);
                }
                (Payload::Whole(_), None) => events.push(message),
            }
        }
        (events, heard)
    }

    /// Writes events and acknowledges them. What cannot be written is tried again for as long as nothing can be: the broker
    /// keeps it meanwhile, and what follows it.
    async fn write(&self, events: Vec<Message>, heard: &mut Heard, stopped: &mut watch::Receiver<bool>) -> Result<(), ()> {
        let Some(registry) = self.registry.clone().filter(|_| !events.is_empty()) else { return Ok(()) };
        let mut events = events;
        loop {
            let (registry, root) = (registry.clone(), self.root.clone());
            let written = tokio::task::spawn_blocking(move || (receive(&registry, &events, &root), events)).await;
            let Ok((outcome, tried)) = written else {
                heard.trouble = Some("internal error: writing an event panicked".to_owned());
                return Ok(());
            };
            let Received { done, heard: now, stuck } = outcome;
            let left = tried.get(done..).unwrap_or_default().to_vec();
            self.publisher.acknowledge(tried.get(..done).unwrap_or_default());
            let Some(why) = stuck else {
                heard.add(now);
                return Ok(());
            };
            self.tell.send(Heard { trouble: Some(why), ..now }).await.map_err(|_| ())?;
            events = left;
            tokio::select! {
                _ = stopped.changed() => return Err(()),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }
}

/// What was done with events.
struct Received {
    /// So many of them, from the first on, need not be tried again.
    done: usize,
    heard: Heard,
    /// Why the next one has to be.
    stuck: Option<String>,
}

/// Writes events at once, or, if that cannot be done, one by one: one job's broken files are no reason to lose another's events.
/// Whatever may pass (no room, a lock, too many open files) stops it at the event it hit: a later one of the same job must not be
/// written before it.
fn receive(registry: &Registry, events: &[Message], root: &str) -> Received {
    let whole = |message: &Message| match &message.payload {
        Payload::Whole(payload) => payload.clone(),
        Payload::TooLong(_) => Vec::new(),
    };
    let payloads: Vec<Vec<u8>> = events.iter().map(whole).collect();
    let messages: Vec<jobs::EventMessage<'_>> =
        events.iter().zip(&payloads).map(|(event, payload)| jobs::EventMessage { topic: &event.topic, payload }).collect();
    let take = |messages: &[jobs::EventMessage<'_>], heard: &mut Heard| -> Result<(), JobsError> {
        let answers = registry.receive(messages, root, Utc::now())?;
        for (message, answer) in messages.iter().zip(answers) {
            match answer {
                Ok(_) => heard.written += 1,
                Err(dropped) => heard.drop(dropped, message.topic),
            }
        }
        Ok(())
    };
    let mut heard = Heard::default();
    let whole = match take(&messages, &mut heard) {
        Ok(()) => return Received { done: messages.len(), heard, stuck: None },
        Err(error) => error,
    };
    if passes(&whole, registry) {
        return Received { done: 0, heard, stuck: Some(PassError::line(&whole)) };
    }
    for (done, message) in messages.chunks(1).enumerate() {
        match take(message, &mut heard) {
            Ok(()) => {}
            Err(error) if passes(&error, registry) => return Received { done, heard, stuck: Some(PassError::line(&error)) },
            Err(error) => heard.trouble = Some(PassError::line(&error)),
        }
    }
    Received { done: messages.len(), heard, stuck: None }
}

/// Whether it is no matter of one job's files, and may pass: then nothing may be given up.
fn passes(error: &JobsError, registry: &Registry) -> bool {
    let JobsError::Io { source, .. } = error else { return matches!(error, JobsError::Locked { .. }) };
    let is_exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO, Errno::STALE]
        .iter()
        .any(|errno| source.raw_os_error() == Some(errno.raw_os_error()));
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem | ErrorKind::FileTooLarge => true,
        // One job's file, or the directory and with it all of them.
        ErrorKind::PermissionDenied => rustix::fs::access(registry.path(), Access::WRITE_OK | Access::EXEC_OK).is_err(),
        _ => is_exhausted,
    }
}

impl Heard {
    fn drop(&mut self, kind: DropReason, topic: &str) {
        self.dropped.entry(kind).or_insert_with(|| (0, topic.to_owned())).0 += 1;
    }

    fn add(&mut self, other: Self) {
        self.written += other.written;
        for (kind, (count, topic)) in other.dropped {
            self.dropped.entry(kind).or_insert((0, topic)).0 += count;
        }
        self.trouble = other.trouble.or(self.trouble.take());
        self.left.extend(other.left);
    }
}
