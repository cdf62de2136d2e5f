//! Writing into the manifest what a person declares by a command: what is wanted of a session, or a new one. Under the same lock and
//! guard as recording.

use std::path::PathBuf;

use serde_json::Value;

use crate::control::observe::Observer;
use crate::control::pass::{PassError, PassOptions, environment};
use crate::core::edit::Edit;
use crate::core::ids::SessionKey;
use crate::core::manifest::lead::Desired;
use crate::core::manifest::{Manifest, SessionsNode};
use crate::store::journal::{Journal, NewNote, Note};
use crate::store::manifest::{ManifestFile, Snapshot, UpdateCause};
use crate::yaml;

/// What was wished could not be written. The manifest is as it was.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The manifest or the journal.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The edit would change more than it should.
    #[error("the manifest cannot be edited: {0}")]
    Refused(String),
}

impl DeclareError {
    /// Whether the manifest takes no such edit, however often it is tried.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Pass(PassError::Manifest(error)) => error.is_refusal(),
            Self::Pass(_) => false,
        }
    }
}

/// Writes what is wanted of sessions into their entries; gives the versions that were kept because somebody saved meanwhile. Those
/// that want it already stay as they are.
///
/// # Errors
/// [`DeclareError`].
pub fn declare(
    world: &Observer,
    options: &PassOptions,
    sessions: &[SessionKey],
    desired: Desired,
) -> Result<Vec<PathBuf>, DeclareError> {
    let edits = |snapshot: &Snapshot| -> Result<Option<Vec<u8>>, DeclareError> {
        let (text, manifest) = read(world, options, snapshot)?;
        let mut edits = Vec::new();
        for session in sessions.iter().filter_map(|key| manifest.find(key)) {
            edits.extend(session.entry.set_desired(session.lead.desired, desired));
        }
        if edits.is_empty() {
            return Ok(None);
        }
        let new = yaml::apply(text, &edits).map_err(|refusal| DeclareError::Refused(refusal.why()))?;
        Ok(Some(new.into_bytes()))
    };
    let message = format!("`desired: {}` was written", desired.as_str());
    update(world, options, edits, sessions.first().filter(|_| sessions.len() == 1), &message)
}

/// An entry that is to be added.
#[derive(Debug, Clone, Copy)]
pub(in crate::control) struct NewManifestEntry<'a> {
    pub(in crate::control) key: &'a SessionKey,
    pub(in crate::control) value: &'a Value,
    /// What stands behind its first line.
    pub(in crate::control) comment: Option<&'a String>,
}

/// Writes a new entry at the end of the list.
///
/// # Errors
/// [`DeclareError`].
pub fn append(world: &Observer, options: &PassOptions, key: &SessionKey, entry: &Value) -> Result<Vec<PathBuf>, DeclareError> {
    let edits = |snapshot: &Snapshot| -> Result<Option<Vec<u8>>, DeclareError> {
        let (text, manifest) = read(world, options, snapshot)?;
        let new = appended(text, &manifest, &[NewManifestEntry { key, value: entry, comment: None }])?;
        yaml::load(&new, &environment(world)).map_err(|diagnostics| PassError::Invalid {
            path: options.manifest.clone(),
            text: new.clone(),
            diagnostics,
        })?;
        Ok(Some(new.into_bytes()))
    };
    update(world, options, edits, Some(key), "an entry was added")
}

/// The text of a manifest with more entries, none of which it has.
///
/// # Errors
/// [`DeclareError::Refused`].
pub(super) fn appended(text: &str, manifest: &Manifest, entries: &[NewManifestEntry<'_>]) -> Result<String, DeclareError> {
    if let Some(entry) = entries.iter().find(|entry| manifest.find(entry.key).is_some()) {
        return Err(DeclareError::Refused(format!("{} has an entry already", entry.key)));
    }
    with_entries(text, manifest, entries).map_err(|refusal| DeclareError::Refused(refusal.why()))
}

/// The text of a manifest with more entries at the end of its list.
///
/// # Errors
/// They cannot be written there.
pub(in crate::control) fn with_entries(
    text: &str,
    manifest: &Manifest,
    entries: &[NewManifestEntry<'_>],
) -> Result<String, yaml::Refusal> {
    let (list, count) = (manifest.list_path(), manifest.sessions.len());
    let values = || entries.iter().map(|entry| entry.value.clone());
    let edits: Vec<Edit> = match manifest.sessions_node {
        SessionsNode::Sequence => {
            (count..).zip(values()).map(|(index, value)| Edit::new(list.clone().index(index), None, Some(value))).collect()
        }
        node => {
            let from = (node == SessionsNode::Null).then_some(Value::Null);
            vec![Edit::new(list.clone(), from, Some(values().collect()))]
        }
    };
    let new = yaml::apply(text, &edits)?;
    let comments: Vec<_> =
        (count..).zip(entries).filter_map(|(index, entry)| Some((list.clone().index(index), entry.comment?.clone()))).collect();
    if comments.is_empty() { Ok(new) } else { yaml::annotate(&new, &comments) }
}

/// The text of a version of the manifest, and what it says.
pub(super) fn read<'a>(
    world: &Observer,
    options: &PassOptions,
    snapshot: &'a Snapshot,
) -> Result<(&'a str, Manifest), DeclareError> {
    let invalid = |diagnostics| {
        let text = String::from_utf8_lossy(&snapshot.bytes).into_owned();
        PassError::Invalid { path: options.manifest.clone(), text, diagnostics }
    };
    let text = yaml::decode(&snapshot.bytes).map_err(|diagnostic| invalid(vec![diagnostic]))?;
    Ok((text, yaml::load(text, &environment(world)).map_err(invalid)?.manifest))
}

fn update(
    world: &Observer,
    options: &PassOptions,
    edits: impl FnMut(&Snapshot) -> Result<Option<Vec<u8>>, DeclareError>,
    session: Option<&SessionKey>,
    message: &str,
) -> Result<Vec<PathBuf>, DeclareError> {
    let file = ManifestFile::open(&options.manifest).map_err(PassError::from)?;
    let mut locked = file.lock(&options.update).map_err(PassError::from)?;
    let outcome = locked.update(edits).map_err(|error| match error.cause {
        UpdateCause::Manifest(error) => DeclareError::from(PassError::from(error)),
        UpdateCause::Plan(error) => error,
    })?;
    if matches!(outcome.change, crate::store::manifest::TextChange::Written { .. }) {
        let journal = Journal::new(&options.state_home.of_manifest(locked.path())).waiting(options.update.lock_wait);
        let note = NewNote {
            kind: Note::DECLARED,
            at: world.host.now(),
            boot: world.host.boot().seen().map(|boot| boot.id.clone()),
            session: session.cloned(),
            message: message.to_owned(),
            undoes: None,
            former: None,
        };
        journal.note(vec![note]).map_err(PassError::from)?;
    }
    Ok(outcome.saved)
}
