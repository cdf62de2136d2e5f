//! Live sessions that no entry declares, meant by their pane or by the conversation of their agent: which one it is. Acts on none.

use serde_json::json;

use super::UnlistedManifest;
use super::reading::{self, SeveralMeant};
use crate::control::observe::Observer;
use crate::control::pass::{self, PassError, PassOptions};
use crate::core::agents::Declared;
use crate::core::drift::LiveAgent;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, ServerKey, SessionKey};
use crate::core::lead::pane_of;
use crate::core::text::printable;
use crate::store::paths::StateHome;

/// A session that a REF means and no entry declares.
#[derive(Debug)]
pub struct UndeclaredSession {
    /// It.
    pub session: SessionKey,
    /// The manifest that declares it as long as this lives.
    pub manifest: UnlistedManifest,
    /// What in it is meant, and nothing else.
    pub aim: SessionAim,
}

/// What in a session is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionAim {
    /// The agent of this pane.
    Pane(String),
    /// The agent in this conversation.
    Conversation(ConversationId),
}

impl SessionAim {
    /// Why what lives in its session is not what is meant.
    pub(super) fn is_missed(&self, pane: &str, conversation: Option<&ConversationId>) -> Option<String> {
        match self {
            Self::Pane(meant) if meant != pane => Some(format!("its agent is in pane {pane} by now, not in {meant}")),
            Self::Conversation(meant) if conversation != Some(meant) => {
                Some(format!("its agent is not in conversation {} any more", meant.as_str()))
            }
            Self::Pane(_) | Self::Conversation(_) => None,
        }
    }
}

/// Why nothing can be done to what a REF means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndeclaredError {
    /// It could mean several.
    #[error("several sessions are meant: {}", .0.join(", "))]
    Several(Vec<String>),
    /// No agent runs there.
    #[error("no agent runs in {0}")]
    NoAgent(String),
    /// It cannot be told.
    #[error("{0}")]
    Unknown(String),
}

/// What runs somewhere: its session and its agent.
type Found = Option<(SessionKey, AgentKind)>;

/// The live session whose pane, or whose agent's conversation, a REF names; `None`: there is none.
///
/// # Errors
/// [`UndeclaredError`].
pub fn undeclared(world: &Observer, state: &StateHome, text: &str) -> Result<Option<UndeclaredSession>, UndeclaredError> {
    let (found, aim) = match pane_of(text) {
        Some((server, pane)) => (in_pane(world, &server, pane)?, SessionAim::Pane(pane.to_owned())),
        None => (in_conversation(world, state, text)?, SessionAim::Conversation(ConversationId(text.to_owned()))),
    };
    let Some((session, agent)) = found else { return Ok(None) };
    let entry = json!({
        "name": session.name, "agent": agent.as_str(), "mux": session.mux.as_str(), "server": session.server,
    });
    let manifest = UnlistedManifest::new(state, &entry).map_err(|error| UndeclaredError::Unknown(error.to_string()))?;
    Ok(Some(UndeclaredSession { session, manifest, aim }))
}

fn in_pane(world: &Observer, server: &ServerKey, pane: &str) -> Result<Found, UndeclaredError> {
    match reading::of_pane(world, &Declared::default(), server, pane) {
        Ok(Fact::Seen(subject)) => match (subject.session, subject.agent) {
            (Some(session), Some(agent)) => Ok(Some((session, agent))),
            _ => Err(UndeclaredError::NoAgent(format!("{server}:{pane}"))),
        },
        Ok(Fact::Absent) => Ok(None),
        Ok(Fact::Unknown(why)) => Err(UndeclaredError::Unknown(why)),
        Err(SeveralMeant(all)) => Err(UndeclaredError::Several(all)),
    }
}

/// Looks at every agent on the default servers.
fn in_conversation(world: &Observer, state: &StateHome, id: &str) -> Result<Found, UndeclaredError> {
    let manifest = UnlistedManifest::of_everybody(state).map_err(|error| UndeclaredError::Unknown(error.to_string()))?;
    let options = PassOptions::look(manifest.path().to_owned(), state.clone());
    let pass = pass::run(world, &options).map_err(|error| UndeclaredError::Unknown(PassError::line(&error)))?;
    let is_in = |live: &LiveAgent| matches!(live.agent.ladder.proof(), Fact::Seen((proven, _)) if proven.as_str() == id);
    let found: Vec<(SessionKey, AgentKind)> = pass
        .verdict()
        .found
        .iter()
        .filter_map(|found| {
            let live = found.agents.iter().find(|live| is_in(live))?;
            Some((found.key.clone(), live.agent.kind))
        })
        .collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => {
            Err(UndeclaredError::Several(several.iter().map(|(key, _)| printable(&key.to_string()).into_owned()).collect()))
        }
    }
}
