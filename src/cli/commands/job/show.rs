//! `headcount job show`: one job and its last events. Writes nothing but what follows from turns, and shows no secret.

use chrono::Utc;

use super::{existing, headless, print_document, unencodable};
use crate::cli::Context;
use crate::cli::args::ShowArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::job;
use crate::store::jobs::Registry;

/// How many events are shown.
const EVENTS: usize = 10;

/// Prints the job.
pub(crate) fn run(args: &ShowArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    existing(registry, &args.id)?;
    headless::look_at_followed(context)?;
    let found = existing(registry, &args.id)?;
    let runs = headless::runs(std::slice::from_ref(&found))?;
    let mut events = registry.events(&args.id).news()?.events;
    if let Some(format) = args.format.document() {
        let document = job::show_json(&registry.path().to_string_lossy(), (&found, &runs), &events, Utc::now());
        print_document(&document.map_err(unencodable)?, format, context)?;
    } else {
        let last = events.split_off(events.len().saturating_sub(EVENTS));
        context.out.answer(&job::card((&found, runs.get(&found.id)), &last, &context.out.look))?;
    }
    Ok(Exit::Done)
}
