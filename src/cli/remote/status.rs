//! What other hosts say of their sessions, as one report. A host that does not answer is unknown; nothing is remembered of what it said
//! before.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Away, CommandWords, call};
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass::NO_SESSION;
use crate::control::remote::{RemoteConnection, RemoteEnd, RemotePiece};
use crate::core::manifest::RemoteHost;
use crate::core::remote::ServeCall;
use crate::core::report::UnknownReport;
use crate::core::report::status::{SessionRow, StatusReport};

/// Options that say how this process shows a report.
const OF_SHOWING: [&str; 5] = ["json", "output", "watch", "interval", "exit_code"];

/// The hosts whose sessions are shown.
#[derive(Debug)]
pub(crate) struct FarStatus {
    hosts: Vec<FarHost>,
    /// What was said of them already.
    said: Vec<String>,
}

/// A host, and the connection to it while that lasts.
#[derive(Debug)]
struct FarHost {
    name: String,
    host: RemoteHost,
    call: ServeCall,
    connection: Option<RemoteConnection>,
}

/// What a host said.
struct FarReport {
    report: StatusReport,
    ahead: Option<TimeDelta>,
    /// What there is to say beside it.
    notes: Vec<String>,
}

impl FarStatus {
    /// Those that are meant.
    ///
    /// # Errors
    /// There is no place for state.
    pub(crate) fn of(away: Away) -> Result<Self, CliError> {
        let words: CommandWords = away.words.without(&OF_SHOWING).with("--json");
        let hosts = away.hosts.into_iter().map(|(name, host)| {
            let call = call(words.clone(), &host)?;
            Ok(FarHost { name, host, call, connection: None })
        });
        Ok(Self { hosts: hosts.collect::<Result<_, CliError>>()?, said: Vec::new() })
    }

    /// The report of the one host that is meant, by the names it gives itself.
    ///
    /// # Errors
    /// It cannot be had.
    pub(crate) fn one(&mut self) -> Result<StatusReport, CliError> {
        let missing = || CliError::new(Exit::Failure, "no host is meant");
        let host = self.hosts.first_mut().ok_or_else(missing)?;
        let mut far = host.report()?;
        self.said.extend(far.notes);
        far.report.asked_as = Some(host.name.clone());
        Ok(far.report)
    }

    /// The reports of all hosts, asked at once, beneath the one of here. Rows of others have the name that commands use for the host.
    pub(crate) fn merged(&mut self, here: Result<StatusReport, CliError>) -> Result<StatusReport, CliError> {
        let reports: Vec<(String, Result<FarReport, CliError>)> = std::thread::scope(|scope| {
            let asked: Vec<_> = self.hosts.iter_mut().map(|host| (host.name.clone(), scope.spawn(|| host.report()))).collect();
            let lost = || Err(CliError::new(Exit::Failure, "the question was lost"));
            asked.into_iter().map(|(name, asking)| (name, asking.join().unwrap_or_else(|_| lost()))).collect()
        });
        let is_missing = |error: &CliError| error.message().contains(NO_SESSION);
        let all_missing = reports.iter().all(|(_, report)| report.as_ref().err().is_some_and(is_missing));
        let mut merged = match here {
            Err(error) if is_missing(&error) && !all_missing => empty(),
            here => here?,
        };
        for (name, report) in reports {
            match report {
                Ok(far) => add(&mut merged, &name, far, &mut self.said),
                Err(error) if is_missing(&error) => {}
                Err(error) => {
                    merged.in_sync = false;
                    merged.unknown.push(UnknownReport { scope: name, why: error.message() });
                }
            }
        }
        Ok(merged)
    }

    /// What there is to say beside the report, each once.
    pub(crate) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

/// A report of here without any session.
fn empty() -> StatusReport {
    StatusReport {
        schema: crate::core::report::status::SCHEMA.to_owned(),
        manifest: String::new(),
        host: crate::cli::run_pass::surroundings().host,
        observed_at: Utc::now(),
        in_sync: true,
        counts: crate::core::report::Counts::default(),
        sessions: Vec::new(),
        unknown: Vec::new(),
        jobs: Vec::new(),
        asked_as: None,
    }
}

/// Adds what a host says of its own sessions, by the clock of here.
fn add(merged: &mut StatusReport, name: &str, far: FarReport, said: &mut Vec<String>) {
    let FarReport { report, ahead, notes, .. } = far;
    said.extend(notes);
    let shift = |at: DateTime<Utc>| ahead.and_then(|ahead| at.checked_sub_signed(ahead)).unwrap_or(at);
    let own = report.host;
    for mut job in report.jobs.into_iter().filter(|job| job.session.host == own) {
        name.clone_into(&mut job.session.host);
        merged.jobs.push(job);
    }
    for mut row in report.sessions.into_iter().filter(|row| row.session.host == own) {
        name.clone_into(&mut row.session.host);
        by_our_clock(&mut row, shift);
        // A command of another host is not one to be pasted here.
        if row.resume.take().is_some() {
            row.no_resume = Some(format!("it is on {name}; `headcount start {name}:…` goes on in it there"));
        }
        merged.sessions.push(row);
    }
    let unknown = report.unknown.into_iter();
    merged.unknown.extend(unknown.map(|it| UnknownReport { scope: format!("{name}:{}", it.scope), why: it.why }));
    merged.in_sync &= report.in_sync;
    let (all, its) = (&mut merged.counts, report.counts);
    all.declared = all.declared.saturating_add(its.declared);
    all.running = all.running.saturating_add(its.running);
    all.drifts = all.drifts.saturating_add(its.drifts);
    all.new = all.new.saturating_add(its.new);
    all.applied = all.applied.saturating_add(its.applied);
    all.unknown = all.unknown.saturating_add(its.unknown);
}

fn by_our_clock(row: &mut SessionRow, shift: impl Fn(DateTime<Utc>) -> DateTime<Utc>) {
    row.last_activity = row.last_activity.map(&shift);
    row.conditions.iter_mut().for_each(|it| it.since = it.since.map(&shift));
    row.hold.iter_mut().for_each(|hold| (hold.since, hold.until) = (shift(hold.since), shift(hold.until)));
}

impl FarHost {
    fn report(&mut self) -> Result<FarReport, CliError> {
        let report = self.ask();
        if report.is_err() {
            self.connection = None;
        }
        report
    }

    fn ask(&mut self) -> Result<FarReport, CliError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let opened = super::open(&self.name, &self.host, super::Reach::Look)?;
                self.connection.insert(opened)
            }
        };
        let (mut out, mut err) = (String::new(), String::new());
        let ended = connection.call(self.call.clone(), false, |piece| {
            match piece {
                RemotePiece::Out(text) => out.push_str(text),
                RemotePiece::Err(text) => err.push_str(text),
                RemotePiece::Beat => {}
            }
            std::ops::ControlFlow::Continue(())
        });
        let RemoteEnd { exit, why } = ended.map_err(|error| super::lost(&self.name, error, super::Reach::Look))?;
        let name = &self.name;
        if let Ok(report) = serde_json::from_str::<StatusReport>(&out) {
            let told = err.lines().filter_map(|line| line.strip_prefix("note: ")).map(|note| format!("{name}: {note}"));
            let notes = super::odd(name, connection).into_iter().chain(told).collect();
            return Ok(FarReport { report, ahead: connection.skew(), notes });
        }
        let said = why.or_else(|| err.lines().find_map(|line| line.strip_prefix("error: ")).map(str::to_owned));
        let said = said.unwrap_or_else(|| "it gave no report that this headcount can read".to_owned());
        let hints = err.lines().filter_map(|line| line.strip_prefix("hint: "));
        let exit = if exit == 0 { Exit::Unknown } else { super::exit(exit) };
        Err(hints.fold(CliError::new(exit, format!("{name}: {said}")), CliError::hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{AgentKind, MuxKind, SessionKey};
    use crate::core::report::status::Observed;

    fn row(host: &str, at: DateTime<Utc>) -> SessionRow {
        SessionRow {
            session: SessionKey { name: "one".into(), mux: MuxKind::Tmux, server: "default".into(), host: host.into() },
            agent: AgentKind::Claude,
            declared: "running".into(),
            desired: None,
            operation: None,
            observed: Observed::Alive,
            turn: None,
            turn_note: None,
            conditions: Vec::new(),
            note: None,
            hold: None,
            cwd: None,
            pane: None,
            pid: None,
            session_id: None,
            id_rung: None,
            transcript: None,
            last_activity: Some(at),
            job: None,
            job_status: None,
            job_event: None,
            job_timed_out: None,
            crew: None,
            drifts: Vec::new(),
            ignored: Vec::new(),
            doubt: None,
            resume: Some("cd /x && rm -rf y".into()),
            no_resume: None,
        }
    }

    #[test]
    fn rows_of_another_host_have_its_name_and_the_time_of_here() {
        let now = Utc::now();
        let ahead = TimeDelta::hours(3);
        let mut merged = empty();
        let counts = crate::core::report::Counts { declared: 2, running: usize::MAX, ..Default::default() };
        let report = StatusReport {
            host: "build-7".into(),
            sessions: vec![row("build-7", now + ahead), row("elsewhere", now)],
            in_sync: false,
            counts,
            ..empty()
        };
        let mut said = Vec::new();
        add(&mut merged, "ml", FarReport { report, ahead: Some(ahead), notes: vec!["ml is odd".into()] }, &mut said);
        assert_eq!(merged.sessions.len(), 1, "what runs on a third host is not told by the second");
        assert_eq!(merged.sessions[0].session.host, "ml");
        assert_eq!(merged.sessions[0].resume, None);
        assert!(merged.sessions[0].no_resume.as_ref().is_some_and(|why| why.contains("on ml")));
        assert_eq!(merged.sessions[0].last_activity, Some(now));
        assert_eq!((merged.in_sync, merged.counts.declared), (false, 2));
        assert_eq!(said, ["ml is odd"]);
    }
}
