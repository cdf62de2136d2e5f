//! `headcount job list`: the jobs of the registry. Writes nothing but what follows from turns.

use chrono::Utc;

use super::{headless, print_document, unencodable};
use crate::cli::Context;
use crate::cli::args::ListArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::job;
use crate::store::jobs::Registry;

/// Prints the jobs; what is none is named on stderr.
pub(crate) fn run(args: &ListArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    headless::look_at_followed(context)?;
    let mut listing = registry.list()?;
    if !args.status.is_empty() {
        listing.jobs.retain(|job| args.status.contains(&job.status));
    }
    let runs = headless::runs(&listing.jobs)?;
    let problems: Vec<(String, String)> = listing
        .problems
        .iter()
        .map(|problem| (problem.path.display().to_string(), CliError::caused_by(Exit::Failure, &problem.why).message()))
        .collect();
    for (_, why) in &problems {
        context.out.note(why);
    }
    if let Some(format) = args.format.document() {
        let document = job::list_json(&registry.path().to_string_lossy(), (&listing.jobs, &runs), &problems, Utc::now());
        print_document(&document.map_err(unencodable)?, format, context)?;
    } else {
        context.out.answer(&job::table((&listing.jobs, &runs), registry.path(), &context.out.look))?;
    }
    Ok(Exit::Done)
}
