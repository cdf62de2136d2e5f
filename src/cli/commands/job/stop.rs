//! `headcount job stop`: ends a job that headcount runs. Its launcher does that, or whoever finds it without one.

use std::time::{Duration, Instant};

use super::{headless, print_document, unencodable};
use crate::cli::Context;
use crate::cli::args::JobStopArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::job_ends;
use crate::control::lead;
use crate::store::job_files::StopNote;

/// How often it is looked for its end.
const LOOK: Duration = Duration::from_millis(50);

/// Stops it, waits for that, and says how it ended.
pub(crate) fn run(args: &JobStopArgs, context: &Context) -> Result<Exit, CliError> {
    let scope = headless::scene(context)?;
    let (files, spec) = headless::files(&scope.state, &args.id)?;
    let failed = |why: String| CliError::new(Exit::Failure, why);
    let note = StopNote { by: scope.by.clone(), kill: args.kill };
    let was_over = files.done().is_some();
    let told = lead::stop_job(&scope.world, &scope.request(), (&files, &spec), &note).map_err(failed)?;
    let until = Instant::now() + args.timeout;
    let end = loop {
        if let Some(end) = files.done() {
            break end;
        }
        if !told || files.launcher().is_none() {
            let stopped = lead::end_stopped_job(&scope.world, &scope.request(), (&files, &spec), &note).map_err(failed)?;
            if let Some(end) = stopped {
                break end;
            }
        }
        if Instant::now() > until {
            let error = CliError::new(Exit::Busy, format!("the agent of job {} has not ended yet", args.id));
            return Err(error.hint("wait for it with `headcount job wait`, or kill it with `headcount job stop --kill`"));
        }
        std::thread::sleep(LOOK);
    };
    // Its launcher tells of it; where it has none, nobody else does.
    while files.launcher().is_some() && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    if files.launcher().is_none() {
        job_ends::conclude(&files, &spec, &end, |_| ()).unwrap_or_else(|why| context.out.note(&why));
        lead::close_job_pane(&scope.world, &scope.request(), &files, &spec).unwrap_or_else(|why| context.out.note(&why));
    }
    match args.format.document() {
        Some(format) => print_document(&serde_json::to_value(&end).map_err(unencodable)?, format, context)?,
        None if was_over => context.out.answer(&format!("{}: it had ended already: {}.\n", args.id, end.outcome.as_str()))?,
        None => context.out.answer(&format!("{}: {}.\n", args.id, end.outcome.as_str()))?,
    }
    Ok(Exit::Done)
}
