//! `plan`, `apply`, `start`, `stop`, `restart`.

use super::hand::{blocking, pass};
use super::{
    Lead, Tell, begin, carry_out, confirm, exit, is_pattern, lead, permission, plan, plan_patiently, plan_to_act,
    print_document, render, tell_of, told,
};
use crate::cli::Context;
use crate::cli::args::{ApplyArgs, EndArgs, PlanArgs, RestartArgs, StartArgs, StopArgs, WhichArgs};
use crate::cli::asker::{is_automatic, is_person};
use crate::cli::commands::crew::place::make_all;
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass;
use crate::control::lead::{DeclareError, Planned};
use crate::core::ids::SessionKey;
use crate::core::lead::{Standing, Wish};
use crate::core::manifest::lead::Desired;
use crate::core::text::printable;

/// Shows what would be done.
pub(crate) fn run_plan(args: &PlanArgs, context: &Context) -> Result<Exit, CliError> {
    let lead = begin(&args.which, &args.judge, None, Wish::Manifest, context)?;
    let planned = plan(&lead, context)?;
    match args.format.document() {
        Some(format) => print_document(&planned.plan, format, context)?,
        None => context.out.answer(&render::plan(&planned.plan, &context.out.look))?,
    }
    Ok(plan_exit(&planned))
}

fn plan_exit(planned: &Planned) -> Exit {
    match &planned.plan {
        plan if plan.has_actions() => Exit::Drift,
        plan if plan.needs_person() => Exit::Refused,
        plan if plan.is_unsure() => Exit::Unknown,
        _ => Exit::Done,
    }
}

/// Makes reality follow the manifest.
pub(crate) fn run_apply(args: &ApplyArgs, context: &Context) -> Result<Exit, CliError> {
    let mut lead = begin(&args.which, &args.judge, Some(&args.lock), Wish::Manifest, context)?;
    (lead.request.take, lead.request.reuse) = (args.place.take, args.place.reuse);
    // What an entry wants ends nothing under the eyes of somebody, whoever says yes to the whole.
    lead.request.is_automatic = !is_person();
    let planned = match (args.dry_run, args.which.refs.is_empty()) {
        (true, _) => plan(&lead, context)?,
        // One that may only just be starting keeps no other waiting.
        (false, true) => plan_patiently(&lead, context)?,
        (false, false) => plan_to_act(&lead, context)?,
    };
    let format = args.format.document();
    if args.dry_run {
        match format {
            Some(format) => print_document(&planned.plan, format, context)?,
            None => context.out.answer(&render::plan(&planned.plan, &context.out.look))?,
        }
        return Ok(plan_exit(&planned));
    }
    if planned.plan.has_actions() {
        if format.is_none() {
            context.out.stderr(&(render::plan(&planned.plan, &context.out.look) + "\n"));
        }
        confirm("Do this?", args.yes, context)?;
    } else if format.is_none() && planned.plan.actions.is_empty() {
        context.out.answer(&render::plan(&planned.plan, &context.out.look))?;
    }
    let (file, scope) = permission(&lead, planned.pass.manifest())?;
    if file.permission(&scope, lead.request.is_found).refusal().is_none() {
        make_all(planned.pass.manifest(), context)?;
    }
    let act = |tell: Tell<'_>| lead::carry_out(&lead.world, &lead.request, &planned, tell);
    told(&planned, format, context, act).map(|operations| exit(&operations, true))
}

/// Starts sessions.
pub(crate) fn run_start(args: &StartArgs, context: &Context) -> Result<Exit, CliError> {
    let wish = Wish::Start { fresh: args.fresh };
    let mut lead = begin(&args.which, &args.judge, Some(&args.lock), wish, context)?;
    (lead.request.take, lead.request.reuse) = (args.place.take, args.place.reuse);
    // It was said when the first one began.
    lead.request.says_prompt = !args.fresh || args.prompt;
    let planned = sure(&mut lead, &args.which, args.yes, context)?;
    declare(&lead, &planned, Desired::Running, args.declare, context)?;
    carry_out(&lead, &planned, args.format.document(), context)
}

/// Stops sessions.
pub(crate) fn run_stop(args: &StopArgs, context: &Context) -> Result<Exit, CliError> {
    let mut lead = begin(&args.which, &args.judge, Some(&args.lock), Wish::Stop, context)?;
    ending(&mut lead, args.end, args.yes);
    let planned = sure(&mut lead, &args.which, args.yes, context)?;
    declare(&lead, &planned, Desired::Stopped, args.declare, context)?;
    if args.purge_conversation {
        return tell_of(&planned, args.format.document(), context, |tell| {
            lead::stop_and_forget_all(&lead.world, &lead.request, &planned, tell)
        });
    }
    carry_out(&lead, &planned, args.format.document(), context)
}

/// Restarts sessions.
pub(crate) fn run_restart(args: &RestartArgs, context: &Context) -> Result<Exit, CliError> {
    let mut lead = begin(&args.which, &args.judge, Some(&args.lock), Wish::Restart, context)?;
    ending(&mut lead, args.end, args.yes);
    let planned = sure(&mut lead, &args.which, args.yes, context)?;
    declare(&lead, &planned, Desired::Running, false, context)?;
    carry_out(&lead, &planned, args.format.document(), context)
}

pub(super) fn ending(lead: &mut Lead, end: EndArgs, yes: bool) {
    let request = &mut lead.request;
    (request.timeout, request.now, request.kill, request.own) = (end.timeout, end.now, end.kill, end.own);
    request.take = end.take;
    request.is_automatic = is_automatic(yes);
}

/// Looks, and where more is meant than what was named one by one, shows it and asks.
pub(super) fn sure(lead: &mut Lead, which: &WhichArgs, yes: bool, context: &Context) -> Result<Planned, CliError> {
    let mut planned = plan_to_act(lead, context)?;
    let is_wide = which.refs.is_empty() || which.refs.iter().any(|text| is_pattern(text));
    // What was named one by one is meant even though somebody else has it in hand, if a person says so.
    if !is_wide && pass(lead, &blocking(&planned), "Do it all the same?", yes, context)? {
        planned = plan_patiently(lead, context)?;
    }
    if is_wide && planned.plan.has_actions() {
        context.out.stderr(&(render::plan(&planned.plan, &context.out.look) + "\n"));
        confirm("Do this?", yes, context)?;
    }
    let watched = if yes { Vec::new() } else { lead::watched(&lead.world, &planned) };
    if let Some(first) = watched.first().filter(|_| is_person()) {
        let name = printable(&first.name);
        confirm(&format!("Somebody is at a terminal that shows {name}. End it all the same?"), yes, context)?;
    }
    Ok(planned)
}

/// Writes what is wanted from now on into the entries that say what is wanted, or into all that were asked about.
fn declare(lead: &Lead, planned: &Planned, desired: Desired, all: bool, context: &Context) -> Result<(), CliError> {
    let sessions = &planned.pass.manifest().sessions;
    // What may not be acted on is not declared either.
    let (file, scope) = permission(lead, planned.pass.manifest())?;
    if file.permission(&scope, lead.request.is_found).refusal().is_some() {
        return Ok(());
    }
    let meant = planned.judged.iter().filter(|one| !matches!(one.standing, Standing::Blocked(_)));
    let meant = meant.filter_map(|one| sessions.get(one.index));
    let keys: Vec<SessionKey> = meant
        .filter(|session| session.lead.desired.is_some_and(|now| now != desired) || (all && session.lead.desired.is_none()))
        .map(|session| session.key.clone())
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let saved = lead::declare(&lead.world, &lead.request.pass, &keys, desired).map_err(|error| match error {
        DeclareError::Pass(error) => CliError::from_pass(error, context.out.color_errors),
        DeclareError::Refused(_) => CliError::caused_by(Exit::Refused, &error).hint("nothing was done"),
    })?;
    run_pass::say_saved(&saved, context);
    Ok(())
}
