//! What there is to see of the conditions of sessions: hooks, ends of transcripts, screens, what launchers left. Looks only;
//! `core::lead::conditions` judges.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::led::runs_of;
use super::{complete_crews, effects, holds, reading, recover};
use crate::agent::drive::{LaunchTable, ReadySign};
use crate::agent::{Agents, TurnQuery};
use crate::control::hooks::OwnProcesses;
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::drift::{EntryVerdict, LiveAgent, Presence, delegations};
use crate::core::fact::Fact;
use crate::core::hooks::{HookEvent, HookKind};
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::job::{Job, JobStatus};
use crate::core::lead::conditions::{Condition, ConditionReport, ConditionSource, EndSigns, LiveSigns};
use crate::core::lead::turns::{TurnEnd, TurnPage};
use crate::core::lead::{ActionKind, DialogSubject, Ledger, OperationBrief, RunEnding};
use crate::core::manifest::{Session, Status};
use crate::core::observe::identity::Rung;
use crate::core::observe::{Activity, Server, Transcript, TranscriptKey};
use crate::core::report::status::SessionRow;
use crate::host::parallel::spread;
use crate::store::hooks;
use crate::store::operations::{LedgerFile, Operations, PastOperation};
use crate::store::paths::StateHome;

/// How long apart a screen is looked at twice.
const TWICE: Duration = Duration::from_millis(100);
/// How far from the end of a launcher's life the last look may have been that saw its agent alive.
const SLACK: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// How a session stands.
#[derive(Debug, Clone)]
pub struct SessionConditions {
    /// Its agent.
    pub agent: AgentKind,
    /// What holds, the most telling first; never nothing.
    pub conditions: Vec<ConditionReport>,
    /// Whether its job has ended without being done.
    pub is_job_lost: bool,
    /// Whether somebody is just starting it.
    pub is_being_started: bool,
    /// How long until something else may hold although nothing happens.
    pub settles_in: Option<Duration>,
}

impl SessionConditions {
    /// Of a session of which nothing is said.
    pub(super) fn none(agent: AgentKind) -> Self {
        Self { agent, conditions: Vec::new(), is_job_lost: false, is_being_started: false, settles_in: None }
    }
}

/// The conditions of the sessions that a pass judged, by their keys. Its observer must have asked agents what they are doing.
pub fn conditions(world: &Observer, state: &StateHome, pass: &Pass) -> BTreeMap<SessionKey, SessionConditions> {
    conditions_of(world, state, pass, &|_| true)
}

/// The same of some sessions.
pub(in crate::control) fn conditions_of(
    world: &Observer,
    state: &StateHome,
    pass: &Pass,
    is_meant: &dyn Fn(&SessionKey) -> bool,
) -> BTreeMap<SessionKey, SessionConditions> {
    conditions_in(&Look::new(world, state, pass), is_meant)
}

fn conditions_in(look: &Look<'_>, is_meant: &dyn Fn(&SessionKey) -> bool) -> BTreeMap<SessionKey, SessionConditions> {
    let pass = look.pass;
    let inputs = pass.inputs();
    let delegated = delegations(&inputs);
    let mut live = Vec::new();
    let mut all = BTreeMap::new();
    for (session, verdict) in pass.manifest().sessions.iter().zip(&pass.verdict().entries) {
        if !verdict.judged || !is_meant(&session.key) {
            continue;
        }
        let recorded = session.recorded.delegate_job_id.as_deref();
        let job = match recorded {
            Some(id) => inputs.jobs.iter().find(|job| job.id.as_str() == id),
            None => delegated.get(&session.index).copied(),
        };
        let conditions = match &verdict.presence {
            Presence::Alive(agent) => {
                live.push((session.key.clone(), agent, verdict.lives_in.as_ref()));
                Vec::new()
            }
            Presence::Unknown(why) => vec![ConditionReport::unknown(ConditionSource::Multiplexer, why.clone())],
            Presence::Several { candidates, .. } => {
                let why = format!("{} processes may be its agent", candidates.len());
                vec![ConditionReport::unknown(ConditionSource::Process, why)]
            }
            Presence::Absent { how } | Presence::NoAgent { instead: how, .. } => vec![look.ended(session, verdict, how)],
        };
        let is_over = conditions.iter().any(|it| it.condition.is_over());
        let seen = SessionConditions {
            agent: session.agent,
            conditions: conditions.into_iter().chain(job.and_then(done)).collect(),
            is_job_lost: job.is_some_and(|job| job.status.is_final() && job.status != JobStatus::Completed),
            is_being_started: is_over && look.is_being_started(&session.key),
            settles_in: None,
        };
        all.insert(session.key.clone(), seen);
    }
    for found in pass.verdict().found.iter().filter(|found| is_meant(&found.key)) {
        if let [agent] = found.agents.as_slice() {
            live.push((found.key.clone(), agent, found.proven.as_ref().map(|(id, _)| id)));
        }
    }
    for (key, kind, (conditions, settles_in)) in look.live(&live) {
        let seen = all.entry(key).or_insert_with(|| SessionConditions::none(kind));
        seen.conditions.splice(0..0, conditions);
        seen.settles_in = settles_in;
    }
    all
}

/// Puts into rows who has their sessions in hand, which conditions hold, and what they do for their crews.
pub fn complete_rows<'a>(world: &Observer, state: &StateHome, pass: &Pass, rows: impl Iterator<Item = &'a mut SessionRow>) {
    let holds = holds::holds(world, state, pass);
    let look = Look::new(world, state, pass);
    let mut seen = conditions_in(&look, &|_| true);
    let mut rows: Vec<&mut SessionRow> = rows.collect();
    complete_crews(state, pass.path(), rows.iter_mut().map(|row| &mut **row));
    let mut last = last_operations(look.operations());
    rows.into_iter().for_each(|row| {
        row.operation = last.remove(&row.session);
        row.hold = holds.get(&row.session).cloned();
        row.conditions = seen.remove(&row.session).map(|seen| seen.conditions).unwrap_or_default();
    });
}

/// Puts into rows what headcount did to their sessions last.
pub(in crate::control) fn note_operations<'a>(state: &StateHome, rows: impl Iterator<Item = &'a mut SessionRow>) {
    let mut last = last_operations(&Operations::new(state).all());
    rows.for_each(|row| row.operation = last.remove(&row.session));
}

/// The last operation of each session.
fn last_operations(all: &[PastOperation]) -> BTreeMap<SessionKey, OperationBrief> {
    all.iter()
        .map(|past| (past.operation.session.clone(), OperationBrief::of(&past.operation, past.receipt.as_ref())))
        .collect()
}

fn done(job: &Job) -> Option<ConditionReport> {
    let evidence = format!("job {} is {}", job.id, job.status);
    let done = ConditionReport { condition: Condition::Done, since: job.updated_at, source: ConditionSource::Job, evidence };
    (job.status == JobStatus::Completed).then_some(done)
}

/// Conditions, and how long until they may change by themselves.
type Settling = (Vec<ConditionReport>, Option<Duration>);

/// What was looked at already, for one pass.
struct Look<'a> {
    world: &'a Observer,
    state: &'a StateHome,
    pass: &'a Pass,
    agents: Agents,
    ledger: OnceCell<Ledger>,
    operations: OnceCell<Vec<PastOperation>>,
    farewells: OnceCell<Vec<HookEvent>>,
}

impl<'a> Look<'a> {
    fn new(world: &'a Observer, state: &'a StateHome, pass: &'a Pass) -> Self {
        let agents = Agents::with(&pass.manifest().agents);
        let (ledger, operations, farewells) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { world, state, pass, agents, ledger, operations, farewells }
    }

    /// What cannot be read says nothing; a pass says that.
    fn ledger(&self) -> &Ledger {
        self.ledger.get_or_init(|| LedgerFile::new(self.state).read().unwrap_or_default())
    }

    fn operations(&self) -> &[PastOperation] {
        self.operations.get_or_init(|| Operations::new(self.state).all())
    }

    /// Whether somebody is just starting a session, or has stopped it only to start it again.
    fn is_being_started(&self, key: &SessionKey) -> bool {
        let stopped = self.ledger().of(key).and_then(|acted| acted.stopped.as_ref());
        if stopped.is_some_and(|stopped| stopped.is_restart && stopped.stands(self.world.host.now())) {
            return true;
        }
        let starts = |past: &&PastOperation| {
            past.receipt.is_none() && past.operation.session == *key && past.operation.action != ActionKind::Stop
        };
        self.operations().iter().filter(starts).any(|past| recover::is_alive(self.world, past.operation.engine))
    }

    /// How a session ended that does not run.
    fn ended(&self, session: &Session, verdict: &EntryVerdict, how: &str) -> ConditionReport {
        if let Some(name) = &verdict.renamed_to {
            return ConditionReport::unknown(ConditionSource::Multiplexer, format!("it was renamed to {name}"));
        }
        let (inputs, seen) = (self.pass.inputs(), self.pass.observation());
        let boot = seen.boot.seen();
        let memory = inputs.remembered(session);
        let acted = self.ledger().of(&session.key);
        // Without a start in the ledger there is no operation to look for.
        let run = acted
            .and_then(|acted| acted.started.as_ref())
            .and_then(|_| runs_of(self.world.host.as_ref(), self.operations(), session, boot, seen.at).pop());
        let ending = run.as_ref().map(|run| (run.ending(), run.end.map(|end| end.at)));
        // Somebody else's agent was alive there since.
        let seen_alive = memory.and_then(|memory| memory.last_alive);
        let ending = ending.filter(|(ending, at)| {
            *ending == RunEnding::None || at.is_none_or(|at| seen_alive.is_none_or(|alive| alive <= at + SLACK))
        });
        let begun = run.as_ref().map(|run| run.begun);
        let stopped = inputs.stopped_at(session).filter(|at| begun.is_none_or(|begun| begun <= *at));
        let started = acted.and_then(|acted| acted.started.as_ref());
        let server = seen.servers.get(&session.key.server_key()).and_then(|server| server.seen()?.pid);
        let lost = started.and_then(|started| {
            let is_booted = boot.zip(started.boot.as_ref()).is_some_and(|(boot, then)| boot.id != *then);
            let is_replaced = session.key.mux == MuxKind::Tmux && server != Some(started.placed.server);
            match (is_booted, is_replaced) {
                (true, _) => Some("the host was booted while it ran"),
                (false, true) => Some("its server ended while it ran"),
                (false, false) => None,
            }
        });
        let lost = lost.filter(|_| ending.is_some());
        let said = self.farewell(session);
        let recorded = match session.recorded.status {
            Some(Status::Stopped) => Some("the manifest records that it was stopped"),
            Some(Status::Archived) => Some("the manifest records that it is archived"),
            _ => None,
        };
        EndSigns {
            instead: how,
            run: ending,
            stopped,
            lost,
            said,
            recorded: recorded.map(|how| (how, session.recorded.terminated_at)),
            missed: acted.and_then(|acted| acted.gone),
        }
        .condition()
    }

    /// The last thing that an agent said of the recorded conversation in or below the recorded pane, if that was its leave.
    fn farewell(&self, session: &Session) -> Option<&HookEvent> {
        let id = session.recorded.session_id.as_ref()?;
        let pane = session.recorded.pane.as_ref()?.pid?;
        let all = self.farewells.get_or_init(|| hooks::kept(self.state, |_| true).unwrap_or_default());
        let is_its = |event: &&HookEvent| {
            let is_below = event.process.pid == pane || event.ancestors.iter().any(|mark| mark.pid == pane);
            is_below && event.agent == session.agent && event.session_id.as_ref() == Some(id)
        };
        all.iter().rev().find(is_its).filter(|event| event.kind == HookKind::SessionEnd)
    }

    /// The conditions of sessions whose agents run.
    fn live(&self, all: &[(SessionKey, &LiveAgent, Option<&ConversationId>)]) -> Vec<(SessionKey, AgentKind, Settling)> {
        if all.is_empty() {
            return Vec::new();
        }
        let (world, state, pass, agents) = (self.world, self.state, self.pass, &self.agents);
        let own = if state.hooks().is_dir() { OwnProcesses::new(world.host.as_ref(), agents) } else { None };
        let view = LiveLook { world, state, pass, agents, own };
        spread(all, |(key, agent, id)| (key.clone(), agent.agent.kind, view.conditions(key, agent, *id)))
    }
}

/// What is looked at of agents that run; several at a time.
struct LiveLook<'a> {
    world: &'a Observer,
    state: &'a StateHome,
    pass: &'a Pass,
    agents: &'a Agents,
    own: Option<OwnProcesses<'a>>,
}

impl LiveLook<'_> {
    fn conditions(&self, key: &SessionKey, live: &LiveAgent, id: Option<&ConversationId>) -> Settling {
        let (agent, seen) = (&live.agent, self.pass.observation());
        let place = id.map(|id| (agent.process, id.clone()));
        let turn = place.as_ref().and_then(|place| seen.turns.get(place)?.seen().copied());
        let activity = seen.phases.get(&agent.process).copied().or(turn);
        let transcript = id.zip(agent.home.seen()).and_then(|(id, home)| {
            seen.transcripts.get(&TranscriptKey { kind: agent.kind, home: home.clone(), id: id.clone() })?.seen()
        });
        let own = self.own.as_ref().and_then(|own| own.marks(agent.kind, agent.process)).unwrap_or_default();
        let events: Vec<HookEvent> = own
            .iter()
            .filter_map(|mark| hooks::since(self.state, *mark, hooks::HookPosition::default()).ok())
            .flat_map(|(events, _)| events)
            .collect();
        let turns = id.zip(transcript).filter(|_| wants_turns(activity)).and_then(|(id, it)| self.turns(agent.kind, it, id));
        let written = transcript.and_then(modified);
        let mut signs = LiveSigns {
            agent: Some(agent.kind),
            now: self.world.host.now(),
            started: agent.process.started,
            conversation: id,
            own: &own,
            activity,
            beside: place.as_ref().and_then(|place| seen.awaited.get(place)).map(String::as_str),
            events: &events,
            turns: turns.as_ref(),
            written,
            dialog: None,
            is_ready_on_screen: false,
            is_unspoken: transcript.is_none() && matches!(agent.ladder.proof(), Fact::Seen((_, Rung::Held))),
        };
        // What the agent itself has printed proves nothing, so it must have said nothing since it began.
        let is_silent = match id {
            Some(_) => written.is_none_or(|at| at < agent.process.started),
            None => agent.ladder.readings.iter().all(|reading| reading.fact.seen().is_none()),
        };
        let adapter = self.agents.of(agent.kind);
        let is_readable = adapter.is_some_and(|adapter| adapter.has_readable_transcripts());
        let table = adapter.and_then(|adapter| adapter.drive());
        let is_untold = match activity {
            None | Some(Activity::Starting) => true,
            Some(Activity::Idle) => table.is_some_and(|table| !matches!(table.ready, ReadySign::Idle)),
            Some(_) => false,
        };
        if let Some(table) = table.filter(|_| is_untold && is_silent) {
            let server = seen.servers.get(&key.server_key()).and_then(Fact::seen);
            let shown = self.shown(&key.server_key(), server, live, table);
            // Where it may have said something all the same, only a dialog counts whose very row is highlighted, or a last line.
            let is_sure = is_readable && activity != Some(Activity::Idle);
            signs.dialog = shown.dialog.filter(|_| is_sure || shown.is_highlighted);
            signs.is_ready_on_screen = shown.is_ready && (is_readable || matches!(table.ready, ReadySign::LastLine(_)));
        }
        (signs.conditions(), signs.settles_in().and_then(|left| left.to_std().ok()))
    }

    fn turns(&self, kind: AgentKind, transcript: &Transcript, id: &ConversationId) -> Option<TurnPage> {
        let query = TurnQuery { last: 1, after: None, now: self.world.host.now() };
        self.agents.of(kind)?.turns(transcript, id, &query).into_seen()
    }

    /// What a screen shows, if it shows it twice.
    fn shown(&self, key: &ServerKey, server: Option<&Server>, live: &LiveAgent, table: &LaunchTable) -> ShownScreen {
        let Some(placed) = reading::placed_of(server, live) else { return ShownScreen::default() };
        let look = || effects::view(self.world, key, &placed).map(|view| ShownScreen::of(table, &view.screen));
        let Some(first) = look().filter(|shown| *shown != ShownScreen::default()) else { return ShownScreen::default() };
        std::thread::sleep(TWICE);
        look().filter(|second| *second == first).unwrap_or_default()
    }
}

/// Whether what its transcript says of the last turn matters.
fn wants_turns(activity: Option<Activity>) -> bool {
    matches!(activity, None | Some(Activity::Idle | Activity::Working))
}

/// When a transcript was written last. That of a database is in the file beside it.
fn modified(transcript: &Transcript) -> Option<chrono::DateTime<chrono::Utc>> {
    let mut beside = transcript.path.clone().into_os_string();
    beside.push("-wal");
    let of = |path: PathBuf| path.metadata().ok()?.modified().ok().map(chrono::DateTime::from);
    let newest = [transcript.path.clone(), beside.into()].into_iter().filter_map(of).max();
    Some(newest.unwrap_or(transcript.modified))
}

/// What a screen says of an agent that says nothing else.
#[derive(Default, PartialEq, Eq)]
struct ShownScreen {
    dialog: Option<DialogSubject>,
    is_highlighted: bool,
    is_ready: bool,
}

impl ShownScreen {
    fn of(table: &LaunchTable, screen: &str) -> Self {
        let dialog = table.dialog(screen);
        Self {
            dialog: dialog.map(|dialog| dialog.subject),
            is_highlighted: dialog.and_then(|dialog| dialog.answer.as_ref()?.highlighted(screen)).is_some(),
            is_ready: table.is_ready_on(screen),
        }
    }
}

/// The agent's turn that took a text in, by what is kept of that text: whether it is over. `None`: it is not to be found.
pub(super) fn is_turn_over(page: &TurnPage, is_it: impl Fn(&str) -> bool) -> Option<bool> {
    if page.queued.iter().any(|line| is_it(&line.text)) {
        return Some(false);
    }
    let turns = page.turns.iter().chain(&page.aside).rev();
    let mut its = turns.filter(|turn| turn.lines.iter().any(|line| is_it(&line.text)));
    its.next().map(|turn| turn.end != TurnEnd::Open && (turn.pending == 0 || turn.end != TurnEnd::Done))
}
