//! One round of a crew: leases of workers that are gone are taken back, what waits is handed out, and each assignment is sent once a
//! lease. What may happen is decided in `core::crew`, and what may be typed by a send.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::worker::{TextFate, WorkerReach, WorkerStanding};
use super::{LeadError, new_id};
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::core::crew::{ContextKind, CrewEvent, CrewTask, CrewTasks, CrewVerb, Envelope, sanitise};
use crate::core::fact::Fact;
use crate::core::lead::BlockCode;
use crate::core::lead::send::SendOutcome;
use crate::core::manifest::lead::CrewRole;
use crate::core::observe::Process;
use crate::core::report::status::SessionRow;
use crate::host::Host;
use crate::store::crew::{CrewError, CrewHome, Saying};
use crate::store::paths::StateHome;

/// How the manager is called in the context.
pub const CREW_MANAGER: &str = "manager";

/// A worker that was looked at.
#[derive(Debug)]
pub struct WorkerLook {
    /// How it is reached.
    pub reach: WorkerReach,
    /// How it stands.
    pub standing: WorkerStanding,
}

/// Looks at these workers, once; one that nothing is said of is left alone.
pub type LookAtWorkers<'a> = &'a dyn Fn(&BTreeSet<String>) -> BTreeMap<String, WorkerLook>;

/// A round of a crew.
pub struct CrewRound<'a> {
    /// The world, in which agents are asked what they are doing.
    pub world: &'a Observer,
    /// The crew.
    pub home: &'a CrewHome,
    /// How workers are looked at.
    pub look: LookAtWorkers<'a>,
    /// Who hands out, for the record.
    pub by: &'a str,
    /// The pane that answers may go to.
    pub reply: Option<&'a str>,
    /// The user's home, which others are not told.
    pub user_home: Option<&'a str>,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct RoundEnd {
    /// The workers of open tasks that run, as processes.
    pub processes: BTreeSet<u32>,
    /// When a task may be handed out by the time alone.
    pub due: Option<DateTime<Utc>>,
    /// Whether something waits for what nobody says.
    pub is_waiting: bool,
    /// What went wrong beside it.
    pub notes: Vec<String>,
}

/// A random word: a key, or a lease.
pub fn crew_token() -> Option<String> {
    new_id().map(|id| id.as_str().replace('-', ""))
}

/// A process, as the log names it: by what nobody sets.
fn named(host: &dyn Host, process: Process) -> Option<String> {
    match host.stat(process.pid) {
        Fact::Seen(stat) => Some(format!("{}@{}", process.pid, stat.start_ticks?)),
        Fact::Absent | Fact::Unknown(_) => None,
    }
}

/// Outcomes after which nothing was typed.
const UNSENT: [&str; 2] = [SendOutcome::Held.as_str(), SendOutcome::Refused.as_str()];
/// Outcomes after which it is to be found out what became of a text.
const OPEN: [&str; 3] = [SendOutcome::Waiting.as_str(), SendOutcome::Unverified.as_str(), SendOutcome::Rejected.as_str()];

impl CrewRound<'_> {
    /// Makes it.
    ///
    /// # Errors
    /// The files of the crew cannot be used.
    pub fn run(&self) -> Result<RoundEnd, CrewError> {
        let now = self.world.host.now();
        let mut end = RoundEnd::default();
        let tasks = self.home.tasks()?;
        let leased = tasks.tasks.values().filter(|task| task.state.is_leased());
        let workers: BTreeSet<String> = leased.chain(tasks.due(now)).map(|task| task.worker.clone()).collect();
        if !workers.is_empty() {
            let looks = (self.look)(&workers);
            end.processes = looks.values().filter_map(|look| Some(look.standing.process()?.pid)).collect();
            self.free(&tasks, &looks, &mut end)?;
            self.assign(&looks, now, &mut end)?;
            for task in self.home.tasks()?.tasks.values().filter(|task| is_unsent(task)) {
                if let Some(look) = looks.get(&task.worker) {
                    self.hand_out(task, look, &mut end)?;
                }
            }
        }
        let tasks = self.home.tasks()?;
        let waits = |task: &&CrewTask| is_unsent(task) || (is_sent_as(task, &OPEN) && task.seq == 0);
        end.is_waiting = !tasks.due(now).is_empty() || tasks.tasks.values().any(|task| waits(&task));
        let retries = tasks.tasks.values().filter(|task| !task.state.is_final() && !task.state.is_leased());
        end.due = retries.filter_map(|task| task.retry_at).filter(|at| *at > now).min();
        Ok(end)
    }

    /// Takes back the leases of workers that are gone, and of messages that never reached theirs.
    fn free(&self, tasks: &CrewTasks, looks: &BTreeMap<String, WorkerLook>, end: &mut RoundEnd) -> Result<(), CrewError> {
        for task in tasks.tasks.values().filter(|task| task.state.is_leased()) {
            let (Some(lease), Some(look)) = (&task.lease, looks.get(&task.worker)) else { continue };
            let event = match self.lost(task, look).map(|why| CrewEvent::Freed { lease: lease.clone(), why }) {
                None => self.news(task, lease, look),
                freed => freed,
            };
            let Some(event) = event else { continue };
            let is_freed = matches!(event, CrewEvent::Freed { .. });
            // Its worker may just have replied: then the lease is another one, or none.
            match self.home.write()?.happen(self.by, &task.task, event, self.world.host.now()) {
                Ok(_) if is_freed => end.notes.extend(take_back(self.world, task, &look.reach)),
                Ok(_) | Err(CrewError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What shows that the worker of a task is gone.
    fn lost(&self, task: &CrewTask, look: &WorkerLook) -> Option<String> {
        match &look.standing {
            WorkerStanding::Over(why) => Some(why.clone()),
            WorkerStanding::Unknown(_) => None,
            WorkerStanding::Alive { process, .. } => {
                let (had_it, now) = (task.agent.as_ref()?, named(self.world.host.as_ref(), *process)?);
                (*had_it != now).then(|| "the agent that had it has ended, and another runs there now".to_owned())
            }
        }
    }

    /// What became of the message of a task since it was sent.
    fn news(&self, task: &CrewTask, lease: &str, look: &WorkerLook) -> Option<CrewEvent> {
        let receipt = task.receipt.as_ref().filter(|_| is_sent_as(task, &OPEN) && task.seq == 0)?;
        let is_idle = matches!(look.standing, WorkerStanding::Alive { is_idle: true, .. });
        let lease = lease.to_owned();
        let freed = |why: &str| Some(CrewEvent::Freed { lease: lease.clone(), why: why.to_owned() });
        match look.reach.fate(self.world, receipt) {
            TextFate::Is(outcome) if task.sent.as_deref() != Some(outcome.as_str()) => {
                let (outcome, receipt) = (outcome.as_str().to_owned(), task.receipt.clone());
                Some(CrewEvent::Sent { lease, outcome, receipt, why: None })
            }
            TextFate::TakenBack => freed("its message was taken back, or waited too long"),
            // One that works may have it, and has not written that down yet.
            TextFate::NotThere if is_idle => freed("its message was typed, and its worker never got it"),
            TextFate::Waits | TextFate::NotThere | TextFate::Is(_) | TextFate::Unknown => None,
        }
    }

    /// Gives the next task to each worker that runs and has none.
    fn assign(&self, looks: &BTreeMap<String, WorkerLook>, now: DateTime<Utc>, end: &mut RoundEnd) -> Result<(), CrewError> {
        let is_there = |task: &&CrewTask| looks.get(&task.worker).is_some_and(|look| look.standing.process().is_some());
        if !self.home.tasks()?.due(now).iter().any(is_there) {
            return Ok(());
        }
        // Somebody else may hand out at the same time.
        let mut writer = self.home.write()?;
        let due: Vec<CrewTask> = writer.tasks().due(now).into_iter().filter(is_there).cloned().collect();
        for task in due {
            let process = looks.get(&task.worker).and_then(|look| look.standing.process());
            let agent = process.and_then(|process| named(self.world.host.as_ref(), process));
            // It may have ended since.
            let Some(agent) = agent else { continue };
            let Some(lease) = crew_token() else {
                end.notes.push("the system gives no random numbers, so no task is handed out".to_owned());
                return Ok(());
            };
            let context_seq = writer.last_context()?;
            let assigned = CrewEvent::Assigned { lease, context_seq, agent: Some(agent) };
            writer.happen(self.by, &task.task, assigned, now)?;
            let summary = sanitise(&task.goal, self.user_home);
            let saying = Saying {
                task: &task.task,
                from: CREW_MANAGER,
                to: &task.worker,
                kind: ContextKind::Said(CrewVerb::TaskAssign),
                summary: &summary,
                artifact: None,
            };
            writer.say(&saying, now)?;
        }
        Ok(())
    }

    /// Sends an assignment, once a lease, to the agent that has it.
    fn hand_out(&self, task: &CrewTask, look: &WorkerLook, end: &mut RoundEnd) -> Result<(), CrewError> {
        let (Some(lease), WorkerStanding::Alive { process, .. }) = (&task.lease, &look.standing) else { return Ok(()) };
        let is_its = |agent: &String| named(self.world.host.as_ref(), *process).as_ref() == Some(agent);
        if !task.agent.as_ref().is_none_or(is_its) {
            return Ok(());
        }
        let text = match self.assignment(task, lease) {
            Ok(text) => text,
            Err(why) => {
                end.notes.push(why);
                return Ok(());
            }
        };
        let key = format!("crew {} {} {lease}", self.home.name, task.task);
        let lease = lease.clone();
        let sent = match look.reach.send(self.world, text, key) {
            // Nothing was typed, and another headcount may just be sending it: that one says what became of it.
            Ok(receipt) if receipt.outcome == SendOutcome::Held && receipt.code == Some(BlockCode::Busy) => return Ok(()),
            Ok(receipt) => {
                let outcome = receipt.outcome;
                let is_delivered = matches!(outcome, SendOutcome::Delivered | SendOutcome::Queued | SendOutcome::Waiting);
                CrewEvent::Sent {
                    lease,
                    outcome: outcome.as_str().to_owned(),
                    receipt: receipt.id.as_ref().map(|id| id.as_str().to_owned()),
                    why: (!is_delivered).then_some(receipt.message),
                }
            }
            Err(error) => {
                let why = Some(line(&error));
                CrewEvent::Sent { lease, outcome: SendOutcome::Refused.as_str().to_owned(), receipt: None, why }
            }
        };
        // A worker that is held for hours needs no line for each look; one that is done has no lease any more.
        match self.home.write()?.happen(self.by, &task.task, sent, self.world.host.now()) {
            Ok(_) | Err(CrewError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn assignment(&self, task: &CrewTask, lease: &str) -> Result<String, String> {
        let artifacts = self.home.artifacts().join(&task.task);
        let envelope = Envelope {
            verb: CrewVerb::TaskAssign,
            task: task.task.clone(),
            worker: task.worker.clone(),
            seq: u64::from(task.attempt),
            reply: self.reply.map(str::to_owned),
            context_seq: task.context_seq,
            lease: lease.to_owned(),
            texts: vec![
                ("goal".to_owned(), task.goal.clone()),
                ("input".to_owned(), task.input.clone()),
                ("artifact_dir".to_owned(), artifacts.to_string_lossy().into_owned()),
            ],
        };
        let head = envelope.line().map_err(|error| format!("task {} cannot be handed out: {error}", task.task))?;
        let how = format!(
            "Reply with: headcount crew reply {} ACCEPT|STATUS|ASK|RESULT|FAIL 'NOTE' --task {} --lease {lease}",
            shell_words::quote(&self.home.path().to_string_lossy()),
            shell_words::quote(&task.task),
        );
        Ok(format!("{head}\n{how}"))
    }
}

/// Takes a text back that still waits for a worker which has lost its lease. Gives why it was not.
pub fn take_back(world: &Observer, task: &CrewTask, reach: &WorkerReach) -> Option<String> {
    let receipt = task.receipt.as_ref().filter(|_| is_sent_as(task, &[SendOutcome::Waiting.as_str()]))?;
    let why = reach.take_back(world, receipt).err()?;
    Some(format!("a text that waits for {} was not taken back: {why}", task.worker))
}

/// Puts into the rows of members of crews what they work on. What cannot be read says nothing.
pub fn complete_crews<'a>(state: &StateHome, manifest: &Path, rows: impl Iterator<Item = &'a mut SessionRow>) {
    let manifest = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
    let mut known: BTreeMap<String, CrewTasks> = BTreeMap::new();
    for row in rows {
        let key = &row.session;
        let names = [key.name.clone(), format!("{}:{}:{}", key.mux, key.server, key.name)];
        let Some(crew) = row.crew.as_mut().filter(|crew| crew.role == CrewRole::Worker) else { continue };
        let tasks = known.entry(crew.name.clone()).or_insert_with(|| {
            let home = CrewHome::open(&CrewHome::declared_at(state, &manifest, &crew.name));
            home.and_then(|home| home.tasks()).unwrap_or_default()
        });
        let task = tasks.of_worker(&names);
        (crew.task, crew.state) = (task.map(|task| task.task.clone()), task.map(|task| task.state));
    }
}

fn is_sent_as(task: &CrewTask, outcomes: &[&str]) -> bool {
    task.state.is_leased() && task.sent.as_deref().is_some_and(|sent| outcomes.contains(&sent))
}

fn is_unsent(task: &CrewTask) -> bool {
    task.state.is_leased() && task.seq == 0 && (task.sent.is_none() || is_sent_as(task, &UNSENT))
}

fn line(error: &LeadError) -> String {
    PassError::line(error)
}
