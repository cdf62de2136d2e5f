//! `headcount history`: what was recorded. Reads the journal; writes nothing.

use super::print_document;
use crate::cli::Context;
use crate::cli::args::HistoryArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::history::{self, Line};
use crate::core::edit::Edit;
use crate::core::manifest::pattern::glob;
use crate::core::report::history::{HistoryEntry, HistoryReport, SCHEMA};
use crate::core::report::make::edit_report;
use crate::store::journal::{Entry, Journal};
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;

/// Prints the entries of the selected sessions, newest first.
pub(crate) fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let manifest = ManifestFile::open(&found.path)?.resolved()?;
    let directory = StateHome::from_environment(|name| std::env::var_os(name))?.of_manifest(&manifest);
    let entries = Journal::new(&directory).entries(None, None)?;
    let wanted = |entry: &&Entry| args.names.is_empty() || args.names.iter().any(|name| glob(name, &entry.session.name));
    let wanted = entries.iter().filter(wanted).take(args.limit.unwrap_or(usize::MAX));
    if let Some(format) = args.format.document() {
        let (schema, manifest) = (SCHEMA.to_owned(), manifest.to_string_lossy().into_owned());
        print_document(&HistoryReport { schema, manifest, entries: wanted.map(document).collect() }, format, context)?;
    } else {
        let lines: Vec<Line> = wanted.map(line).collect();
        context.out.answer(&history::render(&lines, &args.names, &context.out.look))?;
    }
    Ok(Exit::Done)
}

fn document(entry: &Entry) -> HistoryEntry {
    HistoryEntry {
        id: entry.id.to_string(),
        at: entry.at,
        class: entry.class,
        code: entry.class.code(),
        session: entry.session.clone(),
        agent: entry.agent,
        message: entry.message.clone(),
        evidence: entry.evidence.clone(),
        edits: entry.edits.iter().map(|record| edit_report(&Edit::from(record))).collect(),
        undoes: entry.undoes.map(|id| id.to_string()),
    }
}

fn line(entry: &Entry) -> Line {
    Line {
        id: entry.id.to_string(),
        at: entry.at,
        class: entry.class,
        session: entry.session.name.clone(),
        message: entry.message.clone(),
        undoes: entry.undoes.map(|id| id.to_string()),
    }
}
