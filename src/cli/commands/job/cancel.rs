//! `headcount job cancel`: calls a job off in the registry. Stops nothing and types into nothing.

use chrono::Utc;

use super::{print_document, unencodable};
use crate::cli::Context;
use crate::cli::args::CancelArgs;
use crate::cli::error::{CliError, Exit};
use crate::store::job_files::JobFiles;
use crate::store::jobs::Registry;
use crate::store::paths::StateHome;

/// Calls it off.
pub(crate) fn run(args: &CancelArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let files = JobFiles::of(&state, &args.id);
    if files.spec().is_some() && files.done().is_none() {
        let error = CliError::new(Exit::Refused, format!("headcount runs job {}; nothing was done", args.id));
        return Err(error.hint(format!("`headcount job stop {}` stops it", args.id)));
    }
    let job = registry.cancel(&args.id, Utc::now())?;
    if let Some(format) = args.format.document() {
        print_document(&job.shown().map_err(unencodable)?, format, context)?;
    } else {
        context.out.answer(&format!("{}: cancelled.\n", job.id))?;
    }
    Ok(Exit::Done)
}
