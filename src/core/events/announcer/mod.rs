//! Who is told what, once: from each pass's report to events. Pure; the time is an argument and nothing is printed.
//!
//! * A drift is told when it is decided (not while it settles, never if it is ignored), and again only after it was gone.
//! * One that was recorded the moment it was found is told once, as `applied`; nothing has to be resolved. One that was told
//!   otherwise (flagged, refused, pending) is `resolved` when it is recorded or gone.
//! * Something that is out of sight because something is unknown is not gone.
//! * A session that flaps is held back: so many events in a window, then silence until it is over or the watch ends, then its
//!   newest event of each class with the number of those left out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{DriftEvent, DriftResolved, Event, Resolution};
use crate::core::drift::Class;
use crate::core::ids::SessionKey;
use crate::core::report::{DriftReport, DriftState, Report};
use crate::core::text::printable;

/// How many events a session may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimit {
    /// So many …
    pub events: usize,
    /// … in this time.
    pub window: TimeDelta,
}

impl Default for EventLimit {
    fn default() -> Self {
        Self { events: 10, window: TimeDelta::minutes(10) }
    }
}

/// How many more events sessions may cause before they are held back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventBudget {
    /// Those that caused some lately.
    left: BTreeMap<SessionKey, usize>,
    /// All others.
    usual: usize,
}

impl EventBudget {
    /// Whether a session may cause so many.
    pub fn has(&self, session: &SessionKey, events: usize) -> bool {
        events <= self.left.get(session).copied().unwrap_or(self.usual)
    }
}

/// Once so many fingerprints are known, those of drifts long gone are forgotten.
const MOST_KNOWN: usize = 4096;

/// Remembers what was told.
#[derive(Debug, Default)]
pub struct Announcer {
    limit: EventLimit,
    /// Drifts that were told and stand.
    open: BTreeMap<String, DriftReport>,
    /// Drifts this run has met as decided: whether they are new is no longer for the report to say.
    known: BTreeSet<String>,
    /// Drifts this run has seen settling.
    settling: BTreeSet<String>,
    windows: BTreeMap<SessionKey, Window>,
    told: u64,
}

/// What a session caused lately.
#[derive(Debug)]
struct Window {
    began: DateTime<Utc>,
    events: usize,
    /// The newest of each class, newest last: the next run takes for told whatever this one has met.
    held: Vec<Event>,
    left_out: usize,
}

impl Announcer {
    /// An announcer that has told nothing yet.
    pub fn new(limit: EventLimit) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Drifts told so far.
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// Drifts that were told and stand.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The fingerprints of those.
    pub fn standing(&self) -> impl Iterator<Item = &str> {
        self.open.keys().map(String::as_str)
    }

    /// How much may be told now.
    pub fn room(&self, at: DateTime<Utc>) -> EventBudget {
        let left = |window: &Window| {
            let told = if self.is_over(window.began, at) { window.held.len() } else { window.events };
            self.limit.events.saturating_sub(told)
        };
        let left = self.windows.iter().map(|(session, window)| (session.clone(), left(window))).collect();
        EventBudget { left, usual: self.limit.events }
    }

    /// Whether a session has caused as much as it may.
    pub fn is_full(&self) -> bool {
        self.windows.values().any(|window| window.events >= self.limit.events)
    }

    /// What is to be said after a pass.
    pub fn after(&mut self, report: &Report, reasons: &[String], at: DateTime<Utc>) -> Vec<Event> {
        let mut events = self.due(at);
        let mut said = Vec::new();
        for drift in &report.drifts {
            match drift.state {
                DriftState::Ignored => {}
                DriftState::Settling => {
                    self.settling.insert(drift.id.clone());
                }
                _ => said.extend(self.decided(drift, reasons, at)),
            }
        }
        said.extend(self.gone(report, reasons, at));
        events.extend(said.into_iter().filter_map(|event| self.limited(event, at)));
        events
    }

    /// The newest held events of each session whose window is over.
    pub fn due(&mut self, at: DateTime<Utc>) -> Vec<Event> {
        let due = self.windows.iter().filter(|(_, window)| self.is_over(window.began, at)).map(|(key, _)| key.clone());
        self.release(due.collect(), at)
    }

    fn is_over(&self, began: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        // A window that began in the future is one the clock was set back behind.
        began > at || began.checked_add_signed(self.limit.window).is_none_or(|end| end <= at)
    }

    /// The newest held events of every session: nobody will be there when their windows are over.
    pub fn ending(&mut self, at: DateTime<Utc>) -> Vec<Event> {
        self.release(self.windows.keys().cloned().collect(), at)
    }

    fn release(&mut self, due: Vec<SessionKey>, at: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        for key in due {
            let Some(Window { mut held, left_out, .. }) = self.windows.remove(&key) else { continue };
            let Some(newest) = held.last_mut() else { continue };
            mark(newest, |number, _| *number = left_out);
            self.windows.insert(key, Window { began: at, events: held.len(), held: Vec::new(), left_out: 0 });
            events.extend(held.into_iter().map(|event| self.count(event)));
        }
        events
    }

    /// When [`Announcer::due`] has something to say.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        let held = self.windows.values().filter(|window| !window.held.is_empty());
        held.filter_map(|window| window.began.checked_add_signed(self.limit.window)).min()
    }

    fn decided(&mut self, drift: &DriftReport, reasons: &[String], at: DateTime<Utc>) -> Option<Event> {
        let id = &drift.id;
        let was_settling = self.settling.remove(id);
        let is_known = !self.known.insert(id.clone());
        if let Some(told) = self.open.get_mut(id) {
            *told = drift.clone();
            if drift.state != DriftState::Applied {
                return None;
            }
            self.open.remove(id);
            return Some(resolved(drift, Resolution::Recorded, reasons, at));
        }
        let is_new = drift.state == DriftState::Applied || drift.new || was_settling || is_known;
        if drift.state != DriftState::Applied {
            self.open.insert(id.clone(), drift.clone());
        }
        let event = DriftEvent { at, reasons: reasons.to_vec(), drift: drift.clone(), left_out: 0, muted_until: None };
        is_new.then_some(Event::Drift(event))
    }

    /// What stood and stands no more.
    fn gone(&mut self, report: &Report, reasons: &[String], at: DateTime<Utc>) -> Vec<Event> {
        let standing: BTreeSet<&str> = report.drifts.iter().map(|drift| drift.id.as_str()).collect();
        let is_hidden = |drift: &DriftReport| {
            let server = drift.session.server_key().to_string();
            let name = printable(&drift.session.name);
            report.unknown.iter().any(|unknown| unknown.scope == server || unknown.scope == name)
        };
        let gone: Vec<String> = self
            .open
            .iter()
            .filter(|(id, drift)| !standing.contains(id.as_str()) && !is_hidden(drift))
            .map(|(id, _)| id.clone())
            .collect();
        if report.unknown.is_empty() {
            self.settling.retain(|id| standing.contains(id.as_str()));
            if self.known.len() > MOST_KNOWN {
                self.known.retain(|id| standing.contains(id.as_str()));
            }
        }
        let drifts = gone.iter().filter_map(|id| self.open.remove(id));
        drifts.map(|drift| resolved(&drift, Resolution::Gone, reasons, at)).collect()
    }

    /// The event, unless its session has caused too many.
    fn limited(&mut self, mut event: Event, at: DateTime<Utc>) -> Option<Event> {
        let Some(session) = event.session().cloned() else { return Some(event) };
        let limit = self.limit;
        let window = self.windows.entry(session).or_insert(Window { began: at, events: 0, held: Vec::new(), left_out: 0 });
        window.events += 1;
        if window.events > limit.events {
            let before = window.held.len();
            window.held.retain(|held| class(held) != class(&event));
            window.left_out += before - window.held.len();
            window.held.push(event);
            return None;
        }
        if window.events == limit.events {
            let until = window.began.checked_add_signed(limit.window);
            mark(&mut event, |_, muted_until| *muted_until = until);
        }
        Some(self.count(event))
    }

    fn count(&mut self, event: Event) -> Event {
        self.told += u64::from(matches!(event, Event::Drift(_)));
        event
    }
}

fn class(event: &Event) -> Option<Class> {
    match event {
        Event::Drift(event) => Some(event.drift.class),
        Event::Resolved(event) => Some(event.class),
        _ => None,
    }
}

fn mark(event: &mut Event, change: impl FnOnce(&mut usize, &mut Option<DateTime<Utc>>)) {
    match event {
        Event::Drift(event) => change(&mut event.left_out, &mut event.muted_until),
        Event::Resolved(event) => change(&mut event.left_out, &mut event.muted_until),
        _ => {}
    }
}

fn resolved(drift: &DriftReport, how: Resolution, reasons: &[String], at: DateTime<Utc>) -> Event {
    let name = printable(&drift.session.name);
    let message = match how {
        Resolution::Recorded => format!("{name}: {} recorded.", drift.class),
        Resolution::Gone => format!("{name}: no longer {}.", drift.class),
    };
    Event::Resolved(DriftResolved {
        at,
        reasons: reasons.to_vec(),
        id: drift.id.clone(),
        class: drift.class,
        code: drift.code,
        session: drift.session.clone(),
        agent: drift.agent,
        how,
        message,
        left_out: 0,
        muted_until: None,
    })
}

#[cfg(test)]
mod tests;
