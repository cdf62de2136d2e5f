//! What the verbs of jobs that headcount runs have in common: the world, the state, who asks. Begins nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

use crate::cli::Context;
use crate::cli::asker::asker;
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass;
use crate::control::job_runs::{self, JobRunReport};
use crate::control::lead::{self, BackgroundThread, HeadlessRequest};
use crate::control::observe::Observer;
use crate::core::job::run::JobSpec;
use crate::core::job::{Job, JobId};
use crate::store::followed_jobs::FollowedJobs;
use crate::store::job_files::{JobFiles, StopNote};
use crate::store::paths::StateHome;

/// Where jobs are run from.
pub(super) struct JobScope {
    pub(super) world: Observer,
    pub(super) state: StateHome,
    pub(super) by: String,
    launcher: PathBuf,
}

impl JobScope {
    pub(super) fn request(&self) -> HeadlessRequest<'_> {
        HeadlessRequest { state: &self.state, launcher: &self.launcher, by: &self.by, cause: None }
    }
}

/// Where this command runs jobs from.
pub(super) fn scene(_: &Context) -> Result<JobScope, CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let launcher = lead::launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
    Ok(JobScope { world: run_pass::world(&state), state, by: asker(), launcher })
}

/// The files of a job that headcount runs.
pub(super) fn files(state: &StateHome, id: &JobId) -> Result<(JobFiles, JobSpec), CliError> {
    let files = JobFiles::of(state, id);
    let spec = files.spec().ok_or_else(|| {
        CliError::new(Exit::Failure, format!("headcount does not run a job {id}"))
            .hint("`headcount job list` shows all jobs; those of `job run` have output")
    })?;
    Ok((files, spec))
}

/// The world as jobs are followed in it.
fn asking(state: &StateHome) -> Arc<Observer> {
    Arc::new(Observer { activity: true, ..run_pass::world(state) })
}

/// Follows jobs by the turns of their agents for as long as this command goes on.
pub(super) fn follow(state: &StateHome) -> Option<BackgroundThread> {
    lead::follow_jobs(asking(state), state.clone())
}

/// Looks once what turns tell of jobs that are followed.
pub(super) fn look_at_followed(context: &Context) -> Result<(), CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    if !FollowedJobs::new(&state).all().is_empty()
        && let Err(why) = lead::follow_jobs_once(&asking(&state), &state)
    {
        context.out.note(&why);
    }
    Ok(())
}

/// How those of these jobs are that headcount runs.
pub(super) fn runs(jobs: &[Job]) -> Result<BTreeMap<JobId, JobRunReport>, CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let run = |job: &Job| {
        let files = JobFiles::of(&state, &job.id);
        Some((job.id.clone(), job_runs::look(&files, &files.spec()?, Utc::now())))
    };
    Ok(jobs.iter().filter_map(run).collect())
}

/// How long a launcher may take to leave its pane.
const LEAVES: Duration = Duration::from_secs(5);

/// Takes away what headcount has of a job that is over: its pane and its files.
pub(super) fn take_away(id: &JobId, context: &Context) -> Result<(), CliError> {
    let scope = scene(context)?;
    let files = JobFiles::of(&scope.state, id);
    let Some(spec) = files.spec().filter(|_| files.done().is_some()) else { return Ok(()) };
    let note = StopNote { by: scope.by.clone(), kill: false };
    lead::stop_job(&scope.world, &scope.request(), (&files, &spec), &note).map_err(|why| CliError::new(Exit::Failure, why))?;
    let until = Instant::now() + LEAVES;
    while files.launcher().is_some() {
        if Instant::now() > until {
            context.out.note(&format!("the pane of job {id} is still there, so its files were kept"));
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    lead::close_job_pane(&scope.world, &scope.request(), &files, &spec).unwrap_or_else(|why| context.out.note(&why));
    files.remove().map_err(|error| CliError::caused_by(Exit::Failure, &error))
}
