//! What a pass may write and say, and what it must have written once things have settled: judged by the truth alone, by rules of
//! its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use headcount::core::drift::Class;
use headcount::core::report::Report;
use serde_json::{Map, Value};

use super::step::SERVERS;
use super::truth::{Agent, KINDS, Name, Truth};

/// The settle window of the worlds, in seconds.
pub const WINDOW: i64 = 5;

/// What headcount may change of an entry.
const RECORDED: [&str; 5] = ["status", "terminated_at", "termination_mode", "session_id", "pane"];

/// An entry of a manifest as any reader of YAML finds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry(Map<String, Value>);

impl Entry {
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    pub fn name(&self) -> Name {
        (self.text("server").unwrap_or(SERVERS[0]).to_owned(), self.text("name").unwrap().to_owned())
    }

    /// Its agents among those of its session.
    fn agents<'t>(&self, truth: &'t Truth) -> Vec<&'t Agent> {
        truth.agents_of(&self.name(), self.text("agent").unwrap())
    }

    fn is_suspended(&self) -> bool {
        self.0.get("suspend") == Some(&Value::Bool(true))
    }

    fn is_running(&self) -> bool {
        self.text("status") == Some("running")
    }

    fn pane(&self) -> Option<u32> {
        let pane = self.0.get("pane")?;
        let pid = u32::try_from(pane.get("pid")?.as_u64()?).ok()?;
        (pane.get("id")?.as_str()? == format!("%{pid}")).then_some(pid)
    }

    /// Whether its agent lives in its pane, and no server shows that.
    fn is_lost(&self, truth: &Truth) -> bool {
        self.pane().and_then(|pane| truth.lost.get(&pane)).is_some_and(|kind| Some(kind.as_str()) == self.text("agent"))
    }

    /// Whether its agent lives in its pane, on a server that no entry names: nobody looks there.
    fn is_elsewhere(&self, all: &[Self], truth: &Truth) -> bool {
        let named: BTreeSet<String> = all.iter().map(|entry| entry.name().0).chain([SERVERS[0].to_owned()]).collect();
        let lives_in = |pane| truth.panes.iter().any(|(name, panes)| panes.contains(&pane) && !named.contains(&name.0));
        self.pane().is_some_and(lives_in)
    }

    /// What headcount is not to touch.
    fn declared(&self) -> Map<String, Value> {
        let own = self.0.iter().filter(|(key, _)| !RECORDED.contains(&key.as_str()));
        own.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// What a person who changed it has changed, as far as that opens a window.
    pub fn said(&self) -> Map<String, Value> {
        let says = |key: &str, value: &Value| !key.starts_with("note_") && key != "last_visible_status" && !value.is_null();
        self.0.iter().filter(|(key, value)| says(key, value)).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Which of the agents in its session is its own: the only one, or the one in its pane.
    fn own<'t>(&self, truth: &'t Truth) -> Option<&'t Agent> {
        match self.agents(truth).as_slice() {
            [only] => Some(only),
            several => {
                let mut recorded = several.iter().copied().filter(|agent| Some(agent.pane) == self.pane());
                recorded.next().filter(|_| recorded.next().is_none())
            }
        }
    }
}

/// The entries of a text.
pub fn entries(text: &str) -> Vec<Entry> {
    let all: Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("the manifest is no YAML: {error}\n{text}"));
    let sessions = all["sessions"].as_array().cloned().unwrap_or_default();
    sessions.into_iter().map(|entry| Entry(entry.as_object().expect("a mapping").clone())).collect()
}

/// Fails if a pass that found `before` and left `after` wrote anything but the truth. `touched` says when a person changed an
/// entry, where that is known. A pass that is `deaf`, because nobody told it what has changed, may be late with all but one thing:
/// it calls nobody dead who lives.
pub fn judge(before: &str, after: &str, truth: &Truth, now: i64, touched: Option<&BTreeMap<Name, i64>>, deaf: bool) {
    let shown = || format!("\n--- before\n{before}--- after\n{after}--- {truth}");
    let mut lines = after.lines();
    let is_own = |line: &str| RECORDED.iter().any(|key| line.trim_start().starts_with(&format!("{key}:")));
    for line in before.lines().filter(|line| !is_own(line) && line.trim_end() != "sessions:") {
        assert!(lines.any(|other| other == line), "the line {line:?} is lost{}", shown());
    }
    let (old, new) = (entries(before), entries(after));
    // What may not be read may be known from before, or not: of that, either may follow.
    let [mut renamed, from_before] = [false, true].map(|from_before| renames(&old, truth, from_before));
    renamed.retain(|name, _| from_before.contains_key(name));
    assert!(new.len() >= old.len(), "an entry is gone{}", shown());
    for (was, is) in old.iter().zip(&new) {
        let name = is.name();
        assert_eq!(was.declared(), is.declared(), "what {name:?} declares has changed{}", shown());
        if was == is {
            continue;
        }
        assert!(!is.is_suspended(), "{name:?} is suspended{}", shown());
        let dies = was.text("status") != is.text("status") && is.text("status") == Some("terminated");
        assert!(!dies || !truth.sessions.contains_key(&name), "{name:?} is called dead, and it lives{}", shown());
        assert!(!dies || !was.is_lost(truth), "{name:?} is called dead, and it lives out of reach{}", shown());
        if deaf {
            continue;
        }
        written(was, is, (&new, &renamed), truth).unwrap_or_else(|why| panic!("{name:?}: {why}{}", shown()));
        let fresh = touched.and_then(|touched| touched.get(&name)).is_some_and(|at| is_fresh(*at, now));
        let overruled =
            RECORDED.iter().find(|key| was.0.get(**key).is_some_and(|old| !old.is_null() && is.0.get(**key) != Some(old)));
        assert!(!fresh || overruled.is_none(), "{name:?}: a person has just written {overruled:?}{}", shown());
    }
    for (at, is) in new.iter().enumerate().skip(old.len()).filter(|_| !deaf) {
        let name = is.name();
        let none = Entry(is.declared());
        assert!(!new[..at].iter().any(|other| other.name() == name), "{name:?} has two entries{}", shown());
        assert!(is.is_running(), "{name:?} begins as something else{}", shown());
        written(&none, is, (&new, &renamed), truth).unwrap_or_else(|why| panic!("new {name:?}: {why}{}", shown()));
        assert!(!is_fresh(truth.made[&name], now), "{name:?} is too young{}", shown());
        let fresh = touched.and_then(|touched| touched.get(&name)).is_some_and(|at| is_fresh(*at, now));
        assert!(!fresh, "a person has just taken {name:?} away{}", shown());
    }
}

/// Whether a moment is within the window. One that is still to come, because the clock was set back, is not.
pub fn is_fresh(at: i64, now: i64) -> bool {
    (at..at + WINDOW).contains(&now)
}

/// Whether what was recorded of an entry is so.
fn written(
    was: &Entry,
    is: &Entry,
    (all, renamed): (&[Entry], &BTreeMap<Name, Vec<Name>>),
    truth: &Truth,
) -> Result<(), String> {
    let name = is.name();
    let agents = is.agents(truth);
    let has_changed = |key: &str| was.0.get(key) != is.0.get(key);
    if has_changed("status") {
        match is.text("status") {
            Some("running") if agents.is_empty() => return Err("called alive, and it has no agent".to_owned()),
            Some("running") => {}
            Some("terminated") if renamed.contains_key(&name) => return Err("called dead, and it has another name".to_owned()),
            Some("terminated") if was.is_running() => {}
            other => return Err(format!("its status became {other:?}")),
        }
    }
    if has_changed("pane") && !agents.iter().any(|agent| Some(agent.pane) == is.pane()) {
        return Err("no agent of it is in that pane".to_owned());
    }
    if has_changed("session_id") {
        let id = is.text("session_id").ok_or("its conversation was taken away")?;
        let own = is.own(truth).ok_or("a conversation, and none of its agents is its own")?;
        if own.id.as_deref() != Some(id) {
            return Err(format!("given the conversation {id}, and its agent is in {:?}", own.id));
        }
        let holds = |other: &&Entry| other.name() != name && other.text("session_id") == Some(id);
        if let Some(other) = all.iter().filter(holds).find(|other| !other.agents(truth).is_empty()) {
            return Err(format!("given the conversation that {:?} holds", other.name()));
        }
        let declared: BTreeSet<Name> = all.iter().map(Entry::name).collect();
        let lives = |(session, agents): &(&Name, &Vec<Agent>)| {
            let is_seen = truth.answers(&session.0) && !truth.hidden.contains(*session) && is_searched(session, &declared);
            **session != name && is_seen && agents.iter().any(|agent| agent.id.as_deref() == Some(id))
        };
        if let Some((other, _)) = truth.sessions.iter().find(lives) {
            return Err(format!("given the conversation that {other:?} is in as well"));
        }
    }
    Ok(())
}

/// The sessions without an entry that the sessions of entries may have become: they hold its pane, or one of them alone, and not for
/// its pane another's, its conversation. Those of servers that do not answer and of processes that may not be read, too, if they
/// may be known from before.
fn renames(all: &[Entry], truth: &Truth, from_before: bool) -> BTreeMap<Name, Vec<Name>> {
    let declared: BTreeSet<Name> = all.iter().map(Entry::name).collect();
    let seen = |session: &Name| !declared.contains(session) && (from_before || truth.answers(&session.0));
    let absent = || all.iter().filter(|entry| !entry.is_suspended() && !truth.sessions.contains_key(&entry.name()));
    let mut renames: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    for entry in absent().filter(|entry| entry.is_running() || entry.text("status").is_none()) {
        let holds = |(session, panes): &(&Name, &Vec<u32>)| {
            seen(session) && session.0 == entry.name().0 && entry.pane().is_some_and(|pane| panes.contains(&pane))
        };
        let held: Vec<Name> = truth.panes.iter().filter(holds).map(|(session, _)| session.clone()).collect();
        if !held.is_empty() {
            renames.insert(entry.name(), held);
        }
    }
    for entry in absent().filter(|entry| entry.is_running()) {
        let is_own = |agent: &Agent| entry.text("agent") == Some(agent.kind.as_str());
        let is_in = |agent: &Agent| is_own(agent) && agent.id.is_some() && agent.id.as_deref() == entry.text("session_id");
        let proves = |(session, agents): &(&Name, &Vec<Agent>)| {
            let is_read = from_before || !truth.hidden.contains(*session);
            // A session never changes its server.
            session.0 == entry.name().0 && seen(session) && is_read && agents.iter().any(is_in)
        };
        let mut proving = truth.sessions.iter().filter(proves).map(|(session, _)| session);
        if let (Some(only), None) = (proving.next(), proving.next())
            && !renames.contains_key(&entry.name())
            && !renames.values().flatten().any(|taken| taken == only)
        {
            renames.insert(entry.name(), vec![only.clone()]);
        }
    }
    renames
}

/// Whether anybody looks at the server of a session: everybody uses it, or an entry names it.
fn is_searched((server, _): &Name, declared: &BTreeSet<Name>) -> bool {
    server == SERVERS[0] || declared.iter().any(|(other, _)| other == server)
}

/// Fails if a report says what is not so.
pub fn hear(report: &Report, after: &str, truth: &Truth, has_transcript: &dyn Fn(&str) -> bool) {
    let all = entries(after);
    // What may not be read may be known from before, or not.
    let renamed = [true, false].map(|from_before| renames(&all, truth, from_before));
    for drift in &report.drifts {
        let name = (drift.session.server.clone(), drift.session.name.clone());
        let (there, agents) = (truth.sessions.contains_key(&name), truth.agents_of(&name, drift.agent.as_str()));
        let entry = all.iter().find(|entry| entry.name() == name);
        let is_so = match drift.class {
            Class::Dead => !there && !entry.is_some_and(|entry| entry.is_lost(truth)),
            Class::AgentGone => there && agents.is_empty(),
            Class::Unregistered => !agents.is_empty(),
            Class::NewId | Class::Revived => !agents.is_empty(),
            Class::Moved => !agents.is_empty() || renamed.iter().any(|renamed| renamed.contains_key(&name)),
            Class::Ambiguous => !agents.is_empty(),
            Class::StaleId => entry.and_then(|entry| entry.text("session_id")).is_some_and(|id| !has_transcript(id)),
            _ => false,
        };
        assert!(is_so, "it is not so: {}\n--- after\n{after}--- {truth}", drift.message);
    }
    shared(&all, report, truth, &|why| panic!("{why}\n--- after\n{after}--- {truth}"));
}

/// A record is the weakest evidence: fails if two live entries record one conversation and that is not reported on both. One that
/// is proven to be in another, which waits to be recorded, contests nothing.
fn shared(all: &[Entry], report: &Report, truth: &Truth, fail: &dyn Fn(String)) {
    let is_seen = |entry: &&Entry| {
        let name = entry.name();
        let is_told = truth.answers(&name.0) && !truth.hidden.contains(&name) && !entry.is_suspended();
        is_told && entry.text("session_id").is_some() && !entry.agents(truth).is_empty()
    };
    let live: Vec<&Entry> = all.iter().filter(is_seen).collect();
    let has = |entry: &Entry, class: Class| {
        let (server, name) = entry.name();
        report.drifts.iter().any(|drift| (&drift.session.server, &drift.session.name, drift.class) == (&server, &name, class))
    };
    for (at, one) in live.iter().enumerate() {
        for other in live[at + 1..].iter().filter(|other| other.text("session_id") == one.text("session_id")) {
            let leaves = has(one, Class::NewId) || has(other, Class::NewId);
            if !(leaves || has(one, Class::Ambiguous) && has(other, Class::Ambiguous)) {
                fail(format!("{:?} and {:?} record one conversation, and that is not reported", one.name(), other.name()));
            }
        }
        let own = one.own(truth);
        let is_proven = own.is_some_and(|own| own.id.is_some() && own.id.as_deref() == one.text("session_id"));
        let is_alone = all.iter().filter(|other| other.text("session_id") == one.text("session_id")).count() == 1;
        let id = one.text("session_id").unwrap_or_default();
        let elsewhere = truth.sessions.iter().filter(|(name, _)| **name != one.name()).flat_map(|(_, agents)| agents);
        let is_contested = elsewhere.into_iter().any(|agent| agent.id.as_deref() == Some(id));
        let is_shown_twice = truth.agents(&one.name()).len() != 1;
        if is_proven && is_alone && !is_contested && !is_shown_twice && has(one, Class::Ambiguous) {
            fail(format!("{:?} proves what it records, and is called ambiguous", one.name()));
        }
    }
}

/// An id as it stands in an entry, since when it does by the seconds that nobody sets, and whether a pass has seen it.
#[derive(Debug, Clone)]
struct Record {
    id: Option<String>,
    at: i64,
    seen: bool,
}

/// The ids that stand in a manifest.
#[derive(Debug, Default)]
pub struct Records {
    now: BTreeMap<Name, Record>,
    /// Those the last pass left.
    left: BTreeMap<Name, Record>,
}

impl Records {
    /// Notes what a person has saved. What is as the last pass left it nobody can have seen to change.
    pub fn note_save(&mut self, text: &str, at: i64) {
        self.note(text, at, false);
        for (name, record) in &mut self.now {
            if let Some(left) = self.left.get(name).filter(|left| left.id == record.id) {
                record.clone_from(left);
            }
        }
    }

    /// Notes what a pass has left.
    pub fn note_pass(&mut self, text: &str, at: i64) {
        self.note(text, at, true);
        // What came and went before a pass could see it is as it was.
        let missed: Vec<Name> = self.now.iter().filter(|(_, record)| !record.seen).map(|(name, _)| name.clone()).collect();
        for name in missed {
            match self.left.remove(&name) {
                Some(before) => drop(self.now.insert(name, before)),
                None => drop(self.now.remove(&name)),
            }
        }
        self.left.clone_from(&self.now);
    }

    /// Notes the ids of a text: those that took the place of another, or of none, since `at`. How old others are nobody knows.
    fn note(&mut self, text: &str, at: i64, seen: bool) {
        for entry in entries(text) {
            let id = entry.text("session_id").map(str::to_owned);
            let record = self.now.entry(entry.name()).or_insert_with(|| Record { id: id.clone(), at: i64::MIN, seen });
            if record.id != id {
                *record = Record { id, at, seen };
            }
            record.seen |= seen;
        }
    }

    /// The clock was set: how old a record is that no pass has seen, only the time of its file tells, which is by the other one.
    pub fn note_clock(&mut self) {
        self.now.retain(|_, record| record.seen);
    }

    /// Fails if what an agent was started with took the place of a record that is younger than the agent.
    pub fn hold_younger(&self, before: &str, after: &str, truth: &Truth) {
        for (was, is) in entries(before).iter().zip(&entries(after)) {
            let Some(old) = was.text("session_id").filter(|old| is.text("session_id") != Some(old)) else { continue };
            let own = is.own(truth).filter(|own| !own.is_registered());
            let record = self.now.get(&is.name()).filter(|record| record.id.as_deref() == Some(old));
            if let Some((own, record)) = own.zip(record) {
                let name = is.name();
                assert!(
                    own.started() >= record.at,
                    "{name:?}: arguments replace a younger record\n{before}--- after\n{after}{truth}"
                );
            }
        }
    }
}

/// Which process of an entry was last in order in which conversation.
pub type Known = BTreeMap<Name, (String, u32, [i64; 2])>;

/// Fails if a record that nothing proves counts for another process than the one that was in it. Notes those that are in order.
pub fn weakest(after: &str, report: &Report, truth: &Truth, known: &mut Known) {
    for entry in entries(after).iter().filter(|entry| !entry.is_suspended()) {
        let name = entry.name();
        let is_seen = truth.answers(&name.0) && !truth.hidden.contains(&name);
        let is_unknown = report.unknown.iter().any(|unknown| unknown.scope == name.1 || unknown.scope.ends_with(&name.0));
        let Some(own) = entry.own(truth).filter(|_| is_seen && !is_unknown) else { continue };
        let is_told = report.drifts.iter().any(|drift| {
            (&drift.session.server, &drift.session.name) == (&name.0, &name.1)
                && matches!(drift.class, Class::Ambiguous | Class::NewId)
        });
        let Some(id) = entry.text("session_id").filter(|_| !is_told) else { continue };
        let starts = [own.started(), own.started() + truth.set];
        if let Some((_, pid, known)) = known.get(&name).filter(|(known, ..)| known == id && own.id.is_none()) {
            // A little is allowed to either clock: where one was set, a process may seem as old as another by the other one.
            let is_it = *pid == own.pid && starts.iter().zip(known).any(|(now, then)| now.abs_diff(*then) <= 3);
            assert!(is_it, "{name:?}: {id} was that of {pid}, and counts for {} in silence\n{after}{truth}", own.pid);
        }
        known.insert(name, (id.to_owned(), own.pid, starts));
    }
}

/// What a person's edit makes of it: an id that is written anew is believed, and an entry keeps what is known of it under another
/// name.
pub fn note_edit(known: &mut Known, before: &str, after: &str) {
    let ids = |text: &str| -> BTreeMap<Name, Option<String>> {
        entries(text).iter().map(|entry| (entry.name(), entry.text("session_id").map(str::to_owned))).collect()
    };
    let (was, is) = (ids(before), ids(after));
    for (name, id) in &is {
        let is_other = known.get(name).is_some_and(|(known, ..)| Some(known) != id.as_ref());
        // Also one that stood there before it was taken away.
        let is_written = was.get(name).is_some_and(|held| held != id);
        if is_other || is_written {
            known.remove(name);
        }
        let gone = was.iter().filter(|(old, held)| !is.contains_key(*old) && *held == id && old.0 == name.0);
        if let ([(old, Some(_))], false) = (gone.collect::<Vec<_>>().as_slice(), was.contains_key(name))
            && let Some(process) = known.remove(*old)
        {
            known.insert(name.clone(), process);
        }
    }
}

/// The sessions that nothing can be told of although everything answers.
pub fn elsewhere(text: &str, truth: &Truth) -> BTreeSet<String> {
    let all = entries(text);
    all.iter().filter(|entry| entry.is_elsewhere(&all, truth)).map(|entry| entry.name().1).collect()
}

/// Fails if anything was missed: to be asked when everything answers and nothing has happened for longer than the window.
pub fn settled(text: &str, truth: &Truth, has_transcript: &dyn Fn(&str) -> bool) {
    let all = entries(text);
    let declared: BTreeSet<Name> = all.iter().map(Entry::name).collect();
    let shown = || format!("\n--- settled\n{text}--- {truth}");
    let renamed = renames(&all, truth, true);
    for entry in all.iter().filter(|entry| !entry.is_suspended() && !truth.sessions.contains_key(&entry.name())) {
        let name = entry.name();
        let may_run = renamed.contains_key(&name) || entry.is_elsewhere(&all, truth);
        assert!(!entry.is_running() || may_run, "{name:?} is not there and said to run{}", shown());
    }
    let stuck = stuck(&all, truth);
    for entry in all.iter().filter(|entry| !entry.is_suspended()) {
        let name = entry.name();
        let Some(own) = entry.own(truth) else { continue };
        assert!(matches!(entry.text("status"), Some("running" | "archived")), "{name:?} runs{}", shown());
        assert_eq!(entry.pane(), Some(own.pane), "the pane of {name:?}{}", shown());
        let Some(id) = own.id.as_deref().filter(|id| !contested(id, &name, truth, &declared)) else { continue };
        // What an agent was started with only fills what is empty: the record may be younger.
        if !own.is_registered() && entry.text("session_id").is_some() {
            continue;
        }
        let blocks =
            |(at, other): (usize, &Entry)| other.name() != name && other.text("session_id") == Some(id) && stuck.contains(&at);
        // One in which nothing was said yet takes no conversation's place that is on disk, unless that is another's by now.
        let is_kept = |old: &str| !has_transcript(id) && has_transcript(old) && !contested(old, &name, truth, &declared);
        if !all.iter().enumerate().any(blocks) && !entry.text("session_id").is_some_and(is_kept) {
            assert_eq!(entry.text("session_id"), Some(id), "the conversation of {name:?}{}", shown());
        }
    }
    for (name, agents) in truth.sessions.iter().filter(|(name, _)| is_searched(name, &declared)) {
        let is_known = declared.contains(name) || renamed.values().flatten().any(|other| other == name);
        let kind = KINDS.iter().find(|kind| name.1.ends_with(*kind)).unwrap();
        let ours = agents.iter().filter(|agent| agent.kind == *kind).count();
        assert!(is_known || ours != 1, "{name:?} has no entry{}", shown());
    }
}

/// Whether a conversation is live in another session as well.
fn contested(id: &str, of: &Name, truth: &Truth, declared: &BTreeSet<Name>) -> bool {
    let is_in = |agent: &Agent| agent.id.as_deref() == Some(id);
    let others = truth.sessions.iter().filter(|(name, _)| *name != of && is_searched(name, declared));
    others.into_iter().any(|(_, agents)| agents.iter().any(is_in))
}

/// The live entries that cannot give up the conversation they record, so that no other may have it: nobody knows theirs, or it is
/// recorded where it cannot be given up either.
fn stuck(all: &[Entry], truth: &Truth) -> BTreeSet<usize> {
    let declared: BTreeSet<Name> = all.iter().map(Entry::name).collect();
    let live = |entry: &Entry| !entry.agents(truth).is_empty();
    let proof = |entry: &Entry| {
        let own = entry.own(truth).filter(|own| !entry.is_suspended() && own.is_registered())?;
        own.id.clone().filter(|id| !contested(id, &entry.name(), truth, &declared))
    };
    let mut stuck: BTreeSet<usize> =
        all.iter().enumerate().filter(|(_, entry)| live(entry) && proof(entry).is_none()).map(|(at, _)| at).collect();
    loop {
        let before = stuck.len();
        for (at, entry) in all.iter().enumerate().filter(|(_, entry)| live(entry)) {
            let wanted = proof(entry).filter(|id| entry.text("session_id") != Some(id));
            let holds = |other: usize| other != at && all[other].text("session_id") == wanted.as_deref();
            if wanted.is_some() && stuck.iter().any(|other| holds(*other)) {
                stuck.insert(at);
            }
        }
        if stuck.len() == before {
            return stuck;
        }
    }
}

/// Fails if a person's mark is neither in the manifest nor in a version kept beside it.
pub fn kept(marks: &[String], text: &str, saved: &[impl AsRef<Path>]) {
    let beside: Vec<String> = saved.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for mark in marks {
        let is_in = |text: &str| text.contains(mark.as_str());
        assert!(is_in(text) || beside.iter().any(|text| is_in(text)), "{mark:?} is lost\n{text}");
    }
}
