//! What the loop still has to look at: wakes that came while a pass ran, united into one batch. Pure; never waits and never
//! reads a clock.

use super::wake::{Reason, Scope, Wake};

/// Wakes not yet answered by a pass. Its size is bounded by the number of distinct reasons, however many wakes come.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Option<WakeBatch>,
}

/// What the next pass answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WakeBatch {
    /// Why, each reason once, in the order in which they first came.
    pub reasons: Vec<Reason>,
    /// What has to be looked at: the scope of every wake but those about the manifest.
    pub scope: Option<Scope>,
    /// What has to be looked at as well if the manifest is not what we left. Told apart, because most such wakes are the echo of
    /// our own writing.
    pub if_manifest_changed: Option<Scope>,
}

impl Queue {
    /// A queue with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a wake to the batch that waits.
    pub fn push(&mut self, wake: Wake) {
        let Wake { reason, scope } = wake;
        let (scope, if_manifest_changed) = if reason == Reason::Manifest { (None, Some(scope)) } else { (Some(scope), None) };
        self.put_back(WakeBatch { reasons: vec![reason], scope, if_manifest_changed });
    }

    /// Adds a batch to the one that waits: wakes that a pass has answered only in part.
    pub fn put_back(&mut self, batch: WakeBatch) {
        let waiting = self.waiting.get_or_insert_default();
        let changed = (&mut waiting.if_manifest_changed, batch.if_manifest_changed);
        for (place, scope) in [(&mut waiting.scope, batch.scope), changed] {
            match (place, scope) {
                (Some(known), Some(scope)) => known.unite(scope),
                (place, Some(scope)) => *place = Some(scope),
                (_, None) => {}
            }
        }
        for reason in batch.reasons {
            if !waiting.reasons.contains(&reason) {
                waiting.reasons.push(reason);
            }
        }
    }

    /// The batch that waits, if any. A loop that takes whenever no pass runs answers the first wake at once, and all that came
    /// during a pass by one more.
    pub fn take(&mut self) -> Option<WakeBatch> {
        self.waiting.take()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::ids::{MuxKind, ServerKey, SessionKey};

    fn server(name: &str) -> ServerKey {
        ServerKey { mux: MuxKind::Tmux, server: name.to_owned() }
    }

    fn sessions(names: &[&str]) -> Scope {
        let key = |name: &&str| {
            let (server, name) = name.split_once('/').unwrap_or(("default", name));
            SessionKey { host: "here".into(), mux: MuxKind::Tmux, server: server.into(), name: name.into() }
        };
        Scope::sessions(names.iter().map(key).collect::<BTreeSet<_>>())
    }

    fn both(server: &ServerKey, names: &[&str]) -> Scope {
        let mut both = Scope::server(server.clone());
        both.unite(sessions(names));
        both
    }

    fn wake(reason: Reason, scope: Scope) -> Wake {
        Wake { reason, scope }
    }

    #[test]
    fn the_first_wake_can_be_answered_at_once_and_then_nothing_waits() {
        let mut queue = Queue::new();
        assert_eq!(queue.take(), None);
        queue.push(wake(Reason::Started, Scope::ALL));
        assert!(!queue.is_empty());
        let batch = WakeBatch { reasons: vec![Reason::Started], scope: Some(Scope::ALL), if_manifest_changed: None };
        assert_eq!(queue.take(), Some(batch));
        assert!(queue.is_empty());
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn wakes_that_wait_become_one_batch_however_many_they_are() {
        let mut queue = Queue::new();
        for n in 0..30_000 {
            queue.push(wake(Reason::Transcript, sessions(&[if n % 2 == 0 { "a" } else { "b" }])));
        }
        queue.push(wake(Reason::Process(7), sessions(&["c"])));
        let batch = queue.take().unwrap();
        assert_eq!(batch.reasons, [Reason::Transcript, Reason::Process(7)]);
        assert_eq!(batch.scope, Some(sessions(&["a", "b", "c"])));
    }

    #[test]
    fn what_the_manifest_asks_for_is_not_mixed_with_what_others_do() {
        let mut queue = Queue::new();
        queue.push(wake(Reason::Manifest, Scope::ALL));
        queue.push(wake(Reason::Process(7), sessions(&["c"])));
        queue.push(wake(Reason::Manifest, Scope::ALL));
        let batch = queue.take().unwrap();
        assert_eq!(batch.reasons, [Reason::Manifest, Reason::Process(7)]);
        assert_eq!((batch.scope, batch.if_manifest_changed), (Some(sessions(&["c"])), Some(Scope::ALL)));
    }

    #[test]
    fn scopes_unite_into_what_holds_the_keys_of_both() {
        let (home, away) = (server("default"), server("away"));
        let mut servers = Scope::server(home.clone());
        servers.unite(Scope::server(away.clone()));
        assert_eq!(servers.servers().len(), 2);
        for (one, other, united) in [
            (Scope::server(home.clone()), Scope::server(home.clone()), Scope::server(home.clone())),
            (Scope::server(home.clone()), Scope::server(away.clone()), servers),
            (Scope::server(home.clone()), sessions(&["a", "b"]), both(&home, &["a", "b"])),
            (Scope::server(home.clone()), sessions(&[]), Scope::server(home.clone())),
            (Scope::server(home.clone()), sessions(&["a", "away/b"]), both(&home, &["a", "away/b"])),
            (both(&home, &["a"]), Scope::server(home.clone()), both(&home, &["a"])),
            (both(&home, &["a"]), sessions(&["b"]), both(&home, &["a", "b"])),
            (both(&home, &["a"]), both(&home, &["b"]), both(&home, &["a", "b"])),
            (both(&home, &["a"]), Scope::ALL, Scope::ALL),
            (Scope::ALL, sessions(&["a"]), Scope::ALL),
            (Scope::ALL, Scope::server(away), Scope::ALL),
            (Scope::ALL, Scope::ALL, Scope::ALL),
        ] {
            for (mut left, right) in [(one.clone(), other.clone()), (other.clone(), one.clone())] {
                left.unite(right);
                assert_eq!(left, united, "{one:?} and {other:?}");
            }
        }
    }
}
