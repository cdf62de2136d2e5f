//! How the jobs are that headcount runs: read from their files. Begins, ends and writes nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::agent;
use crate::core::ids::SessionKey;
use crate::core::job::JobId;
use crate::core::job::run::{JobEnd, JobNext, JobSpec, StreamNews, next_attempt, read_attended};
use crate::core::report::status::JobRow;
use crate::core::text::printable;
use crate::store::job_files::{JobFiles, LineReader};
use crate::store::paths::StateHome;

/// So much of the end of an output is read for its last line.
const TAIL: u64 = 64 << 10;

/// How far a job is that headcount runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobRunState {
    /// Its agent works.
    Working,
    /// Its agent waits for somebody to answer it.
    #[serde(rename = "needs-input")]
    NeedsInput,
    /// Its next attempt waits.
    Waiting,
    /// Nobody runs it: its pane, its server or the host was lost.
    Lost,
    /// It is over.
    Over,
}

impl JobRunState {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::NeedsInput => "needs-input",
            Self::Waiting => "waiting",
            Self::Lost => "lost",
            Self::Over => "over",
        }
    }
}

/// A job that headcount runs, for people and for programs.
#[derive(Debug, Clone, Serialize)]
pub struct JobRunReport {
    /// The job.
    pub job: JobId,
    /// The session it is done in.
    pub session: SessionKey,
    /// How far it is.
    pub state: JobRunState,
    /// How often its agent was begun.
    pub attempts: u32,
    /// When its next attempt begins.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When its time is over.
    pub deadline_at: DateTime<Utc>,
    /// How long it has taken, in seconds.
    pub elapsed: u64,
    /// What its agent waits for.
    pub asks: Option<String>,
    /// The conversation.
    pub session_id: Option<String>,
    /// Where the output of its agent is.
    pub output: PathBuf,
    /// The last line of that.
    pub last_line: Option<String>,
    /// How it ended.
    pub end: Option<JobEnd>,
}

/// How a job is.
pub fn look(files: &JobFiles, spec: &JobSpec, now: DateTime<Utc>) -> JobRunReport {
    let attempts = files.attempts();
    let end = files.done();
    let asks = files.asks().filter(|_| end.is_none());
    let is_open = attempts.last().is_some_and(|last| last.ended.is_none());
    let state = match (&end, files.launcher()) {
        (Some(_), _) => JobRunState::Over,
        (None, None) => JobRunState::Lost,
        (None, Some(_)) if is_open && asks.is_some() => JobRunState::NeedsInput,
        (None, Some(_)) if is_open => JobRunState::Working,
        (None, Some(_)) => JobRunState::Waiting,
    };
    let next_at = match next_attempt(spec, &attempts, now) {
        JobNext::Begin(_, at) if state == JobRunState::Waiting => Some(at),
        _ => None,
    };
    let until = end.as_ref().map_or(now, |end| end.ended_at);
    JobRunReport {
        job: spec.job.clone(),
        session: spec.session.clone(),
        state,
        attempts: attempts.last().map_or(0, |last| last.begun.number),
        next_at,
        submitted_at: spec.at,
        deadline_at: spec.ends_at(),
        elapsed: u64::try_from((until - spec.at).num_seconds()).unwrap_or_default(),
        asks,
        session_id: files.session_id(),
        output: files.output(),
        last_line: last_line(files, spec),
        end,
    }
}

/// Reads the output of a job's agent.
#[derive(Debug)]
pub struct JobLog {
    reader: LineReader,
    read: Option<fn(&Value) -> StreamNews>,
}

impl JobLog {
    /// From its beginning.
    pub fn new(files: &JobFiles, spec: &JobSpec) -> Self {
        Self { reader: LineReader::new(files.output(), 0), read: reader_of(spec) }
    }

    /// What has come since, as text for people. `is_last`: nothing follows.
    pub fn text(&mut self, is_last: bool) -> String {
        let read = self.read;
        self.reader.lines(is_last).iter().map(|line| shown(line, read)).collect()
    }

    /// The same as it was written.
    pub fn raw(&mut self, is_last: bool) -> String {
        self.reader.lines(is_last).iter().map(|line| format!("{line}\n")).collect()
    }
}

fn reader_of(spec: &JobSpec) -> Option<fn(&Value) -> StreamNews> {
    match spec.is_interactive {
        true => Some(read_attended),
        false => agent::of(spec.agent).and_then(agent::Adapter::headless).map(|table| table.read),
    }
}

/// What a line says to people, with its end.
fn shown(line: &str, read: Option<fn(&Value) -> StreamNews>) -> String {
    let printed = |text: &str| text.split('\n').map(|line| printable(line).into_owned()).collect::<Vec<_>>().join("\n");
    let value = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
    let Some((value, read)) = value.zip(read) else { return format!("{}\n", printable(line)) };
    let news = read(&value);
    let said = news.text.map(|text| format!("{}{}", printed(&text), if news.is_part { "" } else { "\n" }));
    let deed = news.deed.map(|deed| format!("• {}\n", printable(&deed)));
    [said, deed].into_iter().flatten().collect()
}

fn last_line(files: &JobFiles, spec: &JobSpec) -> Option<String> {
    let read = reader_of(spec);
    let text: String = LineReader::at_the_end(files.output(), TAIL).lines(true).iter().map(|line| shown(line, read)).collect();
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

/// The jobs that headcount runs and that are not over, whose launcher is gone and that nobody stopped.
pub fn lost(all: Vec<(JobFiles, JobSpec)>) -> Vec<(JobFiles, JobSpec)> {
    let is_lost =
        |(files, _): &(JobFiles, JobSpec)| files.done().is_none() && files.stopped_by().is_none() && files.launcher().is_none();
    all.into_iter().filter(is_lost).collect()
}

/// The rows of the jobs that are not over, and of those whose pane is still there.
pub fn rows(state: &StateHome, now: DateTime<Utc>) -> Vec<JobRow> {
    let shown = JobFiles::all(state).into_iter().filter(|(files, _)| files.done().is_none() || files.launcher().is_some());
    let row = |(files, spec): (JobFiles, JobSpec)| {
        let run = look(&files, &spec, now);
        let state = run.end.as_ref().map_or(run.state.as_str(), |end| end.outcome.as_str()).to_owned();
        JobRow {
            job: run.job,
            session: run.session,
            agent: spec.agent,
            state,
            attempts: run.attempts,
            elapsed: run.elapsed,
            last_line: run.last_line,
        }
    };
    shown.map(row).collect()
}
