//! claude-session-driver (csd): its hook. Owns which of its commands is which.

mod emit;
mod files;

use super::FrontEnd;

/// The hook, which agents run at each of their events.
pub(super) const EMIT_EVENT: FrontEnd = FrontEnd {
    links: &["emit-event"],
    also: |_| false,
    run: |_, _| {
        emit::run();
        0
    },
};
