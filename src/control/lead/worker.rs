//! How a worker of a crew stands: its agent, or what shows that it is gone. Looks only; `core::crew` decides what follows.

use super::{LeadError, LeadRequest, conditions_of};
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, PassOptions};
use crate::core::ids::SessionKey;
use crate::core::lead::conditions::Condition;
use crate::core::manifest::select::Selection;
use crate::core::observe::Process;

/// How a worker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerStanding {
    /// Its agent runs, as this process.
    Alive(Process),
    /// It is seen not to run, and what shows it.
    Over(String),
    /// It cannot be told, or is just being started.
    Unknown(String),
}

/// How the worker in a session stands. The world must ask agents what they are doing.
///
/// # Errors
/// The manifest or the world cannot be looked at.
pub fn worker_standing(world: &Observer, request: &LeadRequest, key: &SessionKey) -> Result<WorkerStanding, LeadError> {
    let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..request.pass.clone() };
    let pass = pass::run(world, &options)?;
    let entry = pass.manifest().find(key);
    let Some(verdict) = entry.and_then(|session| pass.verdict().entries.get(session.index)) else {
        return Ok(WorkerStanding::Unknown("its entry is gone".to_owned()));
    };
    if let Some(live) = verdict.presence.live() {
        return Ok(WorkerStanding::Alive(live.agent.process));
    }
    let seen = conditions_of(world, &request.pass.state_home, &pass, &|other| other == key);
    let Some(seen) = seen.get(key).filter(|seen| !seen.is_being_started) else {
        return Ok(WorkerStanding::Unknown("it is just being started".to_owned()));
    };
    let over = seen.conditions.iter().find(|it| it.condition.is_over());
    Ok(match (over, seen.conditions.first()) {
        (Some(over), _) => WorkerStanding::Over(format!("{}: {}", over.condition, over.evidence)),
        (None, Some(first)) if first.condition == Condition::Unknown => WorkerStanding::Unknown(first.evidence.clone()),
        (None, _) => WorkerStanding::Unknown("it is not known how it stands".to_owned()),
    })
}
