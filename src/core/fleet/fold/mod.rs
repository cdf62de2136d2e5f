//! From messages to the view of a fleet, whatever their order. Never believes a topic that is not its payload's own, never holds
//! more than it may, and never says when a host went unless it was told.

mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::report::{HostStatus, HostView, SessionView};
use super::{DriftNote, HostState, NotAStatement, REFRESH, SessionState};
use crate::core::manifest::pattern::glob;
use crate::core::mqtt::{HostTopics, encode_level};

/// What the topics of all hosts begin with.
const ROOT: &str = "headcount";

/// The most boots of one host that are told apart. More than two are only ever seen if somebody plays.
const MOST_BOOTS: usize = 8;

/// A host is stale once it has not said for so many of the times it should have that it looks.
const STALE_AFTER: f64 = 3.0;

/// The longest time between two looks that is believed, in seconds: a week.
const LONGEST_INTERVAL: f64 = 604_800.0;

/// The longest level of a topic that is ours: two names of a session and what joins them, each shortened.
const LONGEST_LEVEL: usize = 400;

/// How much is held of what others say.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Hosts.
    pub hosts: usize,
    /// Sessions of all hosts.
    pub sessions: usize,
    /// Bytes of all their payloads.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { hosts: 10_000, sessions: 200_000, bytes: 256 << 20 }
    }
}

/// A message that came.
#[derive(Debug, Clone, Copy)]
pub struct FleetMessage<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its payload; `None` of one that is too long to be handed on.
    pub payload: Option<&'a [u8]>,
    /// Whether the broker had kept it from before.
    pub retained: bool,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// What a message has changed.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetChange {
    /// Nothing that is shown.
    None,
    /// How a host is; by the level of its topics.
    Host(String),
    /// A host is no more; the name it had.
    Forgotten(String),
    /// A session is like this; host and session.
    Session(String, SessionView),
    /// A session is no more; host and what it was.
    Gone(String, SessionView),
    /// A drift began or ended; host and drift.
    Drift(String, Box<DriftNote>),
}

/// Everything that was heard, as far as it matters.
#[derive(Debug, Default)]
pub struct Fold {
    bounds: Bounds,
    hosts: BTreeMap<String, Known>,
    /// When hosts went, by their levels, as far as it was heard before everything was to be read anew.
    ends: BTreeMap<String, End>,
    manifests: BTreeSet<Arc<str>>,
    sessions: usize,
    bytes: usize,
    rejected: u64,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Known {
    /// The newest statement of each boot.
    boots: BTreeMap<String, Statement>,
    /// Why the last statement that could not be read could not.
    unreadable: Option<String>,
    /// Whether the statement was taken back while we listened: what the broker had kept before is older.
    is_cleared: bool,
    sessions: BTreeMap<String, Slot>,
}

#[derive(Debug)]
struct Statement {
    state: HostState,
    is_live: bool,
    /// When it was heard to have gone, by somebody who listened.
    ended_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are known: a box would cost each of them one allocation more")]
enum Slot {
    Known {
        session: SessionView,
        manifest: Arc<str>,
        bytes: usize,
        is_live: bool,
    },
    /// Taken back while we listened.
    Gone,
}

/// The end of one connection of a host.
#[derive(Debug)]
struct End {
    boot_id: String,
    seq: u64,
    at: DateTime<Utc>,
}

/// Which of a host's topics it is.
enum Leaf<'a> {
    State,
    Drift,
    Session(&'a str),
}

impl Fold {
    /// Nothing heard yet; holds no more than this.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Takes a message in. The same messages give the same view in any order in which those of one connection of a host, or of
    /// one session, that came as they were published keep theirs; doubles and what the broker had kept may come at any time.
    pub fn hear(&mut self, heard: FleetMessage<'_>) -> FleetChange {
        let Some((level, leaf)) = parse(heard.topic) else { return self.reject() };
        match leaf {
            Leaf::State => self.state(level, heard),
            Leaf::Session(name) => self.session(level, name, heard),
            Leaf::Drift => {
                let note = heard.payload.and_then(|payload| DriftNote::parse(payload).ok());
                match note.filter(|note| encode_level(&note.session.host) == level) {
                    Some(note) => FleetChange::Drift(note.session.host.clone(), Box::new(note)),
                    None => self.reject(),
                }
            }
        }
    }

    /// Everything is to be read anew. Only when hosts went is kept, because the broker does not tell it again.
    pub fn begin_anew(&mut self) {
        let end = |known: &Known| {
            let Statement { state, ended_at, .. } = known.newest()?;
            Some(End { boot_id: state.boot_id.clone(), seq: state.seq, at: (*ended_at)? })
        };
        let ends = self.hosts.iter().filter_map(|(level, known)| Some((level.clone(), end(known)?))).collect();
        *self = Self { bounds: self.bounds, ends, ..Self::default() };
    }

    /// Everything the broker had kept has come: from here on, what it repeats is what it has now.
    pub fn settled(&mut self) {
        for known in self.hosts.values_mut() {
            known.sessions.retain(|_, slot| matches!(slot, Slot::Known { .. }));
            for slot in known.sessions.values_mut() {
                if let Slot::Known { is_live, .. } = slot {
                    *is_live = false;
                }
            }
        }
        self.hosts.retain(|_, known| !known.is_cleared || !known.boots.is_empty());
        let slots = || self.hosts.values().flat_map(|known| known.sessions.values());
        let bytes = slots().map(|slot| if let Slot::Known { bytes, .. } = slot { *bytes } else { 0 }).sum();
        (self.sessions, self.bytes) = (slots().count(), bytes);
    }

    /// The levels of the hosts that were heard of and are called like one of these; of all, without any.
    pub fn levels(&self, patterns: &[String]) -> impl Iterator<Item = &str> {
        let wanted = |known: &Known, level: &str| {
            let name = known.name(level);
            patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, name))
        };
        self.hosts
            .iter()
            .filter(move |(level, known)| known.is_shown() && wanted(known, level))
            .map(|(level, _)| level.as_str())
    }

    /// How many statements were left out because there are too many.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many sessions a host says it has; nothing if it does not say.
    pub fn declared(&self, level: &str) -> Option<usize> {
        Some(self.hosts.get(level)?.newest()?.state.counts?.declared)
    }

    /// How many sessions of a host are missing.
    pub fn missing(&self, level: &str) -> usize {
        self.hosts.get(level).map_or(0, Known::missing)
    }

    /// One host as it is shown, with or without its sessions.
    pub fn host(&self, level: &str, with_sessions: bool, now: DateTime<Utc>) -> Option<HostView> {
        let known = self.hosts.get(level).filter(|known| known.is_shown())?;
        Some(known.view(level, with_sessions, now))
    }

    /// How a host is.
    pub fn status(&self, level: &str, now: DateTime<Utc>) -> Option<HostStatus> {
        self.hosts.get(level).filter(|known| known.is_shown()).map(|known| known.status(now))
    }

    fn state(&mut self, level: &str, heard: FleetMessage<'_>) -> FleetChange {
        if heard.payload == Some(&[]) {
            return self.forget(level);
        }
        if !self.hosts.contains_key(level) && self.hosts.len() >= self.bounds.hosts {
            return self.leave_out();
        }
        let read = heard.payload.ok_or_else(|| "its message is too long".to_owned()).and_then(|payload| {
            let state = HostState::parse(payload).map_err(|error| match error {
                NotAStatement::Schema(schema) => format!("it uses {schema}, which this headcount does not know"),
                other => other.to_string(),
            })?;
            if encode_level(&state.host) == level { Ok(state) } else { Err("it names another host".to_owned()) }
        });
        let known = self.hosts.entry(level.to_owned()).or_default();
        let before = known.signature();
        match read {
            Ok(_) if known.is_cleared && heard.retained => {}
            Ok(state) => {
                known.is_cleared = false;
                let is_its = |end: &&End| !state.online && (&end.boot_id, end.seq) == (&state.boot_id, state.seq);
                let ended_at = self.ends.get(level).filter(is_its).map(|end| end.at);
                known.hear(state, ended_at, heard);
            }
            Err(why) => {
                known.unreadable = Some(why);
                self.rejected += 1;
            }
        }
        if self.hosts.get(level).is_some_and(|known| known.signature() != before) {
            FleetChange::Host(level.to_owned())
        } else {
            FleetChange::None
        }
    }

    /// A host's statement was taken back: somebody put it away for good.
    fn forget(&mut self, level: &str) -> FleetChange {
        let Some(known) = self.hosts.get_mut(level) else { return FleetChange::None };
        let (name, was_shown) = (known.name(level).to_owned(), known.is_shown());
        (known.boots, known.unreadable, known.is_cleared) = (BTreeMap::new(), None, true);
        if was_shown { FleetChange::Forgotten(name) } else { FleetChange::None }
    }

    fn session(&mut self, level: &str, name: &str, heard: FleetMessage<'_>) -> FleetChange {
        let Some(payload) = heard.payload else { return self.reject() };
        // Sessions are asked for host by host, so that its host was heard of before.
        let Some(known) = self.hosts.get(level) else { return FleetChange::None };
        let was = match known.sessions.get(name) {
            Some(Slot::Gone) if heard.retained => return FleetChange::None,
            Some(Slot::Known { is_live: true, .. }) if heard.retained => return FleetChange::None,
            Some(Slot::Known { bytes, .. }) => Some(*bytes),
            Some(Slot::Gone) => Some(0),
            None => None,
        };
        if payload.is_empty() {
            return self.take_back(level, name);
        }
        let Ok(state) = SessionState::parse(payload) else { return self.reject() };
        if HostTopics::new(&state.session.host).session(&state.session) != heard.topic {
            return self.reject();
        }
        let bytes = self.bytes - was.unwrap_or(0) + payload.len();
        if (was.is_none() && self.sessions >= self.bounds.sessions) || bytes > self.bounds.bytes {
            return self.leave_out();
        }
        self.bytes = bytes;
        self.sessions += usize::from(was.is_none());
        let host = state.session.host.clone();
        let manifest = self.manifest(&state.manifest);
        let session = view(state);
        let Some(known) = self.hosts.get_mut(level) else { return FleetChange::None };
        let slot = Slot::Known { session: session.clone(), manifest, bytes: payload.len(), is_live: !heard.retained };
        match known.sessions.insert(name.to_owned(), slot) {
            Some(Slot::Known { session: before, .. }) if before == session => FleetChange::None,
            _ => FleetChange::Session(host, session),
        }
    }

    fn take_back(&mut self, level: &str, name: &str) -> FleetChange {
        let Some(known) = self.hosts.get_mut(level) else { return FleetChange::None };
        if !known.sessions.contains_key(name) {
            if self.sessions >= self.bounds.sessions {
                return FleetChange::None;
            }
            self.sessions += 1;
        }
        let host = known.name(level).to_owned();
        match known.sessions.insert(name.to_owned(), Slot::Gone) {
            Some(Slot::Known { session, bytes, .. }) => {
                self.bytes -= bytes;
                FleetChange::Gone(host, session)
            }
            _ => FleetChange::None,
        }
    }

    /// One text for the many sessions that name the same manifest.
    fn manifest(&mut self, path: &str) -> Arc<str> {
        if let Some(known) = self.manifests.get(path) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(path);
        self.manifests.insert(Arc::clone(&new));
        new
    }

    fn reject(&mut self) -> FleetChange {
        self.rejected += 1;
        FleetChange::None
    }

    fn leave_out(&mut self) -> FleetChange {
        self.left_out += 1;
        FleetChange::None
    }
}

impl Known {
    /// `ended_at`: when it was heard to have gone, before.
    fn hear(&mut self, state: HostState, ended_at: Option<DateTime<Utc>>, heard: FleetMessage<'_>) {
        let ended_at = ended_at.or_else(|| (!state.online && !heard.retained).then_some(heard.at));
        let new = Statement { state, is_live: !heard.retained, ended_at };
        if let Some(known) = self.boots.get_mut(&new.state.boot_id) {
            if new.follows(known) {
                let ended_at = known.ended_at.filter(|_| known.state.seq == new.state.seq && !new.state.online);
                *known = Statement { ended_at: ended_at.or(new.ended_at), ..new };
            }
            return;
        }
        self.boots.insert(new.state.boot_id.clone(), new);
        while self.boots.len() > MOST_BOOTS {
            let oldest = self.boots.iter().min_by_key(|(_, it)| (it.state.online, it.state.seq)).map(|(boot, _)| boot.clone());
            let Some(oldest) = oldest else { break };
            self.boots.remove(&oldest);
        }
    }

    /// The statement that counts. A boot that is online outdoes the end of any other: that is a late Last Will, whatever the
    /// clocks of both say.
    fn newest(&self) -> Option<&Statement> {
        self.boots.iter().max_by_key(|(boot, it)| (it.state.online, it.state.seq, *boot)).map(|(_, it)| it)
    }

    fn is_shown(&self) -> bool {
        !self.boots.is_empty() || self.unreadable.is_some()
    }

    fn name<'a>(&'a self, level: &'a str) -> &'a str {
        self.newest().map_or(level, |it| it.state.host.as_str())
    }

    /// What of it is shown, apart from its sessions and the time.
    fn signature(&self) -> (Option<HostState>, Option<String>) {
        let state = self.newest().map(|it| it.state.clone());
        let unreadable = self.unreadable.clone().filter(|_| state.is_none());
        (state, unreadable)
    }

    fn missing(&self) -> usize {
        let Some((state, counts)) = self.newest().and_then(|it| Some((&it.state, it.state.counts?))) else { return 0 };
        let is_its = |slot: &&Slot| matches!(slot, Slot::Known { manifest, .. } if **manifest == *state.manifest);
        counts.declared.saturating_sub(self.sessions.values().filter(is_its).count())
    }

    fn status(&self, now: DateTime<Utc>) -> HostStatus {
        let Some(Statement { state, .. }) = self.newest() else { return HostStatus::Unreadable };
        match (state.online, state.lost) {
            (true, _) if state.is_stale(now) => HostStatus::Stale,
            (true, _) => HostStatus::Online,
            (false, true) => HostStatus::Lost,
            (false, false) => HostStatus::Offline,
        }
    }
}

impl Statement {
    /// Whether it comes after another of the same boot.
    fn follows(&self, known: &Self) -> bool {
        // Whoever has gone does not come back under the same number.
        let rank = |it: &Self| (it.state.seq, !it.state.online);
        match rank(self).cmp(&rank(known)) {
            std::cmp::Ordering::Equal if known.is_live && !self.is_live => self.state.observed_at > known.state.observed_at,
            order => order.is_ge(),
        }
    }
}

impl HostState {
    /// Whether it should have said since then that it looks. Its clock and ours need not agree to the minute.
    fn is_stale(&self, now: DateTime<Utc>) -> bool {
        let said = self.observed_at.map_or(self.since, |at| at.max(self.since));
        #[allow(clippy::cast_precision_loss, reason = "a few minutes in seconds")]
        let usual = self.interval.clamp(0.0, LONGEST_INTERVAL).max(REFRESH as f64);
        #[allow(clippy::cast_possible_truncation, reason = "at most three weeks in seconds")]
        let patience = TimeDelta::seconds((usual * STALE_AFTER) as i64);
        now - said > patience
    }
}

fn parse(topic: &str) -> Option<(&str, Leaf<'_>)> {
    let mut levels = topic.split('/');
    let (root, level, leaf) = (levels.next()?, levels.next()?, levels.next()?);
    let is_level = |level: &str| !level.is_empty() && !level.contains(['+', '#']) && level.len() <= LONGEST_LEVEL;
    let leaf = match (leaf, levels.next(), levels.next()) {
        ("state", None, _) => Leaf::State,
        ("drift", None, _) => Leaf::Drift,
        ("session", Some(name), None) if is_level(name) => Leaf::Session(name),
        _ => return None,
    };
    (root == ROOT && is_level(level)).then_some((level, leaf))
}

fn view(state: SessionState) -> SessionView {
    let SessionState { session, agent, declared, desired, operation, observed, session_id, job, crew, drifts, .. } = state;
    let (name, mux, server) = (session.name, session.mux, session.server);
    SessionView {
        name,
        mux,
        server,
        manifest: None,
        agent,
        declared,
        desired,
        operation,
        observed,
        session_id,
        job,
        crew,
        drifts,
    }
}

#[cfg(test)]
mod tests;
