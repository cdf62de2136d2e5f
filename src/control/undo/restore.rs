//! Putting an entry back that was taken out of the manifest: where it stood, byte for byte if nothing else has changed. What headcount
//! knew of its session stays forgotten. Starts nothing.

use super::{UndoError, UndoRequest, Undone};
use crate::control::lead::{Permission, PermissionFile, scope_of};
use crate::control::observe::Observer;
use crate::control::pass::{PassError, environment, kept};
use crate::core::manifest::Manifest;
use crate::store::TextHash;
use crate::store::journal::{EntryId, Intent, Journal, NewNote, Note, RemovedEntry};
use crate::store::manifest::{ManifestFile, Snapshot, TextChange, UpdateCause};
use crate::store::operations::LedgerFile;
use crate::yaml;

/// Puts back what an entry of the journal says was taken out.
pub(super) fn restore(world: &Observer, request: &UndoRequest, journal: &Journal, note: &Note) -> Result<Undone, UndoError> {
    let refused = |why: &str| UndoError::Refused { id: note.id, why: why.to_owned() };
    let removed = journal.removed(note.id).map_err(PassError::from)?;
    let removed = removed.ok_or_else(|| refused("what was taken out is kept no more"))?;
    let restoring = Restoring { world, request, id: note.id, removed: &removed };
    let what = format!("the removal {} of {}", note.id, removed.session);
    let file = ManifestFile::open(&request.manifest).map_err(PassError::from)?;
    if request.dry_run {
        let snapshot = file.read().map_err(PassError::from)?;
        let (old, new, _) = restoring.texts(&snapshot)?;
        return Ok(Undone { what, diff: restoring.diff(&old, &new), id: None, saved: Vec::new() });
    }
    let mut locked = file.lock(&request.update).map_err(PassError::from)?;
    let permission = PermissionFile::new(&request.state_home, locked.path());
    // It comes back as one that was never led, and before it is there.
    let forgot = LedgerFile::new(&request.state_home).change(|ledger| ledger.forget(&removed.session));
    forgot.map_err(|error| refused(&PassError::line(&error)))?;
    let mut written: Option<(Intent, String, Manifest, Manifest)> = None;
    let outcome = locked.update(|snapshot| -> Result<Option<Vec<u8>>, UndoError> {
        let (old, new, manifests) = restoring.texts(snapshot)?;
        let begun = journal.begin_note(restoring.note(), snapshot.hash, TextHash::of(new.as_bytes()));
        let (before, after) = manifests;
        written = Some((begun.map_err(PassError::from)?, restoring.diff(&old, &new), before, after));
        Ok(Some(new.into_bytes()))
    });
    let outcome = outcome.map_err(|error| match error.cause {
        UpdateCause::Manifest(error) => UndoError::from(PassError::from(error)),
        UpdateCause::Plan(error) => error,
    })?;
    let Some((intent, diff, before, after)) = written else { return Err(refused("nothing would change")) };
    let id = intent.ids().first().copied();
    match outcome.change {
        TextChange::Written { .. } => journal.commit(intent),
        TextChange::Unchanged => journal.abort(intent),
    }
    .map_err(PassError::from)?;
    // A manifest that was allowed stays so: what is new in it was in it before.
    if matches!(permission.permission(&scope_of(&before), true), Permission::Allowed) {
        permission.allow(&scope_of(&after)).map_err(|error| refused(&format!("the permission cannot be kept: {error}")))?;
    }
    let kept = kept(&outcome.saved, world.host.now(), world.host.boot().seen());
    journal.note(kept).map_err(PassError::from)?;
    Ok(Undone { what, id, diff, saved: outcome.saved })
}

struct Restoring<'a> {
    world: &'a Observer,
    request: &'a UndoRequest,
    id: EntryId,
    removed: &'a RemovedEntry,
}

impl Restoring<'_> {
    fn refused(&self, why: impl Into<String>) -> UndoError {
        UndoError::Refused { id: self.id, why: why.into() }
    }

    /// The text as it is, and with the entry in it, and what both say.
    fn texts(&self, snapshot: &Snapshot) -> Result<(String, String, (Manifest, Manifest)), UndoError> {
        let invalid = |diagnostics| {
            let text = String::from_utf8_lossy(&snapshot.bytes).into_owned();
            PassError::Invalid { path: self.request.manifest.clone(), text, diagnostics }
        };
        let text = yaml::decode(&snapshot.bytes).map_err(|diagnostic| invalid(vec![diagnostic]))?;
        let before = yaml::load(text, &environment(self.world)).map_err(invalid)?.manifest;
        let RemovedEntry { session: key, above, taken, put, offset, value, after, .. } = self.removed;
        if before.find(key).is_some() {
            return Err(self.refused(format!("{key} has an entry again")));
        }
        let is_untouched = snapshot.hash == *after && text.get(*offset..).is_some_and(|rest| rest.starts_with(put.as_str()));
        let new = if is_untouched {
            [&text[..*offset], taken, &text[offset + put.len()..]].concat()
        } else {
            let index = above.as_ref().and_then(|above| Some(before.find(above)?.index + 1)).unwrap_or(0);
            let place = before.list_path().index(index.min(before.sessions.len()));
            yaml::put_back(text, &place, taken, value).map_err(|refusal| self.refused(refusal.why()))?
        };
        let manifest = yaml::load(&new, &environment(self.world)).map_err(|all| {
            let why = all.into_iter().find(|one| one.fatal).map_or_else(String::new, |one| one.message);
            self.refused(format!("the manifest would not load: {why}"))
        })?;
        let manifest = manifest.manifest;
        let Some(is) = manifest.find(key).filter(|_| manifest.sessions.len() == before.sessions.len() + 1) else {
            return Err(self.refused(format!("it would not be the entry of {key} any more")));
        };
        let id = is.recorded.session_id.as_ref();
        let holds = |other: &&crate::core::manifest::Session| {
            other.index != is.index && other.agent == is.agent && id.is_some() && other.recorded.session_id.as_ref() == id
        };
        if let Some(other) = manifest.entries().find(holds) {
            return Err(self.refused(format!("its conversation is now recorded for {}", other.key)));
        }
        Ok((text.to_owned(), new, (before, manifest)))
    }

    fn note(&self) -> NewNote {
        NewNote {
            kind: Note::RESTORED,
            at: self.world.host.now(),
            boot: self.world.host.boot().seen().map(|boot| boot.id.clone()),
            session: Some(self.removed.session.clone()),
            message: format!("its entry was put back: took back {}", self.id),
            undoes: Some(self.id),
            former: None,
        }
    }

    fn diff(&self, old: &str, new: &str) -> String {
        let name = self.request.manifest.file_name().map(|name| name.to_string_lossy().into_owned());
        // A secret of the entry is shown to nobody.
        let variables = self.removed.value.get("env").and_then(serde_json::Value::as_object);
        let values = variables.into_iter().flatten().filter_map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
        let values: Vec<&str> = values.collect();
        let hidden = |text: &str| values.iter().fold(text.to_owned(), |text, value| text.replace(value, "***"));
        yaml::unified_diff(&hidden(old), &hidden(new), &name.unwrap_or_default())
    }
}
