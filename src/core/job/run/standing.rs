//! Whether the pane of a job may be made. Pure.

use std::sync::Arc;

use super::super::JobStatus;
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::lead::{Action, ActionKind, BlockCode, Blocked, Placed, Standing, Target};
use crate::core::observe::{MuxSession, Server};
use crate::core::text::printable;

/// What is so of a job that may be begun, or gone on with.
#[derive(Debug, Clone, Copy)]
pub struct JobScene<'a> {
    /// The session it is done in.
    pub session: &'a SessionKey,
    /// The server that is to hold it.
    pub server: &'a Fact<Server>,
    /// Where its last launcher was put, if that server still is there.
    pub placed: Option<&'a Placed>,
    /// How far it is, by its registry; `None`: it has no record there.
    pub status: Option<JobStatus>,
    /// Whether it is over.
    pub is_over: bool,
    /// Whether somebody stopped it.
    pub is_stopped: bool,
    /// Whether its launcher is there.
    pub is_running: bool,
}

/// What is to be done about it.
pub fn job_standing(scene: &JobScene<'_>) -> Standing {
    let JobScene { session, server, placed, status, is_over, is_stopped, is_running } = *scene;
    if is_running {
        return Standing::Met("it runs already");
    }
    if is_over {
        return Standing::Met("it is over");
    }
    if is_stopped {
        return Standing::Met("it was stopped");
    }
    if status == Some(JobStatus::Cancelled) {
        return Standing::Met("it was cancelled");
    }
    let name = printable(&session.name);
    let is_called = |there: &Arc<MuxSession>| session.names().any(|name| name == there.name);
    let planned = |target| Standing::Planned(Action { kind: ActionKind::Start, target, conversation: None, rung: None });
    match server {
        Fact::Unknown(why) => Standing::Blocked(Blocked::new(BlockCode::Unknown, why.clone())),
        Fact::Seen(server) if let Some(there) = server.sessions.iter().find(|there| is_called(there)) => {
            let process = there.served_by(Some(server));
            let is_its = |placed: &Placed| process == Some(placed.server) && placed.session == there.id;
            match placed {
                _ if there.may_be_starting() => Standing::Blocked(Blocked::new(BlockCode::Unknown, MuxSession::STARTING)),
                Some(placed) if placed.is_new_session && is_its(placed) => {
                    planned(Target::NewWindow { session: there.id.clone(), server: there.process })
                }
                _ => {
                    let message = format!("there is a {} session called {name} already; nothing was done", session.mux);
                    Standing::Blocked(Blocked::new(BlockCode::ForeignName, message))
                }
            }
        }
        Fact::Seen(server) if server.unlisted.is_some() => {
            let message = format!("not every {} session can be seen, so {name} may be there", session.mux);
            Standing::Blocked(Blocked::new(BlockCode::Unknown, message))
        }
        Fact::Seen(_) | Fact::Absent => planned(Target::NewSession),
    }
}
