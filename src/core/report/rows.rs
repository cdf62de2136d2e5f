//! The rows of `status`: one per entry, then one per session of ours without an entry. Pure.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::status::{CrewRow, Observed, SCHEMA, SessionRow, StatusReport};
use super::{DriftReport, DriftState, Report};
use crate::core::drift::{Class, EntryVerdict, Inputs, LiveAgent, Presence, Unregistered, Verdict, delegations};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::job::{Job, timed_out};
use crate::core::manifest::Session;
use crate::core::manifest::select::Selection;
use crate::core::observe::{Activity, Transcript, TranscriptKey};
use crate::core::text::printable;

/// A conversation that somebody may want to resume.
#[derive(Debug, Clone)]
pub struct Resumable<'a> {
    /// Whose it is.
    pub agent: AgentKind,
    /// Which it is.
    pub id: &'a ConversationId,
    /// The agent's home that it is in.
    pub home: Fact<PathBuf>,
    /// Its transcript; `None` if nobody asked.
    pub transcript: Option<&'a Fact<Transcript>>,
    /// Directories it was probably in, the likeliest first.
    pub cwds: Vec<&'a Path>,
}

/// Gives the command that would resume a conversation, or why none does.
pub type Resume<'a> = &'a dyn Fn(&Resumable<'_>) -> Result<String, String>;

/// What `id_rung` says of an id nothing live proves.
const RECORDED: &str = "recorded";

/// What it says of an id that the transcript of the recorded one ends with.
const CONTINUED: &str = "continued-in";

/// The most characters shown of what an agent says it waits for.
const MOST_AWAITED: usize = 80;

/// The drifts of a report by their session.
type DriftsBySession<'a> = HashMap<&'a SessionKey, Vec<&'a DriftReport>>;

/// A row, and what it was made from.
#[derive(Debug, Clone)]
pub struct StatusRow<'a> {
    /// The row.
    pub row: SessionRow,
    /// The entry and what was concluded about it; `None` for a session without an entry.
    pub entry: Option<(&'a Session, &'a EntryVerdict)>,
    /// The session without an entry.
    pub found: Option<&'a Unregistered>,
}

/// The rows of the selected sessions. `report` is the report of the same pass.
pub fn rows<'a>(
    world: &Inputs<'a>,
    verdict: &'a Verdict,
    report: &Report,
    selection: &Selection,
    resume: Resume<'_>,
) -> Vec<StatusRow<'a>> {
    let jobs = Jobs::new(world);
    let drifts = by_session(report);
    let holders = holders(world, verdict);
    let declared = world
        .manifest
        .sessions
        .iter()
        .zip(&verdict.entries)
        .filter(|(session, _)| selection.covers(&session.key.name, session.agent, &session.labels))
        .map(|(session, entry)| StatusRow {
            row: jobs.shown(entry_row(world, session, entry, &drifts, (&holders, resume)), session.index),
            entry: Some((session, entry)),
            found: None,
        });
    let found = verdict.found.iter().filter_map(|found| {
        let agent = found.agents.first()?.agent.kind;
        let selected = selection.covers(&found.key.name, agent, &BTreeMap::new());
        selected.then(|| StatusRow {
            row: found_row(world, found, agent, &drifts, (&holders, resume)),
            entry: None,
            found: Some(found),
        })
    });
    declared.chain(found).filter(|row| is_wanted(&row.row, selection)).collect()
}

/// The jobs a row may be about.
struct Jobs<'a> {
    at: DateTime<Utc>,
    known: BTreeMap<&'a str, &'a Job>,
    delegated: BTreeMap<usize, &'a Job>,
}

impl<'a> Jobs<'a> {
    fn new(world: &Inputs<'a>) -> Self {
        let known = world.jobs.iter().map(|job| (job.id.as_str(), job)).collect();
        Self { at: world.observation.at, known, delegated: delegations(world) }
    }

    /// The row of an entry, with what is known of its job.
    fn shown(&self, mut row: SessionRow, index: usize) -> SessionRow {
        let job = match &row.job {
            Some(id) => self.known.get(id.as_str()),
            None => self.delegated.get(&index),
        };
        if let Some(job) = job {
            row.job = Some(job.id.to_string());
            row.job_status = Some(job.status);
            row.job_event = job.last_event;
            row.job_timed_out = timed_out(job, self.at);
        }
        row
    }
}

/// With `--class` only sessions that have such a drift are wanted.
fn is_wanted(row: &SessionRow, selection: &Selection) -> bool {
    selection.classes.is_empty() || row.drifts.iter().any(|class| selection.covers_class(*class))
}

/// The status document of the same rows.
pub fn status(report: &Report, rows: &[StatusRow<'_>]) -> StatusReport {
    StatusReport {
        schema: SCHEMA.to_owned(),
        manifest: report.manifest.clone(),
        host: report.host.clone(),
        observed_at: report.observed_at,
        in_sync: report.in_sync,
        counts: report.counts,
        sessions: rows.iter().map(|row| row.row.clone()).collect(),
        unknown: report.unknown.clone(),
        jobs: Vec::new(),
        asked_as: None,
    }
}

fn entry_row(
    world: &Inputs<'_>,
    session: &Session,
    entry: &EntryVerdict,
    drifts: &DriftsBySession<'_>,
    (holders, resume): (&Holders<'_>, Resume<'_>),
) -> SessionRow {
    let live = entry.presence.live();
    let proven = entry.proven.as_ref().map(|(id, rung)| (id, rung.as_str()));
    let continued = entry.continued.as_ref().map(|it| (&it.id, CONTINUED));
    let id = proven.or(continued).or_else(|| Some((session.recorded.session_id.as_ref()?, RECORDED)));
    let transcript = id.and_then(|(id, _)| transcript_of(world, session, entry, id));
    let (observed, note) = observed(world, session, entry, transcript.as_ref(), proven.is_some());
    let owner = entry.continued.as_ref().and_then(|it| it.owner.as_deref());
    let note = note.or_else(|| Some(format!("its conversation continued in session {}", printable(owner?))));
    let is_archived = transcript.as_ref().and_then(Fact::seen).is_some_and(|transcript| transcript.is_archived);
    let note = note.or_else(|| is_archived.then(|| "its conversation is archived".to_owned()));
    let doubt = doubt_of(world, session, entry);
    let note = with_doubt(note, doubt.as_deref());
    let live_cwd = live.and_then(|live| live.agent.cwd.seen().map(PathBuf::as_path));
    let cwd = session.cwd.as_deref().or(live_cwd);
    let recorded_cwd = session.recorded.pane.as_ref().and_then(|pane| Some(Path::new(pane.cwd.as_deref()?)));
    let recorded_cwd = recorded_cwd.filter(|cwd| cwd.is_absolute());
    let resumed = id.map(|(id, _)| {
        if session.key.host != world.observation.host {
            return Err(format!("it is on host {}", printable(&session.key.host)));
        }
        if let Some(owner) = owner {
            return Err(format!("it went on in session {}", printable(owner)));
        }
        if let Some(holder) = holders.other(session.agent, id, &session.key) {
            return Err(format!("session {} is in it", printable(&holder.name)));
        }
        resume(&Resumable {
            agent: session.agent,
            id,
            home: home_of(world, session, entry),
            transcript: transcript.as_ref(),
            cwds: [live_cwd, recorded_cwd, session.cwd.as_deref()].into_iter().flatten().collect(),
        })
    });
    let (turn, turn_note) = turn_of(world, live, entry.lives_in.as_ref());
    SessionRow {
        hold: None,
        conditions: Vec::new(),
        desired: session.lead.desired,
        operation: None,
        session: session.key.clone(),
        agent: session.agent,
        declared: session.recorded.status.map_or("-", |status| status.as_str()).to_owned(),
        observed,
        turn,
        turn_note,
        note,
        cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
        pane: live.map(|live| live.pane.id.clone()),
        pid: live.map(|live| live.agent.process.pid),
        session_id: id.map(|(id, _)| id.clone()),
        id_rung: id.map(|(_, proof)| proof.to_owned()),
        transcript: transcript.as_ref().and_then(is_there),
        last_activity: transcript.as_ref().and_then(|transcript| transcript.seen()).map(|transcript| transcript.modified),
        job: session.recorded.delegate_job_id.clone(),
        job_status: None,
        job_event: None,
        job_timed_out: None,
        crew: session.lead.crew.as_ref().map(|crew| CrewRow {
            name: crew.name.clone(),
            role: crew.role,
            task: None,
            state: None,
        }),
        drifts: classes(drifts, &session.key, |state| state != DriftState::Applied),
        ignored: classes(drifts, &session.key, |state| state == DriftState::Ignored),
        doubt,
        no_resume: resumed.as_ref().and_then(|it| it.as_ref().err()).cloned(),
        resume: resumed.and_then(Result::ok),
    }
}

fn found_row(
    world: &Inputs<'_>,
    found: &Unregistered,
    agent: AgentKind,
    drifts: &DriftsBySession<'_>,
    (holders, resume): (&Holders<'_>, Resume<'_>),
) -> SessionRow {
    let live: Option<&LiveAgent> = match found.agents.as_slice() {
        [live] => Some(live),
        _ => None,
    };
    let id = found.proven.as_ref();
    let cwd = live.and_then(|live| live.agent.cwd.seen());
    let home = live.and_then(|live| live.agent.home.seen());
    let transcript = id.zip(home).and_then(|((id, _), home)| {
        let key = TranscriptKey { kind: agent, home: home.clone(), id: id.clone() };
        world.observation.transcripts.get(&key)
    });
    let (turn, turn_note) = turn_of(world, live, id.map(|(id, _)| id));
    let resumed = id.zip(live).map(|((id, _), live)| match holders.other(agent, id, &found.key) {
        Some(holder) => Err(format!("session {} is in it", printable(&holder.name))),
        None => {
            let cwds = cwd.into_iter().map(PathBuf::as_path).collect();
            resume(&Resumable { agent, id, home: live.agent.home.clone(), transcript, cwds })
        }
    });
    SessionRow {
        hold: None,
        conditions: Vec::new(),
        desired: None,
        operation: None,
        session: found.key.clone(),
        agent,
        declared: "-".to_owned(),
        observed: if live.is_some() { Observed::Alive } else { Observed::Ambiguous },
        turn,
        turn_note,
        note: Some(match &found.view_of {
            Some(of) => format!("no entry; shows the agent of {}", printable(of)),
            None => "no entry".to_owned(),
        }),
        cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
        pane: live.map(|live| live.pane.id.clone()),
        pid: live.map(|live| live.agent.process.pid),
        session_id: id.map(|(id, _)| id.clone()),
        id_rung: id.map(|(_, rung)| rung.as_str().to_owned()),
        transcript: transcript.and_then(is_there),
        last_activity: transcript.and_then(|transcript| transcript.seen()).map(|transcript| transcript.modified),
        job: None,
        job_status: None,
        job_event: None,
        job_timed_out: None,
        crew: None,
        drifts: classes(drifts, &found.key, |state| state != DriftState::Applied),
        ignored: classes(drifts, &found.key, |state| state == DriftState::Ignored),
        doubt: None,
        no_resume: resumed.as_ref().and_then(|it| it.as_ref().err()).cloned(),
        resume: resumed.and_then(Result::ok),
    }
}

/// Which live sessions are in a conversation.
struct Holders<'a>(HashMap<(AgentKind, &'a ConversationId), Vec<&'a SessionKey>>);

impl Holders<'_> {
    /// One that is not this.
    fn other(&self, agent: AgentKind, id: &ConversationId, than: &SessionKey) -> Option<&SessionKey> {
        self.0.get(&(agent, id))?.iter().copied().find(|key| *key != than)
    }
}

fn holders<'a>(world: &Inputs<'a>, verdict: &'a Verdict) -> Holders<'a> {
    let mut holders: HashMap<_, Vec<_>> = HashMap::new();
    for (session, entry) in world.manifest.sessions.iter().zip(&verdict.entries) {
        if let Some(id) = entry.lives_in.as_ref() {
            holders.entry((session.agent, id)).or_default().push(&session.key);
        }
    }
    for found in verdict.found.iter().filter(|found| found.view_of.is_none()) {
        if let (Some((id, _)), Some(live)) = (&found.proven, found.agents.first()) {
            holders.entry((live.agent.kind, id)).or_default().push(&found.key);
        }
    }
    Holders(holders)
}

/// The home an entry's conversation is in: that of its live agent, else the one with its transcript, else where it was last.
fn home_of(world: &Inputs<'_>, session: &Session, entry: &EntryVerdict) -> Fact<PathBuf> {
    match (entry.presence.live(), &entry.home) {
        (Some(live), _) => live.agent.home.clone(),
        (None, Some(home)) => Fact::Seen(home.clone()),
        (None, None) => world.observation.fallback_homes.get(session.index).cloned().unwrap_or(Fact::Absent),
    }
}

fn observed(
    world: &Inputs<'_>,
    session: &Session,
    entry: &EntryVerdict,
    transcript: Option<&Fact<Transcript>>,
    proven: bool,
) -> (Observed, Option<String>) {
    let note = |text: &str| Some(printable(text).into_owned());
    if session.key.host != world.observation.host {
        return (Observed::Elsewhere, note(&format!("on host {}", session.key.host)));
    }
    if session.suspend {
        return (Observed::Suspended, None);
    }
    match &entry.presence {
        Presence::Unknown(why) => (Observed::Unknown, note(why)),
        Presence::Absent { .. } => match &entry.renamed_to {
            Some(name) => (Observed::Alive, note(&format!("renamed to {name}"))),
            None => (Observed::Gone, None),
        },
        Presence::NoAgent { instead, .. } => (Observed::NoAgent, note(instead)),
        Presence::Several { candidates, .. } => {
            (Observed::Ambiguous, note(&format!("{} {} processes", candidates.len(), session.agent)))
        }
        Presence::Alive(_) => match (&entry.unknown, transcript) {
            (Some(why), _) => (Observed::Alive, note(why)),
            (None, Some(Fact::Absent)) if proven => (Observed::Alive, note("no transcript yet")),
            _ => (Observed::Alive, None),
        },
    }
}

/// Why the conversation of an entry may not be its own: what is doubtful now, or was when its agent was last in sight.
fn doubt_of(world: &Inputs<'_>, session: &Session, entry: &EntryVerdict) -> Option<String> {
    let is_told = entry.presence.live().is_some() && entry.unknown.is_none();
    let memory = world.remembered(session).filter(|memory| memory.recorded_id == session.recorded.session_id);
    let remembered = memory.and_then(|memory| memory.doubt.as_deref()).filter(|_| !is_told);
    let doubt = entry.doubt.as_deref().filter(|_| session.recorded.session_id.is_some()).or(remembered)?;
    Some(printable(doubt).into_owned())
}

/// A note, with the doubt that nobody should resume the conversation without.
fn with_doubt(note: Option<String>, doubt: Option<&str>) -> Option<String> {
    let doubt = doubt.map(|doubt| format!("conversation doubtful: {doubt}"));
    match (note, doubt) {
        (Some(note), Some(doubt)) => Some(format!("{note}; {doubt}")),
        (note, doubt) => note.or(doubt),
    }
}

/// What a live agent is doing, and what there is to say beside it. Beside its phase only of one whose conversation is known: what
/// a transcript tells, it tells of whoever is in it.
fn turn_of(world: &Inputs<'_>, live: Option<&LiveAgent>, id: Option<&ConversationId>) -> (Option<Activity>, Option<String>) {
    let phase = live.and_then(|live| world.observation.phases.get(&live.agent.process)).copied();
    let place = live.zip(id).map(|(live, id)| (live.agent.process, id.clone()));
    let turn = || world.observation.turns.get(place.as_ref()?)?.seen().copied();
    let turn = phase.or_else(turn);
    let awaited =
        place.filter(|_| turn.is_some_and(Activity::has_more)).and_then(|place| world.observation.awaited.get(&place));
    (turn, awaited.map(|text| printable(text).chars().take(MOST_AWAITED).collect()))
}

/// The transcript of the conversation a row shows.
fn transcript_of(world: &Inputs<'_>, session: &Session, entry: &EntryVerdict, id: &ConversationId) -> Option<Fact<Transcript>> {
    if Some(id) == session.recorded.session_id.as_ref() {
        return entry.transcript.clone();
    }
    let home = entry.presence.live().and_then(|live| live.agent.home.seen()).or(entry.home.as_ref())?.clone();
    let key = TranscriptKey { kind: session.agent, home, id: id.clone() };
    world.observation.transcripts.get(&key).cloned()
}

fn is_there(transcript: &Fact<Transcript>) -> Option<bool> {
    match transcript {
        Fact::Seen(_) => Some(true),
        Fact::Absent => Some(false),
        Fact::Unknown(_) => None,
    }
}

fn by_session(report: &Report) -> DriftsBySession<'_> {
    let mut drifts = DriftsBySession::new();
    for drift in &report.drifts {
        drifts.entry(&drift.session).or_default().push(drift);
    }
    drifts
}

fn classes(drifts: &DriftsBySession<'_>, key: &SessionKey, is_wanted: impl Fn(DriftState) -> bool) -> Vec<Class> {
    drifts.get(key).into_iter().flatten().filter(|drift| is_wanted(drift.state)).map(|drift| drift.class).collect()
}
