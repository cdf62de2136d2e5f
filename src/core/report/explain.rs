//! Why headcount believes what it believes about a session, in lines for people. Pure.

use super::rows::Row;
use super::status::{Explanation, RungLine, SessionRow};
use super::{DriftReport, Report};
use crate::core::drift::{Live, Standing, World};
use crate::core::fact::Fact;
use crate::core::manifest::Session;
use crate::core::observe::identity::{Found, Reading, Rung};
use crate::core::text::{printable, stamp};

/// The explanation of a row of `status`.
pub fn explain(world: &World<'_>, row: &Row<'_>, report: &Report) -> Explanation {
    let (standing, about_id, proven) = match (row.entry, row.found) {
        (Some((_, entry)), _) => (Some(&entry.standing), entry.about_id.as_str(), entry.proven.as_ref()),
        (None, Some(found)) => (None, found.about_id.as_str(), found.proven.as_ref()),
        (None, None) => (None, "", None),
    };
    let live = match (standing, row.found) {
        (Some(standing), _) => standing.live(),
        (None, Some(found)) => found.agents.first().copied().filter(|_| found.agents.len() == 1),
        (None, None) => None,
    };
    let decided = proven.map(|(_, rung)| *rung);
    let drifts = report.drifts.iter().filter(|drift| drift.session == row.row.session);
    Explanation {
        row: row.row.clone(),
        manifest: row.entry.map(|(session, _)| manifest_lines(session)).unwrap_or_default(),
        job: job_line(world, &row.row),
        observed: observed_lines(world, row, standing, live),
        rungs: live.map(|live| rung_lines(&live, decided)).unwrap_or_default(),
        verdict: if about_id.is_empty() { no_agent_verdict(row) } else { printable(about_id).into_owned() },
        drifts: drifts.map(drift_line).collect(),
        would_change: would_change(row, live, decided),
    }
}

/// A drift without the session's name, which stands above it.
fn drift_line(drift: &DriftReport) -> String {
    let name = format!("{}: ", printable(&drift.session.name));
    let message = drift.message.strip_prefix(&name).unwrap_or(&drift.message);
    format!("{} ({}): {message}", drift.class, state_word(drift.state))
}

fn state_word(state: super::State) -> &'static str {
    match state {
        super::State::Pending => "pending",
        super::State::Settling => "settling",
        super::State::Applied => "applied",
        super::State::Flagged => "flagged",
        super::State::Refused => "refused",
        super::State::Ignored => "ignored",
    }
}

/// What is known of its job.
fn job_line(world: &World<'_>, row: &SessionRow) -> Option<String> {
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
    lines.iter().map(|line| printable(line).into_owned()).collect()
}

fn observed_lines(world: &World<'_>, row: &Row<'_>, standing: Option<&Standing<'_>>, live: Option<Live<'_>>) -> Vec<String> {
    let key = row.row.session.server_key();
    let mut lines = vec![match world.observation.servers.get(&key) {
        Some(Fact::Seen(server)) => {
            let pid = server.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!("{key}{pid} answered, version {}, {}", server.version, counted(server.sessions.len(), "session"))
        }
        Some(Fact::Absent) => format!("{key} is not there"),
        Some(Fact::Unknown(why)) => format!("{key}: {why}"),
        None => format!("{key} was not looked at"),
    }];
    match standing {
        Some(Standing::Absent { how }) => lines.push(how.clone()),
        Some(Standing::NoAgent { session, instead }) => {
            lines.push(format!("session {} is alive without its agent: {instead}", session.id));
        }
        Some(Standing::Several { session, candidates }) => {
            lines.push(format!("session {} holds {} processes that could be its agent", session.id, candidates.len()));
        }
        Some(Standing::Unknown(why)) => lines.push(why.clone()),
        Some(Standing::Alive(_)) | None => {}
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
    }
    let said = |note: &String| lines.iter().any(|line| line.ends_with(note.as_str()));
    lines.extend(row.row.note.clone().filter(|note| !said(note)));
    lines.iter().map(|line| printable(line).into_owned()).collect()
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn path_line(fact: &Fact<std::path::PathBuf>) -> String {
    match fact {
        Fact::Seen(path) => path.display().to_string(),
        Fact::Absent => "none".to_owned(),
        Fact::Unknown(why) => format!("unknown ({why})"),
    }
}

fn rung_lines(live: &Live<'_>, decided: Option<Rung>) -> Vec<RungLine> {
    let line = |rung: Rung, reading: Option<&Reading>| RungLine {
        number: rung.number(),
        name: rung.as_str().to_owned(),
        looked_at: printable(reading.map_or("-", |reading| &reading.looked_at)).into_owned(),
        found: printable(&reading.map_or_else(|| format!("not used for {}", live.agent.kind), found_line)).into_owned(),
        decided: decided == Some(rung),
    };
    Rung::ALL
        .into_iter()
        .map(|rung| line(rung, live.agent.ladder.readings.iter().find(|reading| reading.rung == rung)))
        .collect()
}

fn found_line(reading: &Reading) -> String {
    match &reading.fact {
        Fact::Absent => "nothing".to_owned(),
        Fact::Unknown(why) => format!("cannot tell: {why}"),
        Fact::Seen(Found::Id(id)) => id.to_string(),
        Fact::Seen(Found::Mapped { id, changed: Some(at) }) => format!("{id}, its store changed {}", stamp(*at)),
        Fact::Seen(Found::Mapped { id, changed: None }) => format!("{id}, whose store is not there"),
        Fact::Seen(Found::Appeared(all)) if all.is_empty() => "nothing".to_owned(),
        Fact::Seen(Found::Appeared(all)) => {
            let lines: Vec<String> = all.iter().map(|one| format!("{} at {}", one.id, stamp(one.at))).collect();
            lines.join(", ")
        }
    }
}

fn no_agent_verdict(row: &Row<'_>) -> String {
    match &row.row.session_id {
        Some(id) => format!("{id} is recorded; no live agent proves or contradicts it"),
        None => "no conversation is known".to_owned(),
    }
}

fn would_change(row: &Row<'_>, live: Option<Live<'_>>, decided: Option<Rung>) -> Vec<String> {
    use super::status::Observed;
    let agent = row.row.agent;
    let mut lines = Vec::new();
    match row.row.observed {
        Observed::Gone => lines.push(format!("a session of this name with {agent} in it: revived")),
        Observed::NoAgent => lines.push(format!("{agent} started in any pane of the session")),
        Observed::Unknown => lines.push("the server answering".to_owned()),
        Observed::Elsewhere => lines.push(format!("running headcount on host {}", row.row.session.host)),
        Observed::Suspended => lines.push("removing `suspend: true`".to_owned()),
        Observed::Ambiguous => {
            lines.push("a recorded pane (id and pid) that holds one of them, or only one working in `cwd`".to_owned())
        }
        Observed::Alive => {
            lines.push(format!("the end of the session: dead; the end of {agent} alone: agent-gone"));
        }
    }
    if live.is_some() {
        lines.push(match decided {
            Some(Rung::Registry) => "another id in the agent's registry, for instance after /clear: new-id".to_owned(),
            Some(rung) => format!("another id on a rung above {} ({})", rung.number(), rung.as_str()),
            None => "an id on any of rungs 1 to 4".to_owned(),
        });
    }
    if row.row.session_id.is_some() {
        lines.push("its transcript gone from every project directory: stale-id".to_owned());
    }
    lines
}
