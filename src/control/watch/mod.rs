//! The loop of `watch`: sources → queue → pass → operations. The only place with timers, tasks and channels.

mod broker;
mod cycle;
mod doubts;
mod due;
pub(in crate::control) mod ends;
mod leading;
mod notify;
mod on_drift;
mod pause;
pub mod queue;
mod retry;
mod run;
pub mod sources;
mod waits;
pub mod wake;
mod watched;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use broker::Mqtt;
pub use ends::WatchEnd;
pub use notify::Supervisor;
pub use run::run;

use super::lead::LeadRequest;
use super::observe::Observer;
use super::pass;
use crate::core::events::EventLimit;

/// The consumer whose "already reported" set a watch keeps.
pub const CONSUMER: &str = "watch";

/// What a watch is run with.
#[derive(Debug)]
pub struct WatchOptions {
    /// What each pass is run with.
    pub pass: pass::PassOptions,
    /// The longest time between two passes.
    pub interval: Duration,
    /// How often it says that it is alive.
    pub heartbeat: Duration,
    /// When it ends by itself.
    pub max_runtime: Option<Duration>,
    /// It ends once this file exists.
    pub until_file: Option<PathBuf>,
    /// What is run with events that were told.
    pub on: Vec<OnEvent>,
    /// Whether conditions of sessions are told. The observer must ask agents what they are doing then.
    pub conditions: bool,
    /// How it acts on the sessions, or carries texts to them; `None`: neither.
    pub lead: Option<LeadOptions>,
    /// Whether tmux servers may be attached to by a read-only control client.
    pub control_client: bool,
    /// How many events one session may cause.
    pub limit: EventLimit,
    /// Where the events go, to end when nobody reads them any more.
    pub output: Option<OwnedFd>,
    /// The broker that is listened and spoken to.
    pub mqtt: Option<Mqtt>,
    /// Who is told that the watch is alive.
    pub supervisor: Supervisor,
}

impl WatchOptions {
    /// The absolute path of its manifest.
    fn manifest_path(&self) -> String {
        let path = &self.pass.manifest;
        std::path::absolute(path).unwrap_or_else(|_| path.clone()).to_string_lossy().into_owned()
    }
}

/// How an enforcing watch acts, and one that carries texts.
#[derive(Debug, Clone)]
pub struct LeadOptions {
    /// Whether it does what entries want; else it only carries texts.
    pub enforces: bool,
    /// Whether it is about all sessions of the manifest.
    pub is_whole: bool,
    /// The world as operations look at it, which believe nothing of before.
    pub world: Arc<Observer>,
    /// What is asked for.
    pub request: LeadRequest,
}

/// A command for events of one kind.
#[derive(Debug, Clone)]
pub struct OnEvent {
    /// The kind: one of [`crate::core::events::Event::HAPPENINGS`], or a condition.
    pub event: &'static str,
    /// What `sh -c` runs; its stdin is one line, a JSON array of events.
    pub command: OsString,
    /// How long it may take before its process group is killed.
    pub deadline: Duration,
    /// How long one that runs when the watch ends may go on.
    pub grace: Duration,
}

impl OnEvent {
    /// The usual deadlines.
    pub fn new(event: &'static str, command: impl Into<OsString>) -> Self {
        Self { event, command: command.into(), deadline: Duration::from_secs(30), grace: Duration::from_secs(5) }
    }
}

/// The watch could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The timers and tasks.
    #[error("cannot start the loop")]
    Runtime(#[source] std::io::Error),
    /// A signal handler.
    #[error("cannot listen for {signal}")]
    Signal {
        /// The signal.
        signal: &'static str,
        /// Why.
        source: std::io::Error,
    },
}
