//! One operation after another: lock, look, judge again, begin, act, wait for what proves it, end. What comes next is for the machines
//! in `core::lead` to say.

mod dialogs;
mod entry;
mod rename;
mod report;
mod start;
mod stop;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::led::WatchScene;
use super::{LeadError, LeadRequest, Planned, about, effects, plan, recover};
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, Pass, PassError, PassOptions};
use crate::core::drift::EntryVerdict;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::{
    Action, ActionKind, BlockCode, Judged, Operation, OperationId, OperationReport, Outcome, Standing, Target, Wish,
    lead_fields,
};
use crate::core::manifest::Session;
use crate::mux::tmux::address;
use crate::store::operations::{LedgerFile, LockError, OperationFiles, Operations, SessionLock};
pub use entry::{forget_all, remove_all, stop_and_forget_all};
pub use rename::rename;
use report::OperationDraft;

/// The shortest and the longest time between two looks while something is waited for.
const LOOKS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

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
    count: AtomicU32,
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
            count: AtomicU32::new(0),
        }
    }

    /// Notes since when each entry wants what it wants now, and that this manifest leads it: whoever asks for everything asks for
    /// what runs already as well.
    fn note_wishes(&self, planned: &Planned) {
        use BlockCode::{Elsewhere, LedElsewhere, NotAllowed};
        let scene = WatchScene::new(&planned.pass);
        let is_meant = |one: &&Judged| match &one.standing {
            Standing::Blocked(blocked) => !matches!(blocked.code, Elsewhere | LedElsewhere | NotAllowed),
            Standing::Met(_) | Standing::Planned(_) => true,
            Standing::Unled => false,
        };
        let meant: Vec<usize> = planned.judged.iter().filter(is_meant).map(|one| one.index).collect();
        self.note(self.ledger.change(|ledger| {
            for entry in meant.iter().filter_map(|index| scene.entry(*index)) {
                let acted = ledger.entry(&entry.session.key);
                let is_led = acted.led_by.as_ref().is_some_and(|leader| *leader != self.manifest && Path::new(leader).exists());
                if entry.session.lead.desired.is_some() && (self.request.take || !is_led) {
                    acted.led_by = Some(self.manifest.clone());
                }
                entry.remember(acted);
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

    /// Resolves what an earlier headcount left open of sessions that nothing is to be done to: nothing may come of it later.
    fn resolve_others(&self, planned: &Planned) {
        let open = self.operations.open();
        let sessions = &planned.pass.manifest().sessions;
        let idle = planned.judged.iter().filter(|one| !matches!(one.standing, Standing::Planned(_)));
        for session in idle.filter_map(|one| sessions.get(one.index)) {
            if !open.iter().any(|past| past.operation.session == session.key) {
                continue;
            }
            let resolved = self.lock(&session.key).map_err(|(_, why)| why).and_then(|_lock| {
                recover::resolve(self.world, &self.operations, &session.key, false).map_err(|blocked| blocked.message)
            });
            if let Err(why) = resolved {
                (self.tell)(Progress::Note(&format!("{}: {why}", session.key)));
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
        let stopped = self.step((key, session.agent), ActionKind::Stop, Wish::Stop, None);
        let report = match stopped.outcome {
            Outcome::Done | Outcome::Skipped => {
                self.step((key, session.agent), ActionKind::Resume, Wish::Start { fresh: false }, None)
            }
            Outcome::Failed | Outcome::Refused | Outcome::Unverified => stopped,
        };
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        OperationReport { action: ActionKind::Restart, took_ms, ..report }
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
        let planned = match plan(self.world, &request) {
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
        let is_as_shown = |shown: &&Shown<'_>| {
            (shown.action.kind, &shown.action.conversation) == (action.kind, &action.conversation)
                && shown.fields == lead_fields(session)
        };
        if shown.is_some() && shown.filter(is_as_shown).is_none() {
            return report
                .refused(BlockCode::Busy, "what is to be done has changed since it was shown; run it again".to_owned());
        }
        match action.kind {
            ActionKind::Start | ActionKind::Resume => self.start(report, &planned.pass, session, action, lock),
            ActionKind::Stop => self.stop(report, &planned.pass, session, action, lock),
            ActionKind::Restart | ActionKind::Remove | ActionKind::Forget | ActionKind::Rename => {
                report.failed(Outcome::Failed, "internal error: it is not one step".to_owned())
            }
        }
    }

    fn lock(&self, key: &SessionKey) -> Result<SessionLock, (BlockCode, String)> {
        let unknown = |why: String| (BlockCode::Unknown, why);
        effects::prepare(self.world, &key.server).map_err(unknown)?;
        let socket = address::socket(&key.server, &self.world.env).map_err(unknown)?;
        match SessionLock::take(&self.request.pass.state_home, &socket, &key.mux.spelling(&key.name)) {
            Ok(lock) => Ok(lock),
            Err(LockError::Taken) => Err((BlockCode::Busy, "another headcount is acting on it".to_owned())),
            Err(error) => Err((BlockCode::Unknown, line(&error))),
        }
    }

    fn operation(&self, session: &Session, action: &Action) -> Operation {
        let host = self.world.host.as_ref();
        let pid = std::process::id();
        let (begun, boot) = (host.now(), host.boot().into_seen());
        Operation {
            id: OperationId::new(begun, pid, self.count.fetch_add(1, Ordering::Relaxed)),
            action: action.kind,
            session: session.key.clone(),
            agent: session.agent,
            conversation: action.conversation.clone(),
            begun,
            since_boot: boot.as_ref().map(|boot| (begun - boot.at).num_milliseconds()),
            boot: boot.map(|boot| boot.id),
            cause: self.request.cause,
            by: self.request.by.clone(),
            engine: (pid, host.stat(pid).into_seen().and_then(|process| process.start_ticks)),
            renaming: match &action.target {
                Target::Renamed(renaming) => Some(renaming.clone()),
                _ => None,
            },
        }
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
        self.note(pass::run(self.world, &options).map(|_| ()).map_err(LeadError::from));
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
