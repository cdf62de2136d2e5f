//! `headcount job resume`: goes on with jobs that were cut off. What may be begun is decided elsewhere.

use serde_json::json;

use super::{headless, print_document};
use crate::cli::Context;
use crate::cli::args::JobResumeArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::lead::{self, JobStart};
use crate::control::{job_ends, job_making, job_runs};
use crate::core::lead::BlockCode;
use crate::store::job_files::JobFiles;

/// Goes on with them, and says what became of each.
pub(crate) fn run(args: &JobResumeArgs, context: &Context) -> Result<Exit, CliError> {
    let scope = headless::scene(context)?;
    job_making::call_off_unmade(&scope.state, scope.world.host.as_ref());
    let mut jobs = match args.all {
        true => JobFiles::all(&scope.state),
        false => args.ids.iter().map(|id| headless::files(&scope.state, id)).collect::<Result<_, _>>()?,
    };
    // A launcher may have been killed before it told of the end.
    for (job, why) in job_ends::conclude_all(&jobs) {
        context.out.note(&format!("job {job}: {why}"));
    }
    if args.all {
        jobs = job_runs::lost(jobs);
    }
    let (mut exit, mut told) = (Exit::Done, Vec::new());
    for (files, spec) in &jobs {
        let (outcome, why) = match lead::start_job(&scope.world, &scope.request(), files, spec) {
            Ok(JobStart::Begun) => ("begun", None),
            Ok(JobStart::Met(why)) => ("skipped", Some(why.to_owned())),
            Err(blocked) => {
                let is_unknown = blocked.code == BlockCode::Unknown;
                exit = if is_unknown || exit == Exit::Failure { Exit::Failure } else { Exit::Refused };
                ("refused", Some(format!("{}: {}", blocked.code.as_str(), blocked.message)))
            }
        };
        if args.format.document().is_none() {
            let why = why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
            context.out.answer(&format!("{}: {outcome}{why}.\n", spec.job))?;
        }
        told.push(json!({"job": spec.job, "outcome": outcome, "why": why}));
    }
    if let Some(format) = args.format.document() {
        print_document(&json!({"schema": "headcount/jobs-resumed/v1", "jobs": told}), format, context)?;
    } else if jobs.is_empty() {
        context.out.answer("Every job runs or is over.\n")?;
    }
    Ok(exit)
}
