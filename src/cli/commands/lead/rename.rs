//! `rename` and `move`: another name or another server for a session. Whether it may have that is decided elsewhere.

use super::hand::{holds, pass};
use super::verbs::{ending, sure};
use super::{begin, begin_one, lead, only, plan_to_act, tell_of};
use crate::cli::Context;
use crate::cli::args::{MoveArgs, RenameArgs, WhichArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass;
use crate::core::ids::ServerKey;
use crate::core::lead::{Outcome, Wish};
use crate::core::text::printable;

/// Gives a session another name.
pub(crate) fn run(args: &RenameArgs, context: &Context) -> Result<Exit, CliError> {
    let (mut lead, key) = begin_one(&args.reference, &args.judge, Some(&args.lock), context)?;
    lead.request.take = args.take;
    let planned = plan_to_act(&lead, context)?;
    pass(&mut lead, &holds(&planned, &key), "Rename it all the same?", args.yes, context)?;
    let Some(session) = planned.pass.manifest().find(&key) else {
        return Err(CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&key.name))));
    };
    let jobs = lead::open_jobs(&planned, &key);
    tell_of(&planned, args.format.document(), context, |tell| {
        let report = lead::rename(&lead.world, &lead.request, &planned, (session, &args.name), tell);
        for id in jobs.iter().filter(|_| report.outcome == Outcome::Done) {
            context.out.note(&format!("job {id} may still name the session {}", printable(&key.name)));
        }
        vec![report]
    })
}

/// Moves a session to another server.
pub(crate) fn run_move(args: &MoveArgs, context: &Context) -> Result<Exit, CliError> {
    let which = WhichArgs { refs: vec![args.reference.clone()], ..WhichArgs::default() };
    let mut lead = begin(&which, &args.judge, Some(&args.lock), Wish::Restart, context)?;
    let key = only(&lead, &args.reference)?;
    ending(&mut lead, args.end, args.yes);
    let planned = sure(&mut lead, &which, args.yes, context)?;
    let Some(session) = planned.pass.manifest().find(&key) else {
        return Err(CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&key.name))));
    };
    let mux = args.mux.unwrap_or(key.mux);
    let server = match &args.server {
        Some(server) => run_pass::surroundings().server(server),
        None if mux == key.mux => key.server.clone(),
        None => ServerKey::DEFAULT.to_owned(),
    };
    tell_of(&planned, args.format.document(), context, |tell| {
        vec![lead::relocate(&lead.world, &lead.request, &planned, (session, (mux, &server)), tell)]
    })
}
