//! What is read of a crew: its tasks, what was said, what happens. Writes nothing but how far the manager has read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::failed;
use super::place::CrewPlace;
use crate::cli::Context;
use crate::cli::args::{CrewBusArgs, CrewContextArgs, CrewInboxArgs, CrewStatusArgs};
use crate::cli::commands::print_document;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::crew as render;
use crate::cli::signals;
use crate::core::crew::{CrewEvent, CrewRecord, CrewVerb};
use crate::store::crew::CrewHome;

/// How often a log is looked at for what is new in it.
const LOOK: Duration = Duration::from_millis(200);

/// Prints the tasks.
pub(super) fn status(args: &CrewStatusArgs, context: &Context) -> Result<Exit, CliError> {
    let home = CrewPlace::open(&args.directory, context)?.home;
    let tasks = home.tasks().map_err(failed)?;
    match args.format.document() {
        Some(format) => print_document(&render::document(&home.name, home.path(), &tasks), format, context)?,
        None => context.out.answer(&render::table(&tasks, &context.out.look))?,
    }
    Ok(Exit::Done)
}

/// Prints what was said.
pub(super) fn context(args: &CrewContextArgs, context: &Context) -> Result<Exit, CliError> {
    let home = CrewPlace::open(&args.directory, context)?.home;
    let entries = home.context(args.since).map_err(failed)?;
    let until = entries.last().map_or(args.since, |entry| entry.seq);
    match args.format.document() {
        Some(format) => {
            let document = json!({"schema": "headcount/crew-context/v1", "context_seq": until, "entries": entries});
            print_document(&document, format, context)?;
        }
        None => context.out.answer(&render::context(&entries))?,
    }
    Ok(Exit::Done)
}

/// Prints the replies that the manager has not read.
pub(super) fn inbox(args: &CrewInboxArgs, context: &Context) -> Result<Exit, CliError> {
    signals::end_on_interrupt();
    let CrewPlace { home, state, .. } = CrewPlace::managed(&args.directory, context)?;
    let until = args.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let after = home.read_until(&state);
        let records = home.records().map_err(failed)?;
        let news: Vec<&CrewRecord> = records.iter().filter(|record| record.n > after && is_told(record)).collect();
        if news.is_empty() && args.wait {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(CliError::new(Exit::Busy, "no worker has replied in time"));
            }
            std::thread::sleep(LOOK);
            continue;
        }
        match args.format.document() {
            Some(format) => {
                let document = json!({"schema": "headcount/crew-inbox/v1", "replies": news});
                print_document(&document, format, context)?;
            }
            None => context.out.answer(&render::inbox(&news, &context.out.look))?,
        }
        if let Some(last) = records.last().filter(|last| !args.peek && last.n > after) {
            home.note_read(&state, last.n).map_err(failed)?;
        }
        return Ok(Exit::Done);
    }
}

/// Whether a manager wants to read that.
fn is_told(record: &CrewRecord) -> bool {
    match &record.event {
        CrewEvent::Reply { verb, .. } => *verb != CrewVerb::Heartbeat,
        CrewEvent::Freed { .. } => true,
        _ => false,
    }
}

/// Prints what happens.
pub(super) fn bus(args: &CrewBusArgs, context: &Context) -> Result<Exit, CliError> {
    signals::end_on_interrupt();
    let home = CrewPlace::open(&args.directory, context)?.home;
    let mut after = args.since;
    let mut length = None;
    loop {
        let now = size(&home);
        if now != length || length.is_none() {
            length = now;
            let records = home.records().map_err(failed)?;
            for record in records.iter().filter(|record| record.n > after) {
                let mut line = serde_json::to_value(record).map_err(|error| CliError::caused_by(Exit::Failure, &error))?;
                if let Some(fields) = line.as_object_mut() {
                    fields.insert("schema".to_owned(), Value::from("headcount/crew-event/v1"));
                }
                context.out.answer(&format!("{line}\n"))?;
            }
            after = records.last().map_or(after, |last| last.n.max(after));
        }
        if !args.follow {
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK);
    }
}

fn size(home: &CrewHome) -> Option<u64> {
    home.log().metadata().ok().map(|metadata| metadata.len())
}
