//! What a pass leaves for the next one to know. Pure: a new memory from the old one and a verdict.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::{EntryVerdict, Inputs, Verdict};
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, SessionKey};
use crate::core::manifest::Session;
use crate::core::memory::{KnownIn, Memory, SeenFrom, SessionMemory};
use crate::core::observe::{Pane, Viewpoint};

/// The memory after a pass. `consumer`, if anyone who is told each drift once, was `told` of these drifts, by fingerprint.
///
/// While something about a session or its server is unknown no drift of it is forgotten: it may only be out of sight. The drifts of
/// all others are.
pub fn remember<'a>(
    world: &Inputs<'_>,
    verdict: &Verdict,
    told: impl Iterator<Item = &'a str>,
    consumer: Option<&str>,
) -> Memory {
    let mut memory = world.memory.clone();
    let now = world.observation.at;
    let boot = world.observation.boot.seen();
    for (entry, verdict) in world.manifest.sessions.iter().zip(&verdict.entries).filter(|(_, verdict)| verdict.judged) {
        let own = world.memory.session(&entry.key);
        // Only what says something new is copied, and then written: nothing is about a quiet world.
        let mut session = own.map_or_else(|| Cow::Owned(SessionMemory::default()), Cow::Borrowed);
        if let Some((former, known)) = world.predecessor(entry, own) {
            memory.sessions.remove(former);
            session = Cow::Owned(known.clone());
        }
        let recorded = entry.recorded.session_id.as_ref();
        if session.recorded_id.as_ref() != recorded {
            session.to_mut().note_recorded_id(recorded, now, boot);
        }
        if matches!(verdict.transcript, Some(Fact::Seen(_))) && !session.transcript_seen {
            session.to_mut().transcript_seen = true;
        }
        let home = verdict.presence.live().and_then(|live| live.agent.home.seen());
        if let Some(home) = home.filter(|home| session.home.as_ref() != Some(home)) {
            session.to_mut().home = Some(home.clone());
        }
        note_conversation(world, &mut session, verdict, entry);
        if verdict.presence.has_agent() {
            let boot = boot.map(|boot| &boot.id);
            if session.boot_id.as_ref() != boot {
                let session = session.to_mut();
                session.boot_id = boot.cloned();
                session.last_alive = Some(now);
            }
            note_vantage(&mut session, &world.observation.vantage, &entry.key);
        }
        if let Cow::Owned(session) = session {
            memory.sessions.insert(entry.key.clone(), session);
        }
    }
    note_declared(&mut memory, &world.manifest.sessions.iter().map(|entry| &entry.key).collect(), now);
    remember_drifts(&mut memory, world, verdict, told, consumer);
    memory
}

/// Notes the ids that a pass has written, and which process a new entry's is recorded for: what a person writes over them before
/// the next look is the person's.
pub fn note_written(memory: &mut Memory, world: &Inputs<'_>, verdict: &Verdict, given: &[(&SessionKey, ConversationId)]) {
    let (boot, pids) = (world.observation.boot.seen(), world.observation.vantage.pids.as_deref());
    for (key, id) in given {
        let session = memory.sessions.entry(key);
        session.note_recorded_id(Some(id), world.observation.at, boot);
        session.undeclared_since = None;
        if let Some([live]) = verdict.found.iter().find(|found| found.key == **key).map(|found| found.agents.as_slice()) {
            session.known_in = Some(KnownIn::new(id.clone(), live.agent.process, boot, pids));
        }
    }
}

/// Notes since when sessions are declared no more, and forgets those that have not been for long. What is declared stands in the
/// manifest, whatever could be seen.
fn note_declared(memory: &mut Memory, declared: &HashSet<&SessionKey>, now: DateTime<Utc>) {
    let then = memory.sessions.clone();
    for (key, known) in then.iter() {
        if declared.contains(key) {
            if known.undeclared_since.is_some() {
                memory.sessions.entry(key).undeclared_since = None;
            }
            continue;
        }
        let since = known.undeclared_since.unwrap_or(now);
        if now - since >= SessionMemory::KEPT {
            memory.sessions.remove(key);
            continue;
        }
        let mut session = SessionMemory { undeclared_since: Some(since), ..SessionMemory::clone(known) };
        session.forget_where_it_was();
        if session != **known {
            memory.sessions.insert(key.clone(), session);
        }
    }
}

/// Notes which process is in a conversation, or why that is doubtful. What could not be told and what has ended changes neither.
fn note_conversation(world: &Inputs<'_>, session: &mut Cow<'_, SessionMemory>, verdict: &EntryVerdict, entry: &Session) {
    let Some(live) = verdict.presence.live().filter(|_| verdict.unknown.is_none()) else { return };
    let recorded = entry.recorded.session_id.as_ref();
    let doubt = verdict.doubt.as_ref().filter(|_| recorded.is_some());
    if session.doubt.as_ref() != doubt {
        session.to_mut().doubt = doubt.cloned();
    }
    let proven = verdict.proven.as_ref().map(|(id, _)| id);
    if let Some(id) = proven.or(recorded.filter(|_| verdict.doubt.is_none())) {
        let (boot, pids) = (world.observation.boot.seen(), world.observation.vantage.pids.as_deref());
        let is_noted = session.known_in.as_ref().is_some_and(|known| {
            let is_whole = known.since_boot.is_some() || boot.is_none();
            is_whole && known.id == *id && known.pid == live.agent.process.pid && known.is(live.agent.process, boot, pids)
        });
        if !is_noted {
            session.to_mut().known_in = Some(KnownIn::new(id.clone(), live.agent.process, boot, pids));
        }
    } else if let (Some(id), Some(pid), None) = (recorded, other_pane(entry, &live.pane), &session.known_in) {
        // The entry is about to name the pane of today, which says nothing of the conversation.
        session.to_mut().known_in = Some(KnownIn::of_pane(id.clone(), pid));
    }
}

/// The process of the recorded pane, if it is not that of the pane the agent is in: whatever ran there, it was another process.
pub(super) fn other_pane(entry: &Session, pane: &Pane) -> Option<u32> {
    let recorded = entry.recorded.pane.as_ref()?.pid?;
    pane.pid.is_some_and(|pid| pid != recorded).then_some(recorded)
}

impl<'a> Inputs<'a> {
    /// What earlier passes noted of the session of an entry, by its name now or by the one it had before a person changed it.
    pub(crate) fn remembered(&self, entry: &Session) -> Option<&'a SessionMemory> {
        let own = self.memory.session(&entry.key);
        self.predecessor(entry, own).map(|(_, known)| known).or(own)
    }

    /// What is remembered of an entry under another name: nothing is by its own, and exactly one session of its server that
    /// nobody declares any more had its conversation.
    fn predecessor(&self, entry: &Session, own: Option<&SessionMemory>) -> Option<(&'a SessionKey, &'a SessionMemory)> {
        let id = entry.recorded.session_id.as_ref()?;
        // What the last pass recorded it knows as proven, and not yet as recorded.
        let had_it = |known: &SessionMemory| {
            known.recorded_id.as_ref() == Some(id) || known.known_in.as_ref().is_some_and(|known| known.id == *id)
        };
        if own.is_some_and(|own| own.undeclared_since.is_none() || had_it(own)) {
            return None;
        }
        let is_beside =
            |key: &SessionKey| (&key.host, key.mux, &key.server) == (&entry.key.host, entry.key.mux, &entry.key.server);
        let is_declared = |key: &SessionKey| self.manifest.sessions.iter().any(|entry| entry.key == *key);
        let formers = self.memory.sessions.iter().filter(|(key, known)| had_it(known) && is_beside(key));
        let mut former = formers.filter(|(key, _)| !is_declared(key));
        let (key, known) = former.next()?;
        former.next().is_none().then_some((key, known.as_ref()))
    }
}

/// Notes from where a session was seen alive, if it was from elsewhere before.
fn note_vantage(session: &mut Cow<'_, SessionMemory>, vantage: &Viewpoint, key: &SessionKey) {
    let (pids, directory) = (vantage.pids.as_ref(), vantage.directories.get(&key.server_key()));
    let known = session.seen_from.as_ref();
    if known.map(|seen| &seen.pids) != pids || known.and_then(|seen| seen.directory.as_ref()) != directory {
        session.to_mut().seen_from = pids.map(|pids| SeenFrom { pids: pids.clone(), directory: directory.cloned() });
    }
}

fn remember_drifts<'a>(
    memory: &mut Memory,
    world: &Inputs<'_>,
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
