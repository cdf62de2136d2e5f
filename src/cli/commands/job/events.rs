//! `headcount job events`: what was said about a job, and what is being said. Writes nothing.

use std::time::Duration;

use super::{document_line, existing, unencodable};
use crate::cli::Context;
use crate::cli::args::{EventsArgs, Format};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::{job, plural};
use crate::control::jobs::Changes;
use crate::core::job::{JobStatus, LoggedEvent};
use crate::store::jobs::Registry;

/// How often it is looked whether anybody still reads.
const LOOK: Duration = Duration::from_millis(500);

/// Prints the events; with `--follow` until the job has ended or nobody reads them any more.
pub(crate) fn run(args: &EventsArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    // Before anything is listened to: a registry that is not there cannot be.
    existing(registry, &args.id)?;
    let changes = args.follow.then(|| Changes::of(registry));
    let mut reader = registry.events(&args.id);
    loop {
        // The record is read before the log: it is written after it, so an end that is seen here has its events there.
        let status = existing(registry, &args.id)?.status;
        let news = reader.news()?;
        if news.cut {
            context.out.note("the log is very long; its beginning is not shown");
        }
        if news.unreadable > 0 {
            let lines = plural(news.unreadable, "line", "lines");
            context.out.note(&format!("skipped {lines} of the log that hold no event"));
        }
        if !say(&news.events, args.format.document(), context)? {
            return Ok(Exit::Done);
        }
        match &changes {
            Some(changes) if !status.is_final() => changes.wait(LOOK),
            _ => {
                if args.follow && status == JobStatus::Cancelled {
                    context.out.note(&format!("job {} was cancelled", args.id));
                }
                return Ok(Exit::Done);
            }
        }
        if !context.out.is_read() {
            return Ok(Exit::Done);
        }
    }
}

/// Writes events at once; tells whether anybody still reads.
fn say(events: &[LoggedEvent], format: Option<Format>, context: &Context) -> Result<bool, CliError> {
    let mut text = String::new();
    for event in events {
        text.push_str(&match format {
            Some(format) => document_line(event, format).map_err(unencodable)?,
            None => job::event(event, &context.out.look),
        });
    }
    context.out.go_on(&text, "an event")
}
