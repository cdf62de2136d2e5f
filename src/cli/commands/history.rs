//! `headcount history`: what was recorded. Reads the journal; writes nothing.

use std::path::Path;

use super::print_document;
use crate::cli::args::HistoryArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::history::{self, HistoryLine, ShownChange};
use crate::cli::{Context, run_pass};
use crate::core::edit::Edit;
use crate::core::ids::SessionKey;
use crate::core::lead::{Operation, OperationReport, Outcome};
use crate::core::manifest::pattern::glob;
use crate::core::report::history::{HistoryEntry, HistoryNote, HistoryOperation, HistoryReport, SCHEMA};
use crate::core::report::make::edit_report;
use crate::store::journal::{EntryId, EntryRecord, Journal, JournalEntry, Note, Renames};
use crate::store::manifest::ManifestFile;
use crate::store::operations::{Operations, PastOperation};
use crate::store::paths::StateHome;

/// Prints the entries of the selected sessions, newest first.
pub(crate) fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let manifest = ManifestFile::open(&found.path)?.resolved()?;
    let state_home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let directory = state_home.of_manifest(&manifest);
    let records = Journal::new(&directory).records()?;
    let renames = Renames::of(&records);
    let is_named = |name: &str| args.names.iter().any(|pattern| glob(pattern, name));
    let wanted = |record: &&EntryRecord| {
        let is_its =
            |session: &SessionKey| is_named(&session.name) || is_named(&renames.since_entry(record.id(), session).name);
        args.names.is_empty() || record.session().is_some_and(is_its)
    };
    let most = args.limit.unwrap_or(usize::MAX);
    let wanted = records.iter().filter(wanted).take(most);
    let operations = operations(args, &found.path, &state_home, &renames);
    if let Some(format) = args.format.document() {
        let (schema, manifest) = (SCHEMA.to_owned(), manifest.to_string_lossy().into_owned());
        let (mut entries, mut notes) = (Vec::new(), Vec::new());
        for record in wanted {
            match record {
                EntryRecord::Edit(entry) => entries.push(document(entry)),
                EntryRecord::Note(note) => notes.push(note_document(note)),
            }
        }
        let operations = operations.into_iter().take(most).collect();
        print_document(&HistoryReport { schema, manifest, entries, notes, operations }, format, context)?;
    } else {
        let mut lines: Vec<HistoryLine> = wanted.map(line).chain(operations.iter().map(operation_line)).collect();
        // The numbers of the journal say what came first there; between the two only time can.
        if !operations.is_empty() {
            lines.sort_by_key(|line| std::cmp::Reverse(line.at));
        }
        lines.truncate(most);
        context.out.answer(&history::render(&lines, &args.names, &context.out.look))?;
    }
    Ok(Exit::Done)
}

/// What was done to the sessions of a manifest, newest first.
fn operations(args: &HistoryArgs, manifest: &Path, state_home: &StateHome, renames: &Renames) -> Vec<HistoryOperation> {
    let declared = run_pass::declared(manifest);
    let is_its = |session: &SessionKey| declared.as_ref().is_some_and(|manifest| manifest.find(session).is_some());
    let is_named = |name: &str| args.names.is_empty() || args.names.iter().any(|pattern| glob(pattern, name));
    let all = Operations::new(state_home).all().into_iter().rev();
    let wanted = all.filter(|past| {
        let session = &past.operation.session;
        let now = renames.since(past.operation.begun, session);
        (is_its(session) || is_its(&now)) && (is_named(&session.name) || is_named(&now.name))
    });
    wanted.map(|past| operation(past.operation, past.receipt)).collect()
}

/// What was done to one session of a manifest, whatever it was called then, newest first.
pub(crate) fn of_session(manifest: &Path, state_home: &StateHome, key: &SessionKey) -> Result<Vec<HistoryOperation>, CliError> {
    let records = Journal::new(&state_home.of_manifest(manifest)).records()?;
    let renames = Renames::of(&records);
    let is_its = |past: &PastOperation| {
        let operation = &past.operation;
        renames.since(operation.begun, &operation.session) == *key
    };
    let all = Operations::new(state_home).all().into_iter().rev().filter(is_its);
    Ok(all.map(|past| operation(past.operation, past.receipt)).collect())
}

fn operation(operation: Operation, receipt: Option<OperationReport>) -> HistoryOperation {
    let Operation { id, action, session, agent, conversation, begun: at, by, .. } = operation;
    let (outcome, message) = match receipt {
        None => (None, "it has not ended".to_owned()),
        Some(receipt) => (Some(receipt.outcome), receipt.why.unwrap_or_else(|| receipt.verified_by.join(", "))),
    };
    HistoryOperation { id, at, action, session, agent, conversation, by, outcome, message }
}

fn operation_line(operation: &HistoryOperation) -> HistoryLine {
    let outcome = operation.outcome.map_or("open", Outcome::as_str);
    HistoryLine {
        id: "-".to_owned(),
        at: operation.at,
        change: ShownChange::None(format!("{} {outcome}", operation.action.as_str())),
        session: operation.session.name.clone(),
        message: format!("{} (by {})", operation.message, operation.by),
    }
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
