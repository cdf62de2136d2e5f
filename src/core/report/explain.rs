//! Why headcount believes what it believes about a session, in lines for people. Pure.

use super::rows::StatusRow;
use super::status::{Explanation, LadderLines, Observed, RungLine, SessionRow};
use super::{DriftReport, Report, would_change};
use crate::core::drift::{Inputs, LiveAgent, Presence};
use crate::core::fact::Fact;
use crate::core::manifest::Session;
use crate::core::observe::Activity;
use crate::core::observe::identity::{Rung, RungReading, RungValue};
use crate::core::text::{printable, stamp};

/// The explanation of a row of `status`.
pub fn explain(world: &Inputs<'_>, row: &StatusRow<'_>, report: &Report) -> Explanation {
    let (presence, about_id, proven) = match (row.entry, row.found) {
        (Some((_, entry)), _) => (Some(&entry.presence), entry.about_id.as_str(), entry.proven.as_ref()),
        (None, Some(found)) => (None, found.about_id.as_str(), found.proven.as_ref()),
        (None, None) => (None, "", None),
    };
    let agents: &[LiveAgent] = match (presence, row.found) {
        (Some(presence), _) => presence.agents(),
        (None, Some(found)) => &found.agents,
        (None, None) => &[],
    };
    let live = match agents {
        [live] => Some(live),
        _ => None,
    };
    let decided = proven.map(|(_, rung)| *rung);
    let renamed = row.entry.and_then(|(session, entry)| Some((session, entry.renamed_to.as_deref()?)));
    let elsewhere = renamed.map(|(session, name)| agents_in(world, session, name)).unwrap_or_default();
    let asked = if agents.is_empty() { &elsewhere } else { agents };
    let drifts = report.drifts.iter().filter(|drift| drift.session == row.row.session);
    Explanation {
        row: row.row.clone(),
        operations: Vec::new(),
        manifest: row.entry.map(|(session, _)| manifest_lines(session)).unwrap_or_default(),
        job: job_line(world, &row.row),
        observed: observed_lines(world, row, presence, live),
        ladders: asked.iter().map(|agent| ladder_lines(agent, decided.filter(|_| live.is_some()))).collect(),
        verdict: if about_id.is_empty() { other_verdict(row, agents) } else { printable(about_id).into_owned() },
        drifts: drifts.map(drift_line).collect(),
        would_change: would_change::lines(row, live, decided),
    }
}

/// An entry's agents in the session it was renamed to.
fn agents_in(world: &Inputs<'_>, entry: &Session, name: &str) -> Vec<LiveAgent> {
    let server = world.observation.servers.get(&entry.key.server_key()).and_then(Fact::seen);
    let sessions = server.into_iter().flat_map(|server| &server.sessions).filter(|session| session.name == name);
    let panes = sessions.flat_map(|session| session.panes.iter().map(move |pane| (session, pane)));
    let agents = panes.flat_map(|(session, pane)| {
        let agents = pane.agents.seen().into_iter().flatten().filter(|agent| agent.kind == entry.agent);
        agents.map(move |agent| LiveAgent { session: session.clone(), pane: pane.clone(), agent: agent.clone() })
    });
    agents.collect()
}

/// A drift without the session's name, which stands above it.
fn drift_line(drift: &DriftReport) -> String {
    let name = format!("{}: ", printable(&drift.session.name));
    let message = drift.message.strip_prefix(&name).unwrap_or(&drift.message);
    format!("{} ({}): {message}", drift.class, state_word(drift.state))
}

fn state_word(state: super::DriftState) -> &'static str {
    match state {
        super::DriftState::Pending => "pending",
        super::DriftState::Settling => "settling",
        super::DriftState::Applied => "applied",
        super::DriftState::Flagged => "flagged",
        super::DriftState::Refused => "refused",
        super::DriftState::Ignored => "ignored",
    }
}

/// What is known of its job.
fn job_line(world: &Inputs<'_>, row: &SessionRow) -> Option<String> {
    let id = row.job.as_deref()?;
    let Some(job) = world.jobs.iter().find(|job| job.id.as_str() == id) else {
        return Some(format!("{} (not in the registry)", printable(id)));
    };
    let mut line = format!("{id}, {}", job.status);
    if let (Some(event), Some(at)) = (job.last_event, job.updated_at) {
        line.push_str(&format!(", last event {event} (number {}) received {}", job.last_seq, stamp(at)));
    }
    if let Some(how) = row.job_timed_out {
        line.push_str(&format!(", {how}"));
    }
    Some(line)
}

fn manifest_lines(session: &Session) -> Vec<String> {
    let recorded = &session.recorded;
    let mut lines = vec![format!("{} declares {} on {}", session.entry.path, session.agent, session.key.server_key())];
    lines.extend(session.cwd.as_ref().map(|cwd| format!("workspace {}", cwd.display())));
    lines.push(match recorded.status {
        Some(status) => format!("status {}", status.as_str()),
        None => "no status: not seen yet".to_owned(),
    });
    lines.extend(recorded.terminated_at.map(|at| format!("ended {}", stamp(at))));
    lines.push(match &recorded.session_id {
        Some(id) if recorded.id_is_lent => format!("conversation {id}, from the top-level identity"),
        Some(id) => format!("conversation {id}"),
        None => "no conversation recorded".to_owned(),
    });
    lines.push(match &recorded.pane {
        Some(pane) => {
            let pid = pane.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
            format!("pane {} pid {pid}", pane.id.as_deref().unwrap_or("?"))
        }
        None => "no pane recorded".to_owned(),
    });
    lines.extend(session.lead.lines(session.env.keys()));
    lines.iter().map(|line| printable(line).into_owned()).collect()
}

fn observed_lines(
    world: &Inputs<'_>,
    row: &StatusRow<'_>,
    presence: Option<&Presence>,
    live: Option<&LiveAgent>,
) -> Vec<String> {
    let key = row.row.session.server_key();
    let mut lines = match world.observation.servers.get(&key) {
        // The server of this name that was seen is this host's.
        _ if row.row.session.host != world.observation.host => Vec::new(),
        Some(Fact::Seen(server)) => {
            let pid = server.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let sessions = counted(server.sessions.len(), "session");
            // Where each session has a server of its own, there is no one version.
            let version = Some(&server.version).filter(|it| !it.is_empty()).map(|it| format!(", version {it}"));
            vec![format!("{key}{pid} answered{}, {sessions}", version.unwrap_or_default())]
        }
        Some(Fact::Absent) => vec![format!("{key} is not running")],
        Some(Fact::Unknown(why)) => vec![format!("{key}: {why}")],
        None => vec![format!("{key} was not looked at")],
    };
    match presence {
        Some(Presence::Absent { how }) => lines.push(how.clone()),
        Some(Presence::NoAgent { session, instead }) => {
            lines.push(format!("session {} is alive without its agent: {instead}", session.id));
        }
        Some(Presence::Several { session, candidates }) => {
            lines.push(format!("session {} holds {} processes that could be its agent", session.id, candidates.len()));
        }
        Some(Presence::Unknown(why)) if lines.iter().any(|line| line.ends_with(why.as_str())) => {}
        Some(Presence::Unknown(why)) => lines.push(why.clone()),
        Some(Presence::Alive(_)) | None => {}
    }
    if let Some(live) = live {
        let age = live.session.created.map(|at| format!(", made {}", stamp(at))).unwrap_or_default();
        lines.push(format!("session {}{age}, {}", live.session.id, counted(live.session.panes.len(), "pane")));
        let process = live.agent.process;
        lines.push(format!(
            "{} is pid {} in pane {}, started {}",
            live.agent.kind,
            process.pid,
            live.pane.id,
            stamp(process.started)
        ));
        lines.push(format!("its directory: {}", path_line(&live.agent.cwd)));
        lines.push(format!("its files: {}", path_line(&live.agent.home)));
        lines.push(turn_line(world, row, live));
    }
    let said = |note: &String| lines.iter().any(|line| line.ends_with(note.as_str()));
    lines.extend(row.row.note.clone().filter(|note| !said(note)));
    lines.iter().map(|line| printable(line).into_owned()).collect()
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What the agent is doing, or why that is not said.
fn turn_line(world: &Inputs<'_>, row: &StatusRow<'_>, live: &LiveAgent) -> String {
    let entry = row.entry.and_then(|(_, entry)| entry.lives_in.as_ref());
    let found = row.found.and_then(|found| found.proven.as_ref()).map(|(id, _)| id);
    // What the process itself proves is its own, whoever else claims it; its arguments alone do not.
    let own = live.agent.ladder.proof().into_seen().filter(|(_, rung)| *rung < Rung::Start);
    let id = entry.or(found).or(own.map(|(id, _)| id));
    let phase = world.observation.phases.get(&live.agent.process);
    let place = id.map(|id| (live.agent.process, id.clone()));
    let doing = match (phase, place.as_ref().and_then(|place| world.observation.turns.get(place))) {
        (Some(phase), _) => *phase,
        (None, Some(Fact::Seen(turn))) => *turn,
        (None, Some(Fact::Absent)) => return "what it is doing: its files do not say".to_owned(),
        (None, Some(Fact::Unknown(why))) => return format!("what it is doing: unknown ({why})"),
        (None, None) => {
            return "what it is doing: unknown, because no live evidence says which conversation it is in".to_owned();
        }
    };
    let awaited = place.and_then(|place| world.observation.awaited.get(&place)).filter(|_| doing.has_more());
    match awaited {
        Some(what) if doing == Activity::Waiting => format!("what it is doing: {}, for {what}", doing.as_str()),
        Some(what) => format!("what it is doing: {}; {what}", doing.as_str()),
        None => format!("what it is doing: {}", doing.as_str()),
    }
}

fn path_line(fact: &Fact<std::path::PathBuf>) -> String {
    match fact {
        Fact::Seen(path) => path.display().to_string(),
        Fact::Absent => "none".to_owned(),
        Fact::Unknown(why) => format!("unknown ({why})"),
    }
}

/// The whole ladder of a process. `explain` has every rung read that an agent has, so one without a reading it does not have.
fn ladder_lines(live: &LiveAgent, decided: Option<Rung>) -> LadderLines {
    let agent = &live.agent;
    let unread = match &agent.home {
        Fact::Seen(_) => format!("{} has no such rung", agent.kind),
        Fact::Absent | Fact::Unknown(_) => "not read: the location of its files is unknown".to_owned(),
    };
    let line = |rung: Rung, reading: Option<&RungReading>| {
        let mut found = reading.map_or_else(|| unread.clone(), found_line);
        match &agent.ladder.peers {
            Fact::Seen(peers) if *peers > 1 && rung > Rung::Start && reading.is_some_and(|it| it.fact.seen().is_some()) => {
                found.push_str(&format!("; proves nothing, because {peers} live {} processes share the workspace", agent.kind));
            }
            _ => {}
        }
        RungLine {
            number: rung.number(),
            name: rung.as_str().to_owned(),
            looked_at: printable(reading.map_or("-", |reading| &reading.looked_at)).into_owned(),
            found: printable(&found).into_owned(),
            decided: decided == Some(rung),
        }
    };
    let readings = &agent.ladder.readings;
    LadderLines {
        of: printable(&format!("{}, pid {} in pane {}", agent.kind, agent.process.pid, live.pane.id)).into_owned(),
        rungs: Rung::ALL.map(|rung| line(rung, readings.iter().find(|reading| reading.rung == rung))).into(),
    }
}

fn found_line(reading: &RungReading) -> String {
    match &reading.fact {
        Fact::Absent => "nothing".to_owned(),
        Fact::Unknown(why) => format!("cannot tell: {why}"),
        Fact::Seen(RungValue::Id(id)) => id.to_string(),
        Fact::Seen(RungValue::Mapped { id, changed: Some(at) }) => format!("{id}, its store changed {}", stamp(*at)),
        Fact::Seen(RungValue::Mapped { id, changed: None }) => format!("{id}, whose store does not exist"),
        Fact::Seen(RungValue::Appeared(all)) if all.is_empty() => "nothing".to_owned(),
        Fact::Seen(RungValue::Appeared(all)) => {
            let lines: Vec<String> = all.iter().map(|one| format!("{} at {}", one.id, stamp(one.at))).collect();
            lines.join(", ")
        }
    }
}

/// The verdict where no single live agent was asked.
fn other_verdict(row: &StatusRow<'_>, agents: &[LiveAgent]) -> String {
    let recorded = row.row.session_id.as_ref().map(|id| format!("{id} is recorded; "));
    let why = match row.row.observed {
        Observed::Suspended => "the entry is suspended, so nothing is judged",
        Observed::Elsewhere => "headcount cannot see what is live on another host",
        Observed::Unknown => "it is unknown whether an agent is live",
        Observed::Ambiguous if agents.len() > 1 => {
            "it is unknown which process is its agent, so its conversation is unknown too"
        }
        Observed::Alive => "it is judged under its new name",
        _ if recorded.is_some() => "no live agent proves or contradicts it",
        _ => "no conversation is known",
    };
    recorded.unwrap_or_default() + why
}
