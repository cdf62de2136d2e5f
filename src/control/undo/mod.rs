//! Taking one recorded change back: the same lock, edits, guard and journal as recording it. Never observes anything.

mod restore;

use std::path::PathBuf;

use serde_json::Value;

use crate::control::observe::Observer;
use crate::control::pass::{PassError, environment, kept};
use crate::core::drift::Evidence;
use crate::core::edit::{Edit, Path, Segment};
use crate::core::manifest::{Manifest, Session};
use crate::core::text::printable;
use crate::store::TextHash;
use crate::store::journal::{EntryId, EntryRecord, Intent, Journal, JournalEntry, NewEntry, Note, Renames};
use crate::store::manifest::{ManifestFile, Snapshot, TextChange, UpdateOptions};
use crate::store::paths::StateHome;
use crate::yaml;
use restore::restore;

/// What is to be taken back, and where.
#[derive(Debug, Clone)]
pub struct UndoRequest {
    /// The manifest.
    pub manifest: PathBuf,
    /// Where headcount keeps its journals.
    pub state_home: StateHome,
    /// The entry of the journal.
    pub entry: EntryId,
    /// Whether only to say what would be done.
    pub dry_run: bool,
    /// How the manifest is locked and replaced.
    pub update: UpdateOptions,
}

/// What was, or would be, taken back.
#[derive(Debug)]
pub struct Undone {
    /// What was taken back, for people.
    pub what: String,
    /// The number of the entry that says so; `None` if it was a dry run.
    pub id: Option<EntryId>,
    /// The unified diff of the manifest.
    pub diff: String,
    /// Versions of the manifest that were kept beside it because someone saved during the write.
    pub saved: Vec<PathBuf>,
}

/// A change could not be taken back. The manifest is as it was.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The manifest or the journal.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// There is no such entry.
    #[error("the journal of {} has no entry {id}", manifest.display())]
    NoSuchEntry {
        /// The manifest.
        manifest: PathBuf,
        /// The number asked for.
        id: EntryId,
    },
    /// Somebody took it back already.
    #[error("entry {by} already took back entry {id}")]
    Already {
        /// The number asked for.
        id: EntryId,
        /// The entry that took it back.
        by: EntryId,
    },
    /// The manifest is not what the change left, so taking it back would undo somebody else's work.
    #[error("entry {id} cannot be taken back: {why}")]
    Refused {
        /// The number asked for.
        id: EntryId,
        /// Why.
        why: String,
    },
}

impl UndoError {
    fn refused(id: EntryId, why: impl Into<String>) -> Self {
        Self::Refused { id, why: why.into() }
    }
}

/// Takes one recorded change back.
///
/// # Errors
/// [`UndoError`]; nothing is written then.
pub fn undo(world: &Observer, request: &UndoRequest) -> Result<Undone, UndoError> {
    let file = ManifestFile::open(&request.manifest).map_err(PassError::from)?;
    let resolved = file.resolved().map_err(PassError::from)?;
    let journal = Journal::new(&request.state_home.of_manifest(&resolved)).waiting(request.update.lock_wait);
    let entry = match find(&journal, request)? {
        // Its session may have got another name since.
        EntryRecord::Edit(mut entry) => {
            let renames = Renames::of(&journal.records().map_err(PassError::from)?);
            entry.session = renames.since_entry(entry.id, &entry.session);
            entry
        }
        EntryRecord::Note(note) => return restore(world, request, &journal, &note),
    };
    let what = format!("{} {} of {}", entry.class, entry.id, printable(&entry.session.to_string()));
    let undoing = Undoing { world, request, entry: &entry };
    if request.dry_run {
        let snapshot = file.read().map_err(PassError::from)?;
        let (old, new) = undoing.texts(&snapshot)?;
        return Ok(Undone { what, diff: undoing.diff(&old, &new), id: None, saved: Vec::new() });
    }
    let mut locked = file.lock(&request.update).map_err(PassError::from)?;
    let mut written: Option<(Intent, String)> = None;
    let outcome = locked.update(|snapshot| -> Result<Option<Vec<u8>>, UndoError> {
        let (old, new) = undoing.texts(snapshot)?;
        let record = undoing.record(&old, world);
        let begun = journal.begin(vec![record], snapshot.hash, TextHash::of(new.as_bytes()));
        written = Some((begun.map_err(PassError::from)?, undoing.diff(&old, &new)));
        Ok(Some(new.into_bytes()))
    });
    let outcome = outcome.map_err(|error| match error.cause {
        crate::store::manifest::UpdateCause::Manifest(error) => UndoError::from(PassError::from(error)),
        crate::store::manifest::UpdateCause::Plan(error) => error,
    })?;
    let Some((intent, diff)) = written else { return Err(UndoError::refused(request.entry, "nothing would change")) };
    let id = intent.ids().first().copied();
    match outcome.change {
        TextChange::Written { .. } => journal.commit(intent),
        TextChange::Unchanged => journal.abort(intent),
    }
    .map_err(PassError::from)?;
    journal.note(kept(&outcome.saved, world.host.now(), world.host.boot().seen())).map_err(PassError::from)?;
    Ok(Undone { what, id, diff, saved: outcome.saved })
}

/// The change, or the note of an entry that was taken out.
fn find(journal: &Journal, request: &UndoRequest) -> Result<EntryRecord, UndoError> {
    let records = journal.records().map_err(PassError::from)?;
    let taken_back = |record: &&EntryRecord| match record {
        EntryRecord::Edit(entry) => entry.undoes == Some(request.entry),
        EntryRecord::Note(note) => note.undoes == Some(request.entry),
    };
    if let Some(other) = records.iter().find(taken_back) {
        return Err(UndoError::Already { id: request.entry, by: other.id() });
    }
    match records.into_iter().find(|record| record.id() == request.entry) {
        Some(EntryRecord::Note(note)) if note.kind != Note::REMOVED => {
            let why = format!(
                "it is not an edit that this version of headcount knows, but an entry of the kind `{}`",
                printable(&note.kind)
            );
            Err(UndoError::refused(request.entry, why))
        }
        Some(record) => Ok(record),
        None => Err(UndoError::NoSuchEntry { manifest: request.manifest.clone(), id: request.entry }),
    }
}

struct Undoing<'a> {
    world: &'a Observer,
    request: &'a UndoRequest,
    entry: &'a JournalEntry,
}

impl Undoing<'_> {
    /// The text as it is, and as it would be without the change.
    fn texts(&self, snapshot: &Snapshot) -> Result<(String, String), UndoError> {
        let text = yaml::decode(&snapshot.bytes).map_err(|diagnostic| self.invalid(vec![diagnostic], snapshot))?;
        let loaded = yaml::load(text, &environment(self.world)).map_err(|all| self.invalid(all, snapshot))?;
        let edits = self.edits(&loaded.manifest)?;
        let bare = self.without_our_comment(text);
        let new = yaml::apply(&bare, &edits).map_err(|refusal| UndoError::refused(self.entry.id, refusal.why()))?;
        self.judge(&loaded.manifest, &new)?;
        Ok((text.to_owned(), new))
    }

    /// The text without the comment that an import wrote behind its entry: any other is a person's, and stays.
    fn without_our_comment(&self, text: &str) -> String {
        let imported = self.entry.evidence.iter().find(|evidence| evidence.source == Evidence::IMPORT);
        let Some(ours) = imported.map(|evidence| format!(" # {}", evidence.fact)) else { return text.to_owned() };
        let is_its = |line: &str| line.trim_end().ends_with(&ours) && line.contains(&self.entry.session.name);
        let line = |line: &str| if is_its(line) { line.replacen(&ours, "", 1) } else { line.to_owned() };
        text.split_inclusive('\n').map(line).collect()
    }

    /// Refuses a text that would not load, and one that gives the session an id which another entry holds by now.
    fn judge(&self, old: &Manifest, new: &str) -> Result<(), UndoError> {
        let loaded = yaml::load(new, &environment(self.world)).map_err(|all| {
            let why = all.into_iter().find(|one| one.fatal).map_or_else(String::new, |one| one.message);
            UndoError::refused(self.entry.id, format!("the manifest would not load: {why}"))
        })?;
        let was = old.find(&self.entry.session);
        let sessions = &loaded.manifest.sessions;
        // Where the entry itself goes, none is given anything.
        let Some(is) = was.and_then(|was| sessions.get(was.index)).filter(|_| sessions.len() == old.sessions.len()) else {
            return Ok(());
        };
        let Some(id) = is.recorded.session_id.as_ref() else { return Ok(()) };
        if was.is_some_and(|was| was.recorded.session_id.as_ref() == Some(id)) {
            return Ok(());
        }
        let holds = |other: &&Session| {
            other.index != is.index && other.agent == is.agent && other.recorded.session_id.as_ref() == Some(id)
        };
        match loaded.manifest.entries().find(holds) {
            Some(other) => {
                let why = format!("conversation {id} is now recorded for {}", other.key);
                Err(UndoError::refused(self.entry.id, why))
            }
            None => Ok(()),
        }
    }

    fn invalid(&self, diagnostics: Vec<yaml::Diagnostic>, snapshot: &Snapshot) -> UndoError {
        let text = String::from_utf8_lossy(&snapshot.bytes).into_owned();
        PassError::Invalid { path: self.request.manifest.clone(), text, diagnostics }.into()
    }

    /// The recorded edits, turned round and pointed at where the session stands now.
    fn edits(&self, manifest: &Manifest) -> Result<Vec<Edit>, UndoError> {
        let Some(session) = manifest.find(&self.entry.session) else {
            let why = format!("{} no longer has an entry in the manifest", self.entry.session);
            return Err(UndoError::refused(self.entry.id, why));
        };
        let here = session.entry.path.clone();
        Ok(self.entry.inverse().into_iter().map(|edit| point(edit, &here)).collect())
    }

    /// What the journal says of taking it back.
    fn record(&self, text: &str, world: &Observer) -> NewEntry {
        let entry = self.entry;
        let edits = yaml::load(text, &environment(world)).ok().and_then(|loaded| self.edits(&loaded.manifest).ok());
        NewEntry {
            at: world.host.now(),
            boot: world.host.boot().seen().map(|boot| boot.id.clone()),
            manifest: PathBuf::from(&entry.manifest),
            class: entry.class,
            session: entry.session.clone(),
            agent: entry.agent,
            message: format!("{}: took back {} of {}.", entry.session.name, entry.class, entry.id),
            evidence: Vec::new(),
            edits: edits.unwrap_or_default(),
            undoes: Some(entry.id),
        }
    }

    fn diff(&self, old: &str, new: &str) -> String {
        let name = self.request.manifest.file_name().map(|name| name.to_string_lossy().into_owned());
        yaml::unified_diff(old, new, &name.unwrap_or_default())
    }
}

/// An edit of `sessions[i]…` made to point at the entry that stands `here`. The first entry of an empty manifest was added
/// together with its list; what is taken back is the entry, not the list.
fn point(edit: Edit, here: &Path) -> Edit {
    match edit.path.0.as_slice() {
        [Segment::Key(_)] => {
            let entry = edit.from.and_then(|list| match list {
                Value::Array(items) => items.into_iter().next(),
                other => Some(other),
            });
            Edit::new(here.clone(), entry, None)
        }
        [Segment::Key(_), Segment::Index(_), rest @ ..] => {
            let segments = here.0.iter().chain(rest).cloned().collect();
            Edit { path: Path(segments), ..edit }
        }
        _ => edit,
    }
}
