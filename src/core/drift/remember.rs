//! What a pass leaves for the next one to know. Pure: a new memory from the old one and a verdict.

use std::collections::{BTreeMap, BTreeSet};

use super::{Class, Disposition, EntryVerdict, Unregistered, Verdict, World};
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::manifest::Session;
use crate::core::memory::{KnownIn, Memory, SeenFrom, SessionMemory, session_key};
use crate::core::observe::{Pane, Vantage};

/// The memory after a pass. `consumer`, if anyone who is told each drift once, was `told` of these drifts, by fingerprint.
///
/// While something about a session or its server is unknown no drift of it is forgotten: it may only be out of sight. The drifts of
/// all others are.
pub fn remember<'a>(
    world: &World<'_>,
    verdict: &Verdict,
    told: impl Iterator<Item = &'a str>,
    consumer: Option<&str>,
) -> Memory {
    let mut memory = world.memory.clone();
    let now = world.observation.at;
    for (entry, verdict) in world.manifest.sessions.iter().zip(&verdict.entries).filter(|(_, verdict)| verdict.judged) {
        if let Some((former, known)) = world.predecessor(entry, world.memory.session(&entry.key)) {
            memory.sessions.remove(former);
            *memory.session_mut(&entry.key) = known.clone();
        }
        let session = memory.session_mut(&entry.key);
        session.note_recorded_id(entry.recorded.session_id.as_ref(), now, world.observation.boot.seen());
        if matches!(verdict.transcript, Some(Fact::Seen(_))) {
            session.transcript_seen = true;
        }
        if let Some(home) =
            verdict.presence.live().and_then(|live| live.agent.home.seen()).filter(|home| session.home.as_ref() != Some(home))
        {
            session.home = Some(home.clone());
        }
        note_conversation(world, session, verdict, entry);
        let boot = world.observation.boot.seen().map(|boot| &boot.id);
        if verdict.presence.has_agent() && session.boot_id.as_ref() != boot {
            session.boot_id = boot.cloned();
            session.last_alive = Some(now);
        }
        if verdict.presence.has_agent() {
            note_vantage(session, &world.observation.vantage, &entry.key);
        }
    }
    let registered = registered(verdict);
    for found in &registered {
        note_registered(world, memory.session_mut(&found.key), found);
    }
    // What is declared stands in the manifest, whatever could be seen.
    let entries = world.manifest.sessions.iter().map(|entry| &entry.key);
    let declared: BTreeSet<String> = entries.chain(registered.iter().map(|found| &found.key)).map(session_key).collect();
    memory.sessions.retain(|key, session| {
        if declared.contains(key) {
            session.undeclared_since = None;
            return true;
        }
        let since = *session.undeclared_since.get_or_insert(now);
        session.forget_where_it_was();
        now - since < SessionMemory::KEPT
    });
    remember_drifts(&mut memory, world, verdict, told, consumer);
    memory
}

/// The sessions that get an entry in this pass.
fn registered(verdict: &Verdict) -> Vec<&Unregistered> {
    let is_registered = |found: &&Unregistered| {
        verdict.drifts.iter().any(|drift| {
            drift.class == Class::Unregistered && drift.disposition == Disposition::Record && drift.session == found.key
        })
    };
    verdict.found.iter().filter(is_registered).collect()
}

/// Notes which process the conversation is recorded for that a new entry begins with.
fn note_registered(world: &World<'_>, session: &mut SessionMemory, found: &Unregistered) {
    if let ([live], Some((id, _))) = (found.agents.as_slice(), &found.proven) {
        let (boot, pids) = (world.observation.boot.seen(), world.observation.vantage.pids.as_deref());
        session.note_recorded_id(Some(id), world.observation.at, boot);
        session.known_in = Some(KnownIn::new(id.clone(), live.agent.process, boot, pids));
    }
}

/// Notes which process is in a conversation, or why that is doubtful. What could not be told and what has ended changes neither.
fn note_conversation(world: &World<'_>, session: &mut SessionMemory, verdict: &EntryVerdict, entry: &Session) {
    let Some(live) = verdict.presence.live().filter(|_| verdict.unknown.is_none()) else { return };
    let recorded = entry.recorded.session_id.as_ref();
    session.doubt = verdict.doubt.clone().filter(|_| recorded.is_some());
    let proven = verdict.proven.as_ref().map(|(id, _)| id);
    if let Some(id) = proven.or(recorded.filter(|_| verdict.doubt.is_none())) {
        let (boot, pids) = (world.observation.boot.seen(), world.observation.vantage.pids.as_deref());
        // Only what says something new is noted: nothing is written about a quiet world.
        let is_noted = session.known_in.as_ref().is_some_and(|known| {
            let is_whole = known.since_boot.is_some() || boot.is_none();
            is_whole && known.id == *id && known.pid == live.agent.process.pid && known.is(live.agent.process, boot, pids)
        });
        if !is_noted {
            session.known_in = Some(KnownIn::new(id.clone(), live.agent.process, boot, pids));
        }
    } else if let (Some(id), Some(pid), None) = (recorded, other_pane(entry, &live.pane), &session.known_in) {
        // The entry is about to name the pane of today, which says nothing of the conversation.
        session.known_in = Some(KnownIn::of_pane(id.clone(), pid));
    }
}

/// The process of the recorded pane, if it is not that of the pane the agent is in: whatever ran there, it was another process.
pub(super) fn other_pane(entry: &Session, pane: &Pane) -> Option<u32> {
    let recorded = entry.recorded.pane.as_ref()?.pid?;
    pane.pid.is_some_and(|pid| pid != recorded).then_some(recorded)
}

impl<'a> World<'a> {
    /// What earlier passes noted of the session of an entry, by its name now or by the one it had before a person changed it.
    pub(crate) fn remembered(&self, entry: &Session) -> Option<&'a SessionMemory> {
        let own = self.memory.session(&entry.key);
        self.predecessor(entry, own).map(|(_, known)| known).or(own)
    }

    /// What is remembered of an entry under another name: nothing is by its own, and exactly one session of its server that
    /// nobody declares any more had its conversation.
    fn predecessor(&self, entry: &Session, own: Option<&SessionMemory>) -> Option<(&'a str, &'a SessionMemory)> {
        let id = entry.recorded.session_id.as_ref()?;
        // What the last pass recorded it knows as proven, and not yet as recorded.
        let had_it = |known: &SessionMemory| {
            known.recorded_id.as_ref() == Some(id) || known.known_in.as_ref().is_some_and(|known| known.id == *id)
        };
        if own.is_some_and(|own| own.undeclared_since.is_none() || had_it(own)) {
            return None;
        }
        let beside = session_key(&SessionKey { name: String::new(), ..entry.key.clone() });
        let beside = beside.trim_end_matches('"');
        let declared = |key: &str| self.manifest.sessions.iter().any(|entry| session_key(&entry.key) == *key);
        let formers = self.memory.sessions.iter().filter(|(key, known)| had_it(known) && key.starts_with(beside));
        let mut former = formers.filter(|(key, _)| !declared(key));
        let (key, known) = former.next()?;
        former.next().is_none().then_some((key.as_str(), known))
    }
}

/// Notes from where a session was seen alive, if it was from elsewhere before.
fn note_vantage(session: &mut SessionMemory, vantage: &Vantage, key: &SessionKey) {
    let (pids, directory) = (vantage.pids.as_ref(), vantage.directories.get(&key.server_key()));
    let known = session.seen_from.as_ref();
    if known.map(|seen| &seen.pids) != pids || known.and_then(|seen| seen.directory.as_ref()) != directory {
        session.seen_from = pids.map(|pids| SeenFrom { pids: pids.clone(), directory: directory.cloned() });
    }
}

fn remember_drifts<'a>(
    memory: &mut Memory,
    world: &World<'_>,
    verdict: &Verdict,
    now_told: impl Iterator<Item = &'a str>,
    consumer: Option<&str>,
) {
    let standing: BTreeMap<String, &SessionKey> =
        verdict.drifts.iter().map(|drift| (drift.fingerprint().to_string(), &drift.session)).collect();
    for (fingerprint, session) in &standing {
        memory.first_seen.entry(fingerprint.clone()).or_insert(world.observation.at);
        memory.about.entry(fingerprint.clone()).or_insert_with(|| (*session).clone());
    }
    if let Some(consumer) = consumer {
        let told = memory.reported.entry(consumer.to_owned()).or_default();
        told.extend(now_told.map(str::to_owned));
    }
    let about = std::mem::take(&mut memory.about);
    let may_stand = |fingerprint: &String| {
        standing.contains_key(fingerprint)
            || match about.get(fingerprint) {
                Some(session) => verdict.unknown.iter().any(|unknown| unknown.hides(session)),
                // Remembered by a version that did not note the session: any could be its.
                None => !verdict.unknown.is_empty(),
            }
    };
    memory.first_seen.retain(|fingerprint, _| may_stand(fingerprint));
    for told in memory.reported.values_mut() {
        told.retain(may_stand);
    }
    memory.about =
        about.iter().filter(|(fingerprint, _)| may_stand(fingerprint)).map(|(f, s)| (f.clone(), s.clone())).collect();
}
