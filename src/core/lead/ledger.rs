//! What this user did to sessions on this host, by session: the part of the past that no look at the world tells. A lost ledger makes
//! nothing ours. Never reads or writes it; `store::operations` does.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::hold::SessionHold;
use super::operation::OperationId;
use crate::core::ids::{ConversationId, MuxKind, SessionKey};
use crate::core::manifest::Session;
use crate::core::observe::Server;

/// What was done to the sessions of one user on one host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// By the key of the session, as [`Ledger::key`] writes it.
    pub sessions: BTreeMap<String, ActedOn>,
}

/// What was done to one session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActedOn {
    /// The manifest that last acted on it, symlinks resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub led_by: Option<String>,
    /// What its entry wanted when it was last looked at for acting, and since when it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<(String, DateTime<Utc>)>,
    /// A digest of all that its entry wants, and since when it has wanted that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<(String, DateTime<Utc>)>,
    /// The digest of what it wanted when that was last acted on, or was so already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<String>,
    /// Where it was last seen alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alive: Option<AliveIn>,
    /// When it was first seen not to run any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<DateTime<Utc>>,
    /// An id that a start assigned. It counts until a pass has recorded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned: Option<ConversationId>,
    /// The last start that was made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<LastStart>,
    /// The last stop that was made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<LastStop>,
    /// Who has taken it in hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<SessionHold>,
    /// What went on when its entry was taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftRunning>,
}

/// A session that a person left running when its entry was taken out of a manifest: that manifest discovers it no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftRunning {
    /// The manifest, symlinks resolved.
    pub manifest: String,
    /// Its key, with the name as its multiplexer lists it.
    pub session: SessionKey,
    /// The server's process.
    pub server: Option<u32>,
    /// The multiplexer's immutable id of the session.
    pub id: String,
    /// When it was made, where the multiplexer says so.
    pub created: Option<DateTime<Utc>>,
}

impl LeftRunning {
    /// A session that runs, as it is left by a manifest; `None` if it does not run.
    pub fn of(key: &SessionKey, manifest: &str, server: &Server) -> Option<Self> {
        let session = server.sessions.iter().find(|it| key.names().any(|name| name == it.name.as_str()))?;
        let key = SessionKey { name: session.name.clone(), ..key.clone() };
        let (id, created) = (session.id.clone(), session.created);
        Some(Self { manifest: manifest.to_owned(), session: key, server: server.pid, id, created })
    }

    /// Whether it is still there.
    pub fn is_in(&self, server: &Server) -> bool {
        Self::of(&self.session, &self.manifest, server).as_ref() == Some(self)
    }
}

/// Where a session was alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliveIn {
    /// Since when that is known.
    pub at: DateTime<Utc>,
    /// The boot of the host.
    pub boot: Option<String>,
    /// The server's process.
    pub server: Option<u32>,
    /// The process of the agent's pane.
    pub pane: Option<u32>,
    /// Whether it was seen to have ended there, while its server lived on.
    #[serde(default)]
    pub is_over: bool,
}

/// Where a start put its pane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The server's process.
    pub server: u32,
    /// When that started, in clock ticks since boot. What was written before this was kept has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_start: Option<u64>,
    /// The multiplexer's immutable id of the session; of zellij, which has none, its name.
    pub session: String,
    /// Its id of the pane.
    pub pane: String,
    /// The process of the pane: the launcher. Zero: it had ended before it was seen.
    pub pid: u32,
    /// Whether the session was made for it.
    pub is_new_session: bool,
}

/// A start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStart {
    /// The operation.
    pub operation: OperationId,
    /// When.
    pub at: DateTime<Utc>,
    /// The boot of the host.
    pub boot: Option<String>,
    /// Where.
    pub placed: Placed,
    /// A digest of each lead field that it was made with.
    pub fields: BTreeMap<String, String>,
    /// Whether it ended in front of a dialog, which may stand there still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_asking: bool,
}

/// A stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStop {
    /// The operation.
    pub operation: OperationId,
    /// When the agent was seen to have ended; before that, when it was asked to.
    pub at: DateTime<Utc>,
    /// Whether it was only asked to.
    #[serde(default)]
    pub is_asked: bool,
    /// Whether it is the first half of a restart.
    #[serde(default)]
    pub is_restart: bool,
}

impl LastStop {
    /// Whether it is so that the session has been stopped. A restart has not come to its second half for a while: it was killed.
    pub fn stands(&self, now: DateTime<Utc>) -> bool {
        !self.is_restart || now < self.at + Self::GRACE
    }

    /// As long as this an agent that was asked to end may take for it.
    const GRACE: TimeDelta = TimeDelta::minutes(1);

    /// Up to when an end is of its making.
    pub fn until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.is_asked { (self.at + Self::GRACE).min(now.max(self.at)) } else { self.at }
    }
}

impl ActedOn {
    /// Whether an end that a manifest records may be younger than a moment. It is recorded in whole seconds, so one of the same second
    /// may; of an end that headcount itself brought about the ledger knows the moment.
    pub fn may_have_ended_since(acted: Option<&Self>, recorded: DateTime<Utc>, moment: DateTime<Utc>) -> bool {
        let ours = acted.and_then(|acted| acted.stopped.as_ref()).map(|stopped| stopped.at);
        match ours.filter(|ours| ours.timestamp() == recorded.timestamp()) {
            Some(ours) => ours >= moment,
            None => recorded.timestamp() >= moment.timestamp(),
        }
    }
}

impl Ledger {
    /// How a session's key is written: its parts, each quoted so that no two keys read the same.
    pub fn key(session: &SessionKey) -> String {
        format!("{:?}/{}/{:?}/{:?}", session.host, session.mux, session.server, session.name)
    }

    /// The name of the session that a key is of, where it holds nothing that a key has to write otherwise.
    pub fn plain_name(key: &str) -> Option<&str> {
        let (_, name) = key.rsplit_once('/')?;
        name.strip_prefix('"')?.strip_suffix('"').filter(|name| !name.contains(['"', '\\']))
    }

    /// What was done to a session.
    pub fn of(&self, session: &SessionKey) -> Option<&ActedOn> {
        self.sessions.get(&Self::key(session))
    }

    /// Forgets a session.
    pub fn forget(&mut self, session: &SessionKey) {
        self.sessions.remove(&Self::key(session));
    }

    /// Takes what was done to a session for what was done to it under another name.
    pub fn rename(&mut self, from: &SessionKey, to: &SessionKey) {
        if let Some(mut acted) = self.sessions.remove(&Self::key(from)) {
            // Where a session has no id but its name, what was placed in it is found under the new one.
            if let Some(started) =
                acted.started.as_mut().filter(|it| from.mux == MuxKind::Zellij && it.placed.session == from.name)
            {
                started.placed.session.clone_from(&to.name);
            }
            self.sessions.insert(Self::key(to), acted);
        }
    }

    /// The same, to be changed.
    pub fn entry(&mut self, session: &SessionKey) -> &mut ActedOn {
        self.sessions.entry(Self::key(session)).or_default()
    }
}

/// The lead fields of an entry that a running agent was started with, each as a digest: their values may be secrets.
pub fn lead_fields(session: &Session) -> BTreeMap<String, String> {
    let lead = &session.lead;
    let texts = [
        ("args", format!("{:?}", lead.args)),
        ("command", format!("{:?}", lead.command)),
        ("env", format!("{:?}{:?}", session.env, lead.env_files)),
        ("permissions", format!("{:?}", lead.permissions)),
        ("cwd", format!("{:?}", session.cwd)),
    ];
    texts.into_iter().map(|(name, text)| (name.to_owned(), digest(text))).collect()
}

/// A digest of all that an entry wants.
pub fn wanted(session: &Session) -> String {
    let lead = &session.lead;
    let rest = (lead.desired, lead.restart, &lead.prompt, lead.trust, lead.deadline);
    digest(format!("{:?}{rest:?}", lead_fields(session)))
}

fn digest(text: impl AsRef<str>) -> String {
    let hash = Sha256::digest(text.as_ref().as_bytes());
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_the_second_in_which_something_was_wanted_may_be_a_persons_answer_to_that() {
        let at = |milliseconds| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds);
        let stopped = |at| LastStop { operation: OperationId::new(at, 1, 0), at, is_asked: false, is_restart: false };
        let after = |ours: Option<i64>, recorded, moment| {
            let acted = ours.map(|ours| ActedOn { stopped: Some(stopped(at(ours))), ..ActedOn::default() });
            ActedOn::may_have_ended_since(acted.as_ref(), at(recorded), at(moment))
        };
        for (ours, recorded, moment, expected) in [
            (None, 9_000, 10_600, false),
            (None, 10_000, 10_600, true),
            (None, 11_000, 10_600, true),
            (Some(10_400), 10_000, 10_600, false),
            (Some(10_800), 10_000, 10_600, true),
            // The end that is recorded is another one.
            (Some(8_800), 10_000, 10_600, true),
        ] {
            assert_eq!(after(ours, recorded, moment), expected, "{ours:?} {recorded} {moment}");
        }
    }
}
