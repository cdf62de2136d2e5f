//! What every act on a session begins with: its lock, and an operation of its own.

use super::{LeadRequest, effects};
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::{ActionKind, BlockCode, Blocked, Operation, OperationId};
use crate::store::operations::{LockError, SessionLock};

/// Locks a session.
///
/// # Errors
/// Somebody else has it, or its file cannot be locked.
pub(super) fn lock(world: &Observer, request: &LeadRequest, key: &SessionKey) -> Result<SessionLock, Blocked> {
    let unknown = |why: String| Blocked::new(BlockCode::Unknown, why);
    let socket = effects::prepare(world, key).map_err(unknown)?;
    SessionLock::take(&request.pass.state_home, &socket, &key.mux.spelling(&key.name)).map_err(|error| match error {
        LockError::Taken => Blocked::new(BlockCode::Busy, "another headcount is acting on it"),
        error => unknown(PassError::line(&error)),
    })
}

/// What an operation does to which session, and how many this process has begun before it.
pub(super) struct Deed<'a> {
    pub(super) action: ActionKind,
    pub(super) session: &'a SessionKey,
    pub(super) agent: AgentKind,
    pub(super) conversation: Option<&'a ConversationId>,
    pub(super) count: u32,
}

/// An operation that begins now.
pub(super) fn operation(world: &Observer, request: &LeadRequest, deed: &Deed<'_>) -> Operation {
    let host = world.host.as_ref();
    let pid = std::process::id();
    let (begun, boot) = (host.now(), host.boot().into_seen());
    Operation {
        id: OperationId::new(begun, pid, deed.count),
        action: deed.action,
        session: deed.session.clone(),
        agent: deed.agent,
        conversation: deed.conversation.cloned(),
        begun,
        since_boot: boot.as_ref().map(|boot| (begun - boot.at).num_milliseconds()),
        boot: boot.map(|boot| boot.id),
        cause: request.cause,
        by: request.by.clone(),
        engine: (pid, host.stat(pid).into_seen().and_then(|process| process.start_ticks)),
        renaming: None,
    }
}
