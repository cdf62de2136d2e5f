//! What every act on a session begins with: its lock, and an operation of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{LeadRequest, effects, holds};
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::{ActionKind, BlockCode, Blocked, LeadCause, Operation, OperationId};
use crate::core::observe::MuxSession;
use crate::store::operations::{LedgerFile, LockError, SessionLock};
use crate::store::paths::StateHome;

/// The time between two tries to lock a session that somebody else has.
const RETRY: Duration = Duration::from_millis(20);

/// Locks a session.
///
/// # Errors
/// Somebody else has it, or its file cannot be locked.
pub(super) fn lock(world: &Observer, request: &LeadRequest, key: &SessionKey) -> Result<SessionLock, Blocked> {
    lock_in(world, &request.pass.state_home, key)
}

/// The same for whoever has a state directory and no request.
///
/// # Errors
/// As for [`lock`].
pub(super) fn lock_in(world: &Observer, state: &StateHome, key: &SessionKey) -> Result<SessionLock, Blocked> {
    let unknown = |why: String| Blocked::new(BlockCode::Unknown, why);
    let socket = effects::prepare(world, key).map_err(unknown)?;
    SessionLock::take(state, &socket, &key.mux.spelling(&key.name)).map_err(|error| match error {
        LockError::Taken => Blocked::new(BlockCode::Busy, "another headcount is acting on it"),
        error => unknown(PassError::line(&error)),
    })
}

/// The same for whoever waits for somebody else to have done, at most so long.
///
/// # Errors
/// As for [`lock`].
pub(super) fn lock_within(
    world: &Observer,
    state: &StateHome,
    key: &SessionKey,
    most: Duration,
) -> Result<SessionLock, Blocked> {
    let until = Instant::now() + most;
    loop {
        match lock_in(world, state, key) {
            Err(blocked) if blocked.code == BlockCode::Busy && Instant::now() < until => std::thread::sleep(RETRY),
            other => return other,
        }
    }
}

/// Whether a session in which no agent is known may be acted on: it is not the one that this command runs in, and nobody has it in hand.
///
/// # Errors
/// Why not.
pub(super) fn is_free(world: &Observer, request: &LeadRequest, key: &SessionKey, session: &MuxSession) -> Result<(), Blocked> {
    let host = world.host.as_ref();
    let parent = |pid: &u32| host.stat(*pid).into_seen().map(|process| process.parent).filter(|parent| *parent > 1);
    let above: Vec<u32> = std::iter::successors(Some(std::process::id()), parent).take(64).collect();
    if !request.own && session.panes.iter().filter_map(|pane| pane.pid).any(|pid| above.contains(&pid)) {
        return Err(Blocked::new(BlockCode::Attached, "this command runs in that session"));
    }
    let ledger = LedgerFile::new(&request.pass.state_home).read();
    let ledger = ledger.map_err(|error| Blocked::new(BlockCode::Unknown, PassError::line(&error)))?;
    match holds::of(world, ledger.of(key), key, None).filter(|held| request.is_kept_by(&held.holder)) {
        Some(held) => Err(held.blocked(key)),
        None => Ok(()),
    }
}

/// How many operations this process has begun: two of one moment have names of their own, whoever begins them.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// What an operation does to which session.
pub(super) struct Deed<'a> {
    pub(super) action: ActionKind,
    pub(super) session: &'a SessionKey,
    pub(super) agent: AgentKind,
    pub(super) conversation: Option<&'a ConversationId>,
}

/// An operation that begins now.
pub(super) fn operation(world: &Observer, request: &LeadRequest, deed: &Deed<'_>) -> Operation {
    operation_by(world, (&request.by, request.cause), deed)
}

/// The same, of this asker and for this cause.
pub(super) fn operation_by(world: &Observer, (by, cause): (&str, Option<LeadCause>), deed: &Deed<'_>) -> Operation {
    let host = world.host.as_ref();
    let engine = host.own_process();
    let (begun, boot) = (host.now(), host.boot().into_seen());
    Operation {
        id: OperationId::new(begun, engine.0, COUNT.fetch_add(1, Ordering::Relaxed)),
        action: deed.action,
        session: deed.session.clone(),
        agent: deed.agent,
        conversation: deed.conversation.cloned(),
        begun,
        since_boot: boot.as_ref().map(|boot| (begun - boot.at).num_milliseconds()),
        boot: boot.map(|boot| boot.id),
        cause,
        by: by.to_owned(),
        engine,
        renaming: None,
    }
}
