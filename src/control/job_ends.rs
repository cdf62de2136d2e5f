//! Telling what becomes of a job that headcount runs: its registry, its broker, the command that somebody gave. Begins and ends nothing.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Map, Value, json};

use crate::bus;
use crate::core::job::run::{JobBus, JobEnd, JobOutcome, JobSpec};
use crate::core::job::{EventKind, JobEvent, JobId, events_topic};
use crate::core::mqtt::{Broker, Section};
use crate::store::job_files::JobFiles;
use crate::store::jobs::{JobsError, NewEvent, Registry};

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the command that is told may take.
const COMMAND: Duration = Duration::from_secs(60);
/// The longest text of an event.
const LONGEST: usize = 200;

/// The broker of a job.
fn broker(bus: &JobBus) -> Option<Broker> {
    let section = Section { password_file: bus.password_file.clone(), root: Some(bus.root.clone()), ..Section::default() };
    Broker::resolve(&section, |name| bus.variables.get(name).cloned()).ok().flatten()
}

/// Sends an event of a job to its broker.
///
/// # Errors
/// One line.
pub fn send(bus: &JobBus, job: &JobId, event: &JobEvent) -> Result<(), String> {
    let broker = broker(bus).ok_or("its broker cannot be named any more")?;
    send_to(&broker, ("job", &events_topic(&bus.root, job)), event, PATIENCE).map_err(|error| error.to_string())
}

/// The same to this broker, by a client whose id says what it does.
///
/// # Errors
/// It could not be written, or was not taken.
pub fn send_to(
    broker: &Broker,
    (what, topic): (&str, &str),
    event: &JobEvent,
    patience: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let payload = serde_json::to_vec(event)?;
    let client = format!("{}-{what}-{}-{}", broker.client_id_prefix, event.job_id, std::process::id());
    Ok(bus::once(broker, &client, Some((topic, &payload)), patience)?)
}

/// One line that names no path and no key.
fn detail(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(LONGEST).collect()
}

/// Tells the registry, and the broker if there is one, of something on the way.
///
/// # Errors
/// One line.
pub fn tell(spec: &JobSpec, kind: EventKind, text: &str, data: Map<String, Value>) -> Result<(), String> {
    let published = publish((&Registry::at(&spec.registry), &spec.job), kind, text, data);
    let event = published.map_err(|error| error.to_string())?;
    spec.bus.as_ref().map_or(Ok(()), |bus| send(bus, &spec.job, &event))
}

/// Writes down what has happened to a job, in its registry alone.
///
/// # Errors
/// [`JobsError`].
pub fn publish(
    (registry, job): (&Registry, &JobId),
    kind: EventKind,
    text: &str,
    data: Map<String, Value>,
) -> Result<JobEvent, JobsError> {
    let event = NewEvent { kind, detail: detail(text), data: Some(data) };
    registry.publish(job, event, Utc::now()).map(|(_, event)| event)
}

/// Whether everybody was told of the end of a job.
pub fn is_told(files: &JobFiles) -> bool {
    files.file("told.end").exists()
}

/// Tells everybody who is to be told that a job has ended, each once. What could not be told is told when this is done again. `prepare`
/// makes a command ready that this process would start with signals of its own.
///
/// # Errors
/// One line: somebody could not be told.
pub fn conclude(files: &JobFiles, spec: &JobSpec, end: &JobEnd, prepare: fn(&mut Command)) -> Result<(), String> {
    let event = recorded(spec, end)?;
    if let Some(command) = spec.notify.as_deref().filter(|_| files.tells("notify")) {
        notify(command, spec, end, prepare)?;
    }
    if let (Some(bus), Some(event)) = (&spec.bus, event)
        && !files.file("told.broker").exists()
    {
        send(bus, &spec.job, &event)?;
        files.tells("broker");
    }
    files.tells("end");
    Ok(())
}

/// Tells of the ends that nobody told of: their launcher was killed before, and there is none any more. Gives what could not be told.
pub fn conclude_all(jobs: &[(JobFiles, JobSpec)]) -> Vec<(JobId, String)> {
    let untold = jobs.iter().filter(|(files, _)| !is_told(files) && files.launcher().is_none());
    let ends = untold.filter_map(|(files, spec)| Some((files, spec, files.done()?)));
    ends.filter_map(|(files, spec, end)| Some((spec.job.clone(), conclude(files, spec, &end, |_| ()).err()?))).collect()
}

/// The event that says in the registry how it ended. `None`: it was called off there, or is gone.
fn recorded(spec: &JobSpec, end: &JobEnd) -> Result<Option<JobEvent>, String> {
    let registry = Registry::at(&spec.registry);
    let mut data = json!({
        "outcome": end.outcome, "code": end.code, "attempts": end.attempts, "session_id": end.session_id, "denied": end.denied,
    });
    if end.outcome == JobOutcome::Stopped {
        data["lifecycle"] = json!("stop");
    }
    let kind = match end.outcome {
        JobOutcome::Completed => EventKind::Completed,
        JobOutcome::Failed => EventKind::Error,
        JobOutcome::Stopped => EventKind::Progress,
    };
    let event = NewEvent { kind, detail: detail(&end.reason), data: data.as_object().cloned() };
    let event = match registry.publish(&spec.job, event, Utc::now()) {
        Ok((_, event)) => Some(event),
        // Somebody was quicker, or was killed behind it.
        Err(JobsError::Ended { .. }) => {
            let news = registry.events(&spec.job).news().map_err(|error| error.to_string())?;
            news.events.into_iter().rev().map(|logged| logged.event).find(|event| event.event == kind)
        }
        Err(JobsError::NoSuchJob { .. }) => None,
        Err(error) => return Err(error.to_string()),
    };
    if end.outcome == JobOutcome::Stopped {
        match registry.cancel(&spec.job, Utc::now()) {
            Ok(_) | Err(JobsError::Ended { .. } | JobsError::NoSuchJob { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(event)
}

/// Runs the command that is told, with the end of the job on its standard input.
fn notify(command: &str, spec: &JobSpec, end: &JobEnd, prepare: fn(&mut Command)) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot run what --notify says: {error}");
    let text = serde_json::to_vec(end).map_err(|error| error.to_string())?;
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if spec.cwd.is_dir() {
        shell.current_dir(&spec.cwd);
    }
    shell.env("HEADCOUNT_JOB_ID", spec.job.as_str()).env("HEADCOUNT_JOB_OUTCOME", end.outcome.as_str());
    prepare(&mut shell);
    let mut child = shell.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing of it is told by its variables.
        let _ = stdin.write_all(&text);
    }
    waited(&mut child)
}

fn waited(child: &mut Child) -> Result<(), String> {
    let until = Instant::now() + COMMAND;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("what --notify says ended with {status}")),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("what --notify says took longer than {} s", COMMAND.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}
