//! What the next pass is for: wakes that came since the last one began, made one. Pure.

use std::collections::BTreeSet;

use super::wake::{Reason, Scope, Wake};

/// Wakes that wait for a pass.
#[derive(Debug, Default)]
pub(super) struct Pending(Option<Batch>);

/// What one pass is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) reasons: BTreeSet<Reason>,
    pub(super) scope: Scope,
}

impl Pending {
    /// Adds a wake.
    pub(super) fn push(&mut self, wake: Wake) {
        let Wake { reason, scope } = wake;
        match &mut self.0 {
            Some(batch) => {
                batch.reasons.insert(reason);
                let before = std::mem::replace(&mut batch.scope, Scope::All);
                batch.scope = united(before, scope);
            }
            None => self.0 = Some(Batch { reasons: [reason].into(), scope }),
        }
    }

    /// Everything that waits, for one pass.
    pub(super) fn take(&mut self) -> Option<Batch> {
        self.0.take()
    }
}

fn united(one: Scope, other: Scope) -> Scope {
    match (one, other) {
        (Scope::Sessions(mut one), Scope::Sessions(other)) => {
            one.extend(other);
            Scope::Sessions(one)
        }
        (Scope::Server(one), Scope::Server(other)) if one == other => Scope::Server(one),
        _ => Scope::All,
    }
}
