//! Why the loop should look again, and at what. A wake is a hint: it never says what is true, and a lost one costs at most one
//! resync interval.

use std::collections::BTreeSet;

use crate::core::ids::{ServerKey, SessionKey};

/// A reason to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// What happened.
    pub reason: Reason,
    /// What it concerns.
    pub scope: Scope,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The loop began.
    Started,
    /// The resync interval is over.
    Resync,
    /// A drift that was settling may be decided now.
    Settled,
    /// The manifest, or its directory, changed.
    Manifest,
    /// A transcript, or a directory of them, changed.
    Transcript,
    /// A registry of live agents changed.
    Registry,
    /// The record of a delegated job changed, or it ran out of time.
    Job,
    /// The broker was reached: what it said meanwhile may be lost.
    Broker,
    /// A multiplexer server said that something changed.
    Mux(ServerKey),
    /// A directory of multiplexer sockets changed, or a server began or ended.
    Server,
    /// A watched process ended.
    Process(u32),
    /// A process that may be an agent began in a pane without one.
    Agent(u32),
    /// An operation has ended, or may begin now.
    Operation,
    /// A source lost track of what it missed.
    Overflow,
}

/// What is to be looked at afresh: the keys that a wake marks. What is proven of everything else is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Whether it is everything; then nothing is named.
    is_all: bool,
    /// Servers that are to list anew: who came, went or is another process now.
    servers: BTreeSet<ServerKey>,
    /// Sessions, whoever is in them.
    sessions: BTreeSet<SessionKey>,
}

impl Scope {
    /// Everything.
    pub const ALL: Self = Self { is_all: true, servers: BTreeSet::new(), sessions: BTreeSet::new() };

    /// What a server lists.
    pub fn server(server: ServerKey) -> Self {
        Self { servers: [server].into(), ..Self::default() }
    }

    /// These sessions.
    pub fn sessions(sessions: BTreeSet<SessionKey>) -> Self {
        Self { sessions, ..Self::default() }
    }

    /// Whether it is everything.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        !self.is_all && self.servers.is_empty() && self.sessions.is_empty()
    }

    /// The servers that are to list anew, if it is not every one.
    pub fn servers(&self) -> &BTreeSet<ServerKey> {
        &self.servers
    }

    /// The sessions that are to be looked at afresh, if it is not every one.
    pub fn keys(&self) -> &BTreeSet<SessionKey> {
        &self.sessions
    }

    /// Widens it so that it holds another as well. What is heard of a session is kept apart from what its server says: a list does
    /// not show that an agent went on in another conversation.
    pub fn unite(&mut self, other: Self) {
        if self.is_all || other.is_all {
            *self = Self::ALL;
        } else {
            self.servers.extend(other.servers);
            self.sessions.extend(other.sessions);
        }
    }
}

/// As events and logs say it.
impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Resync => f.write_str("resync"),
            Self::Settled => f.write_str("settled"),
            Self::Manifest => f.write_str("manifest"),
            Self::Transcript => f.write_str("transcript"),
            Self::Registry => f.write_str("registry"),
            Self::Job => f.write_str("job"),
            Self::Broker => f.write_str("broker"),
            Self::Mux(server) => write!(f, "mux {server}"),
            Self::Server => f.write_str("server"),
            Self::Process(pid) => write!(f, "process {pid}"),
            Self::Agent(pid) => write!(f, "agent {pid}"),
            Self::Operation => f.write_str("operation"),
            Self::Overflow => f.write_str("overflow"),
        }
    }
}
