//! The versions of a manifest that a watch has seen or written: which entries a person changed between two of
//! them, and whether a sudden small one is to be believed yet. Never reads a file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::control::cache::edition::ParsedManifest;
use crate::core::ids::SessionKey;
use crate::core::manifest::{Manifest, Session};
use crate::store::TextHash;

/// What is known of earlier versions. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ManifestHistory(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The last version that was believed.
    last: Option<Arc<ParsedManifest>>,
    /// When a person was seen to have changed an entry.
    touched: BTreeMap<SessionKey, DateTime<Utc>>,
    /// A version with too few entries, and when it was first seen.
    small: Option<(TextHash, DateTime<Utc>)>,
}

/// A version is not believed yet: it has lost more than half of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuddenShrink {
    /// How many entries the last version had.
    pub had: usize,
    /// How many this one has.
    pub has: usize,
    /// When it will be believed.
    pub until: DateTime<Utc>,
}

impl ManifestHistory {
    /// The text of the last version that was believed: it is whole.
    pub fn last(&self) -> Option<TextHash> {
        self.known().last.as_ref().map(|last| last.hash())
    }

    /// Takes note of a version and gives, by entry, when a person changed it, as far as that is younger than the settle window.
    ///
    /// # Errors
    /// If the version is not to be believed yet.
    pub(crate) fn see(
        &self,
        edition: &Arc<ParsedManifest>,
        manifest: &Manifest,
        now: DateTime<Utc>,
        settle: TimeDelta,
    ) -> Result<BTreeMap<SessionKey, DateTime<Utc>>, SuddenShrink> {
        let mut known = self.known();
        let hash = edition.hash();
        let end = |since: DateTime<Utc>| since.checked_add_signed(settle).unwrap_or(DateTime::<Utc>::MAX_UTC);
        if let Some(last) = &known.last
            && last.hash() != hash
            && let Ok(before) = last.loaded()
        {
            let before = &before.manifest;
            let (had, has) = (before.sessions.len(), manifest.sessions.len());
            // A version that has waited to be believed was a person's change when it was first seen.
            let since = known.small.filter(|(small, since)| *small == hash && *since <= now).map_or(now, |(_, since)| since);
            if has * 2 < had {
                // Seen for the first time, or still within its window.
                if end(since) > now {
                    known.small = Some((hash, since));
                    return Err(SuddenShrink { had, has, until: end(since) });
                }
            }
            let changed: Vec<SessionKey> = changed(before, manifest).cloned().collect();
            known.touched.extend(changed.into_iter().map(|key| (key, since)));
        }
        known.small = None;
        known.last = Some(Arc::clone(edition));
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

    /// Takes note of a text that we have written: it opens no window, and what a person makes of it is compared with it.
    pub(crate) fn wrote(&self, edition: &Arc<ParsedManifest>) {
        self.known().last = Some(Arc::clone(edition));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What it holds is replaced whole, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries that one version does not have like the other: changed, added or taken away. Where an entry stands in the file says
/// nothing.
fn changed<'a>(before: &'a Manifest, after: &'a Manifest) -> impl Iterator<Item = &'a SessionKey> {
    let (old, new) = (before.by_key(), after.by_key());
    let same = |old: &Session, new: &Session| {
        old.agent == new.agent
            && old.cwd == new.cwd
            && old.labels == new.labels
            && old.suspend == new.suspend
            && old.ignore == new.ignore
            && old.env == new.env
            && old.recorded == new.recorded
            && old.entry.declares == new.entry.declares
    };
    let other = after.sessions.iter().filter(move |new| !old.get(&new.key).is_some_and(|old| same(old, new)));
    let gone = before.sessions.iter().filter(move |old| !new.contains_key(&old.key));
    other.chain(gone).map(|session| &session.key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::manifest::Environment;

    fn version(entries: &[&str]) -> Arc<ParsedManifest> {
        let items: String = entries.iter().map(|fields| format!("  - {{ agent: claude, cwd: /x, {fields} }}\n")).collect();
        let text = format!("version: 1\nsessions:\n{items}");
        let environment = Environment { home: "/h".into(), host: "h".into() };
        Arc::new(ParsedManifest::read(TextHash::of(text.as_bytes()), &text, environment).unwrap())
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// The names of entries that count as just changed.
    fn see(versions: &ManifestHistory, entries: &[&str], seconds: i64) -> Result<Vec<String>, SuddenShrink> {
        let edition = version(entries);
        let touched = versions.see(&edition, &edition.loaded().unwrap().manifest, at(seconds), TimeDelta::seconds(5))?;
        Ok(touched.into_keys().map(|key| key.name).collect())
    }

    #[test]
    fn what_differs_from_the_version_before_was_changed_by_a_person_for_as_long_as_the_window_is() {
        let versions = ManifestHistory::default();
        assert_eq!(see(&versions, &["name: a", "name: b"], 0).unwrap(), [""; 0], "the first version is news to nobody");
        assert_eq!(see(&versions, &["name: b", "name: a, status: running"], 10).unwrap(), ["a"]);
        assert_eq!(see(&versions, &["name: b", "name: a, status: running"], 14).unwrap(), ["a"]);
        assert_eq!(see(&versions, &["name: b", "name: a, status: running"], 15).unwrap(), [""; 0]);
        assert_eq!(see(&versions, &["name: b", "name: a, status: running", "name: c"], 20).unwrap(), ["c"]);
        assert_eq!(see(&versions, &["name: b", "name: c"], 30).unwrap(), ["a"], "one that is no more, too");
        // The clock was set back: a change in the future counts as old.
        assert_eq!(see(&versions, &["name: b", "name: c"], 2).unwrap(), [""; 0]);
    }

    #[test]
    fn a_default_value_that_a_person_writes_down_opens_a_window() {
        let versions = ManifestHistory::default();
        assert_eq!(see(&versions, &["name: a"], 0).unwrap(), [""; 0]);
        assert_eq!(see(&versions, &["name: a, suspend: false"], 10).unwrap(), ["a"]);
        assert_eq!(see(&versions, &["name: a, suspend: false, note: x"], 20).unwrap(), [""; 0], "a note decides nothing");
    }

    #[test]
    fn our_own_writes_open_no_window_and_a_change_on_top_of_them_opens_one() {
        let versions = ManifestHistory::default();
        assert_eq!(see(&versions, &["name: a, status: running"], 0).unwrap(), [""; 0]);
        versions.wrote(&version(&["name: a, status: terminated"]));
        assert_eq!(see(&versions, &["name: a, status: terminated"], 1).unwrap(), [""; 0]);
        // Back to what it was before we wrote: that is a change all the same.
        assert_eq!(see(&versions, &["name: a, status: running"], 2).unwrap(), ["a"]);
    }

    #[test]
    fn a_version_with_fewer_than_half_of_the_entries_waits_however_often_it_is_seen() {
        let versions = ManifestHistory::default();
        let all = ["name: a", "name: b", "name: c"];
        see(&versions, &all, 0).unwrap();
        let waits = |until| Err(SuddenShrink { had: 3, has: 1, until: at(until) });
        assert_eq!(see(&versions, &["name: a"], 10), waits(15));
        assert_eq!(see(&versions, &["name: a"], 14), waits(15));
        // Another small one waits anew; the whole one back is nothing new.
        assert_eq!(see(&versions, &["name: b"], 14), Err(SuddenShrink { had: 3, has: 1, until: at(19) }));
        assert_eq!(see(&versions, &all, 16).unwrap(), [""; 0]);
        assert_eq!(see(&versions, &["name: a"], 20), waits(25));
        assert_eq!(see(&versions, &["name: a"], 25).unwrap(), [""; 0]);
        assert_eq!(see(&versions, &[], 40), Err(SuddenShrink { had: 1, has: 0, until: at(45) }), "empty over populated");
    }
}
