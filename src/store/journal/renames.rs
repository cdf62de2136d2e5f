//! What sessions are called now that were called otherwise when something was written about them. Reads entries; writes nothing.

use chrono::{DateTime, Utc};

use super::{EntryId, EntryRecord, Note};
use crate::core::ids::SessionKey;

/// The names that sessions of one manifest were given, oldest first.
#[derive(Debug, Default)]
pub struct Renames(Vec<NewName>);

#[derive(Debug)]
struct NewName {
    entry: EntryId,
    at: DateTime<Utc>,
    from: SessionKey,
    to: SessionKey,
}

impl Renames {
    /// Those that these entries of a journal tell of.
    pub fn of(records: &[EntryRecord]) -> Self {
        let mut all: Vec<NewName> = records.iter().filter_map(new_name).collect();
        all.sort_by_key(|one| one.entry);
        Self(all)
    }

    /// What the session of an entry is called now.
    pub fn since_entry(&self, entry: EntryId, session: &SessionKey) -> SessionKey {
        self.follow(session, |one| one.entry > entry)
    }

    /// What a session is called now that was called so at a time.
    pub fn since(&self, at: DateTime<Utc>, session: &SessionKey) -> SessionKey {
        self.follow(session, |one| one.at >= at)
    }

    fn follow(&self, session: &SessionKey, is_later: impl Fn(&NewName) -> bool) -> SessionKey {
        let later = self.0.iter().filter(|one| is_later(one));
        later.fold(session.clone(), |now, one| if one.from == now { one.to.clone() } else { now })
    }
}

fn new_name(record: &EntryRecord) -> Option<NewName> {
    let EntryRecord::Note(note) = record else { return None };
    let to = note.session.clone()?;
    let former = note.former.clone()?;
    let from = match note.kind.as_str() {
        Note::MOVED => SessionKey { server: former, ..to.clone() },
        Note::MOVED_ACROSS => {
            let (mux, server) = former.split_once(':')?;
            SessionKey { mux: mux.parse().ok()?, server: server.to_owned(), ..to.clone() }
        }
        _ => SessionKey { name: former, ..to.clone() },
    };
    Some(NewName { entry: note.id, at: note.at, from, to })
}
