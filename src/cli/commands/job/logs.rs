//! `headcount job logs`: what the agent of a job says. Writes nothing.

use std::time::Duration;

use super::headless;
use crate::cli::Context;
use crate::cli::args::JobLogsArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::job_runs::JobLog;
use crate::store::paths::StateHome;

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(200);

/// Prints it; with `--follow` until the job has ended or nobody reads it any more.
pub(crate) fn run(args: &JobLogsArgs, context: &Context) -> Result<Exit, CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let (files, spec) = headless::files(&state, &args.id)?;
    let mut log = JobLog::new(&files, &spec);
    loop {
        // Asked first: what was written before the end is there.
        let is_last = !args.follow || files.done().is_some();
        let text = if args.raw { log.raw(is_last) } else { log.text(is_last) };
        if !context.out.go_on(&text, "a line")? || is_last || !context.out.is_read() {
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK);
    }
}
