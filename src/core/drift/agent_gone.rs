//! Class E: the session lives, its agent does not. Only flagged: the person may be about to start it again.

use super::{Class, Disposition, Drift, Evidence, Inputs, Remedy};
use crate::core::manifest::Session;
use crate::core::observe::MuxSession;

/// The drift of an entry that says running while its session holds something else.
pub(super) fn judge(world: &Inputs<'_>, entry: &Session, session: &MuxSession, instead: &str) -> Drift {
    let until = world.young_until(session);
    Drift {
        class: Class::AgentGone,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: format!("{} gone from its session: {instead}", entry.agent),
        remedy: Remedy::Flag,
        detail: String::new(),
        evidence: vec![Evidence::new(entry.key.mux.as_str(), format!("session {} is alive", session.id)), {
            Evidence::new("process", instead)
        }],
        disposition: world.disposition(entry, Class::AgentGone, Disposition::Flag, true, until),
    }
}
