//! The versions of a manifest that a watch has seen: which of them are ours, which entries a person changed between two of
//! them, and whether a sudden small one is to be believed yet. Never reads a file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::ids::SessionKey;
use crate::core::manifest::{Manifest, Session};
use crate::store::TextHash;

/// What is known of earlier versions. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Versions(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The last version that was believed.
    last: Option<(TextHash, Manifest)>,
    /// The text we wrote last.
    ours: Option<TextHash>,
    /// When a person was seen to have changed an entry.
    touched: BTreeMap<SessionKey, DateTime<Utc>>,
    /// A version with too few entries, and when it was first seen.
    small: Option<(TextHash, DateTime<Utc>)>,
}

/// A version is not believed yet: it has lost more than half of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunken {
    /// How many entries the last version had.
    pub had: usize,
    /// How many this one has.
    pub has: usize,
    /// When it will be believed.
    pub until: DateTime<Utc>,
}

impl Versions {
    /// Takes note of a version and gives, by entry, when a person changed it, as far as that is younger than the settle window.
    ///
    /// # Errors
    /// If the version is not to be believed yet.
    pub fn see(
        &self,
        hash: TextHash,
        manifest: &Manifest,
        now: DateTime<Utc>,
        settle: TimeDelta,
    ) -> Result<BTreeMap<SessionKey, DateTime<Utc>>, Shrunken> {
        let mut known = self.known();
        let end = |since: DateTime<Utc>| since.checked_add_signed(settle).unwrap_or(DateTime::<Utc>::MAX_UTC);
        if let Some((last, before)) = &known.last
            && *last != hash
            && known.ours != Some(hash)
        {
            let (had, has) = (before.sessions.len(), manifest.sessions.len());
            if has * 2 < had {
                let since =
                    known.small.filter(|(small, since)| *small == hash && *since <= now).map_or(now, |(_, since)| since);
                // Seen for the first time, or still within its window.
                if end(since) > now {
                    known.small = Some((hash, since));
                    return Err(Shrunken { had, has, until: end(since) });
                }
            }
            let changed: Vec<SessionKey> = changed(before, manifest).map(|session| session.key.clone()).collect();
            known.touched.extend(changed.into_iter().map(|key| (key, now)));
        }
        known.small = None;
        if known.last.as_ref().is_none_or(|(last, _)| *last != hash) {
            known.last = Some((hash, manifest.clone()));
        }
        drop(known);
        Ok(self.touched(now, settle))
    }

    /// When a person changed which entry, as far as that is younger than the settle window.
    pub fn touched(&self, now: DateTime<Utc>, settle: TimeDelta) -> BTreeMap<SessionKey, DateTime<Utc>> {
        let mut known = self.known();
        let is_fresh = |at: DateTime<Utc>| at.checked_add_signed(settle).is_none_or(|end| end > now);
        // A stamp in the future counts as old: the clock was set back.
        known.touched.retain(|_, at| *at <= now && is_fresh(*at));
        known.touched.clone()
    }

    /// Takes note of a text that we are about to write: it opens no window.
    pub fn ours(&self, hash: TextHash) {
        self.known().ours = Some(hash);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What it holds is replaced whole, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries of `after` that `before` does not have like that. Where an entry stands in the file says nothing.
fn changed<'a>(before: &'a Manifest, after: &'a Manifest) -> impl Iterator<Item = &'a Session> {
    let same = |old: &Session, new: &Session| {
        old.agent == new.agent
            && old.cwd == new.cwd
            && old.labels == new.labels
            && old.suspend == new.suspend
            && old.ignore == new.ignore
            && old.env == new.env
            && old.recorded == new.recorded
    };
    after.sessions.iter().filter(move |new| !before.find(&new.key).is_some_and(|old| same(old, new)))
}
