//! Changes of an entry that a person asks for by name: it is taken out, or the conversation that it holds, or it is called otherwise.
//! Under the same lock and guard as recording, and in the journal before it happens. Reaches nothing that runs.

use std::path::PathBuf;

use serde_json::Value;

use super::allow::{Permission, PermissionFile, scope_of};
use super::declare::{DeclareError, NewManifestEntry, appended, read};
use crate::control::observe::Observer;
use crate::control::pass::{self, PassError, PassOptions, environment};
use crate::core::drift::{Class, Evidence};
use crate::core::edit::{Edit, Segment};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::manifest::names::Field;
use crate::core::manifest::{Manifest, Session};
use crate::store::TextHash;
use crate::store::journal::{EntryId, Intent, Journal, NewEntry, NewNote, Note, RemovedEntry};
use crate::store::manifest::{ManifestFile, Snapshot, TextChange, UpdateCause};
use crate::yaml;

/// What was taken out.
#[derive(Debug)]
pub(super) struct Amended {
    /// The entry of the journal that `undo` takes back; `None`: there was nothing to take out.
    pub(super) entry: Option<EntryId>,
    /// The versions that were kept because somebody saved meanwhile.
    pub(super) saved: Vec<PathBuf>,
}

/// Takes the entry of a session out. What is taken out is kept for `undo` alone.
///
/// # Errors
/// [`DeclareError`]; then the entry stays.
pub(super) fn remove(world: &Observer, options: &PassOptions, key: &SessionKey, by: &str) -> Result<Amended, DeclareError> {
    change(world, options, |journal, snapshot| {
        let (text, manifest) = read(world, options, snapshot)?;
        let Some(session) = manifest.find(key) else { return Ok(None) };
        let path = &session.entry.path;
        let out = yaml::take_out(text, path).map_err(|refusal| DeclareError::Refused(refusal.why()))?;
        let left = loads(world, &out.text)?;
        let after = TextHash::of(out.text.as_bytes());
        let note = NewNote {
            kind: Note::REMOVED,
            at: world.host.now(),
            boot: world.host.boot().seen().map(|boot| boot.id.clone()),
            session: Some(key.clone()),
            message: format!("its entry was taken out (by {by})"),
            undoes: None,
            former: None,
        };
        let removed = RemovedEntry {
            session: key.clone(),
            agent: session.agent,
            above: above(&manifest, session),
            taken: out.taken,
            put: out.put,
            offset: out.offset,
            value: out.value,
            after,
        };
        let intent = journal.begin_note(note, snapshot.hash, after).map_err(PassError::from)?;
        if let Some(id) = intent.ids().first() {
            journal.keep_removed(*id, &removed).map_err(PassError::from)?;
        }
        let scopes = [scope_of(&manifest), scope_of(&left)];
        Ok(Some(Change { text: out.text, intent, scopes, renamed: None }))
    })
}

/// Writes entries that another tool knows at the end of the list, all of them or none. Each is an entry of the journal that `undo` takes
/// back. Gives the versions that were kept because somebody saved meanwhile.
///
/// # Errors
/// [`DeclareError`]; then the manifest is as it was.
pub(in crate::control) fn import(
    world: &Observer,
    options: &PassOptions,
    entries: &[NewManifestEntry<'_>],
) -> Result<Vec<PathBuf>, DeclareError> {
    let amended = change(world, options, |journal, snapshot| {
        let (text, manifest) = read(world, options, snapshot)?;
        let new = appended(text, &manifest, entries)?;
        let left = loads(world, &new)?;
        let (list, count) = (manifest.list_path(), manifest.sessions.len());
        let records = (count..).zip(entries).filter_map(|(index, entry)| {
            Some(NewEntry {
                at: world.host.now(),
                boot: world.host.boot().seen().map(|boot| boot.id.clone()),
                manifest: snapshot.path.clone(),
                class: Class::Unregistered,
                session: entry.key.clone(),
                agent: left.find(entry.key)?.agent,
                message: format!("{}: imported {}.", entry.key.name, entry.comment?),
                evidence: vec![Evidence::new(Evidence::IMPORT, entry.comment?)],
                edits: vec![Edit::new(list.clone().index(index), None, Some(entry.value.clone()))],
                undoes: None,
            })
        });
        let after = TextHash::of(new.as_bytes());
        let intent = journal.begin(records.collect(), snapshot.hash, after).map_err(PassError::from)?;
        Ok(Some(Change { text: new, intent, scopes: [scope_of(&manifest), scope_of(&left)], renamed: None }))
    })?;
    Ok(amended.saved)
}

/// Whether the entry of a session can be taken out. Writes nothing.
///
/// # Errors
/// [`DeclareError`].
pub(super) fn try_remove(world: &Observer, options: &PassOptions, key: &SessionKey) -> Result<(), DeclareError> {
    let snapshot = replaceable(options)?;
    let (text, manifest) = read(world, options, &snapshot)?;
    let Some(session) = manifest.find(key) else { return Ok(()) };
    let out = yaml::take_out(text, &session.entry.path).map_err(|refusal| DeclareError::Refused(refusal.why()))?;
    loads(world, &out.text).map(|_| ())
}

/// The manifest as it is now, if it can be replaced.
fn replaceable(options: &PassOptions) -> Result<Snapshot, DeclareError> {
    let file = ManifestFile::open(&options.manifest).map_err(PassError::from)?;
    file.check_replaceable().map_err(PassError::from)?;
    Ok(file.read().map_err(PassError::from)?)
}

/// Takes the recorded conversation out of the entry of a session.
///
/// # Errors
/// [`DeclareError`]; then it stays.
pub(super) fn forget(world: &Observer, options: &PassOptions, key: &SessionKey, by: &str) -> Result<Amended, DeclareError> {
    change(world, options, |journal, snapshot| {
        let Some(Forgotten { agent, id, edits, text, scopes }) = forgotten(world, options, snapshot, key)? else {
            return Ok(None);
        };
        let entry = NewEntry {
            at: world.host.now(),
            boot: world.host.boot().seen().map(|boot| boot.id.clone()),
            manifest: snapshot.path.clone(),
            class: Class::NewId,
            session: key.clone(),
            agent,
            message: format!("{}: forgot conversation {} (by {by}).", key.name, id.as_str()),
            evidence: Vec::new(),
            edits,
            undoes: None,
        };
        let after = TextHash::of(text.as_bytes());
        let intent = journal.begin(vec![entry], snapshot.hash, after).map_err(PassError::from)?;
        Ok(Some(Change { text, intent, scopes, renamed: None }))
    })
}

/// Whether the recorded conversation can be taken out of the entry of a session. Writes nothing.
///
/// # Errors
/// [`DeclareError`].
pub(super) fn try_forget(world: &Observer, options: &PassOptions, key: &SessionKey) -> Result<(), DeclareError> {
    forgotten(world, options, &replaceable(options)?, key).map(|_| ())
}

/// An entry without its conversation.
struct Forgotten {
    agent: AgentKind,
    id: ConversationId,
    edits: Vec<Edit>,
    /// The text of the manifest.
    text: String,
    /// What the old one would run, and the new one.
    scopes: [Vec<String>; 2],
}

fn forgotten(
    world: &Observer,
    options: &PassOptions,
    snapshot: &Snapshot,
    key: &SessionKey,
) -> Result<Option<Forgotten>, DeclareError> {
    let (text, manifest) = read(world, options, snapshot)?;
    let Some((session, id)) = manifest.find(key).and_then(|it| Some((it, it.recorded.session_id.clone()?))) else {
        return Ok(None);
    };
    if session.recorded.id_is_lent {
        let why = "the conversation stands in a top-level identity, which other entries may use; take it out there";
        return Err(DeclareError::Refused(why.to_owned()));
    }
    let edits: Vec<_> = session.entry.set(Field::SessionId, session.agent, Value::Null).into_iter().collect();
    let text = yaml::apply(text, &edits).map_err(|refusal| DeclareError::Refused(refusal.why()))?;
    let left = loads(world, &text)?;
    if let Some(other) = left.find(key).and_then(|session| session.recorded.session_id.as_ref()) {
        let why = format!("conversation {other} would count for it then, which stands elsewhere in the manifest");
        return Err(DeclareError::Refused(why));
    }
    Ok(Some(Forgotten { agent: session.agent, id, edits, text, scopes: [scope_of(&manifest), scope_of(&left)] }))
}

/// The text of the manifest with another key for a session, its name or its server, and what both say.
fn rekeyed(
    world: &Observer,
    options: &PassOptions,
    snapshot: &Snapshot,
    (key, to): (&SessionKey, &SessionKey),
) -> Result<Option<(String, [Manifest; 2])>, DeclareError> {
    let (text, manifest) = read(world, options, snapshot)?;
    let Some(session) = manifest.find(key) else { return Ok(None) };
    let name = session.entry.set(Field::Name, session.agent, Value::from(to.name.as_str())).filter(|_| key.name != to.name);
    let mux = (key.mux != to.mux).then(|| place_edit(text, session, Field::Mux, to.mux.as_str()));
    let server = (key.server != to.server).then(|| place_edit(text, session, Field::Server, &to.server));
    let edits: Vec<Edit> = name.into_iter().chain(mux).chain(server).collect();
    let new = yaml::apply(text, &edits).map_err(|refusal| DeclareError::Refused(refusal.why()))?;
    let left = loads(world, &new)?;
    match left.find(to).is_some_and(|it| it.index == session.index) {
        true => Ok(Some((new, [manifest, left]))),
        false => Err(DeclareError::Refused(format!("the entry would not be that of {to}"))),
    }
}

/// The edit that writes another place into an entry: where its own is, else behind all that it says.
fn place_edit(text: &str, session: &Session, field: Field, place: &str) -> Edit {
    let entry = &session.entry;
    let own = field.names().iter().copied().find(|name| entry.declares.contains(*name));
    let path = entry.path.key(own.unwrap_or(field.name()));
    let whole: Option<Value> = own.and_then(|_| serde_yaml::from_str(text).ok());
    let from = path.0.iter().try_fold(whole.as_ref(), |value, segment| match segment {
        Segment::Key(key) => Some(value.and_then(|value| value.get(key))),
        Segment::Index(index) => Some(value.and_then(|value| value.get(index))),
    });
    let from = from.flatten().cloned();
    let after = from.is_none().then(|| entry.last_key.clone()).flatten();
    Edit { path, from, to: Some(Value::from(place)), after }
}

/// Whether the entry of a session can be given another key. Writes nothing.
///
/// # Errors
/// [`DeclareError`].
pub(super) fn try_rekey(
    world: &Observer,
    options: &PassOptions,
    key: &SessionKey,
    to: &SessionKey,
) -> Result<(), DeclareError> {
    rekeyed(world, options, &replaceable(options)?, (key, to)).map(|_| ())
}

/// Gives the entry of a session another key.
///
/// # Errors
/// [`DeclareError`]; then it has the old one.
pub(super) fn rekey(
    world: &Observer,
    options: &PassOptions,
    (key, to): (&SessionKey, &SessionKey),
    by: &str,
) -> Result<Amended, DeclareError> {
    change(world, options, |journal, snapshot| {
        let Some((text, [before, after])) = rekeyed(world, options, snapshot, (key, to))? else { return Ok(None) };
        let (kind, message, former) = match key.name == to.name {
            true if key.mux != to.mux => {
                let place = key.server_key().to_string();
                (Note::MOVED_ACROSS, format!("it was in {place} before (by {by})"), place)
            }
            true => (Note::MOVED, format!("it was on server {} before (by {by})", key.server), key.server.clone()),
            false => (Note::RENAMED, format!("it was called {} before (by {by})", key.name), key.name.clone()),
        };
        let note = NewNote {
            kind,
            at: world.host.now(),
            boot: world.host.boot().seen().map(|boot| boot.id.clone()),
            session: Some(to.clone()),
            message,
            undoes: None,
            former: Some(former),
        };
        let intent = journal.begin_note(note, snapshot.hash, TextHash::of(text.as_bytes())).map_err(PassError::from)?;
        let scopes = [scope_of(&before), scope_of(&after)];
        Ok(Some(Change { text, intent, scopes, renamed: Some([key.clone(), to.clone()]) }))
    })
}

/// The entry above one in the list.
fn above(manifest: &Manifest, session: &Session) -> Option<SessionKey> {
    match session.entry.path.0.last() {
        Some(Segment::Index(index)) => Some(manifest.sessions.get(index.checked_sub(1)?)?.key.clone()),
        _ => None,
    }
}

fn loads(world: &Observer, text: &str) -> Result<Manifest, DeclareError> {
    let loaded = yaml::load(text, &environment(world)).map_err(|all| {
        let why = all.into_iter().find(|one| one.fatal).map_or_else(String::new, |one| one.message);
        DeclareError::Refused(format!("it would not load: {why}"))
    })?;
    Ok(loaded.manifest)
}

/// A new text for the manifest.
struct Change {
    text: String,
    /// What the journal says of it.
    intent: Intent,
    /// What the old one would run, and the new one.
    scopes: [Vec<String>; 2],
    /// The old and the new key of a session, where it gets another.
    renamed: Option<[SessionKey; 2]>,
}

fn change(
    world: &Observer,
    options: &PassOptions,
    mut plan: impl FnMut(&Journal, &Snapshot) -> Result<Option<Change>, DeclareError>,
) -> Result<Amended, DeclareError> {
    let file = ManifestFile::open(&options.manifest).map_err(PassError::from)?;
    let mut locked = file.lock(&options.update).map_err(PassError::from)?;
    let journal = Journal::new(&options.state_home.of_manifest(locked.path())).waiting(options.update.lock_wait);
    let permission = PermissionFile::new(&options.state_home, locked.path());
    let mut intent: Option<Intent> = None;
    let (mut scopes, mut renamed) = (None, None);
    let outcome = locked.update(|snapshot| -> Result<Option<Vec<u8>>, DeclareError> {
        let change = plan(&journal, snapshot)?;
        // What an earlier plan of this update kept is of a text that was never written.
        if let Some(id) = intent.take().and_then(|earlier| earlier.ids().first().copied()) {
            journal.drop_removed(id);
        }
        Ok(change.map(|change| {
            intent = Some(change.intent);
            (scopes, renamed) = (Some(change.scopes), change.renamed);
            change.text.into_bytes()
        }))
    });
    let outcome = outcome.map_err(|error| {
        intent.iter().flat_map(Intent::ids).for_each(|id| journal.drop_removed(*id));
        match error.cause {
            UpdateCause::Manifest(error) => DeclareError::from(PassError::from(error)),
            UpdateCause::Plan(error) => error,
        }
    })?;
    let mut entry = None;
    if let Some(intent) = intent {
        let id = intent.ids().first().copied();
        if matches!(outcome.change, TextChange::Written { .. }) {
            journal.commit(intent).map_err(PassError::from)?;
            entry = id;
            if let Some([from, to]) = &renamed {
                let state = pass::state_file(world, &options.state_home.of_manifest(locked.path()));
                let mut memory = state.load().memory;
                memory.rename(from, to);
                if let Err(error) = state.save(&memory, &locked) {
                    tracing::warn!(error = PassError::line(&error), "what is known of {from} is not known of {to}");
                }
            }
            // What it runs by a person's own command needs no permission of its own.
            if let Some([before, after]) = scopes
                && permission.permission(&before, true) == Permission::Allowed
            {
                permission.allow(&after).map_err(|error| {
                    DeclareError::Refused(format!("it was, but its permission to act cannot be kept: {error}"))
                })?;
            }
        } else {
            journal.abort(intent).map_err(PassError::from)?;
            id.into_iter().for_each(|id| journal.drop_removed(id));
        }
    }
    let kept = pass::kept(&outcome.saved, world.host.now(), world.host.boot().seen());
    journal.note(kept).map_err(PassError::from)?;
    Ok(Amended { entry, saved: outcome.saved })
}
