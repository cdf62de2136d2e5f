//! `headcount job wait`: until a job has ended, or has run out of time. Writes nothing but what follows from turns.

use std::time::{Duration, Instant};

use chrono::Utc;

use super::{existing, headless, print_document, unencodable};
use crate::cli::Context;
use crate::cli::args::WaitArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::job_ends;
use crate::control::jobs::Changes;
use crate::core::job::{Job, JobStatus, TimeOut, timed_out};
use crate::store::followed_jobs::FollowedJobs;
use crate::store::job_files::JobFiles;
use crate::store::jobs::Registry;
use crate::store::paths::StateHome;

/// How often the time is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(200);

/// Waits, and tells by the exit code how the job ended.
pub(crate) fn run(args: &WaitArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    // Before anything is listened to: a registry that is not there cannot be.
    existing(registry, &args.id)?;
    let changes = Changes::of(registry);
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let files = JobFiles::of(&state, &args.id);
    // Nobody else may do it.
    let _following = FollowedJobs::new(&state).holds(&args.id).then(|| headless::follow(&state));
    let deadline = args.timeout.and_then(|wait| Instant::now().checked_add(wait));
    loop {
        let job = existing(registry, &args.id)?;
        if job.status.is_final() {
            return ended(&job, args, context);
        }
        // Its launcher may have been killed before it told of the end.
        if let (Some(end), Some(spec), None) = (files.done(), files.spec(), files.launcher()) {
            job_ends::conclude(&files, &spec, &end, |_| ()).map_err(|why| CliError::new(Exit::Failure, why))?;
            continue;
        }
        if let Some(how) = timed_out(&job, Utc::now()) {
            let why = match how {
                TimeOut::Total => "has exceeded its timeout",
                TimeOut::Idle => "has exceeded its idle timeout",
            };
            return Err(late(&job, why));
        }
        let left = deadline.map_or(LOOK, |deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(late(&job, "has not ended in time"));
        }
        changes.wait(left.min(LOOK));
    }
}

fn ended(job: &Job, args: &WaitArgs, context: &Context) -> Result<Exit, CliError> {
    if let Some(format) = args.format.document() {
        print_document(&job.shown().map_err(unencodable)?, format, context)?;
    } else {
        context.out.answer(&format!("{}: {}.\n", job.id, job.status))?;
    }
    Ok(if job.status == JobStatus::Completed { Exit::Done } else { Exit::Failure })
}

fn late(job: &Job, why: &str) -> CliError {
    CliError::new(Exit::Busy, format!("job {} {why}; it is {}", job.id, job.status))
        .hint("wait again, inspect it with `headcount job show`, or cancel it with `headcount job cancel`")
}
