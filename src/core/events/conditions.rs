//! What is said of conditions: from what holds after each pass to events. Pure; the time is an argument and nothing is printed.
//!
//! Told is a condition that has begun, and a turn that has ended anew although nobody looked meanwhile. What holds at a watch's first
//! pass is known and not told; while nothing tells how a session stands, what was known of it stays known.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::conditions::{Condition, ConditionReport, holds};
use crate::core::text::{printable, seconds};

/// A condition of a session has begun to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionBegun {
    /// When headcount saw it, UTC.
    #[serde(with = "seconds")]
    #[schemars(with = "DateTime<Utc>")]
    pub at: DateTime<Utc>,
    /// What woke the pass that saw it.
    pub reasons: Vec<String>,
    /// The session.
    pub session: SessionKey,
    /// The agent, by its canonical name.
    pub agent: AgentKind,
    /// The condition, since when it holds, and what tells it.
    #[serde(flatten)]
    pub report: ConditionReport,
    /// One line, ready to post as a comment.
    pub message: String,
}

/// Remembers what held.
#[derive(Debug, Default)]
pub struct ConditionTeller {
    known: BTreeMap<SessionKey, Vec<ConditionReport>>,
    has_begun: bool,
}

impl ConditionTeller {
    /// What is to be said after a pass that looked at these sessions; of others nothing is known now.
    pub fn after<'a>(
        &mut self,
        seen: impl Iterator<Item = (&'a SessionKey, AgentKind, &'a [ConditionReport])>,
        reasons: &[String],
        at: DateTime<Utc>,
    ) -> Vec<Event> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let mut events = Vec::new();
        for (session, agent, held) in seen {
            if held.is_empty() || holds(held, Condition::Unknown) {
                continue;
            }
            let before = self.known.insert(session.clone(), held.to_vec());
            if is_first {
                continue;
            }
            let is_new = |report: &&ConditionReport| {
                let known = before.iter().flatten().find(|it| it.condition == report.condition);
                let is_anew = |known: &ConditionReport| {
                    report.condition.is_of_a_turn() && known.since.zip(report.since).is_some_and(|(then, now)| now > then)
                };
                known.is_none_or(is_anew)
            };
            let event = |report: &ConditionReport| {
                let (name, evidence) = (printable(&session.name), printable(&report.evidence));
                let message = format!("{name}: {}: {evidence}.", report.condition);
                let (session, report) = (session.clone(), report.clone());
                Event::Condition(ConditionBegun { at, reasons: reasons.to_vec(), session, agent, report, message })
            };
            events.extend(held.iter().filter(is_new).map(event));
        }
        events
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::MuxKind;
    use crate::core::lead::conditions::ConditionSource;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds)
    }

    fn of(condition: Condition, since: i64) -> ConditionReport {
        let evidence = "why".to_owned();
        ConditionReport { condition, since: Some(at(since)), source: ConditionSource::Registry, evidence }
    }

    #[test]
    fn what_begins_is_told_once_and_a_turn_that_ended_anew_is() {
        use Condition::{Idle, NeedsInput, Ready, TurnEnded, Unknown, Working};
        let key = SessionKey { name: "one".into(), mux: MuxKind::Tmux, server: "default".into(), host: "h".into() };
        let mut teller = ConditionTeller::default();
        let mut told = |held: &[ConditionReport]| -> Vec<&'static str> {
            let events = teller.after([(&key, AgentKind::Claude, held)].into_iter(), &[], at(100));
            let word = |event: Event| match event {
                Event::Condition(event) => event.report.condition.as_str(),
                _ => "another",
            };
            events.into_iter().map(word).collect()
        };
        let rest = [of(Idle, 5), of(TurnEnded, 5), of(Ready, 1)];
        assert_eq!(told(&rest), [""; 0], "what holds at first is known");
        assert_eq!(told(&rest), [""; 0]);
        assert_eq!(told(&[of(Working, 10), of(Ready, 1)]), ["working"]);
        assert_eq!(told(&[of(Unknown, 0)]), [""; 0]);
        assert_eq!(told(&[of(Working, 11), of(Ready, 1)]), [""; 0], "nothing told for a moment, and it goes on");
        assert_eq!(told(&[of(NeedsInput, 12)]), ["needs-input"]);
        assert_eq!(told(&[of(Idle, 20), of(TurnEnded, 20), of(Ready, 1)]), ["idle", "turn-ended", "ready"]);
        assert_eq!(told(&[of(Idle, 30), of(TurnEnded, 30), of(Ready, 1)]), ["idle", "turn-ended"], "another turn");
        assert_eq!(told(&[of(Idle, 30), of(TurnEnded, 30), of(Ready, 40)]), [""; 0]);
    }
}
