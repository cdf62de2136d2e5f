//! What is said of the broker, each thing once until it has changed. Pure; never connects.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::receiver::Heard;
use crate::bus::ConnectionState;
use crate::core::events::{BrokerBeat, BrokerUp, Event, WatchFailure};
use crate::core::job::DropReason;
use crate::core::text::printable;

/// The word in `source` of an error.
const SOURCE: &str = "mqtt";

const AGAIN: &str = "; retrying, and polling meanwhile";

/// A connection that is lost more than so often in such a time is lost again and again, which is told as that.
const LOSSES: (usize, TimeDelta) = (3, TimeDelta::minutes(10));

/// Remembers what was said.
#[derive(Debug)]
pub(super) struct BrokerReporter {
    address: String,
    subscribes: bool,
    /// The trouble that was told and lasts.
    told: Option<Trouble>,
    /// When connections that stood were lost of late.
    losses: Vec<DateTime<Utc>>,
    is_up: bool,
    /// Whether it was told that what is heard cannot be written.
    is_stuck: bool,
    written: u64,
    dropped: BTreeMap<DropReason, u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Lost,
    /// Lost again and again.
    Flapping,
    Refused,
    Denied,
    Unusable,
}

impl BrokerReporter {
    pub(super) fn new(address: String, subscribes: bool) -> Self {
        Self {
            address,
            subscribes,
            told: None,
            losses: Vec::new(),
            is_up: false,
            is_stuck: false,
            written: 0,
            dropped: BTreeMap::new(),
        }
    }

    /// What is said of a new state of the connection.
    pub(super) fn state(&mut self, state: &ConnectionState, at: DateTime<Utc>) -> Vec<Event> {
        let again = AGAIN;
        match state {
            // What was asked for has to be granted as well.
            ConnectionState::Connected { .. } if self.subscribes => Vec::new(),
            ConnectionState::Connected { .. } | ConnectionState::Subscribed => self.up(at),
            ConnectionState::Lost { why } => self.lost(why, at),
            ConnectionState::Refused { why } => self.trouble(Trouble::Refused, &format!("{why}{again}"), at),
            ConnectionState::Unusable { why } => self.trouble(Trouble::Unusable, &format!("{why}{again}"), at),
            ConnectionState::SubscribeFailed { why } if self.subscribes => self.trouble(
                Trouble::Denied,
                &format!("{why}; headcount does not get the events of that topic, and polls meanwhile"),
                at,
            ),
            ConnectionState::SubscribeFailed { why } => {
                tracing::info!(%why, "cannot withdraw what an earlier run published");
                Vec::new()
            }
            ConnectionState::Discarded { why } => {
                vec![self.error(&format!("{why}; the messages that the broker kept for this watch are lost"), at)]
            }
        }
    }

    /// What is said of a batch of messages: each kind of drop once, because a flood of them must not become one of events.
    pub(super) fn heard(&mut self, heard: &Heard, at: DateTime<Utc>) -> Vec<Event> {
        self.written += heard.written;
        let mut events = Vec::new();
        for (kind, (count, topic)) in &heard.dropped {
            let is_first = !self.dropped.contains_key(kind);
            *self.dropped.entry(*kind).or_default() += count;
            // One that was seen already came twice, which QoS 1 allows.
            if is_first && *kind != DropReason::Seen {
                let topic: String = topic.chars().take(200).collect();
                events
                    .push(self.error(&format!("dropped an event on {topic}: {kind}; headcount only counts further ones"), at));
            }
        }
        match &heard.trouble {
            Some(why) if !self.is_stuck => {
                self.is_stuck = true;
                events.push(self.error(&format!("cannot write an event: {why}"), at));
            }
            Some(_) => {}
            None => self.is_stuck = false,
        }
        events
    }

    /// What the heartbeat says.
    pub(super) fn beat(&self) -> BrokerBeat {
        let dropped = self.dropped.values().sum();
        BrokerBeat { broker: self.address.clone(), connected: self.is_up, events: self.written, dropped, left_out: 0 }
    }

    fn up(&mut self, at: DateTime<Utc>) -> Vec<Event> {
        // It will not last.
        if self.told == Some(Trouble::Flapping) {
            self.is_up = true;
            return Vec::new();
        }
        self.told = None;
        if std::mem::replace(&mut self.is_up, true) {
            return Vec::new();
        }
        let message = format!("broker {}: connected", self.address);
        vec![Event::Broker(BrokerUp { at, broker: self.address.clone(), message })]
    }

    fn lost(&mut self, why: &str, at: DateTime<Utc>) -> Vec<Event> {
        let (most, window) = LOSSES;
        // One in the future is one the clock was set back behind.
        self.losses.retain(|loss| *loss <= at && at - *loss < window);
        let was_steady = self.losses.is_empty();
        if self.is_up {
            self.losses.push(at);
        }
        if self.told == Some(Trouble::Flapping) && !was_steady {
            self.is_up = false;
            return Vec::new();
        }
        if self.losses.len() <= most {
            return self.trouble(Trouble::Lost, &format!("not connected: {why}{AGAIN}"), at);
        }
        let message = format!(
            "the connection keeps breaking: {why}; if another watch uses the same host and manifest names, give one of them another --consumer or MQTT_CLIENT_ID_PREFIX{AGAIN}"
        );
        self.trouble(Trouble::Flapping, &message, at)
    }

    fn trouble(&mut self, trouble: Trouble, message: &str, at: DateTime<Utc>) -> Vec<Event> {
        self.is_up = false;
        if self.told.replace(trouble) == Some(trouble) {
            return Vec::new();
        }
        vec![self.error(message, at)]
    }

    fn error(&self, message: &str, at: DateTime<Utc>) -> Event {
        let message = printable(&format!("broker {}: {message}", self.address)).into_owned();
        Event::Error(WatchFailure { at, source: SOURCE.to_owned(), message })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn said(events: Vec<Event>) -> Vec<String> {
        let text = |event| match event {
            Event::Error(failure) => failure.message,
            Event::Broker(up) => up.message,
            other => panic!("{other:?}"),
        };
        events.into_iter().map(text).collect()
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_loss_is_told_once_and_so_is_the_recovery() {
        let mut teller = BrokerReporter::new("b:1".to_owned(), true);
        let lost = |why: &str| ConnectionState::Lost { why: why.to_owned() };
        assert_eq!(
            said(teller.state(&lost("refused"), at())),
            ["broker b:1: not connected: refused; retrying, and polling meanwhile"]
        );
        assert_eq!(said(teller.state(&lost("timed out"), at())), [""; 0]);
        let refused = ConnectionState::Refused { why: "bad\u{1b}[31m".to_owned() };
        assert_eq!(said(teller.state(&refused, at())).len(), 1, "another kind of trouble");
        assert!(said(teller.state(&lost("x"), at()))[0].starts_with("broker b:1: not"));
        assert_eq!(said(teller.state(&ConnectionState::Connected { session_present: true }, at())), [""; 0]);
        assert!(!teller.beat().connected);
        assert_eq!(said(teller.state(&ConnectionState::Subscribed, at())), ["broker b:1: connected"]);
        assert!(teller.beat().connected);
        assert_eq!(said(teller.state(&ConnectionState::Subscribed, at())), [""; 0]);
        assert_eq!(said(teller.state(&lost("again"), at())).len(), 1);
    }

    #[test]
    fn a_connection_that_is_lost_again_and_again_is_told_as_that_once_until_it_was_steady() {
        let mut teller = BrokerReporter::new("b:1".to_owned(), true);
        let mut now = at();
        let mut next = |after: i64| {
            now += TimeDelta::seconds(after);
            let connected = said(teller.state(&ConnectionState::Subscribed, now)).len();
            assert!(teller.beat().connected);
            let lost = said(teller.state(&ConnectionState::Lost { why: "closed".to_owned() }, now));
            assert!(!teller.beat().connected);
            (connected, lost)
        };
        for _ in 0..3 {
            let (connected, lost) = next(30);
            assert!(connected == 1 && lost[0].contains("not connected: closed"), "{lost:?}");
        }
        let (connected, lost) = next(30);
        assert!(connected == 1 && lost[0].contains("keeps breaking") && lost[0].contains("--consumer"), "{lost:?}");
        for _ in 0..50 {
            assert_eq!(next(30), (0, Vec::new()));
        }
        assert_eq!(next(700).1.len(), 1, "it was steady, and then it was not");
        assert_eq!(next(30).0, 1);
    }

    #[test]
    fn a_flood_of_dropped_events_is_counted_and_told_once_for_each_kind() {
        let mut teller = BrokerReporter::new("b:1".to_owned(), true);
        let heard = |kind| Heard { written: 1, dropped: [(kind, (1000, "a\n/b".to_owned()))].into(), ..Heard::default() };
        let first = said(teller.heard(&heard(DropReason::Signature), at()));
        assert_eq!(
            first,
            ["broker b:1: dropped an event on a\\n/b: its signature is wrong; headcount only counts further ones"]
        );
        assert_eq!(said(teller.heard(&heard(DropReason::Signature), at())), [""; 0]);
        assert_eq!(said(teller.heard(&heard(DropReason::Seen), at())), [""; 0], "that it comes twice is no mistake");
        assert_eq!(said(teller.heard(&heard(DropReason::Unsigned), at())).len(), 1);
        let beat = teller.beat();
        assert_eq!((beat.events, beat.dropped), (4, 4000));
    }

    #[test]
    fn that_nothing_can_be_written_is_told_once_until_something_was() {
        let mut teller = BrokerReporter::new("b:1".to_owned(), true);
        let stuck = Heard { trouble: Some("no space".to_owned()), ..Heard::default() };
        assert_eq!(said(teller.heard(&stuck, at())).len(), 1);
        assert_eq!(said(teller.heard(&stuck, at())).len(), 0);
        assert_eq!(said(teller.heard(&Heard { written: 1, ..Heard::default() }, at())).len(), 0);
        assert_eq!(said(teller.heard(&stuck, at())).len(), 1);
    }
}
