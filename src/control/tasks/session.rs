//! A zellij session as those see it who work together across sessions: whether it lives, its tabs, who is attached, and which agents
//! are in it. Looks only.

use std::path::Path;

use crate::control::lead::reading::is_kept;
use crate::control::observe::{Observer, lookup};
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use crate::core::observe::MuxSession;
use crate::mux::zellij;
pub use crate::mux::zellij::{ZellijClient, ZellijTab};

/// What a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZellijState {
    /// It lives, and this program runs in it.
    Current,
    /// It lives.
    Active,
    /// It has ended, and zellij keeps what it would begin again.
    Exited,
    /// There is none of that name.
    Missing,
    /// It cannot be told.
    Unknown,
}

impl ZellijState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Active => "active",
            Self::Exited => "exited",
            Self::Missing | Self::Unknown => "unknown",
        }
    }

    /// Whether it lives.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Current | Self::Active)
    }
}

/// An agent in a pane of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatedAgent {
    /// Which.
    pub agent: AgentKind,
    /// The pane.
    pub pane: String,
}

/// What was seen of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLook {
    /// The session.
    pub key: SessionKey,
    /// What it is.
    pub state: ZellijState,
    /// Its tabs, in order.
    pub tabs: Vec<ZellijTab>,
    /// Who is attached to it.
    pub clients: Vec<ZellijClient>,
    /// The agents in it; `None`: that cannot be told.
    pub agents: Option<Vec<SeatedAgent>>,
    /// What could not be told, and why, one line each.
    pub warnings: Vec<String>,
}

/// Looks at a session of the default server, or of the one of the login session where nothing says which that is.
pub fn look(world: &Observer, name: &str) -> SessionLook {
    let usual = look_in(world, ServerKey::DEFAULT, name);
    if usual.state.is_alive() || world.env.get("XDG_RUNTIME_DIR").is_some() || world.env.get("ZELLIJ_SOCKET_DIR").is_some() {
        return usual;
    }
    let login = format!("/run/user/{}/zellij", rustix::process::getuid().as_raw());
    if !Path::new(&login).is_dir() {
        return usual;
    }
    let mut other = look_in(world, &login, name);
    if !other.state.is_alive() {
        return usual;
    }
    other.warnings.push(format!("XDG_RUNTIME_DIR is not set here; the session lives in {login}"));
    other
}

fn look_in(world: &Observer, server: &str, name: &str) -> SessionLook {
    let host = world.host.name().to_owned();
    let key = SessionKey { mux: MuxKind::Zellij, server: server.to_owned(), name: name.to_owned(), host };
    let mut seen = SessionLook {
        key,
        state: ZellijState::Unknown,
        tabs: Vec::new(),
        clients: Vec::new(),
        agents: None,
        warnings: Vec::new(),
    };
    match lookup::occupied(world, &Declared::default(), &seen.key) {
        Fact::Seen(session) => {
            let is_ours = world.env.get("ZELLIJ_SESSION_NAME").is_some_and(|own| own == name);
            seen.state = if is_ours { ZellijState::Current } else { ZellijState::Active };
            seen.inspect(world, &session);
        }
        Fact::Absent if is_kept(world, &seen.key) => {
            seen.state = ZellijState::Exited;
            seen.agents = Some(Vec::new());
        }
        Fact::Absent => {
            seen.state = ZellijState::Missing;
            seen.agents = Some(Vec::new());
            seen.warnings.push("there is no zellij session of this name".to_owned());
        }
        Fact::Unknown(why) => seen.warnings.push(why),
    }
    seen
}

impl SessionLook {
    fn inspect(&mut self, world: &Observer, session: &MuxSession) {
        let (host, server) = (world.host.as_ref(), self.key.server.clone());
        let told = |warnings: &mut Vec<String>, why: String| {
            if !warnings.contains(&why) {
                warnings.push(why);
            }
        };
        match zellij::tabs(host, &world.env, &server, session) {
            Ok(tabs) => self.tabs = tabs,
            Err(why) => told(&mut self.warnings, why),
        }
        match zellij::clients(host, &world.env, &server, session) {
            Ok(clients) => self.clients = clients,
            Err(why) => told(&mut self.warnings, why),
        }
        let mut agents = Vec::new();
        for pane in session.panes.iter().filter(|pane| pane.dead.is_none()) {
            match &pane.agents {
                Fact::Seen(all) => agents.extend(all.iter().map(|it| SeatedAgent { agent: it.kind, pane: pane.id.clone() })),
                Fact::Absent => {}
                Fact::Unknown(why) => {
                    told(&mut self.warnings, format!("what runs in {} cannot be told: {why}", pane.id));
                    return;
                }
            }
        }
        self.agents = Some(agents);
    }
}
