//! Sources at work, and what they said.

use std::collections::BTreeSet;
use std::time::Duration;

use headcount::control::watch::sources::{SourceOptions, Sources, Watched};
use headcount::control::watch::wake::{Reason, Scope, Wake};
use headcount::core::ids::{MuxKind, SessionKey};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{HOST, World};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing is said once everything is.
const SILENCE: Duration = Duration::from_millis(300);

/// Sources that are listened to.
pub struct Ear {
    pub sources: Sources,
    pub wakes: mpsc::Receiver<Wake>,
    pub watched: Watched,
}

/// Options under which the timer says nothing during a test.
pub fn options(world: &World) -> SourceOptions {
    SourceOptions { interval: Duration::from_secs(3600), env: world.environ(&[]), ..SourceOptions::default() }
}

pub fn session(name: &str) -> SessionKey {
    SessionKey { name: name.into(), mux: MuxKind::Tmux, server: "default".into(), host: HOST.into() }
}

pub fn sessions(names: &[&str]) -> BTreeSet<SessionKey> {
    names.iter().map(|name| session(name)).collect()
}

impl Ear {
    /// Starts the sources and waits until they have said what there is to say at first.
    pub async fn start(options: SourceOptions, watched: Watched) -> Self {
        let (sender, wakes) = mpsc::channel(16);
        let sources = Sources::start(options, sender);
        let mut ear = Self { sources, wakes, watched };
        ear.rewatch().await;
        ear
    }

    /// Tells the sources what matters, as the loop does after a pass, and waits until they have said what follows at once.
    pub async fn rewatch(&mut self) {
        self.sources.watch(&self.watched).await;
        self.settle().await;
    }

    /// Takes wakes until there are none, and gives them.
    pub async fn settle(&mut self) -> Vec<Wake> {
        let mut heard = Vec::new();
        while let Ok(Some(wake)) = timeout(SILENCE, self.wakes.recv()).await {
            heard.push(wake);
        }
        heard
    }

    /// Waits for a wake that is as it should be; gives all until then, that one last.
    pub async fn until(&mut self, what: &str, mut is_it: impl FnMut(&Wake) -> bool) -> Vec<Wake> {
        let mut heard = Vec::new();
        loop {
            let wake = timeout(PATIENCE, self.wakes.recv()).await;
            let wake = wake.unwrap_or_else(|_| panic!("{what}: no such wake, only {heard:?}")).expect("the sources live");
            heard.push(wake.clone());
            if is_it(&wake) {
                return heard;
            }
        }
    }

    /// Waits for a wake for this reason and gives its scope.
    pub async fn hear(&mut self, what: &str, reason: Reason) -> Scope {
        self.until(what, |wake| wake.reason == reason).await.pop().unwrap().scope
    }
}
