//! One operation after another: lock, look, judge again, begin, act, wait for what proves it, end. What comes next is for the machines
//! in `core::lead` to say.

mod dialogs;
mod entry;
mod hold;
mod lifecycle;
mod quit;
mod relocate;
mod rename;
mod report;
mod start;
mod stop;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::act::{self, Deed};
use super::led::{WatchScene, runs_of};
use super::{LeadError, LeadRequest, Planned, about, effects, plan_patiently, recover};
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, Pass, PassError, PassOptions};
use crate::core::drift::EntryVerdict;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::enforce::LedEntry;
use crate::core::lead::{
    Action, ActionKind, BlockCode, Judged, Operation, OperationReport, Outcome, Standing, Target, Wish, lead_fields,
};
use crate::core::manifest::Session;
use crate::core::text::printable;
use crate::fault;
use crate::store::operations::{LedgerFile, OperationFiles, Operations, SessionLock};
pub use entry::{forget_all, remove_all, stop_and_forget_all};
pub use hold::{handoff, release, release_operation};
pub use relocate::relocate;
pub use rename::rename;
use report::OperationDraft;

/// The shortest and the longest time between two looks while something is waited for.
const LOOKS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// How long what an agent ran in may take to go, once the agent has.
const SETTLES: Duration = Duration::from_secs(3);

/// The most that counts of the time between two looks.
const COUNTS: TimeDelta = TimeDelta::seconds(5);

/// The time as it counts for what is waited for: no clock that is set, no suspended host and no stopped process uses it up.
struct WaitClock {
    at: DateTime<Utc>,
    read: Instant,
}

impl WaitClock {
    fn begin(at: DateTime<Utc>) -> Self {
        Self { at, read: Instant::now() }
    }

    fn now(&mut self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.read.elapsed()).unwrap_or(COUNTS);
        self.read = Instant::now();
        self.at += passed.min(COUNTS);
        self.at
    }
}

/// What is told while operations go on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// One begins.
    Begun {
        /// The session.
        session: &'a SessionKey,
        /// What is done to it.
        action: ActionKind,
    },
    /// One has ended.
    Ended(&'a OperationReport),
    /// Something went wrong beside it.
    Note(&'a str),
}

/// Told of progress, from any thread.
type Tell<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

/// Does what was planned. Gives what became of each session that something is wanted of, in the order of the manifest.
pub fn carry_out(world: &Observer, request: &LeadRequest, planned: &Planned, tell: Tell<'_>) -> Vec<OperationReport> {
    let manifest = planned.pass.manifest();
    let engine = Engine::new(world, request, planned, tell);
    engine.note_wishes(planned);
    engine.resolve_others(planned);
    let mut todo = VecDeque::new();
    let mut done = Vec::new();
    for one in &planned.judged {
        let Some(session) = manifest.sessions.get(one.index) else { continue };
        match &one.standing {
            Standing::Unled => {}
            Standing::Met(_) if request.wish == Wish::Manifest => {}
            Standing::Met(how) => {
                let report = OperationDraft::new(session, request).skipped(how);
                tell(Progress::Ended(&report));
                done.push((one.index, report));
            }
            Standing::Blocked(blocked) => {
                engine.remember_use(&session.key, blocked);
                let report = OperationDraft::new(session, request).refused(blocked.code, blocked.message.clone());
                tell(Progress::Ended(&report));
                done.push((one.index, report));
            }
            Standing::Planned(action) => todo.push_back((one.index, session.as_ref(), action)),
        }
    }
    let parallel = manifest.lead.parallel.map_or(request.parallel, |most| most as usize).clamp(1, todo.len().max(1));
    let (todo, done) = (Mutex::new(todo), Mutex::new(done));
    let work = || {
        loop {
            let next = todo.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((index, session, action)) = next else { return };
            let report = engine.run(session, action);
            tell(Progress::Ended(&report));
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, report));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..parallel {
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, report)| report).collect()
}

/// What was planned, and shown to whoever was asked.
struct Shown<'a> {
    action: &'a Action,
    /// A digest of each lead field that it is done with.
    fields: std::collections::BTreeMap<String, String>,
}

struct Engine<'a> {
    world: &'a Observer,
    request: &'a LeadRequest,
    tell: Tell<'a>,
    ledger: LedgerFile,
    operations: Operations,
    manifest: String,
    ready: Duration,
    spacing: Duration,
    last_start: Mutex<Option<Instant>>,
}

impl<'a> Engine<'a> {
    fn new(world: &'a Observer, request: &'a LeadRequest, planned: &Planned, tell: Tell<'a>) -> Self {
        let policy = &planned.pass.manifest().lead;
        Self {
            world,
            request,
            tell,
            ledger: LedgerFile::new(&request.pass.state_home),
            operations: Operations::new(&request.pass.state_home),
            manifest: planned.pass.path().to_string_lossy().into_owned(),
            ready: policy.ready.unwrap_or(Duration::from_secs(60)),
            spacing: policy.spacing.unwrap_or(Duration::from_secs(1)),
            last_start: Mutex::new(None),
        }
    }

    /// Notes since when each entry wants what it wants now, and that this manifest leads it: whoever asks for everything asks for
    /// what runs already as well.
    fn note_wishes(&self, planned: &Planned) {
        use BlockCode::{Elsewhere, LedElsewhere, NotAllowed};
        let scene = WatchScene::new(self.world.host.as_ref(), &planned.pass);
        let is_meant = |one: &&Judged| match &one.standing {
            Standing::Blocked(blocked) => !matches!(blocked.code, Elsewhere | LedElsewhere | NotAllowed),
            Standing::Met(_) | Standing::Planned(_) => true,
            Standing::Unled => false,
        };
        let meant: Vec<usize> = planned.judged.iter().filter(is_meant).map(|one| one.index).collect();
        let past = std::cell::OnceCell::new();
        let runs = |session: &Session| {
            let (all, seen) = (past.get_or_init(|| self.operations.all()), planned.pass.observation());
            runs_of(self.world.host.as_ref(), all, session, seen.boot.seen(), seen.at)
        };
        self.note(self.ledger.change(|ledger| {
            for entry in meant.iter().filter_map(|index| scene.entry(*index)) {
                let acted = ledger.entry(&entry.session.key);
                let is_led = acted.led_by.as_ref().is_some_and(|leader| *leader != self.manifest && Path::new(leader).exists());
                if entry.session.lead.desired.is_some() && (self.request.take || !is_led) {
                    acted.led_by = Some(self.manifest.clone());
                }
                let runs = || runs(entry.session);
                LedEntry { runs: &runs, ..entry }.remember(acted);
            }
        }));
    }

    /// Tells of what went wrong beside an operation.
    fn note<T, E: std::error::Error>(&self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                (self.tell)(Progress::Note(&format!("{error}{cause}")));
                None
            }
        }
    }

    /// Tells of what went wrong beside an operation, in one line.
    fn tell_of(&self, result: Result<(), String>) {
        if let Err(why) = result {
            (self.tell)(Progress::Note(&why));
        }
    }

    /// Resolves what an earlier headcount left open of sessions that nothing is to be done to: nothing may come of it later. Those
    /// are also the sessions whose entries are gone or have another name by now.
    fn resolve_others(&self, planned: &Planned) {
        let manifest = planned.pass.manifest();
        let open: BTreeSet<SessionKey> = self.operations.open().into_iter().map(|past| past.operation.session).collect();
        for key in open {
            let entry = manifest.find(&key);
            let judged = planned.judged.iter().find(|one| entry.is_some_and(|session| session.index == one.index));
            if entry.is_some() && judged.is_none_or(|one| matches!(one.standing, Standing::Planned(_))) {
                continue;
            }
            let resolved = self.lock(&key).map_err(|(_, why)| why).and_then(|_lock| {
                recover::resolve(self.world, &self.operations, &key, false).map_err(|blocked| blocked.message)
            });
            // What has no entry here may be another manifest's, which says it.
            if let (Some(_), Err(why)) = (entry, resolved) {
                (self.tell)(Progress::Note(&format!("{key}: {why}")));
            }
        }
    }

    /// Does one thing to one session.
    fn run(&self, session: &Session, action: &Action) -> OperationReport {
        let (key, kind) = (&session.key, action.kind);
        let shown = Shown { action, fields: lead_fields(session) };
        (self.tell)(Progress::Begun { session: key, action: kind });
        if kind != ActionKind::Restart {
            return self.step((key, session.agent), kind, self.request.wish, Some(&shown));
        }
        // What it goes on in has to be recorded before it ends.
        self.record(key);
        let begun = Instant::now();
        let stopped = self.step((key, session.agent), ActionKind::Stop, Wish::Restart, Some(&shown));
        let report = match stopped.outcome {
            Outcome::Done | Outcome::Skipped => match self.start_again((key, session.agent)) {
                report if matches!(report.outcome, Outcome::Failed | Outcome::Refused) => {
                    let (why, name) = (report.why.unwrap_or_default(), printable(&key.name));
                    let why =
                        format!("{why}; it was stopped for that, and `headcount start {name}` goes on in its conversation");
                    OperationReport { why: Some(why), ..report }
                }
                report => report,
            },
            Outcome::Failed | Outcome::Refused | Outcome::Unverified => stopped,
        };
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        OperationReport { action: ActionKind::Restart, took_ms, ..report }
    }

    /// The second half of a restart.
    fn start_again(&self, (key, agent): (&SessionKey, AgentKind)) -> OperationReport {
        let until = Instant::now() + self.ready;
        loop {
            let report = self.step((key, agent), ActionKind::Resume, Wish::Start { fresh: false }, None);
            // A server that ends with its last session says nothing that could be understood, and who is in the conversation is most
            // likely what is left of the agent that was just ended. Nobody wants it left stopped for that.
            let is_momentary = matches!(report.code, Some(BlockCode::Unknown | BlockCode::Claimed));
            if report.outcome != Outcome::Refused || !is_momentary || Instant::now() > until {
                return report;
            }
            std::thread::sleep(LOOKS[1]);
        }
    }

    /// One operation: looks at the session under its lock, and acts on what is so now.
    fn step(
        &self,
        (key, agent): (&SessionKey, AgentKind),
        kind: ActionKind,
        wish: Wish,
        shown: Option<&Shown<'_>>,
    ) -> OperationReport {
        let report = OperationDraft::of(key, agent, kind);
        let lock = match self.lock(key) {
            Ok(lock) => lock,
            Err((code, why)) => return report.refused(code, why),
        };
        if let Err(blocked) = recover::resolve(self.world, &self.operations, key, self.request.now || self.request.kill) {
            return report.refused(blocked.code, blocked.message);
        }
        let request = about(self.request, key, wish);
        let planned = match plan_patiently(self.world, &request) {
            Ok(planned) => planned,
            Err(error) => return report.failed(Outcome::Failed, line(&error)),
        };
        let sessions = &planned.pass.manifest().sessions;
        let found = planned.judged.iter().find_map(|one| {
            let session = sessions.get(one.index).filter(|session| session.key == *key)?;
            Some((session, &one.standing))
        });
        let Some((session, standing)) = found else {
            return report.failed(Outcome::Failed, "its entry is gone".to_owned());
        };
        let action = match standing {
            Standing::Unled => return report.skipped("nothing is wanted of it"),
            Standing::Met(how) => return report.skipped(how),
            Standing::Blocked(blocked) => return report.refused(blocked.code, blocked.message.clone()),
            Standing::Planned(action) => action.clone(),
        };
        if kind == ActionKind::Stop && matches!(action.kind, ActionKind::Start | ActionKind::Resume) {
            return report.skipped("not running");
        }
        let is_as_shown = |shown: &&Shown<'_>| {
            let is_same = shown.action.conversation == action.conversation || action.kind == ActionKind::Restart;
            shown.action.kind == action.kind && is_same && shown.fields == lead_fields(session)
        };
        if shown.is_some() && shown.filter(is_as_shown).is_none() {
            return report
                .refused(BlockCode::Busy, "what is to be done has changed since it was shown; run it again".to_owned());
        }
        let report = match action.kind {
            ActionKind::Start | ActionKind::Resume => self.start(report, &planned.pass, session, action, lock),
            // A restart is a stop, and then a start.
            ActionKind::Stop | ActionKind::Restart => self.stop(report, &planned.pass, session, (action, wish), lock),
            ActionKind::Remove
            | ActionKind::Forget
            | ActionKind::Rename
            | ActionKind::Move
            | ActionKind::Handoff
            | ActionKind::Send
            | ActionKind::Answer
            | ActionKind::Release => report.failed(Outcome::Failed, "internal error: it is not one step".to_owned()),
        };
        self.tell_job(&planned.pass, session, &report);
        report
    }

    fn lock(&self, key: &SessionKey) -> Result<SessionLock, (BlockCode, String)> {
        act::lock(self.world, self.request, key).map_err(|blocked| (blocked.code, blocked.message))
    }

    fn operation(&self, session: &Session, action: &Action) -> Operation {
        let deed = Deed {
            action: action.kind,
            session: &session.key,
            agent: session.agent,
            conversation: action.conversation.as_ref(),
        };
        let renaming = match &action.target {
            Target::Renamed(renaming) => Some(renaming.clone()),
            _ => None,
        };
        Operation { renaming, ..act::operation(self.world, self.request, &deed) }
    }

    /// Ends an operation on disk. What nobody has begun by now, nobody begins later.
    fn end(&self, files: &OperationFiles, report: OperationReport) -> OperationReport {
        if matches!(report.action, ActionKind::Start | ActionKind::Resume) && files.launched().is_none() {
            self.note(files.close());
        }
        // What the pane showed is for whoever asked, and stays nowhere.
        self.note(files.end(&OperationReport { screen_tail: None, ..report.clone() }));
        report
    }

    /// Lets a pass record what is so now.
    fn record(&self, key: &SessionKey) {
        let PassOptions { selection, .. } = about(self.request, key, Wish::Manifest).pass;
        let options =
            PassOptions { mode: Mode::Record, settle: Duration::ZERO, selection, consumer: None, ..self.request.pass.clone() };
        let recorded = fault::around("record what is so", || pass::run(self.world, &options));
        self.note(recorded.map(|_| ()).map_err(LeadError::from));
    }
}

/// An entry and what was concluded about it.
fn entry_of<'a>(pass: &'a Pass, key: &SessionKey) -> Option<(&'a Session, &'a EntryVerdict)> {
    let session = pass.manifest().sessions.iter().find(|session| session.key == *key)?;
    Some((session, pass.verdict().entries.get(session.index)?))
}

/// An error and its causes on one line.
fn line(error: &dyn std::error::Error) -> String {
    PassError::line(error)
}
