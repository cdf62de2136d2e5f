//! What a watch cannot tell, and since when. Pure: times are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::report::Report;

/// How long a doubt has to last to be said. A server that is just starting or ending is in doubt for a moment, and that is nobody's
/// concern.
const LASTING: Duration = Duration::from_secs(3);

/// The longest wait before a doubt is looked at again: nobody says that it is over.
const LONGEST: Duration = Duration::from_secs(30);

/// What could not be told by every pass since.
#[derive(Debug, Default)]
pub(super) struct UnknownTimers(BTreeMap<String, Instant>);

/// What a pass left in doubt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LastingUnknowns {
    /// What has lasted.
    pub(super) stands: BTreeSet<String>,
    /// When to look again: whether the rest does, and whether what has lasted still does.
    pub(super) again: Option<Duration>,
}

impl UnknownTimers {
    /// Takes in what a pass that ended now could not tell.
    pub(super) fn after(&mut self, report: &Report, now: Instant) -> LastingUnknowns {
        let told = report.unknown.iter().map(|it| format!("{} is unknown: {}", it.scope, it.why));
        self.note(told.collect(), now)
    }

    fn note(&mut self, told: BTreeSet<String>, now: Instant) -> LastingUnknowns {
        let before = std::mem::take(&mut self.0);
        self.0 = told
            .into_iter()
            .map(|doubt| {
                let since = before.get(&doubt).copied().unwrap_or(now);
                (doubt, since)
            })
            .collect();
        let age = |since: &Instant| now.saturating_duration_since(*since);
        let stands = self.0.iter().filter(|(_, since)| age(since) >= LASTING).map(|(doubt, _)| doubt.clone()).collect();
        // What has lasted long is looked at after as long again.
        let wait = |age: Duration| if age < LASTING { LASTING - age } else { age.min(LONGEST) };
        let again = self.0.values().map(|since| wait(age(since))).min();
        LastingUnknowns { stands, again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_doubt_stands_once_it_has_lasted_and_is_looked_at_again_less_and_less_often() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut doubts = UnknownTimers::default();
        let wait = |seconds| Some(Duration::from_secs(seconds));
        for (second, said, stands, again) in [
            (0, &["a"][..], &[][..], wait(3)),
            (1, &["a", "b"], &[], wait(2)),
            // Cleared, and doubtful anew: that begins again.
            (2, &["b"], &[], wait(2)),
            (3, &["a", "b"], &[], wait(1)),
            (4, &["a", "b"], &["b"], wait(2)),
            (9, &["a", "b"], &["a", "b"], wait(6)),
            (99, &["a", "b"], &["a", "b"], wait(30)),
            (100, &[], &[], None),
        ] {
            let expected = LastingUnknowns { stands: told(stands), again };
            assert_eq!(doubts.note(told(said), at(second)), expected, "at {second} s");
        }
    }
}
