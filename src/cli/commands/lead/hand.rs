//! `handoff` and `release`: who has a session in hand. When a hold ends is decided elsewhere.

use chrono::TimeDelta;

use super::{Lead, begin_one, confirm, lead, plan, tell_of};
use crate::cli::Context;
use crate::cli::args::{HandoffArgs, ReleaseArgs};
use crate::cli::asker::{is_agents, is_person};
use crate::cli::error::{CliError, Exit};
use crate::control::lead::Planned;
use crate::core::ids::SessionKey;
use crate::core::lead::{BlockCode, HoldReport, OperationId, Standing};
use crate::core::manifest::Session;
use crate::core::text::{printable, stamp};

/// Takes a session in hand.
pub(crate) fn run_handoff(args: &HandoffArgs, context: &Context) -> Result<Exit, CliError> {
    let (mut lead, key) = begin_one(&args.reference, &args.judge, None, context)?;
    if let Some(name) = &args.name {
        lead.request.holder.clone_from(name);
    }
    let planned = plan(&lead, context)?;
    let session = entry(&planned, &key)?;
    pass(&mut lead, &holds(&planned, &key), "Take it over?", args.yes, context)?;
    let length = args.length.map(|length| TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX));
    tell_of(&planned, args.format.document(), context, |tell| {
        vec![lead::handoff(&lead.world, &lead.request, &planned, (session, length), tell)]
    })
}

/// Gives a session back, or closes an operation that nobody carries out any more.
pub(crate) fn run_release(args: &ReleaseArgs, context: &Context) -> Result<Exit, CliError> {
    let (mut lead, key) = begin_one(&args.reference, &args.judge, None, context)?;
    if let Some(name) = &args.name {
        lead.request.holder.clone_from(name);
    }
    let planned = plan(&lead, context)?;
    let session = entry(&planned, &key)?;
    if let Some(id) = &args.operation {
        let Some(id) = OperationId::parse(id) else {
            let error = CliError::new(Exit::Usage, format!("{} is no name of an operation", printable(id)));
            return Err(error.hint("`headcount describe SESSION` lists its operations"));
        };
        if is_agents() {
            return Err(CliError::new(Exit::Refused, "an operation is closed by a person only; nothing was done"));
        }
        confirm(&format!("Close operation {id}, whatever became of it?"), args.yes, context)?;
        return tell_of(&planned, args.format.document(), context, |tell| {
            vec![lead::release_operation(&lead.world, &lead.request, &planned, (session, &id), tell)]
        });
    }
    pass(&mut lead, &holds(&planned, &key), "Release it all the same?", args.yes, context)?;
    tell_of(&planned, args.format.document(), context, |tell| {
        vec![lead::release(&lead.world, &lead.request, &planned, session, tell)]
    })
}

fn entry<'a>(planned: &'a Planned, key: &SessionKey) -> Result<&'a Session, CliError> {
    let gone = || CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&key.name)));
    planned.pass.manifest().find(key).ok_or_else(gone)
}

/// The hold of a session.
pub(super) fn holds(planned: &Planned, key: &SessionKey) -> Vec<(SessionKey, HoldReport)> {
    planned.holds.get(key).map(|held| (key.clone(), held.clone())).into_iter().collect()
}

/// The holds that keep from doing what was asked.
pub(super) fn blocking(planned: &Planned) -> Vec<(SessionKey, HoldReport)> {
    let is_held = |standing: &Standing| matches!(standing, Standing::Blocked(blocked) if blocked.code == BlockCode::Held);
    let sessions = &planned.pass.manifest().sessions;
    let blocked = planned.judged.iter().filter(|one| is_held(&one.standing)).filter_map(|one| sessions.get(one.index));
    blocked.flat_map(|session| holds(planned, &session.key)).collect()
}

/// Lets a person at a terminal act on what somebody else has in hand; `true`: it may be judged once more.
pub(super) fn pass(
    lead: &mut Lead,
    holds: &[(SessionKey, HoldReport)],
    question: &str,
    yes: bool,
    context: &Context,
) -> Result<bool, CliError> {
    let holder = &lead.request.holder;
    let Some((key, held)) = holds.iter().find(|(_, held)| held.holder != *holder).filter(|_| is_person()) else {
        return Ok(false);
    };
    let said = format!("{} has {} in hand until {}.", printable(&held.holder), printable(&key.name), stamp(held.until));
    if yes {
        context.out.note(&said);
    }
    confirm(&format!("{said} {question}"), yes, context)?;
    lead.request.passes_hold = true;
    Ok(true)
}
