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
    /// A source lost track of what it missed.
    Overflow,
}

/// What a wake concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These sessions.
    Sessions(BTreeSet<SessionKey>),
    /// What a server lists: who came, went or is another process now. What is proven of the others is believed.
    Server(ServerKey),
    /// What a server lists, and these sessions of it whoever is in them.
    Both(ServerKey, BTreeSet<SessionKey>),
    /// Everything.
    All,
}

impl Scope {
    /// The server that is to list anew, if it is not every one.
    pub fn server(&self) -> Option<&ServerKey> {
        match self {
            Self::Server(server) | Self::Both(server, _) => Some(server),
            Self::Sessions(_) | Self::All => None,
        }
    }

    /// The sessions that are to be looked at afresh, if it is not every one.
    pub fn sessions(&self) -> Option<&BTreeSet<SessionKey>> {
        match self {
            Self::Sessions(sessions) | Self::Both(_, sessions) => Some(sessions),
            Self::Server(_) | Self::All => None,
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
            Self::Overflow => f.write_str("overflow"),
        }
    }
}
