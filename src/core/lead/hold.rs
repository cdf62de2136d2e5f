//! A session that somebody has taken in hand: who, and until when nothing acts on it by itself. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::{BlockCode, Blocked};
use crate::core::ids::SessionKey;
use crate::core::text::{printable, seconds};

/// A session in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHold {
    /// Whose.
    pub holder: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it ends, where that was said. Else it ends some time after somebody was last at a terminal that shows the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// When somebody was last known to be at such a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<DateTime<Utc>>,
}

/// A hold as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldReport {
    /// Who has taken the session in hand.
    pub holder: String,
    /// Since when, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub since: DateTime<Utc>,
    /// Until when, UTC. Somebody at a terminal that shows the session puts it off, unless the end was said.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub until: DateTime<Utc>,
}

impl SessionHold {
    /// How long a hold without an end of its own outlasts the last use of the session.
    pub const REST: TimeDelta = TimeDelta::minutes(30);

    /// When it ends, as far as is known now; `used`: when somebody was last at a terminal that shows the session. A stamp that is
    /// still to come counts as now, so a clock that was set back makes no hold longer than it was meant.
    pub fn ends(&self, used: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.until {
            Some(until) => until.min(now + (until - self.since).max(TimeDelta::zero())),
            None => [self.used, used].into_iter().flatten().fold(self.since, DateTime::max).min(now) + Self::REST,
        }
    }

    /// The same as it is shown; `None` once it is over.
    pub fn report(&self, used: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<HoldReport> {
        let until = self.ends(used, now);
        (now < until).then(|| HoldReport { holder: self.holder.clone(), since: self.since.min(now), until })
    }
}

impl HoldReport {
    /// What stands in the way of everybody else.
    pub fn blocked(&self, session: &SessionKey) -> Blocked {
        let (holder, name) = (printable(&self.holder), printable(&session.name));
        Blocked::until(BlockCode::Held, self.until, format!("{holder} has it in hand; `headcount release {name}` ends that"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_hold_ends_when_it_was_said_or_half_an_hour_after_the_last_use() {
        let said = SessionHold { holder: "ann".to_owned(), since: at(100), until: Some(at(110)), used: None };
        let open = SessionHold { until: None, ..said.clone() };
        for (hold, used, now, ends) in [
            (&said, None, 100, 110),
            (&said, Some(at(109)), 109, 110),
            (&open, None, 100, 130),
            (&open, Some(at(90)), 100, 130),
            (&open, Some(at(120)), 125, 150),
            // Somebody is there right now.
            (&open, Some(at(125)), 125, 155),
            // The clock was set back by an hour.
            (&said, None, 40, 50),
            (&open, Some(at(120)), 40, 70),
        ] {
            assert_eq!(hold.ends(used, at(now)), at(ends), "{hold:?} {used:?} {now}");
            assert_eq!(hold.report(used, at(now)).is_some(), now < ends);
        }
        assert_eq!(said.report(None, at(110)), None);
        let noted = SessionHold { used: Some(at(140)), ..open };
        assert_eq!(noted.ends(None, at(150)), at(170), "what was seen before counts as well");
    }
}
