//! Waiting for conditions of sessions: looks again whenever something may have happened. Types nothing and changes nothing.

mod attending;
mod background;
mod crews;
mod deliver;
mod followed;
mod overview;
mod wakes;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

pub use self::attending::{AttendedJob, attend_job, last_use, look_at_attended};
pub use self::background::{Background, BackgroundThread};
pub(in crate::control) use self::crews::dispatch_crews;
pub(in crate::control) use self::deliver::deliver;
pub use self::followed::{follow_jobs, follow_jobs_once};
pub use self::overview::{Overview, overviews};
use self::wakes::{LookPlaces, LookWakes};
use super::conditions::{conditions_of, is_turn_over};
use super::{LeadError, LeadRequest, reading};
use crate::agent::{Agents, TurnQuery, WatchQuery};
use crate::control::observe::Observer;
use crate::control::pass::{Mode, Pass, PassError, PassOptions, PassRunner};
use crate::control::watch::wake::Scope;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::OperationId;
use crate::core::lead::conditions::{
    SessionWait, WAIT_SCHEMA, WaitAim, WaitBegin, WaitEnd, WaitMode, WaitReport, WaitScene, WaitSession, WaitVerdict, wait_end,
};
use crate::core::lead::send::{SendOutcome, SendReceipt};
use crate::core::lead::turns::{Turn, TurnPage};
use crate::core::manifest::select::Selection;
use crate::store::operations::{Operations, TextNote};
use crate::store::paths::StateHome;
use crate::store::queue::TextQueue;

/// How long nothing may happen before everything is looked at again.
const POLL: Duration = Duration::from_secs(1);
/// The shortest time between two looks.
const SPACING: Duration = Duration::from_millis(250);
/// How many of the newest turns may hold the text of a receipt.
const TURNS: usize = 16;

/// What is waited for.
#[derive(Debug, Clone)]
pub struct WaitRequest {
    /// In which sessions.
    pub sessions: BTreeSet<SessionKey>,
    /// What.
    pub aim: WaitAim,
    /// In how many of them.
    pub mode: WaitMode,
    /// The text whose turn is meant, where only what comes after it counts.
    pub receipt: Option<SentMark>,
    /// For how long.
    pub timeout: Duration,
}

/// A text that was sent, as its receipt knows it.
#[derive(Debug, Clone)]
pub struct SentMark {
    /// The session it was sent to.
    pub session: SessionKey,
    /// The conversation it was for.
    pub conversation: Option<ConversationId>,
    /// When.
    pub at: DateTime<Utc>,
    note: TextNote,
    is_delivered: bool,
    /// Whether its agent was seen idle just before it was submitted.
    was_idle: bool,
}

/// The text of a receipt; `None`: there is no such receipt. `Err`: nothing was sent under it, and what became of it.
///
/// # Errors
/// The receipt of a text that did not reach its agent.
pub fn sent_mark(state: &StateHome, id: &OperationId) -> Result<Option<SentMark>, Box<SendReceipt>> {
    // What waits has its turn before it, and is found in the transcript when it was said.
    if let Some(text) = TextQueue::new(state).all().into_iter().find(|text| text.id == *id) {
        let note = TextNote::of(&text.text);
        let (session, conversation) = (text.session, Some(text.conversation));
        return Ok(Some(SentMark { session, conversation, at: text.since, note, is_delivered: false, was_idle: false }));
    }
    let operations = Operations::new(state);
    let Some(past) = operations.of(id) else { return Ok(None) };
    let (Some(receipt), Some(note)) = (past.files.send_receipt(), past.files.text_note()) else { return Ok(None) };
    let is_delivered = receipt.outcome.is_said();
    if !is_delivered && receipt.outcome != SendOutcome::Queued {
        return Err(Box::new(receipt));
    }
    // What an agent does at once it may do before Enter was seen to be pressed.
    let at = receipt.phases.staged.unwrap_or(past.operation.begun);
    let was_idle = is_delivered && !receipt.steered && receipt.phases.staged.is_some();
    let SendReceipt { session, conversation, .. } = receipt;
    Ok(Some(SentMark { session, conversation, at, note, is_delivered, was_idle }))
}

impl SentMark {
    /// The turn that took the text in, if one of these did.
    pub fn turn<'a>(&self, page: &'a TurnPage) -> Option<&'a Turn> {
        let took_it = |turn: &&Turn| turn.lines.iter().any(|line| self.note.is_of(&line.text));
        page.turns.iter().chain(&page.aside).rev().find(took_it)
    }
}

/// Waits. What it gives says how each session stood at the end.
///
/// # Errors
/// The world cannot be looked at. What cannot be looked at for a while later on only takes its time.
pub fn wait(world: Observer, request: &LeadRequest, wait: &WaitRequest) -> Result<WaitReport, LeadError> {
    let begun = Instant::now();
    let state = &request.pass.state_home;
    let world = Arc::new(Observer { activity: true, ..world });
    let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..request.pass.clone() };
    let mut runner = PassRunner::new(Arc::clone(&world), options);
    let mut wakes = LookWakes::new();
    let mut waits: Vec<(SessionKey, SessionWait)> = wait.sessions.iter().map(|key| (key.clone(), wait.of(key))).collect();
    let (mut scope, mut last, mut idle) = (Scope::ALL, None, POLL);
    loop {
        let looked = Instant::now();
        let is_late = begun.elapsed() >= wait.timeout;
        match runner.pass(&scope) {
            Ok(pass) => {
                let (sessions, verdicts, settles) = look(&world, state, &pass, wait, &mut waits);
                let report = |end: WaitEnd| WaitReport {
                    schema: WAIT_SCHEMA.to_owned(),
                    end,
                    sessions: sessions.clone(),
                    took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                };
                if let Some(end) = wait_end(wait.mode, &verdicts, is_late) {
                    return Ok(report(end));
                }
                last = Some(report(WaitEnd::TimedOut));
                idle = settles.unwrap_or(POLL).clamp(SPACING, POLL);
                // What happened before it was listened to was not heard.
                if wakes.watch(places(&world, state, &pass, &wait.sessions)) {
                    scope = about(&wait.sessions);
                    continue;
                }
            }
            // Somebody is just writing the manifest.
            Err(error) if last.is_some() => {
                tracing::debug!("cannot look: {}", PassError::line(&error));
                if is_late && let Some(report) = last {
                    return Ok(report);
                }
            }
            Err(error) => return Err(error.into()),
        }
        let left = wait.timeout.saturating_sub(begun.elapsed());
        if wakes.wait(left.min(idle)) {
            // What comes in a burst is looked at once.
            std::thread::sleep(SPACING.saturating_sub(looked.elapsed()).min(left));
        }
        scope = about(&wait.sessions);
    }
}

/// These sessions, whoever is in them, and whether they are there.
fn about(sessions: &BTreeSet<SessionKey>) -> Scope {
    let mut scope = Scope::sessions(sessions.clone());
    sessions.iter().for_each(|key| scope.unite(Scope::server(key.server_key())));
    scope
}

/// What a look at each session comes to.
fn look(
    world: &Observer,
    state: &StateHome,
    pass: &Pass,
    wait: &WaitRequest,
    waits: &mut [(SessionKey, SessionWait)],
) -> (Vec<WaitSession>, Vec<WaitVerdict>, Option<Duration>) {
    let seen = conditions_of(world, state, pass, &|key| wait.sessions.contains(key));
    let order = |key: &SessionKey| pass.manifest().sessions.iter().position(|session| session.key == *key);
    waits.sort_by_cached_key(|(key, _)| order(key).unwrap_or(usize::MAX));
    let settles = seen.values().filter_map(|seen| seen.settles_in).min();
    let looked = waits.iter_mut().map(|(key, waiting)| {
        let entry = pass.manifest().find(key);
        let agent = entry.map_or(AgentKind::Claude, |session| session.agent);
        let Some(now) = seen.get(key) else {
            let why = match entry {
                Some(session) if session.key.host != world.host.name() => format!("it is on host {}", session.key.host),
                Some(_) => "its entry is suspended".to_owned(),
                None => "its entry is gone".to_owned(),
            };
            let verdict = WaitVerdict::Never(why);
            return (WaitSession::new((key.clone(), agent), &verdict, Vec::new()), verdict);
        };
        let receipt = wait.receipt.as_ref().filter(|receipt| receipt.session == *key);
        let scene = WaitScene {
            conditions: &now.conditions,
            is_being_started: now.is_being_started,
            is_job_lost: now.is_job_lost,
            is_own_turn_over: receipt.map(|receipt| is_own_turn_over(world, pass, receipt)),
        };
        let verdict = waiting.look(&wait.aim, &scene);
        (WaitSession::new((key.clone(), now.agent), &verdict, now.conditions.clone()), verdict)
    });
    let (sessions, verdicts) = looked.unzip();
    (sessions, verdicts, settles)
}

/// Whether the turn that took a text in is over. One that is long past is.
fn is_own_turn_over(world: &Observer, pass: &Pass, sent: &SentMark) -> bool {
    let Some(subject) = reading::of_entry(pass, &sent.session) else { return false };
    let query = TurnQuery { last: TURNS, after: None, now: world.host.now() };
    match reading::turns(&pass.manifest().agents, &subject, &query) {
        Fact::Seen(page) => is_turn_over(&page, |text| sent.note.is_of(text)).unwrap_or(sent.is_delivered),
        Fact::Absent | Fact::Unknown(_) => false,
    }
}

/// What may change when a condition does.
fn places(world: &Observer, state: &StateHome, pass: &Pass, sessions: &BTreeSet<SessionKey>) -> LookPlaces {
    let agents = Agents::with(&pass.manifest().agents);
    let mut places = LookPlaces::default();
    places.directories.insert(state.hooks());
    for (session, verdict) in pass.manifest().sessions.iter().zip(&pass.verdict().entries) {
        if !sessions.contains(&session.key) {
            continue;
        }
        let Some(live) = verdict.presence.live() else { continue };
        places.processes.insert(live.agent.process.pid);
        places.processes.extend(live.pane.pid);
        let (Some(adapter), Some(home)) = (agents.of(live.agent.kind), live.agent.home.seen()) else { continue };
        let cwd = live.agent.cwd.seen().map(PathBuf::as_path);
        let found = adapter.watch_dirs(WatchQuery { home, cwd, now: world.host.now() });
        places.directories.extend(found.registries.into_iter().chain(found.transcripts));
        let subject = reading::of_entry(pass, &session.key);
        if let Some(Fact::Seen((_, Fact::Seen(transcript)))) = subject.map(|subject| subject.conversation) {
            places.directories.extend(transcript.path.parent().map(PathBuf::from));
        }
    }
    places
}

impl WaitRequest {
    fn of(&self, key: &SessionKey) -> SessionWait {
        match self.receipt.as_ref().filter(|receipt| receipt.session == *key && receipt.was_idle) {
            Some(_) => SessionWait::of_idle_agent(),
            None => SessionWait::default(),
        }
    }

    /// From when on a condition counts: after a receipt, after now, or at any time.
    pub fn begin(receipt: Option<&SentMark>, is_next: bool, now: DateTime<Utc>) -> WaitBegin {
        match receipt {
            Some(receipt) => WaitBegin::After(receipt.at),
            None if is_next => WaitBegin::After(now),
            None => WaitBegin::Holds,
        }
    }
}
