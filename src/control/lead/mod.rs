//! Making reality follow the manifest: the look, the plan, and one operation after another until it is done. What may be done is
//! decided in `core::lead`; only `effects` reaches a multiplexer or a process.

mod act;
mod allow;
pub(in crate::control) mod amend;
pub mod bridge;
mod conditions;
mod crews;
pub(in crate::control) mod declare;
mod effects;
mod enforce;
mod engine;
mod facts;
mod front;
mod headless;
mod holds;
mod hooking;
mod launch;
mod led;
mod patience;
pub mod reading;
mod recover;
mod rivals;
mod send;
mod undeclared;
mod unlisted;
mod waiting;
mod worker;
pub mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::observe::Observer;
use super::pass::{self, Mode, Pass, PassError, PassOptions};
use crate::agent::Agents;
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, SessionKey};
use crate::core::job::{Job, JobId};
use crate::core::lead::plan::{LeadPlan, lead_plan};
use crate::core::lead::{
    Action, ActionKind, BlockCode, Blocked, EntryFacts, HoldReport, Judged, LeadCause, Ledger, Scene, Standing, Wish, judge,
};
use crate::core::manifest::Session;
use crate::core::manifest::select::Selection;
use crate::core::text::printable;
use crate::store::operations::{LedgerFile, OperationError, Operations};
pub use allow::{Permission, PermissionFile, consent, scope_of, withdraw_consent};
pub use conditions::{SessionConditions, complete_rows, conditions};
pub(in crate::control) use conditions::{conditions_of, note_operations};
pub use crews::{CREW_MANAGER, CrewRound, LookAtWorkers, RoundEnd, WorkerLook, complete_crews, crew_token, take_back};
pub use declare::{DeclareError, append, declare};
pub use enforce::{Gap, Gaps, enforce, gaps};
pub use engine::{
    Progress, carry_out, forget_all, handoff, release, release_operation, relocate, remove_all, rename, stop_and_forget_all,
};
use facts::Ground;
pub use front::{FrontRequest, HeardCheck};
pub use headless::{
    HeadlessRequest, JobStart, close_job_pane, end_stopped_job, fits_terminal, resume_jobs, start_job, stop_job, submit_job,
    taken_session,
};
pub use holds::holds;
pub use launch::{lock_name, new_id};
pub(in crate::control) use send::next_texts;
pub use send::{
    AnswerRequest, Queueing, SendRequest, SentText, TypedText, answer, ask, deliver_waiting, drop_waiting, is_shown, send,
    waiting_text, waiting_texts,
};
pub use undeclared::{SessionAim, UndeclaredError, UndeclaredSession, undeclared};
pub use unlisted::UnlistedManifest;
pub use waiting::{
    AttendedJob, Background, BackgroundThread, Overview, SentMark, WaitRequest, attend_job, follow_jobs, follow_jobs_once,
    last_use, look_at_attended, overviews, sent_mark, wait,
};
pub(in crate::control) use waiting::{deliver, dispatch_crews};
pub use worker::{WorkerReach, WorkerStanding, worker_standings};

pub use crate::store::seen::SeenFile;

/// What a person or a program asks for.
#[derive(Debug, Clone)]
pub struct LeadRequest {
    /// How passes are made. Their selection says which sessions are meant.
    pub pass: PassOptions,
    /// The only sessions that are meant; `None`: every one that is selected.
    pub only: Option<BTreeSet<SessionKey>>,
    /// What is asked of them.
    pub wish: Wish,
    /// Whether sessions that another manifest leads are taken over.
    pub take: bool,
    /// Whether sessions of their names that hold no agent are used.
    pub reuse: bool,
    /// The conversation that a new one begins with.
    pub fork: Option<ConversationId>,
    /// Whether a new conversation is begun with the entry's prompt.
    pub says_prompt: bool,
    /// Whether a turn is interrupted.
    pub now: bool,
    /// Whether what does not end is killed.
    pub kill: bool,
    /// How long a turn may take to end.
    pub timeout: Duration,
    /// Whether our own session may be acted on.
    pub own: bool,
    /// Whether a terminal that shows the session keeps it from being stopped.
    pub is_automatic: bool,
    /// Whether nobody named the manifest: it was found in the working directory, and acts only as it was allowed.
    pub is_found: bool,
    /// Who asks, for the record.
    pub by: String,
    /// The same as whoever has taken a session in hand is called.
    pub holder: String,
    /// Whether a person lets it act also on what another has in hand.
    pub passes_hold: bool,
    /// Why a watch asks, where nobody else does.
    pub cause: Option<LeadCause>,
    /// Operations at once, and the time between two starts, where the manifest says nothing else.
    pub parallel: usize,
    /// What in its session is meant, where that is not all that the entry declares.
    pub aim: Option<SessionAim>,
    /// The program to put into panes.
    pub launcher: PathBuf,
    /// What the front end of another tool adds.
    pub front: FrontRequest,
}

impl LeadRequest {
    /// Whether a hold keeps from what is asked. It keeps a watch from everything, whoever runs that.
    fn is_kept_by(&self, holder: &str) -> bool {
        !self.passes_hold && (self.cause.is_some() || self.holder != holder)
    }
}

/// It cannot be told what there is to do.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The manifest, or the world.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The ledger.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

/// What there is to do.
pub struct Planned {
    /// What was seen.
    pub pass: Pass,
    /// How each entry that was asked about stands.
    pub judged: Vec<Judged>,
    /// The same as a document.
    pub plan: LeadPlan,
    /// Which of its sessions somebody has in hand.
    pub holds: BTreeMap<SessionKey, HoldReport>,
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planned").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Looks, and judges what there is to do. Writes nothing.
///
/// # Errors
/// [`LeadError`].
pub fn plan(world: &Observer, request: &LeadRequest) -> Result<Planned, LeadError> {
    let mut ledger = LedgerFile::new(&request.pass.state_home).read()?;
    // A manifest that is gone leads nothing.
    let is_gone = |leader: &mut String| !Path::new(leader.as_str()).exists();
    ledger.sessions.values_mut().for_each(|acted| drop(acted.led_by.take_if(is_gone)));
    let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..request.pass.clone() };
    let pass = pass::run(world, &options)?;
    let mut judged = judged(world, request, &pass, &ledger);
    let is_half_done =
        |one: &&mut Judged| matches!(&one.standing, Standing::Blocked(blocked) if MOMENTARY.contains(&blocked.code));
    let mut open = None;
    for one in judged.iter_mut().filter(is_half_done) {
        let open = open.get_or_insert_with(|| Operations::new(&request.pass.state_home).open());
        let session = pass.manifest().sessions.get(one.index);
        if let Some(why) = session.and_then(|session| recover::at_it(world, open, &session.key)) {
            one.standing = Standing::Blocked(Blocked::new(BlockCode::Busy, why));
        }
    }
    let held = if ledger.sessions.values().any(|acted| acted.hold.is_some()) {
        holds(world, &request.pass.state_home, &pass)
    } else {
        BTreeMap::new()
    };
    let agents = Agents::with(&pass.manifest().agents);
    let command = |session: &Session, action: &Action| launch::command(&agents, &pass, session, action, request);
    let plan = lead_plan(pass.manifest(), &pass.report, &judged, &held, &command);
    Ok(Planned { pass, judged, plan, holds: held })
}

/// The same where a multiplexer may be busy: what it did not answer is asked again for a while.
///
/// # Errors
/// [`LeadError`].
pub fn plan_patiently(world: &Observer, request: &LeadRequest) -> Result<Planned, LeadError> {
    let is_unsure = |planned: &Result<Planned, LeadError>| planned.as_ref().is_ok_and(|planned| planned.plan.is_unsure());
    patience::patiently(is_unsure, || plan(world, request))
}

/// How long one that may only just be starting is waited for. A zellij server tells nothing before it has a pane, or ten seconds.
const GROWS: Duration = Duration::from_secs(12);

/// The same for whoever means to act: if a session may only just be starting, it is looked at again until that is over. One whose last
/// program has just ended looks like that.
///
/// # Errors
/// [`LeadError`].
pub fn plan_to_act(world: &Observer, request: &LeadRequest, told: &mut dyn FnMut(&SessionKey)) -> Result<Planned, LeadError> {
    let until = Instant::now() + GROWS;
    let mut waits = false;
    loop {
        let planned = plan_patiently(world, request)?;
        match starting(&planned).filter(|_| Instant::now() < until) {
            None => return Ok(planned),
            Some(key) if !waits => told(key),
            Some(_) => {}
        }
        waits = true;
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// One of the sessions that were asked about and that nothing can be told of because they may only just be starting.
fn starting(planned: &Planned) -> Option<&SessionKey> {
    let sessions = &planned.pass.manifest().sessions;
    let unknown = |one: &&Judged| matches!(&one.standing, Standing::Blocked(blocked) if blocked.code == BlockCode::Unknown);
    let keys = planned.judged.iter().filter(unknown).filter_map(|one| sessions.get(one.index)).map(|session| &session.key);
    let servers = &planned.pass.observation().servers;
    keys.into_iter().find(|key| {
        let there = servers.get(&key.server_key()).and_then(Fact::seen);
        let mut named =
            there.into_iter().flat_map(|server| &server.sessions).filter(|it| key.names().any(|name| name == it.name));
        named.any(|session| session.may_be_starting())
    })
}

/// What a session may seem to be while somebody is at it.
const MOMENTARY: [BlockCode; 4] = [BlockCode::ForeignName, BlockCode::Ambiguous, BlockCode::Claimed, BlockCode::Unknown];

fn judged(world: &Observer, request: &LeadRequest, pass: &Pass, ledger: &Ledger) -> Vec<Judged> {
    let agents = Agents::with(&pass.manifest().agents);
    let ground = Ground::new(world, request, (pass, ledger), &agents);
    // Asked of what is acted on, each time: it may have been changed since somebody was asked.
    let permission = PermissionFile::new(&request.pass.state_home, pass.path());
    let refusal = permission.permission(&scope_of(pass.manifest()), request.is_found).refusal();
    let name = pass.path().to_string_lossy();
    let scene = Scene {
        inputs: pass.inputs(),
        verdict: pass.verdict(),
        ledger,
        manifest: &name,
        refusal: refusal.as_ref(),
        take: request.take,
        reuse: request.reuse,
        facts: EntryFacts {
            start: &|session, kind| ground.start(session, kind),
            resume: &|conversation, live| ground.resume(conversation, live),
            stop: &|session, live| ground.stop(session, live),
            asks: &|session, live| ground.asks(session, live),
            hold: &|session, presence| ground.hold(session, presence),
            is_made: &|session, there| ground.is_made(session, there),
            takes_id: &|session| ground.takes_id(session),
            transcript: &|conversation| ground.transcript(conversation),
            may_have_begun: &|session| ground.may_have_begun(session),
        },
    };
    let selection = &request.pass.selection;
    let is_meant = |session: &Session| {
        request.only.as_ref().is_none_or(|only| only.contains(&session.key))
            && selection.covers(&session.key.name, session.agent, &session.labels)
    };
    judge(&scene, &|session| is_meant(session).then_some(request.wish))
}

/// Why there can be no session of a name, whatever runs there.
pub fn unfit_name(world: &Observer, key: &SessionKey) -> Option<Blocked> {
    if let Some(why) = effects::refusal(world, key) {
        return Some(Blocked::new(BlockCode::Unsupported, why));
    }
    let kept = || {
        let why = format!("{} keeps an ended session called {}: attach to it, or delete it", key.mux, printable(&key.name));
        effects::is_kept(world, key).then(|| Blocked::new(BlockCode::ForeignName, why))
    };
    former_name(world, key).or_else(kept)
}

/// Why a name belongs to a session that has another by now.
fn former_name(world: &Observer, key: &SessionKey) -> Option<Blocked> {
    effects::is_former(world, key).then(|| {
        let (mux, name) = (key.mux, printable(&key.name));
        let why = format!("the {mux} session that began as {name} has another name; until it ends nobody else can be {name}");
        Blocked::new(BlockCode::ForeignName, why)
    })
}

/// What keeps a session, with the key that is given here, from being started to go on in its conversation.
fn startable(world: &Observer, request: &LeadRequest, planned: &Planned, session: &Session) -> Option<Blocked> {
    let ledger = match LedgerFile::new(&request.pass.state_home).read() {
        Ok(ledger) => ledger,
        Err(error) => return Some(Blocked::new(BlockCode::Unknown, PassError::line(&error))),
    };
    let agents = Agents::with(&planned.pass.manifest().agents);
    Ground::new(world, request, (&planned.pass, &ledger), &agents).start(session, ActionKind::Resume)
}

/// The sessions that would be ended under the eyes of somebody who has just done something there.
pub fn watched(world: &Observer, planned: &Planned) -> Vec<SessionKey> {
    let sessions = &planned.pass.manifest().sessions;
    let ended = planned.judged.iter().filter(|one| {
        matches!(&one.standing, Standing::Planned(action) if matches!(action.kind, ActionKind::Stop | ActionKind::Restart))
    });
    let ended = ended.filter_map(|one| Some((sessions.get(one.index)?, planned.pass.verdict().entries.get(one.index)?)));
    let watched = ended.filter(|(session, verdict)| {
        let live = verdict.presence.live().map(|live| live.session.id.as_str());
        live.is_some_and(|id| facts::is_watched(world, &session.key, id) != Some(false))
    });
    watched.map(|(session, _)| session.key.clone()).collect()
}

/// The jobs of a session that are open.
pub fn open_jobs(planned: &Planned, key: &SessionKey) -> Vec<JobId> {
    let recorded = planned.pass.manifest().find(key).and_then(|session| session.recorded.delegate_job_id.as_deref());
    let is_its = |job: &&Job| {
        let is_named = job.session().is_some_and(|(mux, name)| mux == key.mux && key.names().any(|known| known == name));
        !job.status.is_final() && (is_named || recorded == Some(job.id.as_str()))
    };
    planned.pass.jobs().unwrap_or_default().iter().filter(is_its).map(|job| job.id.clone()).collect()
}

/// A request about one session alone.
fn about(request: &LeadRequest, key: &SessionKey, wish: Wish) -> LeadRequest {
    let selection = Selection { names: vec![key.name.clone()], ..Selection::default() };
    let pass = PassOptions { selection, ..request.pass.clone() };
    LeadRequest { pass, only: Some(BTreeSet::from([key.clone()])), wish, ..request.clone() }
}

/// The path of the program that panes are given.
///
/// # Errors
/// It was replaced or removed while we ran.
pub fn launcher() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot tell where headcount is: {error}"))?;
    if program.is_file() {
        return Ok(program);
    }
    let program = program.to_string_lossy();
    let place = Path::new(program.trim_end_matches(" (deleted)"));
    Err(format!("{} was replaced while it ran; run the command again", place.display()))
}
