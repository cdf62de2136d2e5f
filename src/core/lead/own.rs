//! Which running session is an entry's own, as far as the ledger and the entry say. Pure.

use super::ledger::{ActedOn, LastStart};
use crate::core::manifest::Session;
use crate::core::observe::MuxSession;

/// The last start of an entry, if it put its pane into this very session: of this server's process, in this boot.
pub(super) fn made_in<'a>(
    acted: Option<&'a ActedOn>,
    session: &MuxSession,
    (server, boot): (Option<u32>, Option<&str>),
) -> Option<&'a LastStart> {
    acted.and_then(|acted| acted.started.as_ref()).filter(|started| {
        started.placed.session == session.id && started.boot.as_deref() == boot && server == Some(started.placed.server)
    })
}

/// Whether the pane that an entry records is alive in a session, with its process.
pub(super) fn has_recorded_pane(entry: &Session, session: &MuxSession) -> bool {
    let pane = entry.recorded.pane.as_ref();
    pane.and_then(|pane| Some((pane.id.as_deref()?, pane.pid?)))
        .is_some_and(|(id, pid)| session.panes.iter().any(|pane| pane.id == id && pane.pid == Some(pid) && pane.dead.is_none()))
}
