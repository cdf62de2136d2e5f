//! The pane of a job that headcount runs: made, and its launcher told to end. What may be done is decided in `core::job::run`, and the
//! launcher does the rest.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::process::Signal;

use super::act::{self, Deed};
use super::effects::Ending;
use super::{GROWS, LeadRequest, allow, effects, facts, launch, recover};
use crate::agent;
use crate::control::job_agent::AgentGroup;
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::control::{job_ends, job_making, job_runs};
use crate::core::fact::Fact;
use crate::core::ids::{MuxKind, SessionKey};
use crate::core::job::run::{JobEnd, JobOutcome, JobScene, JobSpec, job_standing};
use crate::core::lead::send::{TextOptions, typable};
use crate::core::lead::{
    Action, ActionKind, BlockCode, Blocked, LeadCause, OperationReport, Outcome, Permit, Placed, Standing, Target,
};
use crate::core::observe::{MuxSession, Process, Server};
use crate::core::text::printable;
use crate::mux;
use crate::store::job_files::{JobFileError, JobFiles, StopNote};
use crate::store::jobs::Registry;
use crate::store::operations::{LaunchSpec, LaunchedRecord, Operations, SessionLock};
use crate::store::paths::StateHome;

/// How long a launcher may take to begin.
const BEGINS: Duration = Duration::from_secs(10);
/// The time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Who has the pane of a job made, and with what.
#[derive(Debug, Clone, Copy)]
pub struct HeadlessRequest<'a> {
    /// The state directory.
    pub state: &'a StateHome,
    /// The program to put into panes.
    pub launcher: &'a Path,
    /// Who asks, for the record.
    pub by: &'a str,
    /// Why a watch asks, where nobody else does.
    pub cause: Option<LeadCause>,
}

/// What became of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStart {
    /// Its launcher runs.
    Begun,
    /// There was nothing to do; one line why.
    Met(&'static str),
}

fn look(world: &Observer, key: &SessionKey) -> Fact<Server> {
    mux::of(key.mux).list(world.host.as_ref(), &world.env, &key.server)
}

/// Why no job can be begun in a session: its name is taken, its agent cannot be started, or nobody would answer it.
///
/// # Errors
/// [`Blocked`].
pub fn taken_session(world: &Observer, state: &StateHome, spec: &JobSpec) -> Result<(), Blocked> {
    let unsupported = |why: String| Blocked::new(BlockCode::Unsupported, why);
    let how = if spec.is_interactive { "at a terminal" } else { "without a terminal" };
    match has_mode(spec) {
        Some(true) => {}
        Some(false) => {
            let mode = spec.permissions().as_str();
            return Err(unsupported(format!("{} has no mode {how} that is known to be `{mode}`", spec.agent)));
        }
        None => return Err(unsupported(format!("how {} does a job {how} has not been measured", spec.agent))),
    }
    if spec.is_bypassing && !allow::has_consent(state) {
        let message = "it would run without asking you anything; `headcount consent bypass` allows that, once per user";
        return Err(Blocked::new(BlockCode::Consent, message));
    }
    if let Some(why) = effects::refusal(world, &spec.session).or_else(|| effects::unfit(world, spec.session.mux)) {
        return Err(unsupported(why));
    }
    let server = look(world, &spec.session);
    // Another job of that name may still wait for its pane.
    let other = JobFiles::all(state).into_iter().find(|(files, other)| {
        other.session == spec.session && other.job != spec.job && (files.done().is_none() || files.launcher().is_some())
    });
    if let Some((_, other)) = other {
        let message = format!("{} is the session of job {}; nothing was done", printable(&spec.session.name), other.job);
        return Err(Blocked::new(BlockCode::ForeignName, message));
    }
    programs(world, spec, &server)?;
    standing(world, spec, &server, None).map(|_| ())
}

/// Whether an agent has the mode that a job asks for; `None`: how it does such a job is not known.
fn has_mode(spec: &JobSpec) -> Option<bool> {
    let adapter = agent::of(spec.agent)?;
    if !spec.is_interactive {
        return Some(adapter.headless()?.mode(spec.permissions()).is_some());
    }
    let table = adapter.drive()?;
    // It is typed to, and its turns are read.
    let is_driven = adapter.composer().is_some() && adapter.has_readable_turns() && table.muxes.contains(&spec.session.mux);
    is_driven.then(|| table.mode(spec.permissions()).is_some())
}

/// Why an agent at a terminal cannot be given a prompt.
///
/// # Errors
/// One line.
pub fn fits_terminal(spec: &JobSpec, prompt: &str) -> Result<(), String> {
    let Some(table) = agent::of(spec.agent).and_then(agent::Adapter::composer).filter(|_| spec.is_interactive) else {
        return Ok(());
    };
    typable(prompt, TextOptions::default(), table).map(drop).map_err(|refusal| refusal.to_string())
}

/// The session that a new pane is in: made by the job if that made it, in this start or the last one.
fn session_of(placed: &Placed, last: Option<&Placed>) -> Placed {
    let is_its = |last: &Placed| last.is_new_session && (last.server, &last.session) == (placed.server, &placed.session);
    Placed { is_new_session: placed.is_new_session || last.is_some_and(is_its), ..placed.clone() }
}

/// Takes away the pane of a job whose launcher has ended, where the multiplexer keeps it.
///
/// # Errors
/// One line: it is still there.
pub fn close_job_pane(world: &Observer, request: &HeadlessRequest<'_>, files: &JobFiles, spec: &JobSpec) -> Result<(), String> {
    let Some(placed) = placed(world, files).filter(|_| files.launcher().is_none()) else { return Ok(()) };
    let _lock = lock(world, request, spec).map_err(|blocked| blocked.message)?;
    let deed = Deed { action: ActionKind::Stop, session: &spec.session, agent: spec.agent, conversation: None };
    let operation = act::operation_by(world, (request.by, request.cause), &deed);
    let action = Action { kind: ActionKind::Stop, target: Target::InPlace, conversation: None, rung: None };
    let permit = Permit::new(&operation, &Standing::Planned(action)).ok_or("internal error: nothing was permitted")?;
    effects::tidy(world, &permit, &placed, false)
}

/// What is to be done about a job.
fn standing(
    world: &Observer,
    spec: &JobSpec,
    server: &Fact<Server>,
    files: Option<&JobFiles>,
) -> Result<Option<Standing>, Blocked> {
    let placed = files.and_then(|files| placed(world, files));
    let status = files.and_then(|_| Registry::at(&spec.registry).find(&spec.job).ok().flatten()).map(|job| job.status);
    let scene = JobScene {
        session: &spec.session,
        server,
        placed: placed.as_ref(),
        status,
        is_over: files.is_some_and(|files| files.done().is_some()),
        is_stopped: files.is_some_and(|files| files.stopped_by().is_some()),
        is_running: files.is_some_and(|files| is_running(world, files)),
    };
    match job_standing(&scene) {
        Standing::Blocked(blocked) => Err(blocked),
        standing => Ok(Some(standing)),
    }
}

/// How long the system may take to let go of what a process held that has just ended.
const LINGERS: Duration = Duration::from_millis(500);

/// Whether the launcher of a job is there. The lock of one that has just ended is held for a moment still.
fn is_running(world: &Observer, files: &JobFiles) -> bool {
    let until = Instant::now() + LINGERS;
    loop {
        let Some(launcher) = files.launcher() else { return false };
        let is_dead = launcher.process().is_some_and(|process| world.host.has_ended(process));
        if !is_dead || Instant::now() > until {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Where its last launcher was put, if the same server is still there.
fn placed(world: &Observer, files: &JobFiles) -> Option<Placed> {
    let start = |placed: &Placed| world.host.stat(placed.server).into_seen().map(|server| server.start_ticks);
    files.placed().filter(|placed| start(placed).is_some_and(|now| placed.server_start.is_some() && now == placed.server_start))
}

/// Whether the programs are where the new pane looks for them.
fn programs(world: &Observer, spec: &JobSpec, server: &Fact<Server>) -> Result<(), Blocked> {
    let own = world.env.get("PATH").map(ToOwned::to_owned).unwrap_or_default();
    let mux = spec.session.mux;
    if facts::find(mux.as_str(), &own).is_none() {
        return Err(Blocked::new(BlockCode::MuxMissing, format!("{mux} is not in PATH")));
    }
    let running = server.seen().and_then(|server| server.pid);
    let theirs = match running {
        Some(pid) => effects::variable(world, (&spec.session, pid), "PATH"),
        None => world.terminal_path.borrowed(),
    };
    if facts::find(&spec.program, &theirs.unwrap_or(own)).is_none() {
        let message = format!("{} is not in the PATH of new panes", printable(&spec.program));
        return Err(Blocked::new(BlockCode::ProgramMissing, message));
    }
    // Each session of zellij has a server of its own.
    let is_served =
        |server: &Server| mux == MuxKind::Tmux || server.sessions.iter().any(|session| session.name == spec.session.name);
    let begins = server.is_absent() || server.seen().is_some_and(|server| !is_served(server));
    let why = begins.then(|| facts::no_scope(world, mux)).flatten();
    why.map_or(Ok(()), |message| Err(Blocked::new(BlockCode::NoScope, message)))
}

/// Begins the launcher of a job in a new pane, unless it runs, is over, or may not.
///
/// # Errors
/// [`Blocked`]: nothing was begun, or nobody saw that it was.
pub fn start_job(
    world: &Observer,
    request: &HeadlessRequest<'_>,
    files: &JobFiles,
    spec: &JobSpec,
) -> Result<JobStart, Blocked> {
    let _lock = lock(world, request, spec)?;
    // Whoever had the lock may have taken it back.
    if files.spec().is_none() {
        return Ok(JobStart::Met("it is gone"));
    }
    start_locked(world, request, files, spec)
}

/// Makes the files of a new job, and begins its launcher. What is refused leaves nothing.
///
/// # Errors
/// [`Blocked`]: nothing was begun, or nobody saw that it was.
pub fn submit_job(
    world: &Observer,
    request: &HeadlessRequest<'_>,
    files: &JobFiles,
    (spec, prompt): (&JobSpec, &str),
) -> Result<JobStart, Blocked> {
    // Held until then: a watch that finds the files first would begin it as well.
    let _lock = lock(world, request, spec)?;
    let unwritten = |error: JobFileError| Blocked::new(BlockCode::Unknown, PassError::line(&error));
    let started = files.create(spec, prompt).map_err(unwritten).and_then(|()| start_locked(world, request, files, spec));
    if started.is_err() && files.launcher().is_none() && files.attempts().is_empty() {
        let _ = files.remove();
    }
    started
}

/// Locks the session of a job. A watch may just be looking after it.
fn lock(world: &Observer, request: &HeadlessRequest<'_>, spec: &JobSpec) -> Result<SessionLock, Blocked> {
    act::lock_within(world, request.state, &spec.session, BEGINS)
}

fn start_locked(
    world: &Observer,
    request: &HeadlessRequest<'_>,
    files: &JobFiles,
    spec: &JobSpec,
) -> Result<JobStart, Blocked> {
    let unknown = |why: String| Blocked::new(BlockCode::Unknown, why);
    let operations = Operations::new(request.state);
    recover::resolve(world, &operations, &spec.session, false)?;
    let until = Instant::now() + GROWS;
    let (server, stands) = loop {
        let server = look(world, &spec.session);
        match standing(world, spec, &server, Some(files)) {
            // So does a session whose last program has just ended.
            Err(blocked) if blocked.message == MuxSession::STARTING && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(250));
            }
            stands => break (server, stands?),
        }
    };
    let standing = match stands {
        Some(Standing::Met(why)) => return Ok(JobStart::Met(why)),
        Some(standing @ Standing::Planned(_)) => standing,
        _ => return Err(unknown("nothing is known of it".to_owned())),
    };
    programs(world, spec, &server)?;
    let deed = Deed { action: ActionKind::Start, session: &spec.session, agent: spec.agent, conversation: None };
    let operation = act::operation_by(world, (request.by, request.cause), &deed);
    let permit =
        Permit::new(&operation, &standing).ok_or_else(|| unknown("internal error: nothing was permitted".to_owned()))?;
    let begun = operations.begin(&operation).map_err(|error| unknown(PassError::line(&error)))?;
    let table = agent::of(spec.agent).and_then(|adapter| adapter.drive());
    let table = table.ok_or_else(|| unknown(format!("how {} is started is not known", spec.agent)))?;
    let given = table.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let launch = LaunchSpec {
        version: LaunchSpec::VERSION,
        argv: Vec::new(),
        cwd: spec.cwd.clone(),
        set: given.chain([("HEADCOUNT_OPERATION".to_owned(), operation.id.as_str().to_owned())]).collect(),
        files: Vec::new(),
        unset: table.blank.iter().map(|name| (*name).to_owned()).collect(),
        conversation: None,
        job: Some(files.path().to_path_buf()),
    };
    let started = Instant::now();
    let last = placed(world, files);
    let made = begun.write_launch(&launch).map_err(|error| PassError::line(&error)).and_then(|launch| {
        let withheld: Vec<String> = launch::withheld(world, table, &[]);
        let pane = effects::PaneRequest {
            launcher: request.launcher,
            launch: &launch,
            cwd: &spec.cwd,
            withheld: &withheld,
            last: last.as_ref(),
        };
        effects::place(world, &permit, &pane)
    });
    if let Ok(placed) = &made
        && let Err(error) = files.note_placed(&session_of(placed, last.as_ref()))
    {
        // It runs all the same; only its session is not known as its own any more.
        tracing::warn!(why = PassError::line(&error), "where a job runs is not kept");
    }
    let end = |outcome, why: Option<String>| {
        let report = OperationReport {
            id: Some(operation.id.clone()),
            session: spec.session.clone(),
            agent: spec.agent,
            action: ActionKind::Start,
            outcome,
            conversation: None,
            verified_by: if outcome == Outcome::Done { vec![format!("job {}: its launcher", spec.job)] } else { Vec::new() },
            why: why.clone(),
            code: None,
            failure: None,
            screen_tail: None,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        // What nobody has begun by now, nobody begins later.
        let _ = begun.end(&report);
        match why {
            None => Ok(JobStart::Begun),
            Some(why) => Err(Blocked::new(BlockCode::Unknown, why)),
        }
    };
    if let Err(why) = made
        && begun.close().unwrap_or(false)
    {
        return end(Outcome::Failed, Some(why));
    }
    let until = Instant::now() + BEGINS;
    loop {
        // It has the job's lock, or has ended behind it.
        if begun.launched().is_some_and(|record| record.pid.is_some())
            && (files.launcher().is_some() || begun.ended().is_some())
        {
            let not_begun = begun.ended().and_then(|ended| ended.not_begun);
            return match not_begun {
                None => end(Outcome::Done, None),
                Some(why) => end(Outcome::Failed, Some(why)),
            };
        }
        if Instant::now() > until {
            let _ = begun.close();
            return end(Outcome::Unverified, Some("its launcher was not seen to begin".to_owned()));
        }
        std::thread::sleep(LOOK);
    }
}

/// Tells the launcher of a job to end, by a note and a signal; `false`: there is none.
///
/// # Errors
/// One line.
pub fn stop_job(
    world: &Observer,
    request: &HeadlessRequest<'_>,
    (files, spec): (&JobFiles, &JobSpec),
    note: &StopNote,
) -> Result<bool, String> {
    files.ask_to_stop(note).map_err(|error| PassError::line(&error))?;
    let Some(LaunchedRecord { pid: Some(pid), start_ticks, .. }) = files.launcher() else { return Ok(false) };
    let Fact::Seen(process) = world.host.stat(pid) else { return Ok(false) };
    if start_ticks.is_some() && process.start_ticks != start_ticks {
        return Ok(false);
    }
    let deed = Deed { action: ActionKind::Stop, session: &spec.session, agent: spec.agent, conversation: None };
    let operation = act::operation_by(world, (request.by, request.cause), &deed);
    let action = Action { kind: ActionKind::Stop, target: Target::InPlace, conversation: None, rung: None };
    let permit = Permit::new(&operation, &Standing::Planned(action)).ok_or("internal error: nothing was permitted")?;
    effects::end(world, &permit, (Process::from(&process), false), Ending::Asked(Signal::TERM))
}

/// Ends a stopped job that has no launcher: its agent first, if it lives; then it is written down. `None`: it has not ended yet, or
/// somebody else is at it.
///
/// # Errors
/// One line.
pub fn end_stopped_job(
    world: &Observer,
    request: &HeadlessRequest<'_>,
    (files, spec): (&JobFiles, &JobSpec),
    note: &StopNote,
) -> Result<Option<JobEnd>, String> {
    let Ok(_claim) = files.claim(&LaunchedRecord::of(world.host.own_process())) else { return Ok(None) };
    let attempts = files.attempts();
    let last = attempts.last();
    let group = last.and_then(|last| AgentGroup::new(files.agent(last.begun.number)?, &spec.job));
    if let Some(group) = group.filter(|group| group.lives(world.host.as_ref())) {
        let deed = Deed { action: ActionKind::Stop, session: &spec.session, agent: spec.agent, conversation: None };
        let operation = act::operation_by(world, (request.by, request.cause), &deed);
        let action = Action { kind: ActionKind::Stop, target: Target::InPlace, conversation: None, rung: None };
        let permit = Permit::new(&operation, &Standing::Planned(action)).ok_or("internal error: nothing was permitted")?;
        let how = if note.kill { Ending::Killed } else { Ending::Asked(Signal::TERM) };
        effects::end_group(world, &permit, &group, how);
        return Ok(None);
    }
    let end = JobEnd {
        schema: JobEnd::SCHEMA.to_owned(),
        job: spec.job.clone(),
        outcome: JobOutcome::Stopped,
        code: None,
        reason: format!("{} stopped it", note.by),
        session_id: files.session_id(),
        attempts: last.map_or(0, |last| last.begun.number),
        submitted_at: spec.at,
        started_at: attempts.first().map(|first| first.begun.at),
        ended_at: world.host.now(),
        last_message: None,
        denied: 0,
    };
    files.end(&end).map(Some).map_err(|error| PassError::line(&error))
}

/// Whether a multiplexer may keep the pane of a job that has been over for as long as that was to stay.
pub(super) fn has_old_pane(files: &JobFiles, spec: &JobSpec, now: DateTime<Utc>) -> bool {
    let is_old = || files.done().is_some_and(|end| spec.kept_until(end.ended_at) <= now);
    spec.session.mux == MuxKind::Zellij && files.placed().is_some() && is_old() && files.launcher().is_none()
}

fn close_old_panes(world: &Observer, request: &HeadlessRequest<'_>, all: &[(JobFiles, JobSpec)]) {
    let now = world.host.now();
    for (files, spec) in all.iter().filter(|(files, spec)| has_old_pane(files, spec, now)) {
        match close_job_pane(world, request, files, spec) {
            Ok(()) => files.forget_placed(),
            Err(why) => tracing::warn!(job = spec.job.as_str(), why, "the pane of a job is still there"),
        }
    }
}

/// Goes on with the jobs whose pane, server or host was lost, and tells of ends that nobody told of. Gives what became of each.
pub fn resume_jobs(world: &Observer, request: &LeadRequest) -> Vec<(JobSpec, Result<JobStart, Blocked>)> {
    let state = &request.pass.state_home;
    job_making::call_off_unmade(state, world.host.as_ref());
    let all = JobFiles::all(state);
    for (job, why) in job_ends::conclude_all(&all) {
        tracing::warn!(job = job.as_str(), why, "nobody was told of the end of a job");
    }
    let request = HeadlessRequest { state, launcher: &request.launcher, by: &request.by, cause: Some(LeadCause::ServerLost) };
    close_old_panes(world, &request, &all);
    job_runs::lost(all)
        .into_iter()
        .map(|(files, spec)| {
            let started = start_job(world, &request, &files, &spec);
            (spec, started)
        })
        .collect()
}
