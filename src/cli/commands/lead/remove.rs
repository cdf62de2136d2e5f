//! `rm` and `forget`: what is taken out of the manifest. What may be taken out is decided elsewhere.

use chrono::Utc;

use super::hand::{holds, pass};
use super::verbs::{ending, sure};
use super::{Lead, begin, lead, plan, tell_of};
use crate::cli::Context;
use crate::cli::args::{ForgetArgs, RmArgs, WhichArgs};
use crate::cli::commands::lead::{confirm, is_pattern};
use crate::cli::error::{CliError, Exit};
use crate::control::lead::Planned;
use crate::core::ids::SessionKey;
use crate::core::job::JobId;
use crate::core::lead::send::WaitingText;
use crate::core::lead::{HoldReport, Outcome, Wish};
use crate::core::text::printable;

/// Takes sessions out of the manifest.
pub(crate) fn run_rm(args: &RmArgs, context: &Context) -> Result<Exit, CliError> {
    let which = WhichArgs { refs: args.refs.clone(), ..WhichArgs::default() };
    let mut lead = begin(&which, &args.judge, Some(&args.lock), Wish::Stop, context)?;
    ending(&mut lead, args.end, args.yes);
    let planned = if args.keep_running { plan(&lead, context)? } else { sure(&mut lead, &which, args.yes, context)? };
    // What does not run is taken out as well, and was not shown.
    let shows_all = args.keep_running || !planned.plan.has_actions();
    if args.refs.iter().any(|text| is_pattern(text)) && shows_all {
        listed(&planned, "out of the manifest", args.yes, context)?;
    }
    if args.keep_running && !args.refs.iter().any(|text| is_pattern(text)) {
        pass(&mut lead, &meant(&planned), "Take it out all the same?", args.yes, context)?;
    }
    let jobs = jobs(args, &planned)?;
    let texts = texts(args, &lead, &planned)?;
    tell_of(&planned, args.format.document(), context, |tell| {
        let reports = lead::remove_all(&lead.world, &lead.request, &planned, args.keep_running, tell);
        let is_out = |key: &SessionKey| reports.iter().any(|report| report.session == *key && report.outcome == Outcome::Done);
        for (_, id) in jobs.iter().filter(|(key, _)| args.drop && is_out(key)) {
            cancel(&lead, id, context);
        }
        for text in texts.iter().filter(|text| args.drop && is_out(&text.session)) {
            match lead::drop_waiting(&lead.world, &lead.request, text) {
                Ok(_) => context.out.note(&format!("text {} was taken back", text.id)),
                Err(blocked) => context.out.note(&format!("text {} was not taken back: {}", text.id, blocked.message)),
            }
        }
        reports
    })
}

/// The open jobs of what goes. Somebody has to say what becomes of them.
fn jobs(args: &RmArgs, planned: &Planned) -> Result<Vec<(SessionKey, JobId)>, CliError> {
    let meant = planned.judged.iter().filter_map(|one| planned.pass.manifest().sessions.get(one.index));
    let open: Vec<_> = meant
        .flat_map(|session| lead::open_jobs(planned, &session.key).into_iter().map(|id| (session.key.clone(), id)))
        .collect();
    if open.is_empty() || args.keep || args.drop {
        return Ok(open);
    }
    let listed: Vec<String> = open.iter().map(|(key, id)| format!("{id} ({})", printable(&key.name))).collect();
    Err(CliError::new(Exit::Refused, format!("jobs are open: {}; nothing was done", listed.join(", ")))
        .hint("--keep leaves them as they are, --drop cancels them"))
}

/// The texts that wait for what goes. Somebody has to say what becomes of them, too.
fn texts(args: &RmArgs, lead: &Lead, planned: &Planned) -> Result<Vec<WaitingText>, CliError> {
    let meant = planned.judged.iter().filter_map(|one| planned.pass.manifest().sessions.get(one.index));
    let waiting: Vec<_> = meant.flat_map(|session| lead::waiting_texts(&lead.request, Some(&session.key))).collect();
    if waiting.is_empty() || args.keep || args.drop {
        return Ok(waiting);
    }
    let listed: Vec<String> = waiting.iter().map(|it| format!("{} ({})", it.id, printable(&it.session.name))).collect();
    Err(CliError::new(Exit::Refused, format!("texts wait: {}; nothing was done", listed.join(", ")))
        .hint("--keep leaves them waiting, --drop takes them back; `headcount queue` shows them"))
}

fn cancel(lead: &Lead, id: &JobId, context: &Context) {
    let Some(registry) = &lead.request.pass.jobs else { return };
    match registry.cancel(id, Utc::now()) {
        Ok(_) => context.out.note(&format!("job {id} was cancelled")),
        Err(error) => context.out.note(&format!("job {id} could not be cancelled: {}", CliError::from(error).message())),
    }
}

/// Takes recorded conversations out of entries.
pub(crate) fn run_forget(args: &ForgetArgs, context: &Context) -> Result<Exit, CliError> {
    let which = WhichArgs { refs: args.refs.clone(), ..WhichArgs::default() };
    let mut lead = begin(&which, &args.judge, Some(&args.lock), Wish::Stop, context)?;
    let planned = plan(&lead, context)?;
    if args.refs.iter().any(|text| is_pattern(text)) {
        listed(&planned, "of which the conversations are forgotten", args.yes, context)?;
    } else {
        pass(&mut lead, &meant(&planned), "Forget it all the same?", args.yes, context)?;
    }
    tell_of(&planned, args.format.document(), context, |tell| lead::forget_all(&lead.world, &lead.request, &planned, tell))
}

/// The holds of what was named.
fn meant(planned: &Planned) -> Vec<(SessionKey, HoldReport)> {
    let sessions = &planned.pass.manifest().sessions;
    let meant = planned.judged.iter().filter_map(|one| sessions.get(one.index));
    meant.flat_map(|session| holds(planned, &session.key)).collect()
}

/// Shows what a pattern means, and asks.
fn listed(planned: &Planned, what: &str, yes: bool, context: &Context) -> Result<(), CliError> {
    let sessions = &planned.pass.manifest().sessions;
    let names = planned.judged.iter().filter_map(|one| sessions.get(one.index)).map(|session| &session.key.name);
    let names: String = names.map(|name| format!("  {}\n", printable(name))).collect();
    context.out.stderr(&format!("The sessions {what}:\n{names}"));
    confirm("Do this?", yes, context)
}
