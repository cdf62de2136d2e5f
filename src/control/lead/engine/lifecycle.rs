//! Telling the job of an entry what was done to its session: that it was begun, goes on, or was stopped.

use std::time::Duration;

use serde_json::json;

use super::Engine;
use crate::control::job_ends;
use crate::control::pass::{Pass, PassError};
use crate::core::job::{EventKind, Job, JobEvent, JobId};
use crate::core::lead::{ActionKind, OperationReport, Outcome};
use crate::core::manifest::Session;
use crate::core::mqtt::Broker;
use crate::store::jobs::JobsError;

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Engine<'_> {
    /// Tells the registry, and its broker if it has one, of what was done. Jobs that are over, or are not in the registry, are told nothing.
    pub(super) fn tell_job(&self, pass: &Pass, session: &Session, report: &OperationReport) {
        let (lifecycle, text) = match (report.outcome, report.action) {
            (Outcome::Done, ActionKind::Start) => ("create", "its session was begun"),
            (Outcome::Done, ActionKind::Resume) => ("resume", "its session was resumed"),
            (Outcome::Done, ActionKind::Stop) => ("stop", "its session was stopped"),
            _ => return,
        };
        let (Some(registry), Some(id)) = (&self.request.pass.jobs, &session.recorded.delegate_job_id) else { return };
        let Ok(id) = id.parse::<JobId>() else { return };
        let Ok(Some(job)) = registry.find(&id) else { return };
        let kind = match job.last_event {
            None if report.action == ActionKind::Start => EventKind::Started,
            _ => EventKind::Progress,
        };
        let data = json!({ "lifecycle": lifecycle, "session": session.key, "session_id": report.conversation });
        let told = match job_ends::publish((registry, &id), kind, text, data.as_object().cloned().unwrap_or_default()) {
            Ok(event) => send(self, pass, &job, &event),
            Err(JobsError::Ended { .. } | JobsError::NoSuchJob { .. }) => Ok(()),
            Err(error) => Err(PassError::line(&error)),
        };
        self.tell_of(told.map_err(|why| format!("job {id} was not told: {why}")));
    }
}

/// Sends it to the broker that the manifest and the variables name, if the job goes through one.
fn send(engine: &Engine<'_>, pass: &Pass, job: &Job, event: &JobEvent) -> Result<(), String> {
    if job.broker.is_none() {
        return Ok(());
    }
    let variable = |name: &str| engine.world.env.get(name)?.to_str().map(str::to_owned);
    let section = pass.manifest().mqtt.clone().beside(pass.path());
    let Some(broker) = Broker::resolve(&section, variable).map_err(|error| PassError::line(&error))? else { return Ok(()) };
    job_ends::send_to(&broker, ("lead", &job.topic()), event, PATIENCE).map_err(|error| PassError::line(error.as_ref()))
}
