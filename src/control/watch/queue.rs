//! What the loop still has to look at: wakes that came while a pass ran, united into one batch. Pure; never waits and never
//! reads a clock.

use std::collections::BTreeSet;

use super::wake::{Reason, Scope, Wake};
use crate::core::ids::SessionKey;

/// Wakes not yet answered by a pass. Its size is bounded by the number of distinct reasons, however many wakes come.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Option<Batch>,
}

/// What the next pass answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Why, each reason once, in the order in which they first came.
    pub reasons: Vec<Reason>,
    /// What has to be looked at: the least scope that holds that of every wake but those about the manifest.
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
        self.put_back(Batch { reasons: vec![reason], scope, if_manifest_changed });
    }

    /// Adds a batch to the one that waits: wakes that a pass has answered only in part.
    pub fn put_back(&mut self, batch: Batch) {
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
    pub fn take(&mut self) -> Option<Batch> {
        self.waiting.take()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }
}

impl Scope {
    /// Widens this scope so that it holds another as well. Where no scope but everything holds both, it becomes everything.
    pub fn unite(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (Self::Sessions(mine), Self::Sessions(others)) => mine.extend(others),
            (Self::Both(server, mine), Self::Sessions(others)) if others.iter().all(|it| it.server_key() == *server) => {
                mine.extend(others);
            }
            (mine, other) => *self = mine.with(&other).unwrap_or(Self::All),
        }
    }

    /// Both of two, where one server at least is to list. What is heard of a session of it is told apart from what the server
    /// says: its list does not show that an agent went on in another conversation.
    fn with(&self, other: &Self) -> Option<Self> {
        let server = self.server().or(other.server())?.clone();
        let sessions: BTreeSet<SessionKey> = [self, other].into_iter().filter_map(Self::sessions).flatten().cloned().collect();
        let is_of_it = [self, other].into_iter().filter_map(Self::server).all(|it| *it == server)
            && ![self, other].contains(&&Self::All)
            && sessions.iter().all(|it| it.server_key() == server);
        let both = if sessions.is_empty() { Self::Server(server.clone()) } else { Self::Both(server.clone(), sessions) };
        is_of_it.then_some(both)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::{MuxKind, ServerKey};

    fn server(name: &str) -> ServerKey {
        ServerKey { mux: MuxKind::Tmux, server: name.to_owned() }
    }

    fn sessions(names: &[&str]) -> Scope {
        let key = |name: &&str| {
            let (server, name) = name.split_once('/').unwrap_or(("default", name));
            SessionKey { host: "here".into(), mux: MuxKind::Tmux, server: server.into(), name: name.into() }
        };
        Scope::Sessions(names.iter().map(key).collect::<BTreeSet<_>>())
    }

    fn both(server: &ServerKey, names: &[&str]) -> Scope {
        Scope::Both(server.clone(), sessions(names).sessions().unwrap().clone())
    }

    fn wake(reason: Reason, scope: Scope) -> Wake {
        Wake { reason, scope }
    }

    #[test]
    fn the_first_wake_can_be_answered_at_once_and_then_nothing_waits() {
        let mut queue = Queue::new();
        assert_eq!(queue.take(), None);
        queue.push(wake(Reason::Started, Scope::All));
        assert!(!queue.is_empty());
        let batch = Batch { reasons: vec![Reason::Started], scope: Some(Scope::All), if_manifest_changed: None };
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
        queue.push(wake(Reason::Manifest, Scope::All));
        queue.push(wake(Reason::Process(7), sessions(&["c"])));
        queue.push(wake(Reason::Manifest, Scope::All));
        let batch = queue.take().unwrap();
        assert_eq!(batch.reasons, [Reason::Manifest, Reason::Process(7)]);
        assert_eq!((batch.scope, batch.if_manifest_changed), (Some(sessions(&["c"])), Some(Scope::All)));
    }

    #[test]
    fn scopes_unite_into_the_least_that_holds_both() {
        let (home, away) = (server("default"), server("away"));
        for (one, other, united) in [
            (sessions(&["a"]), sessions(&["b"]), sessions(&["a", "b"])),
            (sessions(&["a"]), sessions(&["a"]), sessions(&["a"])),
            (Scope::Server(home.clone()), Scope::Server(home.clone()), Scope::Server(home.clone())),
            (Scope::Server(home.clone()), Scope::Server(away.clone()), Scope::All),
            (Scope::Server(home.clone()), sessions(&["a", "b"]), both(&home, &["a", "b"])),
            (Scope::Server(home.clone()), sessions(&[]), Scope::Server(home.clone())),
            (Scope::Server(home.clone()), sessions(&["a", "away/b"]), Scope::All),
            (both(&home, &["a"]), Scope::Server(home.clone()), both(&home, &["a"])),
            (both(&home, &["a"]), sessions(&["b"]), both(&home, &["a", "b"])),
            (both(&home, &["a"]), both(&home, &["b"]), both(&home, &["a", "b"])),
            (both(&home, &["a"]), sessions(&["away/b"]), Scope::All),
            (both(&home, &["a"]), Scope::Server(away.clone()), Scope::All),
            (both(&home, &["a"]), Scope::All, Scope::All),
            (Scope::Server(away), sessions(&["a"]), Scope::All),
            (Scope::All, sessions(&["a"]), Scope::All),
            (Scope::All, Scope::Server(home), Scope::All),
            (Scope::All, Scope::All, Scope::All),
        ] {
            for (mut left, right) in [(one.clone(), other.clone()), (other.clone(), one.clone())] {
                left.unite(right);
                assert_eq!(left, united, "{one:?} and {other:?}");
            }
        }
    }
}
