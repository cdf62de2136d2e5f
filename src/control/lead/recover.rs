//! Operations that were begun and never ended, because whoever carried them out is gone. Each is resolved by what it left and by
//! what lives; one that cannot be resolved yet keeps its session from being acted on.

use super::effects;
use crate::control::observe::Observer;
use crate::core::ids::SessionKey;
use crate::core::lead::{ActionKind, BlockCode, Blocked, Operation, OperationId, OperationReport, Outcome, Permit};
use crate::store::operations::{Operations, PastOperation};

/// Resolves the open operations of a session. `passes_waiting`: one that only waits, a stop for the end of a turn or a text for the proof
/// that it was said, has let go of the lock and stands in nobody's way.
///
/// # Errors
/// One of them is still going on.
pub(super) fn resolve(
    world: &Observer,
    operations: &Operations,
    key: &SessionKey,
    passes_waiting: bool,
) -> Result<(), Blocked> {
    for past in operations.open().into_iter().filter(|past| past.operation.session == *key) {
        match state_of(world, &past) {
            OpenState::GoesOn(_) if passes_waiting && matches!(past.operation.action, ActionKind::Stop | ActionKind::Send) => {}
            OpenState::Over(why) => {
                // Whatever its launcher finds, it begins nothing from here on.
                let _ = past.files.close();
                let is_called_off = past.files.launched().is_some_and(|record| record.pid.is_none());
                if let Some(permit) = Permit::of_called_off(&past.operation, is_called_off) {
                    effects::abandon(world, &permit).map_err(|why| Blocked::new(BlockCode::Unknown, why))?;
                }
                let receipt = receipt(&past.operation, Outcome::Unverified, why);
                past.files.end(&receipt).map_err(|error| Blocked::new(BlockCode::Busy, error.to_string()))?;
            }
            OpenState::GoesOn(why) => return Err(Blocked::new(BlockCode::Busy, why)),
        }
    }
    Ok(())
}

/// Closes an open operation of a session, unless somebody carries it out; `false`: there is none of that name.
///
/// # Errors
/// Somebody is at it.
pub(super) fn release(world: &Observer, operations: &Operations, key: &SessionKey, id: &OperationId) -> Result<bool, Blocked> {
    let is_it = |past: &PastOperation| past.operation.session == *key && past.operation.id == *id;
    let Some(past) = operations.open().into_iter().find(is_it) else { return Ok(false) };
    let is_of_this_boot = past.operation.boot == world.host.boot().into_seen().map(|boot| boot.id);
    if is_of_this_boot && is_alive(world, past.operation.engine) {
        return Err(Blocked::new(
            BlockCode::Busy,
            format!("process {} carries operation {id} out; end that first", past.operation.engine.0),
        ));
    }
    let failed = |error: &dyn std::error::Error| Blocked::new(BlockCode::Busy, error.to_string());
    past.files.close().map_err(|error| failed(&error))?;
    let receipt = receipt(&past.operation, Outcome::Unverified, "somebody closed it by `headcount release`".to_owned());
    past.files.end(&receipt).map_err(|error| failed(&error))?;
    Ok(true)
}

/// Who is just acting on a session, if that is another process than this; one line.
pub(super) fn at_it(world: &Observer, open: &[PastOperation], key: &SessionKey) -> Option<String> {
    let is_other = |past: &&PastOperation| past.operation.session == *key && past.operation.engine.0 != std::process::id();
    open.iter().filter(is_other).find(|past| is_alive(world, past.operation.engine)).map(goes_on)
}

fn goes_on(past: &PastOperation) -> String {
    format!("operation {} of process {} is open", past.operation.id, past.operation.engine.0)
}

/// Whether a process is still there.
pub(super) fn is_alive(world: &Observer, process: (u32, Option<u64>)) -> bool {
    !world.host.has_ended(process)
}

enum OpenState {
    /// Nobody carries it out, and what it began is as it is.
    Over(String),
    /// Somebody is at it, or what it began is not to be seen yet.
    GoesOn(String),
}

fn state_of(world: &Observer, past: &PastOperation) -> OpenState {
    let host = world.host.as_ref();
    let operation = &past.operation;
    let boot = host.boot().into_seen().map(|boot| boot.id);
    if operation.boot.is_some() && boot.is_some() && operation.boot != boot {
        return OpenState::Over("the host was booted while it was open".to_owned());
    }
    if is_alive(world, operation.engine) {
        return OpenState::GoesOn(goes_on(past));
    }
    // Nothing comes of these any more; how far they came is in the world and in the manifest.
    if !matches!(operation.action, ActionKind::Start | ActionKind::Resume) {
        return OpenState::Over("headcount ended while it was open".to_owned());
    }
    if past.files.ended().is_some() {
        return OpenState::Over("headcount ended while it was open, and the agent has ended".to_owned());
    }
    match past.files.launched() {
        // Nobody can begin it from here on.
        None => match past.files.close() {
            Ok(true) => OpenState::Over("headcount ended before anything was started".to_owned()),
            Ok(false) => OpenState::GoesOn(format!("operation {} is just being begun", operation.id)),
            Err(error) => OpenState::GoesOn(error.to_string()),
        },
        Some(record) => match record.pid {
            // What is below the launcher is for the look to find; whether it is, decides what is judged next.
            Some(pid) if is_alive(world, (pid, record.start_ticks)) && !is_seen(world, pid) => {
                OpenState::GoesOn(format!("its launcher, process {pid}, has begun, and no agent is to be seen below it yet"))
            }
            _ => OpenState::Over("headcount ended while it was open".to_owned()),
        },
    }
}

/// Whether something runs below a launcher.
fn is_seen(world: &Observer, launcher: u32) -> bool {
    !world.host.children(launcher).is_empty()
}

/// The receipt of an operation that nobody saw the end of.
fn receipt(operation: &Operation, outcome: Outcome, why: String) -> OperationReport {
    OperationReport {
        id: Some(operation.id.clone()),
        session: operation.session.clone(),
        agent: operation.agent,
        action: operation.action,
        outcome,
        conversation: operation.conversation.clone(),
        verified_by: Vec::new(),
        why: Some(why),
        code: None,
        failure: None,
        screen_tail: None,
        took_ms: 0,
    }
}
