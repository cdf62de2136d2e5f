//! `headcount history`: what was recorded. Reads the journal; writes nothing.

use super::print_document;
use crate::cli::Context;
use crate::cli::args::HistoryArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::history::{self, HistoryLine, ShownChange};
use crate::core::edit::Edit;
use crate::core::manifest::pattern::glob;
use crate::core::report::history::{HistoryEntry, HistoryNote, HistoryReport, SCHEMA};
use crate::core::report::make::edit_report;
use crate::store::journal::{EntryId, EntryRecord, Journal, JournalEntry, Note};
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;

/// Prints the entries of the selected sessions, newest first.
pub(crate) fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let manifest = ManifestFile::open(&found.path)?.resolved()?;
    let directory = StateHome::from_environment(|name| std::env::var_os(name))?.of_manifest(&manifest);
    let records = Journal::new(&directory).records()?;
    let wanted = |record: &&EntryRecord| {
        let is_named = |name: &str| args.names.iter().any(|pattern| glob(pattern, name));
        args.names.is_empty() || record.session().is_some_and(|session| is_named(&session.name))
    };
    let wanted = records.iter().filter(wanted).take(args.limit.unwrap_or(usize::MAX));
    if let Some(format) = args.format.document() {
        let (schema, manifest) = (SCHEMA.to_owned(), manifest.to_string_lossy().into_owned());
        let (mut entries, mut notes) = (Vec::new(), Vec::new());
        for record in wanted {
            match record {
                EntryRecord::Edit(entry) => entries.push(document(entry)),
                EntryRecord::Note(note) => notes.push(note_document(note)),
            }
        }
        print_document(&HistoryReport { schema, manifest, entries, notes }, format, context)?;
    } else {
        let lines: Vec<HistoryLine> = wanted.map(line).collect();
        context.out.answer(&history::render(&lines, &args.names, &context.out.look))?;
    }
    Ok(Exit::Done)
}

fn document(entry: &JournalEntry) -> HistoryEntry {
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

fn note_document(note: &Note) -> HistoryNote {
    HistoryNote {
        id: note.id.to_string(),
        at: note.at,
        kind: note.kind.clone(),
        session: note.session.clone(),
        message: note.message.clone(),
    }
}

fn line(record: &EntryRecord) -> HistoryLine {
    let (at, message, change) = match record {
        EntryRecord::Edit(entry) => {
            let undo = |id: EntryId| ShownChange::Undo(id.to_string());
            (entry.at, &entry.message, entry.undoes.map_or(ShownChange::Of(entry.class), undo))
        }
        EntryRecord::Note(note) => (note.at, &note.message, ShownChange::None(note.kind.clone())),
    };
    let session = record.session().map(|session| session.name.clone()).unwrap_or_default();
    HistoryLine { id: record.id().to_string(), at, change, session, message: message.clone() }
}
