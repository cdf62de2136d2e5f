//! `headcount job publish`: writes an event of a job into the registry. Needs no broker and speaks to none.

use chrono::Utc;

use super::{print_json, unencodable};
use crate::cli::Context;
use crate::cli::args::PublishArgs;
use crate::cli::error::{CliError, Exit};
use crate::store::jobs::{NewEvent, Registry};

/// Writes the event and says which number it got.
pub(crate) fn run(args: &PublishArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    let event = NewEvent { kind: args.event.0, detail: args.detail.clone(), data: args.data.clone() };
    let (job, event) = registry.publish(&args.id, event, Utc::now())?;
    if args.json {
        print_json(&serde_json::to_value(&event).map_err(unencodable)?, context)?;
    } else {
        context.out.answer(&format!("{}: {} is event {}; the job is {}.\n", job.id, event.event, event.seq, job.status))?;
    }
    Ok(Exit::Done)
}
