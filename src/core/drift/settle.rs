//! Who is given time: a young session, a fresh end, an entry a person has just changed. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Disposition, Inputs};
use crate::core::edit::Edit;
use crate::core::ids::SessionKey;
use crate::core::manifest::Session;
use crate::core::memory::SessionMemory;
use crate::core::observe::MuxSession;

impl Inputs<'_> {
    /// The moment until which something that happened at `stamp` is still fresh; `None` once it has settled. A stamp in the
    /// future counts as old.
    pub(super) fn fresh_until(&self, stamp: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let stamp = stamp.filter(|stamp| *stamp <= self.observation.at)?;
        let until = stamp.checked_add_signed(self.settle)?;
        (until > self.observation.at).then_some(until)
    }

    /// Whether a session is still too young to be judged for lacking an agent or an entry.
    pub(super) fn young_until(&self, session: &MuxSession) -> Option<DateTime<Utc>> {
        self.fresh_until(session.created)
    }

    /// Until when a manifest that has suddenly lost more than half of its entries is not believed: it may be half a text, and
    /// its sessions must not be taken for unregistered ones.
    pub(super) fn shrunken_until(&self) -> Option<DateTime<Utc>> {
        // Those that an earlier pass missed within the window have just been lost, too.
        let is_missed = |since| self.fresh_until(Some(since)).is_some();
        let declared = |session: &&Arc<SessionMemory>| session.undeclared_since.is_none_or(is_missed);
        let before = self.memory.sessions.values().filter(declared).count();
        let shrunken = self.manifest.sessions.len() * 2 < before;
        if shrunken { self.fresh_until(self.manifest_modified) } else { None }
    }

    /// Until when the entry of a session that has none is not made: a person has just taken it away.
    pub(super) fn removed_until(&self, session: &SessionKey) -> Option<DateTime<Utc>> {
        self.fresh_until(self.touched.get(session).copied())
    }

    /// What may be done about a drift of an entry: ignored classes first, then the latest of `until` and the time a person's
    /// recent change is respected, if the drift contradicts it.
    pub(super) fn disposition(
        &self,
        entry: &Session,
        class: super::Class,
        wanted: Disposition,
        contradicts: bool,
        until: Option<DateTime<Utc>>,
    ) -> Disposition {
        if entry.ignore.contains(&class) {
            return Disposition::Ignored;
        }
        let stamps = entry.recorded.touched_at.iter().chain(self.touched.get(&entry.key)).copied();
        let touched = if contradicts { stamps.filter_map(|stamp| self.fresh_until(Some(stamp))).max() } else { None };
        match until.max(touched) {
            Some(until) => Disposition::Settling(until),
            None => wanted,
        }
    }
}

/// Whether edits change something that somebody wrote, as opposed to filling what is empty.
pub(super) fn contradict(edits: &[Edit]) -> bool {
    edits.iter().any(|edit| edit.from.as_ref().is_some_and(|from| !from.is_null()))
}
