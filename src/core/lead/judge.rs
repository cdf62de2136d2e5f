//! How each entry stands to what is wanted of it, and what may be done about that. Pure: what it takes from files and processes is
//! asked through functions that it is given.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::action::{Action, ActionKind, BlockCode, Blocked, Standing, Target};
use super::entry_facts::EntryFacts;
use super::ledger::{ActedOn, LastStart, Ledger, lead_fields};
use super::own;
use crate::core::drift::{EntryVerdict, Inputs, Presence, Verdict};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::manifest::lead::Desired;
use crate::core::manifest::{Recorded, Session, Status};
use crate::core::observe::{MuxSession, Transcript};
use crate::core::report::rows::Resumable;
use crate::core::text::printable;

/// What is asked of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// What its `desired` says.
    Manifest,
    /// That it runs. `fresh`: in a new conversation, whatever it was in.
    Start {
        /// Whether it begins a new conversation.
        fresh: bool,
    },
    /// That it has ended.
    Stop,
    /// That it ends and goes on.
    Restart,
}

/// What runs in a pane that waits for a person to type.
const SHELLS: [&str; 12] = ["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh", "fish", "csh", "tcsh", "nu", "elvish"];

/// Everything that is judged.
pub struct Scene<'a> {
    /// What a pass judged.
    pub inputs: Inputs<'a>,
    /// What it concluded.
    pub verdict: &'a Verdict,
    /// What was done before.
    pub ledger: &'a Ledger,
    /// The manifest, symlinks resolved.
    pub manifest: &'a str,
    /// Why this manifest may not act at all.
    pub refusal: Option<&'a Blocked>,
    /// Whether sessions that another manifest leads are taken over.
    pub take: bool,
    /// Whether a session that holds only idle shells is taken for the entry's own.
    pub reuse: bool,
    /// The rest.
    pub facts: EntryFacts<'a>,
}

/// How one entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The entry, by its place in the list.
    pub index: usize,
    /// How it stands.
    pub standing: Standing,
    /// The lead fields that are others than at the start of what runs now.
    pub differs: Vec<String>,
}

/// Judges entries, each by what is asked of it.
pub fn judge(scene: &Scene<'_>, wish: &dyn Fn(&Session) -> Option<Wish>) -> Vec<Judged> {
    let shared = shared_names(scene);
    let sessions = scene.inputs.manifest.sessions.iter().zip(&scene.verdict.entries);
    let judged = sessions.filter_map(|(session, entry)| {
        let wish = wish(session)?;
        let one = Entry { scene, session, entry, acted: scene.ledger.of(&session.key) };
        let other = shared.get(&session.index).copied();
        Some(Judged { index: session.index, standing: one.standing(wish, other), differs: one.differs() })
    });
    judged.collect()
}

/// The entries whose session the multiplexer would call like that of another, each with that other.
fn shared_names<'a>(scene: &Scene<'a>) -> HashMap<usize, &'a Session> {
    let mut first: HashMap<_, &Session> = HashMap::new();
    let mut shared = HashMap::new();
    for session in &scene.inputs.manifest.sessions {
        let key = &session.key;
        let place = (key.host.as_str(), key.mux, key.server.as_str(), key.mux.spelling(&key.name));
        if let Some(other) = first.insert(place, session) {
            shared.insert(session.index, other);
            shared.insert(other.index, session);
        }
    }
    shared
}

/// One entry and all that is known of it.
struct Entry<'a> {
    scene: &'a Scene<'a>,
    session: &'a Session,
    entry: &'a EntryVerdict,
    acted: Option<&'a ActedOn>,
}

fn blocked(code: BlockCode, message: impl Into<String>) -> Standing {
    Standing::Blocked(Blocked::new(code, message))
}

impl Entry<'_> {
    fn standing(&self, wish: Wish, shared: Option<&Session>) -> Standing {
        let desired = self.session.lead.desired;
        let wanted = match (wish, desired) {
            (Wish::Manifest, None | Some(Desired::Archived)) => return Standing::Unled,
            (Wish::Manifest, Some(Desired::Running)) => Wish::Start { fresh: false },
            (Wish::Manifest, Some(Desired::Stopped)) => Wish::Stop,
            (named, _) => named,
        };
        let is_named = wish != Wish::Manifest;
        if let Some(blocked) = self.before(wanted, shared) {
            return Standing::Blocked(blocked);
        }
        let standing = match wanted {
            Wish::Stop => self.stopped(),
            Wish::Restart => self.restarted(),
            Wish::Start { fresh } => self.running(fresh, is_named),
            Wish::Manifest => Standing::Unled,
        };
        // What is as it should be needs no permission.
        let Standing::Planned(_) = standing else { return standing };
        if let Some(blocked) = self.put_aside() {
            return Standing::Blocked(blocked);
        }
        let held = || (self.scene.facts.hold)(self.session, &self.entry.presence);
        self.permission().or_else(held).map_or(standing, Standing::Blocked)
    }

    /// What stands in the way whatever is found.
    fn before(&self, wanted: Wish, shared: Option<&Session>) -> Option<Blocked> {
        let key = &self.session.key;
        let host = &self.scene.inputs.observation.host;
        if key.host != *host {
            let message = format!("it is on host {}; this is {}", printable(&key.host), printable(host));
            return Some(Blocked::new(BlockCode::Elsewhere, message));
        }
        if let Some(doubt) = &self.session.doubt {
            return Some(Blocked::new(BlockCode::Unknown, doubt.why.clone()));
        }
        // What does not run need not be stopped, whatever its entry says.
        if wanted == Wish::Stop {
            return None;
        }
        let same = |other: &Session| {
            let message = format!("{} gives it and {} the same name; rename one of them", key.mux, printable(&other.key.name));
            Blocked::new(BlockCode::Ambiguous, message)
        };
        self.put_aside().or_else(|| shared.map(same))
    }

    /// Why nothing is done with the entry, whoever names it.
    fn put_aside(&self) -> Option<Blocked> {
        if self.session.suspend {
            return Some(Blocked::new(BlockCode::Suspended, "the entry says `suspend`; take that out to let headcount act"));
        }
        let is_archived =
            self.session.lead.desired == Some(Desired::Archived) || self.session.recorded.status == Some(Status::Archived);
        let message = "the entry is archived; give it another `desired` or `status` first";
        is_archived.then(|| Blocked::new(BlockCode::Archived, message))
    }

    /// Why this manifest may not act on the entry.
    fn permission(&self) -> Option<Blocked> {
        let leader = self.acted.and_then(|acted| acted.led_by.as_deref()).filter(|leader| *leader != self.scene.manifest);
        let elsewhere = leader.filter(|_| !self.scene.take).map(|leader| {
            let message = format!("{} leads it; `--take` takes it over", printable(leader));
            Blocked::new(BlockCode::LedElsewhere, message)
        });
        self.scene.refusal.cloned().or(elsewhere)
    }

    fn unknown(&self) -> Option<Blocked> {
        let told = match &self.entry.presence {
            Presence::Unknown(why) => Some(why.clone()),
            _ => None,
        };
        let hidden = || self.scene.verdict.unknown.iter().find(|unknown| unknown.hides(&self.session.key));
        let why = told.or_else(|| Some(hidden()?.why.clone()))?;
        Some(Blocked::new(BlockCode::Unknown, why))
    }

    fn stopped(&self) -> Standing {
        match &self.entry.presence {
            Presence::Unknown(why) => blocked(BlockCode::Unknown, why.clone()),
            Presence::Absent { .. } => match &self.entry.renamed_to {
                Some(name) => self.renamed(name),
                None => Standing::Met("not running"),
            },
            Presence::NoAgent { .. } => Standing::Met("not running"),
            Presence::Several { candidates, .. } => self.several(candidates.len()),
            Presence::Alive(live) => match (self.scene.facts.stop)(self.session, live) {
                Some(blocked) => Standing::Blocked(blocked),
                None => Standing::Planned(Action {
                    kind: ActionKind::Stop,
                    target: Target::InPlace,
                    conversation: self.entry.proven.as_ref().map(|(id, _)| id.clone()),
                    rung: self.entry.proven.as_ref().map(|(_, rung)| rung.as_str()),
                }),
            },
        }
    }

    fn several(&self, count: usize) -> Standing {
        let message = format!("{count} {} processes run in it; end all but one", self.session.agent);
        blocked(BlockCode::Ambiguous, message)
    }

    fn renamed(&self, name: &str) -> Standing {
        let own = printable(&self.session.key.name);
        let name = printable(name);
        let message = format!("its session seems to be renamed to {name}; `headcount rename {own} {name}` follows it");
        blocked(BlockCode::ForeignName, message)
    }

    /// A restart is judged as the start that it ends with: what would be blocked stops nothing.
    fn restarted(&self) -> Standing {
        match &self.entry.presence {
            Presence::Alive(live) => {
                if let Some(blocked) = (self.scene.facts.stop)(self.session, live) {
                    return Standing::Blocked(blocked);
                }
                let Some((id, rung)) = &self.entry.proven else {
                    let message = "nothing proves which conversation it is in, so it could not go on in it; stop and start it";
                    return blocked(BlockCode::NoId, message);
                };
                if let Some(blocked) = (self.scene.facts.start)(self.session, ActionKind::Resume) {
                    return Standing::Blocked(blocked);
                }
                if !self.is_there(id) {
                    let message = "its conversation has no transcript yet, so it could not go on in it; stop and start it";
                    return blocked(BlockCode::StaleId, message);
                }
                let mut resumable = self.resumable(id, self.entry.transcript.as_ref());
                resumable.home = live.agent.home.clone();
                if let Some(blocked) = (self.scene.facts.resume)(&resumable, Some(live)) {
                    return Standing::Blocked(blocked);
                }
                Standing::Planned(Action {
                    kind: ActionKind::Restart,
                    target: Target::NewSession,
                    conversation: Some(id.clone()),
                    rung: Some(rung.as_str()),
                })
            }
            _ => self.running(false, true),
        }
    }

    fn is_there(&self, id: &ConversationId) -> bool {
        let is_its = self.entry.proven.as_ref().is_some_and(|(proven, _)| proven == id);
        is_its && matches!(self.entry.transcript, Some(Fact::Seen(_)))
    }

    fn running(&self, fresh: bool, is_named: bool) -> Standing {
        let target = match &self.entry.presence {
            Presence::Alive(live) => {
                return (self.scene.facts.asks)(self.session, live).map_or(Standing::Met("running"), Standing::Blocked);
            }
            Presence::Several { candidates, .. } => return self.several(candidates.len()),
            Presence::Unknown(why) => return blocked(BlockCode::Unknown, why.clone()),
            Presence::Absent { .. } => match &self.entry.renamed_to {
                Some(name) => return self.renamed(name),
                None => Target::NewSession,
            },
            Presence::NoAgent { session, instead } => match self.own(session, instead) {
                Ok(target) => target,
                Err(blocked) => return Standing::Blocked(blocked),
            },
        };
        if let Some(blocked) = self.unknown() {
            return Standing::Blocked(blocked);
        }
        if let Some(blocked) = self.ended_by_hand().filter(|_| !is_named) {
            return Standing::Blocked(blocked);
        }
        match self.beginning(fresh) {
            Ok((kind, conversation, rung)) => match (self.scene.facts.start)(self.session, kind) {
                Some(blocked) => Standing::Blocked(blocked),
                None => Standing::Planned(Action { kind, target, conversation, rung }),
            },
            Err(blocked) => Standing::Blocked(blocked),
        }
    }

    /// Where the agent of a session without one goes, if the session is the entry's and no other agent is in it: a person's shell is
    /// neither killed nor typed into, so that is a new window.
    fn own(&self, session: &MuxSession, instead: &str) -> Result<Target, Blocked> {
        if session.panes.iter().any(|pane| pane.agents.seen().is_some_and(|agents| !agents.is_empty())) {
            let message = format!("a session of its name is there, and {instead}; end that, or rename one of them");
            return Err(Blocked::new(BlockCode::ForeignName, message));
        }
        let is_made = (self.scene.facts.is_made)(self.session, session);
        let started = self.acted.and_then(|acted| acted.started.as_ref()).filter(|_| is_made);
        let is_left = |started: &&LastStart| {
            session
                .panes
                .iter()
                .any(|pane| pane.id == started.placed.pane && pane.pid == Some(started.placed.pid) && pane.dead.is_none())
        };
        if let Some(started) = started.filter(is_left) {
            let message = format!(
                "what operation {} started still runs in pane {}, and no {} is seen in it: attach to it, or end it",
                started.operation, started.placed.pane, self.session.agent
            );
            return Err(Blocked::new(BlockCode::Ambiguous, message));
        }
        let is_recorded = own::has_recorded_pane(self.session, session);
        let is_idle = session.panes.iter().all(|pane| pane.dead.is_none() && SHELLS.contains(&pane.runs.as_str()));
        if is_made || is_recorded || (self.scene.reuse && is_idle) {
            let key = self.session.key.server_key();
            let common = || self.scene.inputs.observation.servers.get(&key)?.seen()?.pid;
            return Ok(Target::NewWindow { session: session.id.clone(), server: session.process.or_else(common) });
        }
        if self.scene.reuse {
            let message = format!("a session of its name is there with {instead}, and not only with idle shells");
            return Err(Blocked::new(BlockCode::ForeignName, message));
        }
        let message = format!(
            "a session of its name is there with {instead}, and nothing shows that it is this entry's; \
             `--reuse` opens a window in it, or rename one of them"
        );
        Err(Blocked::new(BlockCode::ForeignName, message))
    }

    /// A person's end of the session is undone by a person only.
    fn ended_by_hand(&self) -> Option<Blocked> {
        let recorded = &self.session.recorded;
        let how = match recorded.status? {
            Status::Stopped => "stopped",
            Status::Terminated if recorded.termination_mode.as_deref() != Some(Recorded::AUTO_DETECTED) => "terminated",
            Status::Running | Status::Terminated | Status::Archived => return None,
        };
        let now = self.scene.inputs.observation.at;
        let stamps = recorded.touched_at.iter().chain(&recorded.terminated_at).copied();
        let ended: Option<DateTime<Utc>> = stamps.map(|stamp| stamp.min(now)).max();
        let known = self.acted.and_then(|acted| acted.desired.as_ref()).filter(|(word, _)| word == "running");
        let wanted_since = known.map_or(now, |(_, since)| *since);
        if ended.is_some_and(|ended| !ActedOn::may_have_ended_since(self.acted, ended, wanted_since)) {
            return None;
        }
        let name = printable(&self.session.key.name);
        let message = format!("it is recorded as {how}; `headcount start {name}` starts it");
        Some(Blocked::new(BlockCode::EndedByHand, message))
    }

    /// What is begun where nothing runs: the conversation it goes on in, or a new one.
    fn beginning(&self, fresh: bool) -> Result<(ActionKind, Option<ConversationId>, Option<&'static str>), Blocked> {
        let name = printable(&self.session.key.name);
        if fresh {
            return Ok((ActionKind::Start, None, None));
        }
        if let Some(continued) = &self.entry.continued {
            if let Some(owner) = &continued.owner {
                let message = format!("its conversation went on in session {}", printable(owner));
                return Err(Blocked::new(BlockCode::Claimed, message));
            }
            return self.resumed(&continued.id, "continued-in");
        }
        let assigned = self.acted.and_then(|acted| acted.assigned.as_ref());
        if let Some(id) = &self.session.recorded.session_id {
            let is_unspoken = assigned == Some(id) && self.transcript_of(id).is_some_and(|it| it.is_absent());
            let was_spoken = self.scene.inputs.memory.session(&self.session.key).is_some_and(|memory| memory.transcript_seen);
            if is_unspoken && !was_spoken && (self.scene.facts.takes_id)(self.session) {
                self.unclaimed(id)?;
                return Ok((ActionKind::Start, Some(id.clone()), Some("assigned")));
            }
            return self.resumed(id, "recorded");
        }
        let memory = self.scene.inputs.memory.session(&self.session.key);
        let has_lived = self.session.recorded.status.is_some()
            || memory.is_some_and(|memory| memory.last_alive.is_some())
            || (self.scene.facts.may_have_begun)(self.session);
        match assigned {
            // Whoever was killed before this was recorded may have begun it, and its prompt may have been said.
            Some(id) if (self.scene.facts.takes_id)(self.session) => {
                let transcript = (self.scene.facts.transcript)(&self.resumable(id, None));
                if !transcript.is_absent() {
                    return self.resumed_by(id, "assigned", Some(&transcript));
                }
                self.unclaimed(id)?;
                Ok((ActionKind::Start, Some(id.clone()), Some("assigned")))
            }
            _ if has_lived => {
                let message = format!(
                    "it has run before, and its conversation is not known; `headcount start --fresh {name}` begins a new one"
                );
                Err(Blocked::new(BlockCode::NoId, message))
            }
            _ => Ok((ActionKind::Start, None, None)),
        }
    }

    fn resumed(
        &self,
        id: &ConversationId,
        rung: &'static str,
    ) -> Result<(ActionKind, Option<ConversationId>, Option<&'static str>), Blocked> {
        self.resumed_by(id, rung, self.transcript_of(id))
    }

    fn resumed_by(
        &self,
        id: &ConversationId,
        rung: &'static str,
        transcript: Option<&Fact<Transcript>>,
    ) -> Result<(ActionKind, Option<ConversationId>, Option<&'static str>), Blocked> {
        if let Some(doubt) = self.doubt() {
            let message = format!(
                "conversation {id} may not be its own: {doubt}; record the right `session_id`, or start it with --fresh"
            );
            return Err(Blocked::new(BlockCode::Ambiguous, message));
        }
        let is_other = |other: &&Arc<Session>| {
            other.index != self.session.index
                && other.agent == self.session.agent
                && other.recorded.session_id.as_ref() == Some(id)
        };
        if let Some(other) = self.scene.inputs.manifest.sessions.iter().find(is_other) {
            let message =
                format!("{} is recorded in conversation {id} as well; one of the two is wrong", printable(&other.key.name));
            return Err(Blocked::new(BlockCode::Ambiguous, message));
        }
        match transcript {
            Some(Fact::Seen(_)) => {}
            Some(Fact::Absent) => {
                let message =
                    format!("conversation {id} has no transcript; start it with --fresh, or record another `session_id`");
                return Err(Blocked::new(BlockCode::StaleId, message));
            }
            Some(Fact::Unknown(why)) => return Err(Blocked::new(BlockCode::Unknown, why.clone())),
            None => return Err(Blocked::new(BlockCode::Unknown, format!("where conversation {id} lies is not known"))),
        }
        let resumable = self.resumable(id, transcript);
        match (self.scene.facts.resume)(&resumable, None) {
            Some(blocked) => Err(blocked),
            None => Ok((ActionKind::Resume, Some(id.clone()), Some(rung))),
        }
    }

    /// A conversation of the entry, with what is known of where it lies.
    fn resumable<'c>(&'c self, id: &'c ConversationId, transcript: Option<&'c Fact<Transcript>>) -> Resumable<'c> {
        let home = match &self.entry.home {
            Some(home) => Fact::Seen(home.clone()),
            None => {
                let usual = self.scene.inputs.observation.fallback_homes.get(self.session.index);
                usual.cloned().unwrap_or(Fact::Absent)
            }
        };
        let pane = self.session.recorded.pane.as_ref();
        let recorded = pane.and_then(|pane| Some(std::path::Path::new(pane.cwd.as_deref()?))).filter(|cwd| cwd.is_absolute());
        let cwds = recorded.into_iter().chain(self.session.cwd.as_deref()).collect();
        Resumable { agent: self.session.agent, id, home, transcript, cwds }
    }

    /// Who may be in a conversation that is begun under an id of ours once more: nothing was said in it, but somebody may be about to.
    fn unclaimed(&self, id: &ConversationId) -> Result<(), Blocked> {
        let blocked = (self.scene.facts.resume)(&self.resumable(id, None), None);
        match blocked.filter(|blocked| matches!(blocked.code, BlockCode::Claimed | BlockCode::Unknown)) {
            Some(blocked) => Err(blocked),
            None => Ok(()),
        }
    }

    /// Why the recorded conversation may not be the one it was in last.
    fn doubt(&self) -> Option<&str> {
        let memory = self.scene.inputs.memory.session(&self.session.key);
        let remembered = memory.filter(|memory| memory.recorded_id == self.session.recorded.session_id);
        self.entry.doubt.as_deref().or_else(|| remembered?.doubt.as_deref())
    }

    fn transcript_of(&self, id: &ConversationId) -> Option<&Fact<Transcript>> {
        let is_its = match &self.entry.continued {
            Some(continued) => continued.id == *id,
            None => self.session.recorded.session_id.as_ref() == Some(id),
        };
        self.entry.transcript.as_ref().filter(|_| is_its)
    }

    /// What it was started with otherwise than its entry says now.
    fn differs(&self) -> Vec<String> {
        let Presence::Alive(live) = &self.entry.presence else { return Vec::new() };
        let Some(started) = self.acted.and_then(|acted| acted.started.as_ref()) else { return Vec::new() };
        if live.pane.pid != Some(started.placed.pid) || live.pane.id != started.placed.pane {
            return Vec::new();
        }
        let now = lead_fields(self.session);
        now.into_iter().filter(|(name, digest)| started.fields.get(name) != Some(digest)).map(|(name, _)| name).collect()
    }
}
