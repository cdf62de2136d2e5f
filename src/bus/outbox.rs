//! What is still to be published, and what the broker has not acknowledged yet. Bounded; never publishes itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::MAX_PAYLOAD;

/// How many messages may be on their way at once. Less than the client allows, so that no packet id is used twice.
pub(super) const WINDOW: usize = 64;

/// How many events may wait for a broker that is lost; the oldest are forgotten.
const MOST_EVENTS: usize = 1024;

/// How many topics may be held.
const MOST_TOPICS: usize = 16_384;

/// Something to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    pub(super) flight: Flight,
}

/// What is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flight {
    /// The value of a topic.
    Value(String),
    /// An event, by its number.
    Event(u64),
}

#[derive(Debug, Default)]
pub(super) struct PublishQueue {
    /// The value of each retained topic; an empty one is forgotten once it was taken.
    values: BTreeMap<String, Vec<u8>>,
    /// Topics whose value the broker has not been given.
    changed: BTreeSet<String>,
    events: BTreeMap<u64, (String, Vec<u8>)>,
    /// The first event that was not handed over.
    next_event: u64,
    newest_event: u64,
    /// Handed over, packet id not known yet.
    handed: VecDeque<Flight>,
    by_packet: HashMap<u16, Flight>,
    /// Left out because there were too many, or because they are too long.
    left_out: u64,
}

impl PublishQueue {
    /// Sets the value of a retained topic; an empty one clears it. An unchanged one is not published again.
    pub(super) fn set(&mut self, topic: &str, payload: Vec<u8>) {
        let known = self.values.get(topic);
        if known == Some(&payload) {
            return;
        }
        if payload.len() > MAX_PAYLOAD || (known.is_none() && self.values.len() >= MOST_TOPICS) {
            self.left_out += 1;
            return;
        }
        self.values.insert(topic.to_owned(), payload);
        self.changed.insert(topic.to_owned());
    }

    /// The broker has another value than ours: it is published again.
    pub(super) fn again(&mut self, topic: &str) {
        if self.values.contains_key(topic) {
            self.changed.insert(topic.to_owned());
        }
    }

    /// Adds an event.
    pub(super) fn push(&mut self, topic: &str, payload: Vec<u8>) {
        if payload.len() > MAX_PAYLOAD {
            self.left_out += 1;
            return;
        }
        if self.events.len() >= MOST_EVENTS {
            self.events.pop_first();
            self.left_out += 1;
        }
        self.events.insert(self.newest_event, (topic.to_owned(), payload));
        self.newest_event += 1;
    }

    /// A connection was made: everything that is not known to have arrived goes out again.
    pub(super) fn begin(&mut self) {
        self.handed.clear();
        self.by_packet.clear();
        self.changed = self.values.keys().cloned().collect();
        self.next_event = 0;
    }

    /// The next letter, if one more may be on its way: values before events.
    pub(super) fn next(&self) -> Option<Letter> {
        if self.handed.len() + self.by_packet.len() >= WINDOW {
            return None;
        }
        // A value that is on its way is not overtaken by its successor.
        let is_flying = |topic: &String| {
            let mut flying = self.handed.iter().chain(self.by_packet.values());
            flying.any(|flight| matches!(flight, Flight::Value(flying) if flying == topic))
        };
        let topic = self.changed.iter().find(|topic| !is_flying(topic));
        let value = topic.and_then(|topic| {
            let payload = self.values.get(topic)?.clone();
            Some(Letter { topic: topic.clone(), payload, retain: true, flight: Flight::Value(topic.clone()) })
        });
        value.or_else(|| {
            let (number, (topic, payload)) = self.events.range(self.next_event..).next()?;
            Some(Letter { topic: topic.clone(), payload: payload.clone(), retain: false, flight: Flight::Event(*number) })
        })
    }

    /// A letter was handed to the client.
    pub(super) fn handed(&mut self, flight: Flight) {
        match &flight {
            Flight::Value(topic) => {
                self.changed.remove(topic);
            }
            Flight::Event(number) => self.next_event = number + 1,
        }
        self.handed.push_back(flight);
    }

    /// The client has written the oldest letter it was handed, as this packet.
    pub(super) fn written(&mut self, packet: u16) {
        if let Some(flight) = self.handed.pop_front() {
            self.by_packet.insert(packet, flight);
        }
    }

    /// The broker has acknowledged a packet.
    pub(super) fn acknowledged(&mut self, packet: u16) {
        match self.by_packet.remove(&packet) {
            Some(Flight::Event(number)) => {
                self.events.remove(&number);
            }
            Some(Flight::Value(topic)) => {
                let is_cleared = self.values.get(&topic).is_some_and(Vec::is_empty);
                if is_cleared && !self.changed.contains(&topic) {
                    self.values.remove(&topic);
                }
            }
            None => {}
        }
    }

    /// Whether the broker has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.events.is_empty() && self.handed.is_empty() && self.by_packet.is_empty()
    }

    /// How many were left out so far.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    /// Hands over all that may go, and gives the topics.
    fn hand(outbox: &mut PublishQueue, packet: &mut u16) -> Vec<(String, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(letter) = outbox.next() {
            outbox.handed(letter.flight);
            *packet += 1;
            outbox.written(*packet);
            sent.push((letter.topic, letter.payload));
        }
        sent
    }

    #[test]
    fn what_was_not_acknowledged_goes_out_again_after_a_loss_and_an_event_only_until_it_was() {
        let (mut outbox, mut packet) = (PublishQueue::default(), 0);
        outbox.begin();
        outbox.set("state", b"1".to_vec());
        outbox.push("drift", b"a".to_vec());
        outbox.push("drift", b"b".to_vec());
        assert_eq!(hand(&mut outbox, &mut packet).len(), 3);
        assert_eq!(hand(&mut outbox, &mut packet), []);
        outbox.acknowledged(2);
        assert!(!outbox.is_empty());
        outbox.begin();
        let again = hand(&mut outbox, &mut packet);
        assert_eq!(again, [("state".to_owned(), b"1".to_vec()), ("drift".to_owned(), b"b".to_vec())]);
        outbox.acknowledged(4);
        outbox.acknowledged(5);
        assert!(outbox.is_empty());
        outbox.begin();
        assert_eq!(hand(&mut outbox, &mut packet).len(), 1, "a retained value goes out at each connection");
    }

    #[test]
    fn an_unchanged_value_is_not_published_and_a_cleared_one_is_forgotten_once_taken() {
        let (mut outbox, mut packet) = (PublishQueue::default(), 0);
        outbox.set("s", b"1".to_vec());
        hand(&mut outbox, &mut packet);
        outbox.set("s", b"1".to_vec());
        assert_eq!(hand(&mut outbox, &mut packet), []);
        outbox.set("s", Vec::new());
        assert_eq!(hand(&mut outbox, &mut packet), [], "its predecessor is on its way");
        outbox.acknowledged(1);
        assert_eq!(hand(&mut outbox, &mut packet).len(), 1);
        outbox.acknowledged(2);
        assert!(outbox.values.is_empty() && outbox.is_empty());
    }

    #[test]
    fn it_stays_bounded_however_long_the_broker_is_away() {
        let mut outbox = PublishQueue::default();
        for n in 0..50_000_u32 {
            outbox.push("drift", n.to_string().into_bytes());
            outbox.set("state", n.to_string().into_bytes());
        }
        outbox.push("drift", vec![0; MAX_PAYLOAD + 1]);
        assert_eq!((outbox.events.len(), outbox.values.len()), (MOST_EVENTS, 1));
        assert_eq!(outbox.left_out(), 50_001 - MOST_EVENTS as u64);
        let mut packet = 0;
        assert_eq!(hand(&mut outbox, &mut packet).len(), WINDOW);
    }
}
